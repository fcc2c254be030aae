// Forward mode of selection and attention, and the cotangent of lse, compiled, against the interpreter.
// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --level=2 --function=both %s | FileCheck %s
// CHECK: agree

func.func @both(%q: tensor<2x4x150x12xf32>, %k: tensor<2x2x150x12xf32>, %v: tensor<2x2x150x9xf32>, %u: tensor<2x2x150xf32>, %dq: tensor<2x4x150x12xf32>, %dk: tensor<2x2x150x12xf32>, %dv: tensor<2x2x150x9xf32>, %du: tensor<2x2x150xf32>, %do: tensor<2x4x150x9xf32>, %dl: tensor<2x4x150xf32>)
    -> (tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x2x150xf32>, tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 20 window 10 : tensor<2x2x150xf32> -> tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x2x150xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 20 window 10 scale 0.4 gate both estimator soft
      : (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>) -> (tensor<2x4x150x9xf32>, tensor<2x4x150xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 10 : tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x2x150xf32> -> tensor<2x2x150xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 20 window 10 scale 0.4 gate both estimator soft
      : (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>) -> (tensor<2x4x150x9xf32>, tensor<2x4x150xf32>)
  %g:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do dlse %dl topk 20 window 10 scale 0.4 gate both estimator soft
      : (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>, tensor<2x2x150xi32>, tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x4x150x9xf32>, tensor<2x4x150xf32>) -> (tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>)
  return %to, %tl, %dtau, %g#0, %g#1, %g#2, %g#3, %g#4 : tensor<2x4x150x9xf32>, tensor<2x4x150xf32>, tensor<2x2x150xf32>, tensor<2x4x150x12xf32>, tensor<2x2x150x12xf32>, tensor<2x2x150x9xf32>, tensor<2x2x150xf32>, tensor<2x2x150xf32>
}
func.func @value(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %dq: tensor<1x2x75x6xf32>, %dk: tensor<1x1x75x6xf32>, %dv: tensor<1x1x75x6xf32>, %du: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xf32>, %dl: tensor<1x2x75xf32>)
    -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.4 gate value estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32> -> tensor<1x1x75xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 9 window 5 scale 0.4 gate value estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %g:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do dlse %dl topk 9 window 5 scale 0.4 gate value estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  return %to, %tl, %dtau, %g#0, %g#1, %g#2, %g#3, %g#4 : tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}
// The tangent of the scores does not reach the output.
func.func @none(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %dq: tensor<1x2x75x6xf32>, %dk: tensor<1x1x75x6xf32>, %dv: tensor<1x1x75x6xf32>, %du: tensor<1x1x75xf32>)
    -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.4 gate none estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32> -> tensor<1x1x75xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 9 window 5 scale 0.4 gate none estimator soft
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  return %to, %tl, %dtau : tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>
}
func.func @straight_through(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %dq: tensor<1x2x75x6xf32>, %dk: tensor<1x1x75x6xf32>, %dv: tensor<1x1x75x6xf32>, %du: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xf32>, %dl: tensor<1x2x75xf32>)
    -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.4 gate both estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32> -> tensor<1x1x75xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 9 window 5 scale 0.4 gate both estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %g:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do dlse %dl topk 9 window 5 scale 0.4 gate both estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  return %to, %tl, %dtau, %g#0, %g#1, %g#2, %g#3, %g#4 : tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}
