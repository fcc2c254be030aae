// RUN: not heddle-interp %s 2>&1 | FileCheck %s --implicit-check-not=error:

func.func @gather() {
  %table = heddle.constant dense<[1, 2, 3]> : tensor<3xi32>
  %ids = heddle.constant dense<[0, 3]> : tensor<2xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: index 3 is outside a dimension of 3
  %y = heddle.gather %table[%ids] axis 0 : tensor<3xi32>, tensor<2xi32> -> tensor<2xi32>
  return
}

func.func @scatter() {
  %table = heddle.constant dense<[1, 2, 3]> : tensor<3xi32>
  %ids = heddle.constant dense<[-1]> : tensor<1xi64>
  %one = heddle.constant dense<[1]> : tensor<1xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: index -1 is outside a dimension of 3
  %y = heddle.scatter_add %table[%ids], %one axis 0 : tensor<3xi32>, tensor<1xi64>, tensor<1xi32>
  return
}

func.func @take_along() {
  %x = heddle.constant dense<[[1, 2]]> : tensor<1x2xi32>
  %ids = heddle.constant dense<[[9]]> : tensor<1x1xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: index 9 is outside a dimension of 2
  %y = heddle.take_along %x[%ids] axis 1 : tensor<1x2xi32>, tensor<1x1xi32> -> tensor<1x1xi32>
  return
}

func.func @put_along() {
  %x = heddle.constant dense<[[1, 2]]> : tensor<1x2xi32>
  %ids = heddle.constant dense<[[-2]]> : tensor<1x1xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: index -2 is outside a dimension of 2
  %y = heddle.put_along %x[%ids], %ids axis 1 : tensor<1x2xi32>, tensor<1x1xi32>, tensor<1x1xi32>
  return
}

func.func @dynamic_slice() {
  %x = heddle.constant dense<[1, 2, 3]> : tensor<3xi32>
  %two = heddle.constant dense<2> : tensor<i32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: a slice of 2 from 2 is outside a dimension of 3
  %y = heddle.dynamic_slice %x[%two] axis 0 size 2 : tensor<3xi32>, tensor<i32> -> tensor<2xi32>
  return
}

func.func @dynamic_index() {
  %x = heddle.constant dense<[1, 2, 3]> : tensor<3xi32>
  %i = heddle.constant dense<-1> : tensor<i32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: index -1 is outside a dimension of 3
  %y = heddle.dynamic_slice %x[%i] axis 0 size 1 : tensor<3xi32>, tensor<i32> -> tensor<1xi32>
  return
}

func.func @dynamic_update() {
  %x = heddle.constant dense<[1, 2, 3]> : tensor<3xi32>
  %u = heddle.constant dense<[1, 2]> : tensor<2xi32>
  %i = heddle.constant dense<9223372036854775807> : tensor<i64>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: a slice of 2 from 9223372036854775807 is outside a dimension of 3
  %y = heddle.dynamic_update_slice %x, %u[%i] axis 0 : tensor<3xi32>, tensor<2xi32>, tensor<i64>
  return
}

func.func @assertion() {
  %false = heddle.constant dense<false> : tensor<i1>
  // CHECK: errors.mlir:[[#@LINE+1]]:3: error: the rate must be positive
  heddle.assert %false, "the rate must be positive" : tensor<i1>
  return
}

// A failure in a call within a loop is reported where it happens.
func.func private @inner(%i: tensor<i32>) -> tensor<1xi32> {
  %x = heddle.constant dense<[1, 2, 3]> : tensor<3xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: index 3 is outside a dimension of 3
  %y = heddle.dynamic_slice %x[%i] axis 0 size 1 : tensor<3xi32>, tensor<i32> -> tensor<1xi32>
  return %y : tensor<1xi32>
}

func.func @loop() {
  %all = heddle.for 5 scan() init() : () -> tensor<5x1xi32> {
  ^bb0(%i: tensor<i32>):
    %y = func.call @inner(%i) : (tensor<i32>) -> tensor<1xi32>
    heddle.yield %y : tensor<1xi32>
  }
  return
}

func.func @recursion() {
  // CHECK: errors.mlir:[[#@LINE+1]]:3: error: calls are nested more than 256 deep
  func.call @recursion() : () -> ()
  return
}

func.func private @declared() -> tensor<i32>

func.func @no_body() {
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: function @declared has no body
  %y = func.call @declared() : () -> tensor<i32>
  return
}

func.func @too_large() {
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: an array of shape 100000x100000 passes the interpreter's limit of 536870912 elements at once
  %y = heddle.iota axis 0 : tensor<100000x100000xf32>
  return
}

func.func @far_too_large() {
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: an array of shape 4294967296x4294967296x4294967296 passes the interpreter's limit of 536870912 elements at once
  %y = heddle.iota axis 0 : tensor<4294967296x4294967296x4294967296xf32>
  return
}

func.func private @f(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}

func.func @requests() {
  %x = heddle.constant dense<1.0> : tensor<f32>
  // CHECK: errors.mlir:[[#@LINE+1]]:10: error: heddle.vjp is a request, not an operation; run heddle-differentiate first
  %y:2 = heddle.vjp @f(%x, %x) wrt [0] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return
}

