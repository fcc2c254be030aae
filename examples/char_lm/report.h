// What the program shows and writes: progress, the loss curve as CSV and SVG, peak memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace char_lm {

/// A progress line that is rewritten in place on a terminal, and printed now and then elsewhere.
class Progress {
public:
  Progress(int64_t firstStep, int64_t steps, int64_t tokensPerStep);
  void update(int64_t step, double loss);
  /// Ends the line, so that other output can follow.
  void finish();

private:
  using Clock = std::chrono::steady_clock;
  int64_t first, steps, tokensPerStep;
  bool terminal;
  Clock::time_point start, shown;
};

/// One loss per step, in nats: `step,loss,bits_per_byte` rows. Written whole or not at all.
void writeCsv(const std::string &path, const std::vector<float> &losses);

/// The same curve as a picture, in bits per byte, with the bigram baseline as a dashed line.
void writeSvg(const std::string &path, const std::vector<float> &losses, double bigramBits);

/// A text for a terminal: control characters and bytes that are not UTF-8 become '?'.
std::string printable(const std::string &text);

/// The most resident memory that this process has had, in MiB.
double peakMemoryMiB();

} // namespace char_lm
