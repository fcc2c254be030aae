// The dialects and passes load into the stock mlir-opt.
// RUN: mlir-opt --load-dialect-plugin=%heddle_plugin --load-pass-plugin=%heddle_plugin %s | FileCheck %s

// CHECK-LABEL: func @thresholds
// CHECK: sparsek.threshold %{{.*}} topk 32 window 16
// CHECK: heddle.exp
func.func @thresholds(%u: tensor<1x2x96xf32>) -> tensor<1x2x96xf32> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 32 window 16
      : tensor<1x2x96xf32> -> tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xi32>
  %y = heddle.exp %hi : tensor<1x2x96xf32>
  return %y : tensor<1x2x96xf32>
}

// A pass of ours, with the derivatives of our operations.
// RUN: mlir-opt --load-dialect-plugin=%heddle_plugin --load-pass-plugin=%heddle_plugin --pass-pipeline='builtin.module(heddle-differentiate)' %s | FileCheck %s --check-prefix=GRAD

func.func private @wave(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = heddle.sin %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// GRAD-LABEL: func private @wave.vjp.0
// GRAD: heddle.cos
func.func @slope(%x: tensor<4xf32>, %ct: tensor<4xf32>) -> tensor<4xf32> {
  %y, %dx = heddle.vjp @wave(%x, %ct) wrt [0] : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %dx : tensor<4xf32>
}
