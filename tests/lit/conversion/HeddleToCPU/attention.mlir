// Selection and sparse attention, compiled, against the interpreter.
// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --level=2 %s | FileCheck %s
// CHECK: agree

func.func @forward(%q: tensor<2x4x150x12xf32>, %k: tensor<2x2x150x12xf32>, %v: tensor<2x2x150x9xf32>, %u: tensor<2x2x150xf32>)
    -> (tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x2x150xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 20 window 10 : tensor<2x2x150xf32> -> tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x2x150xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 20 window 10 scale 0.25 gate both estimator soft
    : (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>) -> (tensor<2x4x150x9xf32>, tensor<2x4x150xf32>)
  return %o, %lse, %hi, %lo, %count, %end : tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x2x150xi32>
}
func.func @backward(%q: tensor<1x2x90x8xf32>, %k: tensor<1x1x90x8xf32>, %v: tensor<1x1x90x8xf32>, %u: tensor<1x1x90xf32>, %do: tensor<1x2x90x8xf32>)
    -> (tensor<1x2x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 12 window 6 : tensor<1x1x90xf32> -> tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xi32>, tensor<1x1x90xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 12 window 6 scale 0.25 gate both estimator soft
    : (tensor<1x2x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xi32>) -> (tensor<1x2x90x8xf32>, tensor<1x2x90xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do topk 12 window 6 scale 0.25 gate both estimator soft
    : (tensor<1x2x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xi32>, tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90x8xf32>)
    -> (tensor<1x2x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window 6 : tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xi32>, tensor<1x1x90xf32> -> tensor<1x1x90xf32>
  return %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x2x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90x8xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>, tensor<1x1x90xf32>
}
func.func @project(%z: tensor<5x40xf32>, %k: tensor<f32> {heddle.range = [0.5, 9.0]}) -> tensor<5x40xf32> {
  %p = sparsek.project %z, %k : tensor<5x40xf32>, tensor<f32> -> tensor<5x40xf32>
  return %p : tensor<5x40xf32>
}
func.func @project_bad(%z: tensor<5x40xbf16>, %k: tensor<f32> {heddle.range = [-9.0, -0.5]}) -> tensor<5x40xbf16> {
  %p = sparsek.project %z, %k : tensor<5x40xbf16>, tensor<f32> -> tensor<5x40xbf16>
  return %p : tensor<5x40xbf16>
}
func.func @project_half(%z: tensor<5x40xf16>, %k: tensor<f64> {heddle.range = [0.5, 9.0]}) -> tensor<5x40xf16> {
  %p = sparsek.project %z, %k : tensor<5x40xf16>, tensor<f64> -> tensor<5x40xf16>
  return %p : tensor<5x40xf16>
}
func.func @window(%q: tensor<1x2x70x8xbf16>, %k: tensor<1x1x70x8xbf16>, %v: tensor<1x1x70x8xbf16>, %u: tensor<1x1x70xf32>, %e: tensor<1x1x70xi32>) -> (tensor<1x2x70x8xbf16>, tensor<1x2x70xf32>) {
  %o, %lse = sparsek.attention %q, %k, %v, %u, %u, %u, %e topk 0 window 200 scale 0.25 gate none estimator soft
    : (tensor<1x2x70x8xbf16>, tensor<1x1x70x8xbf16>, tensor<1x1x70x8xbf16>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x8xbf16>, tensor<1x2x70xf32>)
  return %o, %lse : tensor<1x2x70x8xbf16>, tensor<1x2x70xf32>
}

// Every gate and estimator; f64; several query heads a key-value head.
func.func @value(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.5 gate value estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do
      topk 9 window 5 scale 0.5 gate value estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  return %dq, %dk, %dv, %du, %dtau : tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}
func.func @straight_through(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.5 gate both estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do
      topk 9 window 5 scale 0.5 gate both estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  return %dq, %dk, %dv, %du, %dtau : tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}
func.func @hard(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.5 gate none estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do
      topk 9 window 5 scale 0.5 gate none estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  return %dq, %dk, %dv, %du, %dtau : tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}
func.func @wide(%q: tensor<1x2x75x6xf64>, %k: tensor<1x1x75x6xf64>, %v: tensor<1x1x75x6xf64>, %u: tensor<1x1x75xf64>, %do: tensor<1x2x75x6xf64>) -> (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf64> -> tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.5 gate both estimator soft
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf64>, tensor<1x2x75xf64>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do
      topk 9 window 5 scale 0.5 gate both estimator soft
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x2x75x6xf64>, tensor<1x2x75xf64>, tensor<1x2x75x6xf64>) -> (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>)
  return %dq, %dk, %dv, %du, %dtau : tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>
}
func.func @only_selected(%q: tensor<1x2x70x6xf32>, %k: tensor<1x1x70x6xf32>, %v: tensor<1x1x70x6xf32>, %u: tensor<1x1x70xf32>, %do: tensor<1x2x70x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 0 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 8 window 0 scale 0.5 gate both estimator soft
      : (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do
      topk 8 window 0 scale 0.5 gate both estimator soft
      : (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x2x70x6xf32>, tensor<1x2x70xf32>, tensor<1x2x70x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>)
  return %dq, %dk, %dv, %du, %dtau : tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>
}
