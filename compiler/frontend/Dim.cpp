//===- Dim.cpp - Symbolic dimensions ----------------------------------------===//
#include "compiler/frontend/DimAlgebra.h"

namespace heddle::frontend {

Dim::Dim(int64_t value) {
  if (value != 0)
    numerator.push_back({std::max(value, -coefficientLimit), {}});
}

Dim::Dim(Polynomial a, Polynomial b) : numerator(std::move(a)) {
  if (b.empty() || Algebra::isOne(b) || numerator.empty())
    return;
  Algebra::cancel(numerator, b);
  if (Algebra::isOne(b))
    return;
  if (std::optional<Polynomial> quotient = Algebra::divide(numerator, b))
    numerator = std::move(*quotient);
  else
    denominator = std::move(b);
}

Dim Dim::variable(std::string_view name) {
  Dim result;
  result.numerator.push_back({1, {Factor{std::string(name), nullptr, 1}}});
  return result;
}

Dim Dim::apply(DimFunction function, const Dim &lhs, const Dim &rhs) {
  bool divides =
      function == DimFunction::CeilDiv || function == DimFunction::FloorDiv || function == DimFunction::Mod;
  if (lhs.isConstant() && rhs.isConstant() && (!divides || rhs.value() != 0)) {
    int64_t a = lhs.value(), b = rhs.value();
    switch (function) {
    case DimFunction::CeilDiv:
      return floorDiv(a, b) + (floorMod(a, b) != 0);
    case DimFunction::FloorDiv:
      return floorDiv(a, b);
    case DimFunction::Mod:
      return floorMod(a, b);
    case DimFunction::Min:
      return std::min(a, b);
    case DimFunction::Max:
      return std::max(a, b);
    }
  }
  if (divides && !rhs.numerator.empty()) {
    std::optional<Dim> quotient = divide(lhs, rhs);
    if (quotient && quotient->isPolynomial())
      return function == DimFunction::Mod ? Dim(0) : *quotient;
  }
  if (!divides) {
    bool wantsSmaller = function == DimFunction::Min;
    if (lhs.provablyAtLeast(rhs))
      return wantsSmaller ? rhs : lhs;
    if (rhs.provablyAtLeast(lhs))
      return wantsSmaller ? lhs : rhs;
  }
  static constexpr const char *names[] = {"ceil", "floor", "mod", "min", "max"};
  Factor factor;
  factor.key = std::string(names[size_t(function)]) + "(" + lhs.canonical() + "," + rhs.canonical() + ")";
  factor.function = std::make_shared<const Function>(Function{function, lhs, rhs});
  Dim result;
  result.numerator.push_back({1, {factor}});
  return result;
}

std::optional<Dim> Dim::divide(const Dim &lhs, const Dim &rhs) {
  if (rhs.numerator.empty())
    return std::nullopt;
  Dim result(Algebra::multiply(lhs.numerator, Algebra::orOne(rhs.denominator)),
             Algebra::multiply(Algebra::orOne(lhs.denominator), rhs.numerator));
  if (result.isPolynomial())
    return result;
  // Over a known divisor, a multiple of it plus a remainder is never exact.
  const Polynomial &divisor = result.denominator;
  if (divisor.size() == 1 && divisor.front().factors.empty()) {
    int64_t remainder = 0;
    bool restDivides = true;
    for (const Term &term : result.numerator) {
      if (term.factors.empty())
        remainder = floorMod(term.coefficient, divisor.front().coefficient);
      else
        restDivides &= floorMod(term.coefficient, divisor.front().coefficient) == 0;
    }
    if (restDivides && remainder != 0)
      return std::nullopt;
  }
  return result;
}

Dim Dim::operator+(const Dim &other) const {
  if (isPolynomial() && other.isPolynomial())
    return Dim(Algebra::add(numerator, other.numerator), {});
  return Dim(Algebra::add(Algebra::multiply(numerator, Algebra::orOne(other.denominator)),
                          Algebra::multiply(other.numerator, Algebra::orOne(denominator))),
             Algebra::multiply(Algebra::orOne(denominator), Algebra::orOne(other.denominator)));
}

Dim Dim::operator-() const { return Dim(Algebra::add({}, numerator, -1), denominator); }
Dim Dim::operator-(const Dim &other) const { return *this + -other; }

Dim Dim::operator*(const Dim &other) const {
  return Dim(Algebra::multiply(numerator, other.numerator),
             Algebra::multiply(Algebra::orOne(denominator), Algebra::orOne(other.denominator)));
}

bool Dim::operator==(const Dim &other) const { return (*this - other).numerator.empty(); }

bool Dim::isConstant() const {
  return isPolynomial() &&
         (numerator.empty() || (numerator.size() == 1 && numerator.front().factors.empty()));
}

int64_t Dim::value() const { return numerator.empty() ? 0 : numerator.front().coefficient; }

std::optional<int64_t> Dim::constant() const {
  return isConstant() ? std::optional<int64_t>(value()) : std::nullopt;
}

/// Whether all coefficients have the given sign.
static bool allOfSign(const auto &terms, bool positive) {
  return std::all_of(terms.begin(), terms.end(),
                     [&](const auto &term) { return (term.coefficient > 0) == positive; });
}

bool Dim::provablyAtLeast(const Dim &other) const {
  Dim difference = *this - other;
  return allOfSign(difference.numerator, true) && allOfSign(difference.denominator, true);
}

std::optional<int> Dim::compare(const Dim &other) const {
  Dim difference = *this - other;
  if (difference.numerator.empty())
    return 0;
  bool hasConstant = std::any_of(difference.numerator.begin(), difference.numerator.end(),
                                 [](const Term &term) { return term.factors.empty(); });
  if (!hasConstant || !allOfSign(difference.denominator, true))
    return std::nullopt;
  if (allOfSign(difference.numerator, true))
    return 1;
  if (allOfSign(difference.numerator, false))
    return -1;
  return std::nullopt;
}

Dim Dim::Algebra::evaluate(const Polynomial &terms, const DimMap &values, bool &exact) {
  Dim sum;
  for (const Term &term : terms) {
    Dim product(term.coefficient);
    for (const Factor &factor : term.factors) {
      Dim base(Polynomial{Term{1, {Factor{factor.key, factor.function, 1}}}}, {});
      if (!factor.function) {
        if (auto found = values.find(factor.key); found != values.end())
          base = found->second;
      } else {
        std::optional<Dim> lhs = factor.function->lhs.substitute(values);
        std::optional<Dim> rhs = factor.function->rhs.substitute(values);
        exact &= lhs && rhs;
        if (!exact)
          return sum;
        base = Dim::apply(factor.function->function, *lhs, *rhs);
      }
      for (unsigned i = 0; i < factor.power; ++i)
        product *= base;
    }
    sum += product;
  }
  return sum;
}

std::optional<Dim> Dim::substitute(const DimMap &values) const {
  bool exact = true;
  Dim top = Algebra::evaluate(numerator, values, exact);
  if (!exact)
    return std::nullopt;
  if (isPolynomial())
    return top;
  Dim bottom = Algebra::evaluate(denominator, values, exact);
  return exact ? divide(top, bottom) : std::nullopt;
}

std::optional<Dim> Dim::solveFor(std::string_view name, const Dim &target) const {
  auto mentions = [&](const std::vector<std::string> &names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<std::string> names;
  Algebra::collect(denominator, names);
  if (mentions(names))
    return std::nullopt;
  Polynomial slope, rest;
  for (const Term &term : numerator) {
    Term others{term.coefficient, {}};
    bool linear = false;
    for (const Factor &factor : term.factors) {
      if (!factor.function && factor.key == name) {
        if (factor.power != 1)
          return std::nullopt;
        linear = true;
        continue;
      }
      if (factor.function &&
          (mentions(factor.function->lhs.variables()) || mentions(factor.function->rhs.variables())))
        return std::nullopt;
      others.factors.push_back(factor);
    }
    (linear ? slope : rest).push_back(others);
  }
  if (slope.empty())
    return std::nullopt;
  Dim offset = target * Dim(Algebra::orOne(denominator), {}) - Dim(rest, {});
  return divide(offset, Dim(slope, {}));
}

void Dim::Algebra::collect(const Polynomial &terms, std::vector<std::string> &names) {
  auto note = [&](const std::string &name) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  };
  for (const Term &term : terms)
    for (const Factor &factor : term.factors) {
      if (!factor.function) {
        note(factor.key);
        continue;
      }
      for (const Dim *side : {&factor.function->lhs, &factor.function->rhs})
        for (const std::string &name : side->variables())
          note(name);
    }
}

std::vector<std::string> Dim::variables() const {
  std::vector<std::string> names;
  Algebra::collect(numerator, names);
  Algebra::collect(denominator, names);
  return names;
}

} // namespace heddle::frontend
