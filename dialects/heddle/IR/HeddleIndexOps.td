//===- HeddleIndexOps.td - Gather, scatter and sorting --------------------===//

#ifndef HEDDLE_INDEX_OPS
#define HEDDLE_INDEX_OPS

include "dialects/heddle/IR/HeddleDialect.td"

def Heddle_GatherOp : Heddle_InferredOp<"gather"> {
  let summary = "Slices of a table picked by number along one axis";
  let description = [{
    The result's shape is the table's with `axis` replaced by the shape of `ids`:
    `gather[.., i.., ..] = table[.., ids[i..], ..]`. An id outside [0, extent) is a run-time error at the operation's
    location. The cotangent of the table is a `scatter_add` into zeros.

    ```mlir
    %y = heddle.gather %table[%ids] axis 0 : tensor<256x64xf32>, tensor<2x5xi32> -> tensor<2x5x64xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$table, Heddle_IndexTensor:$ids, I64Attr:$axis);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$table `[` $ids `]` `axis` $axis attr-dict `:` type($table) `,` type($ids) `->` type($result)";
  let hasCanonicalizer = 1;
}

def Heddle_ScatterAddOp : Heddle_PureOp<"scatter_add", [AllTypesMatch<["base", "result"]>]> {
  let summary = "A table with slices added by number along one axis";
  let description = [{
    `result = base`, then for every position i of `ids` in row-major order
    `result[.., ids[i..], ..] += updates[.., i.., ..]`: the order is fixed, so the bits are. Ids outside [0, extent)
    are a run-time error at the operation's location.

    ```mlir
    %y = heddle.scatter_add %base[%ids], %updates axis 0 : tensor<256x64xf32>, tensor<2x5xi32>, tensor<2x5x64xf32>
    ```
  }];
  let arguments = (ins Heddle_NumberTensor:$base, Heddle_IndexTensor:$ids, Heddle_NumberTensor:$updates, I64Attr:$axis);
  let results = (outs Heddle_NumberTensor:$result);
  let assemblyFormat = [{
    $base `[` $ids `]` `,` $updates `axis` $axis attr-dict `:` type($base) `,` type($ids) `,` type($updates)
  }];
  let hasVerifier = 1;
}

def Heddle_TakeAlongOp : Heddle_InferredOp<"take_along"> {
  let summary = "Elements picked by number along an axis, row by row";
  let description = [{
    `ids` has the rank of x and its extents but along `axis`; `take_along[.., i, ..] = x[.., ids[.., i, ..], ..]`.
    An id outside [0, extent) is a run-time error at the operation's location.

    ```mlir
    %y = heddle.take_along %x[%ids] axis 1 : tensor<4x8xf32>, tensor<4x3xi32> -> tensor<4x3xf32>
    ```
  }];
  let arguments = (ins Heddle_Tensor:$x, Heddle_IndexTensor:$ids, I64Attr:$axis);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = "$x `[` $ids `]` `axis` $axis attr-dict `:` type($x) `,` type($ids) `->` type($result)";
}

def Heddle_PutAlongOp : Heddle_PureOp<"put_along", [AllTypesMatch<["base", "result"]>]> {
  let summary = "Additions by number along an axis, row by row";
  let description = [{
    `result = base`, then `result[.., ids[.., i, ..], ..] += updates[.., i, ..]` in row-major order: the adjoint of
    `heddle.take_along`.

    ```mlir
    %y = heddle.put_along %base[%ids], %updates axis 1 : tensor<4x8xf32>, tensor<4x3xi32>, tensor<4x3xf32>
    ```
  }];
  let arguments = (ins Heddle_NumberTensor:$base, Heddle_IndexTensor:$ids, Heddle_NumberTensor:$updates, I64Attr:$axis);
  let results = (outs Heddle_NumberTensor:$result);
  let assemblyFormat = [{
    $base `[` $ids `]` `,` $updates `axis` $axis attr-dict `:` type($base) `,` type($ids) `,` type($updates)
  }];
  let hasVerifier = 1;
}

def Heddle_ArgsortOp : Heddle_InferredOp<"argsort"> {
  let summary = "The order of the elements along an axis";
  let description = [{
    The i32 positions that sort x upward (with `descending`, downward). Stable: equal elements keep their order. NaN
    comes last. `sort(x) = take_along(x, argsort(x))`. With a limit, from 0 to the extent of the axis, only so many of
    the first: those are selected, and only they are sorted.

    ```mlir
    %i = heddle.argsort %x axis 1 descending limit 2 : tensor<4x8xf32> -> tensor<4x2xi32>
    ```
  }];
  let arguments = (ins Heddle_NumberTensor:$x, I64Attr:$axis, UnitAttr:$descending, OptionalAttr<I64Attr>:$limit);
  let results = (outs Heddle_Tensor:$result);
  let assemblyFormat = [{
    $x `axis` $axis (`descending` $descending^)? (`limit` $limit^)? attr-dict `:` type($x) `->` type($result)
  }];
}

#endif // HEDDLE_INDEX_OPS