func.func @expectations() {
  %a = heddle.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = heddle.constant dense<[[1.0, 2.0], [3.5, 5.0]]> : tensor<2x2xf32>
  // CHECK: errors.mlir:[[#@LINE+3]]:3: error: 2 of 4 elements differ, first at [1, 0]: actual 3, expected 3.5
  // CHECK-NEXT: actual {{ *}}[{{\[}}1, 2], [3, 4{{\]}}]
  // CHECK-NEXT: expected [{{\[}}1, 2], [3.5, 5{{\]}}]
  check.expect_eq %a, %b : tensor<2x2xf32>
  return
}

func.func @tolerances() {
  %a = heddle.constant dense<[100.0, 1.0]> : tensor<2xf32>
  %b = heddle.constant dense<[101.0, 1.5]> : tensor<2xf32>
  check.expect_close %a, %b {rtol = 0.005, atol = 0.5} : tensor<2xf32>
  // CHECK: errors.mlir:[[#@LINE+1]]:3: error: 1 of 2 elements differ, first at [1]: actual 1, expected 1.5
  check.expect_close %a, %b {rtol = 0.01} : tensor<2xf32>
  return
}

func.func @not_a_number() {
  %a = heddle.constant dense<0x7FC00000> : tensor<f32>
  %b = heddle.constant dense<1.0> : tensor<f32>
  // CHECK: errors.mlir:[[#@LINE+1]]:3: error: 1 of 1 elements differ, first at []: actual nan, expected 1
  check.expect_close %a, %b {rtol = 1.0e9} : tensor<f32>
  return
}

func.func @budget_of_nothing() {
  %z = heddle.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %k = heddle.constant dense<0.0> : tensor<f32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: sparsek needs k > 0, but k is 0
  %p = sparsek.project %z, %k : tensor<2xf32>, tensor<f32> -> tensor<2xf32>
  return
}

func.func @budget_of_nan() {
  %z = heddle.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %k = heddle.constant dense<0x7FC00000> : tensor<f32>
  // CHECK: errors.mlir:[[#@LINE+1]]:8: error: sparsek needs k > 0, but k is nan
  %p = sparsek.project %z, %k : tensor<2xf32>, tensor<f32> -> tensor<2xf32>
  return
}

func.func @offsets_from_elsewhere() {
  %offsets = heddle.constant dense<[1, 4]> : tensor<2xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:13: error: segments[0] is 1, not 0
  %bounds = sparsek.segments %offsets length 4 : tensor<2xi32> -> tensor<2x4xi32>
  return
}

func.func @offsets_that_fall() {
  %offsets = heddle.constant dense<[0, 3, 2, 4]> : tensor<4xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:13: error: segments[2] is 2, below segments[1], which is 3
  %bounds = sparsek.segments %offsets length 4 : tensor<4xi32> -> tensor<2x4xi32>
  return
}

func.func @offsets_beyond() {
  %offsets = heddle.constant dense<[0, 5]> : tensor<2xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:13: error: segments[1] is 5, not 4, the number of positions
  %bounds = sparsek.segments %offsets length 4 : tensor<2xi32> -> tensor<2x4xi32>
  return
}

func.func @bounds_of_nothing() {
  %u = heddle.constant dense<1.0> : tensor<1x1x2xf32>
  %bounds = heddle.constant dense<[[0, 1], [2, 1]]> : tensor<2x2xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:28: error: bounds of position 1 are 1 and 1
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 1 window 1 : tensor<1x1x2xf32>, tensor<2x2xi32>
      -> tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>, tensor<1x1x2xi32>
  return
}

func.func @check_index() {
  %ids = heddle.constant dense<[0, 255, 256]> : tensor<3xi32>
  heddle.check_index %ids below 257, "never seen" : tensor<3xi32>
  // CHECK: errors.mlir:[[#@LINE+1]]:3: error: index 256 is outside a dimension of 256
  heddle.check_index %ids below 256, "index {} is outside a dimension of {}" : tensor<3xi32>
  return
}

func.func @check_negative_index() {
  %ids = heddle.constant dense<[-3]> : tensor<1xi64>
  // CHECK: errors.mlir:[[#@LINE+1]]:3: error: a slice of 2 from -3 is wrong
  heddle.check_index %ids below 2, "a slice of 2 from {} is wrong" : tensor<1xi64>
  return
}

func.func @too_many_steps() {
  // CHECK: errors.mlir:[[#@LINE+1]]:3: error: a loop of 3000000000 steps passes the range of its i32 step number
  heddle.for 3000000000 scan() init() : () -> () {
  ^bb0(%i: tensor<i32>):
    heddle.yield
  }
  return
}

func.func @read_of_a_visible_pair() {
  %q = heddle.constant dense<1.0> : tensor<1x1x2x1xf32>
  %table = heddle.constant dense<[1, 2]> : tensor<2xi32>
  %o, %lse = sparsek.variant_attention %q, %q, %q captures(%table) scale 1.0
      : (tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<2xi32>)
      -> (tensor<1x1x2x1xf32>, tensor<1x1x2xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xi32>):
    %d = heddle.sub %i, %j : tensor<i32>
    // CHECK: errors.mlir:[[#@LINE+1]]:10: error: index -1 is outside a dimension of 2
    %n = sparsek.read %x[%d] : tensor<2xi32>
    %c = heddle.compare ge %i, %n : tensor<i32>
    %all = heddle.or %c, %c : tensor<i1>
    %no = heddle.not %all : tensor<i1>
    %true = heddle.or %no, %all : tensor<i1>
    sparsek.yield %s, %s, %true : tensor<f32>
  }
  return
}
