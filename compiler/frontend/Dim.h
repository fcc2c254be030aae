//===- Dim.h - Symbolic dimensions ------------------------------------------===//
//
// A dimension is a quotient of two polynomials with integer coefficients. The variables of the polynomials
// are the dimension variables of the program and the applications of a few integer functions (`ceil(N / 2)`,
// `N % 2`). Two dimensions are equal when they are equal as rational functions, whatever the variables are.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::frontend {

class Dim;

/// What dimension variables stand for.
using DimMap = std::map<std::string, Dim, std::less<>>;

/// Integer functions that polynomials cannot express.
enum class DimFunction : uint8_t { CeilDiv, FloorDiv, Mod, Min, Max };

/// A symbolic or known extent. Arithmetic saturates at the limits of int64_t instead of overflowing.
class Dim {
public:
  /// A known value; the default is 0.
  Dim(int64_t value = 0);

  /// The dimension variable `name`.
  static Dim variable(std::string_view name);

  /// `function(lhs, rhs)`: evaluated where both are known, otherwise kept as an unknown of its own.
  /// A zero divisor keeps it unknown.
  static Dim apply(DimFunction function, const Dim &lhs, const Dim &rhs);

  /// lhs / rhs without remainder. Empty when it is known not to be exact, or when rhs is 0.
  static std::optional<Dim> divide(const Dim &lhs, const Dim &rhs);

  Dim operator+(const Dim &other) const;
  Dim operator-(const Dim &other) const;
  Dim operator*(const Dim &other) const;
  Dim operator-() const;
  Dim &operator+=(const Dim &other) { return *this = *this + other; }
  Dim &operator*=(const Dim &other) { return *this = *this * other; }

  /// Equality for all values of the variables.
  bool operator==(const Dim &other) const;
  bool operator!=(const Dim &other) const { return !(*this == other); }

  bool isConstant() const;
  /// The value, which must be known.
  int64_t value() const;
  std::optional<int64_t> constant() const;
  bool isConstant(int64_t expected) const { return isConstant() && value() == expected; }

  /// How many terms the polynomials hold once multiplied out.
  size_t termCount() const { return numerator.size() + denominator.size(); }

  /// -1, 0 or 1 when the order of the two is the same for all non-negative values of the variables (0 only
  /// for equality); empty when it depends on them.
  std::optional<int> compare(const Dim &other) const;

  /// Whether *this >= other follows from all variables being non-negative.
  bool provablyAtLeast(const Dim &other) const;

  /// Replaces variables that are in `values`, also inside functions. Empty when a division is then not exact.
  std::optional<Dim> substitute(const DimMap &values) const;

  /// The value of `name` for which *this equals `target`. Empty when the variable does not occur linearly,
  /// when it also occurs inside a function, or when the division is not exact.
  std::optional<Dim> solveFor(std::string_view name, const Dim &target) const;

  /// The variables, each once, in the order of their first use; those inside functions included.
  std::vector<std::string> variables() const;

  /// As a user writes it: `H * E`, `N + 1`, `(N - 1) / 2`.
  std::string str() const;

private:
  struct Function;
  /// A power of a variable or of a function application. `key` names it uniquely.
  struct Factor {
    std::string key;
    std::shared_ptr<const Function> function; // null for a variable
    unsigned power = 1;
  };
  struct Term {
    int64_t coefficient = 0;
    std::vector<Factor> factors; // in the order of writing, with distinct keys
  };
  /// Terms in the order of writing, with distinct products and coefficients other than 0.
  using Polynomial = std::vector<Term>;
  struct Algebra; // the operations on polynomials, in Dim.cpp

  Dim(Polynomial numerator, Polynomial denominator);
  bool isPolynomial() const { return denominator.empty(); }
  std::string canonical() const;

  Polynomial numerator;
  Polynomial denominator; // empty stands for 1
};

struct Dim::Function {
  DimFunction function;
  Dim lhs, rhs;
};

} // namespace heddle::frontend
