// Streams tokens through one SPARSEK attention layer, one call a token, with the cache donated to each call,
// and measures what a token costs early and late. The layer is streaming.heddle.
#include <heddle/cache.hpp>
#include <heddle/heddle.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <malloc.h>
#include <string>
#include <unistd.h>

using heddle::Struct;
using heddle::Tensor;

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string program = STREAMING_PROGRAM, scores = "normal";
  int64_t tokens = 1000000, first = 10000, topk = 128, window = 128, seed = 1;
};

/// What was measured at a position.
struct Look {
  int64_t position = 0, live = 0, capacity = 0, tensorBytes = 0;
  double wall = 0, processor = 0; ///< seconds of a token
  double residentMiB = 0, heapKiB = 0;

  void print() const {
    std::printf("position %9lld  %6.2f us/token (processor %6.2f)  resident %7.2f MiB  heap %8.1f KiB  "
                "tensors %8.1f KiB  live scores %lld of %lld\n",
                static_cast<long long>(position), wall * 1e6, processor * 1e6, residentMiB, heapKiB,
                static_cast<double>(tensorBytes) / 1024, static_cast<long long>(live),
                static_cast<long long>(capacity));
    std::fflush(stdout);
  }
};

/// Exact, unlike /proc/self/statm, which lags by some pages a thread.
double residentMiB() {
  std::ifstream file("/proc/self/smaps_rollup");
  double kilobytes = 0;
  for (std::string word; kilobytes == 0 && file >> word;)
    if (word == "Rss:")
      file >> kilobytes;
  return kilobytes / 1024;
}

/// What the C library has given out and not got back: to the byte, where the resident size comes and goes in
/// pages.
double heapKiB() {
  const auto heap = mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd) / 1024;
}

double processorSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The calls before a position that is looked at.
class Window {
public:
  static constexpr int64_t length = 2000;

  void restart() {
    seconds.clear();
    processor = processorSeconds();
  }
  void add(Clock::duration time) { seconds.push_back(std::chrono::duration<double>(time).count()); }

  /// The median of the time, and the mean of the processor time, which tells of rare long calls too and
  /// nothing of what else the machine does.
  Look look(int64_t position, const Struct &cache) {
    const double used = processorSeconds() - processor;
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    heddle_memory_stats_t memory;
    heddle_memory_stats(&memory);
    const int64_t capacity = heddle::cache_capacity(cache);
    return {position, capacity - heddle::cache_room(cache),       capacity,      memory.current_bytes,
            *middle,  used / static_cast<double>(seconds.size()), residentMiB(), heapKiB()};
  }

private:
  std::vector<double> seconds;
  double processor = 0;
};

class Progress {
public:
  void update(int64_t position, int64_t tokens, const Struct &cache) {
    const auto now = Clock::now();
    if (!terminal || now - shown < std::chrono::milliseconds(200))
      return;
    const double rate = static_cast<double>(position) / std::chrono::duration<double>(now - start).count();
    std::printf("\r\033[K%lld of %lld tokens  %.0f tokens/s  %lld live scores",
                static_cast<long long>(position), static_cast<long long>(tokens), rate,
                static_cast<long long>(heddle::cache_capacity(cache) - heddle::cache_room(cache)));
    std::fflush(stdout);
    shown = now;
  }
  /// Other output can follow.
  void clear() const {
    if (terminal)
      std::printf("\r\033[K");
  }

private:
  bool terminal = isatty(STDOUT_FILENO);
  Clock::time_point start = Clock::now(), shown = start;
};

int run(const Options &options) {
  const std::map<std::string, int64_t> dims = {
      {"D", 256}, {"Hq", 4}, {"H", 2}, {"E", 64}, {"T", 1024}, {"K", options.topk}, {"W", options.window}};
  heddle::Program program = heddle::Program::load(options.program);
  auto function = [&](const char *name, std::initializer_list<const char *> needs) {
    heddle::FunctionOptions chosen;
    for (const char *dim : needs)
      chosen.dims[dim] = dims.at(dim);
    return program.function(name, chosen);
  };
  heddle::Function step = function("step", {"K", "W"}), tokens = function("tokens", {"T", "D"});
  Struct layer = function("init", {"D", "Hq", "H", "E"})({options.seed})[0],
         cache = function("start", {"H", "E", "K", "W"})({})[0];
  // Scores that are all equal keep every key alive; those that rise slowly keep many.
  if (options.scores != "normal")
    layer.set("score", Tensor::zeros({dims.at("D"), dims.at("H")}, heddle::DType::f32));
  const float slope = options.scores == "rising" ? 1e-6f : 0.0f;

  const heddle::Argument parameters = layer;
  const int64_t block = dims.at("T");
  std::vector<Look> looks;
  Window window;
  Progress progress;
  Tensor inputs;
  step.specialise({parameters, tokens({options.seed, 0})[0], 0, slope, donate(cache)});
  for (int64_t position = 0; position < options.tokens; ++position) {
    if (position % block == 0)
      inputs = tokens({options.seed, static_cast<int32_t>(position / block)})[0].tensor();
    if (heddle::reserve_cache(cache, 1)) {
      step.specialise({parameters, inputs, 0, slope, donate(cache)});
      progress.clear();
      std::printf("position %9lld  the cache grows to %lld live scores\n", static_cast<long long>(position),
                  static_cast<long long>(heddle::cache_capacity(cache)));
      window.restart();
    }
    if (position % Window::length == 0 || position + Window::length == options.first ||
        position + Window::length == options.tokens)
      window.restart();
    const auto start = Clock::now();
    std::vector<Struct> results =
        step({parameters, inputs, static_cast<int32_t>(position % block), slope, donate(cache)});
    cache = std::move(results[1]);
    window.add(Clock::now() - start);
    if (position + 1 == options.first || position + 1 == options.tokens) {
      looks.push_back(window.look(position + 1, cache));
      progress.clear();
      looks.back().print();
    }
    progress.update(position + 1, options.tokens, cache);
  }
  if (looks.size() == 2)
    std::printf("late against early: processor time x %.3f, resident %+.2f MiB, heap %+.1f KiB, tensors "
                "%+.1f KiB; compiling took "
                "%.1f s\n",
                looks[1].processor / looks[0].processor, looks[1].residentMiB - looks[0].residentMiB,
                looks[1].heapKiB - looks[0].heapKiB,
                static_cast<double>(looks[1].tensorBytes - looks[0].tensorBytes) / 1024,
                step.stats().compileSeconds);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Streams tokens through one SPARSEK attention layer in constant time and memory");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--tokens", options.tokens, "length of the stream")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--first", options.first, "the position that the end is compared with")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--scores", options.scores, "normal, constant, or rising with the position")
      ->capture_default_str()
      ->check(CLI::IsMember({"normal", "rising", "constant"}));
  app.add_option("--topk", options.topk, "learned keys")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--window", options.window, "recent keys")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of the layer and the stream")->capture_default_str();
  app.add_option("--program", options.program, "the layer")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(options);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "streaming: error: %s\n", error.what());
    return 1;
  }
}
