// RUN: heddle-opt %s --canonicalize | FileCheck %s

// Sums of floating point round after each reduction: two are not one.
// CHECK-LABEL: @reduce_of_reduce
// CHECK-SAME: (%[[X:.*]]: tensor<2x3x4xf32>, %[[I:.*]]: tensor<2x3x4xi32>)
func.func @reduce_of_reduce(%x: tensor<2x3x4xf32>, %i: tensor<2x3x4xi32>) -> (tensor<3xf32>, tensor<f32>, tensor<f32>,
                                                                           tensor<f32>) {
  // CHECK: %[[MAX:.*]] = heddle.reduce max %[[X]] axes [0, 2]
  %inner = heddle.reduce max %x axes [0] : tensor<2x3x4xf32> -> tensor<3x4xf32>
  %max = heddle.reduce max %inner axes [1] : tensor<3x4xf32> -> tensor<3xf32>
  // CHECK: %[[PART:.*]] = heddle.reduce sum %[[X]] axes [0]
  // CHECK: %[[SUM:.*]] = heddle.reduce sum %[[PART]] axes [0, 1]
  %part = heddle.reduce sum %x axes [0] : tensor<2x3x4xf32> -> tensor<3x4xf32>
  %sum = heddle.reduce sum %part axes [0, 1] : tensor<3x4xf32> -> tensor<f32>
  // CHECK: %[[SMALLEST:.*]] = heddle.reduce min %[[MAX]]
  %smallest = heddle.reduce min %max axes [0] : tensor<3xf32> -> tensor<f32>
  // CHECK: %[[COUNT:.*]] = heddle.reduce sum %[[I]] axes [0, 1, 2]
  %counts = heddle.reduce sum %i axes [1, 2] : tensor<2x3x4xi32> -> tensor<2xi32>
  %count = heddle.reduce sum %counts axes [0] : tensor<2xi32> -> tensor<i32>
  // CHECK: %[[REAL:.*]] = heddle.cast %[[COUNT]]
  %real = heddle.cast %count : tensor<i32> -> tensor<f32>
  // CHECK: return %[[MAX]], %[[SUM]], %[[SMALLEST]], %[[REAL]]
  return %max, %sum, %smallest, %real : tensor<3xf32>, tensor<f32>, tensor<f32>, tensor<f32>
}

// CHECK-LABEL: @units
// CHECK-SAME: (%[[X:.*]]: tensor<1x3x1xf32>, %[[Y:.*]]: tensor<2x3xf32>)
func.func @units(%x: tensor<1x3x1xf32>, %y: tensor<2x3xf32>) -> (tensor<3xf32>, tensor<f32>, tensor<3x1xf32>) {
  // CHECK: %[[DROPPED:.*]] = heddle.reshape %[[X]] : tensor<1x3x1xf32> -> tensor<3xf32>
  %dropped = heddle.reduce sum %x axes [0, 2] : tensor<1x3x1xf32> -> tensor<3xf32>
  // CHECK: %[[LINE:.*]] = heddle.reshape %[[X]] : tensor<1x3x1xf32> -> tensor<3xf32>
  // CHECK: %[[ALL:.*]] = heddle.reduce sum %[[LINE]] axes [0]
  %all = heddle.reduce sum %x axes [0, 1, 2] : tensor<1x3x1xf32> -> tensor<f32>
  // CHECK: %[[SUM:.*]] = heddle.reduce sum %[[Y]] axes [0]
  // CHECK: %[[COLUMN:.*]] = heddle.reshape %[[SUM]] : tensor<3xf32> -> tensor<3x1xf32>
  %wide = heddle.reshape %y : tensor<2x3xf32> -> tensor<2x3x1xf32>
  %column = heddle.reduce sum %wide axes [0] : tensor<2x3x1xf32> -> tensor<3x1xf32>
  // CHECK: return %[[DROPPED]], %[[ALL]], %[[COLUMN]]
  return %dropped, %all, %column : tensor<3xf32>, tensor<f32>, tensor<3x1xf32>
}

