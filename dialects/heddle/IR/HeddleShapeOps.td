//===- HeddleShapeOps.td - Creation and movement of elements --------------===//

#ifndef HEDDLE_SHAPE_OPS
#define HEDDLE_SHAPE_OPS

include "dialects/heddle/IR/HeddleDialect.td"

def Heddle_ConstantOp : Heddle_PureOp<"constant", [ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "A constant tensor";
  let description = [{
    `constant = value`.

    ```mlir
    %c = heddle.constant dense<1.0> : tensor<4xf32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def Heddle_IotaOp : Heddle_PureOp<"iota"> {
  let summary = "The index along one axis";
  let description = [{
    `iota(axis)[i0, i1, ...] = i_axis`, in the result's element type.

    ```mlir
    %i = heddle.iota axis 1 : tensor<4x8xi32>
    ```
  }];
  let arguments = (ins I64Attr:$axis);
  let results = (outs Heddle_NumberTensor:$result);
  let assemblyFormat = "`axis` $axis attr-dict `:` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Heddle_BroadcastOp : Heddle_PureOp<"broadcast"> {
  let summary = "Repetition along new axes";
  let description = [{
    Axis i of the operand becomes axis `axes[i]` of the result, with the same extent; the operand is repeated along
    the other axes. `axes` is strictly increasing. The cotangent is summed over the other axes.

    ```mlir
    %y = heddle.broadcast %x axes [1] : tensor<8xf32> -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, DenseI64ArrayAttr:$axes);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$x `axes` $axes attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_ReshapeOp : Heddle_PureOp<"reshape"> {
  let summary = "The same elements in row-major order under another shape";
  let description = [{
    The number of elements stays.

    ```mlir
    %y = heddle.reshape %x : tensor<4x8xf32> -> tensor<32xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_TransposeOp : Heddle_InferredOp<"transpose"> {
  let summary = "Axes in another order";
  let description = [{
    Axis i of the result is axis `permutation[i]` of the operand.

    ```mlir
    %y = heddle.transpose %x permutation [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, DenseI64ArrayAttr:$permutation);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$x `permutation` $permutation attr-dict `:` type($x) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_SliceOp : Heddle_InferredOp<"slice"> {
  let summary = "A strided box of elements";
  let description = [{
    `slice(x)[i] = x[starts + i * strides]` for `0 <= i < sizes`, all inside x; strides are positive.

    ```mlir
    %y = heddle.slice %x starts [0, 1] sizes [4, 3] strides [1, 2] : tensor<4x8xf32> -> tensor<4x3xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$sizes,
                       DenseI64ArrayAttr:$strides);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$x `starts` $starts `sizes` $sizes `strides` $strides attr-dict `:` type($x) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_PadOp : Heddle_InferredOp<"pad"> {
  let summary = "A border, and gaps between elements, filled with one value";
  let description = [{
    Along axis d the result has `low[d]` values, then the elements with `interior[d]` values between neighbours, then
    `high[d]` values. All three are not negative. The cotangent of x is the strided slice that undoes the padding.

    ```mlir
    %y = heddle.pad %x, %zero low [0, 1] high [0, 2] interior [0, 0] : tensor<4x8xf32>, tensor<f32> -> tensor<4x11xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, Heddle_Tensor:$value, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       DenseI64ArrayAttr:$interior);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = [{
    $x `,` $value `low` $low `high` $high `interior` $interior attr-dict `:` type($x) `,` type($value) `->` type($result)
  }];
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_ConcatOp : Heddle_InferredOp<"concat"> {
  let summary = "Tensors one after another along an axis";
  let description = [{
    All extents but that of `axis` agree; there is at least one operand.

    ```mlir
    %y = heddle.concat %a, %b axis 0 : (tensor<4x8xf32>, tensor<2x8xf32>) -> tensor<6x8xf32>
    ```
  }];
  let arguments = (ins Variadic<Heddle_Tensor>:$inputs, I64Attr:$axis);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` functional-type($inputs, $result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Heddle_ReverseOp : Heddle_PureOp<"reverse", [SameOperandsAndResultType]> {
  let summary = "Elements in the opposite order along some axes";
  let description = [{
    `reverse(x)[i] = x[n - 1 - i]` along each of `axes`.

    ```mlir
    %y = heddle.reverse %x axes [0] : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, DenseI64ArrayAttr:$axes);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$x `axes` $axes attr-dict `:` type($x)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Heddle_DynamicSliceOp : Heddle_InferredOp<"dynamic_slice"> {
  let summary = "A block along one axis that starts at a run-time position";
  let description = [{
    `size` elements along `axis` from `start`, which must satisfy `0 <= start <= extent - size`: anything else is a
    run-time error at the operation's location.

    ```mlir
    %y = heddle.dynamic_slice %x[%i] axis 1 size 1 : tensor<4x8xf32>, tensor<i32> -> tensor<4x1xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, Heddle_IndexScalar:$start, I64Attr:$axis, I64Attr:$size);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = [{
    $x `[` $start `]` `axis` $axis `size` $size attr-dict `:` type($x) `,` type($start) `->` type($result)
  }];
  let hasCanonicalizer = 1;
}

def Heddle_DynamicUpdateSliceOp : Heddle_PureOp<"dynamic_update_slice", [AllTypesMatch<["x", "result"]>]> {
  let summary = "A tensor with one block along an axis replaced";
  let description = [{
    The elements from `start` along `axis` are those of `update`, the others those of x. Bounds as in
    `heddle.dynamic_slice`.

    ```mlir
    %y = heddle.dynamic_update_slice %x, %u[%i] axis 1 : tensor<4x8xf32>, tensor<4x1xf32>, tensor<i32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, Heddle_Tensor:$update, Heddle_IndexScalar:$start, I64Attr:$axis);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = [{
    $x `,` $update `[` $start `]` `axis` $axis attr-dict `:` type($x) `,` type($update) `,` type($start)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Heddle_RandomDistribution : Heddle_Enum<"RandomDistribution", "distribution of random numbers",
    [I32EnumAttrCase<"uniform", 0>, I32EnumAttrCase<"normal", 1>, I32EnumAttrCase<"bits", 2>]>;
def Heddle_RandomDistributionAttr : EnumAttr<Heddle_Dialect, Heddle_RandomDistribution, "distribution">;

def Heddle_RandomOp : Heddle_PureOp<"random"> {
  let summary = "Counter-based random numbers";
  let description = [{
    Element i (row-major) comes from word `i % 4` of Philox 4x32-10 with the counter (i / 4 low, i / 4 high, stream,
    0) and the key's low and high words. `bits`: the word as i32. `uniform`: `(word >> 8) * 2^-24`, in [0, 1).
    `normal`: Box-Muller over the pair of words (2m, 2m + 1): with `u = ((word0 >> 8) + 1) * 2^-24` and
    `v = (word1 >> 8) * 2^-24`, element 2m is `sqrt(-2 ln u) cos(2 pi v)` and element 2m + 1 the sine. Computed in
    f32, then rounded to the element type; equal on every backend up to the rounding of ln, cos and sin.

    ```mlir
    %y = heddle.random normal %key stream 3 : tensor<i64> -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Heddle_RandomDistributionAttr:$distribution, Heddle_KeyScalar:$key, I64Attr:$stream);
  let results = (outs Heddle_NumberTensor:$result);
  let assemblyFormat = "$distribution $key `stream` $stream attr-dict `:` type($key) `->` type($result)";
  let hasVerifier = 1;
}

def Heddle_FoldInOp : Heddle_PureOp<"fold_in", [AllTypesMatch<["key", "result"]>]> {
  let summary = "Another random key";
  let description = [{
    The first two words of Philox 4x32-10 with the counter (data low, data high, 0, 1) under the key, as one i64.

    ```mlir
    %k = heddle.fold_in %key, %step : tensor<i64>, tensor<i32>
    ```
  }];
  let arguments = (ins Heddle_KeyScalar:$key, Heddle_IndexScalar:$data);
  let results = (outs Heddle_KeyScalar:$result);
  let assemblyFormat = "$key `,` $data attr-dict `:` type($key) `,` type($data)";
}

#endif // HEDDLE_SHAPE_OPS
