// Random functions of heddle operations, as IR text.
#ifndef HEDDLE_TESTS_UNIT_HEDDLE_RANDOMFUNCTION_H
#define HEDDLE_TESTS_UNIT_HEDDLE_RANDOMFUNCTION_H

#include <cstdint>
#include <random>
#include <string>
#include <vector>

/// The type of a tensor in IR text.
struct TensorType {
  std::string element;
  std::vector<int64_t> shape;
  bool operator==(const TensorType &) const = default;
  std::string str() const;
};

/// A function @f of about `size` operations on small tensors: elementwise functions, constants with special
/// values, moves of elements, reductions, products, loops and conditions. Each value is used or returned with
/// some likelihood. With `signedZeros` it has no operation whose zeros may come out with either sign (largest
/// and smallest elements, and sums); without, none that makes something else of the sign of zero (quotients).
class RandomFunction {
public:
  RandomFunction(uint32_t seed, int size, bool signedZeros);

  const std::string &text() const { return program; }
  const std::vector<TensorType> &arguments() const { return argumentTypes; }

private:
  struct Value {
    std::string name;
    TensorType type;
  };

  int below(int n) { return static_cast<int>(random() % n); }
  template <typename T>
  const T &oneOf(const std::vector<T> &list) {
    return list[below(static_cast<int>(list.size()))];
  }
  std::vector<int64_t> randomShape();
  const Value &any();
  /// A value of the type or of the element type; an old one where there is one, else a new constant.
  Value like(const TensorType &type);
  Value withElement(const std::string &element);
  Value constant(const TensorType &type);
  Value emit(const std::string &operation, const TensorType &result, const std::string &types);

  void step(int depth);
  void elementwise();
  void move();
  void reduceOrMultiply();
  void loop(int depth);
  void condition(int depth);

  std::mt19937 random;
  bool signedZeros;
  int next = 0;
  std::string body, program;
  std::vector<Value> values;
  std::vector<TensorType> argumentTypes;
};

#endif
