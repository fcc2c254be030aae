// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Caches on a device against those of the CPU: prompts and further tokens, one family of scores a head.

#include "tests/unit/sparsek/CacheCase.h"
#include "tests/unit/sparsek/ScoreFamilies.h"

#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "tests/support/ProgramRun.h"

using namespace heddle::tests;
using namespace heddle::test;

namespace {

std::string tensor(std::initializer_list<int64_t> shape, const std::string &element) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element + ">";
}

template <heddle_dtype_t Element>
struct CacheTypes {
  std::string q, k, v, u, lengths, keys, values, score, key, live, count, hi, position, options, scale, o;

  CacheTypes(const CacheSizes &s, int64_t tokens) {
    const std::string element = heddle_dtype_name(Element), high = Element == HEDDLE_F64 ? "f64" : "f32";
    const int64_t b = s.batch, h = s.heads, slots = s.topk + s.window;
    q = tensor({b, s.queryHeads, tokens, s.width}, element);
    o = tensor({b, s.queryHeads, tokens, s.valueWidth}, element);
    k = tensor({b, h, tokens, s.width}, element);
    v = tensor({b, h, tokens, s.valueWidth}, element);
    u = tensor({b, h, tokens}, high);
    lengths = position = options = tensor({b}, "i32");
    scale = tensor({b}, "f64");
    keys = tensor({b, h, slots, s.width}, element);
    values = tensor({b, h, slots, s.valueWidth}, element);
    score = tensor({b, h, slots}, high);
    key = tensor({b, h, slots}, "i32");
    live = tensor({b, h, s.capacity}, high);
    count = tensor({b, h}, "i32");
    hi = tensor({b, h}, high);
  }
  std::string state() const {
    return keys + ", " + values + ", " + score + ", " + key + ", " + live + ", " + count + ", " + hi + ", " +
           hi + ", " + position;
  }
};

/// A cache on the device beside one of the CPU.
template <heddle_dtype_t Element>
struct DeviceCache {
  using G = Generation<Element>;
  using T = typename G::T;
  using Score = typename G::Score;

  DeviceCache(DeviceHarness &device, const G &g) : device(device) {
    state = {device.put(g.keys), device.put(g.values), device.put(g.score),
             device.put(g.key),  device.put(g.live),   device.put(g.count),
             device.put(g.hi),   device.put(g.lo),     device.put(g.position)};
  }

  /// The cache is that of the CPU, but for what neither has written and the rounding of lo.
  void compare(const G &g) {
    CHECK(device.get<int32_t>(state[8]) == g.position);
    CHECK(device.get<int32_t>(state[5]) == g.count);
    CHECK(sameBits(device.get<Score>(state[6]), g.hi));
    const auto lo = device.get<Score>(state[7]);
    for (size_t i = 0; i < lo.size(); ++i)
      CHECK(std::abs(double(lo[i]) - double(g.lo[i])) <=
            double(std::numeric_limits<Score>::epsilon()) * std::abs(double(g.lo[i])) + 4e-15);
    CHECK(sameBits(device.get<T>(state[0]), g.keys));
    CHECK(sameBits(device.get<T>(state[1]), g.values));
    CHECK(sameBits(device.get<Score>(state[2]), g.score));
    CHECK(device.get<int32_t>(state[3]) == g.key);
    // After the live scores there is 0 as soon as there was anything else.
    const auto live = device.get<Score>(state[4]);
    bool same = true;
    for (size_t head = 0; head < g.count.size(); ++head)
      for (int32_t i = 0; i < g.count[head]; ++i)
        same &=
            live[head * size_t(g.s.capacity) + size_t(i)] == g.live[head * size_t(g.s.capacity) + size_t(i)];
    CHECK(same);
  }

  template <typename X>
  static bool sameBits(const std::vector<X> &a, const std::vector<X> &b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(X)) == 0;
  }

  DeviceHarness &device;
  std::vector<DeviceBuffer> state;
};

