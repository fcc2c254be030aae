// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s

// The three tokens of sparsek-attention.mlir, topk 1 and window 1, as one piece onto an empty cache: the same outputs.
// Then the candidates are {0.5, 0} with tau = -0.25 = 0.5 - 0.75, both live; key 0 is selected, key 2 is the window.
func.func @append() {
  %q = heddle.constant dense<1.0> : tensor<1x1x3x1xf32>
  %k = heddle.constant dense<[[[[1.46481638], [0.0], [0.0]]]]> : tensor<1x1x3x1xf32>
  %v = heddle.constant dense<[[[[4.0], [8.0], [2.0]]]]> : tensor<1x1x3x1xf32>
  %u = heddle.constant dense<[[[0.5, 0.0, 9.0]]]> : tensor<1x1x3xf32>
  %three = heddle.constant dense<3> : tensor<1xi32>
  // A row at position 0 is empty, whatever else it holds.
  %slots = heddle.constant dense<7.0> : tensor<1x1x2x1xf32>
  %score = heddle.constant dense<7.0> : tensor<1x1x2xf32>
  %key = heddle.constant dense<7> : tensor<1x1x2xi32>
  %live = heddle.constant dense<7.0> : tensor<1x1x4xf32>
  %count = heddle.constant dense<7> : tensor<1x1xi32>
  %tau = heddle.constant dense<7.0> : tensor<1x1xf32>
  %zero = heddle.constant dense<0> : tensor<1xi32>
  %scale = heddle.constant dense<1.0> : tensor<1xf64>
  %r:10 = sparsek.append %q, %k, %v, %u, %three
      onto (%slots, %slots, %score, %key, %live, %count, %tau, %tau, %zero, %scale, %zero, %zero) topk 1 window 1
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1xi32>,
         tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>, tensor<1x1x4xf32>,
         tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x1x3x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>,
          tensor<1x1x4xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  %o = heddle.constant dense<[[[[4.0], [4.75092711], [2.75]]]]> : tensor<1x1x3x1xf32>
  check.expect_close %r#0, %o {rtol = 1.0e-6} : tensor<1x1x3x1xf32>
  %filled:9 = sparsek.fill_cache %k, %v, %u, %three topk 1 window 1 capacity 4
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1xi32>)
      -> (tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>, tensor<1x1x4xf32>,
          tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)

  %keys = heddle.constant dense<[[[[1.46481638], [0.0]]]]> : tensor<1x1x2x1xf32>
  %values = heddle.constant dense<[[[[4.0], [2.0]]]]> : tensor<1x1x2x1xf32>
  %scores = heddle.constant dense<[[[0.5, 9.0]]]> : tensor<1x1x2xf32>
  %positions = heddle.constant dense<[[[0, 2]]]> : tensor<1x1x2xi32>
  %alive = heddle.constant dense<[[[0.5, 0.0, 0.0, 0.0]]]> : tensor<1x1x4xf32>
  %two = heddle.constant dense<2> : tensor<1x1xi32>
  %hi = heddle.constant dense<0.5> : tensor<1x1xf32>
  %lo = heddle.constant dense<-0.75> : tensor<1x1xf32>
  check.expect_close %r#1, %keys {rtol = 1.0e-6} : tensor<1x1x2x1xf32>
  check.expect_eq %r#2, %values : tensor<1x1x2x1xf32>
  check.expect_eq %r#3, %scores : tensor<1x1x2xf32>
  check.expect_eq %r#4, %positions : tensor<1x1x2xi32>
  check.expect_eq %r#5, %alive : tensor<1x1x4xf32>
  check.expect_eq %r#6, %two : tensor<1x1xi32>
  check.expect_eq %r#7, %hi : tensor<1x1xf32>
  check.expect_eq %r#8, %lo : tensor<1x1xf32>
  check.expect_eq %r#9, %three : tensor<1xi32>
  check.expect_close %filled#0, %keys {rtol = 1.0e-6} : tensor<1x1x2x1xf32>
  check.expect_eq %filled#1, %values : tensor<1x1x2x1xf32>
  check.expect_eq %filled#2, %scores : tensor<1x1x2xf32>
  check.expect_eq %filled#3, %positions : tensor<1x1x2xi32>
  check.expect_eq %filled#4, %alive : tensor<1x1x4xf32>
  check.expect_eq %filled#5, %two : tensor<1x1xi32>
  check.expect_eq %filled#6, %hi : tensor<1x1xf32>
  check.expect_eq %filled#7, %lo : tensor<1x1xf32>
  check.expect_eq %filled#8, %three : tensor<1xi32>
  return
}

// Two rows of length 1 and 0: padding is not read, its output is 0, and a row without tokens stays as it is.
func.func @padding() {
  %nan = heddle.constant dense<[[[[0x7FC00000], [2.0]]], [[[0x7FC00000], [0x7FC00000]]]]> : tensor<2x1x2x1xf32>
  %u = heddle.constant dense<[[[0x7FC00000, 1.0]], [[0x7FC00000, 0x7FC00000]]]> : tensor<2x1x2xf32>
  %lengths = heddle.constant dense<[1, 0]> : tensor<2xi32>
  %slots = heddle.constant dense<3.0> : tensor<2x1x1x1xf32>
  %score = heddle.constant dense<3.0> : tensor<2x1x1xf32>
  %key = heddle.constant dense<0> : tensor<2x1x1xi32>
  %count = heddle.constant dense<1> : tensor<2x1xi32>
  %tau = heddle.constant dense<[[0xFF800000], [0xFF800000]]> : tensor<2x1xf32>
  %lo = heddle.constant dense<0.0> : tensor<2x1xf32>
  %zero = heddle.constant dense<0> : tensor<2xi32>
  %scale = heddle.constant dense<1.0> : tensor<2xf64>
  %r:10 = sparsek.append %nan, %nan, %nan, %u, %lengths
      onto (%slots, %slots, %score, %key, %score, %count, %tau, %lo, %zero, %scale, %zero, %zero) topk 1 window 0
      : (tensor<2x1x2x1xf32>, tensor<2x1x2x1xf32>, tensor<2x1x2x1xf32>, tensor<2x1x2xf32>, tensor<2xi32>,
         tensor<2x1x1x1xf32>, tensor<2x1x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xi32>, tensor<2x1x1xf32>,
         tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>, tensor<2xf64>, tensor<2xi32>, tensor<2xi32>)
      -> (tensor<2x1x2x1xf32>, tensor<2x1x1x1xf32>, tensor<2x1x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xi32>,
          tensor<2x1x1xf32>, tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>)
  %o = heddle.constant dense<[[[[0.0], [2.0]]], [[[0.0], [0.0]]]]> : tensor<2x1x2x1xf32>
  %keys = heddle.constant dense<[[[[2.0]]], [[[3.0]]]]> : tensor<2x1x1x1xf32>
  check.expect_eq %r#0, %o : tensor<2x1x2x1xf32>
  check.expect_eq %r#1, %keys : tensor<2x1x1x1xf32>
  check.expect_eq %r#9, %lengths : tensor<2xi32>
  return
}
