// Programs that an earlier process compiled: what is taken from the cache, and what is compiled again.
#include "tests/unit/cache/CacheFolder.h"

#include <heddle/heddle.hpp>

#include <cstring>

using namespace heddle;

static const char *const source = R"(fn step(x: f32[N], y: f32[N], rate: f32) -> (f32[N], f32) {
  let error = x - y
  (x - rate * error, sum(error * error))
}

fn pick(x: f32[N], i: i32) -> f32 {
  x[i]
}

fn product(a: f32[M, K], b: f32[K, N]) -> f32[M, N] {
  a @ b
}
)";

namespace {

/// A cache of its own for one test.
struct Cache : CacheFolder {
  Cache() { setenv("HEDDLE_CACHE", path.c_str(), 1); }
  ~Cache() { setenv("HEDDLE_CACHE", "off", 1); }

  int64_t files() const {
    return std::filesystem::exists(path) ? std::distance(std::filesystem::directory_iterator(path), {}) : 0;
  }
};

std::vector<float> floats(const Tensor &tensor) {
  Tensor host = tensor.to(Device::cpu());
  return {host.data<float>(), host.data<float>() + host.count()};
}

/// How many of a function's specialisations came from the cache.
std::pair<int64_t, int64_t> counts(const Function &function) {
  return {function.stats().specialisations, function.stats().fromCache};
}

using Counts = std::pair<int64_t, int64_t>;

Function make(const std::string &name, FunctionOptions options = {}, const std::string &file = "f.heddle",
              const std::string &text = source) {
  return Program::parse(text, file).function(name, std::move(options));
}

std::vector<Device> devices() { return {Device::cpu(), Device::cuda(0)}; }

} // namespace

TEST_CASE("a program is compiled once, on the CPU and on a GPU") {
  for (Device device : devices()) {
    Cache cache;
    std::vector<std::vector<float>> results;
    for (int process = 0; process < 3; ++process) {
      Function step = make("step", {.device = device});
      auto out = step({Tensor::from<float>({1, 2, 3}), Tensor::from<float>({1, 1, 1}), 0.5f});
      CHECK(floats(out[0].tensor()) == std::vector<float>{1, 1.5, 2});
      CHECK(floats(out[1].tensor()) == std::vector<float>{5});
      CHECK(counts(step) == Counts{1, process > 0});
      CHECK(step.stats().arenaBytes >= 0);
    }
    CHECK(cache.files() == 1);
  }
}

TEST_CASE("what code depends on is part of its key") {
  Cache cache;
  auto run = [](Function step, int64_t size) {
    step({Tensor::zeros({size}, DType::f32), Tensor::zeros({size}, DType::f32), 1.0f});
    return step.stats().fromCache;
  };
  CHECK(run(make("step"), 3) == 0);
  CHECK(run(make("step"), 4) == 0);                                             // shapes
  CHECK(run(make("step", {.cpu = "x86-64-v2"}), 3) == 0);                       // the processor
  CHECK(run(make("step", {.decompose = true}), 3) == 0);                        // options
  CHECK(run(make("step", {.device = Device::cuda(0)}), 3) == 0);                // the device
  CHECK(run(make("step", {}, "g.heddle"), 3) == 0);                             // the file that messages name
  CHECK(run(make("step", {}, "f.heddle", "\n" + std::string(source)), 3) == 0); // and the lines
  CHECK(cache.files() == 7);
  CHECK(run(make("step"), 3) == 1);
  CHECK(run(make("step", {.cpu = "x86-64-v2"}), 3) == 1);
  CHECK(run(make("step", {.device = Device::cuda(0)}), 3) == 1);
  // Comments change no position here.
  CHECK(run(make("step", {}, "f.heddle", std::string(source) + "# the end\n"), 3) == 1);
  CHECK(run(make("step", {.backend = Backend::Interpreter}), 3) == 0);
  CHECK(cache.files() == 7);
}

TEST_CASE("donation works as in code that was just compiled") {
  for (Device device : devices()) {
    Cache cache;
    for (int process = 0; process < 2; ++process) {
      Function step = make("step", {.device = device});
      Tensor x = Tensor::from<float>({1, 2, 3}).to(device);
      const void *memory = x.raw();
      auto out = step({donate(x), Tensor::from<float>({1, 1, 1}), 0.5f});
      CHECK(out[0].tensor().raw() == memory);
      CHECK(floats(out[0].tensor()) == std::vector<float>{1, 1.5, 2});
      Tensor kept = Tensor::from<float>({1, 2, 3}).to(device);
      step({kept, Tensor::from<float>({1, 1, 1}), 0.5f});
      CHECK(floats(kept) == std::vector<float>{1, 2, 3});
      CHECK(counts(step) == Counts{2, process ? 2 : 0});
    }
  }
}

TEST_CASE("failures name the place in the program, also from the cache") {
  for (Device device : devices()) {
    Cache cache;
    for (int process = 0; process < 2; ++process) {
      Function pick = make("pick", {.device = device});
      std::string message;
      try {
        pick({Tensor::zeros({4}, DType::f32), 7});
      } catch (const Error &error) {
        message = error.what();
      }
      CHECK(message == "f.heddle:7:3: error: index 7 is outside a dimension of 4\n"
                       "    x[i]\n"
                       "    ^");
      CHECK(counts(pick) == Counts{1, process});
    }
  }
}

TEST_CASE("products keep their bits") {
  for (Device device : devices()) {
    Cache cache;
    Tensor a = Tensor::empty({37, 29}, DType::f32), b = Tensor::empty({29, 41}, DType::f32);
    for (int64_t i = 0; i < a.count(); ++i)
      a.data<float>()[i] = 1 / float(i + 1);
    for (int64_t i = 0; i < b.count(); ++i)
      b.data<float>()[i] = float(i % 7) - 2.5f;
    Function first = make("product", {.device = device}), second = make("product", {.device = device});
    CHECK(floats(first({a, b})[0].tensor()) == floats(second({a, b})[0].tensor()));
    CHECK(counts(second) == Counts{1, 1});
  }
}

TEST_CASE("a damaged entry is compiled again") {
  Cache cache;
  const std::vector<Argument> arguments = {Tensor::from<float>({1, 2}), Tensor::from<float>({1, 1}), 1.0f};
  make("step")(arguments);
  const std::filesystem::path file = *std::filesystem::directory_iterator(cache.path);
  const auto bytes = std::filesystem::file_size(file);
  std::filesystem::resize_file(file, bytes / 2);
  Function again = make("step");
  CHECK(complaints([&] { CHECK(floats(again(arguments)[1].tensor()) == std::vector<float>{1}); }) ==
        "heddle: warning: '" + file.string() + "' is damaged, and is made again\n");
  CHECK(counts(again) == Counts{1, 0});
  CHECK(std::filesystem::file_size(file) == bytes);
  Function third = make("step");
  third(arguments);
  CHECK(counts(third) == Counts{1, 1});
}

TEST_CASE("switched off, nothing is kept") {
  Cache cache;
  setenv("HEDDLE_CACHE", "off", 1);
  for (int process = 0; process < 2; ++process) {
    Function step = make("step");
    step({Tensor::from<float>({1}), Tensor::from<float>({1}), 1.0f});
    CHECK(counts(step) == Counts{1, 0});
  }
  CHECK(cache.files() == 0);
}