template <heddle_dtype_t Element>
std::unique_ptr<ProgramRun> fillProgram(DeviceHarness &device, const CacheSizes &s, int64_t tokens) {
  const CacheTypes<Element> t(s, tokens);
  auto run = std::make_unique<ProgramRun>(
      device,
      "%r:9 = sparsek.fill_cache %k, %v, %u, %n topk " + std::to_string(s.topk) + " window " +
          std::to_string(s.window) + " capacity " + std::to_string(s.capacity) + " : (" + t.k + ", " + t.v +
          ", " + t.u + ", " + t.lengths + ") -> (" + t.state() + ")",
      "%k: " + t.k + ", %v: " + t.v + ", %u: " + t.u + ", %n: " + t.lengths);
  run->emit(heddle::gpu::emitSelection, "fill");
  return run;
}

template <heddle_dtype_t Element>
std::unique_ptr<ProgramRun> appendProgram(DeviceHarness &device, const CacheSizes &s, int64_t tokens) {
  const CacheTypes<Element> t(s, tokens);
  const std::string types = t.q + ", " + t.k + ", " + t.v + ", " + t.u + ", " + t.lengths + ", " + t.state() +
                            ", " + t.scale + ", " + t.options + ", " + t.options;
  const char *names[] = {"q",    "k",     "v",  "u",  "n",        "keys",  "values", "score", "key",
                         "live", "count", "hi", "lo", "position", "scale", "gate",   "hard"};
  const std::string all[] = {t.q,    t.k,     t.v,  t.u,  t.lengths,  t.keys,  t.values,  t.score,  t.key,
                             t.live, t.count, t.hi, t.hi, t.position, t.scale, t.options, t.options};
  std::string arguments;
  for (size_t i = 0; i < 17; ++i)
    arguments += std::string(i ? ", %" : "%") + names[i] + ": " + all[i];
  auto run = std::make_unique<ProgramRun>(device,
                                          "%r:10 = sparsek.append %q, %k, %v, %u, %n onto (%keys, %values, "
                                          "%score, %key, %live, %count, %hi, %lo, "
                                          "%position, %scale, %gate, %hard) topk " +
                                              std::to_string(s.topk) + " window " + std::to_string(s.window) +
                                              " : (" + types + ") -> (" + t.o + ", " + t.state() + ")",
                                          arguments);
  run->emit(heddle::gpu::emitSelection, "append");
  return run;
}

template <heddle_dtype_t Element>
void checkGeneration(const CacheSizes &s, int64_t prompt, int64_t piece, std::vector<int32_t> lengths = {}) {
  INFO(heddle_dtype_name(Element) << ", topk " << s.topk << ", window " << s.window << ", prompt " << prompt
                                  << ", pieces of " << piece);
  using G = Generation<Element>;
  using T = typename G::T;
  G g(s);
  const auto families = scoreFamilies(s.length, 11);
  for (int64_t head = 0; head < s.batch * s.heads; ++head)
    for (int64_t i = 0; i < s.length; ++i)
      g.u[size_t(head * s.length + i)] =
          static_cast<typename G::Score>(families[size_t(head) % families.size()].scores[size_t(i)]);
  g.u[size_t(s.length + prompt / 2)] = NAN; // of the second head
  if (s.batch > 1) {
    g.gate[1] = 1;
    g.hard[1] = 1;
  }
  DeviceHarness device;
  auto fill = fillProgram<Element>(device, s, prompt), append = appendProgram<Element>(device, s, piece);
  DeviceCache<Element> cache(device, g);
  REQUIRE(g.fill(prompt) == HEDDLE_OK);
  CHECK(fill->call({device.put(g.part(g.k, s.width, 0, prompt)),
                    device.put(g.part(g.v, s.valueWidth, 0, prompt)), device.put(g.part(g.u, 1, 0, prompt)),
                    device.put(std::vector<int32_t>(size_t(s.batch), int32_t(prompt)))},
                   cache.state) == "");
  cache.compare(g);
  lengths.resize(size_t(s.batch), lengths.empty() ? int32_t(piece) : 0);
  for (int64_t i = prompt; i + piece <= s.length; i += piece) {
    INFO("token " << i);
    REQUIRE(g.append(i, i + piece, lengths) == HEDDLE_OK);
    DeviceBuffer o = device.fresh<T>(size_t(s.batch * s.queryHeads * piece * s.valueWidth));
    std::vector<DeviceBuffer> operands{device.put(g.part(g.q, s.width, i, i + piece)),
                                       device.put(g.part(g.k, s.width, i, i + piece)),
                                       device.put(g.part(g.v, s.valueWidth, i, i + piece)),
                                       device.put(g.part(g.u, 1, i, i + piece)), device.put(lengths)};
    operands.insert(operands.end(), cache.state.begin(), cache.state.end());
    operands.insert(operands.end(), {device.put(g.scale), device.put(g.gate), device.put(g.hard)});
    std::vector<DeviceBuffer> results{o};
    results.insert(results.end(), cache.state.begin(), cache.state.end());
    CHECK(append->call(operands, results) == "");
    cache.compare(g);
    const auto out = device.get<T>(o), expected = g.part(g.o, s.valueWidth, i, i + piece);
    double worst = 0;
    for (size_t at = 0; at < out.size(); ++at) {
      const double a = double(out[at]), b = double(expected[at]);
      if (!(std::isnan(a) && std::isnan(b)))
        worst = std::max(worst, std::isnan(a) ? INFINITY : std::abs(a - b));
    }
    CHECK(worst <= (sizeof(T) == 2 ? 2e-2 : sizeof(T) == 4 ? 2e-5 : 1e-12));
  }
}

} // namespace

