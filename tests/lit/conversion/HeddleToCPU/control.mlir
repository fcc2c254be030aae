// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
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

// A carry that is updated element by element, and one whose old values are collected.
func.func @updates(%x: tensor<5x7xf32>, %y: tensor<7xf32>) -> (tensor<5x7xf32>, tensor<7xf32>, tensor<4x7xf32>, tensor<7xf32>) {
  %p, %q, %all = heddle.for 4 scan() init(%x, %y) : (tensor<5x7xf32>, tensor<7xf32>) -> (tensor<5x7xf32>, tensor<7xf32>, tensor<4x7xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<5x7xf32>, %b: tensor<7xf32>):
    %c = heddle.broadcast %b axes [1] : tensor<7xf32> -> tensor<5x7xf32>
    %d = heddle.mul %a, %c : tensor<5x7xf32>
    %e = heddle.sin %b : tensor<7xf32>
    heddle.yield %d, %e, %b : tensor<5x7xf32>, tensor<7xf32>, tensor<7xf32>
  }
  %r = heddle.reduce sum %all axes [0] : tensor<4x7xf32> -> tensor<7xf32>
  return %p, %q, %all, %r : tensor<5x7xf32>, tensor<7xf32>, tensor<4x7xf32>, tensor<7xf32>
}

func.func @collected_carry(%x: tensor<7xf32>, %w: tensor<3x7xf32>) -> (tensor<7xf32>, tensor<7xf32>) {
  %q, %all = heddle.for 3 scan(%w) init(%x) : (tensor<3x7xf32>, tensor<7xf32>) -> (tensor<7xf32>, tensor<3x7xf32>) {
  ^bb0(%i: tensor<i32>, %m: tensor<7xf32>, %b: tensor<7xf32>):
    %e = heddle.sin %b : tensor<7xf32>
    %f = heddle.add %e, %m : tensor<7xf32>
    heddle.yield %f, %b : tensor<7xf32>, tensor<7xf32>
  }
  %r = heddle.for 3 reverse scan(%all, %w) init(%q) : (tensor<3x7xf32>, tensor<3x7xf32>, tensor<7xf32>) -> tensor<7xf32> {
  ^bb0(%i: tensor<i32>, %b: tensor<7xf32>, %m: tensor<7xf32>, %g: tensor<7xf32>):
    %c = heddle.cos %b : tensor<7xf32>
    %h = heddle.mul %g, %c : tensor<7xf32>
    heddle.yield %h : tensor<7xf32>
  }
  %s, %back = heddle.for 3 reverse scan(%w) init(%r) : (tensor<3x7xf32>, tensor<7xf32>) -> (tensor<7xf32>, tensor<3x7xf32>) {
  ^bb0(%i: tensor<i32>, %m: tensor<7xf32>, %b: tensor<7xf32>):
    %e = heddle.sub %m, %b : tensor<7xf32>
    heddle.yield %e, %b : tensor<7xf32>, tensor<7xf32>
  }
  %z = heddle.reduce max %back axes [0] : tensor<3x7xf32> -> tensor<7xf32>
  %t = heddle.add %s, %z : tensor<7xf32>
  return %r, %t : tensor<7xf32>, tensor<7xf32>
}

// A value that later elements of the same row still need must not be overwritten.
func.func @softmax_carry(%x: tensor<3x9xf32>) -> tensor<3x9xf32> {
  %r = heddle.for 3 scan() init(%x) : (tensor<3x9xf32>) -> tensor<3x9xf32> {
  ^bb0(%i: tensor<i32>, %a: tensor<3x9xf32>):
    %e = heddle.exp %a : tensor<3x9xf32>
    %s = heddle.reduce sum %e axes [1] : tensor<3x9xf32> -> tensor<3xf32>
    %b = heddle.broadcast %s axes [0] : tensor<3xf32> -> tensor<3x9xf32>
    %n = heddle.div %e, %b : tensor<3x9xf32>
    %v = heddle.reverse %a axes [1] : tensor<3x9xf32>
    %w = heddle.add %n, %v : tensor<3x9xf32>
    heddle.yield %w : tensor<3x9xf32>
  }
  return %r : tensor<3x9xf32>
}

func.func @cache(%x: tensor<2x8x3xf32>, %u: tensor<6x2x1x3xf32>) -> (tensor<2x8x3xf32>, tensor<6x2x3xf32>) {
  %r, %all = heddle.for 6 scan(%u) init(%x) : (tensor<6x2x1x3xf32>, tensor<2x8x3xf32>) -> (tensor<2x8x3xf32>, tensor<6x2x3xf32>) {
  ^bb0(%i: tensor<i32>, %v: tensor<2x1x3xf32>, %a: tensor<2x8x3xf32>):
    %n = heddle.dynamic_update_slice %a, %v[%i] axis 1 : tensor<2x8x3xf32>, tensor<2x1x3xf32>, tensor<i32>
    %s = heddle.reduce sum %n axes [1] : tensor<2x8x3xf32> -> tensor<2x3xf32>
    heddle.yield %n, %s : tensor<2x8x3xf32>, tensor<2x3xf32>
  }
  return %r, %all : tensor<2x8x3xf32>, tensor<6x2x3xf32>
}

