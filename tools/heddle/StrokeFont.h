//===- StrokeFont.h - Letters made of lines ---------------------*- C++ -*-===//
#pragma once

#include <string>
#include <vector>

namespace heddle::tool {

struct StrokePoint {
  double x, y; ///< from the start of the base line; y grows downward
};

/// The lines that draw a text of ASCII at a font size, and its width. Other characters become '?'.
std::vector<std::vector<StrokePoint>> strokes(const std::string &text, double size, double &width);

} // namespace heddle::tool
