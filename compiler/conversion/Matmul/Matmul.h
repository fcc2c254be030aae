// A dense matrix product as packed, register-tiled vector code: plan it, then emit its kernels into a module.
//
//   C[b, m, n] (+)= sum_k A[b, m, k] * B[b, k, n]
//
// A product is a short sequence of phases. Each phase is one private function
//   func.func private @kernel(%begin: index, %end: index, %operands...: memref<Extent x Element>)
// that the caller runs over the tasks [0, count), in any split and order, on any number of threads. Tasks of
// one phase write disjoint memory, and every element of C is summed in an order that depends on the
// specification and the target alone, so the bits do not depend on how the tasks are spread.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>

namespace mlir {
class ModuleOp;
class MLIRContext;
class OpBuilder;
class Type;
} // namespace mlir

namespace heddle::cpu {

/// Element types of the operands. Products of bf16 and f16 are accumulated in f32 and rounded to nearest even
/// once, when C is stored.
enum class MatmulElement { F64, F32, BF16, F16 };

/// The element for a builtin float type, or nothing if a product has no such element.
std::optional<MatmulElement> matmulElement(mlir::Type type);
mlir::Type matmulElementType(mlir::MLIRContext *context, MatmulElement element);

/// Bytes of one element: 8, 4, 2 and 2.
int64_t matmulElementBytes(MatmulElement element);

/// Where element (batch, row, column) of an operand lives in its flat buffer, in elements:
/// batch * batchStride + row * rowStride + column * columnStride. Strides are not negative.
struct MatmulOperand {
  MatmulElement element = MatmulElement::F32;
  int64_t batchStride = 0;
  int64_t rowStride = 0;
  int64_t columnStride = 1;
  /// Elements of the flat memref that a kernel takes; 0 means just enough for the last element.
  int64_t extent = 0;
};

/// One product with static shapes: A is m x k, B is k x n, C is m x n, each repeated `batch` times. A batch
/// stride of 0 in A or B shares the matrix between batches. Sizes may be 0. A and B both have f64 elements,
/// or neither has; then C is f64 too, or not.
struct MatmulSpec {
  int64_t batch = 1;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  MatmulOperand a;
  MatmulOperand b;
  MatmulOperand c;
  /// Adds to C instead of overwriting it.
  bool accumulate = false;

  /// Contiguous operands of one element type; a transposed operand is stored as k x m, or n x k.
  static MatmulSpec contiguous(int64_t batch, int64_t m, int64_t n, int64_t k,
                               MatmulElement element = MatmulElement::F32, bool transposeA = false,
                               bool transposeB = false);
};

/// What the generated code may use. The fields describe one core.
struct MatmulTarget {
  int64_t vectorBits = 256;     ///< 128, 256 or 512
  int64_t vectorRegisters = 16; ///< architectural registers of that width
  int64_t l1Bytes = 32 << 10;
  int64_t l2Bytes = 512 << 10;
  bool fusedMultiplyAdd = true; ///< FMA3 or AVX-512
  bool halfConversions = true;  ///< F16C; otherwise f16 is converted by integer arithmetic

  /// A workspace beyond this is not worth its memory: tasks pack their own part of B then.
  int64_t workspaceLimit = int64_t(256) << 20;

  // Overrides for tuning; 0 leaves the choice to the planner.
  int64_t tileRows = 0;    ///< most rows of a register tile
  int64_t tileVectors = 0; ///< vectors of a row of a register tile
  int64_t kBlock = 0;      ///< most k steps of one pass over C
  int64_t rowPanels = 0;   ///< most row panels of a task

