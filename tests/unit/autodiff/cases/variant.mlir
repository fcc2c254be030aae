// Attention whose score, gate and visibility are written per pair.

// A slope for each head, which is learned. What the root gives for later keys is no number, and they are not visible.
func.func @slopes(%q: tensor<2x4x5x3xf64>, %k: tensor<2x2x5x3xf64>, %v: tensor<2x2x5x2xf64>, %slopes: tensor<4xf64>) -> tensor<2x4x5x2xf64> {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%slopes) scale 0.6
      : (tensor<2x4x5x3xf64>, tensor<2x2x5x3xf64>, tensor<2x2x5x2xf64>, tensor<4xf64>)
      -> (tensor<2x4x5x2xf64>, tensor<2x4x5xf64>) {
  ^bb0(%s: tensor<f64>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<4xf64>):
    %x = sparsek.read %c[%h] : tensor<4xf64>
    %d = heddle.sub %i, %j : tensor<i32>
    %f = heddle.cast %d : tensor<i32> -> tensor<f64>
    %r = heddle.sqrt %f : tensor<f64>
    %t = heddle.mul %x, %r : tensor<f64>
    %score = heddle.sub %s, %t : tensor<f64>
    %one = heddle.constant dense<1.0> : tensor<f64>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %score, %one, %past : tensor<f64>
  }
  return %o : tensor<2x4x5x2xf64>
}

// A capped score, a gate that depends on the score and on a capture of two axes through a table, another number of keys
// than queries, and a query that sees nothing. The scores' log-sum-exp is a result too.
func.func @gated(%q: tensor<1x2x4x3xf64>, %k: tensor<1x1x6x3xf64>, %v: tensor<1x1x6x2xf64>, %cap: tensor<f64> {test.range = [1.0, 2.0]}, %bias: tensor<2x3xf64>,
                 %table: tensor<4xi32> {test.range = [0.0, 3.0]}) -> (tensor<1x2x4x2xf64>, tensor<1x2x3xf64>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%cap, %table, %bias) scale 0.6
      : (tensor<1x2x4x3xf64>, tensor<1x1x6x3xf64>, tensor<1x1x6x2xf64>, tensor<f64>, tensor<4xi32>, tensor<2x3xf64>)
      -> (tensor<1x2x4x2xf64>, tensor<1x2x4xf64>) {
  ^bb0(%s: tensor<f64>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<f64>, %t: tensor<4xi32>,
       %g: tensor<2x3xf64>):
    %x = sparsek.read %c[] : tensor<f64>
    %a = heddle.div %s, %x : tensor<f64>
    %e = heddle.tanh %a : tensor<f64>
    %score = heddle.mul %x, %e : tensor<f64>
    %n = sparsek.read %t[%i] : tensor<4xi32>
    %y = sparsek.read %g[%h, %n] : tensor<2x3xf64>
    %z = heddle.mul %y, %score : tensor<f64>
    %gate = heddle.exp %z : tensor<f64>
    %two = heddle.constant dense<2> : tensor<i32>
    %other = heddle.compare ne %i, %two : tensor<i32>
    %near = heddle.compare le %j, %i : tensor<i32>
    %far = heddle.compare gt %j, %two : tensor<i32>
    %some = heddle.or %near, %far : tensor<i1>
    %visible = heddle.and %other, %some : tensor<i1>
    sparsek.yield %score, %gate, %visible : tensor<f64>
  }
  %l0 = heddle.slice %lse starts [0, 0, 0] sizes [1, 2, 2] strides [1, 1, 1] : tensor<1x2x4xf64> -> tensor<1x2x2xf64>
  %l1 = heddle.slice %lse starts [0, 0, 3] sizes [1, 2, 1] strides [1, 1, 1] : tensor<1x2x4xf64> -> tensor<1x2x1xf64>
  %l = heddle.concat %l0, %l1 axis 2 : (tensor<1x2x2xf64>, tensor<1x2x1xf64>) -> tensor<1x2x3xf64>
  return %o, %l : tensor<1x2x4x2xf64>, tensor<1x2x3xf64>
}

// A capture that is read twice, once per query and once per key, and q as a capture of its own attention.
func.func @twice(%q: tensor<1x2x5x3xf64>, %k: tensor<1x2x5x3xf64>, %v: tensor<1x2x5x2xf64>, %u: tensor<1x2x5xf64>) -> tensor<1x2x5x2xf64> {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%u, %q) scale 0.6
      : (tensor<1x2x5x3xf64>, tensor<1x2x5x3xf64>, tensor<1x2x5x2xf64>, tensor<1x2x5xf64>, tensor<1x2x5x3xf64>)
      -> (tensor<1x2x5x2xf64>, tensor<1x2x5xf64>) {
  ^bb0(%s: tensor<f64>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<1x2x5xf64>,
       %w: tensor<1x2x5x3xf64>):
    %x = sparsek.read %c[%b, %h, %i] : tensor<1x2x5xf64>
    %y = sparsek.read %c[%b, %h, %j] : tensor<1x2x5xf64>
    %one = heddle.constant dense<1> : tensor<i32>
    %z = sparsek.read %w[%b, %h, %j, %one] : tensor<1x2x5x3xf64>
    %d = heddle.sub %x, %y : tensor<f64>
    %gate = heddle.sigmoid %d : tensor<f64>
    %p = heddle.mul %gate, %s : tensor<f64>
    %score = heddle.add %p, %z : tensor<f64>
    %true = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %score, %gate, %true : tensor<f64>
  }
  return %o : tensor<1x2x5x2xf64>
}

// In a loop, where the backward pass keeps o and lse of each step.
func.func @repeated(%q: tensor<1x2x4x3xf64>, %k: tensor<1x1x4x3xf64>, %slopes: tensor<3x2xf64>) -> tensor<1x2x4x3xf64> {
  %last = heddle.for 3 scan(%slopes) init(%q) : (tensor<3x2xf64>, tensor<1x2x4x3xf64>) -> tensor<1x2x4x3xf64> {
  ^bb0(%step: tensor<i32>, %slope: tensor<2xf64>, %x: tensor<1x2x4x3xf64>):
    %o, %lse = sparsek.variant_attention %x, %k, %k captures(%slope) scale 0.6
        : (tensor<1x2x4x3xf64>, tensor<1x1x4x3xf64>, tensor<1x1x4x3xf64>, tensor<2xf64>)
        -> (tensor<1x2x4x3xf64>, tensor<1x2x4xf64>) {
    ^bb0(%s: tensor<f64>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c: tensor<2xf64>):
      %y = sparsek.read %c[%h] : tensor<2xf64>
      %score = heddle.mul %y, %s : tensor<f64>
      %past = heddle.compare le %j, %i : tensor<i32>
      sparsek.yield %score, %y, %past : tensor<f64>
    }
    heddle.yield %o : tensor<1x2x4x3xf64>
  }
  return %last : tensor<1x2x4x3xf64>
}
