// Calls that are started and waited for later, and what is said about tensors on the wrong device. GPUs are
// played by the stub driver here.
#include <heddle/heddle.hpp>

#include <catch2/catch.hpp>

#include <functional>

using namespace heddle;

static const char *const source = R"(struct Line[N] {
  slope: f32
  offsets: f32[N]
}

fn apply(p: Line[N], x: f32[N]) -> f32[N] {
  p.slope * x + p.offsets
}

fn move(p: Line[N], x: f32[N]) {
  (sum(x), Line { slope: p.slope, offsets: p.offsets + x })
}

fn pick(x: f32[N], i: i32) -> f32 {
  x[i]
}
)";

static std::string failureOf(const std::function<void()> &action) {
  try {
    action();
  } catch (const Error &error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

static Struct line(float slope, const std::vector<float> &offsets) {
  return {{"slope", Tensor::scalar(slope)}, {"offsets", Tensor::from(offsets)}};
}

TEST_CASE("a call that is started gives its results later") {
  Function apply = Program::parse(source).function("apply");
  std::vector<Pending> calls;
  for (int i = 0; i < 4; ++i)
    calls.push_back(apply.start({line(2, {1, 1}), Tensor::from<float>({float(i), 3})}));
  for (int i = 3; i >= 0; --i) {
    calls[i].wait();
    CHECK(calls[i].done());
    const std::vector<Struct> results = calls[i].take();
    REQUIRE(results.size() == 1);
    CHECK(results[0].tensor().values<float>()[0] == 2.0f * i + 1);
  }
  CHECK(failureOf([&] { calls[0].take(); }) == "the results of the call were taken before");
  CHECK(apply.stats().specialisations == 1);
  // Nobody has to wait, nor to keep the function.
  Program::parse(source).function("apply").start({line(1, {0}), Tensor::from<float>({1})});
}

TEST_CASE("what fails in a started call is told by wait and take") {
  Function pick = Program::parse(source, "pick.heddle").function("pick");
  const Tensor x = Tensor::from<float>({1, 2, 3});
  Pending good = pick.start({x, 2}), bad = pick.start({x, 5});
  CHECK(good.take()[0].tensor().item<float>() == 3);
  for (int again = 0; again < 2; ++again)
    CHECK(failureOf([&] { bad.wait(); }).find("index 5 is outside a dimension of 3") != std::string::npos);
  CHECK(failureOf([&] { bad.take(); }).find("index 5 is outside a dimension of 3") != std::string::npos);
  // What is wrong with the arguments is told at once.
  CHECK(failureOf([&] { pick.start({x}); }) == "'pick' needs an argument for 'i', a i32");
}

TEST_CASE("donations of a started call go from step to step") {
  Function move = Program::parse(source).function("move");
  Struct model = line(1, {0, 0});
  const void *memory = model["offsets"].raw();
  const Tensor x = Tensor::from<float>({1, 2});
  for (int step = 1; step <= 3; ++step) {
    Pending call = move.start({donate(model), x});
    CHECK(!model["offsets"].defined());
    std::vector<Struct> results = call.take();
    model = std::move(results[1]);
    CHECK(model["offsets"].raw() == memory);
    CHECK(model["offsets"].values<float>()[1] == 2.0f * step);
  }
}

TEST_CASE("tensors on another device than the function's are refused") {
  const Program program = Program::parse(source);
  Function apply = program.function("apply");
  const Device gpu = Device::cuda(0);
  const Tensor x = Tensor::from<float>({1}), there = x.to(gpu);
  CHECK(failureOf([&] { apply({line(1, {1}), there}); }) ==
        "'x' lies on cuda:0, but 'apply' runs on cpu\nhint: move it with .to(Device::cpu())");
  CHECK(failureOf([&] { apply({line(1, {1}).to(gpu), x}); }) ==
        "'p.slope' lies on cuda:0, but 'apply' runs on cpu\nhint: move it with .to(Device::cpu())");
  CHECK(failureOf([&] {
          program.function("apply", {.backend = Backend::Interpreter})({line(1, {1}), there});
        }) == "'x' lies on cuda:0, but 'apply' runs on cpu\nhint: move it with .to(Device::cpu())");
  Function onOther = program.function("apply", {.device = Device::cuda(1)});
  CHECK(failureOf([&] { onOther({line(1, {1}), there}); }) ==
        "'x' lies on cuda:0, but 'apply' runs on cuda:1\nhint: move it with .to(Device::cuda(1))");
  Struct model = line(1, {1});
  CHECK(failureOf([&] { onOther({donate(model), x}); }) ==
        "'p.slope' is donated and lies on cpu, but 'apply' runs on cuda:1\n"
        "hint: move it with .to(Device::cuda(1))");
  CHECK(model["slope"].defined());
  CHECK(failureOf([&] { program.function("apply", {.device = gpu, .backend = Backend::Interpreter}); }) ==
        "the interpreter runs on the CPU, not on cuda:0");
  CHECK(failureOf([&] { program.function("apply", {.device = Device::cuda(7)})({line(1, {1}), x}); }) ==
        "there is no device cuda:7: this process may use 2 GPUs, cuda:0 to cuda:1");
}
