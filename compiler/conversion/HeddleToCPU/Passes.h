//===- Passes.h - From heddle IR to native code for CPUs ---------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_PASSES_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_PASSES_H

#include <cstdint>
#include <memory>
#include <string>

namespace mlir {
class Pass;
} // namespace mlir

namespace heddle::cpu {

/// What the generated code may use.
struct CpuTarget {
  std::string name;     ///< LLVM's name of the processor, "znver3"; empty for the machine at hand
  std::string features; ///< LLVM's feature string, "+avx2,+fma"
  int64_t vectorBits = 256;
  bool fusedMultiplyAdd = true;
};

/// `heddle-prepare`: checks that shapes are static, drops gradient stops and fences, removes moves that do nothing, and
/// puts `heddle.check_index` before operations that read or write at run-time positions.
std::unique_ptr<mlir::Pass> createPreparePass();
/// `heddle-einsum-to-matmul`: contractions become `heddle.matmul`, others elementwise operations and reductions.
std::unique_ptr<mlir::Pass> createEinsumToMatmulPass();
/// `heddle-split-reductions`: reductions over adjacent axes only, and long ones in two steps with enough tasks each.
std::unique_ptr<mlir::Pass> createSplitReductionsPass();
/// `heddle-fuse`: groups of operations become `heddle.fusion`. Without `merge` each group holds one operation.
std::unique_ptr<mlir::Pass> createFusePass(bool merge = true);
/// `heddle-to-cpu`: buffers, kernels and launches.
std::unique_ptr<mlir::Pass> createHeddleToCPUPass(const CpuTarget &target);
/// `heddle-cpu-to-llvm`: launches and everything around them become LLVM IR, with the exported entry points.
std::unique_ptr<mlir::Pass> createCPUToLLVMPass();

/// Makes the passes above known to command lines.
void registerCPUPasses();

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_PASSES_H
