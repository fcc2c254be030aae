//===- Attended.h - Which keys a query attends to ---------------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_INTERPRETER_ATTENDED_H
#define HEDDLE_COMPILER_INTERPRETER_ATTENDED_H

#include "compiler/interpreter/Array.h"

namespace heddle::sparsek {
class AttentionOp;
} // namespace heddle::sparsek

namespace heddle::interp {

/// A key that a query attends to.
struct Attended {
  int64_t key;
  bool selected;             ///< by its score, not by the window
  double gate;               ///< the soft gate; 1 in the window
  double keyGate, valueGate; ///< the factors in force
};

/// The keys of one query of `sparsek.attention`, in order; `operands` are those of the operation.
llvm::SmallVector<Attended> attendedKeys(sparsek::AttentionOp op, llvm::ArrayRef<Array> operands,
                                         int64_t batch, int64_t queryHead, int64_t query);

} // namespace heddle::interp

#endif // HEDDLE_COMPILER_INTERPRETER_ATTENDED_H
