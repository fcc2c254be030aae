// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Random configurations of SPARSEK attention, and how results are compared.
#pragma once

#include "Oracle.h"

#include <heddle/heddle.hpp>

#include <ostream>
#include <rapidcheck.h>
#include <string>

namespace heddle::laws {

struct Configuration {
  Sizes sizes;
  Gate gate = Gate::Both;
  bool straightThrough = false, ownScale = false;
  DType element = DType::f32;
  size_t family = 0; ///< of scores
  uint32_t seed = 0; ///< of the numbers

  static rc::Gen<Configuration> any();

  /// The same shape with other scores and numbers.
  Configuration withOtherScores() const;

  std::string text() const;
  /// A program with `both` (o, the gradients and what is selected), `tangent` (o and its tangent) and
  /// `in_pieces`: a prompt of P positions, a piece of A that is appended, and the rest one by one.
  std::string program() const;
  /// The numbers, rounded to their element types.
  Attention attention() const;

  bool holdsNaN() const;
  DType scoreType() const { return element == DType::f64 ? DType::f64 : DType::f32; }
  double scale() const;
};

inline std::ostream &operator<<(std::ostream &out, const Configuration &c) { return out << c.text(); }

/// What runs compiled code: the environment's HEDDLE_LAWS_DEVICE (cpu, cuda), otherwise this processor.
Device compiledDevice();

/// A tensor's elements, widened.
Numbers numbersOf(const Tensor &tensor);
/// The numbers as an element type.
Tensor tensorOf(const Numbers &numbers, const Shape &shape, DType type);

/// The scalar product; the absolute values of its terms are added to `scale`.
double inner(const Numbers &x, const Numbers &y, double &scale);

/// Norms of a difference, of what it is a difference from, and of the weights of that.
struct Distance {
  double difference = 0, norm = 0, weight = 0;
  bool sameNaN = true; ///< NaN stands in the same places, infinities too

  /// How far the difference is beyond a relative error and the rounding of the summands; 0 or less is fine.
  double excess(double relative, double rounding) const {
    return sameNaN ? difference - relative * norm - rounding * weight : 1e300;
  }
};
Distance distance(const Numbers &got, const Result &expected);

} // namespace heddle::laws
