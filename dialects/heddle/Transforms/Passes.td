//===- Passes.td - Passes over the heddle dialect -------------------------===//

#ifndef HEDDLE_TRANSFORMS_PASSES
#define HEDDLE_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

def HeddleHoistInvariants : Pass<"heddle-hoist-invariants"> {
  let summary = "Move costly work that is the same in each step out of loops";
  let description = [{
    An operation in the body of a `heddle.for` of at least one step moves in front of the loop where it reads nothing of
    the loop and its result costs more to compute than to keep: products, reductions, sorting, gathers, loops, random
    numbers, quotients, roots and transcendental functions. What they read moves with them. Sums, products of elements,
    comparisons and movement of elements stay, since they become part of the kernels that read them. A `heddle.fence`
    stays with what depends on it, and what can fail at run time does not pass a check.

    ```mlir
    %r = heddle.for 4 scan() init(%s) : (tensor<f32>) -> tensor<f32> {
    ^bb0(%i: tensor<i32>, %c: tensor<f32>):
      %e = heddle.exp %x : tensor<f32>
      %n = heddle.mul %c, %e : tensor<f32>
      heddle.yield %n : tensor<f32>
    }
    ==>
    %e = heddle.exp %x : tensor<f32>
    %r = heddle.for 4 scan() init(%s) : (tensor<f32>) -> tensor<f32> {
    ^bb0(%i: tensor<i32>, %c: tensor<f32>):
      %n = heddle.mul %c, %e : tensor<f32>
      heddle.yield %n : tensor<f32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numHoisted", "hoisted-operations", "operations moved out of loops">
  ];
}

#endif // HEDDLE_TRANSFORMS_PASSES
