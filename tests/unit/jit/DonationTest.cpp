// Donated inputs: results in their memory, what a host sees of them afterwards, and what is refused.
#include <heddle/heddle.hpp>
#include <heddle/io.hpp>

#include <catch2/catch.hpp>

#include <cstring>
#include <filesystem>

using namespace heddle;

static const char *const source = R"(struct Net[D] {
  w: f32[D, D]
  b: f32[D]
}

struct Momentum[D] {
  m: Net[D]
  step: i32
}

fn loss(p: Net[D], x: f32[N, D]) -> f32 {
  mean(tanh(x @ p.w + p.b) ** 2.0)
}

fn train_step(p: Net[D], s: Momentum[D], x: f32[N, D], rate: f32) {
  let (l, g) = value_and_grad(loss)(p, x)
  let m = map_leaves(fn (a, b) { 0.9 * a + b }, s.m, g)
  (l, map_leaves(fn (a, b) { a - rate * b }, p, m), Momentum { m: m, step: s.step + 1 })
}

## Ten steps in one call: parameters are carried.
fn train(p: Net[D], s: Momentum[D], x: f32[N, D]) {
  for i in range(10) carry (p, s) = (p, s) {
    let (l, p, s) = train_step(p, s, x, 0.1)
    (p, s)
  }
}

fn both(x: f32[N]) {
  (x + 1.0, x)
}

fn two(x: f32[N]) {
  (x + 1.0, x * 2.0)
}

fn swap(x: f32[N], y: f32[N]) {
  (y, x)
}

fn add(x: f32[N], y: f32[N]) -> f32[N] {
  x + y
}

fn put(x: f32[N], i: i32) -> f32[N] {
  let y = x + x[i]
  assert y[0] < 100.0, "too large"
  y
}

