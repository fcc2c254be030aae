// SPARSEK attention as vector code for CPUs: plan it, then emit its kernels into a module.
//
// The program of one attention is a short sequence of steps: calls of the runtime's selection functions and
// launches of kernels. A kernel is
//   func.func private @kernel(%begin: index, %end: index, %operands...: memref<Extent x Element>)
// to be run over the tasks [0, count), in any split and order, on any number of threads: tasks of one step
// write disjoint memory, and every sum has an order that depends on the specification and the target alone.
#pragma once

#include "compiler/conversion/Matmul/Matmul.h"
#include <cstdint>
#include <optional>
#include <string>

namespace mlir {
class ModuleOp;
class OpBuilder;
class Operation;
class Type;
} // namespace mlir

namespace heddle::cpu {

/// What the gate multiplies; as sparsek's attribute.
enum class AttentionGate { Both, Value, None };

/// The caller's buffers. DX belongs to X: its cotangent in the backward pass, its tangent in the tangent
/// pass. The workspace is uninitialised memory, aligned to 64 bytes.
enum class AttentionArgument {
  Q,
  K,
  V,
  U,
  Hi,
  Lo,
  End,
  O,
  Lse,
  DOut,
  DLse,
  DQ,
  DK,
  DV,
  DU,
  DTau,
  Bounds,
  Workspace
};

/// One attention with static shapes: q [batch, queryHeads, length, keyWidth], k [batch, heads, length,
/// keyWidth], v [batch, heads, length, valueWidth], u, hi, lo, end [batch, heads, length]; o like q with
/// valueWidth. The scores, thresholds and statistics are f64 where the elements are, f32 otherwise; so is all
/// arithmetic.
struct AttentionSpec {
  int64_t batch = 1;
  int64_t queryHeads = 1;
  int64_t heads = 1;
  int64_t length = 0;
  int64_t keyWidth = 1;
  int64_t valueWidth = 1;
  int64_t topk = 0;
  int64_t window = 0;
  double scale = 1;
  AttentionGate gate = AttentionGate::Both;
  bool straightThrough = false;
  bool packed = false; ///< several sequences along the length, with bounds [2, length] of each position's
  MatmulElement element = MatmulElement::F32;
  /// Which of the operands that may be left out are there, as bits of AttentionArgument: DLse in the backward
  /// pass, DQ to DTau in the tangent pass.
  uint32_t given = 0;

  int64_t rows() const { return batch * heads; }
  int64_t group() const { return queryHeads / heads; }
  bool has(AttentionArgument argument) const { return given >> int(argument) & 1; }
  void give(AttentionArgument argument) { given |= uint32_t(1) << int(argument); }

  /// Reads a sparsek.attention, sparsek.attention_backward or sparsek.attention_tangent with static shapes;
  /// nothing for other operations.
  static std::optional<AttentionSpec> of(mlir::Operation *op);
};

/// An operand of a step: a whole buffer as memref<extent x element>, a part of the workspace, or an integer.
struct AttentionOperand {
  enum class Element { Input, Score, I32 };
  bool isInteger = false;
  int64_t integer = 0;
  AttentionArgument argument = AttentionArgument::Workspace;
  int64_t byteOffset = 0; ///< within the workspace, a multiple of 64; 0 for other buffers
  Element element = Element::Input;
  int64_t extent = 0; ///< in elements
};

/// One step; steps run one after the other.
struct AttentionStep {
  /// True: `symbol` is a C function of the runtime (<heddle/cpu_sparsek.h>) that takes the call's record and
  /// then the operands as pointers and int64_t. False: `symbol` is a kernel of the module, and operands are
  /// memrefs.
  bool isRuntimeCall = false;
  std::string symbol;
  int64_t count = 0; ///< tasks of a kernel
  int64_t grain = 1; ///< tasks of one call, at most
  llvm::SmallVector<AttentionOperand, 16> operands;
};

struct AttentionProgram {
  llvm::SmallVector<AttentionStep, 4> steps;
  int64_t workspaceBytes = 0;
};

/// The memref type of an operand that is not an integer.
mlir::Type attentionOperandType(mlir::OpBuilder &builder, const AttentionSpec &spec,
                                const AttentionOperand &operand);

/// The steps of sparsek.attention, sparsek.attention_backward and sparsek.attention_tangent. Their kernels
/// are emitted at the end of the module and named `namePrefix` + "_" + suffix. The IR uses func, scf, memref,
/// vector and arith; every memref argument carries llvm.noalias: lower with bare pointers.
AttentionProgram emitAttentionForward(mlir::OpBuilder &builder, mlir::ModuleOp module,
                                      const AttentionSpec &spec, const MatmulTarget &target,
                                      llvm::StringRef namePrefix);
AttentionProgram emitAttentionBackward(mlir::OpBuilder &builder, mlir::ModuleOp module,
                                       const AttentionSpec &spec, const MatmulTarget &target,
                                       llvm::StringRef namePrefix);
AttentionProgram emitAttentionTangent(mlir::OpBuilder &builder, mlir::ModuleOp module,
                                      const AttentionSpec &spec, const MatmulTarget &target,
                                      llvm::StringRef namePrefix);

} // namespace heddle::cpu