// CHECK-LABEL: @of_broadcast
// CHECK-SAME: (%[[X:.*]]: tensor<3xf32>)
func.func @of_broadcast(%x: tensor<3xf32>) -> (tensor<3xf32>, tensor<f32>, tensor<3xf32>) {
  // CHECK: %[[B:.*]] = heddle.broadcast %[[X]]
  %b = heddle.broadcast %x axes [1] : tensor<3xf32> -> tensor<5x3xf32>
  %same = heddle.reduce max %b axes [0] : tensor<5x3xf32> -> tensor<3xf32>
  // CHECK: %[[ALL:.*]] = heddle.reduce min %[[X]] axes [0]
  %all = heddle.reduce min %b axes [0, 1] : tensor<5x3xf32> -> tensor<f32>
  // Five times x is not a sum of five.
  // CHECK: %[[SUM:.*]] = heddle.reduce sum %[[B]]
  %sum = heddle.reduce sum %b axes [0] : tensor<5x3xf32> -> tensor<3xf32>
  // CHECK: return %[[X]], %[[ALL]], %[[SUM]]
  return %same, %all, %sum : tensor<3xf32>, tensor<f32>, tensor<3xf32>
}

// CHECK-LABEL: @scan
// CHECK-SAME: (%[[X:.*]]: tensor<1x3xf32>)
// CHECK: %[[C:.*]] = heddle.cumsum %[[X]] axis 1
// CHECK: return %[[X]], %[[C]]
func.func @scan(%x: tensor<1x3xf32>) -> (tensor<1x3xf32>, tensor<1x3xf32>) {
  %a = heddle.cumsum %x axis 0 : tensor<1x3xf32>
  %b = heddle.cumsum %x axis 1 : tensor<1x3xf32>
  return %a, %b : tensor<1x3xf32>, tensor<1x3xf32>
}

// CHECK-LABEL: @products
// CHECK-SAME: (%[[A:.*]]: tensor<4x8xf32>, %[[B:.*]]: tensor<5x8xf32>, %[[C:.*]]: tensor<2x4x8xf32>)
func.func @products(%a: tensor<4x8xf32>, %b: tensor<5x8xf32>, %c: tensor<2x4x8xf32>) -> (tensor<5x4xf32>, tensor<8xf32>,
                                                                                      tensor<2xf32>) {
  // CHECK: %[[P:.*]] = heddle.einsum "xy,zy->zx" %[[A]], %[[B]]
  %t = heddle.transpose %b permutation [1, 0] : tensor<5x8xf32> -> tensor<8x5xf32>
  %p = heddle.einsum "xy,yz->xz" %a, %t : (tensor<4x8xf32>, tensor<8x5xf32>) -> tensor<4x5xf32>
  %turned = heddle.transpose %p permutation [1, 0] : tensor<4x5xf32> -> tensor<5x4xf32>
  // CHECK: %[[D:.*]] = heddle.transpose %[[C]]
  %d = heddle.transpose %c permutation [0, 2, 1] : tensor<2x4x8xf32> -> tensor<2x8x4xf32>
  // CHECK: %[[ROW:.*]] = heddle.slice %[[A]]
  // CHECK: %[[Q:.*]] = heddle.einsum "xy,xy->y"
  %row = heddle.slice %a starts [0, 0] sizes [2, 8] strides [1, 1] : tensor<4x8xf32> -> tensor<2x8xf32>
  %q = heddle.einsum "xy,xy->y" %row, %row : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<8xf32>
  // The order of a sum over two axes is that of the first operand's axes.
  // CHECK: %[[R:.*]] = heddle.einsum "xyz,zy->x" %[[D]], %[[A]]
  %r = heddle.einsum "xyz,zy->x" %d, %a : (tensor<2x8x4xf32>, tensor<4x8xf32>) -> tensor<2xf32>
  // CHECK: return %[[P]], %[[Q]], %[[R]]
  return %turned, %q, %r : tensor<5x4xf32>, tensor<8xf32>, tensor<2xf32>
}
