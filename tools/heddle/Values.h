//===- Values.h - NAME=VALUE arguments of the command line ------*- C++ -*-===//
#pragma once

#include <heddle/struct.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace heddle::tool {

/// Numbers in nested brackets, `2.5` or `[[1, 2], [3, 4]]`, before their element type is known.
struct Literal {
  Shape shape;
  std::vector<double> numbers;
  std::vector<int64_t> integers; ///< the same, exactly, while `integral`
  /// Every number is written without point, exponent, inf or nan.
  bool integral = true;
  /// Every number is `true` or `false`.
  bool logical = true;
};

/// Elements made up for a shape that comes from elsewhere.
struct Generator {
  enum class Kind { Zeros, Ones, Normal, Uniform, RandInt } kind;
  uint64_t seed = 0;
  int64_t high = 0; ///< RandInt draws from [0, high)
};

/// One NAME=VALUE.
struct NamedValue {
  std::string name, text;
  std::variant<Tensor, Struct, Literal, Generator> value;
};

/// Malformed on the command line: exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads `NAME=VALUE`, files included. Throws UsageError for a malformed text and Error for a bad file.
NamedValue parseNamedValue(const std::string &text);

/// The tensor of a parameter's leaf: `shape` is where it is already known (of a generator it must be).
/// Refuses what does not fit, naming both sides; f32 files are accepted for bf16. `stream` separates the
/// leaves of a struct.
Tensor materialise(const NamedValue &value, const std::string &leaf, DType dtype, const Shape &shape,
                   uint64_t stream);

/// The shape that the value itself has, or empty for a generator.
std::optional<Shape> shapeOf(const NamedValue &value, const std::string &leaf);

} // namespace heddle::tool
