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
