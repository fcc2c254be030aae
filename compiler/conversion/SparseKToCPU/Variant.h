// sparsek.variant_attention and its backward pass as vector code for CPUs: attention whose score, gate and
// visibility are a block of the program. The same kind of program as in Attention.h.
#pragma once

#include "compiler/conversion/Matmul/Matmul.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/SmallVector.h"
#include <string>

namespace mlir {
class ModuleOp;
class OpBuilder;
class Operation;
} // namespace mlir

namespace heddle::cpu {

/// An operand of a step, for the operation that the program was made for or an equal one.
struct VariantOperand {
  enum Kind {
    Operand,   ///< the buffer of operand `number`
    Result,    ///< the buffer of result `number`
    Workspace, ///< a part of the workspace, from byte `number` on, a multiple of 64
    Integer,   ///< `number` itself
    Call,      ///< the record of the entry's call
    Message    ///< what to report of the operation in the block that `variantReads` lists at `number`
  } kind = Integer;
  int64_t number = 0;
  mlir::MemRefType type; ///< of a buffer
};

/// A launch of a kernel of the module over the tasks [0, count).
struct VariantStep {
  std::string symbol;
  int64_t count = 0;
  llvm::SmallVector<VariantOperand, 16> operands;
};

/// The steps, one after the other. The workspace is uninitialised memory, aligned to 64 bytes.
struct VariantProgram {
  llvm::SmallVector<VariantStep, 8> steps;
  int64_t workspaceBytes = 0;
};

/// Emits the kernels of a sparsek.variant_attention or sparsek.variant_attention_backward with static shapes
/// at the end of the module, named
/// `namePrefix` + "_" + suffix. Besides the dialects of Attention.h they use math, and heddle.runtime_call
/// for reports.
VariantProgram emitVariant(mlir::OpBuilder &builder, mlir::ModuleOp module, mlir::Operation *op,
                           const MatmulTarget &target, llvm::StringRef namePrefix);

/// The reads of the block, in order.
llvm::SmallVector<mlir::Operation *> variantReads(mlir::Operation *op);

/// Why the work is the product of both lengths: the visibility bounds neither the keys of a query nor the
/// queries of a key. Empty if it does.
std::string whyQuadratic(mlir::Operation *op);

} // namespace heddle::cpu
