// Attention whose score, gate and visibility are a block, compiled, against the interpreter.
// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --level=2 %s | FileCheck %s
// CHECK: agree

// Every pair; more keys than queries.
func.func @full(%q: tensor<2x4x70x12xf32>, %k: tensor<2x2x90x12xf32>, %v: tensor<2x2x90x9xf32>) -> (tensor<2x4x70x9xf32>, tensor<2x4x70xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<2x4x70x12xf32>, tensor<2x2x90x12xf32>, tensor<2x2x90x9xf32>) -> (tensor<2x4x70x9xf32>, tensor<2x4x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<2x4x70x9xf32>, tensor<2x4x70xf32>
}
func.func @causal(%q: tensor<1x2x130x16xf32>, %k: tensor<1x1x130x16xf32>, %v: tensor<1x1x130x16xf32>) -> (tensor<1x2x130x16xf32>, tensor<1x2x130xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x130x16xf32>, tensor<1x1x130x16xf32>, tensor<1x1x130x16xf32>) -> (tensor<1x2x130x16xf32>, tensor<1x2x130xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x130x16xf32>, tensor<1x2x130xf32>
}
func.func @causal_single(%q: tensor<1x2x1x1xf32>, %k: tensor<1x1x1x1xf32>, %v: tensor<1x1x1x1xf32>) -> (tensor<1x2x1x1xf32>, tensor<1x2x1xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>) -> (tensor<1x2x1x1xf32>, tensor<1x2x1xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x1x1xf32>, tensor<1x2x1xf32>
}
func.func @window(%q: tensor<1x2x200x8xf32>, %k: tensor<1x1x180x8xf32>, %v: tensor<1x1x180x5xf32>) -> (tensor<1x2x200x5xf32>, tensor<1x2x200xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x200x8xf32>, tensor<1x1x180x8xf32>, tensor<1x1x180x5xf32>) -> (tensor<1x2x200x5xf32>, tensor<1x2x200xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %w = heddle.constant dense<20> : tensor<i32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %near = heddle.compare lt %d, %w : tensor<i32>
    %seen = heddle.and %past, %near : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x200x5xf32>, tensor<1x2x200xf32>
}
func.func @wide(%q: tensor<1x2x66x100xf32>, %k: tensor<1x2x66x100xf32>, %v: tensor<1x2x66x130xf32>) -> (tensor<1x2x66x130xf32>, tensor<1x2x66xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x66x100xf32>, tensor<1x2x66x100xf32>, tensor<1x2x66x130xf32>) -> (tensor<1x2x66x130xf32>, tensor<1x2x66xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x66x130xf32>, tensor<1x2x66xf32>
}
func.func @alibi(%q: tensor<1x4x100x6xf32>, %k: tensor<1x2x100x6xf32>, %v: tensor<1x2x100x6xf32>, %slope: tensor<4xf32> {heddle.range = [0.1, 1.0]}) -> (tensor<1x4x100x6xf32>, tensor<1x4x100xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%slope) scale 0.5
      : (tensor<1x4x100x6xf32>, tensor<1x2x100x6xf32>, tensor<1x2x100x6xf32>, tensor<4xf32>) -> (tensor<1x4x100x6xf32>, tensor<1x4x100xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %slope_: tensor<4xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %slope_[%h] : tensor<4xf32>
    %d = heddle.sub %i, %j : tensor<i32>
    %f = heddle.cast %d : tensor<i32> -> tensor<f32>
    %t = heddle.mul %x, %f : tensor<f32>
    %score = heddle.sub %s, %t : tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x4x100x6xf32>, tensor<1x4x100xf32>
}
func.func @softcap(%q: tensor<2x2x90x6xf32>, %k: tensor<2x1x90x6xf32>, %v: tensor<2x1x90x6xf32>) -> (tensor<2x2x90x6xf32>, tensor<2x2x90xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>) -> (tensor<2x2x90x6xf32>, tensor<2x2x90xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %cap = heddle.constant dense<2.0> : tensor<f32>
    %x = heddle.div %s, %cap : tensor<f32>
    %t = heddle.tanh %x : tensor<f32>
    %score = heddle.mul %t, %cap : tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<2x2x90x6xf32>, tensor<2x2x90xf32>
}
func.func @relative(%q: tensor<1x2x100x6xf32>, %k: tensor<1x1x100x6xf32>, %v: tensor<1x1x100x6xf32>, %bias: tensor<2x100xf32>) -> (tensor<1x2x100x6xf32>, tensor<1x2x100xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%bias) scale 0.5
      : (tensor<1x2x100x6xf32>, tensor<1x1x100x6xf32>, tensor<1x1x100x6xf32>, tensor<2x100xf32>) -> (tensor<1x2x100x6xf32>, tensor<1x2x100xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %bias_: tensor<2x100xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %x = sparsek.read %bias_[%h, %d] : tensor<2x100xf32>
    %score = heddle.add %s, %x : tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x100x6xf32>, tensor<1x2x100xf32>
}
func.func @clipped(%q: tensor<1x2x83x6xf32>, %k: tensor<1x1x83x6xf32>, %v: tensor<1x1x83x6xf32>, %bias: tensor<16x2xbf16>) -> (tensor<1x2x83x6xf32>, tensor<1x2x83xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%bias) scale 0.5
      : (tensor<1x2x83x6xf32>, tensor<1x1x83x6xf32>, tensor<1x1x83x6xf32>, tensor<16x2xbf16>) -> (tensor<1x2x83x6xf32>, tensor<1x2x83xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %bias_: tensor<16x2xbf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %last = heddle.constant dense<15> : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %c = heddle.min %d, %last : tensor<i32>
    %x = sparsek.read %bias_[%c, %h] : tensor<16x2xbf16>
    %f = heddle.cast %x : tensor<bf16> -> tensor<f32>
    %score = heddle.add %s, %f : tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x83x6xf32>, tensor<1x2x83xf32>
}
func.func @documents(%q: tensor<2x2x90x6xf32>, %k: tensor<2x1x90x6xf32>, %v: tensor<2x1x90x6xf32>, %doc: tensor<2x90xi32> {heddle.range = [0, 3]}) -> (tensor<2x2x90x6xf32>, tensor<2x2x90xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%doc) scale 0.5
      : (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x90xi32>) -> (tensor<2x2x90x6xf32>, tensor<2x2x90xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %doc_: tensor<2x90xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %doc_[%b, %i] : tensor<2x90xi32>
    %y = sparsek.read %doc_[%b, %j] : tensor<2x90xi32>
    %same = heddle.compare eq %x, %y : tensor<i32>
    %seen = heddle.and %past, %same : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<2x2x90x6xf32>, tensor<2x2x90xf32>
}
func.func @starts(%q: tensor<2x2x140x6xf32>, %k: tensor<2x1x140x6xf32>, %v: tensor<2x1x140x6xf32>, %start: tensor<2x2x140xi32> {heddle.range = [-5, 150]}) -> (tensor<2x2x140x6xf32>, tensor<2x2x140xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%start) scale 0.5
      : (tensor<2x2x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x2x140xi32>) -> (tensor<2x2x140x6xf32>, tensor<2x2x140xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %start_: tensor<2x2x140xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %start_[%b, %h, %i] : tensor<2x2x140xi32>
    %in = heddle.compare ge %j, %x : tensor<i32>
    %seen = heddle.and %past, %in : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<2x2x140x6xf32>, tensor<2x2x140xf32>
}
func.func @valid(%q: tensor<2x2x75x6xf32>, %k: tensor<2x1x140x6xf32>, %v: tensor<2x1x140x6xf32>, %ok: tensor<2x140xi1>, %row: tensor<75xi1>) -> (tensor<2x2x75x6xf32>, tensor<2x2x75xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%ok, %row) scale 0.5
      : (tensor<2x2x75x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x140xi1>, tensor<75xi1>) -> (tensor<2x2x75x6xf32>, tensor<2x2x75xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %ok_: tensor<2x140xi1>, %row_: tensor<75xi1>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %x = sparsek.read %ok_[%b, %j] : tensor<2x140xi1>
    %y = sparsek.read %row_[%i] : tensor<75xi1>
    %seen = heddle.and %x, %y : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<2x2x75x6xf32>, tensor<2x2x75xf32>
}
func.func @f64(%q: tensor<1x2x75x6xf64>, %k: tensor<1x1x75x6xf64>, %v: tensor<1x1x75x6xf64>, %c: tensor<75x75xf64>) -> (tensor<1x2x75x6xf64>, tensor<1x2x75xf64>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%c) scale 0.5
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<75x75xf64>) -> (tensor<1x2x75x6xf64>, tensor<1x2x75xf64>) {
  ^bb0(%s: tensor<f64>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c_: tensor<75x75xf64>):
    %one = heddle.constant dense<1.0> : tensor<f64>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %c_[%i, %j] : tensor<75x75xf64>
    %t = heddle.mul %s, %x : tensor<f64>
    %e = heddle.exp %t : tensor<f64>
    sparsek.yield %t, %e, %seen : tensor<f64>
  }
  return %o, %lse : tensor<1x2x75x6xf64>, tensor<1x2x75xf64>
}
func.func @bf16(%q: tensor<1x2x70x16xbf16>, %k: tensor<1x1x70x16xbf16>, %v: tensor<1x1x70x16xbf16>) -> (tensor<1x2x70x16xbf16>, tensor<1x2x70xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x70x16xbf16>, tensor<1x1x70x16xbf16>, tensor<1x1x70x16xbf16>) -> (tensor<1x2x70x16xbf16>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x70x16xbf16>, tensor<1x2x70xf32>
}
func.func @f16(%q: tensor<1x2x70x16xf16>, %k: tensor<1x1x70x16xf16>, %v: tensor<1x1x70x16xf16>, %c: tensor<2x70xf16>) -> (tensor<1x2x70x16xf16>, tensor<1x2x70xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%c) scale 0.5
      : (tensor<1x2x70x16xf16>, tensor<1x1x70x16xf16>, tensor<1x1x70x16xf16>, tensor<2x70xf16>) -> (tensor<1x2x70x16xf16>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c_: tensor<2x70xf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %c_[%h, %i] : tensor<2x70xf16>
    %g = heddle.cast %x : tensor<f16> -> tensor<f32>
    sparsek.yield %s, %g, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x70x16xf16>, tensor<1x2x70xf32>
}
// Seen where the product is positive; some queries see nothing.
func.func @positive(%q: tensor<1x2x70x6xf32>, %k: tensor<1x1x65x6xf32>, %v: tensor<1x1x65x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x70x6xf32>, tensor<1x1x65x6xf32>, tensor<1x1x65x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %z = heddle.constant dense<0.0> : tensor<f32>
    %seen = heddle.compare gt %s, %z : tensor<f32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x70x6xf32>, tensor<1x2x70xf32>
}
func.func @infinite(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %c: tensor<75xi1>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%c) scale 0.5
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<75xi1>) -> (tensor<1x2x75x6xf32>, tensor<1x2x75xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c_: tensor<75xi1>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %inf = heddle.constant dense<0xFF800000> : tensor<f32>
    %odd = sparsek.read %c_[%j] : tensor<75xi1>
    %score = heddle.select %odd, %s, %inf : tensor<i1>, tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x75x6xf32>, tensor<1x2x75xf32>
}
func.func @sparsek(%q: tensor<1x2x150x6xf32>, %k: tensor<1x2x150x6xf32>, %v: tensor<1x2x150x6xf32>, %end: tensor<1x2x150xi32> {heddle.range = [0, 160]}, %u: tensor<1x2x150xf32>, %t: tensor<1x2x150xf32>) -> (tensor<1x2x150x6xf32>, tensor<1x2x150xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%end, %u, %t) scale 0.5
      : (tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150xi32>, tensor<1x2x150xf32>, tensor<1x2x150xf32>) -> (tensor<1x2x150x6xf32>, tensor<1x2x150xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %end_: tensor<1x2x150xi32>, %u_: tensor<1x2x150xf32>, %t_: tensor<1x2x150xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %zero = heddle.constant dense<0.0> : tensor<f32>
    %w = heddle.constant dense<12> : tensor<i32>
    
    %past = heddle.compare le %j, %i : tensor<i32>
    %e = sparsek.read %end_[%b, %h, %j] : tensor<1x2x150xi32>
    %alive = heddle.compare lt %i, %e : tensor<i32>
    %seen = heddle.and %past, %alive : tensor<i1>
    %d = heddle.sub %i, %j : tensor<i32>
    %near = heddle.compare lt %d, %w : tensor<i32>
    %x = sparsek.read %u_[%b, %h, %j] : tensor<1x2x150xf32>
    %hi = sparsek.read %t_[%b, %h, %i] : tensor<1x2x150xf32>
    %a = heddle.sub %x, %hi : tensor<f32>
    %g0 = heddle.max %a, %zero : tensor<f32>
    %g1 = heddle.min %g0, %one : tensor<f32>
    %g = heddle.select %near, %one, %g1 : tensor<i1>, tensor<f32>
    %score = heddle.mul %s, %g : tensor<f32>
    sparsek.yield %score, %g, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x150x6xf32>, tensor<1x2x150xf32>
}
// Every visible pair reads outside.
func.func @outside(%q: tensor<1x2x20x6xf32>, %k: tensor<1x1x20x6xf32>, %v: tensor<1x1x20x6xf32>, %t: tensor<20xi32> {heddle.range = [8, 8]}, %c: tensor<8xf32>) -> (tensor<1x2x20x6xf32>, tensor<1x2x20xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%t, %c) scale 0.5
      : (tensor<1x2x20x6xf32>, tensor<1x1x20x6xf32>, tensor<1x1x20x6xf32>, tensor<20xi32>, tensor<8xf32>) -> (tensor<1x2x20x6xf32>, tensor<1x2x20xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %t_: tensor<20xi32>, %c_: tensor<8xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %t_[%i] : tensor<20xi32>
    %y = sparsek.read %c_[%x] : tensor<8xf32>
    %score = heddle.add %s, %y : tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x20x6xf32>, tensor<1x2x20xf32>
}
// Only pairs that are not seen read outside.
func.func @outside_unseen(%q: tensor<1x2x70x6xf32>, %k: tensor<1x1x70x6xf32>, %v: tensor<1x1x70x6xf32>, %c: tensor<70xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%c) scale 0.5
      : (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<70xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c_: tensor<70xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %n = heddle.compare lt %j, %i : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %k1 = heddle.constant dense<1> : tensor<i32>
    %m = heddle.sub %d, %k1 : tensor<i32>
    %y = sparsek.read %c_[%m] : tensor<70xf32>
    %score = heddle.add %s, %y : tensor<f32>
    sparsek.yield %score, %one, %n : tensor<f32>
  }
  return %o, %lse : tensor<1x2x70x6xf32>, tensor<1x2x70xf32>
}
func.func @outside_hidden(%q: tensor<1x2x90x6xf32>, %k: tensor<1x1x90x6xf32>, %v: tensor<1x1x90x6xf32>, %t: tensor<90xi32> {heddle.range = [0, 9]}, %c: tensor<8xf32>) -> (tensor<1x2x90x6xf32>, tensor<1x2x90xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%t, %c) scale 0.5
      : (tensor<1x2x90x6xf32>, tensor<1x1x90x6xf32>, tensor<1x1x90x6xf32>, tensor<90xi32>, tensor<8xf32>) -> (tensor<1x2x90x6xf32>, tensor<1x2x90xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %t_: tensor<90xi32>, %c_: tensor<8xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %x = sparsek.read %t_[%j] : tensor<90xi32>
    %z = heddle.constant dense<8> : tensor<i32>
    %ok = heddle.compare lt %x, %z : tensor<i32>
    %p = heddle.compare ge %j, %i : tensor<i32>
    %seen = heddle.and %ok, %p : tensor<i1>
    %y = sparsek.read %c_[%x] : tensor<8xf32>
    %score = heddle.add %s, %y : tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x90x6xf32>, tensor<1x2x90xf32>
}
func.func @empty_keys(%q: tensor<1x2x5x6xf32>, %k: tensor<1x1x0x6xf32>, %v: tensor<1x1x0x6xf32>) -> (tensor<1x2x5x6xf32>, tensor<1x2x5xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x5x6xf32>, tensor<1x1x0x6xf32>, tensor<1x1x0x6xf32>) -> (tensor<1x2x5x6xf32>, tensor<1x2x5xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x5x6xf32>, tensor<1x2x5xf32>
}
func.func @empty_queries(%q: tensor<1x2x0x6xf32>, %k: tensor<1x1x5x6xf32>, %v: tensor<1x1x5x6xf32>) -> (tensor<1x2x0x6xf32>, tensor<1x2x0xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x0x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>) -> (tensor<1x2x0x6xf32>, tensor<1x2x0xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x0x6xf32>, tensor<1x2x0xf32>
}
// A random gate for each pair.
func.func @dropout(%q: tensor<1x2x100x6xf32>, %k: tensor<1x1x100x6xf32>, %v: tensor<1x1x100x6xf32>) -> (tensor<1x2x100x6xf32>, tensor<1x2x100xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x100x6xf32>, tensor<1x1x100x6xf32>, tensor<1x1x100x6xf32>) -> (tensor<1x2x100x6xf32>, tensor<1x2x100xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %n = heddle.constant dense<100> : tensor<i32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    
    %r = heddle.mul %i, %n : tensor<i32>
    %p = heddle.add %r, %j : tensor<i32>
    %k0 = heddle.constant dense<7> : tensor<i64>
    %k1 = heddle.fold_in %k0, %h : tensor<i64>, tensor<i32>
    %k2 = heddle.fold_in %k1, %p : tensor<i64>, tensor<i32>
    %x = heddle.random uniform %k2 stream 3 : tensor<i64> -> tensor<f32>
    %half = heddle.constant dense<0.5> : tensor<f32>
    %two = heddle.constant dense<2.0> : tensor<f32>
    %zero = heddle.constant dense<0.0> : tensor<f32>
    %keep = heddle.compare lt %x, %half : tensor<f32>
    %g = heddle.select %keep, %two, %zero : tensor<i1>, tensor<f32>
    sparsek.yield %s, %g, %seen : tensor<f32>
  }
  return %o, %lse : tensor<1x2x100x6xf32>, tensor<1x2x100xf32>
}
