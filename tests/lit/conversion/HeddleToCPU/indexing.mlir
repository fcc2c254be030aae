// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
// CHECK: agree

func.func @gather(%t: tensor<11x6xf32>, %i: tensor<2x5xi32> {heddle.range = [0, 10]}, %j: tensor<4xi64> {heddle.range = [0, 5]}, %s: tensor<i32> {heddle.range = [0, 10]}) -> (tensor<2x5x6xf32>, tensor<11x4xf32>, tensor<6xf32>) {
  %a = heddle.gather %t[%i] axis 0 : tensor<11x6xf32>, tensor<2x5xi32> -> tensor<2x5x6xf32>
  %b = heddle.gather %t[%j] axis 1 : tensor<11x6xf32>, tensor<4xi64> -> tensor<11x4xf32>
  %c = heddle.gather %t[%s] axis 0 : tensor<11x6xf32>, tensor<i32> -> tensor<6xf32>
  return %a, %b, %c : tensor<2x5x6xf32>, tensor<11x4xf32>, tensor<6xf32>
}
func.func @gather_fused(%t: tensor<11x16xf32>, %i: tensor<2x5xi32> {heddle.range = [0, 9]}) -> (tensor<2x5x16xf32>, tensor<2x5xf32>) {
  %one = heddle.constant dense<1> : tensor<2x5xi32>
  %k = heddle.add %i, %one : tensor<2x5xi32>
  %a = heddle.gather %t[%k] axis 0 : tensor<11x16xf32>, tensor<2x5xi32> -> tensor<2x5x16xf32>
  %b = heddle.exp %a : tensor<2x5x16xf32>
  %c = heddle.reduce sum %b axes [2] : tensor<2x5x16xf32> -> tensor<2x5xf32>
  return %b, %c : tensor<2x5x16xf32>, tensor<2x5xf32>
}
func.func @scatter(%t: tensor<11x6xf32>, %i: tensor<2x25xi32> {heddle.range = [0, 10]}, %u: tensor<2x25x6xf32>, %v: tensor<11x2x25xf32>, %b: tensor<7x3xbf16>, %j: tensor<9xi64> {heddle.range = [0, 2]}, %w: tensor<7x9xbf16>, %i2: tensor<2x25xi32> {heddle.range = [0, 5]}) -> (tensor<11x6xf32>, tensor<11x6xf32>, tensor<7x3xbf16>) {
  %a = heddle.scatter_add %t[%i], %u axis 0 : tensor<11x6xf32>, tensor<2x25xi32>, tensor<2x25x6xf32>
  %c = heddle.scatter_add %t[%i2], %v axis 1 : tensor<11x6xf32>, tensor<2x25xi32>, tensor<11x2x25xf32>
  %d = heddle.scatter_add %b[%j], %w axis 1 : tensor<7x3xbf16>, tensor<9xi64>, tensor<7x9xbf16>
  return %a, %c, %d : tensor<11x6xf32>, tensor<11x6xf32>, tensor<7x3xbf16>
}
func.func @along(%x: tensor<4x8x3xf32>, %i: tensor<4x5x3xi32> {heddle.range = [0, 7]}, %u: tensor<4x5x3xf32>, %k: tensor<4x8x2xi32> {heddle.range = [0, 2]}) -> (tensor<4x5x3xf32>, tensor<4x8x3xf32>, tensor<4x8x2xf32>) {
  %a = heddle.take_along %x[%i] axis 1 : tensor<4x8x3xf32>, tensor<4x5x3xi32> -> tensor<4x5x3xf32>
  %b = heddle.put_along %x[%i], %u axis 1 : tensor<4x8x3xf32>, tensor<4x5x3xi32>, tensor<4x5x3xf32>
  %c = heddle.take_along %x[%k] axis 2 : tensor<4x8x3xf32>, tensor<4x8x2xi32> -> tensor<4x8x2xf32>
  return %a, %b, %c : tensor<4x5x3xf32>, tensor<4x8x3xf32>, tensor<4x8x2xf32>
}
func.func @sorted(%x: tensor<4x9xf32>) -> tensor<4x9xf32> {
  %i = heddle.argsort %x axis 1 descending : tensor<4x9xf32> -> tensor<4x9xi32>
  %y = heddle.take_along %x[%i] axis 1 : tensor<4x9xf32>, tensor<4x9xi32> -> tensor<4x9xf32>
  return %y : tensor<4x9xf32>
}
func.func @selected(%x: tensor<4x900xf32>, %y: tensor<600x5xi64> {heddle.range = [-9, 9]}, %z: tensor<3x40xbf16>) -> (tensor<4x7xf32>, tensor<300x5xi32>, tensor<3x40xi32>, tensor<0x40xi32>) {
  %i = heddle.argsort %x axis 1 descending limit 7 : tensor<4x900xf32> -> tensor<4x7xi32>
  %a = heddle.take_along %x[%i] axis 1 : tensor<4x900xf32>, tensor<4x7xi32> -> tensor<4x7xf32>
  %b = heddle.argsort %y axis 0 limit 300 : tensor<600x5xi64> -> tensor<300x5xi32>
  %c = heddle.argsort %z axis 1 limit 40 : tensor<3x40xbf16> -> tensor<3x40xi32>
  %d = heddle.argsort %z axis 0 descending limit 0 : tensor<3x40xbf16> -> tensor<0x40xi32>
  return %a, %b, %c, %d : tensor<4x7xf32>, tensor<300x5xi32>, tensor<3x40xi32>, tensor<0x40xi32>
}
func.func @random(%key: tensor<i64> {heddle.range = [0, 1000000]}, %step: tensor<i32>) -> (tensor<5x7xf32>, tensor<33xbf16>, tensor<3x3xi32>, tensor<i64>, tensor<130xf32>) {
  %a = heddle.random uniform %key stream 3 : tensor<i64> -> tensor<5x7xf32>
  %b = heddle.random normal %key stream 1 : tensor<i64> -> tensor<33xbf16>
  %c = heddle.random bits %key stream 0 : tensor<i64> -> tensor<3x3xi32>
  %k = heddle.fold_in %key, %step : tensor<i64>, tensor<i32>
  %d = heddle.random normal %k stream 2 : tensor<i64> -> tensor<130xf32>
  return %a, %b, %c, %k, %d : tensor<5x7xf32>, tensor<33xbf16>, tensor<3x3xi32>, tensor<i64>, tensor<130xf32>
}
