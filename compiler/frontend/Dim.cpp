//===- Dim.cpp - Symbolic dimensions ----------------------------------------===//
#include "compiler/frontend/Dim.h"
#include <algorithm>
#include <limits>
#include <numeric>

namespace heddle::frontend {

/// Coefficients stay in [-limit, limit], so that negation never overflows.
static constexpr int64_t limit = std::numeric_limits<int64_t>::max();

static int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_add_overflow(a, b, &result))
    return std::max(result, -limit);
  return a < 0 ? -limit : limit;
}

static int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_mul_overflow(a, b, &result))
    return std::max(result, -limit);
  return (a < 0) != (b < 0) ? -limit : limit;
}

/// Quotient and remainder rounded towards minus infinity; b is not 0.
static int64_t floorDiv(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }
static int64_t floorMod(int64_t a, int64_t b) { return a - floorDiv(a, b) * b; }

//===----------------------------------------------------------------------===//
// Polynomials
//===----------------------------------------------------------------------===//

struct Dim::Algebra {
  static std::vector<const Factor *> sorted(const Term &term) {
    std::vector<const Factor *> factors;
    for (const Factor &factor : term.factors)
      factors.push_back(&factor);
    std::sort(factors.begin(), factors.end(), [](auto *a, auto *b) { return a->key < b->key; });
    return factors;
  }

  /// The same text for the same product in any order.
  static std::string key(const Term &term) {
    std::string result;
    for (const Factor *factor : sorted(term))
      result += factor->key + "^" + std::to_string(factor->power) + "*";
    return result;
  }

  /// The lexicographic order of monomials that division needs.
  static bool lexLess(const Term &a, const Term &b) {
    auto left = sorted(a), right = sorted(b);
    for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
      if (left[i]->key != right[i]->key)
        return left[i]->key > right[i]->key;
      if (left[i]->power != right[i]->power)
        return left[i]->power < right[i]->power;
    }
    return left.size() < right.size();
  }

  static void addTerm(Polynomial &terms, const Term &term) {
    if (term.coefficient == 0)
      return;
    std::string name = key(term);
    for (size_t i = 0; i < terms.size(); ++i) {
      if (key(terms[i]) != name)
        continue;
      terms[i].coefficient = saturatingAdd(terms[i].coefficient, term.coefficient);
      if (terms[i].coefficient == 0)
        terms.erase(terms.begin() + i);
      return;
    }
    terms.push_back(term);
  }

  static Polynomial add(Polynomial a, const Polynomial &b, int64_t scale = 1) {
    for (Term term : b) {
      term.coefficient = saturatingMul(term.coefficient, scale);
      addTerm(a, term);
    }
    return a;
  }

  static Term multiply(const Term &a, const Term &b) {
    Term product = a;
    product.coefficient = saturatingMul(a.coefficient, b.coefficient);
    for (const Factor &factor : b.factors) {
      auto same = std::find_if(product.factors.begin(), product.factors.end(),
                               [&](const Factor &other) { return other.key == factor.key; });
      if (same != product.factors.end())
        same->power += factor.power;
      else
        product.factors.push_back(factor);
    }
    return product;
  }

  static Polynomial multiply(const Polynomial &a, const Polynomial &b) {
    Polynomial product;
    for (const Term &x : a)
      for (const Term &y : b)
        addTerm(product, multiply(x, y));
    return product;
  }

  static std::optional<Term> divide(const Term &a, const Term &b) {
    if (b.coefficient == 0 || a.coefficient % b.coefficient != 0)
      return std::nullopt;
    Term quotient = a;
    quotient.coefficient = a.coefficient / b.coefficient;
    for (const Factor &factor : b.factors) {
      auto same = std::find_if(quotient.factors.begin(), quotient.factors.end(),
                               [&](const Factor &other) { return other.key == factor.key; });
      if (same == quotient.factors.end() || same->power < factor.power)
        return std::nullopt;
      same->power -= factor.power;
      if (same->power == 0)
        quotient.factors.erase(same);
    }
    return quotient;
  }

  /// a / b where that is a polynomial.
  static std::optional<Polynomial> divide(Polynomial a, const Polynomial &b) {
    Polynomial quotient;
    if (b.empty())
      return std::nullopt;
    const Term &lead = *std::max_element(b.begin(), b.end(), lexLess);
    // Each step removes a's leading monomial; the bound only guards against saturated coefficients.
    for (int step = 0; step < 256 && !a.empty(); ++step) {
      std::optional<Term> factor = divide(*std::max_element(a.begin(), a.end(), lexLess), lead);
      if (!factor)
        return std::nullopt;
      addTerm(quotient, *factor);
      a = add(std::move(a), multiply({*factor}, b), -1);
    }
    if (!a.empty())
      return std::nullopt;
    return quotient;
  }

  /// Divides both by their common monomial and makes b's leading coefficient positive.
  static void cancel(Polynomial &a, Polynomial &b) {
    int64_t content = 0;
    for (const Polynomial *terms : {&a, &b})
      for (const Term &term : *terms)
        content = std::gcd(content, term.coefficient);
    Term common{content == 0 ? 1 : content, b.front().factors};
    for (const Polynomial *terms : {&a, &b})
      for (const Term &term : *terms) {
        for (Factor &factor : common.factors) {
          auto same = std::find_if(term.factors.begin(), term.factors.end(),
                                   [&](const Factor &other) { return other.key == factor.key; });
          factor.power = same == term.factors.end() ? 0 : std::min(factor.power, same->power);
        }
        std::erase_if(common.factors, [](const Factor &factor) { return factor.power == 0; });
      }
    if (std::max_element(b.begin(), b.end(), lexLess)->coefficient < 0)
      common.coefficient = -common.coefficient;
    for (Polynomial *terms : {&a, &b})
      for (Term &term : *terms)
        if (std::optional<Term> reduced = divide(term, common))
          term = *reduced;
  }

  static bool isOne(const Polynomial &terms) {
    return terms.size() == 1 && terms.front().coefficient == 1 && terms.front().factors.empty();
  }

  static Polynomial one() { return {Term{1, {}}}; }

  static const Polynomial &orOne(const Polynomial &denominator) {
    static const Polynomial unit = one();
    return denominator.empty() ? unit : denominator;
  }

  static std::string canonical(const Polynomial &terms) {
    std::vector<std::string> parts;
    for (const Term &term : terms)
      parts.push_back(key(term) + std::to_string(term.coefficient));
    std::sort(parts.begin(), parts.end());
    std::string result;
    for (const std::string &part : parts)
      result += part + "+";
    return result;
  }

  static std::string printFactor(const Factor &factor, bool alone);
  static std::string print(const Polynomial &terms);

  /// Whether the text of a polynomial needs brackets beside `*` or `/`; a divisor also does as a product.
  static bool isSum(const Polynomial &terms) { return terms.size() > 1 || terms.front().coefficient < 0; }
  static bool isProduct(const Polynomial &terms) {
    const Term &term = terms.front();
    size_t count = term.coefficient != 1;
    for (const Factor &factor : term.factors)
      count += factor.power;
    return terms.size() == 1 && count > 1;
  }
  static std::string divisionString(const Polynomial &a, const Polynomial &b) {
    std::string left = print(a), right = print(b);
    if (!a.empty() && isSum(a))
      left = "(" + left + ")";
    if (isSum(b) || isProduct(b))
      right = "(" + right + ")";
    return left + " / " + right;
  }

  static Dim evaluate(const Polynomial &terms, const DimMap &values, bool &exact);
  static void collect(const Polynomial &terms, std::vector<std::string> &names);
};

