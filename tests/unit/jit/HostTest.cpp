// The interface that host programs include: loading, calling, conversions, and what is refused.
#include <heddle/heddle.hpp>

#include <catch2/catch.hpp>

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

fn descend(p: Line[N], x: f32[N], y: f32[N], rate: f32) {
  let (e, g) = value_and_grad(error)(p, x, y)
  (e, map_leaves(fn (a, b) { a - rate * b }, p, g))
}

fn pick(x: f32[N], i: i32) -> f32 {
  x[i]
}

fn window[K](x: f32[N]) -> f32[K] {
  x[:K]
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

TEST_CASE("calls give the results of the program on both backends") {
  Program program = Program::parse(source, "line.heddle");
  CHECK(program.functions() == std::vector<std::string>{"apply", "error", "descend", "pick", "window"});
  for (Backend backend : {Backend::Compiled, Backend::Interpreter}) {
    FunctionOptions options;
    options.backend = backend;
    Function apply = program.function("apply", options);
    Tensor y = apply({line(2, {1, 1, 1}), Tensor::from<float>({1, 2, 3})})[0].tensor();
    CHECK(std::vector<float>(y.data<float>(), y.data<float>() + 3) == std::vector<float>{3, 5, 7});

    // A tuple gives one Struct per element; a struct in it keeps its leaf names.
    Function descend = program.function("descend", options);
    std::vector<Struct> results =
        descend({line(2, {0}), Tensor::from<float>({3}), Tensor::from<float>({5}), 0.25f});
    REQUIRE(results.size() == 2);
    CHECK(results[0].tensor().item<float>() == 2.0f);                 // 2 (6 - 5)^2
    CHECK(results[1]["slope"].item<float>() == 2.0f - 0.25f * 12.0f); // 2 * 2 (6 - 5) 3
    CHECK(results[1]["offsets"].item<float>() == -0.25f * 4.0f);
  }
}

TEST_CASE("a function compiles once for each set of shapes") {
  Function apply = Program::parse(source).function("apply");
  for (int64_t n : {3, 3, 4})
    apply({line(1, std::vector<float>(static_cast<size_t>(n))), Tensor::zeros({n}, DType::f32)});
  CHECK(apply.stats().specialisations == 2);
}

TEST_CASE("numbers take the parameter's element type and defaults may be left out") {
  Function error = Program::parse(source).function("error");
  Tensor x = Tensor::from<float>({1}), y = Tensor::from<float>({0});
  CHECK(error({line(3, {0}), x, y})[0].tensor().item<float>() == 18.0f);
  CHECK(error({line(3, {0}), x, y, 1})[0].tensor().item<float>() == 9.0f);
  Function window = Program::parse(source).function("window", {.dims = {{"K", 2}}});
  CHECK(window({Tensor::from<float>({1, 2, 3})})[0].tensor().str() == "f32[2]");
}

TEST_CASE("what does not fit is refused with the values") {
  Program program = Program::parse(source, "line.heddle");
  Function apply = program.function("apply");
  Tensor x = Tensor::from<float>({1, 2});
  CHECK_THAT(failureOf([&] { program.function("aply"); }), Catch::Contains("apply"));
  CHECK(failureOf([&] { apply({line(1, {0, 0})}); }) == "'apply' needs an argument for 'x', a f32[N]");
  CHECK(failureOf([&] { apply({line(1, {0, 0}), x, x}); }) == "'apply' takes 2 arguments, not 3");
  CHECK(failureOf([&] { apply({x, x}); }) == "'p', a Line[N], has 2 tensors, but the argument has 1");
  CHECK_THAT(failureOf([&] { apply({line(1, {0, 0}), x.cast(DType::f64)}); }),
             Catch::Contains("'x' is f32[N], but the argument is f64[2]"));
  CHECK_THAT(failureOf([&] { apply({line(1, {0, 0, 0}), x}); }),
             Catch::Contains("3") && Catch::Contains("2"));
  CHECK_THAT(failureOf([&] { Program::parse("fn f(x: f32[N]) -> f32[M] { x }", "wrong.heddle"); }),
             Catch::StartsWith("wrong.heddle:1:"));
  CHECK_THAT(failureOf([&] { Program::load("/nowhere/at/all.heddle"); }),
             Catch::Contains("/nowhere/at/all.heddle"));
}

TEST_CASE("a failure at run time names the place and leaves the function usable") {
  Function pick = Program::parse(source, "line.heddle").function("pick");
  Tensor x = Tensor::from<float>({1, 2, 3});
  CHECK_THAT(failureOf([&] { pick({x, 7}); }), Catch::Contains("line.heddle:20:") && Catch::Contains("7"));
  CHECK(pick({x, 2})[0].tensor().item<float>() == 3.0f);
}