  /// The psABI levels: 2 = SSE4.2, 3 = AVX2 with FMA, 4 = AVX-512.
  static MatmulTarget x86Level(int level);
  /// The machine that runs this code, with its cache sizes where the system tells them.
  static MatmulTarget host();
  /// A psABI level, or with 0 the machine that runs this code.
  static MatmulTarget of(int level) { return level ? x86Level(level) : host(); }
};

/// The memory that a kernel takes, in the order of its arguments.
enum class MatmulArgument { A, B, C, Workspace };

/// One phase: run the kernel over the tasks [0, count) before the next phase starts.
struct MatmulPhase {
  std::string suffix; ///< appended to the name prefix: "pack", "product", "fill"
  int64_t count = 0;
  llvm::SmallVector<MatmulArgument, 4> arguments;
};

/// How the multiplication is carried out.
enum class MatmulStrategy {
  Nothing, ///< C is empty, or nothing is added to it
  Fill,    ///< k = 0: C becomes zero
  Dot,     ///< a vector times rows that are contiguous along k: dot products
  Tiled    ///< register tiles over (packed) panels
};

/// Where a tile reads an operand from.
enum class MatmulSource {
  Direct, ///< the operand itself
  Shared, ///< panels packed by an earlier phase into the workspace (B only)
  Local   ///< packed by the task into its stack
};

/// All decisions about one product. Made by planMatmul; the fields are for tests, reports and the emitter.
struct MatmulPlan {
  MatmulSpec spec; ///< normalised: batches folded into rows, products with one column turned into one row
  MatmulTarget target;
  MatmulStrategy strategy = MatmulStrategy::Nothing;
  MatmulElement accumulator = MatmulElement::F32;
  int64_t lanes = 8; ///< accumulator elements of one vector

  // Register tiles: `rowPanels` panels, of which the first `tallPanels` have `tileRows` rows and the others
  // one row less; columns in panels of `tileVectors` vectors, the last one possibly partial.
  int64_t tileRows = 0;
  int64_t tileVectors = 0;
  int64_t rowPanels = 0;
  int64_t tallPanels = 0;
  int64_t columnPanels = 0;

  int64_t kBlock = 0; ///< k steps of one pass over a C tile
  MatmulSource sourceA = MatmulSource::Direct;
  MatmulSource sourceB = MatmulSource::Direct;

  // Tasks: batch x columnTasks x rowTasks blocks of panels.
  int64_t rowPanelsPerTask = 0;
  int64_t columnPanelsPerTask = 0;
  int64_t rowTasks = 0;
  int64_t columnTasks = 0;

  // Copies in the stack of a task, in accumulator elements. A is copied row by row, or else as [k][rows].
  int64_t stackElementsA = 0;
  int64_t stackElementsB = 0;
  bool copyRows = false;
  int64_t copyRowLength = 0;

  int64_t packSteps = 0;   ///< k steps of one task of the pack phase
  bool swapped = false;    ///< A and B were exchanged: C is computed as its transpose
  bool wideC = false;      ///< partial sums over k blocks are kept in the workspace, since C is narrower
  int64_t wideCOffset = 0; ///< where, in accumulator elements

  /// Bytes of the workspace, to be aligned to 64; its memref holds accumulator elements. 0: no workspace.
  int64_t workspaceBytes = 0;
  llvm::SmallVector<MatmulPhase, 2> phases;

  int64_t lastColumnLanes() const { return spec.n - (columnPanels - 1) * tileVectors * lanes; }
  bool blocked() const { return kBlock < spec.k; }
};

/// Chooses tiles, blocks and tasks. `threadsHint` > 0 lets the number of tasks follow it; results do not
/// depend on it. Asserts nothing about caller errors: sizes and strides must be as MatmulSpec says.
MatmulPlan planMatmul(const MatmulSpec &spec, const MatmulTarget &target, int64_t threadsHint = 0);

/// A kernel as emitted: its symbol, the number of tasks and the caller's buffers that it takes, in order.
/// A and B are those of the specification that the caller planned, also if the plan exchanged them.
struct KernelCall {
  std::string symbol;
  int64_t count = 0;
  llvm::SmallVector<MatmulArgument, 4> arguments;
};

/// The type of the flat memref that kernels take for an argument: memref<extent x element>.
mlir::Type matmulArgumentType(mlir::OpBuilder &builder, const MatmulPlan &plan, MatmulArgument argument);

/// Emits the kernels of the plan at the end of the module, named `namePrefix` + "_" + suffix, and returns
/// them in the order in which they must run. The IR uses func, scf, memref, vector and arith; every memref
/// argument carries llvm.noalias, so lower the functions with the bare pointer convention.
llvm::SmallVector<KernelCall, 2> emitMatmulKernels(mlir::OpBuilder &builder, mlir::ModuleOp module,
                                                   const MatmulPlan &plan, llvm::StringRef namePrefix);

} // namespace heddle::cpu
