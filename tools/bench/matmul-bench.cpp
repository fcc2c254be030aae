// heddle-bench-matmul: generated matrix products against OpenBLAS, interleaved in one process.
#include "tools/bench/matmul-jit.h"
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <heddle/runtime.h>
#include <random>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace heddle::cpu;
using heddle::bench::CompiledMatmul;

namespace {

constexpr const char *elementNames[] = {"f64", "f32", "bf16", "f16"}; // in the order of MatmulElement

struct Options {
  std::vector<std::array<int64_t, 4>> shapes; // batch, m, n, k
  std::vector<int> threads = {1, 2};
  MatmulElement element = MatmulElement::F32;
  bool transposeA = false, transposeB = false, json = false, peer = true;
  int rounds = 15;
  int level = 0;                                                    // 0: this machine
  int64_t tileRows = 0, tileVectors = 0, kBlock = 0, rowPanels = 0; // 0: the planner's choice
  std::string dump, peerCore;
};

[[noreturn]] void usage(const std::string &problem) {
  if (!problem.empty())
    std::fprintf(stderr, "error: %s\n", problem.c_str());
  std::fprintf(
      problem.empty() ? stdout : stderr,
      "usage: heddle-bench-matmul [options] [BATCHx]MxNxK...\n"
      "  --threads LIST    numbers of threads, separated by commas (1,2)\n"
      "  --element NAME    f32, f64, bf16 or f16 (f32); the peer computes narrow ones in f32\n"
      "  --ta --tb         store A as k x m, B as n x k\n"
      "  --rounds N        rounds, each measuring the peak, ours and the peer (15)\n"
      "  --level N         generate for x86-64-vN instead of this machine\n"
      "  --peer-core NAME  OpenBLAS kernels for a processor such as Haswell, instead of this machine's\n"
      "  --no-peer         do not load OpenBLAS\n"
      "  --json            one JSON object per measurement\n"
      "  --dump PREFIX     write PREFIX.mlir, PREFIX.ll and PREFIX.s\n"
      "  --tile RxV        rows and vectors of a register tile, instead of the planner's choice\n"
      "  --kblock N        most k steps of one pass over C\n"
      "  --panels N        most row panels of a task\n");
  std::exit(problem.empty() ? 0 : 2);
}

std::array<int64_t, 4> parseShape(const std::string &text) {
  std::vector<int64_t> sizes;
  const char *at = text.c_str();
  while (true) {
    char *end = nullptr;
    long long value = std::strtoll(at, &end, 10);
    if (end == at || value < 1)
      usage("'" + text + "' is not a shape such as 512x512x512");
    sizes.push_back(value);
    if (*end == '\0')
      break;
    if (*end != 'x')
      usage("'" + text + "' is not a shape such as 512x512x512");
    at = end + 1;
  }
  if (sizes.size() == 3)
    sizes.insert(sizes.begin(), 1);
  if (sizes.size() != 4)
    usage("'" + text + "' has " + std::to_string(sizes.size()) + " sizes: give MxNxK or BATCHxMxNxK");
  return {sizes[0], sizes[1], sizes[2], sizes[3]};
}

Options parse(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string arg = argv[i];
    auto value = [&]() -> std::string {
      if (i + 1 == argc)
        usage(arg + " needs a value");
      return argv[++i];
    };
    if (arg == "--help")
      usage("");
    else if (arg == "--threads") {
      options.threads.clear();
      std::string list = value();
      for (char *part = std::strtok(list.data(), ","); part; part = std::strtok(nullptr, ","))
        options.threads.push_back(std::atoi(part));
    } else if (arg == "--element") {
      std::string name = value();
      auto known = std::find(std::begin(elementNames), std::end(elementNames), name);
      if (known == std::end(elementNames))
        usage("--element is f64, f32, bf16 or f16, not '" + name + "'");
      options.element = MatmulElement(known - std::begin(elementNames));
    } else if (arg == "--ta")
      options.transposeA = true;
    else if (arg == "--tb")
      options.transposeB = true;
    else if (arg == "--rounds")
      options.rounds = std::max(1, std::atoi(value().c_str()));
    else if (arg == "--level")
      options.level = std::atoi(value().c_str());
    else if (arg == "--peer-core")
      options.peerCore = value();
    else if (arg == "--no-peer")
      options.peer = false;
    else if (arg == "--json")
      options.json = true;
    else if (arg == "--dump")
      options.dump = value();
    else if (arg == "--kblock")
      options.kBlock = std::atoll(value().c_str());
    else if (arg == "--tile") {
      std::string tile = value();
      if (std::sscanf(tile.c_str(), "%ldx%ld", &options.tileRows, &options.tileVectors) != 2)
        usage("--tile takes rows and vectors such as 14x2, not '" + tile + "'");
    } else if (arg == "--panels")
      options.rowPanels = std::atoll(value().c_str());
    else if (arg.rfind("--", 0) == 0)
      usage("unknown option '" + arg + "'");
    else
      options.shapes.push_back(parseShape(arg));
  }
  if (options.shapes.empty())
    options.shapes = {{1, 512, 512, 512}, {1, 1024, 1024, 1024}, {1, 4096, 768, 768}};
  return options;
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Worker threads of both libraries spin for a while after a parallel region: let them fall asleep.
void settle(int threads) { std::this_thread::sleep_for(std::chrono::milliseconds(threads > 1 ? 260 : 2)); }

struct Peer {
  using Sgemm = void (*)(int, int, int, int, int, int, float, const float *, int, const float *, int, float,
                         float *, int);
  using Dgemm = void (*)(int, int, int, int, int, int, double, const double *, int, const double *, int,
                         double, double *, int);
  Sgemm sgemm = nullptr;
  Dgemm dgemm = nullptr;
  void (*setThreads)(int) = nullptr;
  std::string core = "none";

