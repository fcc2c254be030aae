// Sums whose result does not depend on their order. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/Steps.h"

namespace heddle::gpu::attention {

/// Sums in the workspace as integers: multiples of 2^-48 of a power of two above all terms, in two words of
/// 64 bits, so that atomic additions give equal bits in any order, for up to 2^39 terms of a sum. A term that
/// is not finite makes its sum NaN.
class ExactSums {
public:
  /// Adds the step that clears them, with a kernel of this name. `type`: of the terms, f32 or f64.
  ExactSums(StepBuilder &builder, llvm::StringRef name, int64_t elements, mlir::Type type);

  DeviceOperand operand() const { return memory; }

  /// The same in a kernel that has the operand.
  class Code {
  public:
    Code(KernelCode &k, const ExactSums &sums, unsigned number);
    /// Before terms are added: all threads of a block see some of them, or bounds of them.
    void observe(Scalar term);
    void add(Scalar term, Scalar at); ///< at: i64
    Scalar value(Scalar at);          ///< f64

  private:
    Scalar exponent(Scalar term); ///< biased, i32
    Scalar scale(bool inverse);   ///< f64
    KernelCode &k;
    const ExactSums &sums;
    Pointer top, words, broken;
  };

private:
  const int64_t elements;
  const mlir::Type type;
  DeviceOperand
      memory; ///< the largest exponent negated, at byte 256 the words, then marks of what is not finite
};

} // namespace heddle::gpu::attention
