//===- Values.cpp - Reading NAME=VALUE ------------------------------------===//

#include "tools/heddle/Values.h"

#include <heddle/io.hpp>

#include <charconv>
#include <cmath>
#include <limits>
#include <random>

namespace heddle::tool {

namespace {

bool endsWith(const std::string &text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

/// Reads `[[1, 2], [3, 4]]`: every list of one depth has the same length.
class LiteralParser {
public:
  LiteralParser(const std::string &whole, const std::string &text) : whole(whole), text(text) {}

  Literal parse() {
    value(0);
    space();
    if (at != text.size())
      fail("unexpected '" + std::string(1, text[at]) + "'");
    return std::move(literal);
  }

private:
  [[noreturn]] void fail(const std::string &what) const {
    throw UsageError("'" + whole + "': " + what + " at column " +
                     std::to_string(whole.size() - text.size() + at + 1) +
                     "\nhint: a value is a number, a list such as [[1.0, 2.0], [3.0, 4.0]], FILE.npy, "
                     "FILE.safetensors, FILE.safetensors:PREFIX, zeros, "
                     "ones, normal:SEED, uniform:SEED or randint:SEED:HIGH");
  }

  void space() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n'))
      ++at;
  }

  void value(size_t depth) {
    space();
    if (at == text.size())
      fail("the value ends too early");
    if (text[at] != '[') {
      if (depth != literal.shape.size())
        fail("numbers stand at different depths");
      sawNumber = true;
      return number();
    }
    if (depth == HEDDLE_MAX_RANK)
      fail("more than " + std::to_string(HEDDLE_MAX_RANK) + " nested lists");
    if (sawNumber && depth >= literal.shape.size())
      fail("numbers stand at different depths");
    ++at;
    int64_t length = 0;
    bool first = depth == literal.shape.size();
    if (first)
      literal.shape.push_back(0);
    space();
    while (at < text.size() && text[at] != ']') {
      value(depth + 1);
      ++length;
      space();
      if (at < text.size() && text[at] == ',') {
        ++at;
        space();
      } else if (at < text.size() && text[at] != ']') {
        fail("expected ',' or ']'");
      }
    }
    if (at == text.size())
      fail("a '[' is not closed");
    ++at;
    if (!first && literal.shape[depth] != length)
      fail("lists of " + std::to_string(literal.shape[depth]) + " and " + std::to_string(length) +
           " elements stand side by side");
    literal.shape[depth] = length;
  }

  void number() {
    size_t end = text.find_first_of(",] \t\n", at);
    std::string word = text.substr(at, end == std::string::npos ? std::string::npos : end - at);
    double value = 0;
    if (word == "true" || word == "false") {
      value = word == "true";
      literal.integral = false;
    } else {
      literal.logical = false;
      // What from_chars takes beyond: nan(…), and a sign after the sign.
      bool signs = word.size() > 1 && word[0] == '+' && word[1] == '-';
      if (signs || word.find('(') != std::string::npos)
        fail("'" + word + "' is not a number");
      const char *begin = word.data() + (word[0] == '+'), *stop = word.data() + word.size();
      auto [used, error] = std::from_chars(begin, stop, value);
      if (error == std::errc::result_out_of_range)
        value = word[0] == '-' ? -std::numeric_limits<double>::infinity()
                               : std::numeric_limits<double>::infinity();
      else if (error != std::errc() || used != stop)
        fail("'" + word + "' is not a number");
      int64_t whole = 0;
      if (std::from_chars(begin, stop, whole).ptr != stop ||
          std::from_chars(begin, stop, whole).ec != std::errc())
        literal.integral = false;
      literal.integers.push_back(whole);
    }
    literal.numbers.push_back(value);
    at = end == std::string::npos ? text.size() : end;
  }

  const std::string &whole, &text;
  size_t at = 0;
  bool sawNumber = false;
  Literal literal;
};

uint64_t parseSeed(const std::string &whole, const std::string &text, const char *what) {
  uint64_t value = 0;
  auto [used, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || used != text.data() + text.size())
    throw UsageError("'" + whole + "': the " + what + " '" + text + "' is not a whole number of 0 or more");
  return value;
}

std::optional<Generator> parseGenerator(const std::string &whole, const std::string &text) {
  if (text == "zeros")
    return Generator{Generator::Kind::Zeros};
  if (text == "ones")
    return Generator{Generator::Kind::Ones};
  auto after = [&](std::string_view word) { return text.substr(word.size()); };
  if (text.rfind("normal:", 0) == 0)
    return Generator{Generator::Kind::Normal, parseSeed(whole, after("normal:"), "seed")};
  if (text.rfind("uniform:", 0) == 0)
    return Generator{Generator::Kind::Uniform, parseSeed(whole, after("uniform:"), "seed")};
  if (text.rfind("randint:", 0) == 0) {
    std::string rest = after("randint:");
    size_t colon = rest.find(':');
    if (colon == std::string::npos)
      throw UsageError("'" + whole +
                       "': randint needs a seed and a bound\nhint: write randint:SEED:HIGH for numbers from "
                       "0 to HIGH - 1");
    uint64_t high = parseSeed(whole, rest.substr(colon + 1), "bound");
    if (high == 0 || high > uint64_t(std::numeric_limits<int64_t>::max()))
      throw UsageError("'" + whole + "': the bound " + std::to_string(high) + " leaves nothing to draw from");
    return Generator{Generator::Kind::RandInt, parseSeed(whole, rest.substr(0, colon), "seed"),
                     int64_t(high)};
  }
  return std::nullopt;
}

/// Whole numbers as an integer type; throws for one that does not fit.
Tensor fromIntegers(const std::vector<int64_t> &numbers, const Shape &shape, DType dtype,
                    const std::string &what) {
  Tensor exact = Tensor::from(numbers, shape), tensor = exact.cast(dtype);
  Tensor back = tensor.cast(DType::i64);
  for (int64_t i = 0; i < exact.count(); ++i)
    if (back.data<int64_t>()[i] != numbers[size_t(i)])
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  what + ": " + std::to_string(numbers[size_t(i)]) + " does not fit " + heddle::name(dtype));
  return tensor;
}

Tensor generate(const Generator &generator, DType dtype, const Shape &shape, uint64_t stream,
                const std::string &what) {
  if (generator.kind == Generator::Kind::RandInt && !heddle::isFloat(dtype) && dtype != DType::boolean)
    fromIntegers({generator.high - 1}, {}, dtype, what);
  if (generator.kind == Generator::Kind::Zeros)
    return Tensor::zeros(shape, dtype);
  if (generator.kind == Generator::Kind::Ones)
    return Tensor::full(shape, 1.0, dtype);
  std::mt19937_64 engine(generator.seed + stream * 0x9e3779b97f4a7c15ull);
  auto unit = [&] { return double(engine() >> 11) * 0x1p-53; };
  if (generator.kind == Generator::Kind::RandInt) {
    Tensor tensor = Tensor::empty(shape, DType::i64);
    for (int64_t &x : tensor.values<int64_t>())
      x = int64_t(engine() % uint64_t(generator.high));
    return tensor.cast(dtype);
  }
  // In f32 first, so that every float type sees the same numbers up to rounding.
  Tensor tensor = Tensor::empty(shape, DType::f32);
  for (float &x : tensor.values<float>()) {
    double u = unit();
    x = generator.kind == Generator::Kind::Uniform
            ? float(u)
            : float(std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * M_PI * unit()));
  }
  return tensor.cast(dtype);
}

