//===- IndexSpace.cpp - Linear index expressions over loops ---------------===//

#include "compiler/conversion/HeddleToCPU/IndexSpace.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <numeric>

using namespace heddle::cpu;

void Linear::profile(llvm::SmallVectorImpl<int64_t> &key) const {
  key.push_back(constant);
  key.push_back((int64_t)terms.size());
  for (auto [number, coefficient] : terms) {
    key.push_back(number);
    key.push_back(coefficient);
  }
}

Linear IndexSpace::single(unsigned number) {
  Linear x;
  x.terms.push_back({number, 1});
  return x;
}

Linear IndexSpace::loop(Range range, unsigned level) {
  if (range.low == range.high)
    return Linear(range.low);
  atoms.push_back({Kind::Loop, range, {}, 1, level, {}});
  return single(atoms.size() - 1);
}

Linear IndexSpace::runTime(Range range, unsigned level, mlir::Value value) {
  if (range.low == range.high)
    return Linear(range.low);
  atoms.push_back({Kind::RunTime, range, {}, 1, level, value});
  return single(atoms.size() - 1);
}

Linear IndexSpace::narrowed(const Linear &x, Range to) {
  Range now = range(x);
  if (now.low >= to.low && now.high <= to.high)
    return x;
  to = {std::max(now.low, to.low), std::min(now.high, to.high)};
  if (to.low >= to.high)
    return Linear(to.low); // a single value, or an access that is never made
  for (auto [number, atom] : llvm::enumerate(atoms))
    if (atom.kind == Kind::Narrowed && atom.base == x && atom.range.low == to.low &&
        atom.range.high == to.high)
      return single(number);
  atoms.push_back({Kind::Narrowed, to, x, 1, level(x), {}});
  return single(atoms.size() - 1);
}

Range IndexSpace::range(const Linear &x) const {
  Range result{x.constant, x.constant};
  for (auto [number, coefficient] : x.terms) {
    Range r = atoms[number].range;
    result.low += coefficient * (coefficient > 0 ? r.low : r.high);
    result.high += coefficient * (coefficient > 0 ? r.high : r.low);
  }
  return result;
}

unsigned IndexSpace::level(const Linear &x) const {
  unsigned result = 0;
  for (auto [number, coefficient] : x.terms)
    result = std::max(result, atoms[number].level);
  return result;
}

unsigned IndexSpace::level(llvm::ArrayRef<Linear> indices) const {
  unsigned result = 0;
  for (const Linear &x : indices)
    result = std::max(result, level(x));
  return result;
}

/// `divisor * (x / divisor) + x % divisor` is x: joins such pairs, multiplied by any factor.
void IndexSpace::normalise(Linear &x) {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto [number, coefficient] : x.terms) {
      Atom remainderAtom = atoms[number];
      if (remainderAtom.kind != Kind::Remainder)
        continue;
      Linear whole = quotient(remainderAtom.base, remainderAtom.divisor);
      if (whole.terms.size() != 1 || whole.constant != 0 || whole.terms[0].second != 1)
        continue;
      unsigned partner = whole.terms[0].first;
      auto at = llvm::find_if(x.terms, [&](auto &term) { return term.first == partner; });
      if (at == x.terms.end() || at->second != coefficient * remainderAtom.divisor)
        continue;
      int64_t factor = coefficient;
      unsigned self = number;
      llvm::erase_if(x.terms, [&](auto &term) { return term.first == partner || term.first == self; });
      x = add(x, scale(remainderAtom.base, factor));
      changed = true;
      break;
    }
  }
}

Linear IndexSpace::add(const Linear &a, const Linear &b) {
  Linear sum;
  sum.constant = a.constant + b.constant;
  auto i = a.terms.begin(), j = b.terms.begin();
  while (i != a.terms.end() || j != b.terms.end()) {
    if (j == b.terms.end() || (i != a.terms.end() && i->first < j->first)) {
      sum.terms.push_back(*i++);
    } else if (i == a.terms.end() || j->first < i->first) {
      sum.terms.push_back(*j++);
    } else {
      if (int64_t coefficient = i->second + j->second)
        sum.terms.push_back({i->first, coefficient});
      ++i, ++j;
    }
  }
  normalise(sum);
  return sum;
}

Linear IndexSpace::scale(const Linear &a, int64_t factor) {
  Linear product;
  if (factor == 0)
    return product;
  product.constant = a.constant * factor;
  for (auto [number, coefficient] : a.terms)
    product.terms.push_back({number, coefficient * factor});
  return product;
}

unsigned IndexSpace::divisionAtom(Kind kind, const Linear &base, int64_t divisor, Range range) {
  for (auto [number, atom] : llvm::enumerate(atoms))
    if (atom.kind == kind && atom.divisor == divisor && atom.base == base)
      return number;
  atoms.push_back({kind, range, base, divisor, level(base), {}});
  return atoms.size() - 1;
}

