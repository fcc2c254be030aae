#include "report.h"

#include <heddle/io.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace char_lm {

static const double bitsPerNat = 1 / std::log(2.0);

Progress::Progress(int64_t firstStep, int64_t steps, int64_t tokensPerStep)
    : first(firstStep), steps(steps), tokensPerStep(tokensPerStep), terminal(isatty(STDOUT_FILENO)),
      start(Clock::now()), shown(start - std::chrono::hours(1)) {}

void Progress::update(int64_t step, double loss) {
  auto now = Clock::now();
  bool last = step == steps;
  if (!last && now - shown < (terminal ? std::chrono::milliseconds(200) : std::chrono::seconds(10)))
    return;
  shown = now;
  double seconds = std::chrono::duration<double>(now - start).count();
  double perStep = seconds / static_cast<double>(std::max<int64_t>(step - first, 1));
  double left = perStep * static_cast<double>(steps - step);
  char line[160];
  std::snprintf(
      line, sizeof line, "step %lld/%lld  loss %.4f nats (%.3f bits/byte)  %.0f tokens/s  %d:%02d left",
      static_cast<long long>(step), static_cast<long long>(steps), loss, loss * bitsPerNat,
      static_cast<double>(tokensPerStep) / perStep, static_cast<int>(left) / 60, static_cast<int>(left) % 60);
  std::printf(terminal ? "\r\033[K%s" : "%s\n", line);
  std::fflush(stdout);
}

void Progress::note(int64_t step, const Selection &selection) {
  std::printf(
      "%sstep %lld/%lld  selection: mean gate %.3f, dead scores %.1f %%, turnover %.3f keys a query\n",
      terminal ? "\r\033[K" : "", static_cast<long long>(step), static_cast<long long>(steps), selection.gate,
      100 * selection.dead, selection.turnover);
  std::fflush(stdout);
}

void Progress::finish() {
  if (terminal)
    std::printf("\n");
}

void writeCsv(const std::string &path, const std::vector<float> &losses, const SelectionLog &selections) {
  std::ostringstream out;
  out.precision(9);
  out << "step,loss,bits_per_byte,mean_gate,dead_scores,turnover\n";
  for (size_t i = 0; i < losses.size(); ++i) {
    out << i + 1 << ',' << losses[i] << ',' << losses[i] * bitsPerNat;
    auto found = selections.find(static_cast<int64_t>(i + 1));
    if (found == selections.end())
      out << ",,,\n";
    else
      out << ',' << found->second.gate << ',' << found->second.dead << ',' << found->second.turnover << '\n';
  }
  heddle::save_file(path, out.str());
}

void writeSvg(const std::string &path, const std::vector<float> &losses, double bigramBits) {
  const double left = 60, right = 700, top = 20, bottom = 340;
  double high = bigramBits, low = bigramBits;
  for (float loss : losses) {
    high = std::max(high, loss * bitsPerNat);
    low = std::min(low, loss * bitsPerNat);
  }
  high = std::ceil(high);
  low = std::floor(low);
  auto x = [&](double step) {
    return left + (right - left) * step / static_cast<double>(std::max<size_t>(losses.size(), 1));
  };
  auto y = [&](double bits) { return bottom - (bottom - top) * (bits - low) / (high - low); };
  std::ostringstream out;
  out.setf(std::ios::fixed);
  out.precision(1);
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 380\" font-family=\"sans-serif\" "
         "font-size=\"12\">\n"
      << "<rect width=\"720\" height=\"380\" fill=\"white\"/>\n";
  for (double bits = low; bits <= high; bits += 1)
    out << "<line x1=\"" << left << "\" x2=\"" << right << "\" y1=\"" << y(bits) << "\" y2=\"" << y(bits)
        << "\" stroke=\"#ddd\"/><text x=\"" << left - 8 << "\" y=\"" << y(bits) + 4
        << "\" text-anchor=\"end\">" << bits << "</text>\n";
  out << "<text x=\"" << left << "\" y=\"365\">step 1</text><text x=\"" << right
      << "\" y=\"365\" text-anchor=\"end\">step " << losses.size()
      << "</text><text x=\"380\" y=\"365\" text-anchor=\"middle\">training loss, bits per byte</text>\n"
      << "<line x1=\"" << left << "\" x2=\"" << right << "\" y1=\"" << y(bigramBits) << "\" y2=\""
      << y(bigramBits) << "\" stroke=\"#b00\" stroke-dasharray=\"6 4\"/><text x=\"" << right << "\" y=\""
      << y(bigramBits) - 6
      << "\" text-anchor=\"end\" fill=\"#b00\">bigram model</text>\n<polyline fill=\"none\" "
         "stroke=\"#0550ae\" points=\"";
  for (size_t i = 0; i < losses.size(); ++i)
    out << x(static_cast<double>(i + 1)) << ',' << y(losses[i] * bitsPerNat) << ' ';
  out << "\"/>\n</svg>\n";
  heddle::save_file(path, out.str());
}

std::string printable(const std::string &text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80             ? 1
                          : (lead & 0xe0) == 0xc0 ? 2
                          : (lead & 0xf0) == 0xe0 ? 3
                          : (lead & 0xf8) == 0xf0 ? 4
                                                  : 0;
    bool valid = length > 0 && i + length <= text.size() && (lead >= 0x20 || lead == '\n' || lead == '\t') &&
                 lead != 0x7f;
    for (size_t at = 1; valid && at < length; ++at)
      valid = (static_cast<unsigned char>(text[i + at]) & 0xc0) == 0x80;
    result += valid ? text.substr(i, length) : "?";
    i += valid ? length : 1;
  }
  return result;
}

double peakMemoryMiB() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

} // namespace char_lm
