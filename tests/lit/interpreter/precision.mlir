// With --precision f64 nothing is rounded, casts between floats are identities, and integers are as ever.
// RUN: heddle-interp --precision f64 %s

func.func @unrounded() {
  %one = heddle.constant dense<1.0> : tensor<bf16>
  %three = heddle.constant dense<3.0> : tensor<bf16>
  %third = heddle.div %one, %three : tensor<bf16>
  %narrow = heddle.cast %third : tensor<bf16> -> tensor<f16>
  %wide = heddle.cast %narrow : tensor<f16> -> tensor<f64>
  %expected = heddle.constant dense<0.33333333333333333> : tensor<f64>
  check.expect_eq %wide, %expected : tensor<f64>
  return
}

func.func @integers() {
  %x = heddle.constant dense<1.9> : tensor<f32>
  %i = heddle.cast %x : tensor<f32> -> tensor<i8>
  %one = heddle.constant dense<1> : tensor<i8>
  check.expect_eq %i, %one : tensor<i8>
  return
}

// The f32 numbers, widened: also where the program says bf16.
func.func @random() {
  %key = heddle.constant dense<42> : tensor<i64>
  %a = heddle.random uniform %key stream 1 : tensor<i64> -> tensor<9xbf16>
  %b = heddle.random uniform %key stream 1 : tensor<i64> -> tensor<9xf64>
  %c = heddle.cast %a : tensor<9xbf16> -> tensor<9xf64>
  check.expect_eq %b, %c : tensor<9xf64>
  return
}
