//===- PngCanvas.cpp - Pictures as PNG ------------------------------------===//

#include "tools/heddle/Canvas.h"
#include "tools/heddle/StrokeFont.h"

#include <heddle/error.hpp>

#include <algorithm>
#include <cmath>
#include <png.h>

namespace heddle::tool {

namespace {

constexpr double scale = Canvas::pixelsPerUnit;

class PngCanvas : public Canvas {
public:
  PngCanvas(int64_t width, int64_t height)
      : width(width * pixelsPerUnit), height(height * pixelsPerUnit),
        pixels(size_t(this->width * this->height), white) {}

  void rectangle(double x, double y, double wide, double high, Colour colour) override {
    const int64_t left = std::lround(x * scale), top = std::lround(y * scale),
                  right = std::lround((x + wide) * scale), bottom = std::lround((y + high) * scale);
    for (int64_t row = top; row < bottom; ++row)
      for (int64_t column = left; column < right; ++column)
        blend(column, row, 1, colour);
  }

  void line(double x1, double y1, double x2, double y2, double thickness, Colour colour) override {
    const double across = thickness / 2;
    if (y1 == y2)
      rectangle(std::min(x1, x2), y1 - across, std::abs(x2 - x1), thickness, colour);
    else
      rectangle(x1 - across, std::min(y1, y2), thickness, std::abs(y2 - y1), colour);
  }

  void text(double x, double y, const TextStyle &style, const std::string &text) override {
    double wide = 0;
    const auto lines = strokes(text, style.size * scale, wide);
    const double start = style.anchor == Anchor::Start    ? 0
                         : style.anchor == Anchor::Middle ? -wide / 2
                                                          : -wide;
    const double radius = style.size * scale * (style.bold ? 0.055 : 0.036);
    auto place = [&](StrokePoint p) {
      p.x += start;
      return style.upward ? StrokePoint{x * scale + p.y, y * scale - p.x}
                          : StrokePoint{x * scale + p.x, y * scale + p.y};
    };
    // The pixels of one text are covered by its nearest stroke, so that crossings are not darker.
    std::vector<std::pair<StrokePoint, StrokePoint>> segments;
    for (const auto &line : lines)
      for (size_t i = 0; i + 1 < line.size(); ++i)
        segments.emplace_back(place(line[i]), place(line[i + 1]));
    double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
    for (const auto &[a, b] : segments) {
      left = std::min({left, a.x, b.x}), right = std::max({right, a.x, b.x});
      top = std::min({top, a.y, b.y}), bottom = std::max({bottom, a.y, b.y});
    }
    for (int64_t row = int64_t(top - 2); row <= int64_t(bottom + 2); ++row)
      for (int64_t column = int64_t(left - 2); column <= int64_t(right + 2); ++column) {
        double nearest = 1e9;
        for (const auto &[a, b] : segments)
          nearest = std::min(nearest, distance({double(column) + 0.5, double(row) + 0.5}, a, b));
        blend(column, row, std::clamp(radius + 0.5 - nearest, 0.0, 1.0), style.colour);
      }
  }

  void cells(double x, double y, double cell, const CellGrid &grid) override {
    for (int64_t row = 0; row < grid.side; ++row)
      for (int64_t column = 0; column < grid.side; ++column)
        if (Colour colour = grid.cells[size_t(row * grid.side + column)]; colour != white)
          rectangle(x + cell * double(column), y + cell * double(row), cell, cell, colour);
  }

  std::string finish() override {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = png_uint_32(width);
    image.height = png_uint_32(height);
    image.format = PNG_FORMAT_RGB;
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::string file(bytes, '\0');
    if (!png_image_write_to_memory(&image, file.data(), &bytes, 0, pixels.data(), 0, nullptr))
      throw Error(HEDDLE_INTERNAL, std::string("libpng: ") + image.message);
    file.resize(bytes);
    return file;
  }

private:
  void blend(int64_t column, int64_t row, double share, Colour colour) {
    if (column < 0 || row < 0 || column >= width || row >= height || share <= 0)
      return;
    Colour &pixel = pixels[size_t(row * width + column)];
    auto mix = [&](uint8_t under, uint8_t over) {
      return uint8_t(std::lround(under + share * (double(over) - under)));
    };
    pixel = {mix(pixel.red, colour.red), mix(pixel.green, colour.green), mix(pixel.blue, colour.blue)};
  }

  /// From a point to a segment.
  static double distance(StrokePoint p, StrokePoint a, StrokePoint b) {
    const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    const double t = length > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length, 0.0, 1.0) : 0;
    return std::hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
  }

  int64_t width, height;
  std::vector<Colour> pixels;
};

} // namespace

std::unique_ptr<Canvas> makePngCanvas(int64_t width, int64_t height) {
  static_assert(sizeof(Colour) == 3, "pixels are handed to libpng as they are");
  return std::make_unique<PngCanvas>(width, height);
}

} // namespace heddle::tool
