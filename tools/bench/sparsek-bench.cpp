// Measures SPARSEK attention on this machine: forward and backward passes, selection, and the share of the
// FMA peak that is measured between them.
#include "tools/bench/matmul-jit.h"
#include "tools/bench/sparsek-jit.h"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <heddle/cpu_sparsek.h>
#include <nlohmann/json.hpp>
#include <random>
#include <sys/resource.h>

using namespace heddle;
using bench::AttentionBuffers;
using bench::CompiledAttention;
using A = cpu::AttentionArgument;

namespace {

bool processorTime =
    false; ///< measure the process's time on the processors: for one thread on a busy machine

double seconds() {
  timespec now{};
  clock_gettime(processorTime ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

struct Options {
  cpu::AttentionSpec spec;
  std::string gate = "both";
  int threads = 0, rounds = 7, level = 0;
  double spread = 1;
  bool forwardOnly = false, json = false, stepwise = false;
  std::string assembly;
};

/// Resident memory in MB: `VmRSS` now, `VmHWM` at most since the last reset.
double residentMemory(const std::string &key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(key + ":", 0) == 0)
      return std::stod(line.substr(key.size() + 1)) * 1.024e-3;
  return 0;
}

/// FLOP/s of independent multiply-adds on all threads at once.
double measurePeak(const std::function<double()> &peak, int threads) {
  struct State {
    const std::function<double()> &peak;
    std::vector<double> flops;
  } state{peak, std::vector<double>(size_t(threads))};
  double start = seconds();
  heddle_parallel_for(
      [](void *args, int64_t begin, int64_t) {
        auto *state = static_cast<State *>(args);
        state->flops[size_t(begin)] = state->peak();
      },
      &state, threads, 1);
  double total = 0;
  for (double flops : state.flops)
    total += flops;
  return total / (seconds() - start);
}

int run(const Options &options) {
  const cpu::AttentionSpec &s = options.spec;
  if (heddle_set_num_threads(options.threads) != HEDDLE_OK) {
    std::fprintf(stderr, "error: %s\n", heddle_last_error());
    return 1;
  }
  const int threads = heddle_num_threads();
  const cpu::MatmulTarget target = cpu::MatmulTarget::of(options.level);

  const int64_t queries = s.batch * s.queryHeads * s.length, keys = s.rows() * s.length;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  auto values = [&](int64_t size, double spread) {
    std::vector<float> x(static_cast<size_t>(size));
    for (float &y : x)
      y = float(spread) * normal(random);
    return x;
  };
  auto q = values(queries * s.keyWidth, 1), k = values(keys * s.keyWidth, 1),
       v = values(keys * s.valueWidth, 1);
  auto dout = values(queries * s.valueWidth, 1), u = values(keys, options.spread);
  std::vector<float> hi(u.size()), lo(u.size()), o(dout.size()), lse(static_cast<size_t>(queries)),
      dq(q.size()), dk(k.size()), dv(v.size()), du(u.size()), dtau(u.size());
  std::vector<int32_t> end(u.size()), count(u.size());
  AttentionBuffers buffers;
  buffers[A::Q] = q.data(), buffers[A::K] = k.data(), buffers[A::V] = v.data(), buffers[A::U] = u.data();
  buffers[A::Hi] = hi.data(), buffers[A::Lo] = lo.data(), buffers[A::End] = end.data(),
  buffers[A::O] = o.data();
  buffers[A::Lse] = lse.data(), buffers[A::DOut] = dout.data(), buffers[A::DQ] = dq.data(),
  buffers[A::DK] = dk.data();
  buffers[A::DV] = dv.data(), buffers[A::DU] = du.data(), buffers[A::DTau] = dtau.data();

  auto select = [&] {
    heddle_cpu_sparsek_threshold_f32(u.data(), s.rows(), s.length, s.topk, s.window, nullptr, hi.data(),
                                     lo.data(), count.data(), end.data());
  };
  // The first call takes its working memory from the system; nothing larger was there before.
  std::ofstream("/proc/self/clear_refs") << "5"; // resets VmHWM
  const double residentBefore = residentMemory("VmRSS");
  select();
  const double workingMemory = std::max(0.0, residentMemory("VmHWM") - residentBefore);

  bench::AttentionOptions compileOptions;
  compileOptions.target.level = options.level;
  compileOptions.keepAssembly = !options.assembly.empty();
  CompiledAttention forward(CompiledAttention::Pass::Forward, s, compileOptions);
  std::optional<CompiledAttention> backward;
  if (!options.forwardOnly)
    backward.emplace(CompiledAttention::Pass::Backward, s, compileOptions);
  if (!options.assembly.empty())
    std::ofstream(options.assembly) << forward.assembly() << (backward ? backward->assembly() : "");
  auto peak = bench::compilePeak(target, cpu::MatmulElement::F32);

  std::vector<double> selectTimes, forwardTimes, backwardTimes, peaks;
  for (int round = 0; round <= options.rounds; ++round) {
    if (options.stepwise) {
      std::printf("next\n");
      std::fflush(stdout);
      if (std::getchar() == EOF)
        return 1;
    }
    double flops = measurePeak(peak, threads);
    double start = seconds();
    select();
    double selected = seconds();
    forward.run(buffers);
    double forwardDone = seconds();
    if (backward)
      backward->run(buffers);
    double done = seconds();
    if (round == 0)
      continue; // touches the memory
    peaks.push_back(flops);
    selectTimes.push_back(selected - start);
    forwardTimes.push_back(forwardDone - selected);
    backwardTimes.push_back(done - forwardDone);
  }
  // Useful work: two products of the attended pairs forward, five backward; masked pairs do not count.
  double pairs = 0;
  for (int64_t i = 0; i < s.length; ++i)
    pairs += double(std::min(i + 1, s.window) + std::clamp<int64_t>(i - s.window + 1, 0, s.topk));
  pairs *= double(s.batch * s.queryHeads);
  const double forwardFlops = 2 * pairs * double(s.keyWidth + s.valueWidth);
  const double backwardFlops = 2 * pairs * double(3 * s.keyWidth + 2 * s.valueWidth);
  const double top = median(peaks);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double operandMemory = double(u.size() * 5 * 4) * 1e-6;
  const double compile = forward.compileMilliseconds() + (backward ? backward->compileMilliseconds() : 0);
  if (options.json) {
    nlohmann::ordered_json result = {
        {"batch", s.batch},   {"query_heads", s.queryHeads}, {"heads", s.heads},
        {"length", s.length}, {"key_width", s.keyWidth},     {"value_width", s.valueWidth},
        {"topk", s.topk},     {"window", s.window},          {"gate", options.gate},
        {"threads", threads}, {"peer", "multiply-add peak"}, {"peak_gflops", top * 1e-9}};
    auto add = [&](const char *name, const std::vector<double> &times, double flops) {
      const double t = median(times), low = *std::min_element(times.begin(), times.end());
      result[name] = {{"ms_median", t * 1e3}, {"ms_best", low * 1e3}};
      if (flops > 0)
        result[name].update(
            {{"gflops_best", flops / low * 1e-9},
             {"share_of_peak_median", flops / t / top},
             {"share_of_peak_best", flops / low / *std::max_element(peaks.begin(), peaks.end())}});
    };
    add("selection", selectTimes, 0);
    result["selection"].update({{"share_of_forward", median(selectTimes) / median(forwardTimes)},
                                {"operands_mb", operandMemory},
                                {"working_memory_mb", workingMemory}});
    add("forward", forwardTimes, forwardFlops);
    if (backward)
      add("backward", backwardTimes, backwardFlops);
    result["compile_ms"] = compile;
    result["peak_memory_mb"] = double(usage.ru_maxrss) * 1e-3;
    std::printf("%s\n", result.dump().c_str());
    return 0;
  }
  std::printf(
      "batch %ld, heads %ld/%ld, n %ld, widths %ld/%ld, topk %ld, window %ld, gate %s; %d threads, %ld-bit "
      "vectors, peak %.0f GFLOP/s\n",
      long(s.batch), long(s.queryHeads), long(s.heads), long(s.length), long(s.keyWidth), long(s.valueWidth),
      long(s.topk), long(s.window), options.gate.c_str(), threads, long(target.vectorBits), top * 1e-9);
  auto line = [&](const char *name, const std::vector<double> &times, double flops) {
    const double t = median(times), low = *std::min_element(times.begin(), times.end());
    std::printf("  %-10s %9.2f ms (best %.2f)", name, t * 1e3, low * 1e3);
    if (flops > 0)
      std::printf("  %7.1f GFLOP/s  %5.1f %% of peak", flops / t * 1e-9, 100 * flops / t / top);
    std::printf("\n");
  };
  line("selection", selectTimes, 0);
  std::printf("             %.1f %% of the forward pass, %.1f MB of operands, %.1f MB of working memory\n",
              100 * median(selectTimes) / median(forwardTimes), operandMemory, workingMemory);
  line("forward", forwardTimes, forwardFlops);
  if (backward)
    line("backward", backwardTimes, backwardFlops);
  std::printf("  compiled in %.0f ms%s, workspaces %.1f and %.1f MB, peak memory %.0f MB\n", compile,
              backward ? " (both)" : "", double(forward.program().workspaceBytes) * 1e-6,
              backward ? double(backward->program().workspaceBytes) * 1e-6 : 0,
              double(usage.ru_maxrss) * 1e-3);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Measures SPARSEK attention on this machine.");
  Options options;
  cpu::AttentionSpec &s = options.spec;
  s.queryHeads = s.heads = 8;
  s.length = 16384;
  s.keyWidth = s.valueWidth = 64;
  s.topk = s.window = 256;
  app.add_option("--batch", s.batch)->check(CLI::PositiveNumber);
  app.add_option("--query-heads", s.queryHeads)->check(CLI::PositiveNumber);
  app.add_option("--heads", s.heads, "key-value heads; divides the query heads")->check(CLI::PositiveNumber);
  app.add_option("--length", s.length)->check(CLI::PositiveNumber);
  app.add_option("--key-width", s.keyWidth)->check(CLI::PositiveNumber);
  app.add_option("--value-width", s.valueWidth)->check(CLI::PositiveNumber);
  app.add_option("--topk", s.topk)->check(CLI::NonNegativeNumber);
  app.add_option("--window", s.window)->check(CLI::NonNegativeNumber);
  app.add_option("--gate", options.gate)->check(CLI::IsMember({"both", "value", "none"}));
  app.add_option("--spread", options.spread, "standard deviation of the scores");
  app.add_option("--threads", options.threads, "0: all");
  app.add_option("--rounds", options.rounds)->check(CLI::PositiveNumber);
  app.add_option("--level", options.level, "x86-64 level of the code; 0: this machine's")
      ->check(CLI::IsMember({0, 2, 3, 4}));
  app.add_flag("--forward-only", options.forwardOnly);
  app.add_flag("--processor-time", processorTime, "measure processor time; use with one thread");
  app.add_flag("--json", options.json, "one JSON object");
  app.add_flag("--stepwise", options.stepwise,
               "before each round write 'next' and wait for a line: for a peer measured in turns");
  app.add_option("--assembly", options.assembly, "write the kernels' assembly to a file");
  CLI11_PARSE(app, argc, argv);
  if (s.queryHeads % s.heads || s.topk + s.window == 0) {
    std::fprintf(stderr, "error: %ld query heads, %ld heads, topk %ld, window %ld do not fit together\n",
                 long(s.queryHeads), long(s.heads), long(s.topk), long(s.window));
    return 2;
  }
  s.scale = 1 / std::sqrt(double(s.keyWidth));
  s.gate = options.gate == "both"    ? cpu::AttentionGate::Both
           : options.gate == "value" ? cpu::AttentionGate::Value
                                     : cpu::AttentionGate::None;
  try {
    return run(options);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
