// Cotangents of what the block of an attention variant reads, compiled, against the interpreter.
// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --level=2 %s | FileCheck %s
// CHECK: agree

func.func @alibi_backward(%q: tensor<1x4x100x6xf32>, %k: tensor<1x2x100x6xf32>, %v: tensor<1x2x100x6xf32>, %slope: tensor<4xf32> {heddle.range = [0.1, 1.0]}, %do: tensor<1x4x100x6xf32>, %dl: tensor<1x4x100xf32>) -> (tensor<1x4x100x6xf32>, tensor<1x2x100x6xf32>, tensor<1x2x100x6xf32>, tensor<4xf32>) {
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
  %dq, %dk, %dv, %dslope = sparsek.variant_attention_backward %q, %k, %v captures(%slope) from %o, %lse, %do, %dl
      wanted [0] scale 0.5
      : (tensor<1x4x100x6xf32>, tensor<1x2x100x6xf32>, tensor<1x2x100x6xf32>, tensor<4xf32>, tensor<1x4x100x6xf32>, tensor<1x4x100xf32>, tensor<1x4x100x6xf32>, tensor<1x4x100xf32>) -> (tensor<1x4x100x6xf32>, tensor<1x2x100x6xf32>, tensor<1x2x100x6xf32>, tensor<4xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %slope_: tensor<4xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %slope_[%h] : tensor<4xf32>
    %d = heddle.sub %i, %j : tensor<i32>
    %f = heddle.cast %d : tensor<i32> -> tensor<f32>
    %t = heddle.mul %x, %f : tensor<f32>
    %score = heddle.sub %s, %t : tensor<f32>
    %ns = heddle.neg %dscore : tensor<f32>
    %da = heddle.mul %ns, %f : tensor<f32>
    sparsek.accumulate %da into %slope_[%h] : tensor<4xf32>
    sparsek.yield_adjoint %score, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dslope : tensor<1x4x100x6xf32>, tensor<1x2x100x6xf32>, tensor<1x2x100x6xf32>, tensor<4xf32>
}
func.func @relative_backward(%q: tensor<1x2x100x6xf32>, %k: tensor<1x1x100x6xf32>, %v: tensor<1x1x100x6xf32>, %bias: tensor<2x100xf32>, %do: tensor<1x2x100x6xf32>) -> (tensor<1x2x100x6xf32>, tensor<1x1x100x6xf32>, tensor<1x1x100x6xf32>, tensor<2x100xf32>) {
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
  %dq, %dk, %dv, %dbias = sparsek.variant_attention_backward %q, %k, %v captures(%bias) from %o, %lse, %do
      wanted [0] scale 0.5
      : (tensor<1x2x100x6xf32>, tensor<1x1x100x6xf32>, tensor<1x1x100x6xf32>, tensor<2x100xf32>, tensor<1x2x100x6xf32>, tensor<1x2x100xf32>, tensor<1x2x100x6xf32>) -> (tensor<1x2x100x6xf32>, tensor<1x1x100x6xf32>, tensor<1x1x100x6xf32>, tensor<2x100xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %bias_: tensor<2x100xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %x = sparsek.read %bias_[%h, %d] : tensor<2x100xf32>
    %score = heddle.add %s, %x : tensor<f32>
    sparsek.accumulate %dscore into %bias_[%h, %d] : tensor<2x100xf32>
    sparsek.yield_adjoint %score, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dbias : tensor<1x2x100x6xf32>, tensor<1x1x100x6xf32>, tensor<1x1x100x6xf32>, tensor<2x100xf32>
}
func.func @clipped_backward(%q: tensor<1x2x83x6xf32>, %k: tensor<1x1x83x6xf32>, %v: tensor<1x1x83x6xf32>, %bias: tensor<16x2xbf16>, %do: tensor<1x2x83x6xf32>) -> (tensor<1x2x83x6xf32>, tensor<1x1x83x6xf32>, tensor<1x1x83x6xf32>, tensor<16x2xbf16>) {
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
  %dq, %dk, %dv, %dbias = sparsek.variant_attention_backward %q, %k, %v captures(%bias) from %o, %lse, %do
      wanted [0] scale 0.5
      : (tensor<1x2x83x6xf32>, tensor<1x1x83x6xf32>, tensor<1x1x83x6xf32>, tensor<16x2xbf16>, tensor<1x2x83x6xf32>, tensor<1x2x83xf32>, tensor<1x2x83x6xf32>) -> (tensor<1x2x83x6xf32>, tensor<1x1x83x6xf32>, tensor<1x1x83x6xf32>, tensor<16x2xbf16>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %bias_: tensor<16x2xbf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %last = heddle.constant dense<15> : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %c = heddle.min %d, %last : tensor<i32>
    %x = sparsek.read %bias_[%c, %h] : tensor<16x2xbf16>
    %f = heddle.cast %x : tensor<bf16> -> tensor<f32>
    %score = heddle.add %s, %f : tensor<f32>
    %n = heddle.cast %dscore : tensor<f32> -> tensor<bf16>
    sparsek.accumulate %n into %bias_[%c, %h] : tensor<16x2xbf16>
    sparsek.yield_adjoint %score, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dbias : tensor<1x2x83x6xf32>, tensor<1x1x83x6xf32>, tensor<1x1x83x6xf32>, tensor<16x2xbf16>
}
func.func @f64_backward(%q: tensor<1x2x75x6xf64>, %k: tensor<1x1x75x6xf64>, %v: tensor<1x1x75x6xf64>, %c: tensor<75x75xf64>, %do: tensor<1x2x75x6xf64>) -> (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<75x75xf64>) {
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
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %v captures(%c) from %o, %lse, %do
      wanted [0] scale 0.5
      : (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<75x75xf64>, tensor<1x2x75x6xf64>, tensor<1x2x75xf64>, tensor<1x2x75x6xf64>) -> (tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<75x75xf64>) {
  ^bb0(%s: tensor<f64>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f64>, %dgate: tensor<f64>, %c_: tensor<75x75xf64>):
    %one = heddle.constant dense<1.0> : tensor<f64>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %c_[%i, %j] : tensor<75x75xf64>
    %t = heddle.mul %s, %x : tensor<f64>
    %e = heddle.exp %t : tensor<f64>
    %ge = heddle.mul %dgate, %e : tensor<f64>
    %dt = heddle.add %dscore, %ge : tensor<f64>
    %dss = heddle.mul %dt, %x : tensor<f64>
    %dx = heddle.mul %dt, %s : tensor<f64>
    sparsek.accumulate %dx into %c_[%i, %j] : tensor<75x75xf64>
    sparsek.yield_adjoint %t, %e, %seen, %dss : tensor<f64>
  }
  return %dq, %dk, %dv, %dc : tensor<1x2x75x6xf64>, tensor<1x1x75x6xf64>, tensor<1x1x75x6xf64>, tensor<75x75xf64>
}
func.func @f16_backward(%q: tensor<1x2x70x16xf16>, %k: tensor<1x1x70x16xf16>, %v: tensor<1x1x70x16xf16>, %c: tensor<2x70xf16>, %do: tensor<1x2x70x16xf16>) -> (tensor<1x2x70x16xf16>, tensor<1x1x70x16xf16>, tensor<1x1x70x16xf16>, tensor<2x70xf16>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%c) scale 0.5
      : (tensor<1x2x70x16xf16>, tensor<1x1x70x16xf16>, tensor<1x1x70x16xf16>, tensor<2x70xf16>) -> (tensor<1x2x70x16xf16>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %c_: tensor<2x70xf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %c_[%h, %i] : tensor<2x70xf16>
    %g = heddle.cast %x : tensor<f16> -> tensor<f32>
    sparsek.yield %s, %g, %seen : tensor<f32>
  }
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %v captures(%c) from %o, %lse, %do
      wanted [0] scale 0.5
      : (tensor<1x2x70x16xf16>, tensor<1x1x70x16xf16>, tensor<1x1x70x16xf16>, tensor<2x70xf16>, tensor<1x2x70x16xf16>, tensor<1x2x70xf32>, tensor<1x2x70x16xf16>) -> (tensor<1x2x70x16xf16>, tensor<1x1x70x16xf16>, tensor<1x1x70x16xf16>, tensor<2x70xf16>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %c_: tensor<2x70xf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %c_[%h, %i] : tensor<2x70xf16>
    %g = heddle.cast %x : tensor<f16> -> tensor<f32>
    %n = heddle.cast %dgate : tensor<f32> -> tensor<f16>
    sparsek.accumulate %n into %c_[%h, %i] : tensor<2x70xf16>
    sparsek.yield_adjoint %s, %g, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dc : tensor<1x2x70x16xf16>, tensor<1x1x70x16xf16>, tensor<1x1x70x16xf16>, tensor<2x70xf16>
}
func.func @sparsek_backward(%q: tensor<1x2x150x6xf32>, %k: tensor<1x2x150x6xf32>, %v: tensor<1x2x150x6xf32>, %end: tensor<1x2x150xi32> {heddle.range = [0, 160]}, %u: tensor<1x2x150xf32>, %t: tensor<1x2x150xf32>, %do: tensor<1x2x150x6xf32>) -> (tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150xf32>, tensor<1x2x150xf32>) {
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
  %dq, %dk, %dv, %du, %dt = sparsek.variant_attention_backward %q, %k, %v captures(%end, %u, %t) from %o, %lse, %do
      wanted [1, 2] scale 0.5
      : (tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150xi32>, tensor<1x2x150xf32>, tensor<1x2x150xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150xf32>, tensor<1x2x150x6xf32>) -> (tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150xf32>, tensor<1x2x150xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %end_: tensor<1x2x150xi32>, %u_: tensor<1x2x150xf32>, %t_: tensor<1x2x150xf32>):
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
    %gs = heddle.mul %dscore, %g : tensor<f32>
    %dg0 = heddle.mul %dscore, %s : tensor<f32>
    %dg1 = heddle.add %dg0, %dgate : tensor<f32>
    %lo = heddle.compare gt %a, %zero : tensor<f32>
    %up = heddle.compare lt %a, %one : tensor<f32>
    %in = heddle.and %lo, %up : tensor<i1>
    %far = heddle.not %near : tensor<i1>
    %inn = heddle.and %in, %far : tensor<i1>
    %dg = heddle.select %inn, %dg1, %zero : tensor<i1>, tensor<f32>
    %ndg = heddle.neg %dg : tensor<f32>
    sparsek.accumulate %dg into %u_[%b, %h, %j] : tensor<1x2x150xf32>
    sparsek.accumulate %ndg into %t_[%b, %h, %i] : tensor<1x2x150xf32>
    sparsek.yield_adjoint %score, %g, %seen, %gs : tensor<f32>
  }
  return %dq, %dk, %dv, %du, %dt : tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150xf32>, tensor<1x2x150xf32>
}
func.func @many_backward(%q: tensor<2x4x80x6xf32>, %k: tensor<2x2x80x6xf32>, %v: tensor<2x2x80x6xf32>, %p: tensor<80xi32>, %w: tensor<4x4xf32>, %r: tensor<4xf32>, %do: tensor<2x4x80x6xf32>) -> (tensor<2x4x80x6xf32>, tensor<2x2x80x6xf32>, tensor<2x2x80x6xf32>, tensor<4x4xf32>, tensor<4xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%p, %w, %r) scale 0.5
      : (tensor<2x4x80x6xf32>, tensor<2x2x80x6xf32>, tensor<2x2x80x6xf32>, tensor<80xi32>, tensor<4x4xf32>, tensor<4xf32>) -> (tensor<2x4x80x6xf32>, tensor<2x4x80xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %p_: tensor<80xi32>, %w_: tensor<4x4xf32>, %r_: tensor<4xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %a = sparsek.read %p_[%i] : tensor<80xi32>
    %c = sparsek.read %p_[%j] : tensor<80xi32>
    %x = sparsek.read %w_[%a, %c] : tensor<4x4xf32>
    %y = sparsek.read %w_[%b, %a] : tensor<4x4xf32>
    %z = sparsek.read %r_[%c] : tensor<4xf32>
    %g = sparsek.read %r_[%a] : tensor<4xf32>
    %u = heddle.add %s, %x : tensor<f32>
    %v1 = heddle.add %u, %y : tensor<f32>
    %score = heddle.add %v1, %z : tensor<f32>
    sparsek.yield %score, %g, %seen : tensor<f32>
  }
  %dq, %dk, %dv, %dw, %dr = sparsek.variant_attention_backward %q, %k, %v captures(%p, %w, %r) from %o, %lse, %do
      wanted [1, 2] scale 0.5
      : (tensor<2x4x80x6xf32>, tensor<2x2x80x6xf32>, tensor<2x2x80x6xf32>, tensor<80xi32>, tensor<4x4xf32>, tensor<4xf32>, tensor<2x4x80x6xf32>, tensor<2x4x80xf32>, tensor<2x4x80x6xf32>) -> (tensor<2x4x80x6xf32>, tensor<2x2x80x6xf32>, tensor<2x2x80x6xf32>, tensor<4x4xf32>, tensor<4xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %p_: tensor<80xi32>, %w_: tensor<4x4xf32>, %r_: tensor<4xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %a = sparsek.read %p_[%i] : tensor<80xi32>
    %c = sparsek.read %p_[%j] : tensor<80xi32>
    %x = sparsek.read %w_[%a, %c] : tensor<4x4xf32>
    %y = sparsek.read %w_[%b, %a] : tensor<4x4xf32>
    %z = sparsek.read %r_[%c] : tensor<4xf32>
    %g = sparsek.read %r_[%a] : tensor<4xf32>
    %u = heddle.add %s, %x : tensor<f32>
    %v1 = heddle.add %u, %y : tensor<f32>
    %score = heddle.add %v1, %z : tensor<f32>
    sparsek.accumulate %dscore into %w_[%a, %c] : tensor<4x4xf32>
    sparsek.accumulate %dscore into %w_[%b, %a] : tensor<4x4xf32>
    sparsek.accumulate %dscore into %r_[%c] : tensor<4xf32>
    sparsek.accumulate %dgate into %r_[%a] : tensor<4xf32>
    sparsek.yield_adjoint %score, %g, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dw, %dr : tensor<2x4x80x6xf32>, tensor<2x2x80x6xf32>, tensor<2x2x80x6xf32>, tensor<4x4xf32>, tensor<4xf32>
}
func.func @untouched_backward(%q: tensor<1x2x20x6xf32>, %k: tensor<1x1x20x6xf32>, %v: tensor<1x1x20x6xf32>, %w: tensor<4x4xbf16>, %do: tensor<1x2x20x6xf32>) -> (tensor<1x2x20x6xf32>, tensor<1x1x20x6xf32>, tensor<1x1x20x6xf32>, tensor<4x4xbf16>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%w) scale 0.5
      : (tensor<1x2x20x6xf32>, tensor<1x1x20x6xf32>, tensor<1x1x20x6xf32>, tensor<4x4xbf16>) -> (tensor<1x2x20x6xf32>, tensor<1x2x20xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %w_: tensor<4x4xbf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv, %dw = sparsek.variant_attention_backward %q, %k, %v captures(%w) from %o, %lse, %do
      wanted [0] scale 0.5
      : (tensor<1x2x20x6xf32>, tensor<1x1x20x6xf32>, tensor<1x1x20x6xf32>, tensor<4x4xbf16>, tensor<1x2x20x6xf32>, tensor<1x2x20xf32>, tensor<1x2x20x6xf32>) -> (tensor<1x2x20x6xf32>, tensor<1x1x20x6xf32>, tensor<1x1x20x6xf32>, tensor<4x4xbf16>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %w_: tensor<4x4xbf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dw : tensor<1x2x20x6xf32>, tensor<1x1x20x6xf32>, tensor<1x1x20x6xf32>, tensor<4x4xbf16>
}
func.func @previous_backward(%q: tensor<1x2x70x6xf32>, %k: tensor<1x1x70x6xf32>, %v: tensor<1x1x70x6xf32>, %t: tensor<70xi32> {heddle.range = [1, 5]}, %c: tensor<f32>, %do: tensor<1x2x70x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<f32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%t, %c) scale 0.5
      : (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<70xi32>, tensor<f32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %t_: tensor<70xi32>, %c_: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %k1 = heddle.constant dense<1> : tensor<i32>
    %d = heddle.sub %i, %k1 : tensor<i32>
    %a = sparsek.read %t_[%d] : tensor<70xi32>
    %b1 = sparsek.read %t_[%j] : tensor<70xi32>
    %x = sparsek.read %c_[] : tensor<f32>
    %ne = heddle.compare ne %a, %k1 : tensor<i32>
    %z = heddle.constant dense<0> : tensor<i32>
    %z0 = heddle.compare ne %a, %z : tensor<i32>
    %e = heddle.compare ge %j, %a : tensor<i32>
    %z1 = heddle.and %seen, %z0 : tensor<i1>
    %all = heddle.and %z1, %e : tensor<i1>
    %score = heddle.mul %s, %x : tensor<f32>
    sparsek.yield %score, %one, %all : tensor<f32>
  }
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %v captures(%t, %c) from %o, %lse, %do
      wanted [1] scale 0.5
      : (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<70xi32>, tensor<f32>, tensor<1x2x70x6xf32>, tensor<1x2x70xf32>, tensor<1x2x70x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<f32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %t_: tensor<70xi32>, %c_: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %k1 = heddle.constant dense<1> : tensor<i32>
    %d = heddle.sub %i, %k1 : tensor<i32>
    %a = sparsek.read %t_[%d] : tensor<70xi32>
    %b1 = sparsek.read %t_[%j] : tensor<70xi32>
    %x = sparsek.read %c_[] : tensor<f32>
    %ne = heddle.compare ne %a, %k1 : tensor<i32>
    %z = heddle.constant dense<0> : tensor<i32>
    %z0 = heddle.compare ne %a, %z : tensor<i32>
    %e = heddle.compare ge %j, %a : tensor<i32>
    %z1 = heddle.and %seen, %z0 : tensor<i1>
    %all = heddle.and %z1, %e : tensor<i1>
    %score = heddle.mul %s, %x : tensor<f32>
    %dx = heddle.mul %dscore, %s : tensor<f32>
    sparsek.accumulate %dx into %c_[] : tensor<f32>
    sparsek.yield_adjoint %score, %one, %all, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dc : tensor<1x2x70x6xf32>, tensor<1x1x70x6xf32>, tensor<1x1x70x6xf32>, tensor<f32>
}
// A bias for each pair: by head, shared by heads and batches, and read both ways.
func.func @pairs_backward(%q: tensor<2x4x70x6xf32>, %k: tensor<2x2x70x6xf32>, %v: tensor<2x2x70x6xf32>, %p: tensor<4x70x70xf32>, %r: tensor<70x70xf32>, %t: tensor<70x70xbf16>, %do: tensor<2x4x70x6xf32>) -> (tensor<2x4x70x6xf32>, tensor<2x2x70x6xf32>, tensor<2x2x70x6xf32>, tensor<4x70x70xf32>, tensor<70x70xf32>, tensor<70x70xbf16>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%p, %r, %t) scale 0.5
      : (tensor<2x4x70x6xf32>, tensor<2x2x70x6xf32>, tensor<2x2x70x6xf32>, tensor<4x70x70xf32>, tensor<70x70xf32>, tensor<70x70xbf16>) -> (tensor<2x4x70x6xf32>, tensor<2x4x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %p_: tensor<4x70x70xf32>, %r_: tensor<70x70xf32>, %t_: tensor<70x70xbf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %p_[%h, %i, %j] : tensor<4x70x70xf32>
    %y = sparsek.read %r_[%i, %j] : tensor<70x70xf32>
    %z = sparsek.read %r_[%j, %i] : tensor<70x70xf32>
    %w0 = sparsek.read %t_[%j, %i] : tensor<70x70xbf16>
    %w1 = heddle.cast %w0 : tensor<bf16> -> tensor<f32>
    %a = heddle.add %s, %x : tensor<f32>
    %b1 = heddle.add %a, %y : tensor<f32>
    %c = heddle.add %b1, %w1 : tensor<f32>
    %score = heddle.add %c, %z : tensor<f32>
    sparsek.yield %score, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv, %dp, %dr, %dt = sparsek.variant_attention_backward %q, %k, %v captures(%p, %r, %t) from %o, %lse, %do
      wanted [0, 1, 2] scale 0.5
      : (tensor<2x4x70x6xf32>, tensor<2x2x70x6xf32>, tensor<2x2x70x6xf32>, tensor<4x70x70xf32>, tensor<70x70xf32>, tensor<70x70xbf16>, tensor<2x4x70x6xf32>, tensor<2x4x70xf32>, tensor<2x4x70x6xf32>) -> (tensor<2x4x70x6xf32>, tensor<2x2x70x6xf32>, tensor<2x2x70x6xf32>, tensor<4x70x70xf32>, tensor<70x70xf32>, tensor<70x70xbf16>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %p_: tensor<4x70x70xf32>, %r_: tensor<70x70xf32>, %t_: tensor<70x70xbf16>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %p_[%h, %i, %j] : tensor<4x70x70xf32>
    %y = sparsek.read %r_[%i, %j] : tensor<70x70xf32>
    %z = sparsek.read %r_[%j, %i] : tensor<70x70xf32>
    %w0 = sparsek.read %t_[%j, %i] : tensor<70x70xbf16>
    %w1 = heddle.cast %w0 : tensor<bf16> -> tensor<f32>
    %a = heddle.add %s, %x : tensor<f32>
    %b1 = heddle.add %a, %y : tensor<f32>
    %c = heddle.add %b1, %w1 : tensor<f32>
    %score = heddle.add %c, %z : tensor<f32>
    %n = heddle.cast %dscore : tensor<f32> -> tensor<bf16>
    sparsek.accumulate %dscore into %p_[%h, %i, %j] : tensor<4x70x70xf32>
    sparsek.accumulate %dscore into %r_[%i, %j] : tensor<70x70xf32>
    sparsek.accumulate %dscore into %r_[%j, %i] : tensor<70x70xf32>
    sparsek.accumulate %n into %t_[%j, %i] : tensor<70x70xbf16>
    sparsek.yield_adjoint %score, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv, %dp, %dr, %dt : tensor<2x4x70x6xf32>, tensor<2x2x70x6xf32>, tensor<2x2x70x6xf32>, tensor<4x70x70xf32>, tensor<70x70xf32>, tensor<70x70xbf16>
}
