// RUN: heddle-cpu-compare %s | FileCheck %s
// RUN: heddle-cpu-compare --no-fuse %s | FileCheck %s
// CHECK: agree

func.func @scan(%xs: tensor<6x5xf32>, %s0: tensor<5xf32>) -> (tensor<5xf32>, tensor<6xf32>, tensor<6x5xf32>) {
  %last, %all, %each = heddle.for 6 scan(%xs) init(%s0) : (tensor<6x5xf32>, tensor<5xf32>) -> (tensor<5xf32>, tensor<6xf32>, tensor<6x5xf32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<5xf32>, %s: tensor<5xf32>):
    %f = heddle.cast %i : tensor<i32> -> tensor<f32>
    %fb = heddle.broadcast %f axes [] : tensor<f32> -> tensor<5xf32>
    %t = heddle.mul %s, %x : tensor<5xf32>
    %u = heddle.add %t, %fb : tensor<5xf32>
    %n = heddle.reduce sum %u axes [0] : tensor<5xf32> -> tensor<f32>
    heddle.yield %u, %n, %x : tensor<5xf32>, tensor<f32>, tensor<5xf32>
  }
  return %last, %all, %each : tensor<5xf32>, tensor<6xf32>, tensor<6x5xf32>
}
func.func @reverse(%xs: tensor<6x5xf32>, %s0: tensor<5xf32>) -> (tensor<5xf32>, tensor<6x5xf32>) {
  %last, %all = heddle.for 6 reverse scan(%xs) init(%s0) : (tensor<6x5xf32>, tensor<5xf32>) -> (tensor<5xf32>, tensor<6x5xf32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<5xf32>, %s: tensor<5xf32>):
    %t = heddle.sub %x, %s : tensor<5xf32>
    heddle.yield %t, %t : tensor<5xf32>, tensor<5xf32>
  }
  return %last, %all : tensor<5xf32>, tensor<6x5xf32>
}
// Carries that change places.
func.func @fibonacci(%a: tensor<3xi64>, %b: tensor<3xi64>, %c: tensor<3xi64>) -> (tensor<3xi64>, tensor<3xi64>, tensor<3xi64>, tensor<9x3xi64>) {
  %x, %y, %z, %all = heddle.for 9 scan() init(%a, %b, %c) : (tensor<3xi64>, tensor<3xi64>, tensor<3xi64>) -> (tensor<3xi64>, tensor<3xi64>, tensor<3xi64>, tensor<9x3xi64>) {
  ^bb0(%i: tensor<i32>, %p: tensor<3xi64>, %q: tensor<3xi64>, %r: tensor<3xi64>):
    %s = heddle.add %p, %q : tensor<3xi64>
    heddle.yield %q, %s, %p, %r : tensor<3xi64>, tensor<3xi64>, tensor<3xi64>, tensor<3xi64>
  }
  return %x, %y, %z, %all : tensor<3xi64>, tensor<3xi64>, tensor<3xi64>, tensor<9x3xi64>
}
func.func @nested(%w: tensor<3x4x4xf32>, %x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<5x3x2xf32>) {
  %r, %all = heddle.for 5 scan() init(%x) : (tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<5x3x2xf32>) {
  ^bb0(%i: tensor<i32>, %s: tensor<2x4xf32>):
    %t, %sums = heddle.for 3 scan(%w) init(%s) : (tensor<3x4x4xf32>, tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<3x2xf32>) {
    ^bb1(%j: tensor<i32>, %m: tensor<4x4xf32>, %v: tensor<2x4xf32>):
      %p = heddle.einsum "ab,bc->ac" %v, %m : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
      %q = heddle.tanh %p : tensor<2x4xf32>
      %n = heddle.reduce sum %q axes [1] : tensor<2x4xf32> -> tensor<2xf32>
      heddle.yield %q, %n : tensor<2x4xf32>, tensor<2xf32>
    }
    heddle.yield %t, %sums : tensor<2x4xf32>, tensor<3x2xf32>
  }
  return %r, %all : tensor<2x4xf32>, tensor<5x3x2xf32>
}
func.func @zero_steps(%x: tensor<3xf32>, %e: tensor<0x3xf32>) -> (tensor<3xf32>, tensor<0x3xf32>) {
  %r, %all = heddle.for 0 scan(%e) init(%x) : (tensor<0x3xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<0x3xf32>) {
  ^bb0(%i: tensor<i32>, %y: tensor<3xf32>, %s: tensor<3xf32>):
    %n = heddle.add %s, %y : tensor<3xf32>
    heddle.yield %n, %n : tensor<3xf32>, tensor<3xf32>
  }
  return %r, %all : tensor<3xf32>, tensor<0x3xf32>
}
func.func @branches(%c: tensor<i1>, %x: tensor<7xf32>, %y: tensor<7xf32>) -> (tensor<7xf32>, tensor<7xf32>, tensor<7xf32>) {
  %s = heddle.add %x, %y : tensor<7xf32>
  %r, %q = heddle.if %c : (tensor<i1>) -> (tensor<7xf32>, tensor<7xf32>) {
    %a = heddle.exp %x : tensor<7xf32>
    heddle.yield %a, %y : tensor<7xf32>, tensor<7xf32>
  } else {
    %b = heddle.neg %s : tensor<7xf32>
    heddle.yield %s, %b : tensor<7xf32>, tensor<7xf32>
  }
  %t = heddle.mul %r, %s : tensor<7xf32>
  return %r, %q, %t : tensor<7xf32>, tensor<7xf32>, tensor<7xf32>
}
func.func @choose_in_loop(%x: tensor<7xf32>, %xs: tensor<8xf32>) -> tensor<7xf32> {
  %z = heddle.constant dense<0.0> : tensor<f32>
  %r = heddle.for 8 scan(%xs) init(%x) : (tensor<8xf32>, tensor<7xf32>) -> tensor<7xf32> {
  ^bb0(%i: tensor<i32>, %v: tensor<f32>, %s: tensor<7xf32>):
    %c = heddle.compare gt %v, %z : tensor<f32>
    %n = heddle.if %c : (tensor<i1>) -> tensor<7xf32> {
      %a = heddle.mul %s, %s : tensor<7xf32>
      heddle.yield %a : tensor<7xf32>
    } else {
      heddle.yield %s : tensor<7xf32>
    }
    heddle.yield %n : tensor<7xf32>
  }
  return %r : tensor<7xf32>
}
func.func private @layer(%w: tensor<4x4xf32>, %x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %p = heddle.einsum "ab,bc->ac" %x, %w : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
  %q = heddle.tanh %p : tensor<3x4xf32>
  return %q : tensor<3x4xf32>
}
func.func @calls(%w: tensor<4x4xf32>, %x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %a = func.call @layer(%w, %x) : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %b = func.call @layer(%w, %a) : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %b : tensor<3x4xf32>
}