TEST_CASE("prompts and tokens lead to the CPU's cache", "[device]") {
  checkGeneration<HEDDLE_F32>({1, 48, 24, 72, 3, 2, 7, 3, 200}, 60, 3);
  checkGeneration<HEDDLE_F32>({1, 24, 24, 66, 3, 2, 5, 0, 200}, 60, 3);
  checkGeneration<HEDDLE_F32>({1, 24, 24, 12, 3, 2, 40, 2, 200}, 6, 3);
  checkGeneration<HEDDLE_F32>({1, 4, 2, 12, 3, 2, 0, 6, 16}, 6, 3);
  checkGeneration<HEDDLE_F64>({1, 24, 24, 66, 3, 2, 7, 3, 200}, 60, 3);
  checkGeneration<HEDDLE_BF16>({2, 8, 4, 66, 16, 8, 7, 3, 200}, 60, 2, {1, 2});
}

TEST_CASE("what does not fit in a cache is an error on the device", "[device]") {
  const CacheSizes s{1, 2, 2, 40, 2, 2, 3, 1, 8};
  Generation<HEDDLE_F32> g(s);
  for (size_t i = 0; i < g.u.size(); ++i)
    g.u[i] = 0.25f;
  DeviceHarness device;
  auto fill = fillProgram<HEDDLE_F32>(device, s, 20), append = appendProgram<HEDDLE_F32>(device, s, 20);
  DeviceCache<HEDDLE_F32> cache(device, g);
  REQUIRE(g.fill(20) == HEDDLE_OUT_OF_RANGE);
  const std::string message = heddle_last_error();
  DeviceBuffer k = device.put(g.part(g.k, 2, 0, 20)), v = device.put(g.part(g.v, 2, 0, 20)),
               u = device.put(g.part(g.u, 1, 0, 20)), lengths = device.put<int32_t>({20});
  CHECK(fill->call({k, v, u, lengths}, cache.state) == message);
  device.write(cache.state[8], std::vector<int32_t>{0}.data());
  std::vector<DeviceBuffer> operands{device.put(g.part(g.q, 2, 0, 20)), k, v, u, lengths};
  operands.insert(operands.end(), cache.state.begin(), cache.state.end());
  operands.insert(operands.end(), {device.put(g.scale), device.put(g.gate), device.put(g.hard)});
  std::vector<DeviceBuffer> results{device.fresh<float>(2 * 20 * 2)};
  results.insert(results.end(), cache.state.begin(), cache.state.end());
  CHECK(append->call(operands, results) == message);
  device.write(cache.state[8], std::vector<int32_t>{INT32_MAX - 5}.data());
  CHECK(append->call(operands, results) == "the cache overflows: a row counts at most 2147483647 tokens");
}
