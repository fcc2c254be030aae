// Loops and conditions.

// A recurrence with captured weights, a scanned input and a collected result.
func.func @recurrence(%xs: tensor<5x3xf64>, %w: tensor<3x3xf64>, %s0: tensor<3xf64>) -> (tensor<3xf64>, tensor<5xf64>) {
  %last, %all = heddle.for 5 scan(%xs) init(%s0) : (tensor<5x3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<5xf64>) {
  ^bb0(%i: tensor<i32>, %x: tensor<3xf64>, %s: tensor<3xf64>):
    %h = heddle.einsum "d,de->e" %s, %w : (tensor<3xf64>, tensor<3x3xf64>) -> tensor<3xf64>
    %a = heddle.add %h, %x : tensor<3xf64>
    %t = heddle.tanh %a : tensor<3xf64>
    %e = heddle.exp %t : tensor<3xf64>
    %n = heddle.reduce sum %e axes [0] : tensor<3xf64> -> tensor<f64>
    heddle.yield %t, %n : tensor<3xf64>, tensor<f64>
  }
  return %last, %all : tensor<3xf64>, tensor<5xf64>
}
// The same from the last step to the first.
func.func @backward(%xs: tensor<5x3xf64>, %w: tensor<3x3xf64>, %s0: tensor<3xf64>) -> (tensor<3xf64>, tensor<5x3xf64>) {
  %last, %all = heddle.for 5 reverse scan(%xs) init(%s0) : (tensor<5x3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<5x3xf64>) {
  ^bb0(%i: tensor<i32>, %x: tensor<3xf64>, %s: tensor<3xf64>):
    %h = heddle.einsum "d,de->e" %s, %w : (tensor<3xf64>, tensor<3x3xf64>) -> tensor<3xf64>
    %a = heddle.mul %h, %x : tensor<3xf64>
    %t = heddle.sin %a : tensor<3xf64>
    heddle.yield %t, %a : tensor<3xf64>, tensor<3xf64>
  }
  return %last, %all : tensor<3xf64>, tensor<5x3xf64>
}
// The step number decides what is read; the gradient of the table is collected step by step.
func.func @steps(%table: tensor<6x2xf64>, %s0: tensor<2xf64>) -> tensor<2xf64> {
  %last = heddle.for 4 scan() init(%s0) : (tensor<2xf64>) -> tensor<2xf64> {
  ^bb0(%i: tensor<i32>, %s: tensor<2xf64>):
    %row = heddle.dynamic_slice %table[%i] axis 0 size 1 : tensor<6x2xf64>, tensor<i32> -> tensor<1x2xf64>
    %r = heddle.reshape %row : tensor<1x2xf64> -> tensor<2xf64>
    %t = heddle.mul %s, %r : tensor<2xf64>
    %e = heddle.exp %t : tensor<2xf64>
    heddle.yield %e : tensor<2xf64>
  }
  return %last : tensor<2xf64>
}
// A body may use rows of a table by number.
func.func @lookup(%table: tensor<6x2xf64>, %ids: tensor<4x3xi32> {test.range = [0.0, 6.0]}, %s0: tensor<3x2xf64>) -> tensor<3x2xf64> {
  %last = heddle.for 4 scan(%ids) init(%s0) : (tensor<4x3xi32>, tensor<3x2xf64>) -> tensor<3x2xf64> {
  ^bb0(%i: tensor<i32>, %id: tensor<3xi32>, %s: tensor<3x2xf64>):
    %rows = heddle.gather %table[%id] axis 0 : tensor<6x2xf64>, tensor<3xi32> -> tensor<3x2xf64>
    %t = heddle.mul %s, %rows : tensor<3x2xf64>
    %e = heddle.exp %t : tensor<3x2xf64>
    heddle.yield %e : tensor<3x2xf64>
  }
  return %last : tensor<3x2xf64>
}
// Two carries that feed each other, an integer carry, a carry that no result needs, and a constant start.
func.func @carries(%a0: tensor<2xf64>, %x: tensor<2xf64>) -> (tensor<2xf64>, tensor<i32>) {
  %one = heddle.constant dense<1.0> : tensor<2xf64>
  %zero = heddle.constant dense<0> : tensor<i32>
  %a, %b, %n, %unused = heddle.for 3 scan() init(%a0, %one, %zero, %x) : (tensor<2xf64>, tensor<2xf64>, tensor<i32>, tensor<2xf64>) -> (tensor<2xf64>, tensor<2xf64>, tensor<i32>, tensor<2xf64>) {
  ^bb0(%i: tensor<i32>, %a: tensor<2xf64>, %b: tensor<2xf64>, %n: tensor<i32>, %u: tensor<2xf64>):
    %c = heddle.sin %a : tensor<2xf64>
    %d = heddle.mul %c, %b : tensor<2xf64>
    %e = heddle.add %d, %x : tensor<2xf64>
    %m = heddle.add %n, %i : tensor<i32>
    %v = heddle.mul %u, %a : tensor<2xf64>
    heddle.yield %e, %a, %m, %v : tensor<2xf64>, tensor<2xf64>, tensor<i32>, tensor<2xf64>
  }
  %y = heddle.mul %a, %b : tensor<2xf64>
  return %y, %n : tensor<2xf64>, tensor<i32>
}
// One value yielded as carry and as collected result, and a carry passed on unchanged.
func.func @twice(%xs: tensor<3x2xf64>, %s0: tensor<2xf64>, %k: tensor<2xf64>) -> (tensor<2xf64>, tensor<3x2xf64>, tensor<2xf64>) {
  %last, %same, %all = heddle.for 3 scan(%xs) init(%s0, %k) : (tensor<3x2xf64>, tensor<2xf64>, tensor<2xf64>) -> (tensor<2xf64>, tensor<2xf64>, tensor<3x2xf64>) {
  ^bb0(%i: tensor<i32>, %x: tensor<2xf64>, %s: tensor<2xf64>, %c: tensor<2xf64>):
    %t = heddle.mul %s, %x : tensor<2xf64>
    %u = heddle.mul %t, %c : tensor<2xf64>
    heddle.yield %u, %c, %u : tensor<2xf64>, tensor<2xf64>, tensor<2xf64>
  }
  return %last, %all, %same : tensor<2xf64>, tensor<3x2xf64>, tensor<2xf64>
}
func.func @nested(%xs: tensor<3x4x2xf64>, %w: tensor<2x2xf64>, %s0: tensor<2xf64>) -> (tensor<2xf64>, tensor<3x4xf64>) {
  %last, %all = heddle.for 3 scan(%xs) init(%s0) : (tensor<3x4x2xf64>, tensor<2xf64>) -> (tensor<2xf64>, tensor<3x4xf64>) {
  ^bb0(%i: tensor<i32>, %rows: tensor<4x2xf64>, %s: tensor<2xf64>):
    %scaled = heddle.exp %s : tensor<2xf64>
    %end, %sums = heddle.for 4 scan(%rows) init(%s) : (tensor<4x2xf64>, tensor<2xf64>) -> (tensor<2xf64>, tensor<4xf64>) {
    ^bb1(%j: tensor<i32>, %x: tensor<2xf64>, %t: tensor<2xf64>):
      %h = heddle.einsum "d,de->e" %t, %w : (tensor<2xf64>, tensor<2x2xf64>) -> tensor<2xf64>
      %a = heddle.mul %h, %scaled : tensor<2xf64>
      %b = heddle.add %a, %x : tensor<2xf64>
      %c = heddle.tanh %b : tensor<2xf64>
      %n = heddle.reduce sum %c axes [0] : tensor<2xf64> -> tensor<f64>
      heddle.yield %c, %n : tensor<2xf64>, tensor<f64>
    }
    heddle.yield %end, %sums : tensor<2xf64>, tensor<4xf64>
  }
  return %last, %all : tensor<2xf64>, tensor<3x4xf64>
}
// A product that is the same in each step is computed once.
func.func @invariant(%a: tensor<2x2xf64>, %xs: tensor<3x2xf64>, %s0: tensor<2xf64>) -> tensor<2xf64> {
  %last = heddle.for 3 scan(%xs) init(%s0) : (tensor<3x2xf64>, tensor<2xf64>) -> tensor<2xf64> {
  ^bb0(%i: tensor<i32>, %x: tensor<2xf64>, %s: tensor<2xf64>):
    %e = heddle.exp %a : tensor<2x2xf64>
    %aa = heddle.einsum "ab,bc->ac" %e, %a : (tensor<2x2xf64>, tensor<2x2xf64>) -> tensor<2x2xf64>
    %h = heddle.einsum "d,de->e" %s, %aa : (tensor<2xf64>, tensor<2x2xf64>) -> tensor<2xf64>
    %t = heddle.mul %h, %x : tensor<2xf64>
    heddle.yield %t : tensor<2xf64>
  }
  return %last : tensor<2xf64>
}
func.func @no_steps(%xs: tensor<0x2xf64>, %s0: tensor<2xf64>, %w: tensor<2xf64>) -> tensor<2xf64> {
  %last = heddle.for 0 scan(%xs) init(%s0) : (tensor<0x2xf64>, tensor<2xf64>) -> tensor<2xf64> {
  ^bb0(%i: tensor<i32>, %x: tensor<2xf64>, %s: tensor<2xf64>):
    %t = heddle.mul %s, %x : tensor<2xf64>
    %u = heddle.mul %t, %w : tensor<2xf64>
    heddle.yield %u : tensor<2xf64>
  }
  %y = heddle.exp %last : tensor<2xf64>
  return %y : tensor<2xf64>
}
// Recomputed from the carries: 70 steps make segments of 9, and a rest of 7.
func.func @segments(%xs: tensor<70x2xf64> {test.range = [-0.2, 0.2]}, %w: tensor<2x2xf64>, %s0: tensor<2xf64>) -> (tensor<2xf64>, tensor<70xf64>) {
  %last, %all = heddle.for 70 scan(%xs) init(%s0) : (tensor<70x2xf64>, tensor<2xf64>) -> (tensor<2xf64>, tensor<70xf64>) {
  ^bb0(%i: tensor<i32>, %x: tensor<2xf64>, %s: tensor<2xf64>):
    %h = heddle.einsum "d,de->e" %s, %w : (tensor<2xf64>, tensor<2x2xf64>) -> tensor<2xf64>
    %a = heddle.add %h, %x : tensor<2xf64>
    %t = heddle.tanh %a : tensor<2xf64>
    %f = heddle.cast %i : tensor<i32> -> tensor<f64>
    %n = heddle.reduce sum %t axes [0] : tensor<2xf64> -> tensor<f64>
    %m = heddle.mul %n, %f : tensor<f64>
    heddle.yield %t, %m : tensor<2xf64>, tensor<f64>
  } {heddle.checkpoint}
  return %last, %all : tensor<2xf64>, tensor<70xf64>
}
func.func @segments_reverse(%xs: tensor<72x2xf64> {test.range = [-0.2, 0.2]}, %s0: tensor<2xf64>) -> (tensor<2xf64>, tensor<72x2xf64>) {
  %last, %all = heddle.for 72 reverse scan(%xs) init(%s0) : (tensor<72x2xf64>, tensor<2xf64>) -> (tensor<2xf64>, tensor<72x2xf64>) {
  ^bb0(%i: tensor<i32>, %x: tensor<2xf64>, %s: tensor<2xf64>):
    %a = heddle.add %s, %x : tensor<2xf64>
    %t = heddle.sin %a : tensor<2xf64>
    %f = heddle.cast %i : tensor<i32> -> tensor<f64>
    %b = heddle.broadcast %f axes [] : tensor<f64> -> tensor<2xf64>
    %m = heddle.mul %t, %b : tensor<2xf64>
    heddle.yield %t, %m : tensor<2xf64>, tensor<2xf64>
  } {heddle.checkpoint}
  return %last, %all : tensor<2xf64>, tensor<72x2xf64>
}
func.func @branches(%c: tensor<i1>, %x: tensor<3xf64>, %w: tensor<3x3xf64>) -> (tensor<3xf64>, tensor<f64>) {
  %e = heddle.exp %x : tensor<3xf64>
  %y, %z = heddle.if %c : (tensor<i1>) -> (tensor<3xf64>, tensor<f64>) {
    %h = heddle.einsum "d,de->e" %e, %w : (tensor<3xf64>, tensor<3x3xf64>) -> tensor<3xf64>
    %t = heddle.tanh %h : tensor<3xf64>
    %s = heddle.reduce sum %t axes [0] : tensor<3xf64> -> tensor<f64>
    heddle.yield %t, %s : tensor<3xf64>, tensor<f64>
  } else {
    %s = heddle.reduce sum %e axes [0] : tensor<3xf64> -> tensor<f64>
    heddle.yield %x, %s : tensor<3xf64>, tensor<f64>
  }
  return %y, %z : tensor<3xf64>, tensor<f64>
}
// A condition inside a loop, and a loop inside a condition.
func.func @mixed(%cs: tensor<4xi1>, %x: tensor<2xf64>, %w: tensor<2x2xf64>) -> tensor<2xf64> {
  %last = heddle.for 4 scan(%cs) init(%x) : (tensor<4xi1>, tensor<2xf64>) -> tensor<2xf64> {
  ^bb0(%i: tensor<i32>, %c: tensor<i1>, %s: tensor<2xf64>):
    %y = heddle.if %c : (tensor<i1>) -> tensor<2xf64> {
      %h = heddle.einsum "d,de->e" %s, %w : (tensor<2xf64>, tensor<2x2xf64>) -> tensor<2xf64>
      %t = heddle.tanh %h : tensor<2xf64>
      heddle.yield %t : tensor<2xf64>
    } else {
      %t = heddle.for 3 scan() init(%s) : (tensor<2xf64>) -> tensor<2xf64> {
      ^bb1(%j: tensor<i32>, %r: tensor<2xf64>):
        %u = heddle.mul %r, %s : tensor<2xf64>
        %v = heddle.sin %u : tensor<2xf64>
        heddle.yield %v : tensor<2xf64>
      }
      heddle.yield %t : tensor<2xf64>
    }
    %z = heddle.add %y, %s : tensor<2xf64>
    heddle.yield %z : tensor<2xf64>
  }
  return %last : tensor<2xf64>
}
