//===- Check.td - Expectations in tests -----------------------------------===//

#ifndef HEDDLE_CHECK
#define HEDDLE_CHECK

include "mlir/IR/OpBase.td"

def Check_Dialect : Dialect {
  let name = "check";
  let cppNamespace = "::heddle::check";
  let summary = "Expectations about values, for tests that heddle-interp runs";
}

class Check_Op<string mnemonic, list<Trait> traits = []> : Op<Check_Dialect, mnemonic, traits>;

def Check_ExpectEqOp : Check_Op<"expect_eq", [SameTypeOperands]> {
  let summary = "Two arrays are equal";
  let description = [{
    Every element of `actual` is that of `expected`; NaN equals NaN, and 0 equals -0.

    ```mlir
    check.expect_eq %y, %expected : tensor<4xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$actual, AnyRankedTensor:$expected);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
}

def Check_ExpectCloseOp : Check_Op<"expect_close", [SameTypeOperands]> {
  let summary = "Two arrays are nearly equal";
  let description = [{
    `|actual - expected| <= atol + rtol |expected|` for every element; NaN is close to NaN only, an infinity to itself
    only.

    ```mlir
    check.expect_close %y, %expected {rtol = 1.0e-6, atol = 1.0e-7} : tensor<4xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$actual, AnyRankedTensor:$expected, DefaultValuedAttr<F64Attr, "0.0">:$rtol,
                       DefaultValuedAttr<F64Attr, "0.0">:$atol);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
}

#endif // HEDDLE_CHECK
