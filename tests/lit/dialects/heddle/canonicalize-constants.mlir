// RUN: heddle-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @elementwise
func.func @elementwise() -> (tensor<2xf32>, tensor<3xi32>, tensor<2xbf16>, tensor<4xf64>, tensor<3xi1>) {
  // CHECK-DAG: %[[SUM:.*]] = heddle.constant dense<[3.000000e-01, 2.500000e+00]> : tensor<2xf32>
  %a = heddle.constant dense<[0.1, 1.0]> : tensor<2xf32>
  %b = heddle.constant dense<[0.2, 1.5]> : tensor<2xf32>
  %sum = heddle.add %a, %b : tensor<2xf32>
  // Rounds toward minus infinity, and a zero divisor gives 0.
  // CHECK-DAG: %[[DIV:.*]] = heddle.constant dense<[-4, 3, 0]> : tensor<3xi32>
  %i = heddle.constant dense<[-7, 7, 7]> : tensor<3xi32>
  %j = heddle.constant dense<[2, 2, 0]> : tensor<3xi32>
  %div = heddle.div %i, %j : tensor<3xi32>
  // One rounding to 8 bits.
  // CHECK-DAG: %[[THIRD:.*]] = heddle.constant dense<3.339840e-01> : tensor<2xbf16>
  %one = heddle.constant dense<1.0> : tensor<2xbf16>
  %three = heddle.constant dense<3.0> : tensor<2xbf16>
  %third = heddle.div %one, %three : tensor<2xbf16>
  // CHECK-DAG: %[[ROOT:.*]] = heddle.constant dense<1.4142135623730951> : tensor<4xf64>
  %two = heddle.constant dense<2.0> : tensor<4xf64>
  %root = heddle.sqrt %two : tensor<4xf64>
  // CHECK-DAG: %[[LESS:.*]] = heddle.constant dense<[true, false, false]> : tensor<3xi1>
  %less = heddle.compare lt %i, %j : tensor<3xi32>
  // CHECK: return %[[SUM]], %[[DIV]], %[[THIRD]], %[[ROOT]], %[[LESS]]
  return %sum, %div, %third, %root, %less : tensor<2xf32>, tensor<3xi32>, tensor<2xbf16>, tensor<4xf64>, tensor<3xi1>
}

// Large constants of distinct elements are not computed, those of equal ones are.
// CHECK-LABEL: @large
func.func @large() -> (tensor<65xi32>, tensor<1000xf32>) {
  // CHECK-DAG: %[[SPLAT:.*]] = heddle.constant dense<3.0{{.*}}> : tensor<1000xf32>
  // CHECK: %[[NEG:.*]] = heddle.neg
  %c = heddle.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
    50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64]> : tensor<65xi32>
  %neg = heddle.neg %c : tensor<65xi32>
  %one = heddle.constant dense<1.0> : tensor<1000xf32>
  %two = heddle.constant dense<2.0> : tensor<1000xf32>
  %three = heddle.add %one, %two : tensor<1000xf32>
  // CHECK: return %[[NEG]], %[[SPLAT]]
  return %neg, %three : tensor<65xi32>, tensor<1000xf32>
}

// CHECK-LABEL: @moves
func.func @moves() -> (tensor<2x3xf32>, tensor<3x2xi32>, tensor<2xi32>, tensor<6xi32>, tensor<2x2xi32>, tensor<5xf32>,
                       tensor<8xi32>, tensor<3xi32>, tensor<4xf32>) {
  // CHECK-DAG: %[[SPLAT:.*]] = heddle.constant dense<5.0{{.*}}> : tensor<2x3xf32>
  %five = heddle.constant dense<5.0> : tensor<f32>
  %splat = heddle.broadcast %five axes [] : tensor<f32> -> tensor<2x3xf32>
  // CHECK-DAG: %[[TURNED:.*]] = heddle.constant dense<{{\[\[}}1, 4], [2, 5], [3, 6{{\]\]}}> : tensor<3x2xi32>
  %c = heddle.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %turned = heddle.transpose %c permutation [1, 0] : tensor<2x3xi32> -> tensor<3x2xi32>
  // CHECK-DAG: %[[ROW:.*]] = heddle.constant dense<[4, 6]> : tensor<2xi32>
  %row = heddle.slice %c starts [1, 0] sizes [1, 2] strides [1, 2] : tensor<2x3xi32> -> tensor<1x2xi32>
  %flat = heddle.reshape %row : tensor<1x2xi32> -> tensor<2xi32>
  // CHECK-DAG: %[[BACK:.*]] = heddle.constant dense<[6, 5, 4, 3, 2, 1]> : tensor<6xi32>
  %line = heddle.reshape %c : tensor<2x3xi32> -> tensor<6xi32>
  %back = heddle.reverse %line axes [0] : tensor<6xi32>
  // CHECK-DAG: %[[ROWS:.*]] = heddle.constant dense<{{\[\[}}4, 6], [4, 6{{\]\]}}> : tensor<2x2xi32>
  %rows = heddle.broadcast %flat axes [1] : tensor<2xi32> -> tensor<2x2xi32>
  // CHECK-DAG: %[[PADDED:.*]] = heddle.constant dense<5.0{{.*}}> : tensor<5xf32>
  %pair = heddle.constant dense<5.0> : tensor<2xf32>
  %padded = heddle.pad %pair, %five low [1] high [2] interior [0] : tensor<2xf32>, tensor<f32> -> tensor<5xf32>
  // CHECK-DAG: %[[JOINED:.*]] = heddle.constant dense<[4, 6, 1, 2, 3, 4, 5, 6]> : tensor<8xi32>
  %joined = heddle.concat %flat, %line axis 0 : (tensor<2xi32>, tensor<6xi32>) -> tensor<8xi32>
  // CHECK-DAG: %[[ZEROS:.*]] = heddle.constant dense<0> : tensor<3xi32>
  %iota = heddle.iota axis 0 : tensor<1x3xi32>
  %zeros = heddle.reshape %iota : tensor<1x3xi32> -> tensor<3xi32>
  // CHECK-DAG: %[[SUMS:.*]] = heddle.constant dense<3.0{{.*}}e-01> : tensor<4xf32>
  %tenths = heddle.constant dense<0.1> : tensor<4x3xf32>
  %sums = heddle.reduce sum %tenths axes [1] : tensor<4x3xf32> -> tensor<4xf32>
  // CHECK: return %[[SPLAT]], %[[TURNED]], %[[ROW]], %[[BACK]], %[[ROWS]], %[[PADDED]], %[[JOINED]], %[[ZEROS]]
  return %splat, %turned, %flat, %back, %rows, %padded, %joined, %zeros, %sums : tensor<2x3xf32>, tensor<3x2xi32>,
    tensor<2xi32>, tensor<6xi32>, tensor<2x2xi32>, tensor<5xf32>, tensor<8xi32>, tensor<3xi32>, tensor<4xf32>
}
