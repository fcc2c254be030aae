// Functions on a GPU as a host sees them, with the emulated device: arguments and results, donations, calls
// in flight, failures, memory.
#include <heddle/heddle.hpp>

#include <catch2/catch.hpp>

#include <deque>
#include <functional>

using namespace heddle;

static const char *const source = R"(struct Line[N] {
  slope: f32
  offsets: f32[N]
}

fn apply(p: Line[N], x: f32[N]) -> f32[N] {
  p.slope * x + p.offsets
}

fn error(p: Line[N], x: f32[N], y: f32[N], weight: f32 = 2.0) -> f32 {
  weight * sum((apply(p, x) - y) ** 2.0)
}

## Several kernels, so that calls are replayed as a graph.
fn descend(p: Line[N], x: f32[N], y: f32[N], rate: f32) {
  let (e, g) = value_and_grad(error)(p, x, y)
  (e, map_leaves(fn (a, b) { a - rate * b }, p, g))
}

fn pick(x: f32[N], i: i32) -> f32 {
  x[i] + sum(x)
}

fn choose(x: f32[N]) -> f32[N] {
  if sum(x) > 0.0 { 2.0 * x } else { -1.0 * x }
}

fn multiply(a: f32[N, N], b: f32[N, N]) -> f32[N, N] {
  einsum("i k, k j -> i j", a, b)
}
)";

