//===- Canvas.h - What pictures are drawn on --------------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace heddle::tool {

struct Colour {
  uint8_t red, green, blue;
  bool operator==(const Colour &) const = default;
};

constexpr Colour white{255, 255, 255};

/// A square of cells, row-major.
struct CellGrid {
  int64_t side = 0;
  std::vector<Colour> cells;
};

enum class Anchor { Start, Middle, End };

struct TextStyle {
  double size;
  Colour colour;
  Anchor anchor = Anchor::Start;
  bool bold = false;
  bool upward = false; ///< turned by a quarter, read from below
};

/// A picture in the making. Lengths are in units of the picture; a unit is `pixelsPerUnit` pixels of a PNG.
class Canvas {
public:
  static constexpr int64_t pixelsPerUnit = 2;

  virtual ~Canvas() = default;
  virtual void rectangle(double x, double y, double width, double height, Colour colour) = 0;
  /// A straight line along an axis, centred on its coordinates.
  virtual void line(double x1, double y1, double x2, double y2, double width, Colour colour) = 0;
  virtual void text(double x, double y, const TextStyle &style, const std::string &text) = 0;
  /// Cells that are `cell` wide, from a corner on; white ones are left out.
  virtual void cells(double x, double y, double cell, const CellGrid &grid) = 0;
  /// The file.
  virtual std::string finish() = 0;
};

std::unique_ptr<Canvas> makeSvgCanvas(int64_t width, int64_t height);
std::unique_ptr<Canvas> makePngCanvas(int64_t width, int64_t height);

} // namespace heddle::tool