//===----------------------------------------------------------------------===//
// Dim
//===----------------------------------------------------------------------===//

Dim::Dim(int64_t value) {
  if (value != 0)
    numerator.push_back({std::max(value, -limit), {}});
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

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

std::string Dim::canonical() const {
  return Algebra::canonical(numerator) + "/" + Algebra::canonical(denominator);
}

std::string Dim::Algebra::printFactor(const Factor &factor, bool alone) {
  if (!factor.function)
    return factor.key;
  const Dim &lhs = factor.function->lhs, &rhs = factor.function->rhs;
  Dim unreduced;
  unreduced.numerator = multiply(lhs.numerator, orOne(rhs.denominator));
  unreduced.denominator = multiply(orOne(lhs.denominator), rhs.numerator);
  auto bracketed = [](const Dim &dim) {
    bool simple =
        dim.isPolynomial() && !dim.numerator.empty() && !isSum(dim.numerator) && !isProduct(dim.numerator);
    return simple ? dim.str() : "(" + dim.str() + ")";
  };
  switch (factor.function->function) {
  case DimFunction::CeilDiv:
    return "ceil(" + unreduced.str() + ")";
  case DimFunction::FloorDiv:
    return "floor(" + unreduced.str() + ")";
  case DimFunction::Mod: {
    std::string text = bracketed(lhs) + " % " + bracketed(rhs);
    return alone ? text : "(" + text + ")";
  }
  case DimFunction::Min:
    return "min(" + lhs.str() + ", " + rhs.str() + ")";
  case DimFunction::Max:
    return "max(" + lhs.str() + ", " + rhs.str() + ")";
  }
  return factor.key;
}

std::string Dim::Algebra::print(const Polynomial &terms) {
  if (terms.empty())
    return "0";
  std::string result;
  for (const Term &term : terms) {
    bool negative = term.coefficient < 0;
    if (result.empty())
      result += negative ? "-" : "";
    else
      result += negative ? " - " : " + ";
    std::string magnitude = std::to_string(term.coefficient);
    if (negative)
      magnitude.erase(0, 1);
    bool shown = magnitude != "1" || term.factors.empty();
    if (shown)
      result += magnitude;
    for (const Factor &factor : term.factors)
      for (unsigned i = 0; i < factor.power; ++i) {
        if (shown)
          result += " * ";
        bool alone = terms.size() == 1 && term.factors.size() == 1 && factor.power == 1 && magnitude == "1" &&
                     !negative;
        result += printFactor(factor, alone);
        shown = true;
      }
  }
  return result;
}

std::string Dim::str() const {
  return isPolynomial() ? Algebra::print(numerator) : Algebra::divisionString(numerator, denominator);
}

} // namespace heddle::frontend
