// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// A value cut in two gets its cotangent by joining the parts, not by adding padded ones. Parts that leave a gap are added.

func.func private @rotate(%x: tensor<3x8xf32>) -> tensor<3x8xf32> {
  %a = heddle.slice %x starts [0, 0] sizes [3, 4] strides [1, 1] : tensor<3x8xf32> -> tensor<3x4xf32>
  %b = heddle.slice %x starts [0, 4] sizes [3, 4] strides [1, 1] : tensor<3x8xf32> -> tensor<3x4xf32>
  %n = heddle.neg %b : tensor<3x4xf32>
  %y = heddle.concat %n, %a axis 1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x8xf32>
  return %y : tensor<3x8xf32>
}
func.func private @ends(%x: tensor<8xf32>) -> tensor<3xf32> {
  %a = heddle.slice %x starts [0] sizes [3] strides [1] : tensor<8xf32> -> tensor<3xf32>
  %b = heddle.slice %x starts [5] sizes [3] strides [1] : tensor<8xf32> -> tensor<3xf32>
  %y = heddle.sub %a, %b : tensor<3xf32>
  return %y : tensor<3xf32>
}

// CHECK-LABEL: func.func private @rotate.vjp.0(
// CHECK-SAME: %[[CT:[a-z0-9]*]]: tensor<3x8xf32>)
// CHECK: %[[CN:.*]] = heddle.slice %[[CT]] starts [0, 0]
// CHECK: %[[CA:.*]] = heddle.slice %[[CT]] starts [0, 4]
// CHECK: %[[CB:.*]] = heddle.neg %[[CN]]
// CHECK-NOT: heddle.pad
// CHECK: %[[D:.*]] = heddle.concat %[[CA]], %[[CB]] axis 1
// CHECK: return %{{.*}}, %[[D]]

// CHECK-LABEL: func.func private @ends.vjp.0(
// CHECK-COUNT-2: heddle.pad
// CHECK: heddle.add
func.func @gradient(%x: tensor<3x8xf32>, %z: tensor<8xf32>, %ct: tensor<3xf32>) -> (tensor<3x8xf32>, tensor<8xf32>) {
  %y:2 = heddle.vjp @rotate(%x, %x) wrt [0] : (tensor<3x8xf32>, tensor<3x8xf32>) -> (tensor<3x8xf32>, tensor<3x8xf32>)
  %w:2 = heddle.vjp @ends(%z, %ct) wrt [0] : (tensor<8xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<8xf32>)
  return %y#1, %w#1 : tensor<3x8xf32>, tensor<8xf32>
}
