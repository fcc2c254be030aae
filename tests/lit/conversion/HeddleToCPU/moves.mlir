// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
// CHECK: agree

func.func @moves(%x: tensor<3x5x7xf32>, %y: tensor<7xf32>, %z: tensor<2x5xbf16>) -> (tensor<7x3x5xf32>, tensor<3x5x7xf32>, tensor<15x7xf32>, tensor<2x3x3xf32>, tensor<3x5x7xf32>, tensor<5x2xbf16>) {
  %a = heddle.transpose %x permutation [2, 0, 1] : tensor<3x5x7xf32> -> tensor<7x3x5xf32>
  %b = heddle.broadcast %y axes [2] : tensor<7xf32> -> tensor<3x5x7xf32>
  %c = heddle.add %x, %b : tensor<3x5x7xf32>
  %d = heddle.reshape %c : tensor<3x5x7xf32> -> tensor<15x7xf32>
  %e = heddle.slice %x starts [1, 0, 1] sizes [2, 3, 3] strides [1, 2, 2] : tensor<3x5x7xf32> -> tensor<2x3x3xf32>
  %f = heddle.reverse %x axes [0, 2] : tensor<3x5x7xf32>
  %g = heddle.transpose %z permutation [1, 0] : tensor<2x5xbf16> -> tensor<5x2xbf16>
  return %a, %b, %d, %e, %f, %g : tensor<7x3x5xf32>, tensor<3x5x7xf32>, tensor<15x7xf32>, tensor<2x3x3xf32>, tensor<3x5x7xf32>, tensor<5x2xbf16>
}

func.func @iota() -> (tensor<3x5xi32>, tensor<3x5xf32>, tensor<4xbf16>, tensor<300xi8>) {
  %a = heddle.iota axis 1 : tensor<3x5xi32>
  %b = heddle.iota axis 0 : tensor<3x5xf32>
  %c = heddle.iota axis 0 : tensor<4xbf16>
  %d = heddle.iota axis 0 : tensor<300xi8>
  return %a, %b, %c, %d : tensor<3x5xi32>, tensor<3x5xf32>, tensor<4xbf16>, tensor<300xi8>
}

func.func @pad(%x: tensor<4x5xf32>, %v: tensor<f32>) -> (tensor<7x12xf32>, tensor<4x5xf32>, tensor<4x13xf32>, tensor<7xf32>) {
  %a = heddle.pad %x, %v low [1, 0] high [2, 3] interior [0, 1] : tensor<4x5xf32>, tensor<f32> -> tensor<7x12xf32>
  %b = heddle.pad %x, %v low [0, 0] high [0, 0] interior [0, 0] : tensor<4x5xf32>, tensor<f32> -> tensor<4x5xf32>
  %c = heddle.pad %x, %v low [0, 3] high [0, 5] interior [0, 0] : tensor<4x5xf32>, tensor<f32> -> tensor<4x13xf32>
  %d = heddle.reduce sum %a axes [1] : tensor<7x12xf32> -> tensor<7xf32>
  return %a, %b, %c, %d : tensor<7x12xf32>, tensor<4x5xf32>, tensor<4x13xf32>, tensor<7xf32>
}

func.func @concat(%x: tensor<4x5xf32>, %y: tensor<4x3xf32>, %z: tensor<2x5xf32>) -> (tensor<4x13xf32>, tensor<6x5xf32>, tensor<4x10xf32>, tensor<4xf32>) {
  %a = heddle.concat %x, %y, %x axis 1 : (tensor<4x5xf32>, tensor<4x3xf32>, tensor<4x5xf32>) -> tensor<4x13xf32>
  %b = heddle.concat %z, %x axis 0 : (tensor<2x5xf32>, tensor<4x5xf32>) -> tensor<6x5xf32>
  %n = heddle.neg %x : tensor<4x5xf32>
  %c = heddle.concat %n, %x axis 1 : (tensor<4x5xf32>, tensor<4x5xf32>) -> tensor<4x10xf32>
  %d = heddle.reduce max %a axes [1] : tensor<4x13xf32> -> tensor<4xf32>
  return %a, %b, %c, %d : tensor<4x13xf32>, tensor<6x5xf32>, tensor<4x10xf32>, tensor<4xf32>
}

// Rotary positions: halves of the last axis, turned.
func.func @rotary(%x: tensor<2x6x3x8xf32>, %cos: tensor<6x4xf32>, %sin: tensor<6x4xf32>) -> tensor<2x6x3x8xf32> {
  %a = heddle.slice %x starts [0, 0, 0, 0] sizes [2, 6, 3, 4] strides [1, 1, 1, 1] : tensor<2x6x3x8xf32> -> tensor<2x6x3x4xf32>
  %b = heddle.slice %x starts [0, 0, 0, 4] sizes [2, 6, 3, 4] strides [1, 1, 1, 1] : tensor<2x6x3x8xf32> -> tensor<2x6x3x4xf32>
  %c = heddle.broadcast %cos axes [1, 3] : tensor<6x4xf32> -> tensor<2x6x3x4xf32>
  %s = heddle.broadcast %sin axes [1, 3] : tensor<6x4xf32> -> tensor<2x6x3x4xf32>
  %ac = heddle.mul %a, %c : tensor<2x6x3x4xf32>
  %bs = heddle.mul %b, %s : tensor<2x6x3x4xf32>
  %as = heddle.mul %a, %s : tensor<2x6x3x4xf32>
  %bc = heddle.mul %b, %c : tensor<2x6x3x4xf32>
  %p = heddle.sub %ac, %bs : tensor<2x6x3x4xf32>
  %q = heddle.add %as, %bc : tensor<2x6x3x4xf32>
  %r = heddle.concat %p, %q axis 3 : (tensor<2x6x3x4xf32>, tensor<2x6x3x4xf32>) -> tensor<2x6x3x8xf32>
  return %r : tensor<2x6x3x8xf32>
}