static int64_t floorDivide(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

/// Splits x into multiples of the divisor and the rest, which is not negative.
std::pair<Linear, Linear> IndexSpace::split(const Linear &x, int64_t divisor) const {
  Linear multiple, rest;
  multiple.constant = floorDivide(x.constant, divisor) * divisor;
  rest.constant = x.constant - multiple.constant;
  for (auto term : x.terms)
    (term.second % divisor == 0 ? multiple : rest).terms.push_back(term);
  // A term with a negative coefficient needs some of the constant back.
  if (int64_t low = range(rest).low; low < 0) {
    int64_t lift = floorDivide(-low + divisor - 1, divisor) * divisor;
    rest.constant += lift;
    multiple.constant -= lift;
  }
  return {multiple, rest};
}

static Linear divideExactly(Linear x, int64_t divisor) {
  x.constant /= divisor;
  for (auto &term : x.terms)
    term.second /= divisor;
  return x;
}

/// The greatest common divisor of the coefficients of x, of its constant and of `divisor`.
static int64_t commonDivisor(const Linear &x, int64_t divisor) {
  int64_t g = std::gcd(divisor, x.constant);
  for (auto &term : x.terms)
    g = std::gcd(g, term.second);
  return g;
}

Linear IndexSpace::quotient(const Linear &x, int64_t divisor) {
  if (divisor == 1)
    return x;
  auto [multiple, rest] = split(x, divisor);
  Linear result = divideExactly(multiple, divisor);
  Range r = range(rest);
  if (r.low >= 0 && r.high < divisor)
    return result;
  int64_t g = commonDivisor(rest, divisor);
  rest = divideExactly(rest, g);
  int64_t d = divisor / g;
  if (rest.constant == 0 && rest.terms.size() == 1 && rest.terms[0].second == 1) {
    Atom inner = atoms[rest.terms[0].first];
    if (inner.kind == Kind::Quotient)
      return add(result, quotient(inner.base, inner.divisor * d));
    // (x % (d e)) / d is (x / d) % e.
    if (inner.kind == Kind::Remainder && inner.divisor % d == 0)
      return add(result, remainder(quotient(inner.base, d), inner.divisor / d));
  }
  r = range(rest);
  unsigned number = divisionAtom(Kind::Quotient, rest, d,
                                 {std::max<int64_t>(0, floorDivide(r.low, d)), floorDivide(r.high, d)});
  return add(result, single(number));
}

Linear IndexSpace::remainder(const Linear &x, int64_t divisor) {
  if (divisor == 1)
    return Linear(0);
  Linear rest = split(x, divisor).second;
  Range r = range(rest);
  if (r.low >= 0 && r.high < divisor)
    return rest;
  int64_t g = commonDivisor(rest, divisor);
  rest = divideExactly(rest, g);
  int64_t d = divisor / g;
  if (rest.constant == 0 && rest.terms.size() == 1 && rest.terms[0].second == 1) {
    Atom inner = atoms[rest.terms[0].first];
    if (inner.kind == Kind::Remainder && inner.divisor % d == 0)
      return scale(remainder(inner.base, d), g);
  }
  unsigned number = divisionAtom(Kind::Remainder, rest, d, {0, d - 1});
  return scale(single(number), g);
}

Linear IndexSpace::linearise(llvm::ArrayRef<Linear> indices, llvm::ArrayRef<int64_t> shape) {
  Linear sum;
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    sum = add(sum, scale(indices[d], stride));
    stride *= shape[d];
  }
  return sum;
}

Indices IndexSpace::delinearise(const Linear &x, llvm::ArrayRef<int64_t> shape) {
  Indices indices(shape.size());
  Linear rest = x;
  for (size_t d = shape.size(); d-- > 0;) {
    int64_t extent = std::max<int64_t>(shape[d], 1);
    indices[d] = d == 0 && range(rest).high < extent ? rest : remainder(rest, extent);
    rest = quotient(rest, extent);
  }
  return indices;
}

Linear IndexSpace::widened(const Linear &x) {
  Linear result(x.constant);
  for (auto [number, coefficient] : x.terms) {
    Atom atom = atoms[number];
    result =
        add(result, scale(atom.kind == Kind::Narrowed ? widened(atom.base) : single(number), coefficient));
  }
  return result;
}

int64_t IndexSpace::coefficient(const Linear &x, const Linear &of, bool &nested) const {
  if (of.terms.empty())
    return 0;
  unsigned target = of.terms[0].first;
  int64_t result = 0;
  for (auto [number, coefficient] : x.terms) {
    const Atom &atom = atoms[number];
    if (number == target)
      result += coefficient;
    else if (atom.kind == Kind::Narrowed)
      result += coefficient * this->coefficient(atom.base, of, nested);
    else if (atom.kind == Kind::RunTime)
      nested |= atom.level >= atoms[target].level;
    else if (this->coefficient(atom.base, of, nested) != 0)
      nested = true;
  }
  return result;
}
