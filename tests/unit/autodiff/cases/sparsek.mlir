// The sparsek operations. `.kinks` functions give what must not change between the points of a finite difference: the
// intervals of selected keys and the sizes of the supports.

func.func @project(%z: tensor<3x7xf64>, %k: tensor<f64> {test.range = [1.5, 2.5]}) -> tensor<3x7xf64> {
  %p = sparsek.project %z, %k : tensor<3x7xf64>, tensor<f64> -> tensor<3x7xf64>
  %y = heddle.exp %p : tensor<3x7xf64>
  return %y : tensor<3x7xf64>
}
func.func @project.kinks(%z: tensor<3x7xf64>, %k: tensor<f64>) -> (tensor<3x7xi1>, tensor<3x7xi1>) {
  %p = sparsek.project %z, %k : tensor<3x7xf64>, tensor<f64> -> tensor<3x7xf64>
  %zero = heddle.constant dense<0.0> : tensor<3x7xf64>
  %one = heddle.constant dense<1.0> : tensor<3x7xf64>
  %a = heddle.compare gt %p, %zero : tensor<3x7xf64>
  %b = heddle.compare lt %p, %one : tensor<3x7xf64>
  return %a, %b : tensor<3x7xi1>, tensor<3x7xi1>
}
// k does not fit the element type of z, and every element of the rows is taken.
func.func @project_all(%z: tensor<2x3xf32>, %k: tensor<f64> {test.range = [4.0, 5.0]}) -> tensor<2x3xf32> {
  %p = sparsek.project %z, %k : tensor<2x3xf32>, tensor<f64> -> tensor<2x3xf32>
  %y = heddle.add %p, %z : tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
// Scores within 1 of each other: across a wider gap the support is empty and tau is a choice, without derivative.
func.func @threshold(%u: tensor<2x2x9xf64> {test.range = [-0.45, 0.45]}) -> tensor<2x2x9xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<2x2x9xf64> -> tensor<2x2x9xf64>, tensor<2x2x9xf64>, tensor<2x2x9xi32>, tensor<2x2x9xi32>
  %tau = heddle.add %hi, %lo : tensor<2x2x9xf64>
  %low = heddle.constant dense<-9.0> : tensor<2x2x9xf64>
  %t = heddle.max %tau, %low : tensor<2x2x9xf64>
  %y = heddle.exp %t : tensor<2x2x9xf64>
  return %y : tensor<2x2x9xf64>
}
func.func @threshold.kinks(%u: tensor<2x2x9xf64>) -> (tensor<2x2x9xi32>, tensor<2x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<2x2x9xf64> -> tensor<2x2x9xf64>, tensor<2x2x9xf64>, tensor<2x2x9xi32>, tensor<2x2x9xi32>
  return %count, %end : tensor<2x2x9xi32>, tensor<2x2x9xi32>
}
func.func @both(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @both.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
func.func @value(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate value estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @value.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
func.func @none(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate none estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @none.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// Without a window a query is its own candidate.
func.func @no_window(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 0 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 0 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @no_window.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 0 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// Without selection the scores are not read.
func.func @window_only(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 4 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 0 window 4 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @window_only.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 4 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// A budget that holds every candidate: dense causal attention.
func.func @whole(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 9 window 2 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @whole.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 9 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
func.func @one_key(%q: tensor<2x3x11x3xf64>, %k: tensor<2x1x11x3xf64>, %v: tensor<2x1x11x2xf64>, %u: tensor<2x1x11xf64> {test.range = [-1.0, 1.0]}) -> tensor<2x3x11x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 1 window 1 : tensor<2x1x11xf64> -> tensor<2x1x11xf64>, tensor<2x1x11xf64>, tensor<2x1x11xi32>, tensor<2x1x11xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 1 window 1 scale 0.6 gate both estimator soft
      : (tensor<2x3x11x3xf64>, tensor<2x1x11x3xf64>, tensor<2x1x11x2xf64>, tensor<2x1x11xf64>, tensor<2x1x11xf64>, tensor<2x1x11xf64>, tensor<2x1x11xi32>) -> (tensor<2x3x11x2xf64>, tensor<2x3x11xf64>)
  return %o : tensor<2x3x11x2xf64>
}
func.func @one_key.kinks(%q: tensor<2x3x11x3xf64>, %k: tensor<2x1x11x3xf64>, %v: tensor<2x1x11x2xf64>, %u: tensor<2x1x11xf64>) -> (tensor<2x1x11xi32>, tensor<2x1x11xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 1 window 1 : tensor<2x1x11xf64> -> tensor<2x1x11xf64>, tensor<2x1x11xf64>, tensor<2x1x11xi32>, tensor<2x1x11xi32>
  return %count, %end : tensor<2x1x11xi32>, tensor<2x1x11xi32>
}
// Scores so far apart that most gates are 0 or 1.
func.func @wide(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-5.0, 5.0]}) -> tensor<1x4x9x2xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 4 window 3 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 4 window 3 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @wide.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 4 window 3 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// A reader of lse beside o.
func.func @logsumexp(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o, %lse : tensor<1x4x9x2xf64>, tensor<1x4x9xf64>
}
func.func @logsumexp.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// lse alone: o has no cotangent, and v no part in it.
func.func @only_logsumexp(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %lse : tensor<1x4x9xf64>
}
func.func @only_logsumexp.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// The same with a window alone.
func.func @window_logsumexp(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 4 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 0 window 4 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %lse : tensor<1x4x9xf64>
}
func.func @window_logsumexp.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 4 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// The gate of v alone does not reach lse.
func.func @value_logsumexp(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9xf64> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate value estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %lse : tensor<1x4x9xf64>
}
func.func @value_logsumexp.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// Forward and backward disagree on purpose; the two modes must not.
func.func @straight_through(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> attributes {test.estimated} {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate both estimator straight_through
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @straight_through.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
func.func @straight_through_value(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> attributes {test.estimated} {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.6 gate value estimator straight_through
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @straight_through_value.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : tensor<1x2x9xf64> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
// Packed sequences of 4, 0 and 5 positions; second derivatives go through the dense form of them.
func.func @packed_threshold(%u: tensor<2x2x9xf64> {test.range = [-0.45, 0.45]}) -> tensor<2x2x9xf64> {
  %offsets = heddle.constant dense<[0, 4, 4, 9]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 9 : tensor<4xi32> -> tensor<2x9xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 2 window 1 : tensor<2x2x9xf64>, tensor<2x9xi32> -> tensor<2x2x9xf64>, tensor<2x2x9xf64>, tensor<2x2x9xi32>, tensor<2x2x9xi32>
  %tau = heddle.add %hi, %lo : tensor<2x2x9xf64>
  %low = heddle.constant dense<-9.0> : tensor<2x2x9xf64>
  %t = heddle.max %tau, %low : tensor<2x2x9xf64>
  %y = heddle.exp %t : tensor<2x2x9xf64>
  return %y : tensor<2x2x9xf64>
}
func.func @packed_threshold.kinks(%u: tensor<2x2x9xf64>) -> (tensor<2x2x9xi32>, tensor<2x2x9xi32>) {
  %offsets = heddle.constant dense<[0, 4, 4, 9]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 9 : tensor<4xi32> -> tensor<2x9xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 2 window 1 : tensor<2x2x9xf64>, tensor<2x9xi32> -> tensor<2x2x9xf64>, tensor<2x2x9xf64>, tensor<2x2x9xi32>, tensor<2x2x9xi32>
  return %count, %end : tensor<2x2x9xi32>, tensor<2x2x9xi32>
}
func.func @packed(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64> {test.range = [-1.0, 1.0]}) -> tensor<1x4x9x2xf64> {
  %offsets = heddle.constant dense<[0, 4, 4, 9]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 9 : tensor<4xi32> -> tensor<2x9xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 2 window 1 : tensor<1x2x9xf64>, tensor<2x9xi32> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds topk 2 window 1 scale 0.6 gate both estimator soft
      : (tensor<1x4x9x3xf64>, tensor<1x2x9x3xf64>, tensor<1x2x9x2xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<2x9xi32>) -> (tensor<1x4x9x2xf64>, tensor<1x4x9xf64>)
  return %o : tensor<1x4x9x2xf64>
}
func.func @packed.kinks(%q: tensor<1x4x9x3xf64>, %k: tensor<1x2x9x3xf64>, %v: tensor<1x2x9x2xf64>, %u: tensor<1x2x9xf64>) -> (tensor<1x2x9xi32>, tensor<1x2x9xi32>) {
  %offsets = heddle.constant dense<[0, 4, 4, 9]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 9 : tensor<4xi32> -> tensor<2x9xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 2 window 1 : tensor<1x2x9xf64>, tensor<2x9xi32> -> tensor<1x2x9xf64>, tensor<1x2x9xf64>, tensor<1x2x9xi32>, tensor<1x2x9xi32>
  return %count, %end : tensor<1x2x9xi32>, tensor<1x2x9xi32>
}
func.func @packed_window(%q: tensor<1x2x9x3xf64>, %k: tensor<1x1x9x3xf64>, %v: tensor<1x1x9x2xf64>, %u: tensor<1x1x9xf64> {test.constant}, %end: tensor<1x1x9xi32> {test.range = [0.0, 1.0]}) -> tensor<1x2x9x2xf64> {
  %offsets = heddle.constant dense<[0, 4, 4, 9]> : tensor<4xi32>
  %bounds = sparsek.segments %offsets length 9 : tensor<4xi32> -> tensor<2x9xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %u, %u, %end, bounds %bounds topk 0 window 3 scale 0.6 gate none estimator soft
      : (tensor<1x2x9x3xf64>, tensor<1x1x9x3xf64>, tensor<1x1x9x2xf64>, tensor<1x1x9xf64>, tensor<1x1x9xf64>, tensor<1x1x9xf64>, tensor<1x1x9xi32>, tensor<2x9xi32>) -> (tensor<1x2x9x2xf64>, tensor<1x2x9xf64>)
  return %o : tensor<1x2x9x2xf64>
}
