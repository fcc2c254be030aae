// RUN: heddle-opt --split-input-file --verify-diagnostics --heddle-prepare %s | FileCheck %s

// CHECK-LABEL: func.func @moves(
// CHECK-NEXT: %[[T:.*]] = heddle.transpose %arg0 permutation [2, 0, 1]
// CHECK-NEXT: return %arg0, %[[T]]
func.func @moves(%x: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<4x2x3xf32>) {
  %a = heddle.fence 1 %x : tensor<2x3x4xf32>
  %b = heddle.stop_gradient %a : tensor<2x3x4xf32>
  %c = heddle.transpose %b permutation [1, 0, 2] : tensor<2x3x4xf32> -> tensor<3x2x4xf32>
  %d = heddle.transpose %c permutation [1, 0, 2] : tensor<3x2x4xf32> -> tensor<2x3x4xf32>
  %e = heddle.transpose %c permutation [2, 1, 0] : tensor<3x2x4xf32> -> tensor<4x2x3xf32>
  return %d, %e : tensor<2x3x4xf32>, tensor<4x2x3xf32>
}

// Positions from the program are checked, once; those that cannot be wrong are not.
// CHECK-LABEL: func.func @checks(
// CHECK: heddle.check_index %arg1 below 8, "index {} is outside a dimension of {}"
// CHECK-NOT: heddle.check_index
// CHECK: heddle.check_index %arg2 below 6, "a slice of 3 from {} is outside a dimension of 8"
// CHECK-NOT: heddle.check_index
func.func @checks(%t: tensor<8x4xf32>, %i: tensor<5xi32>, %s: tensor<i32>)
    -> (tensor<5x4xf32>, tensor<5x4xf32>, tensor<3x4xf32>, tensor<8x4xf32>) {
  %a = heddle.gather %t[%i] axis 0 : tensor<8x4xf32>, tensor<5xi32> -> tensor<5x4xf32>
  %b = heddle.gather %t[%i] axis 0 : tensor<8x4xf32>, tensor<5xi32> -> tensor<5x4xf32>
  %c = heddle.dynamic_slice %t[%s] axis 0 size 3 : tensor<8x4xf32>, tensor<i32> -> tensor<3x4xf32>
  %o = heddle.argsort %t axis 0 : tensor<8x4xf32> -> tensor<8x4xi32>
  %d = heddle.take_along %t[%o] axis 0 : tensor<8x4xf32>, tensor<8x4xi32> -> tensor<8x4xf32>
  return %a, %b, %c, %d : tensor<5x4xf32>, tensor<5x4xf32>, tensor<3x4xf32>, tensor<8x4xf32>
}

// Positions from a selection cannot be wrong either, however few of them are taken.
// CHECK-LABEL: func.func @selected(
// CHECK-NOT: heddle.check_index
// CHECK: return
func.func @selected(%t: tensor<8x4xf32>) -> tensor<2x4xf32> {
  %o = heddle.argsort %t axis 0 descending limit 2 : tensor<8x4xf32> -> tensor<2x4xi32>
  %a = heddle.take_along %t[%o] axis 0 : tensor<8x4xf32>, tensor<2x4xi32> -> tensor<2x4xf32>
  return %a : tensor<2x4xf32>
}

// One addition to each line becomes a choice.
// CHECK-LABEL: func.func @one_each(
// CHECK-NOT: heddle.put_along
// CHECK: heddle.select
func.func @one_each(%x: tensor<5x8xf32>, %i: tensor<5x1xi32>, %u: tensor<5x1xf32>) -> tensor<5x8xf32> {
  %a = heddle.put_along %x[%i], %u axis 1 : tensor<5x8xf32>, tensor<5x1xi32>, tensor<5x1xf32>
  return %a : tensor<5x8xf32>
}

// -----

func.func @dynamic(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{a dimension of 'tensor<?xf32>' is not known when the program is compiled for the CPU}}
  %a = heddle.neg %x : tensor<?xf32>
  return %a : tensor<?xf32>
}