/// A tensor from a file as the leaf's type: only f32 for bf16 is converted.
Tensor accept(const Tensor &tensor, const std::string &what, DType dtype) {
  if (tensor.dtype() == dtype)
    return tensor;
  if (tensor.dtype() == DType::f32 && dtype == DType::bf16)
    return tensor.cast(dtype);
  throw Error(HEDDLE_INVALID_ARGUMENT,
              what + " holds " + heddle::name(tensor.dtype()) + ", but the parameter is " +
                  heddle::name(dtype),
              std::string("convert the file, or use cast(x, ") + heddle::name(dtype) + ") in the program");
}

/// The tensors of `FILE.safetensors:PREFIX`: those below the prefix, as a struct of their own.
std::optional<Struct> loadBelow(const std::string &text) {
  constexpr std::string_view separator = ".safetensors:";
  const size_t at = text.rfind(separator);
  if (at == std::string::npos)
    return std::nullopt;
  const size_t colon = at + separator.size() - 1;
  const std::string file = text.substr(0, colon), prefix = text.substr(colon + 1);
  Struct found = load_safetensors(file).below(prefix);
  if (found.empty())
    throw Error(HEDDLE_NOT_FOUND, "'" + file + "' has no tensors below '" + prefix + "'");
  return found;
}

std::string shapeText(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

} // namespace

