// RUN: heddle-cpu-compare --tolerance=1e-4 %s | FileCheck %s
// CHECK: agree

func.func @project(%z: tensor<4x16xf32>, %k: tensor<f32> {heddle.range = [1.5, 6.0]}, %y: tensor<3x5xbf16>, %x: tensor<2x3x7xf64>) -> (tensor<4x16xf32>, tensor<3x5xbf16>, tensor<2x3x7xf64>) {
  %p = sparsek.project %z, %k : tensor<4x16xf32>, tensor<f32> -> tensor<4x16xf32>
  %q = sparsek.project %y, %k : tensor<3x5xbf16>, tensor<f32> -> tensor<3x5xbf16>
  %r = sparsek.project %x, %k : tensor<2x3x7xf64>, tensor<f32> -> tensor<2x3x7xf64>
  return %p, %q, %r : tensor<4x16xf32>, tensor<3x5xbf16>, tensor<2x3x7xf64>
}

func.func @project_nothing(%z: tensor<4x16xf32>, %k: tensor<f32> {heddle.range = [-1.0, -1.0]}) -> tensor<4x16xf32> {
  %p = sparsek.project %z, %k : tensor<4x16xf32>, tensor<f32> -> tensor<4x16xf32>
  return %p : tensor<4x16xf32>
}

func.func @attention(%q: tensor<2x4x96x16xf32>, %k: tensor<2x2x96x16xf32>, %v: tensor<2x2x96x16xf32>, %u: tensor<2x2x96xf32>,
    %do: tensor<2x4x96x16xf32>) -> (tensor<2x4x96x16xf32>, tensor<2x4x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 12 window 8
      : tensor<2x2x96xf32> -> tensor<2x2x96xf32>, tensor<2x2x96xf32>, tensor<2x2x96xi32>, tensor<2x2x96xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 12 window 8 scale 0.25 gate both estimator soft
      : (tensor<2x4x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96xf32>, tensor<2x2x96xf32>,
         tensor<2x2x96xf32>, tensor<2x2x96xi32>) -> (tensor<2x4x96x16xf32>, tensor<2x4x96xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do
      topk 12 window 8 scale 0.25 gate both estimator soft
      : (tensor<2x4x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96xf32>, tensor<2x2x96xf32>,
         tensor<2x2x96xf32>, tensor<2x2x96xi32>, tensor<2x4x96x16xf32>, tensor<2x4x96xf32>, tensor<2x4x96x16xf32>)
      -> (tensor<2x4x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96xf32>, tensor<2x2x96xf32>)
  %d2 = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window 8
      : tensor<2x2x96xf32>, tensor<2x2x96xf32>, tensor<2x2x96xf32>, tensor<2x2x96xi32>, tensor<2x2x96xf32> -> tensor<2x2x96xf32>
  %d = heddle.add %du, %d2 : tensor<2x2x96xf32>
  return %o, %dq, %dk, %dv, %d : tensor<2x4x96x16xf32>, tensor<2x4x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96x16xf32>, tensor<2x2x96xf32>
}
