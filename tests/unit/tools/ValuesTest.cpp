// NAME=VALUE arguments of the command: whatever the text, a value that is consistent in itself or a message.
// Seeds are fixed; a failure prints the text.
#include "tools/heddle/Values.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <heddle/io.hpp>
#include <random>

using namespace heddle;
using namespace heddle::tool;

static std::string usageErrorOf(const std::string &text) {
  try {
    parseNamedValue(text);
  } catch (const UsageError &error) {
    std::string message = error.what();
    return message.substr(0, message.find('\n'));
  }
  return "no error";
}

TEST_CASE("Texts that are no values are refused with their column") {
  CHECK(usageErrorOf("x") == "'x' is not of the form NAME=VALUE");
  CHECK(usageErrorOf("=1") == "'=1' is not of the form NAME=VALUE");
  CHECK(usageErrorOf("x=") == "'x=': the value ends too early at column 3");
  CHECK(usageErrorOf("x=[1, [2]]") == "'x=[1, [2]]': numbers stand at different depths at column 7");
  CHECK(usageErrorOf("x=[[], 3]") == "'x=[[], 3]': numbers stand at different depths at column 8");
  CHECK(usageErrorOf("x=[[], [3]]") ==
        "'x=[[], [3]]': lists of 0 and 1 elements stand side by side at column 11");
  CHECK(usageErrorOf("x=+-5") == "'x=+-5': '+-5' is not a number at column 3");
  CHECK(usageErrorOf("x=nan(2)") == "'x=nan(2)': 'nan(2)' is not a number at column 3");
  CHECK(usageErrorOf("x=1 2") == "'x=1 2': unexpected '2' at column 5");
  CHECK(usageErrorOf("x=randint:1:9223372036854775808") ==
        "'x=randint:1:9223372036854775808': the bound 9223372036854775808 leaves nothing to draw from");
}

TEST_CASE("Random whole numbers must fit the element type") {
  NamedValue value = parseNamedValue("x=randint:1:1000");
  CHECK_THROWS_WITH(materialise(value, "", DType::i8, {3}, 0), "'x=randint:1:1000': 999 does not fit i8");
  CHECK(materialise(value, "", DType::i32, {3}, 0).count() == 3);
  CHECK(materialise(parseNamedValue("x=randint:1:128"), "", DType::i8, {3}, 0).count() == 3);
}

TEST_CASE("A part of a file of tensors is a struct of its own") {
  Struct all;
  all.add("model.w", Tensor::from<float>({1, 2}));
  all.add("model.deep.b", Tensor::from<float>({3}));
  all.add("state", Tensor::from<float>({4}));
  save_safetensors("parts.safetensors", all);
  NamedValue value = parseNamedValue("p=parts.safetensors:model");
  CHECK(shapeOf(value, "w") == Shape{2});
  CHECK(materialise(value, "deep.b", DType::f32, {1}, 0).item<float>() == 3);
  CHECK(shapeOf(parseNamedValue("p=parts.safetensors:model.deep"), "b") == Shape{1});
  CHECK_THROWS_WITH(parseNamedValue("p=parts.safetensors:mode"),
                    "'parts.safetensors' has no tensors below 'mode'");
  CHECK_THROWS_WITH(parseNamedValue("p=nothing.safetensors:model"), Catch::Contains("nothing.safetensors"));
}

/// Either message, or a value whose parts agree, as every element type that takes it.
static void examine(const std::string &text) {
  INFO("text: " << text);
  NamedValue value;
  try {
    value = parseNamedValue(text);
  } catch (const std::exception &error) {
    REQUIRE(std::string(error.what()).size() > 10);
    return;
  }
  Shape shape = {2, 3};
  if (auto *literal = std::get_if<Literal>(&value.value)) {
    shape = literal->shape;
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    REQUIRE(int64_t(literal->numbers.size()) == count);
    if (literal->integral)
      REQUIRE(literal->integers.size() == literal->numbers.size());
  }
  for (DType dtype :
       {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32, DType::i8, DType::boolean}) {
    try {
      Tensor tensor = materialise(value, "", dtype, shape, 0);
      REQUIRE(tensor.dtype() == dtype);
      REQUIRE(Shape(tensor.shape().begin(), tensor.shape().end()) == shape);
    } catch (const Error &error) {
      REQUIRE(std::string(error.what()).find(value.name) != std::string::npos);
    }
  }
}

TEST_CASE("Changed texts are values or refused") {
  const std::vector<std::string> seeds = {"x=[[1, 2], [3, 4]]",
                                          "x=[[[1.5e3, -inf]], [[nan, 0.25]]]",
                                          "p=normal:17",
                                          "q=uniform:18446744073709551615",
                                          "x=randint:3:100",
                                          "flag=[true, false]",
                                          "x=zeros",
                                          "y=-9223372036854775808",
                                          "z=[]",
                                          "w=[[], []]",
                                          "v=none.npy",
                                          "u=none.safetensors"};
  const std::vector<std::string> parts = {
      "[",    "]",   ",",   " ", "-", "+",  ".",     "e",  "1",    "0",  "99999999999999999999",
      "true", "nan", "inf", "=", ":", "\t", "1e400", "-0", "\xff", "[[", "]]"};
  std::mt19937 random(20240611);
  auto below = [&](size_t n) { return size_t(random() % n); };
  const char *longer = std::getenv("HEDDLE_FUZZ_RUNS");
  for (int run = 0, runs = longer ? std::atoi(longer) : 20000; run < runs; ++run) {
    std::string text = seeds[below(seeds.size())];
    for (size_t edits = 1 + below(4); edits > 0; --edits) {
      size_t at = below(text.size() + 1);
      switch (below(3)) {
      case 0:
        text.insert(at, parts[below(parts.size())]);
        break;
      case 1:
        text.erase(at, 1 + below(3));
        break;
      default: {
        const std::string &other = seeds[below(seeds.size())];
        text = text.substr(0, at) + other.substr(below(other.size()));
      }
      }
    }
    examine(text);
  }
}

/// Writes the elements [at, …) of a tensor as nested lists.
static std::string written(const Shape &shape, const std::vector<int64_t> &numbers, size_t axis, size_t &at) {
  if (axis == shape.size())
    return std::to_string(numbers[at++]);
  std::string text = "[";
  for (int64_t i = 0; i < shape[axis]; ++i)
    text += (i ? ", " : "") + written(shape, numbers, axis + 1, at);
  return text + "]";
}

TEST_CASE("What is written as nested lists is read back") {
  std::mt19937_64 random(7);
  for (int run = 0; run < 2000; ++run) {
    Shape shape(random() % 4);
    int64_t count = 1;
    for (int64_t &extent : shape)
      count *= extent = 1 + int64_t(random() % 4);
    std::vector<int64_t> numbers(static_cast<size_t>(count));
    for (int64_t &x : numbers)
      x = int64_t(random());
    size_t at = 0;
    std::string text = "x=" + written(shape, numbers, 0, at);
    INFO("text: " << text);
    Tensor tensor = materialise(parseNamedValue(text), "", DType::i64, shape, 0);
    REQUIRE(std::vector<int64_t>(tensor.data<int64_t>(), tensor.data<int64_t>() + count) == numbers);
  }
}
