//===- DimPrint.cpp - Dimensions as text ------------------------------------===//
#include "compiler/frontend/DimAlgebra.h"

namespace heddle::frontend {

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
