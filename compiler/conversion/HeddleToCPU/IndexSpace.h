//===- IndexSpace.h - Linear index expressions over loops --------*- C++ -*-===//
//
// The positions at which a kernel reads and writes are sums of multiples of atoms: loop counters, quotients
// and remainders of other expressions, and indices read at run time. Every atom has a range, so most
// divisions fold: a reshape inside a kernel costs nothing where the access is linear again.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_INDEXSPACE_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_INDEXSPACE_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace heddle::cpu {

/// `constant + sum coefficient * atom`, terms sorted by atom, no zero coefficients.
struct Linear {
  int64_t constant = 0;
  llvm::SmallVector<std::pair<unsigned, int64_t>, 3> terms;

  Linear() = default;
  Linear(int64_t constant) : constant(constant) {}
  bool isConstant() const { return terms.empty(); }
  bool operator==(const Linear &other) const { return constant == other.constant && terms == other.terms; }
  bool operator!=(const Linear &other) const { return !(*this == other); }
  /// Appends a form that is equal for equal expressions.
  void profile(llvm::SmallVectorImpl<int64_t> &key) const;
};
using Indices = llvm::SmallVector<Linear, 4>;

/// Smallest and largest value of an expression.
struct Range {
  int64_t low = 0, high = 0;
};

/// Owns the atoms of one kernel.
class IndexSpace {
public:
  enum class Kind { Loop, Quotient, Remainder, RunTime, Narrowed };
  struct Atom {
    Kind kind;
    Range range;
    Linear base;         ///< what is divided (Quotient, Remainder) or known to lie in `range` (Narrowed)
    int64_t divisor = 1; ///< of Quotient and Remainder
    unsigned level = 0;  ///< the innermost loop that it changes in; 0 outside all loops
    mlir::Value value;   ///< as emitted; null in an analysis
  };

  /// A counter of the loop at `level`.
  Linear loop(Range range, unsigned level);
  /// A value computed at run time. Two calls give different atoms.
  Linear runTime(Range range, unsigned level, mlir::Value value);
  /// The same expression, known to lie in `range`.
  Linear narrowed(const Linear &x, Range range);

  Linear add(const Linear &a, const Linear &b);
  Linear scale(const Linear &a, int64_t factor);
  /// Quotient and remainder of an expression that is not negative.
  Linear quotient(const Linear &x, int64_t divisor);
  Linear remainder(const Linear &x, int64_t divisor);

  Linear linearise(llvm::ArrayRef<Linear> indices, llvm::ArrayRef<int64_t> shape);
  Indices delinearise(const Linear &x, llvm::ArrayRef<int64_t> shape);

  Range range(const Linear &x) const;
  unsigned level(const Linear &x) const;
  unsigned level(llvm::ArrayRef<Linear> indices) const;
  /// Without Narrowed atoms: what addresses are made of.
  Linear widened(const Linear &x);
  /// The coefficient of an atom; `nested` tells whether it also occurs inside a quotient, remainder or
  /// run-time atom of its level.
  int64_t coefficient(const Linear &x, const Linear &atom, bool &nested) const;

  Atom &atom(unsigned number) { return atoms[number]; }
  const Atom &atom(unsigned number) const { return atoms[number]; }
  size_t size() const { return atoms.size(); }
  static Linear single(unsigned number);

private:
  std::pair<Linear, Linear> split(const Linear &x, int64_t divisor) const;
  unsigned divisionAtom(Kind kind, const Linear &base, int64_t divisor, Range range);
  void normalise(Linear &x);

  std::vector<Atom> atoms;
};

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_INDEXSPACE_H
