// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Random blocks after `attention(…)`, as programs of the language.
#pragma once

#include <heddle/heddle.hpp>

#include <random>
#include <string>
#include <vector>

namespace heddle::laws {

/// A program `both(q, k, v, captures…, cotangent) -> (o, gradients)` around one attention whose block
/// computes score, gate and visibility by random operations on s, the positions and elements of the captured
/// tensors: at (h, i), (h, j), (b, h, j), by distance, and through tables of numbers. No operation makes
/// numbers much larger than those it is given, so that rounding stays what it is, and no comparison reads a
/// float.
class RandomBlock {
public:
  RandomBlock(uint32_t seed, DType type);

  const std::string &program() const { return text; }
  /// Arguments of `both`.
  std::vector<Argument> arguments() const;
  /// What the results are called, in order.
  const std::vector<std::string> &results() const { return names; }

private:
  struct Parameter {
    std::string name, dims; ///< dims as in the type, "" for a scalar
    Shape shape;
    int32_t bound = 0; ///< a table of numbers below it; 0: floats
  };

  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  const std::string &any(const std::vector<std::string> &pool) {
    return pool[static_cast<size_t>(pick(0, static_cast<int64_t>(pool.size()) - 1))];
  }
  /// Adds `let x = expression` to the block; the name.
  std::string let(const std::string &expression);
  std::string number();
  std::string condition();
  std::string visibility();
  void write();

  std::mt19937 random;
  DType type;
  int64_t batches, heads, group, queries, keys, width, valueWidth;
  bool square; ///< as many keys as queries
  std::string options;
  std::vector<Parameter> parameters;
  std::vector<std::string> numbers, whole, names;
  int count = 0;
  std::string block, text;
};

} // namespace heddle::laws
