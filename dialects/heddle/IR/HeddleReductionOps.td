//===- HeddleReductionOps.td - Reductions and scans -----------------------===//

#ifndef HEDDLE_REDUCTION_OPS
#define HEDDLE_REDUCTION_OPS

include "dialects/heddle/IR/HeddleDialect.td"

def Heddle_ReductionKind : Heddle_Enum<"ReductionKind", "how elements are combined", [
    I32EnumAttrCase<"sum", 0>, I32EnumAttrCase<"prod", 1>, I32EnumAttrCase<"max", 2>, I32EnumAttrCase<"min", 3>,
    I32EnumAttrCase<"any", 4>, I32EnumAttrCase<"all", 5>]>;
def Heddle_ReductionKindAttr : EnumAttr<Heddle_Dialect, Heddle_ReductionKind, "reduction">;

def Heddle_ReduceOp : Heddle_InferredOp<"reduce"> {
  let summary = "Reduction over some axes";
  let description = [{
    The axes disappear. Over nothing, `sum` is 0, `prod` 1, `max` -inf (the smallest integer), `min` +inf (the
    largest), `any` false, `all` true. `max` and `min` give NaN where an element is NaN; their cotangent is shared
    equally by the elements that attain the result. `any` and `all` take truth values, the others numbers.
    bf16 and f16 accumulate in f32. `axes` is strictly increasing.

    ```mlir
    %y = heddle.reduce sum %x axes [1] : tensor<4x8xf32> -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Heddle_ReductionKindAttr:$kind, Heddle_Tensor:$x, DenseI64ArrayAttr:$axes);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$kind $x `axes` $axes attr-dict `:` type($x) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_ArgReductionKind : Heddle_Enum<"ArgReductionKind", "which element is looked for",
    [I32EnumAttrCase<"argmax", 0>, I32EnumAttrCase<"argmin", 1>]>;
def Heddle_ArgReductionKindAttr : EnumAttr<Heddle_Dialect, Heddle_ArgReductionKind, "arg_reduction">;

def Heddle_ArgReduceOp : Heddle_InferredOp<"arg_reduce"> {
  let summary = "The position of the largest or smallest element along an axis";
  let description = [{
    The first of equal elements; a NaN counts as the element that is looked for. The axis is not empty.

    ```mlir
    %i = heddle.arg_reduce argmax %x axis 1 : tensor<4x8xf32> -> tensor<4xi32>
    ```
  }];
  let arguments = (ins Heddle_ArgReductionKindAttr:$kind, Heddle_NumberTensor:$x, I64Attr:$axis);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$kind $x `axis` $axis attr-dict `:` type($x) `->` type($result)";
}

def Heddle_CumsumOp : Heddle_PureOp<"cumsum", [SameOperandsAndResultType]> {
  let summary = "Running sums along an axis";
  let description = [{
    `cumsum(x)[i] = x[0] + ... + x[i]`; with `reverse`, `x[i] + ... + x[n - 1]`. The cotangent is the running sum in
    the other direction.

    ```mlir
    %y = heddle.cumsum %x axis 1 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Heddle_NumberTensor:$x, I64Attr:$axis, UnitAttr:$reverse);
  let results = (outs Heddle_NumberTensor:$result);
  let assemblyFormat = "$x `axis` $axis (`reverse` $reverse^)? attr-dict `:` type($x)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // HEDDLE_REDUCTION_OPS
