//===- HeddleControlOps.td - Loops, conditions and derivative requests ----===//

#ifndef HEDDLE_CONTROL_OPS
#define HEDDLE_CONTROL_OPS

include "dialects/heddle/IR/HeddleDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def Heddle_YieldOp : Heddle_PureOp<"yield", [Terminator, ReturnLike, ParentOneOf<["ForOp", "IfOp", "FusionOp"]>]> {
  let summary = "The values that a region gives";
  let description = [{
    In `heddle.for` the next carries, then the collected values; in `heddle.if` and `heddle.fusion` the results.

    ```mlir
    heddle.yield %s, %y : tensor<4xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins Variadic<Heddle_Tensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

def Heddle_ForOp : Heddle_Op<"for", [SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
                                     RecursivelySpeculatable, AttrSizedOperandSegments]> {
  let summary = "A left fold with a fixed number of steps";
  let description = [{
    The body's arguments are the step number (a scalar i32), for each of `scanned` its slice along axis 0 at that
    step, and the carries. It yields the next carries and then one value for each collected result. The results are the
    last carries and the collected values, stacked along a new axis 0 at their step number. With `reverse` the steps
    run from `count - 1` to 0; slices and stacked values keep their step numbers. The body may use values from around it.

    ```mlir
    %last, %all = heddle.for 4 scan(%xs) init(%s0) : (tensor<4x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<4xf32>) {
    ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %s: tensor<8xf32>):
      %t = heddle.add %s, %x : tensor<8xf32>
      %n = heddle.reduce sum %t axes [0] : tensor<8xf32> -> tensor<f32>
      heddle.yield %t, %n : tensor<8xf32>, tensor<f32>
    }
    ```
  }];
  let arguments = (ins I64Attr:$count, Variadic<Heddle_Tensor>:$scanned, Variadic<Heddle_Tensor>:$inits, UnitAttr:$reverse);
  let results = (outs Variadic<Heddle_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $count (`reverse` $reverse^)? `scan` `(` $scanned `)` `init` `(` $inits `)` `:` functional-type(operands, results)
    $body attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    unsigned getNumCarries() { return getInits().size(); }
    unsigned getNumCollected() { return getNumResults() - getNumCarries(); }
    ::mlir::BlockArgument getStep() { return getBody().getArgument(0); }
    ::mlir::Block::BlockArgListType getSlices() { return getBody().getArguments().slice(1, getScanned().size()); }
    ::mlir::Block::BlockArgListType getCarries() { return getBody().getArguments().drop_front(1 + getScanned().size()); }
    ::mlir::ResultRange getCarryResults() { return getResults().take_front(getNumCarries()); }
    ::mlir::ResultRange getCollectedResults() { return getResults().drop_front(getNumCarries()); }
    YieldOp getYield();
  }];
  let hasCanonicalizer = 1;
}

def Heddle_IfOp : Heddle_Op<"if", [SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
                                   RecursivelySpeculatable, NoRegionArguments]> {
  let summary = "A choice of what is computed";
  let description = [{
    The results are those that the first region yields where the condition is true, else those of the second.

    ```mlir
    %r = heddle.if %c : (tensor<i1>) -> tensor<4xf32> {
      heddle.yield %a : tensor<4xf32>
    } else {
      heddle.yield %b : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins Heddle_BoolScalar:$condition);
  let results = (outs Variadic<Heddle_Tensor>:$results);
  let regions = (region SizedRegion<1>:$thenRegion, SizedRegion<1>:$elseRegion);
  let assemblyFormat = "$condition `:` functional-type($condition, $results) $thenRegion `else` $elseRegion attr-dict";
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Heddle_FusionOp : Heddle_PureOp<"fusion", [SingleBlockImplicitTerminator<"YieldOp">, IsolatedFromAbove]> {
  let summary = "Operations that become one kernel";
  let description = [{
    The body's arguments are the inputs; its results are what it yields. Formed by fusion, after differentiation.

    ```mlir
    %y = heddle.fusion(%x) : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%a: tensor<4xf32>):
      %e = heddle.exp %a : tensor<4xf32>
      %n = heddle.neg %e : tensor<4xf32>
      heddle.yield %n : tensor<4xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<Heddle_Tensor>:$inputs);
  let results = (outs Variadic<Heddle_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`(` $inputs `)` `:` functional-type($inputs, $results) $body attr-dict";
  let hasVerifier = 1;
}

def Heddle_AssertOp : Heddle_Op<"assert"> {
  let summary = "A run-time check";
  let description = [{
    Where the condition is false the program fails with the message, at the operation's location.

    ```mlir
    heddle.assert %c, "the rate must be positive"
    ```
  }];
  let arguments = (ins Heddle_BoolScalar:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict `:` type($condition)";
  let hasCanonicalizer = 1;
}

def Heddle_CheckIndexOp : Heddle_Op<"check_index"> {
  let summary = "A run-time check of indices";
  let description = [{
    Where an element is negative or not below `limit`, the program fails with `message`, at the operation's location;
    the first "{}" of the message becomes that element and the second one the limit. Put before operations that
    read or write at the indices when a target is chosen; those then stay inside their operands whatever the indices are.

    ```mlir
    heddle.check_index %ids below 256, "index {} is outside a dimension of {}" : tensor<2x5xi32>
    ```
  }];
  let arguments = (ins Heddle_IndexTensor:$ids, I64Attr:$limit, StrAttr:$message);
  let assemblyFormat = "$ids `below` $limit `,` $message attr-dict `:` type($ids)";
}

def Heddle_VjpOp : Heddle_PureOp<"vjp", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Request for a function's value and its pulled-back cotangent";
  let description = [{
    The operands are the callee's arguments and then one cotangent for each of its floating-point results. The results
    are the callee's results and then, for each number in `wrt`, the cotangent of that argument: `J^T ct`. Integer
    arguments cannot stand in `wrt`. `heddle-differentiate` replaces it by a call.

    ```mlir
    %y, %dx = heddle.vjp @f(%x, %ct) wrt [0] : (tensor<8xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<Heddle_Tensor>:$arguments, DenseI64ArrayAttr:$wrt);
  let results = (outs Variadic<Heddle_Tensor>:$results);
  let assemblyFormat = "$callee `(` $arguments `)` `wrt` $wrt attr-dict `:` functional-type($arguments, $results)";
}

def Heddle_JvpOp : Heddle_PureOp<"jvp", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Request for a function's value and its pushed-forward tangent";
  let description = [{
    The operands are the callee's arguments and then one tangent for each number in `wrt`. The results are the callee's
    results and then one tangent for each of its floating-point results: `J t`. `heddle-differentiate` replaces it by
    a call.

    ```mlir
    %y, %dy = heddle.jvp @f(%x, %dx) wrt [0] : (tensor<8xf32>, tensor<8xf32>) -> (tensor<f32>, tensor<f32>)
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<Heddle_Tensor>:$arguments, DenseI64ArrayAttr:$wrt);
  let results = (outs Variadic<Heddle_Tensor>:$results);
  let assemblyFormat = "$callee `(` $arguments `)` `wrt` $wrt attr-dict `:` functional-type($arguments, $results)";
}

#endif // HEDDLE_CONTROL_OPS