func.func @straight_through_value(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %u: tensor<1x1x75xf32>, %dq: tensor<1x2x75x6xf32>, %dk: tensor<1x1x75x6xf32>, %dv: tensor<1x1x75x6xf32>, %du: tensor<1x1x75xf32>)
    -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.4 gate value estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32> -> tensor<1x1x75xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 9 window 5 scale 0.4 gate value estimator straight_through
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>)
  return %to, %tl, %dtau : tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x1x75xf32>
}
func.func @wide(%q: tensor<1x2x75x6xf64>, %k: tensor<1x1x75x6xf64>, %v: tensor<1x1x75x5xf64>, %u: tensor<1x1x75xf64>, %dq: tensor<1x2x75x6xf64>, %dk: tensor<1x1x75x6xf64>, %dv: tensor<1x1x75x5xf64>, %du: tensor<1x1x75xf64>, %do: tensor<1x2x75x5xf64>, %dl: tensor<1x2x75xf64>)
    -> (tensor<1x2x75x5xf64>, tensor<1x2x75xf64>, tensor<1x1x75xf64>, tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x5xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf64> -> tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x5xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>) -> (tensor<1x2x75x5xf64>, tensor<1x2x75xf64>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 5 : tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x1x75xf64> -> tensor<1x1x75xf64>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x5xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x2x75x5xf64>, tensor<1x2x75xf64>, tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x5xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>) -> (tensor<1x2x75x5xf64>, tensor<1x2x75xf64>)
  %g:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do dlse %dl topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x5xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>, tensor<1x1x75xi32>, tensor<1x2x75x5xf64>, tensor<1x2x75xf64>, tensor<1x2x75x5xf64>, tensor<1x2x75xf64>) -> (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x5xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>)
  return %to, %tl, %dtau, %g#0, %g#1, %g#2, %g#3, %g#4 : tensor<1x2x75x5xf64>, tensor<1x2x75xf64>, tensor<1x1x75xf64>, tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x5xf64>, tensor<1x1x75xf64>, tensor<1x1x75xf64>
}
func.func @brain(%q: tensor<1x2x75x6xbf16>, %k: tensor<1x1x75x6xbf16>, %v: tensor<1x1x75x6xbf16>, %u: tensor<1x1x75xf32>, %dq: tensor<1x2x75x6xbf16>, %dk: tensor<1x1x75x6xbf16>, %dv: tensor<1x1x75x6xbf16>, %du: tensor<1x1x75xf32>, %do: tensor<1x2x75x6xbf16>, %dl: tensor<1x2x75xf32>)
    -> (tensor<1x2x75x6xbf16>, tensor<1x2x75xf32>, tensor<1x1x75xf32>, tensor<1x2x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x6xbf16>, tensor<1x2x75xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32> -> tensor<1x1x75xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xbf16>, tensor<1x2x75xf32>, tensor<1x2x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) -> (tensor<1x2x75x6xbf16>, tensor<1x2x75xf32>)
  %g:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do dlse %dl topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x6xbf16>, tensor<1x2x75xf32>, tensor<1x2x75x6xbf16>, tensor<1x2x75xf32>) -> (tensor<1x2x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>)
  return %to, %tl, %dtau, %g#0, %g#1, %g#2, %g#3, %g#4 : tensor<1x2x75x6xbf16>, tensor<1x2x75xf32>, tensor<1x1x75xf32>, tensor<1x2x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75x6xbf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>
}
func.func @half(%q: tensor<1x2x75x6xf16> {heddle.range = [-1.0, 1.0]}, %k: tensor<1x1x75x6xf16> {heddle.range = [-1.0, 1.0]}, %v: tensor<1x1x75x20xf16> {heddle.range = [-1.0, 1.0]}, %u: tensor<1x1x75xf32>, %dq: tensor<1x2x75x6xf16> {heddle.range = [-1.0, 1.0]}, %dk: tensor<1x1x75x6xf16> {heddle.range = [-1.0, 1.0]}, %dv: tensor<1x1x75x20xf16> {heddle.range = [-1.0, 1.0]}, %du: tensor<1x1x75xf32> {heddle.range = [-1.0, 1.0]})
    -> (tensor<1x2x75x20xf16>, tensor<1x2x75xf32>, tensor<1x1x75xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 5 : tensor<1x1x75xf32> -> tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xf16>, tensor<1x1x75x6xf16>, tensor<1x1x75x20xf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>) -> (tensor<1x2x75x20xf16>, tensor<1x2x75xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 5 : tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x1x75xf32> -> tensor<1x1x75xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 9 window 5 scale 0.4 gate both estimator soft
      : (tensor<1x2x75x6xf16>, tensor<1x1x75x6xf16>, tensor<1x1x75x20xf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xf32>, tensor<1x1x75xi32>, tensor<1x2x75x20xf16>, tensor<1x2x75xf32>, tensor<1x2x75x6xf16>, tensor<1x1x75x6xf16>, tensor<1x1x75x20xf16>, tensor<1x1x75xf32>, tensor<1x1x75xf32>) -> (tensor<1x2x75x20xf16>, tensor<1x2x75xf32>)
  return %to, %tl, %dtau : tensor<1x2x75x20xf16>, tensor<1x2x75xf32>, tensor<1x1x75xf32>
}
func.func @no_window(%q: tensor<1x2x70x6xf32>, %k: tensor<1x1x70x6xf32>, %v: tensor<1x1x70x6xf32>, %u: tensor<1x1x70xf32>, %dq: tensor<1x2x70x6xf32>, %dk: tensor<1x1x70x6xf32>, %dv: tensor<1x1x70x6xf32>, %du: tensor<1x1x70xf32>)
    -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>, tensor<1x1x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 0 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 8 window 0 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 0 : tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xf32> -> tensor<1x1x70xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 8 window 0 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x2x70x6xf32>, tensor<1x2x70xf32>, tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>)
  return %to, %tl, %dtau : tensor<1x2x70x6xf32>, tensor<1x2x70xf32>, tensor<1x1x70xf32>
}
func.func @window_alone(%q: tensor<1x4x90x33xf32> {heddle.range = [-1.0, 1.0]}, %k: tensor<1x2x90x33xf32> {heddle.range = [-1.0, 1.0]}, %v: tensor<1x2x90x17xf32> {heddle.range = [-1.0, 1.0]}, %u: tensor<1x2x90xf32>, %dq: tensor<1x4x90x33xf32> {heddle.range = [-1.0, 1.0]}, %dk: tensor<1x2x90x33xf32> {heddle.range = [-1.0, 1.0]}, %dv: tensor<1x2x90x17xf32> {heddle.range = [-1.0, 1.0]}, %du: tensor<1x2x90xf32> {heddle.range = [-1.0, 1.0]}, %do: tensor<1x4x90x17xf32> {heddle.range = [-1.0, 1.0]}, %dl: tensor<1x4x90xf32> {heddle.range = [-1.0, 1.0]})
    -> (tensor<1x4x90x17xf32>, tensor<1x4x90xf32>, tensor<1x4x90x33xf32>, tensor<1x2x90x33xf32>, tensor<1x2x90x17xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 20 : tensor<1x2x90xf32> -> tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xi32>, tensor<1x2x90xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 0 window 20 scale 0.4 gate both estimator soft
      : (tensor<1x4x90x33xf32>, tensor<1x2x90x33xf32>, tensor<1x2x90x17xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xi32>) -> (tensor<1x4x90x17xf32>, tensor<1x4x90xf32>)
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du topk 0 window 20 scale 0.4 gate both estimator soft
      : (tensor<1x4x90x33xf32>, tensor<1x2x90x33xf32>, tensor<1x2x90x17xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xi32>, tensor<1x4x90x17xf32>, tensor<1x4x90xf32>, tensor<1x4x90x33xf32>, tensor<1x2x90x33xf32>, tensor<1x2x90x17xf32>, tensor<1x2x90xf32>) -> (tensor<1x4x90x17xf32>, tensor<1x4x90xf32>)
  %g:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do dlse %dl topk 0 window 20 scale 0.4 gate both estimator soft
      : (tensor<1x4x90x33xf32>, tensor<1x2x90x33xf32>, tensor<1x2x90x17xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>, tensor<1x2x90xi32>, tensor<1x4x90x17xf32>, tensor<1x4x90xf32>, tensor<1x4x90x17xf32>, tensor<1x4x90xf32>) -> (tensor<1x4x90x33xf32>, tensor<1x2x90x33xf32>, tensor<1x2x90x17xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>)
  return %to, %tl, %g#0, %g#1, %g#2, %g#3, %g#4 : tensor<1x4x90x17xf32>, tensor<1x4x90xf32>, tensor<1x4x90x33xf32>, tensor<1x2x90x33xf32>, tensor<1x2x90x17xf32>, tensor<1x2x90xf32>, tensor<1x2x90xf32>
}
// Every key is selected.
func.func @whole(%q: tensor<1x3x70x5xf32>, %k: tensor<1x1x70x5xf32>, %v: tensor<1x1x70x3xf32>, %u: tensor<1x1x70xf32>, %dq: tensor<1x3x70x5xf32>, %dk: tensor<1x1x70x5xf32>, %dv: tensor<1x1x70x3xf32>, %du: tensor<1x1x70xf32>)
    -> (tensor<1x3x70x3xf32>, tensor<1x3x70xf32>, tensor<1x1x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 200 window 3 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 200 window 3 scale 0.4 gate both estimator soft
      : (tensor<1x3x70x5xf32>, tensor<1x1x70x5xf32>, tensor<1x1x70x3xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x3x70x3xf32>, tensor<1x3x70xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 3 : tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xf32> -> tensor<1x1x70xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 200 window 3 scale 0.4 gate both estimator soft
      : (tensor<1x3x70x5xf32>, tensor<1x1x70x5xf32>, tensor<1x1x70x3xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x3x70x3xf32>, tensor<1x3x70xf32>, tensor<1x3x70x5xf32>, tensor<1x1x70x5xf32>, tensor<1x1x70x3xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>) -> (tensor<1x3x70x3xf32>, tensor<1x3x70xf32>)
  return %to, %tl, %dtau : tensor<1x3x70x3xf32>, tensor<1x3x70xf32>, tensor<1x1x70xf32>
}
func.func @group_of_eight(%q: tensor<1x8x66x128xf32> {heddle.range = [-1.0, 1.0]}, %k: tensor<1x1x66x128xf32> {heddle.range = [-1.0, 1.0]}, %v: tensor<1x1x66x96xf32> {heddle.range = [-1.0, 1.0]}, %u: tensor<1x1x66xf32>, %dq: tensor<1x8x66x128xf32> {heddle.range = [-1.0, 1.0]}, %dk: tensor<1x1x66x128xf32> {heddle.range = [-1.0, 1.0]}, %dv: tensor<1x1x66x96xf32> {heddle.range = [-1.0, 1.0]}, %du: tensor<1x1x66xf32> {heddle.range = [-1.0, 1.0]})
    -> (tensor<1x8x66x96xf32>, tensor<1x8x66xf32>, tensor<1x1x66xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 16 window 24 : tensor<1x1x66xf32> -> tensor<1x1x66xf32>, tensor<1x1x66xf32>, tensor<1x1x66xi32>, tensor<1x1x66xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 16 window 24 scale 0.4 gate both estimator soft
      : (tensor<1x8x66x128xf32>, tensor<1x1x66x128xf32>, tensor<1x1x66x96xf32>, tensor<1x1x66xf32>, tensor<1x1x66xf32>, tensor<1x1x66xf32>, tensor<1x1x66xi32>) -> (tensor<1x8x66x96xf32>, tensor<1x8x66xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 24 : tensor<1x1x66xf32>, tensor<1x1x66xf32>, tensor<1x1x66xf32>, tensor<1x1x66xi32>, tensor<1x1x66xf32> -> tensor<1x1x66xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq dk %dk dv %dv du %du dtau %dtau topk 16 window 24 scale 0.4 gate both estimator soft
      : (tensor<1x8x66x128xf32>, tensor<1x1x66x128xf32>, tensor<1x1x66x96xf32>, tensor<1x1x66xf32>, tensor<1x1x66xf32>, tensor<1x1x66xf32>, tensor<1x1x66xi32>, tensor<1x8x66x96xf32>, tensor<1x8x66xf32>, tensor<1x8x66x128xf32>, tensor<1x1x66x128xf32>, tensor<1x1x66x96xf32>, tensor<1x1x66xf32>, tensor<1x1x66xf32>) -> (tensor<1x8x66x96xf32>, tensor<1x8x66xf32>)
  return %to, %tl, %dtau : tensor<1x8x66x96xf32>, tensor<1x8x66xf32>, tensor<1x1x66xf32>
}
func.func @only_dq(%q: tensor<1x2x70x7xf32>, %k: tensor<1x1x70x7xf32>, %v: tensor<1x1x70x11xf32>, %u: tensor<1x1x70xf32>, %dq: tensor<1x2x70x7xf32>)
    -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 4 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x2x70x11xf32>, tensor<1x2x70xf32>, tensor<1x2x70x7xf32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  return %to, %tl : tensor<1x2x70x11xf32>, tensor<1x2x70xf32>
}
func.func @only_dk(%q: tensor<1x2x70x7xf32>, %k: tensor<1x1x70x7xf32>, %v: tensor<1x1x70x11xf32>, %u: tensor<1x1x70xf32>, %dk: tensor<1x1x70x7xf32>)
    -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 4 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dk %dk topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x2x70x11xf32>, tensor<1x2x70xf32>, tensor<1x1x70x7xf32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  return %to, %tl : tensor<1x2x70x11xf32>, tensor<1x2x70xf32>
}
func.func @only_dv(%q: tensor<1x2x70x7xf32>, %k: tensor<1x1x70x7xf32>, %v: tensor<1x1x70x11xf32>, %u: tensor<1x1x70xf32>, %dv: tensor<1x1x70x11xf32>)
    -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 4 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dv %dv topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x2x70x11xf32>, tensor<1x2x70xf32>, tensor<1x1x70x11xf32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  return %to, %tl : tensor<1x2x70x11xf32>, tensor<1x2x70xf32>
}
func.func @only_du(%q: tensor<1x2x70x7xf32>, %k: tensor<1x1x70x7xf32>, %v: tensor<1x1x70x11xf32>, %u: tensor<1x1x70xf32>, %du: tensor<1x1x70xf32>)
    -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>, tensor<1x1x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 4 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 4 : tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xf32> -> tensor<1x1x70xf32>
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse du %du dtau %dtau topk 8 window 4 scale 0.4 gate both estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x2x70x11xf32>, tensor<1x2x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  return %to, %tl, %dtau : tensor<1x2x70x11xf32>, tensor<1x2x70xf32>, tensor<1x1x70xf32>
}
func.func @keys_and_values(%q: tensor<1x2x70x7xf32>, %k: tensor<1x1x70x7xf32>, %v: tensor<1x1x70x11xf32>, %u: tensor<1x1x70xf32>, %dk: tensor<1x1x70x7xf32>, %dv: tensor<1x1x70x11xf32>)
    -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 4 : tensor<1x1x70xf32> -> tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x1x70xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 8 window 4 scale 0.4 gate value estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  %to, %tl = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dk %dk dv %dv topk 8 window 4 scale 0.4 gate value estimator soft
      : (tensor<1x2x70x7xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xf32>, tensor<1x1x70xi32>, tensor<1x2x70x11xf32>, tensor<1x2x70xf32>, tensor<1x1x70x7xf32>, tensor<1x1x70x11xf32>) -> (tensor<1x2x70x11xf32>, tensor<1x2x70xf32>)
  return %to, %tl : tensor<1x2x70x11xf32>, tensor<1x2x70xf32>
}
