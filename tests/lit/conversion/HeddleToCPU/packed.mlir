// Packed sequences, compiled, against the interpreter: sequences that are empty, of one position, shorter than topk and
// window, and that end within tiles.
// RUN: heddle-compare %s | FileCheck %s
// CHECK: agree

func.func @groups(%q: tensor<2x4x150x12xf32>, %k: tensor<2x2x150x12xf32>, %v: tensor<2x2x150x9xf32>, %u: tensor<2x2x150xf32>, %do: tensor<2x4x150x9xf32>)
    -> (tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>) {
  %offsets = heddle.constant dense<[0, 0, 37, 38, 64, 64, 131, 150, 150]> : tensor<9xi32>
  %bounds = sparsek.segments %offsets length 150 : tensor<9xi32> -> tensor<2x150xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 20 window 10 : tensor<2x2x150xf32>, tensor<2x150xi32> -> tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x2x150xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 20 window 10 scale 0.4 gate both estimator soft
      : (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x150xi32>) -> (tensor<2x4x150x9xf32>, tensor<2x4x150xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 20 window 10 scale 0.4 gate both estimator soft
      : (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x4x150x9xf32>, tensor<2x150xi32>) -> (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 10 : tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x2x150xf32>, tensor<2x150xi32> -> tensor<2x2x150xf32>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>
}
func.func @window(%q: tensor<1x2x77x8xf32>, %k: tensor<1x1x77x8xf32>, %v: tensor<1x1x77x5xf32>, %u: tensor<1x1x77xf32>, %do: tensor<1x2x77x5xf32>)
    -> (tensor<1x2x77x5xf32>, tensor<1x2x77xf32>, tensor<1x2x77x8xf32>, tensor<1x1x77x8xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>) {
  %offsets = heddle.constant dense<[0, 3, 40, 77]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 77 : tensor<4xi32> -> tensor<2x77xi32>
  %end = heddle.constant dense<0> : tensor<1x1x77xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %u, %u, %end, bounds %bounds topk 0 window 6 scale 0.4 gate both estimator soft
      : (tensor<1x2x77x8xf32>, tensor<1x1x77x8xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xi32>, tensor<2x77xi32>) -> (tensor<1x2x77x5xf32>, tensor<1x2x77xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %u, %u, %end, %o, %lse, %do, bounds %bounds topk 0 window 6 scale 0.4 gate both estimator soft
      : (tensor<1x2x77x8xf32>, tensor<1x1x77x8xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xi32>, tensor<1x2x77x5xf32>, tensor<1x2x77xf32>, tensor<1x2x77x5xf32>, tensor<2x77xi32>) -> (tensor<1x2x77x8xf32>, tensor<1x1x77x8xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>)
  return %o, %lse, %dq, %dk, %dv, %du, %dtau : tensor<1x2x77x5xf32>, tensor<1x2x77xf32>, tensor<1x2x77x8xf32>, tensor<1x1x77x8xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>
}
func.func @causal(%q: tensor<1x2x90x8xf32>, %k: tensor<1x2x90x8xf32>, %v: tensor<1x2x90x8xf32>, %u: tensor<1x2x90xf32>, %do: tensor<1x2x90x8xf32>)
    -> (tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>) {
  %offsets = heddle.constant dense<[0, 30, 31, 90]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 90 : tensor<4xi32> -> tensor<2x90xi32>
  %end = heddle.constant dense<0> : tensor<1x2x90xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %u, %u, %end, bounds %bounds topk 0 window 90 scale 0.4 gate both estimator soft
      : (tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xi32>, tensor<2x90xi32>) -> (tensor<1x2x90x8xf32>, tensor<1x2x90xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %u, %u, %end, %o, %lse, %do, bounds %bounds topk 0 window 90 scale 0.4 gate both estimator soft
      : (tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xi32>, tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90x8xf32>, tensor<2x90xi32>) -> (tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>)
  return %o, %lse, %dq, %dk, %dv, %du, %dtau : tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90x8xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>
}
func.func @window_beyond(%q: tensor<1x2x77x7xf32>, %k: tensor<1x1x77x7xf32>, %v: tensor<1x1x77x5xf32>, %u: tensor<1x1x77xf32>, %do: tensor<1x2x77x5xf32>)
    -> (tensor<1x2x77x5xf32>, tensor<1x2x77xf32>, tensor<1x2x77x7xf32>, tensor<1x1x77x7xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>) {
  %offsets = heddle.constant dense<[0, 1, 40, 77]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 77 : tensor<4xi32> -> tensor<2x77xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 9 window 300 : tensor<1x1x77xf32>, tensor<2x77xi32> -> tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xi32>, tensor<1x1x77xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 9 window 300 scale 0.4 gate both estimator soft
      : (tensor<1x2x77x7xf32>, tensor<1x1x77x7xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xi32>, tensor<2x77xi32>) -> (tensor<1x2x77x5xf32>, tensor<1x2x77xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 9 window 300 scale 0.4 gate both estimator soft
      : (tensor<1x2x77x7xf32>, tensor<1x1x77x7xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xi32>, tensor<1x2x77x5xf32>, tensor<1x2x77xf32>, tensor<1x2x77x5xf32>, tensor<2x77xi32>) -> (tensor<1x2x77x7xf32>, tensor<1x1x77x7xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 300 : tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xi32>, tensor<1x1x77xf32>, tensor<2x77xi32> -> tensor<1x1x77xf32>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x2x77x5xf32>, tensor<1x2x77xf32>, tensor<1x2x77x7xf32>, tensor<1x1x77x7xf32>, tensor<1x1x77x5xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>, tensor<1x1x77xf32>
}
func.func @only_selected(%q: tensor<1x2x99x6xf32>, %k: tensor<1x1x99x6xf32>, %v: tensor<1x1x99x6xf32>, %u: tensor<1x1x99xf32>, %do: tensor<1x2x99x6xf32>)
    -> (tensor<1x2x99x6xf32>, tensor<1x2x99xf32>, tensor<1x2x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>) {
  %offsets = heddle.constant dense<[0, 20, 25, 99]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 99 : tensor<4xi32> -> tensor<2x99xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 8 window 0 : tensor<1x1x99xf32>, tensor<2x99xi32> -> tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xi32>, tensor<1x1x99xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 8 window 0 scale 0.4 gate both estimator soft
      : (tensor<1x2x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xi32>, tensor<2x99xi32>) -> (tensor<1x2x99x6xf32>, tensor<1x2x99xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 8 window 0 scale 0.4 gate both estimator soft
      : (tensor<1x2x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xi32>, tensor<1x2x99x6xf32>, tensor<1x2x99xf32>, tensor<1x2x99x6xf32>, tensor<2x99xi32>) -> (tensor<1x2x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 0 : tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xi32>, tensor<1x1x99xf32>, tensor<2x99xi32> -> tensor<1x1x99xf32>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x2x99x6xf32>, tensor<1x2x99xf32>, tensor<1x2x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99x6xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>, tensor<1x1x99xf32>
}
func.func @all_selected(%q: tensor<1x1x67x5xf32>, %k: tensor<1x1x67x5xf32>, %v: tensor<1x1x67x3xf32>, %u: tensor<1x1x67xf32>, %do: tensor<1x1x67x3xf32>)
    -> (tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67x5xf32>, tensor<1x1x67x5xf32>, tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>) {
  %offsets = heddle.constant dense<[0, 5, 5, 66, 67]> : tensor<5xi32>
  %bounds = sparsek.segments %offsets length 67 : tensor<5xi32> -> tensor<2x67xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 200 window 1 : tensor<1x1x67xf32>, tensor<2x67xi32> -> tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xi32>, tensor<1x1x67xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 200 window 1 scale 0.4 gate both estimator soft
      : (tensor<1x1x67x5xf32>, tensor<1x1x67x5xf32>, tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xi32>, tensor<2x67xi32>) -> (tensor<1x1x67x3xf32>, tensor<1x1x67xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 200 window 1 scale 0.4 gate both estimator soft
      : (tensor<1x1x67x5xf32>, tensor<1x1x67x5xf32>, tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xi32>, tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67x3xf32>, tensor<2x67xi32>) -> (tensor<1x1x67x5xf32>, tensor<1x1x67x5xf32>, tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 1 : tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xi32>, tensor<1x1x67xf32>, tensor<2x67xi32> -> tensor<1x1x67xf32>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67x5xf32>, tensor<1x1x67x5xf32>, tensor<1x1x67x3xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>, tensor<1x1x67xf32>
}
func.func @narrow(%q: tensor<1x4x100x8xbf16>, %k: tensor<1x1x100x8xbf16>, %v: tensor<1x1x100x8xbf16>, %u: tensor<1x1x100xf32>, %do: tensor<1x4x100x8xbf16>)
    -> (tensor<1x4x100x8xbf16>, tensor<1x4x100xf32>, tensor<1x4x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xf32>) {
  %offsets = heddle.constant dense<[0, 17, 64, 100]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 100 : tensor<4xi32> -> tensor<2x100xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 12 window 6 : tensor<1x1x100xf32>, tensor<2x100xi32> -> tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xi32>, tensor<1x1x100xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 12 window 6 scale 0.4 gate both estimator soft
      : (tensor<1x4x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xi32>, tensor<2x100xi32>) -> (tensor<1x4x100x8xbf16>, tensor<1x4x100xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 12 window 6 scale 0.4 gate both estimator soft
      : (tensor<1x4x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xi32>, tensor<1x4x100x8xbf16>, tensor<1x4x100xf32>, tensor<1x4x100x8xbf16>, tensor<2x100xi32>) -> (tensor<1x4x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100xf32>, tensor<1x1x100xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 6 : tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xi32>, tensor<1x1x100xf32>, tensor<2x100xi32> -> tensor<1x1x100xf32>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x4x100x8xbf16>, tensor<1x4x100xf32>, tensor<1x4x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100x8xbf16>, tensor<1x1x100xf32>, tensor<1x1x100xf32>, tensor<1x1x100xf32>
}
func.func @wide(%q: tensor<1x2x75x6xf64>, %k: tensor<1x1x75x6xf64>, %v: tensor<1x1x75x6xf64>, %u: tensor<1x1x75xf64>, %do: tensor<1x2x75x6xf64>)
    -> (tensor<1x2x75x6xf64>, tensor<1x2x75xf64>, tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>) {
  %offsets = heddle.constant dense<[0, 33, 75]> : tensor<3xi32>
  %bounds = sparsek.segments %offsets length 75 : tensor<3xi32> -> tensor<2x75xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 9 window 5 : tensor<1x1x75xf64>, tensor<2x75xi32> -> tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<2x75xi32>) -> (tensor<1x2x75x6xf64>, tensor<1x2x75xf64>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x2x75x6xf64>, tensor<1x2x75xf64>, tensor<1x2x75x6xf64>, tensor<2x75xi32>) -> (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 5 : tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x1x75xf64>, tensor<2x75xi32> -> tensor<1x1x75xf64>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x2x75x6xf64>, tensor<1x2x75xf64>, tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>
}
func.func @value(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xf32>)
    -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %offsets = heddle.constant dense<[0, 33, 75]> : tensor<3xi32>
  %bounds = sparsek.segments %offsets length 75 : tensor<3xi32> -> tensor<2x75xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 9 window 5 : tensor<1x1x75xf32>, tensor<2x75xi32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 9 window 5 scale 0.4 gate value estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<2x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 9 window 5 scale 0.4 gate value estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<2x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32>, tensor<2x75xi32> -> tensor<1x1x75xf32>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}
func.func @straight_through(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xf32>)
    -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %offsets = heddle.constant dense<[0, 33, 75]> : tensor<3xi32>
  %bounds = sparsek.segments %offsets length 75 : tensor<3xi32> -> tensor<2x75xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 9 window 5 : tensor<1x1x75xf32>, tensor<2x75xi32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 9 window 5 scale 0.4 gate both estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<2x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds topk 9 window 5 scale 0.4 gate both estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<2x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32>, tensor<2x75xi32> -> tensor<1x1x75xf32>
  return %o, %lse, %dq, %dk, %dv, %du, %dtau, %dut : tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}

// Offsets that are computed, and offsets that do not fit: the same failure on both sides.
func.func @computed(%u: tensor<1x2x30xf32>, %split: tensor<1xi32> {heddle.range = [0.0, 30.0]}) -> (tensor<1x2x30xf32>, tensor<1x2x30xi32>, tensor<1x2x30xi32>) {
  %first = heddle.constant dense<0> : tensor<1xi32>
  %last = heddle.constant dense<30> : tensor<1xi32>
  %offsets = heddle.concat %first, %split, %last axis 0 : (tensor<1xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<3xi32>
  %bounds = sparsek.segments %offsets length 30 : tensor<3xi32> -> tensor<2x30xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 4 window 2 : tensor<1x2x30xf32>, tensor<2x30xi32> -> tensor<1x2x30xf32>, tensor<1x2x30xf32>, tensor<1x2x30xi32>, tensor<1x2x30xi32>
  return %hi, %count, %end : tensor<1x2x30xf32>, tensor<1x2x30xi32>, tensor<1x2x30xi32>
}
func.func @beyond(%offsets: tensor<3xi32>) -> tensor<2x30xi32> {
  %bounds = sparsek.segments %offsets length 30 : tensor<3xi32> -> tensor<2x30xi32>
  return %bounds : tensor<2x30xi32>
}
func.func @of_nothing(%u: tensor<1x2x0xf32>) -> (tensor<2x0xi32>, tensor<1x2x0xi32>) {
  %offsets = heddle.constant dense<0> : tensor<2xi32>
  %bounds = sparsek.segments %offsets length 0 : tensor<2xi32> -> tensor<2x0xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 4 window 2 : tensor<1x2x0xf32>, tensor<2x0xi32> -> tensor<1x2x0xf32>, tensor<1x2x0xf32>, tensor<1x2x0xi32>, tensor<1x2x0xi32>
  return %bounds, %end : tensor<2x0xi32>, tensor<1x2x0xi32>
}