func.func @reshapes(%x: tensor<6x35xf32>, %y: tensor<5x7x6xf32>) -> (tensor<5x6x7xf32>, tensor<210xf32>, tensor<6x5x7xf32>) {
  %t = heddle.transpose %x permutation [1, 0] : tensor<6x35xf32> -> tensor<35x6xf32>
  %a = heddle.reshape %t : tensor<35x6xf32> -> tensor<5x6x7xf32>
  %u = heddle.transpose %y permutation [1, 2, 0] : tensor<5x7x6xf32> -> tensor<7x6x5xf32>
  %b = heddle.reshape %u : tensor<7x6x5xf32> -> tensor<210xf32>
  %v = heddle.reshape %x : tensor<6x35xf32> -> tensor<6x5x7xf32>
  %w = heddle.transpose %y permutation [2, 0, 1] : tensor<5x7x6xf32> -> tensor<6x5x7xf32>
  %c = heddle.add %v, %w : tensor<6x5x7xf32>
  return %a, %b, %c : tensor<5x6x7xf32>, tensor<210xf32>, tensor<6x5x7xf32>
}

func.func @blocks(%x: tensor<4x9xf32>, %i: tensor<i32> {heddle.range = [0, 5]}, %u: tensor<4x2xf32>, %j: tensor<i64> {heddle.range = [0, 7]}) -> (tensor<4x3xf32>, tensor<4x9xf32>) {
  %a = heddle.dynamic_slice %x[%i] axis 1 size 3 : tensor<4x9xf32>, tensor<i32> -> tensor<4x3xf32>
  %b = heddle.dynamic_update_slice %x, %u[%j] axis 1 : tensor<4x9xf32>, tensor<4x2xf32>, tensor<i64>
  return %a, %b : tensor<4x3xf32>, tensor<4x9xf32>
}

func.func @constants() -> (tensor<2x3xf32>, tensor<3xi1>, tensor<4xbf16>, tensor<f32>, tensor<2x2xf32>) {
  %a = heddle.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %b = heddle.constant dense<[true, false, true]> : tensor<3xi1>
  %c = heddle.constant dense<[1.0, 2.0, -3.0, 0.5]> : tensor<4xbf16>
  %d = heddle.constant dense<2.5> : tensor<f32>
  %e = heddle.slice %a starts [0, 1] sizes [2, 2] strides [1, 1] : tensor<2x3xf32> -> tensor<2x2xf32>
  return %a, %b, %c, %d, %e : tensor<2x3xf32>, tensor<3xi1>, tensor<4xbf16>, tensor<f32>, tensor<2x2xf32>
}

func.func @empty(%x: tensor<0x4xf32>, %y: tensor<3x0xf32>) -> (tensor<0x4xf32>, tensor<3xf32>, tensor<4xf32>, tensor<3xf32>) {
  %a = heddle.exp %x : tensor<0x4xf32>
  %b = heddle.reduce sum %y axes [1] : tensor<3x0xf32> -> tensor<3xf32>
  %c = heddle.reduce max %x axes [0] : tensor<0x4xf32> -> tensor<4xf32>
  %d = heddle.reduce prod %y axes [1] : tensor<3x0xf32> -> tensor<3xf32>
  return %a, %b, %c, %d : tensor<0x4xf32>, tensor<3xf32>, tensor<4xf32>, tensor<3xf32>
}

func.func @identity(%x: tensor<5xf32>, %y: tensor<i64>) -> (tensor<5xf32>, tensor<i64>, tensor<5xf32>) {
  return %x, %y, %x : tensor<5xf32>, tensor<i64>, tensor<5xf32>
}

// A move whose result is wanted in memory, and which another kernel reads through.
func.func @wanted_and_read_through(%x: tensor<4x5xf32>) -> (tensor<4xf32>, tensor<f32>) {
  %i = heddle.arg_reduce argmax %x axis 1 : tensor<4x5xf32> -> tensor<4xi32>
  %f = heddle.cast %i : tensor<4xi32> -> tensor<4xf32>
  %s = heddle.reduce min %f axes [0] : tensor<4xf32> -> tensor<f32>
  return %f, %s : tensor<4xf32>, tensor<f32>
}

// A loop that nothing needs disappears with the blocks in it.
func.func @unused_loop(%x: tensor<4xf32>) -> tensor<4xf32> {
  %r = heddle.for 2 scan() init(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<4xf32>):
    %n = heddle.for 2 scan() init(%s) : (tensor<4xf32>) -> tensor<4xf32> {
    ^bb1(%j: tensor<i32>, %t: tensor<4xf32>):
      %e = heddle.exp %t : tensor<4xf32>
      heddle.yield %e : tensor<4xf32>
    }
    heddle.yield %n : tensor<4xf32>
  }
  %y = heddle.neg %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