namespace {

const Device gpu = Device::cuda(0);

std::string failureOf(const std::function<void()> &action) {
  try {
    action();
  } catch (const Error &error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

Struct line(float slope, const std::vector<float> &offsets) {
  return {{"slope", Tensor::scalar(slope)}, {"offsets", Tensor::from(offsets)}};
}

std::vector<float> valuesOf(const Tensor &tensor) {
  const Tensor here = tensor.to(Device::cpu());
  return {here.values<float>().begin(), here.values<float>().end()};
}

heddle_memory_stats_t stats(int device = 0) {
  heddle_memory_stats_t result;
  check(heddle_cuda_memory_stats(device, &result));
  return result;
}

} // namespace

TEST_CASE("results are computed on the GPU and stay there", "[cuda]") {
  const Program program = Program::parse(source);
  Function apply = program.function("apply", {.device = gpu});
  const Struct p = line(2, {1, 1, 1});
  const Tensor x = Tensor::from<float>({1, 2, 3});
  // From the host, from the GPU, and mixed.
  for (const auto &[model, input] :
       {std::pair(p, x), std::pair(p.to(gpu), x.to(gpu)), std::pair(p, x.to(gpu))})
    for (int again = 0; again < 3; ++again) {
      const Tensor y = apply({model, input})[0].tensor();
      CHECK(y.device() == gpu);
      CHECK(valuesOf(y) == std::vector<float>{3, 5, 7});
    }
  CHECK(apply.stats().specialisations == 1);
}

TEST_CASE("a training step agrees with the CPU, call after call", "[cuda]") {
  const Program program = Program::parse(source);
  Function there = program.function("descend", {.device = gpu}), here = program.function("descend");
  Struct model = line(1, {0, 0.5f, -1}), reference = model;
  model = model.to(gpu);
  std::deque<Tensor> losses; // kept, so that each call's result has another address
  for (int step = 0; step < 12; ++step) {
    const Tensor x = Tensor::from<float>({1, 0.5f * float(step), -2}), y = Tensor::from<float>({2, 1, 0});
    std::vector<Struct> results = there({model, x, y, 0.01f}), expected = here({reference, x, y, 0.01f});
    losses.push_back(results[0].tensor());
    CHECK(results[0].tensor().item<float>() == Approx(expected[0].tensor().item<float>()).epsilon(1e-5));
    model = std::move(results[1]);
    reference = std::move(expected[1]);
    const std::vector<float> got = valuesOf(model["offsets"]), wanted = valuesOf(reference["offsets"]);
    for (size_t i = 0; i < got.size(); ++i)
      CHECK(got[i] == Approx(wanted[i]).epsilon(1e-5));
  }
}

TEST_CASE("selection beside other work changes no result", "[cuda]") {
  // Thresholds and lists are put aside while queries, keys and values are made, the gradient of thresholds
  // while those are differentiated, in each of two steps of a loop.
  const Program program = Program::parse(R"(import std.nn

fn error[K, W](p: [Block<f32>[D, Hq, H, E, M]; 2], x: f32[B, N, D]) -> f32 {
  sum((for layer in p carry x { block[K, W](layer, x) }) ** 2.0)
}

fn descend(seed: i64) {
  let p = map_leaves(fn (w) { 0.3 * w }, random_normal([Block<f32>[12, 4, 2, 6, 16]; 2], seed))
  value_and_grad(error[4, 3])(p, random_normal(f32[2, 40, 12], fold_in(seed, 1)))
}
)");
  Function there = program.function("descend", {.device = gpu}), here = program.function("descend");
  const Struct expected = here({int64_t(7)}).at(1);
  std::vector<Struct> gradients; // of a direct call, a captured one, and some that are replayed or patched
  for (int call = 0; call < 8; ++call)
    gradients.push_back(there({int64_t(7)}).at(1));
  for (const char *leaf : {"attn.wq", "attn.wk", "attn.wv", "attn.wo", "attn.score", "mlp.down"}) {
    const std::vector<float> wanted = valuesOf(expected[leaf]), first = valuesOf(gradients[0][leaf]);
    REQUIRE(first.size() == wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i)
      CHECK(first[i] == Approx(wanted[i]).epsilon(1e-3).margin(1e-3));
    for (const Struct &gradient : gradients)
      CHECK(valuesOf(gradient[leaf]) == first);
  }
}

TEST_CASE("donated tensors are updated where they lie", "[cuda]") {
  Function descend = Program::parse(source).function("descend", {.device = gpu});
  Struct model = line(1, {0, 0}).to(gpu);
  const void *memory = model["offsets"].raw();
  const Tensor x = Tensor::from<float>({1, 2}).to(gpu), y = Tensor::from<float>({3, 4}).to(gpu);
  int64_t allocations = 0;
  for (int step = 0; step < 6; ++step) {
    if (step == 3)
      allocations = stats().allocations;
    std::vector<Struct> results = descend({donate(model), x, y, 0.1f});
    CHECK(!model["offsets"].defined());
    model = std::move(results[1]);
    CHECK(model["offsets"].raw() == memory);
  }
  // One result that is not donated in each call, and nothing else.
  CHECK(stats().allocations == allocations + 3);
  const Tensor shared = model["slope"];
  CHECK(failureOf([&] {
          descend({donate(model), x, y, 0.1f});
        }).find("'p.slope' is donated, but another Tensor") == 0);
  CHECK(model["slope"].defined());
}

TEST_CASE("calls in flight use each other's results", "[cuda]") {
  Function descend = Program::parse(source).function("descend", {.device = gpu});
  const Tensor x = Tensor::from<float>({1, 2}), y = Tensor::from<float>({3, 4});
  Struct serial = line(1, {0, 0}).to(gpu), chained = line(1, {0, 0}).to(gpu);
  std::vector<float> losses;
  std::vector<Pending> calls;
  std::vector<Struct> kept;
  for (int step = 0; step < 5; ++step) {
    std::vector<Struct> results = descend({serial, x, y, 0.05f});
    losses.push_back(results[0].tensor().item<float>());
    serial = std::move(results[1]);
    calls.push_back(descend.start({donate(chained), x, y, 0.05f}));
    std::vector<Struct> started = calls.back().take();
    kept.push_back(std::move(started[0]));
    chained = std::move(started[1]);
  }
  for (size_t i = 0; i < calls.size(); ++i) {
    calls[i].wait();
    CHECK(calls[i].done());
    CHECK(kept[i].tensor().item<float>() == losses[i]);
  }
  CHECK(valuesOf(chained["offsets"]) == valuesOf(serial["offsets"]));
  CHECK(failureOf([&] { calls[0].take(); }) == "the results of the call were taken before");
}

TEST_CASE("a failing kernel is reported with its place in the program", "[cuda]") {
  Function pick = Program::parse(source, "pick.heddle").function("pick", {.device = gpu});
  const Tensor x = Tensor::from<float>({1, 2, 3});
  const std::string message = "pick.heddle:21:3: error: index 5 is outside a dimension of 3\n"
                              "    x[i] + sum(x)\n"
                              "    ^";
  for (int again = 0; again < 3; ++again) {
    CHECK(pick({x, 1})[0].tensor().item<float>() == 8);
    CHECK(failureOf([&] { pick({x, 5}); }) == message);
  }
  Pending good = pick.start({x, 0}), bad = pick.start({x, 5}), last = pick.start({x, 2});
  CHECK(last.take()[0].tensor().item<float>() == 9);
  CHECK(failureOf([&] { bad.wait(); }) == message);
  CHECK(failureOf([&] { bad.wait(); }) == message);
  good.wait();
  last.wait();
}

TEST_CASE("conditions are read from the GPU", "[cuda]") {
  Function choose = Program::parse(source).function("choose", {.device = gpu});
  for (int again = 0; again < 3; ++again) {
    CHECK(valuesOf(choose({Tensor::from<float>({1, 2})})[0]) == std::vector<float>{2, 4});
    CHECK(valuesOf(choose({Tensor::from<float>({-1, -2})})[0]) == std::vector<float>{1, 2});
  }
}

TEST_CASE("views that begin anywhere are aligned", "[cuda]") {
  Function apply = Program::parse(source).function("apply", {.device = gpu});
  const Tensor all = Tensor::from<float>({9, 1, 2, 3}).to(gpu);
  const Tensor part = Tensor::borrow(static_cast<float *>(all.raw()) + 1, {3}, DType::f32,
                                     std::make_shared<Tensor>(all), gpu);
  CHECK(valuesOf(apply({line(1, {0, 0, 0}), part})[0]) == std::vector<float>{1, 2, 3});
}

TEST_CASE("large arguments of the host are copied at each call", "[cuda]") {
  Function multiply = Program::parse(source).function("multiply", {.device = gpu});
  const int64_t n = 48;
  Tensor a = Tensor::zeros({n, n}, DType::f32), b = Tensor::full({n, n}, 1.0f, DType::f32);
  for (int call = 1; call <= 3; ++call) {
    for (int64_t i = 0; i < n; ++i)
      a.data<float>()[i * n + i] = float(call);
    CHECK(valuesOf(multiply({a, b})[0]) == std::vector<float>(static_cast<size_t>(n * n), float(call)));
  }
}

TEST_CASE("products of f32 round to TF32 where a user allows it", "[cuda]") {
  const Program program = Program::parse(source);
  // 1 + 2^-11 is halfway between two numbers of TF32, 1 + 2^-12 rounds to 1.
  const float half = 1 + 0x1p-11f, less = 1 + 0x1p-12f;
  Tensor a = Tensor::full({2, 2}, half, DType::f32), b = Tensor::full({2, 2}, less, DType::f32);
  const float exact = float(2 * (double(half) * double(less)));
  for (Device device : {gpu, Device::cpu()}) {
    Function precise = program.function("multiply", {.device = device}),
             fast = program.function("multiply", {.device = device, .allowTF32 = true});
    CHECK(valuesOf(precise({a, b})[0]) == std::vector<float>(4, exact));
    CHECK(valuesOf(fast({a, b})[0]) == std::vector<float>(4, device.isCpu() ? exact : 2 * (1 + 0x1p-10f)));
  }
}

TEST_CASE("each GPU has its own functions", "[cuda]") {
  REQUIRE(Device::cudaCount() == 2);
  const Program program = Program::parse(source);
  const Tensor x = Tensor::from<float>({1, 2});
  for (int index : {0, 1}) {
    Function apply = program.function("apply", {.device = Device::cuda(index)});
    const Tensor y = apply({line(1, {1, 1}), x})[0].tensor();
    CHECK(y.device() == Device::cuda(index));
    CHECK(valuesOf(y) == std::vector<float>{2, 3});
  }
}

TEST_CASE("functions leave no memory behind", "[cuda]") {
  const heddle_memory_stats_t before = stats();
  {
    Function descend = Program::parse(source).function("descend", {.device = gpu});
    Pending forgotten =
        descend.start({line(1, {0, 0}), Tensor::from<float>({1, 2}), Tensor::from<float>({3, 4}), 0.1f});
    descend({line(1, {0, 0}), Tensor::from<float>({1, 2}), Tensor::from<float>({3, 4}), 0.1f});
    CHECK(stats().live_allocations > before.live_allocations);
  }
  CHECK(stats().live_allocations == before.live_allocations);
  CHECK(stats().current_bytes == before.current_bytes);
}

TEST_CASE("memory that runs out is named", "[cuda]") {
  Function apply = Program::parse(source).function("apply", {.device = gpu});
  const int64_t n = 1 << 20;
  const Tensor x = Tensor::zeros({n}, DType::f32).to(gpu);
  const Struct p = {{"slope", Tensor::scalar(1.0f)}, {"offsets", x}};
  std::vector<Tensor> filler;
  while (failureOf([&] { filler.push_back(Tensor::empty({n}, DType::i8, gpu)); }) == "(nothing was thrown)") {
  }
  auto message = [&](const Struct &model) { return failureOf([&] { apply({model, x}); }); };
  CHECK(message(p).find(
            "argument 'p.slope', f32: cannot allocate 256 bytes on cuda:0: 0 bytes of 64 MiB are free, "
            "and tensors of this process take 64 MiB\nhint: ") == 0);
  filler.pop_back();
  CHECK(message(p).find("result 'out', f32[1048576]: cannot allocate 4194304 bytes on cuda:0: ") == 0);
  filler.clear();
  CHECK(apply({p, x})[0].tensor().device() == gpu);
}
