#include "Configuration.h"

#include "tests/unit/sparsek/ScoreFamilies.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

namespace heddle::laws {

/// The families of ScoreFamilies.h, one with equal scores far from 0, and one with a NaN.
static std::vector<tests::ScoreFamily> families(int64_t n, uint32_t seed) {
  std::vector<tests::ScoreFamily> result = tests::scoreFamilies(n, seed);
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  tests::ScoreFamily far{"far grid", {}}, poisoned{"one NaN", {}};
  for (int64_t j = 0; j < n; ++j) {
    far.scores.push_back(1e6 + std::round(8 * normal(random)) / 8);
    poisoned.scores.push_back(static_cast<float>(normal(random)));
  }
  poisoned.scores[random() % static_cast<uint64_t>(n)] = NAN;
  result.push_back(std::move(far));
  result.push_back(std::move(poisoned));
  return result;
}

/// A whole number, whatever the size of the test case; smaller ones are simpler.
static int64_t from(int64_t low, int64_t high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<int64_t>(low, high + 1));
}

/// What it says yes to is the simpler case.
static bool chance(int percent) { return from(1, 100) <= percent; }

rc::Gen<Configuration> Configuration::any() {
  return rc::gen::exec([] {
    Configuration c;
    Sizes &s = c.sizes;
    s.batch = chance(70) ? 1 : from(2, 3);
    s.heads = from(1, 3);
    s.group = chance(50) ? 1 : from(2, 4);
    s.length = chance(30) ? from(1, 12) : chance(70) ? from(13, 70) : from(71, 170);
    s.keyWidth = chance(80) ? from(1, 24) : from(25, 80);
    s.valueWidth = chance(30) ? s.keyWidth : chance(80) ? from(1, 24) : from(25, 80);
    const int64_t n = s.length;
    s.topk = chance(12)   ? 0
             : chance(55) ? from(1, std::min<int64_t>(n, 8))
             : chance(60) ? from(1, n)
                          : from(n, n + 5);
    s.window = chance(20)   ? 0
               : chance(60) ? from(1, std::min<int64_t>(n, 10))
               : chance(60) ? from(1, n)
                            : from(n, 2 * n);
    if (s.topk == 0 && s.window == 0)
      s.window = from(1, n + 1);
    c.gate = chance(50) ? Gate::Both : chance(70) ? Gate::Value : Gate::None;
    c.straightThrough = !chance(75);
    c.ownScale = chance(50);
    c.element = chance(55) ? DType::f32 : chance(40) ? DType::f64 : chance(60) ? DType::bf16 : DType::f16;
    c.family = static_cast<size_t>(from(0, static_cast<int64_t>(families(n, 0).size()) - 1));
    c.seed = static_cast<uint32_t>(
        *rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<int32_t>())));
    return c;
  });
}

Configuration Configuration::withOtherScores() const {
  Configuration other = *this;
  other.seed = seed * 747796405u + 2891336453u;
  other.family = (family + 1 + other.seed % (families(1, 0).size() - 1)) % families(1, 0).size();
  return other;
}

std::string Configuration::text() const {
  std::ostringstream out;
  const char *gates[] = {"both", "value", "none"};
  out << name(element) << ", B " << sizes.batch << ", Hq " << sizes.queryHeads() << ", H " << sizes.heads
      << ", N " << sizes.length << ", E " << sizes.keyWidth << ", V " << sizes.valueWidth << ", topk "
      << sizes.topk << ", window " << sizes.window << ", scale " << scale() << ", gate " << gates[int(gate)]
      << (straightThrough ? ", straight through" : "") << ", scores '"
      << families(sizes.length, 0)[family].name << "', numbers of seed " << seed;
  return out.str();
}