// The next carry takes the old one's place in a kernel that still needs the old one for another result.
func.func @read_before_written(%x: tensor<2x16xf32>) -> (tensor<2x16xf32>, tensor<2x2x16xf32>) {
  %r, %all = heddle.for 2 scan() init(%x) : (tensor<2x16xf32>) -> (tensor<2x16xf32>, tensor<2x2x16xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<2x16xf32>):
    %m = heddle.reduce max %a axes [0, 1] : tensor<2x16xf32> -> tensor<f32>
    %t = heddle.tanh %m : tensor<f32>
    %b = heddle.broadcast %t axes [] : tensor<f32> -> tensor<2x16xf32>
    %d = heddle.sub %a, %b : tensor<2x16xf32>
    heddle.yield %b, %d : tensor<2x16xf32>, tensor<2x16xf32>
  }
  return %r, %all : tensor<2x16xf32>, tensor<2x2x16xf32>
}

// A carry that an inner loop or a branch reads is not overwritten while they run.
func.func @read_by_inner_loop(%x: tensor<5xf32>, %y: tensor<5xf32>) -> tensor<5xf32> {
  %r = heddle.for 3 scan() init(%x) : (tensor<5xf32>) -> (tensor<5xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<5xf32>):
    %q = heddle.for 2 scan() init(%y) : (tensor<5xf32>) -> (tensor<5xf32>) {
    ^bb0(%j: tensor<i32>, %b: tensor<5xf32>):
      %c = heddle.add %b, %a : tensor<5xf32>
      heddle.yield %c : tensor<5xf32>
    }
    heddle.yield %q : tensor<5xf32>
  }
  return %r : tensor<5xf32>
}
func.func @read_by_branch(%x: tensor<4x4xf32>, %c: tensor<i1>) -> tensor<4x4xf32> {
  %r = heddle.for 3 scan() init(%x) : (tensor<4x4xf32>) -> (tensor<4x4xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<4x4xf32>):
    %n = heddle.if %c : (tensor<i1>) -> tensor<4x4xf32> {
      %b = heddle.reverse %a axes [0] : tensor<4x4xf32>
      heddle.yield %b : tensor<4x4xf32>
    } else {
      %b = heddle.reverse %a axes [1] : tensor<4x4xf32>
      heddle.yield %b : tensor<4x4xf32>
    }
    heddle.yield %n : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}
// A carried stack that an inner loop scans and collects anew, in place and not.
func.func @stack(%x: tensor<4x5xf32>, %s: tensor<5xf32>) -> (tensor<4x5xf32>, tensor<5xf32>) {
  %r, %t = heddle.for 3 scan() init(%x, %s) : (tensor<4x5xf32>, tensor<5xf32>) -> (tensor<4x5xf32>, tensor<5xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<4x5xf32>, %u: tensor<5xf32>):
    %q, %all = heddle.for 4 scan(%a) init(%u) : (tensor<4x5xf32>, tensor<5xf32>) -> (tensor<5xf32>, tensor<4x5xf32>) {
    ^bb0(%j: tensor<i32>, %v: tensor<5xf32>, %b: tensor<5xf32>):
      %c = heddle.sin %b : tensor<5xf32>
      %d = heddle.add %c, %v : tensor<5xf32>
      heddle.yield %d, %c : tensor<5xf32>, tensor<5xf32>
    }
    heddle.yield %all, %q : tensor<4x5xf32>, tensor<5xf32>
  }
  return %r, %t : tensor<4x5xf32>, tensor<5xf32>
}
func.func @stack_read_whole(%x: tensor<4x5xf32>, %s: tensor<5xf32>) -> tensor<4x5xf32> {
  %r = heddle.for 3 scan() init(%x) : (tensor<4x5xf32>) -> (tensor<4x5xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<4x5xf32>):
    %q, %all = heddle.for 4 scan(%a) init(%s) : (tensor<4x5xf32>, tensor<5xf32>) -> (tensor<5xf32>, tensor<4x5xf32>) {
    ^bb0(%j: tensor<i32>, %v: tensor<5xf32>, %b: tensor<5xf32>):
      %c = heddle.reduce sum %a axes [0] : tensor<4x5xf32> -> tensor<5xf32>
      %d = heddle.add %c, %v : tensor<5xf32>
      heddle.yield %b, %d : tensor<5xf32>, tensor<5xf32>
    }
    heddle.yield %all : tensor<4x5xf32>
  }
  return %r : tensor<4x5xf32>
}
