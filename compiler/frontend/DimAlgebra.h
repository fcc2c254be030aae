//===- DimAlgebra.h - Polynomials of dimensions -----------------------------===//
//
// Private to Dim's own files.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/frontend/Dim.h"
#include <algorithm>
#include <limits>
#include <numeric>

namespace heddle::frontend {

/// Coefficients stay in [-coefficientLimit, coefficientLimit], so that negation never overflows.
inline constexpr int64_t coefficientLimit = std::numeric_limits<int64_t>::max();

inline int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_add_overflow(a, b, &result))
    return std::max(result, -coefficientLimit);
  return a < 0 ? -coefficientLimit : coefficientLimit;
}

inline int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_mul_overflow(a, b, &result))
    return std::max(result, -coefficientLimit);
  return (a < 0) != (b < 0) ? -coefficientLimit : coefficientLimit;
}

/// Quotient and remainder rounded towards minus infinity; b is not 0.
inline int64_t floorDiv(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }
inline int64_t floorMod(int64_t a, int64_t b) { return a - floorDiv(a, b) * b; }

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

} // namespace heddle::frontend
