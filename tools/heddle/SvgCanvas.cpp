//===- SvgCanvas.cpp - Pictures as SVG ------------------------------------===//

#include "tools/heddle/Canvas.h"

#include <cstdio>
#include <map>

namespace heddle::tool {

namespace {

/// As few digits as needed, three decimals at most.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value);
  std::string result = text;
  result.erase(result.find_last_not_of('0') + 1);
  if (result.back() == '.')
    result.pop_back();
  return result == "-0" ? "0" : result;
}

std::string hex(Colour colour) {
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", colour.red, colour.green, colour.blue);
  return text;
}

std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return result;
}

class SvgCanvas : public Canvas {
public:
  SvgCanvas(int64_t width, int64_t height) {
    const std::string size = std::to_string(width) + " " + std::to_string(height);
    out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + size + "\" width=\"" +
          std::to_string(width) + "\" height=\"" + std::to_string(height) +
          "\" font-family=\"system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif\">\n";
    rectangle(0, 0, double(width), double(height), white);
  }

  void rectangle(double x, double y, double width, double height, Colour colour) override {
    out += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) + "\" height=\"" +
           number(height) + "\" fill=\"" + hex(colour) + "\"/>\n";
  }

  void line(double x1, double y1, double x2, double y2, double width, Colour colour) override {
    out += "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" +
           number(y2) + "\" stroke=\"" + hex(colour) + "\" stroke-width=\"" + number(width) + "\"/>\n";
  }

  void text(double x, double y, const TextStyle &style, const std::string &text) override {
    const char *anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    const std::string at = number(x) + (style.upward ? " " : "\" y=\"") + number(y);
    out +=
        (style.upward ? "<text transform=\"translate(" + at + ") rotate(-90)\"" : "<text x=\"" + at + "\"") +
        " font-size=\"" + number(style.size) + "\" fill=\"" + hex(style.colour) + "\"" +
        anchors[int(style.anchor)] + (style.bold ? " font-weight=\"600\"" : "") + ">" + escaped(text) +
        "</text>\n";
  }

  void cells(double x, double y, double cell, const CellGrid &grid) override {
    // One path for each colour, of vertical runs: a selected key keeps its column.
    std::map<std::string, std::string> paths;
    for (int64_t column = 0; column < grid.side; ++column)
      for (int64_t row = 0; row < grid.side;) {
        const Colour colour = grid.cells[size_t(row * grid.side + column)];
        int64_t end = row + 1;
        while (end < grid.side && grid.cells[size_t(end * grid.side + column)] == colour)
          ++end;
        if (colour != white)
          paths[hex(colour)] += "M" + std::to_string(column) + " " + std::to_string(row) + "h1v" +
                                std::to_string(end - row) + "h-1z";
        row = end;
      }
    out += "<g transform=\"translate(" + number(x) + " " + number(y) + ") scale(" + number(cell) +
           ")\" shape-rendering=\"crispEdges\">\n";
    for (const auto &[colour, path] : paths)
      out += "<path fill=\"" + colour + "\" d=\"" + path + "\"/>\n";
    out += "</g>\n";
  }

  std::string finish() override { return out + "</svg>\n"; }

private:
  std::string out;
};

} // namespace

std::unique_ptr<Canvas> makeSvgCanvas(int64_t width, int64_t height) {
  return std::make_unique<SvgCanvas>(width, height);
}

} // namespace heddle::tool
