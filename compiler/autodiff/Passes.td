//===- Passes.td - Differentiation passes ---------------------------------===//

#ifndef HEDDLE_AUTODIFF_PASSES
#define HEDDLE_AUTODIFF_PASSES

include "mlir/Pass/PassBase.td"

def HeddleDifferentiate : Pass<"heddle-differentiate", "::mlir::ModuleOp"> {
  let summary = "Replace heddle.vjp and heddle.jvp by calls of derived functions";
  let description = [{
    Requests are answered from the inside out: a function's own requests are replaced before it is differentiated. Derived
    functions are private and named after the function and the arguments; the same request gives the same function.
    Functions marked `heddle.checkpoint` are computed again in the backward pass, those with `heddle.custom_vjp = @rule`
    use their rule. Both marks, every heddle.stop_gradient, and private functions that nothing calls are gone afterwards.

    ```mlir
    func.func @g(%x: tensor<8xf32>, %ct: tensor<f32>) -> tensor<8xf32> {
      %y, %dx = heddle.vjp @f(%x, %ct) wrt [0] : (tensor<8xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
      return %dx : tensor<8xf32>
    }
    ==>
    func.func @g(%x: tensor<8xf32>, %ct: tensor<f32>) -> tensor<8xf32> {
      %y, %dx = call @f.vjp.0(%x, %ct) : (tensor<8xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
      return %dx : tensor<8xf32>
    }
    ```
  }];
  let dependentDialects = ["::heddle::ir::HeddleDialect", "::heddle::sparsek::SparseKDialect", "::mlir::func::FuncDialect"];
  let options = [
    Option<"expandingBytes", "expanding-bytes", "int64_t", /*default=*/"INT64_MAX",
           "Loops compute products again whose results take this many bytes over all steps and are twice as large as their "
           "factors, or larger">
  ];
  let statistics = [
    Statistic<"numDerived", "derived-functions", "functions derived">
  ];
}

#endif // HEDDLE_AUTODIFF_PASSES
