//===- Passes.td - Elementary functions as arithmetic ---------------------===//

#ifndef HEDDLE_MATH_EXPANSION_PASSES
#define HEDDLE_MATH_EXPANSION_PASSES

include "mlir/Pass/PassBase.td"

def ExpandMath : Pass<"heddle-expand-math", "::mlir::ModuleOp"> {
  let summary = "Replace elementary functions by branch-free arithmetic that LLVM can vectorise";
  let description = [{
    Rewrites `math.exp`, `exp2`, `expm1`, `log`, `log1p`, `tanh`, `erf`, `sin`, `cos` and `powf` on f32, and `exp` and
    `log` on f64, on scalars and fixed vectors of any rank, into `arith` operations, `math.fma`, `math.roundeven`,
    `math.floor`, `math.absf` and `math.copysign`: no calls, branches, tables or integer divisions. f16 and bf16 are
    computed in f32. The other functions of the list on f64 become calls of the C library, lane by lane on vectors;
    `library=false` leaves them as they are, for code of GPUs.

    `math.fma` makes LLVM call the C library on a target without that instruction: `fused=false` emits products and sums
    there. Infinities, NaNs, signed zeros and subnormal numbers behave as C's functions do. The folder's README states
    the errors.

    ```mlir
    %y = math.exp %x : f32
    // ==>
    %shifted = math.fma %clamped, %log2e, %magic : f32
    %n = arith.subf %shifted, %magic : f32
    %high = math.fma %n, %minus_ln2_high, %clamped : f32
    %r = math.fma %n, %minus_ln2_low, %high : f32
    // a polynomial in %r, then two products with powers of two
    ```
  }];
  let options = [Option<"fused", "fused", "bool", "true", "The target has fused multiply-add">,
                 Option<"library", "library", "bool", "true", "Call the C library for what is not expanded">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}

#endif // HEDDLE_MATH_EXPANSION_PASSES
