// heddle-bench-rows: row-wise kernels of compiled programs against copying the same number of bytes,
// interleaved in one process. Uses the public interface only.
#include <heddle/heddle.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <malloc.h>
#include <nlohmann/json.hpp>
#include <random>

using namespace heddle;

namespace {

struct Options {
  std::string program = HEDDLE_BENCH_ROWS, filter, cpu = "native";
  std::vector<int> threads = {1, 2};
  std::vector<int64_t> shape = {8192, 2048};
  int rounds = 15;
  bool json = false;
};

bool processorTime = false; ///< measure time on the processors: for one thread on a busy machine

double seconds() {
  timespec now{};
  clock_gettime(processorTime ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

struct Times {
  std::vector<double> values;
  void measure(const std::function<void()> &body) {
    double start = seconds();
    body();
    values.push_back(seconds() - start);
  }
  double best() const { return *std::min_element(values.begin(), values.end()); }
  double median() const {
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

/// The peer: `bytes` read and `bytes` written by all threads, through the library's copy or a loop of vector
/// moves.
class Copy {
public:
  explicit Copy(int64_t bytes) : from((bytes + 31) / 32 * 32, 1), to(from.size(), 2) {}

  void run(bool library) {
    struct Arguments {
      char *from, *to;
      bool library;
    } arguments{from.data(), to.data(), library};
    heddle_parallel_for(
        [](void *args, int64_t begin, int64_t end) {
          auto &a = *static_cast<Arguments *>(args);
          if (a.library) {
            std::memcpy(a.to + begin, a.from + begin, end - begin);
            return;
          }
          typedef float Vector __attribute__((vector_size(32), aligned(1), may_alias));
          for (int64_t i = begin; i < end; i += 32) {
            *reinterpret_cast<Vector *>(a.to + i) = *reinterpret_cast<const Vector *>(a.from + i);
            // Keeps the loop from becoming a call of the library's copy.
            asm volatile("" ::: "memory");
          }
        },
        &arguments, int64_t(from.size()), 1 << 20);
  }
  int64_t moved() const { return 2 * int64_t(from.size()); }

private:
  std::vector<char> from, to;
};

/// One kernel: what it is called with and the bytes that it cannot avoid to read and write.
struct Case {
  std::string name, function;
  std::vector<Argument> arguments;
  int64_t bytes;
};

class Inputs {
public:
  Tensor normal(const Shape &shape) {
    Tensor tensor = Tensor::empty(shape, DType::f32);
    std::normal_distribution<float> draw;
    for (float &x : tensor.values<float>())
      x = draw(engine);
    return tensor;
  }
  Tensor labels(int64_t count, int64_t bound) {
    Tensor tensor = Tensor::empty({count}, DType::i32);
    for (int32_t &x : tensor.values<int32_t>())
      x = int32_t(engine() % uint64_t(bound));
    return tensor;
  }

private:
  std::mt19937 engine{1};
};

std::vector<Case> cases(int64_t m, int64_t n) {
  Inputs inputs;
  Tensor x = inputs.normal({m, n}), y = inputs.normal({m, n}), gain = inputs.normal({n}),
         bias = inputs.normal({n});
  Tensor labels = inputs.labels(m, n);
  Struct state;
  state.add("m", inputs.normal({m, n}));
  state.add("v", Tensor::full({m, n}, 0.5f, DType::f32));
  state.add("step", Tensor::scalar(int32_t(3)));
  const int64_t one = m * n * 4;
  return {{"rms_norm", "rms", {x, gain}, 2 * one},
          {"layer_norm", "layer", {x, gain, bias}, 2 * one},
          {"softmax", "soft", {x}, 2 * one},
          {"cross_entropy", "entropy", {x, labels}, one},
          {"cross_entropy gradient", "entropy_grad", {x, labels}, 2 * one},
          {"rms_norm gradient", "rms_grad", {x, gain, y}, 3 * one},
          {"layer_norm gradient", "layer_grad", {x, gain, bias, y}, 3 * one},
          {"softmax gradient", "soft_grad", {x, y}, 3 * one},
          {"silu(x) * y", "gated", {x, y}, 3 * one},
          {"sparsek, k = 64", "projected", {x}, 2 * one},
          {"top_k, k = 64", "largest", {x}, one + m * 64 * 8},
          {"AdamW", "optimiser", {x, y, state, 1e-3f}, 7 * one}};
}

int run(const Options &options) {
  // Results keep their pages from call to call, as in a training loop; else the system's clearing of pages is
  // measured.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 2000 << 20);
  const int64_t m = options.shape[0], n = options.shape[1];
  Program program = Program::load(options.program);
  Copy copy(m * n * 4);
  if (!options.json)
    std::printf("f32[%ld, %ld]; GB/s as median and best of %d rounds; ratio to the faster copy\n%-24s %3s  "
                "%7s %7s  %7s %7s  %6s %6s\n",
                long(m), long(n), options.rounds, "kernel", "thr", "ours", "best", "copy", "best", "ratio",
                "best");
  for (const Case &c : cases(m, n)) {
    if (c.name.find(options.filter) == std::string::npos)
      continue;
    Function function = program.function(c.function, {.cpu = options.cpu});
    function.specialise(c.arguments);
    for (int threads : options.threads) {
      check(heddle_set_num_threads(threads));
      Times ours, loop, library;
      for (int round = 0; round <= options.rounds; ++round) {
        if (round == 1) // the first one touches the memory
          ours = loop = library = {};
        ours.measure([&] { function(c.arguments); });
        loop.measure([&] { copy.run(false); });
        library.measure([&] { copy.run(true); });
      }
      const double bytes = double(c.bytes), moved = double(copy.moved());
      const double median = bytes / ours.median() * 1e-9, best = bytes / ours.best() * 1e-9;
      const double peer = moved / std::min(loop.median(), library.median()) * 1e-9;
      const double peerBest = moved / std::min(loop.best(), library.best()) * 1e-9;
      if (options.json) {
        nlohmann::ordered_json line = {{"kernel", c.name},
                                       {"shape", options.shape},
                                       {"threads", threads},
                                       {"bytes", c.bytes},
                                       {"gbs_median", median},
                                       {"gbs_best", best},
                                       {"peer", "copy"},
                                       {"loop_copy_best", moved / loop.best() * 1e-9},
                                       {"memcpy_best", moved / library.best() * 1e-9},
                                       {"peer_median", peer},
                                       {"peer_best", peerBest},
                                       {"ratio_median", median / peer},
                                       {"ratio_best", best / peerBest},
                                       {"compile_ms", function.stats().compileSeconds * 1e3}};
        std::printf("%s\n", line.dump().c_str());
      } else {
        std::printf("%-24s %3d  %7.1f %7.1f  %7.1f %7.1f  %6.2f %6.2f\n", c.name.c_str(), threads, median,
                    best, peer, peerBest, median / peer, best / peerBest);
      }
      std::fflush(stdout);
    }
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Row-wise kernels against copying the same bytes.");
  Options options;
  app.add_option("--program", options.program, "the functions to measure")->capture_default_str();
  app.add_option("--threads", options.threads, "numbers of threads")->delimiter(',')->capture_default_str();
  app.add_option("--shape", options.shape, "rows and columns")
      ->expected(2)
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "measurements of each kernel")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--filter", options.filter, "only kernels whose name holds this text");
  app.add_option("--cpu", options.cpu, "as in `heddle run --cpu`")->capture_default_str();
  app.add_flag("--processor-time", processorTime, "measure processor time; use with one thread");
  app.add_flag("--json", options.json, "one JSON object per measurement");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