## A stack of L rows, each replaced by one that depends on the rows before it.
fn rows(x: f32[L, D]) {
  for r in x carry s = zeros(f32[D]) collect {
    let n = r + s
    (n, n)
  }
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

static Struct net(int64_t d, float scale) {
  Struct result{{"w", Tensor::empty({d, d}, DType::f32)}, {"b", Tensor::empty({d}, DType::f32)}};
  for (const auto &[name, tensor] : result)
    for (int64_t i = 0; i < tensor.count(); ++i)
      tensor.data<float>()[i] = scale * static_cast<float>(i % 17 - 8) / 8;
  return result;
}

static Struct momentum(int64_t d) {
  Struct result;
  result.add("m", net(d, 0.01f));
  result.add("step", Tensor::scalar(int32_t(3)));
  return result;
}

static bool equalBits(const Struct &a, const Struct &b) {
  bool equal = a.size() == b.size();
  for (size_t i = 0; equal && i < a.size(); ++i)
    equal = a.leaf(i).second.str() == b.leaf(i).second.str() &&
            std::memcmp(a.leaf(i).second.raw(), b.leaf(i).second.raw(),
                        static_cast<size_t>(a.leaf(i).second.bytes())) == 0;
  return equal;
}

static std::vector<void *> pointers(const Struct &leaves) {
  std::vector<void *> result;
  for (const auto &[name, tensor] : leaves)
    result.push_back(tensor.raw());
  return result;
}

static heddle_memory_stats_t memory() {
  heddle_memory_stats_t stats;
  heddle_memory_stats(&stats);
  return stats;
}

static Program program() { return Program::parse(source, "donation.heddle"); }

TEST_CASE("a training step updates donated parameters in place, with the bits of one that is given copies") {
  constexpr int64_t d = 64;
  Function step = program().function("train_step");
  Tensor x = net(d, 1.0f)["w"];
  Struct p = net(d, 0.5f), s = momentum(d);
  std::vector<Struct> expected = step({p, s, x, 0.1f});
  CHECK(equalBits(p, net(d, 0.5f)));
  // The arena is there from here on.
  step.specialise({donate(p), donate(s), x, 0.1f});
  CHECK(step.stats().specialisations == 2);
  step({donate(p), donate(s), x, 0.1f});
  p = net(d, 0.5f);
  s = momentum(d);
  const std::vector<void *> before = pointers(p), stateBefore = pointers(s);

  heddle_memory_reset_peak();
  const heddle_memory_stats_t start = memory();
  std::vector<Struct> results = step({donate(p), donate(s), x, 0.1f});
  // The loss and the number 0.1 are allocated, 4 bytes each, and nothing else.
  CHECK(memory().allocations - start.allocations == 2);
  CHECK(memory().peak_bytes - start.current_bytes == 8);

  REQUIRE(results.size() == 3);
  for (size_t i = 0; i < 3; ++i)
    CHECK(equalBits(results[i], expected[i]));
  CHECK(pointers(results[1]) == before);
  CHECK(pointers(results[2]) == stateBefore);
  // What was donated is gone: to read it is an error.
  CHECK(p.size() == 2);
  CHECK_THAT(failureOf([&] { p["w"].raw(); }), Catch::Contains("it was donated to a call"));
  CHECK(failureOf([&] { step({p, momentum(d), x, 0.1f}); }) ==
        "the argument for 'p.w' is an empty tensor: nothing was assigned to it, or it was donated to an "
        "earlier "
        "call");
  CHECK(step.stats().specialisations == 2);
}

TEST_CASE("a loop in the function carries its values in donated memory") {
  constexpr int64_t d = 48;
  Function train = program().function("train");
  Tensor x = net(d, 1.0f)["w"];
  Struct p = net(d, 0.5f), s = momentum(d);
  std::vector<Struct> expected = train({p, s, x});
  train({donate(p), donate(s), x});
  p = net(d, 0.5f);
  s = momentum(d);
  const std::vector<void *> places = pointers(p), states = pointers(s);
  const int64_t before = memory().allocations;
  std::vector<Struct> results = train({donate(p), donate(s), x});
  CHECK(memory().allocations == before);
  CHECK(equalBits(results[0], expected[0]));
  CHECK(equalBits(results[1], expected[1]));
  CHECK(pointers(results[0]) == places);
  CHECK(pointers(results[1]) == states);
}

TEST_CASE("each result of a call has its own memory") {
  const Tensor given = Tensor::from<float>({1, 2, 3});
  for (Backend backend : {Backend::Compiled, Backend::Interpreter}) {
    const FunctionOptions options{.backend = backend};
    const bool native = backend == Backend::Compiled;
    auto values = [](const Tensor &t) {
      return std::vector<float>(t.values<float>().begin(), t.values<float>().end());
    };

    // Returned as it is, beside one that is computed from it.
    Tensor x = given.clone();
    void *place = x.raw();
    std::vector<Struct> results = program().function("both", options)({donate(x)});
    CHECK(values(results[0]) == std::vector<float>{2, 3, 4});
    CHECK(values(results[1]) == std::vector<float>{1, 2, 3});
    CHECK((results[1].tensor().raw() == place) == native);
    CHECK(!x.defined());

    // Two results want one input.
    x = given.clone();
    place = x.raw();
    results = program().function("two", options)({donate(x)});
    CHECK(values(results[0]) == std::vector<float>{2, 3, 4});
    CHECK(values(results[1]) == std::vector<float>{2, 4, 6});
    CHECK((results[0].tensor().raw() == place || results[1].tensor().raw() == place) == native);
    CHECK(results[0].tensor().raw() != results[1].tensor().raw());

    // Exchanged: no element moves.
    x = given.clone();
    Tensor y = Tensor::from<float>({4, 5, 6});
    place = x.raw();
    results = program().function("swap", options)({donate(x), donate(y)});
    CHECK(values(results[0]) == std::vector<float>{4, 5, 6});
    CHECK(values(results[1]) == std::vector<float>{1, 2, 3});
    CHECK((results[1].tensor().raw() == place) == native);

    // Row by row in the memory of the rows.
    Tensor stack = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2});
    place = stack.raw();
    results = program().function("rows", options)({donate(stack)});
    CHECK(values(results[0]) == std::vector<float>{9, 12});
    CHECK(values(results[1]) == std::vector<float>{1, 2, 4, 6, 9, 12});
    CHECK((results[1].tensor().raw() == place) == native);

    // Of a temporary, which no variable holds.
    CHECK(values(program().function("add", options)({donate(given.clone()), given})[0]) ==
          std::vector<float>{2, 4, 6});
  }
}

TEST_CASE("a result may be donated to the next call") {
  Function add = program().function("add");
  Tensor sum = Tensor::zeros({4}, DType::f32), one = Tensor::full({4}, 1, DType::f32);
  void *const place = sum.raw();
  for (int i = 0; i < 100; ++i)
    sum = add({donate(sum), one})[0];
  CHECK(sum.raw() == place);
  CHECK(sum.data<float>()[3] == 100.0f);
}

