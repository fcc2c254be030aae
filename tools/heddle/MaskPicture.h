//===- MaskPicture.h - A picture of which keys are attended to --*- C++ -*-===//
#pragma once

#include "tools/heddle/Canvas.h"

#include <string>
#include <vector>

namespace heddle::tool {

/// A key that a query attends to, outside the window where `selected`.
struct MaskEntry {
  int64_t key;
  bool selected;
  double gate;
};

/// What one key-value head of one attention attends to.
struct Mask {
  int64_t layer = 0, batch = 0, head = 0;
  int64_t topk = 0, window = 0;
  std::vector<std::vector<MaskEntry>> queries;

  int64_t selectedPairs() const;
  /// The mean gate of the selected pairs; NaN where there are none.
  double meanGate() const;
};

/// At most this many cells in a row; a cell of a longer sequence stands for a square of pairs.
constexpr int64_t mostCells = 512;

/// Queries down, keys across: the window in one colour, selected keys shaded by their gate.
void drawMask(const Mask &mask, std::unique_ptr<Canvas> (*makeCanvas)(int64_t width, int64_t height),
              std::string &file);

} // namespace heddle::tool
