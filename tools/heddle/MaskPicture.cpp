//===- MaskPicture.cpp - A picture of which keys are attended to ----------===//

#include "tools/heddle/MaskPicture.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace heddle::tool {

namespace {

constexpr Colour ink{31, 41, 55}, faint{107, 114, 128}, frame{203, 209, 217}, ruled{241, 243, 246};
constexpr Colour windowColour{246, 189, 118}, lowGate{219, 232, 246}, midGate{74, 144, 205},
    highGate{8, 48, 107};

Colour mix(Colour from, Colour to, double share) {
  auto channel = [&](uint8_t a, uint8_t b) { return uint8_t(std::lround(a + share * (double(b) - a))); };
  return {channel(from.red, to.red), channel(from.green, to.green), channel(from.blue, to.blue)};
}

/// Sixteen steps are as many as an eye tells apart, and keep the files small.
double stepped(double share) { return std::round(share * 16) / 16; }

Colour gateColour(double gate) {
  const double share = stepped(std::clamp(gate, 0.0, 1.0));
  return share < 0.5 ? mix(lowGate, midGate, 2 * share) : mix(midGate, highGate, 2 * share - 1);
}

/// Each cell is the mean of its pairs.
CellGrid makeGrid(const Mask &mask) {
  const auto length = int64_t(mask.queries.size());
  const int64_t bin = (length + mostCells - 1) / mostCells, side = (length + bin - 1) / bin;
  struct Cell {
    int32_t window = 0, selected = 0;
    double gates = 0;
  };
  std::vector<Cell> sums(static_cast<size_t>(side * side));
  for (int64_t query = 0; query < length; ++query)
    for (const MaskEntry &entry : mask.queries[size_t(query)]) {
      Cell &cell = sums[size_t(query / bin * side + entry.key / bin)];
      ++(entry.selected ? cell.selected : cell.window);
      cell.gates += entry.selected ? entry.gate : 0;
    }
  CellGrid grid{side, {}};
  const auto pairs = double(bin * bin);
  for (const Cell &cell : sums) {
    Colour colour = mix(white, windowColour, stepped(cell.window / pairs));
    if (cell.selected > 0) {
      // What is there at all stays visible.
      const double share = std::max(stepped(cell.selected / pairs), bin > 1 ? 0.125 : 1.0);
      colour = mix(colour, gateColour(cell.gates / cell.selected), share);
    }
    grid.cells.push_back(colour);
  }
  return grid;
}

std::string sentence(const Mask &mask) {
  std::string text = "layer " + std::to_string(mask.layer) + ", head " + std::to_string(mask.head) +
                     ", topk " + std::to_string(mask.topk) + ", window " + std::to_string(mask.window);
  if (mask.selectedPairs() > 0) {
    char gate[32];
    std::snprintf(gate, sizeof gate, ", mean gate %.2f", mask.meanGate());
    text += gate;
  }
  return text;
}

} // namespace

int64_t Mask::selectedPairs() const {
  int64_t count = 0;
  for (const auto &query : queries)
    count += std::count_if(query.begin(), query.end(), [](const MaskEntry &e) { return e.selected; });
  return count;
}

double Mask::meanGate() const {
  double total = 0;
  for (const auto &query : queries)
    for (const MaskEntry &entry : query)
      total += entry.selected ? entry.gate : 0;
  const int64_t count = selectedPairs();
  return count > 0 ? total / double(count) : std::numeric_limits<double>::quiet_NaN();
}

void drawMask(const Mask &mask, std::unique_ptr<Canvas> (*makeCanvas)(int64_t width, int64_t height),
              std::string &file) {
  const auto length = int64_t(mask.queries.size());
  const CellGrid grid = makeGrid(mask);
  const auto unit = double(Canvas::pixelsPerUnit);
  // Whole pixels for each cell, and about the same size for every length.
  const double cell = double(std::max<int64_t>(2 * mostCells / grid.side, 1)) / unit;
  const double side = cell * double(grid.side), left = 72, top = 76;
  const double perPosition = side / (double(grid.side) * std::ceil(double(length) / double(grid.side)));
  auto canvas = makeCanvas(int64_t(std::ceil(left + side + 28)), int64_t(std::ceil(top + side + 60)));

  canvas->text(left, 34, {18, ink, Anchor::Start, true}, "Keys that each query attends to");
  canvas->text(left, 58, {13, faint}, sentence(mask));

  int64_t step = 1;
  while (8 * step < length)
    step *= 2;
  for (int64_t at = 0; at < length; at += step) {
    const double offset = perPosition * double(at), middle = step == 1 ? perPosition / 2 : 0;
    if (at > 0) {
      canvas->line(left, top + offset, left + side, top + offset, 1, ruled);
      canvas->line(left + offset, top, left + offset, top + side, 1, ruled);
    }
    canvas->text(left - 10, top + offset + middle + 4, {12, faint, Anchor::End}, std::to_string(at));
    canvas->text(left + offset + middle, top + side + 20, {12, faint, Anchor::Middle}, std::to_string(at));
  }
  canvas->text(left + side / 2, top + side + 44, {13, ink, Anchor::Middle}, "key");
  canvas->text(26, top + side / 2, {.size = 13, .colour = ink, .anchor = Anchor::Middle, .upward = true},
               "query");
  canvas->cells(left, top, cell, grid);
  for (double edge : {0.0, side}) {
    canvas->line(left, top + edge, left + side, top + edge, 1, frame);
    canvas->line(left + edge, top, left + edge, top + side, 1, frame);
  }

  // The legend stands where no key can be: later than its query.
  const double right = left + side - 18;
  if (mask.topk > 0) {
    canvas->text(right, top + 34, {12, ink, Anchor::End}, "selected, by gate");
    for (int64_t i = 0; i <= 16; ++i)
      canvas->rectangle(right - 17 * 7 + 7 * double(i), top + 42, 7, 12, gateColour(double(i) / 16));
    canvas->text(right - 17 * 7, top + 68, {11, faint, Anchor::Middle}, "0");
    canvas->text(right, top + 68, {11, faint, Anchor::Middle}, "1");
  }
  if (mask.window > 0) {
    const double y = top + (mask.topk > 0 ? 82 : 24);
    canvas->text(right - 20, y + 11, {12, ink, Anchor::End}, "window");
    canvas->rectangle(right - 12, y, 12, 12, windowColour);
  }
  file = canvas->finish();
}

} // namespace heddle::tool