NamedValue parseNamedValue(const std::string &text) {
  size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError("'" + text + "' is not of the form NAME=VALUE");
  NamedValue result{text.substr(0, equals), text.substr(equals + 1), {}};
  if (endsWith(result.text, ".npy"))
    result.value = load_npy(result.text);
  else if (endsWith(result.text, ".safetensors"))
    result.value = load_safetensors(result.text);
  else if (std::optional<Struct> part = loadBelow(result.text))
    result.value = std::move(*part);
  else if (std::optional<Generator> generator = parseGenerator(text, result.text))
    result.value = *generator;
  else
    result.value = LiteralParser(text, result.text).parse();
  return result;
}

std::optional<Shape> shapeOf(const NamedValue &value, const std::string &leaf) {
  auto vectorOf = [](const Tensor &tensor) { return Shape(tensor.shape().begin(), tensor.shape().end()); };
  if (auto *tensor = std::get_if<Tensor>(&value.value))
    return vectorOf(*tensor);
  if (auto *tensors = std::get_if<Struct>(&value.value))
    return vectorOf((*tensors)[leaf]);
  if (auto *literal = std::get_if<Literal>(&value.value))
    return literal->shape;
  return std::nullopt;
}

Tensor materialise(const NamedValue &value, const std::string &leaf, DType dtype, const Shape &shape,
                   uint64_t stream) {
  std::string what = "'" + value.name + "=" + value.text + "'";
  if (auto *generator = std::get_if<Generator>(&value.value))
    return generate(*generator, dtype, shape, stream, what);
  if (std::optional<Shape> own = shapeOf(value, leaf); *own != shape)
    throw Error(HEDDLE_INVALID_ARGUMENT, what + (leaf.empty() ? "" : " leaf '" + leaf + "'") + " has shape " +
                                             shapeText(*own) + ", but the parameter has " + shapeText(shape));
  if (auto *tensor = std::get_if<Tensor>(&value.value))
    return accept(*tensor, what, dtype);
  if (auto *tensors = std::get_if<Struct>(&value.value))
    return accept((*tensors)[leaf], what + " leaf '" + leaf + "'", dtype);
  const Literal &literal = std::get<Literal>(value.value);
  bool isFloat = heddle::isFloat(dtype);
  bool fits = literal.numbers.empty() ||
              (dtype == DType::boolean ? literal.logical : !literal.logical && (isFloat || literal.integral));
  if (!fits)
    throw Error(HEDDLE_INVALID_ARGUMENT, what + " does not hold " + heddle::name(dtype) + " numbers",
                dtype == DType::boolean ? "write true or false"
                : isFloat               ? "write numbers"
                                        : "write whole numbers");
  if (!isFloat && dtype != DType::boolean)
    return fromIntegers(literal.integers, shape, dtype, what);
  return Tensor::from(literal.numbers, shape).cast(dtype);
}

} // namespace heddle::tool
