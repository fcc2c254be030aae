// Caches across calls: donated, so updated in place, and grown by the host before they overflow.
#include <heddle/cache.hpp>
#include <heddle/heddle.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace heddle;

static const char *const source = R"(
fn start[K, W, C]() {
  sparsek_cache(f32[1, 2, 8, 6], topk = K, window = W, capacity = C)
}

fn decode[K, W](q: f32[1, 4, N, 8], k: f32[1, 2, N, 8], v: f32[1, 2, N, 6], u: f32[1, 2, N], t: i32,
                cache: SparseKCache<f32>[1, 2, 8, 6, K, W, C]) {
  sparsek_decode(q[:, :, t], k[:, :, t], v[:, :, t], u[:, :, t], cache)
}

## A stack of two layers' caches that read the same token.
fn decode_stack[K, W](q: f32[1, 4, N, 8], k: f32[1, 2, N, 8], v: f32[1, 2, N, 6], u: f32[1, 2, N], t: i32,
                      caches: [SparseKCache<f32>[1, 2, 8, 6, K, W, C]; 2]) {
  for cache in caches carry o = zeros(f32[1, 4, 6]) collect {
    let (out, cache) = sparsek_decode(q[:, :, t], k[:, :, t], v[:, :, t], u[:, :, t], cache)
    (o + out, cache)
  }
}

fn whole[K, W](q: f32[1, 4, N, 8], k: f32[1, 2, N, 8], v: f32[1, 2, N, 6], u: f32[1, 2, N]) -> f32[1, 4, N, 6] {
  sparsek_attention(q, k, v, u, topk = K, window = W)
}

fn random[N](key: i64) {
  (random_normal(f32[1, 4, N, 8], key), random_normal(f32[1, 2, N, 8], key + 1), random_normal(f32[1, 2, N, 6], key + 2))
}
)";

static constexpr int64_t tokens = 50;

static std::vector<Argument> inputs(const Program &program) {
  std::vector<Argument> result;
  for (const Struct &tensor : program.function("random", {.dims = {{"N", tokens}}})({int64_t(5)}))
    result.emplace_back(tensor.tensor());
  // Equal scores keep every candidate alive, so that the cache has to grow.
  result.emplace_back(Tensor::full({1, 2, tokens}, 0.5, DType::f32));
  return result;
}

static std::vector<void *> pointers(const Struct &leaves) {
  std::vector<void *> result;
  for (const auto &[name, tensor] : leaves)
    result.push_back(tensor.raw());
  return result;
}

TEST_CASE("a cache is donated from call to call, grows in time, and gives what the full call gives") {
  Program program = Program::parse(source, "generation.heddle");
  const std::map<std::string, int64_t> budget = {{"K", 3}, {"W", 4}};
  std::vector<Argument> arguments = inputs(program);
  Tensor expected = program.function("whole", {.dims = budget})(arguments)[0].tensor();
  for (Backend backend : {Backend::Compiled, Backend::Interpreter}) {
    Function decode = program.function("decode", {.dims = budget, .backend = backend});
    Struct cache = program.function("start", {.dims = {{"K", 3}, {"W", 4}, {"C", 4}}})({})[0];
    CHECK(cache_capacity(cache) == 4);
    std::vector<int64_t> capacities;
    double worst = 0;
    for (int32_t t = 0; t < tokens; ++t) {
      if (reserve_cache(cache, 1))
        capacities.push_back(cache_capacity(cache));
      CHECK(cache_room(cache) >= 1);
      const std::vector<void *> before = pointers(cache);
      std::vector<Argument> all = arguments;
      all.emplace_back(t);
      all.emplace_back(donate(cache));
      std::vector<Struct> results = decode(all);
      CHECK_THROWS_AS(cache["k"].raw(), Error);
      cache = std::move(results[1]);
      CHECK((pointers(cache) == before) == (backend == Backend::Compiled));
      for (int64_t h = 0; h < 4; ++h)
        for (int64_t e = 0; e < 6; ++e)
          worst = std::max(worst, std::fabs(double(results[0].tensor().data<float>()[h * 6 + e]) -
                                            expected.data<float>()[(h * tokens + t) * 6 + e]));
    }
    // Both are f32 sums of at most 7 terms.
    CHECK(worst < 1e-5);
    CHECK(capacities == std::vector<int64_t>{8, 16, 32, 64});
    CHECK(cache["position"].item<int32_t>() == tokens);
    CHECK(decode.stats().specialisations == 5);
  }
}

TEST_CASE("a stack of caches is updated in place, layer by layer, and grows as one") {
  Program program = Program::parse(source, "generation.heddle");
  Function decode = program.function("decode_stack", {.dims = {{"K", 3}, {"W", 4}}});
  std::vector<Argument> arguments = inputs(program);
  Struct one = program.function("start", {.dims = {{"K", 3}, {"W", 4}, {"C", 8}}})({})[0], stack;
  for (const auto &[name, tensor] : one) {
    Shape shape(tensor.shape().begin(), tensor.shape().end());
    shape.insert(shape.begin(), 2);
    Tensor both = Tensor::empty(shape, tensor.dtype());
    for (int64_t layer = 0; layer < 2; ++layer)
      std::memcpy(static_cast<char *>(both.raw()) + layer * tensor.bytes(), tensor.raw(),
                  static_cast<size_t>(tensor.bytes()));
    stack.add(name, both);
  }
  for (int32_t t = 0; t < 20; ++t) {
    reserve_cache(stack, 1);
    const std::vector<void *> before = pointers(stack);
    std::vector<Argument> all = arguments;
    all.emplace_back(t);
    all.emplace_back(donate(stack));
    std::vector<Struct> results = decode(all);
    stack = std::move(results[1]);
    CHECK(pointers(stack) == before);
  }
  CHECK(cache_capacity(stack) == 16);
  CHECK(cache_room(stack) == 0);
  const auto positions = stack["position"].values<int32_t>();
  CHECK(std::vector<int32_t>(positions.begin(), positions.end()) == std::vector<int32_t>{20, 20});
}

TEST_CASE("a cache that is not grown refuses the token that does not fit") {
  Program program = Program::parse(source, "generation.heddle");
  Function decode = program.function("decode", {.dims = {{"K", 3}, {"W", 4}}});
  std::vector<Argument> arguments = inputs(program);
  Struct cache = program.function("start", {.dims = {{"K", 3}, {"W", 4}, {"C", 4}}})({})[0];
  std::string message;
  for (int32_t t = 0; t < tokens && message.empty(); ++t) {
    std::vector<Argument> all = arguments;
    all.emplace_back(t);
    all.emplace_back(donate(cache));
    try {
      cache = std::move(decode(all)[1]);
    } catch (const Error &error) {
      message = error.what();
      CHECK(error.status() == HEDDLE_OUT_OF_RANGE);
      // Four live scores after eight tokens: the window holds four.
      CHECK(t == 8);
    }
  }
  CHECK_THAT(message, Catch::StartsWith("generation.heddle:8:"));
  Struct grown = grow_cache(program.function("start", {.dims = {{"K", 3}, {"W", 4}, {"C", 4}}})({})[0], 9);
  CHECK(grown["live"].str() == "f32[1, 2, 9]");
  CHECK_THROWS_WITH(grow_cache(grown, 8), Catch::Contains("f32[1, 2, 9] cannot shrink to 8"));
}
