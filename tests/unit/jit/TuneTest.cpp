// Plans that are measured, on the emulated device: what is tried, kept and used, and that results stay the
// same.
#include "tests/unit/cache/CacheFolder.h"

#include <heddle/heddle.hpp>

#include <cmath>
#include <regex>

using namespace heddle;

static const char *const source = R"(fn product(a: f32[M, K], b: f32[K, N]) -> f32[M, N] {
  a @ b
}

fn attend[K, W](q: f32[1, 2, N, E], k: f32[1, 1, N, E], v: f32[1, 1, N, E], u: f32[1, 1, N]) -> f32[1, 2, N, E] {
  sparsek_attention(q, k, v, u, topk = K, window = W)
}

fn gradients[K, W](q: f32[1, 2, N, E], k: f32[1, 1, N, E], v: f32[1, 1, N, E], u: f32[1, 1, N], d: f32[1, 2, N, E]) {
  vjp(attend[K, W], wrt = ("q", "k", "v", "u"))(q, k, v, u, d)
}
)";

namespace {

struct Cache : CacheFolder {
  Cache() { setenv("HEDDLE_CACHE", path.c_str(), 1); }
  ~Cache() { setenv("HEDDLE_CACHE", "off", 1); }
  std::string plans() const { return contentOf(path / "heddle-emulated-device.plans"); }
};

Tensor numbers(std::vector<int64_t> shape, int seed) {
  Tensor tensor = Tensor::empty(shape, DType::f32);
  for (int64_t i = 0; i < tensor.count(); ++i)
    tensor.data<float>()[i] = std::sin(float(seed) + 1.7f * float(i));
  return tensor;
}

std::vector<float> floats(const Tensor &tensor) {
  Tensor host = tensor.to(Device::cpu());
  return {host.data<float>(), host.data<float>() + host.count()};
}

double distance(const std::vector<Struct> &a, const std::vector<Struct> &b) {
  double largest = 0;
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t leaf = 0; leaf < a[i].size(); ++leaf) {
      const std::vector<float> x = floats(a[i].leaf(leaf).second), y = floats(b[i].leaf(leaf).second);
      for (size_t j = 0; j < y.size(); ++j)
        largest = std::max(largest, double(std::abs(x[j] - y[j])));
    }
  return largest;
}

Function make(const std::string &name, bool tune, Device device = Device::cuda(0)) {
  return Program::parse(source, "f.heddle")
      .function(name, {.dims = name == "product" ? std::map<std::string, int64_t>{}
                                                 : std::map<std::string, int64_t>{{"K", 6}, {"W", 4}},
                       .device = device,
                       .tune = tune});
}

std::vector<Argument> operandsOf(const std::string &name) {
  if (name == "product")
    return {numbers({70, 200}, 1), numbers({200, 40}, 2)};
  std::vector<Argument> operands = {numbers({1, 2, 34, 8}, 1), numbers({1, 1, 34, 8}, 2),
                                    numbers({1, 1, 34, 8}, 3), numbers({1, 1, 34}, 4)};
  if (name == "gradients")
    operands.emplace_back(numbers({1, 2, 34, 8}, 5));
  return operands;
}

int64_t countOf(const std::string &text, const std::string &pattern) {
  const std::regex expression(pattern);
  return std::distance(std::sregex_iterator(text.begin(), text.end(), expression), {});
}

} // namespace

TEST_CASE("measured plans compute the same, are kept, and are used") {
  for (const char *name : {"product", "gradients"}) {
    Cache cache;
    const std::vector<Argument> operands = operandsOf(name);
    Function model = make(name, false), tuned = make(name, true), later = make(name, false);
    const std::vector<Struct> expected = model(operands);
    CHECK(cache.plans() == "");
    const std::vector<Struct> results = tuned(operands);
    CHECK(distance(results, expected) <= 2e-5);
    const std::string plans = cache.plans();
    INFO(plans);
    CHECK(countOf(plans, "\"plan\":") == (name == std::string("gradients") ? 2 : 1));
    if (name == std::string("product"))
      CHECK(countOf(plans, "\"plan\": \"columns=(64|128) rows=(64|128) splits=[0-9]+\"") == 1);
    else
      CHECK(countOf(plans, "\"plan\": \"block=32 stages=[12] warpgroups=0\"") == 1);
    // A later process takes what was chosen, with the same bits, and measures nothing.
    CHECK(distance(later(operands), results) == 0);
    CHECK(later.stats().fromCache == 1);
    Function again = make(name, true);
    CHECK(distance(again(operands), results) == 0);
    CHECK(again.stats().fromCache == 1);
    CHECK(cache.plans() == plans);
  }
}

TEST_CASE("a plan of the file is what is compiled") {
  Cache cache;
  const std::vector<Argument> operands = operandsOf("product");
  make("product", true)(operands);
  auto compileWith = [&](const std::string &plan) {
    const std::string changed =
        std::regex_replace(cache.plans(), std::regex("\"plan\": \"[^\"]*\""), "\"plan\": \"" + plan + "\"");
    std::ofstream(cache.path / "heddle-emulated-device.plans") << changed;
    Function product = make("product", false);
    const std::vector<Struct> results = product(operands);
    CHECK(distance(results, make("product", false, Device::cpu())(operands)) <= 2e-5);
    return std::pair(product.stats().fromCache, product.stats().arenaBytes);
  };
  // Parts of k need memory for their sums.
  const auto whole = compileWith("columns=64 rows=64 splits=1"),
             parts = compileWith("columns=64 rows=64 splits=2");
  CHECK(whole.first + parts.first <= 1); // one of them may be what was measured
  CHECK(parts.second > whole.second);
  // Another plan is another program.
  CHECK(compileWith("columns=64 rows=64 splits=1") == std::pair(int64_t(1), whole.second));
  // What is impossible, or no plan at all, is as if it were not there.
  CHECK(compileWith("columns=7 rows=64 splits=1").second >= 0);
  CHECK(compileWith("nonsense").second >= 0);
}

TEST_CASE("with the cache off plans hold for one function") {
  const std::vector<Argument> operands = operandsOf("product");
  Function tuned = make("product", true);
  CHECK(distance(tuned(operands), make("product", false)(operands)) <= 2e-5);
  CHECK(tuned.stats().fromCache == 0);
}

TEST_CASE("on the CPU there is nothing to measure") {
  Cache cache;
  const std::vector<Argument> operands = operandsOf("product");
  make("product", true, Device::cpu())(operands);
  CHECK(cache.plans() == "");
}