std::string Configuration::program() const {
  const char *gates[] = {"both", "value", "none"};
  std::string options = "topk = K, window = W";
  if (ownScale)
    options += ", scale = 0.75";
  if (gate != Gate::Both)
    options += std::string(", gate = \"") + gates[int(gate)] + "\"";
  if (straightThrough)
    options += ", estimator = \"straight_through\"";
  std::string text = R"(
fn value[K, W](q: T[B, Hq, N, E], k: T[B, H, N, E], v: T[B, H, N, V], u: U[B, H, N]) -> T[B, Hq, N, V] {
  sparsek_attention(q, k, v, u, OPTIONS)
}

fn both[K, W](q: T[B, Hq, N, E], k: T[B, H, N, E], v: T[B, H, N, V], u: U[B, H, N], cotangent: T[B, Hq, N, V]) {
  let (o, (dq, dk, dv, du)) = vjp(value[K, W], wrt = (q, k, v, u))(q, k, v, u, cotangent)
  SELECTION
}

fn packed_value[K, W](q: T[B, Hq, N, E], k: T[B, H, N, E], v: T[B, H, N, V], u: U[B, H, N],
                      offsets: i32[S]) -> T[B, Hq, N, V] {
  sparsek_attention(q, k, v, u, OPTIONS, segments = offsets)
}

fn packed[K, W](q: T[B, Hq, N, E], k: T[B, H, N, E], v: T[B, H, N, V], u: U[B, H, N], cotangent: T[B, Hq, N, V],
                offsets: i32[S]) {
  let (o, (dq, dk, dv, du)) = vjp(packed_value[K, W], wrt = (q, k, v, u))(q, k, v, u, offsets, cotangent)
  PACKED
}

fn in_pieces[K, W, P, A](q: T[B, Hq, N, E], k: T[B, H, N, E], v: T[B, H, N, V], u: U[B, H, N]) -> T[B, Hq, N, V] {
  FIRST
  let (o1, cache) = sparsek_prefill(q[:, :, P:P + A], k[:, :, P:P + A], v[:, :, P:P + A], u[:, :, P:P + A], cache = cache)
  let (cache, rest) = for t in range(N - P - A) carry cache collect {
    let i = t + P + A
    let (o, cache) = sparsek_decode(q[:, :, i], k[:, :, i], v[:, :, i], u[:, :, i], cache)
    (cache, o)
  }
  concat(o0, o1, rearrange(rest, "n b h v -> b h n v"), axis = 2)
}

fn tangent[K, W](q: T[B, Hq, N, E], k: T[B, H, N, E], v: T[B, H, N, V], u: U[B, H, N],
                 dot_q: T[B, Hq, N, E], dot_k: T[B, H, N, E], dot_v: T[B, H, N, V], dot_u: U[B, H, N]) {
  jvp(value[K, W], wrt = (q, k, v, u))(q, k, v, u, (dot_q, dot_k, dot_v, dot_u))
}
)";
  // A prompt makes a cache of its own, or is appended to an empty one.
  const char *prompt =
      "let (o0, cache) = sparsek_prefill(q[:, :, :P], k[:, :, :P], v[:, :, :P], u[:, :, :P], ";
  const std::string empty = std::string("let empty = sparsek_cache(") + name(element) +
                            "[B, H, E, V], OPTIONS)\n  ",
                    first = seed % 2 ? empty + prompt + "cache = empty)" : std::string(prompt) + "OPTIONS)";
  auto replace = [&](const std::string &what, const std::string &with) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
      text.replace(at, what.size(), with);
  };
  replace(": T[", std::string(": ") + name(element) + "[");
  replace("-> T[", std::string("-> ") + name(element) + "[");
  replace(": U[", std::string(": ") + name(scoreType()) + "[");
  replace("FIRST", first);
  replace("OPTIONS", options);
  auto results = [&](const std::string &more) {
    return sizes.topk > 0 ? "let (tau, count, end) = sparsek_threshold(u, topk = K, window = W" + more +
                                ")\n  (o, dq, dk, dv, du, tau, count, end)"
                          : "(o, dq, dk, dv, du)";
  };
  replace("SELECTION", results(""));
  replace("PACKED", results(", segments = offsets"));
  return text;
}

double Configuration::scale() const {
  return ownScale ? 0.75 : 1 / std::sqrt(static_cast<double>(sizes.keyWidth));
}

bool Configuration::holdsNaN() const {
  const std::vector<double> scores = families(sizes.length, 0)[family].scores;
  return std::any_of(scores.begin(), scores.end(), [](double x) { return std::isnan(x); });
}

Attention Configuration::attention() const {
  Attention a;
  a.sizes = sizes;
  a.scale = scale();
  a.gate = gate;
  a.straightThrough = straightThrough;
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  auto fill = [&](int64_t count, DType type) {
    Numbers numbers(static_cast<size_t>(count));
    for (double &x : numbers)
      x = normal(random);
    return numbersOf(tensorOf(numbers, {count}, type));
  };
  const int64_t queries = sizes.batch * sizes.queryHeads() * sizes.length, keys = sizes.rows() * sizes.length;
  a.q = fill(queries * sizes.keyWidth, element), a.k = fill(keys * sizes.keyWidth, element);
  a.v = fill(keys * sizes.valueWidth, element);
  a.cotangent = fill(queries * sizes.valueWidth, element);
  a.dotQ = fill(queries * sizes.keyWidth, element), a.dotK = fill(keys * sizes.keyWidth, element);
  a.dotV = fill(keys * sizes.valueWidth, element);
  a.dotU = fill(keys, scoreType());
  for (int64_t row = 0; row < sizes.rows(); ++row) {
    const Numbers scores = families(sizes.length, static_cast<uint32_t>(random()))[family].scores;
    a.u.insert(a.u.end(), scores.begin(), scores.end());
  }
  for (size_t i = 0; i < a.u.size(); ++i)
    if (std::isinf(a.u[i]))
      a.dotU[i] = 0; // no direction leads along an infinite score
  return a;
}

Device compiledDevice() {
  const char *name = std::getenv("HEDDLE_LAWS_DEVICE");
  return name ? Device::parse(name) : Device::cpu();
}

Numbers numbersOf(const Tensor &tensor) {
  const Tensor wide = tensor.to(Device::cpu()).cast(DType::f64);
  auto values = wide.values<double>();
  return Numbers(values.begin(), values.end());
}

Tensor tensorOf(const Numbers &numbers, const Shape &shape, DType type) {
  return Tensor::from(numbers, shape).cast(type);
}

double inner(const Numbers &x, const Numbers &y, double &scale) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sum += x[i] * y[i];
    scale += std::abs(x[i] * y[i]);
  }
  return sum;
}

Distance distance(const Numbers &got, const Result &expected) {
  Distance d;
  d.sameNaN = got.size() == expected.value.size();
  for (size_t i = 0; d.sameNaN && i < got.size(); ++i) {
    const double x = got[i], y = expected.value[i];
    if (!std::isfinite(x) || !std::isfinite(y)) {
      d.sameNaN = x == y || (std::isnan(x) && std::isnan(y));
      continue;
    }
    d.difference += (x - y) * (x - y);
    d.norm += y * y;
    d.weight += expected.weight[i] * expected.weight[i];
  }
  d.difference = std::sqrt(d.difference), d.norm = std::sqrt(d.norm), d.weight = std::sqrt(d.weight);
  return d;
}

} // namespace heddle::laws