  Peer(bool wanted, const std::string &wantedCore) {
    if (!wanted)
      return;
    // The peer chooses its kernels by itself, unless the user names them.
    unsetenv("OPENBLAS_CORETYPE");
    if (!wantedCore.empty())
      setenv("OPENBLAS_CORETYPE", wantedCore.c_str(), 1);
    unsetenv("OPENBLAS_L2_SIZE");
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    if (!library) {
      std::fprintf(stderr, "note: no comparison: %s\n", dlerror());
      return;
    }
    sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
    dgemm = reinterpret_cast<Dgemm>(dlsym(library, "cblas_dgemm"));
    setThreads = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"));
    if (auto name = reinterpret_cast<char *(*)()>(dlsym(library, "openblas_get_corename")))
      core = name();
  }
  explicit operator bool() const { return sgemm != nullptr; }
};

// Where OpenBLAS takes a processor that is newer than itself for one of 2004, the kernels that would be a
// peer; else "".
std::string coreInsteadOf(const std::string &chosen) {
  if (chosen != "Prescott" && chosen != "Generic")
    return "";
  return __builtin_cpu_supports("avx512f") ? "SkylakeX" : __builtin_cpu_supports("avx2") ? "Haswell" : "";
}

struct Sample {
  std::vector<double> rates;
  void add(double rate) { rates.push_back(rate); }
  double best() const { return rates.empty() ? 0 : *std::max_element(rates.begin(), rates.end()); }
  double median() const {
    if (rates.empty())
      return 0;
    std::vector<double> sorted = rates;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

// A bf16 that holds what fits it exactly.
struct Bfloat16 {
  uint16_t bits = 0;
  Bfloat16() = default;
  explicit Bfloat16(float value) : bits(uint16_t(std::bit_cast<uint32_t>(value) >> 16)) {}
  explicit operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};

// One shape: S is the element as our product stores it, T the type in which the peer computes.
template <typename S, typename T>
class Measurement {
public:
  Measurement(const Options &options, std::array<int64_t, 4> shape, const MatmulTarget &target,
              const Peer &peer)
      : options(options), batch(shape[0]), m(shape[1]), n(shape[2]), k(shape[3]), peer(peer),
        spec(MatmulSpec::contiguous(batch, m, n, k, options.element, options.transposeA, options.transposeB)),
        product(compile(target)), a(batch * m * k), b(batch * k * n), c(batch * m * n), peerA(a.size()),
        peerB(b.size()), expected(c.size()) {
    // Multiples of 1/128 in [-1, 1] are exact in every element type.
    std::mt19937 random(1);
    std::uniform_int_distribution<int> uniform(-128, 128);
    auto fill = [&](std::vector<S> &ours, std::vector<T> &theirs) {
      for (size_t i = 0; i < ours.size(); ++i) {
        theirs[i] = T(uniform(random)) / 128;
        ours[i] = S(theirs[i]);
      }
    };
    fill(a, peerA);
    fill(b, peerB);
  }

  void run(int threads, const std::function<double()> &peak) {
    heddle_set_num_threads(threads);
    if (peer)
      peer.setThreads(threads);
    Sample ours, theirs, ratio, limit;
    double flops = 2.0 * double(batch) * double(m) * double(n) * double(k);
    int repeat = std::max(1, int(2e8 / flops));
    double error = 0;
    for (int round = -1; round < options.rounds; ++round) {
      settle(threads);
      double peakRate = measurePeak(threads, peak);
      settle(threads);
      double oursRate = rate(flops, repeat, [&] { product.run(a.data(), b.data(), c.data()); });
      double theirsRate = 0;
      if (peer) {
        settle(threads);
        theirsRate = rate(flops, repeat, [&] { runPeer(); });
        if (round < 0)
          error = difference();
      }
      if (round < 0)
        continue;
      limit.add(peakRate);
      ours.add(oursRate);
      theirs.add(theirsRate);
      if (peer)
        ratio.add(oursRate / theirsRate);
    }
    if (peer && !(error < (sizeof(S) == 2 ? 1e-2 : 1e-4)))
      throw std::runtime_error("the result differs from the peer's by " + std::to_string(error));
    report(threads, ours, theirs, ratio, limit);
  }

private:
  CompiledMatmul compile(const MatmulTarget &target) {
    MatmulPlan plan = planMatmul(spec, target);
    heddle::bench::CompileOptions compileOptions;
    compileOptions.keepText = !options.dump.empty();
    compileOptions.target.level = options.level;
    CompiledMatmul result(plan, compileOptions);
    auto write = [&](const char *extension, const std::string &text) {
      if (FILE *file = std::fopen((options.dump + extension).c_str(), "w")) {
        std::fwrite(text.data(), 1, text.size(), file);
        std::fclose(file);
      }
    };
    if (!options.dump.empty()) {
      write(".mlir", result.mlir());
      write(".ll", result.llvmIr());
      write(".s", result.assembly());
    }
    return result;
  }

  template <typename F>
  double rate(double flops, int repeat, F &&body) {
    double best = 0;
    for (int attempt = 0; attempt < 3; ++attempt) {
      double start = seconds();
      for (int i = 0; i < repeat; ++i)
        body();
      best = std::max(best, flops * repeat / (seconds() - start) * 1e-9);
    }
    return best;
  }

  static double measurePeak(int threads, const std::function<double()> &peak) {
    struct Shared {
      const std::function<double()> &peak;
      std::vector<double> flops;
    } shared{peak, std::vector<double>(threads)};
    double best = 0;
    for (int attempt = 0; attempt < 2; ++attempt) {
      double start = seconds();
      heddle_parallel_for(
          [](void *args, int64_t begin, int64_t end) {
            auto &s = *static_cast<Shared *>(args);
            for (int64_t i = begin; i < end; ++i)
              s.flops[i] = s.peak();
          },
          &shared, threads, 1);
      double elapsed = seconds() - start, total = 0;
      for (double f : shared.flops)
        total += f;
      best = std::max(best, total / elapsed * 1e-9);
    }
    return best;
  }

  void runPeer() {
    constexpr int rowMajor = 101, plain = 111, transposed = 112;
    int lda = options.transposeA ? m : k, ldb = options.transposeB ? k : n;
    int ta = options.transposeA ? transposed : plain, tb = options.transposeB ? transposed : plain;
    for (int64_t i = 0; i < batch; ++i) {
      const T *ai = peerA.data() + i * m * k, *bi = peerB.data() + i * k * n;
      T *ci = expected.data() + i * m * n;
      if constexpr (std::is_same_v<T, float>)
        peer.sgemm(rowMajor, ta, tb, m, n, k, 1, ai, lda, bi, ldb, 0, ci, n);
      else
        peer.dgemm(rowMajor, ta, tb, m, n, k, 1, ai, lda, bi, ldb, 0, ci, n);
    }
  }

  // The largest difference, relative to the size of a sum of k products.
  double difference() const {
    double largest = 0;
    for (size_t i = 0; i < c.size(); ++i) {
      double d = std::abs(double(T(c[i])) - double(expected[i])) / std::sqrt(double(k));
      if (!(d <= largest))
        largest = d;
    }
    return largest;
  }

  void report(int threads, const Sample &ours, const Sample &theirs, const Sample &ratio,
              const Sample &limit) {
    std::string text = batch > 1 ? std::to_string(batch) + "x" : "";
    text += std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    const char *shape = text.c_str();
    const MatmulPlan &plan = product.plan();
    double peak = limit.best();
    if (options.json) {
      std::printf(
          "{\"shape\": \"%s\", \"element\": \"%s\", \"transpose_a\": %s, \"transpose_b\": %s, "
          "\"threads\": %d, \"gflops_median\": %.2f, \"gflops_best\": %.2f, \"peer\": \"OpenBLAS %s\", "
          "\"peer_median\": %.2f, \"peer_best\": %.2f, \"ratio_median\": %.3f, \"ratio_best\": %.3f, "
          "\"peak\": %.2f, \"share_of_peak\": %.3f, \"emit_ms\": %.1f, \"compile_ms\": %.1f}\n",
          shape, elementNames[int(options.element)], options.transposeA ? "true" : "false",
          options.transposeB ? "true" : "false", threads, ours.median(), ours.best(), peer.core.c_str(),
          theirs.median(), theirs.best(), ratio.median(), peer ? ours.best() / theirs.best() : 0, peak,
          ours.best() / peak, product.emitMilliseconds(), product.compileMilliseconds());
      return;
    }
    std::printf("%-20s %3d  %7.1f %7.1f  %7.1f %7.1f  %6.2f %6.2f  %7.1f %5.0f%%  %2ldx%-2ld kc %-5ld %3ld "
                "tasks  %4.0f ms\n",
                shape, threads, ours.median(), ours.best(), theirs.median(), theirs.best(), ratio.median(),
                peer ? ours.best() / theirs.best() : 0, peak, 100 * ours.best() / peak, long(plan.tileRows),
                long(plan.tileVectors * plan.lanes), long(plan.kBlock), long(plan.phases.back().count),
                product.emitMilliseconds() + product.compileMilliseconds());
    std::fflush(stdout);
  }

  const Options &options;
  int64_t batch, m, n, k;
  const Peer &peer;
  MatmulSpec spec;
  CompiledMatmul product;
  std::vector<S> a, b, c;
  std::vector<T> peerA, peerB, expected;
};

} // namespace

int main(int argc, char **argv) {
  Options options = parse(argc, argv);
  try {
    MatmulTarget target = MatmulTarget::of(options.level);
    target.tileRows = options.tileRows;
    target.tileVectors = options.tileVectors;
    target.kBlock = options.kBlock;
    target.rowPanels = options.rowPanels;
    Peer peer(options.peer, options.peerCore);
    // OpenBLAS chooses once, when it is loaded: begin again.
    if (std::string better = coreInsteadOf(peer.core); options.peerCore.empty() && !better.empty()) {
      std::vector<char *> again(argv, argv + argc);
      std::string option = "--peer-core";
      again.insert(again.end(), {option.data(), better.data(), nullptr});
      execv("/proc/self/exe", again.data());
    }
    auto peak = heddle::bench::compilePeak(
        target, options.element == MatmulElement::F64 ? MatmulElement::F64 : MatmulElement::F32);
    if (!options.json) {
      std::printf("peer: OpenBLAS for %s; GFLOP/s as median and best of %d rounds; ratio ours / peer\n",
                  peer.core.c_str(), options.rounds);
      std::printf("%-20s %3s  %7s %7s  %7s %7s  %6s %6s  %7s %6s  plan\n", "[batch x] m x n x k", "thr",
                  "ours", "best", "peer", "best", "ratio", "best", "peak", "share");
    }
    for (const auto &shape : options.shapes)
      for (int threads : options.threads) {
        switch (options.element) {
        case MatmulElement::F64:
          Measurement<double, double>(options, shape, target, peer).run(threads, peak);
          break;
        case MatmulElement::F32:
          Measurement<float, float>(options, shape, target, peer).run(threads, peak);
          break;
        case MatmulElement::BF16:
          Measurement<Bfloat16, float>(options, shape, target, peer).run(threads, peak);
          break;
        case MatmulElement::F16:
          Measurement<_Float16, float>(options, shape, target, peer).run(threads, peak);
          break;
        }
      }
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