TEST_CASE("memory that somebody else can see is not donated, and nothing is consumed") {
  for (Backend backend : {Backend::Compiled, Backend::Interpreter}) {
    Function add = program().function("add", {.backend = backend});
    Tensor x = Tensor::from<float>({1, 2, 3}), y = Tensor::from<float>({4, 5, 6});

    const std::string twice =
        "'x' and 'y' are both donated, but they share memory\nhint: pass a clone for one of them";
    CHECK(failureOf([&] { add({donate(x), donate(x)}); }) == twice);
    Tensor same = x;
    CHECK(failureOf([&] { add({donate(x), donate(same)}); }) == twice);
    CHECK(failureOf([&] { add({donate(x), same}); }) ==
          "'x' is donated, but 'y' shares its memory\nhint: pass a clone for one of them");
    CHECK(failureOf([&] { add({same, donate(x)}); }) ==
          "'y' is donated, but 'x' shares its memory\nhint: pass a clone for one of them");
    const std::string held =
        "'x' is donated, but another Tensor, a view or a DLPack export holds its elements too\n"
        "hint: let go of the other holder, or donate a clone";
    CHECK(failureOf([&] { add({donate(x), y}); }) == held);
    same = Tensor();
    Tensor view = x.reshape({3, 1});
    CHECK(failureOf([&] { add({donate(x), y}); }) == held);
    view = view.reshape({3});
    CHECK(failureOf([&] { add({donate(x), view}); }) ==
          "'x' is donated, but 'y' shares its memory\nhint: pass a clone for one of them");
    const std::string foreign =
        "'x' is donated, but its elements belong to the host, another library, a file or "
        "another tensor\nhint: donate a clone";
    CHECK(failureOf([&] { add({donate(view), y}); }) == foreign);
    view = Tensor();
    DLManagedTensor *exported = x.toDLPack();
    CHECK(failureOf([&] { add({donate(x), y}); }) == held);
    Tensor imported = Tensor::fromDLPack(exported);
    CHECK(failureOf([&] { add({donate(imported), y}); }) == foreign);
    imported = Tensor();
    std::vector<float> memory = {1, 2, 3};
    Tensor borrowed = Tensor::borrow(memory.data(), {3}, DType::f32);
    CHECK(failureOf([&] { add({donate(borrowed), y}); }) == foreign);

    CHECK(failureOf([&] { add({donate(x), y.cast(DType::f64)}); }) ==
          "'y' is f32[N], but the argument is f64[3]\nhint: convert it with Tensor::cast");
    Tensor wrong = x.cast(DType::i32);
    CHECK(failureOf([&] { add({donate(wrong), y}); }) ==
          "'x' is f32[N], but the argument is i32[3]\nhint: convert it with Tensor::cast");
    CHECK(wrong.defined());
    Tensor longer = Tensor::zeros({4}, DType::f32);
    CHECK_THAT(failureOf([&] { add({donate(x), longer}); }), Catch::Contains("3") && Catch::Contains("4"));

    // None of these calls took x.
    CHECK(x.data<float>()[2] == 3.0f);
    CHECK(add({donate(x), y})[0].tensor().data<float>()[2] == 9.0f);
    CHECK(!x.defined());
  }
}

TEST_CASE("tensors of a struct that share memory are named, and so is a file's memory") {
  Function step = program().function("train_step");
  Tensor x = Tensor::zeros({8, 8}, DType::f32);
  Struct p{{"w", x}, {"b", Tensor::zeros({8}, DType::f32)}};
  CHECK_THAT(failureOf([&] { step({donate(p), momentum(8), x, 0.1f}); }),
             Catch::StartsWith("'p.w' is donated, but 'x' shares its memory"));
  const std::string path = (std::filesystem::temp_directory_path() / "heddle-donation.safetensors").string();
  save_safetensors(path, net(8, 1.0f));
  p = load_safetensors(path);
  std::filesystem::remove(path);
  CHECK_THAT(failureOf([&] { step({donate(p), momentum(8), x, 0.1f}); }),
             Catch::StartsWith("'p.w' is donated, but its elements belong to"));
  p = p.clone();
  CHECK(step({donate(p), momentum(8), x, 0.1f}).size() == 3);
}

TEST_CASE("a run that fails has consumed what was donated and leaves the function usable") {
  for (Backend backend : {Backend::Compiled, Backend::Interpreter}) {
    Function put = program().function("put", {.backend = backend});
    Tensor x = Tensor::from<float>({1, 2, 300});
    CHECK_THAT(failureOf([&] { put({donate(x), 2}); }), Catch::Contains("too large"));
    CHECK(!x.defined());
    x = Tensor::from<float>({1, 2, 3});
    CHECK_THAT(failureOf([&] { put({donate(x), 7}); }), Catch::Contains("7"));
    CHECK(!x.defined());
    x = Tensor::from<float>({1, 2, 3});
    CHECK(put({donate(x), 2})[0].tensor().data<float>()[0] == 4.0f);
  }
}
