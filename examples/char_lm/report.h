// What the program shows and writes: progress, the loss curve as CSV and SVG, peak memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace char_lm {

/// How the learned keys are chosen, as selection_log of the model says: the mean gate of what is selected,
/// the share of keys that nothing selects and no threshold depends on, and how many keys a query replaces.
struct Selection {
  float gate, dead, turnover;
};

/// By the number of steps taken.
using SelectionLog = std::map<int64_t, Selection>;

/// A progress line that is rewritten in place on a terminal, and printed now and then elsewhere.
class Progress {
public:
  Progress(int64_t firstStep, int64_t steps, int64_t tokensPerStep);
  void update(int64_t step, double loss);
  /// A line that stays.
  void note(int64_t step, const Selection &selection);
  /// Ends the line, so that other output can follow.
  void finish();

private:
  using Clock = std::chrono::steady_clock;
  int64_t first, steps, tokensPerStep;
  bool terminal;
  Clock::time_point start, shown;
};

/// One row per step: `step,loss,bits_per_byte,mean_gate,dead_scores,turnover`, the last three empty where the
/// selection was not looked at. Written whole or not at all.
void writeCsv(const std::string &path, const std::vector<float> &losses, const SelectionLog &selections);

/// The same curve as a picture, in bits per byte, with the bigram baseline as a dashed line.
void writeSvg(const std::string &path, const std::vector<float> &losses, double bigramBits);

/// A text for a terminal: control characters and bytes that are not UTF-8 become '?'.
std::string printable(const std::string &text);

/// The most resident memory that this process has had, in MiB.
double peakMemoryMiB();

} // namespace char_lm
