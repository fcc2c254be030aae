// heddle-bench-decode: one token of generation early and late in a stream, with the cache donated to each
// call, against reading the keys and values that a token attends to. Uses the public interface only.
#include <heddle/cache.hpp>
#include <heddle/heddle.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>

using namespace heddle;

namespace {

struct Options {
  std::string program = HEDDLE_BENCH_DECODE, cpu = "native";
  std::vector<int> threads = {1, 2};
  std::vector<int64_t> positions = {10000, 1000000}, queryHeads = {8, 32};
  int64_t heads = 8, width = 64, topk = 256, window = 256;
  int rounds = 15, calls = 200;
  bool json = false, stepwise = false;
};

bool processorTime = false; ///< measure time on the processors: for one thread on a busy machine

double seconds() {
  timespec now{};
  clock_gettime(processorTime ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

/// Microseconds of a call, the mean of each round.
struct Times {
  std::vector<double> values;
  void measure(int calls, const std::function<void(int)> &body) {
    const double start = seconds();
    for (int call = 0; call < calls; ++call)
      body(call);
    values.push_back((seconds() - start) * 1e6 / calls);
  }
  double best() const { return *std::min_element(values.begin(), values.end()); }
  double median() const {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));

/// Both have loops for the vectors that generation is compiled for.
__attribute__((target_clones("arch=x86-64-v3", "default"))) float sumOf(const float *x, int64_t count) {
  Vector sums[4] = {};
  for (int64_t i = 0; i + 64 <= count; i += 64)
    for (int part = 0; part < 4; ++part)
      sums[part] += *reinterpret_cast<const Vector *>(x + i + 16 * part);
  const Vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float total = 0;
  for (int lane = 0; lane < 16; ++lane)
    total += sum[lane];
  return total;
}

/// The peer: keys and values of all slots, read once, heads in parallel as in a step.
class Read {
public:
  Read(int64_t heads, int64_t perHead)
      : each((perHead + 63) / 64 * 64), data(size_t(heads * each), 1), sums(size_t(heads)) {}

  void run() {
    heddle_parallel_for(
        [](void *args, int64_t begin, int64_t end) {
          auto &read = *static_cast<Read *>(args);
          for (int64_t head = begin; head < end; ++head)
            read.sums[size_t(head)] = sumOf(read.data.data() + head * read.each, read.each);
        },
        this, int64_t(sums.size()), 1);
  }

private:
  int64_t each;
  std::vector<float> data, sums;
};

/// A stream at some position, as it is continued from round to round.
struct Stream {
  int64_t position;
  Struct cache;
  Times times;
  int32_t live() const {
    const auto counts = cache["count"].values<int32_t>();
    return *std::max_element(counts.begin(), counts.end());
  }
};

struct Result {
  int64_t queryHeads;
  int threads;
  const std::vector<Stream> &streams;
  const Times &read;
  double compileSeconds;
};

void print(const Options &options, const Result &r) {
  const Times &early = r.streams.front().times, &late = r.streams.back().times;
  if (options.json) {
    nlohmann::ordered_json line = {{"query_heads", r.queryHeads}, {"heads", options.heads},
                                   {"width", options.width},      {"topk", options.topk},
                                   {"window", options.window},    {"threads", r.threads}};
    for (const Stream &stream : r.streams)
      line["positions"].push_back({{"position", stream.position},
                                   {"us_median", stream.times.median()},
                                   {"us_best", stream.times.best()},
                                   {"live", stream.live()}});
    line.update({{"late_over_early_median", late.median() / early.median()},
                 {"late_over_early_best", late.best() / early.best()},
                 {"peer", "reading the keys and values once"},
                 {"peer_us_median", r.read.median()},
                 {"peer_us_best", r.read.best()},
                 {"ratio_median", r.read.median() / late.median()},
                 {"ratio_best", r.read.best() / late.best()},
                 {"compile_ms", r.compileSeconds * 1e3}});
    std::printf("%s\n", line.dump().c_str());
  } else {
    for (const Stream &stream : r.streams)
      std::printf("%5ld %3d  %9ld %5d  %8.2f %8.2f  %8.2f %8.2f  %6.2f\n", long(r.queryHeads), r.threads,
                  long(stream.position), stream.live(), stream.times.median(), stream.times.best(),
                  r.read.median(), r.read.best(), stream.times.best() / early.best());
  }
  std::fflush(stdout);
}

int run(const Options &options) {
  Program program = Program::load(options.program);
  const int64_t block = 1024, capacity = std::max<int64_t>(4096, 8 * (options.topk + options.window));
  Read read(options.heads, 2 * (options.topk + options.window) * options.width);
  if (!options.json)
    std::printf("%ld key-value heads of width %ld, topk %ld, window %ld; us per token as median and best of "
                "%d rounds of %d\n%5s %3s  %9s %5s  %8s %8s  %8s %8s  %6s\n",
                long(options.heads), long(options.width), long(options.topk), long(options.window),
                options.rounds, options.calls, "heads", "thr", "position", "live", "ours", "best", "read",
                "best", "growth");
  for (int64_t queryHeads : options.queryHeads) {
    std::vector<Argument> arguments;
    for (const Struct &tensor : program.function(
             "tokens",
             {.dims = {{"Hq", queryHeads}, {"H", options.heads}, {"E", options.width}, {"T", block}}})(
             {int64_t(1)}))
      arguments.emplace_back(tensor.tensor());
    Function step =
        program.function("step", {.dims = {{"K", options.topk}, {"W", options.window}}, .cpu = options.cpu});
    std::vector<Stream> streams;
    for (int64_t position : options.positions) {
      const std::map<std::string, int64_t> dims = {{"H", options.heads},  {"E", options.width},
                                                   {"N", position},       {"K", options.topk},
                                                   {"W", options.window}, {"C", capacity}};
      streams.push_back({position, program.function("filled", {.dims = dims})({int64_t(5)})[0], {}});
    }
    int32_t token = 0;
    for (int threads : options.threads) {
      check(heddle_set_num_threads(threads));
      Times reading;
      for (int round = 0; round <= options.rounds; ++round) {
        if (options.stepwise) {
          std::printf("next\n");
          std::fflush(stdout);
          if (std::getchar() == EOF)
            return 1;
        }
        if (round == 1) { // the first one compiles and touches the memory
          reading = {};
          for (Stream &stream : streams)
            stream.times = {};
        }
        for (Stream &stream : streams)
          stream.times.measure(options.calls, [&](int) {
            reserve_cache(stream.cache, 1);
            std::vector<Argument> all = arguments;
            all.emplace_back(token);
            all.emplace_back(donate(stream.cache));
            stream.cache = std::move(step(all)[1]);
            token = (token + 1) % int32_t(block);
          });
        reading.measure(options.calls, [&](int) { read.run(); });
      }
      print(options, {queryHeads, threads, streams, reading, step.stats().compileSeconds});
    }
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("One token of generation against reading what it attends to.");
  Options options;
  app.add_option("--program", options.program, "the functions to measure")->capture_default_str();
  app.add_option("--threads", options.threads, "numbers of threads")->delimiter(',')->capture_default_str();
  app.add_option("--positions", options.positions, "tokens before the measured ones")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--query-heads", options.queryHeads, "multiples of the key-value heads")
      ->delimiter(',')
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--heads", options.heads, "key-value heads")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--width", options.width, "of a head")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--topk", options.topk)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--window", options.window)->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--rounds", options.rounds, "measurements of each figure")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--calls", options.calls, "tokens of a round")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--cpu", options.cpu, "as in `heddle run --cpu`")->capture_default_str();
  app.add_flag("--processor-time", processorTime, "measure processor time; use with one thread");
  app.add_flag("--json", options.json, "one JSON object for each number of heads and threads");
  app.add_flag("--stepwise", options.stepwise,
               "before each round write 'next' and wait for a line: for a peer measured in turns");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
