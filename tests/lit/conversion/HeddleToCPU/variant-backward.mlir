// The backward pass of attention whose score, gate and visibility are a block, compiled, against the interpreter.
// RUN: heddle-compare %s | FileCheck %s
// CHECK: agree

func.func @full_backward(%q: tensor<2x4x70x12xf32>, %k: tensor<2x2x90x12xf32>, %v: tensor<2x2x90x9xf32>, %do: tensor<2x4x70x9xf32>, %dl: tensor<2x4x70xf32>) -> (tensor<2x4x70x12xf32>, tensor<2x2x90x12xf32>, tensor<2x2x90x9xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<2x4x70x12xf32>, tensor<2x2x90x12xf32>, tensor<2x2x90x9xf32>) -> (tensor<2x4x70x9xf32>, tensor<2x4x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do, %dl
      wanted [] scale 0.5
      : (tensor<2x4x70x12xf32>, tensor<2x2x90x12xf32>, tensor<2x2x90x9xf32>, tensor<2x4x70x9xf32>, tensor<2x4x70xf32>, tensor<2x4x70x9xf32>, tensor<2x4x70xf32>) -> (tensor<2x4x70x12xf32>, tensor<2x2x90x12xf32>, tensor<2x2x90x9xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<2x4x70x12xf32>, tensor<2x2x90x12xf32>, tensor<2x2x90x9xf32>
}
func.func @causal_backward(%q: tensor<1x2x130x16xf32>, %k: tensor<1x1x130x16xf32>, %v: tensor<1x1x130x16xf32>, %do: tensor<1x2x130x16xf32>) -> (tensor<1x2x130x16xf32>, tensor<1x1x130x16xf32>, tensor<1x1x130x16xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x130x16xf32>, tensor<1x1x130x16xf32>, tensor<1x1x130x16xf32>) -> (tensor<1x2x130x16xf32>, tensor<1x2x130xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x130x16xf32>, tensor<1x1x130x16xf32>, tensor<1x1x130x16xf32>, tensor<1x2x130x16xf32>, tensor<1x2x130xf32>, tensor<1x2x130x16xf32>) -> (tensor<1x2x130x16xf32>, tensor<1x1x130x16xf32>, tensor<1x1x130x16xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x130x16xf32>, tensor<1x1x130x16xf32>, tensor<1x1x130x16xf32>
}
func.func @causal_single_backward(%q: tensor<1x2x1x1xf32>, %k: tensor<1x1x1x1xf32>, %v: tensor<1x1x1x1xf32>, %do: tensor<1x2x1x1xf32>) -> (tensor<1x2x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>) -> (tensor<1x2x1x1xf32>, tensor<1x2x1xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x2x1x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1x1xf32>) -> (tensor<1x2x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>
}
func.func @window_backward(%q: tensor<1x2x200x8xf32>, %k: tensor<1x1x180x8xf32>, %v: tensor<1x1x180x5xf32>, %do: tensor<1x2x200x5xf32>) -> (tensor<1x2x200x8xf32>, tensor<1x1x180x8xf32>, tensor<1x1x180x5xf32>) {
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
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x200x8xf32>, tensor<1x1x180x8xf32>, tensor<1x1x180x5xf32>, tensor<1x2x200x5xf32>, tensor<1x2x200xf32>, tensor<1x2x200x5xf32>) -> (tensor<1x2x200x8xf32>, tensor<1x1x180x8xf32>, tensor<1x1x180x5xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %w = heddle.constant dense<20> : tensor<i32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %near = heddle.compare lt %d, %w : tensor<i32>
    %seen = heddle.and %past, %near : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x200x8xf32>, tensor<1x1x180x8xf32>, tensor<1x1x180x5xf32>
}
func.func @wide_backward(%q: tensor<1x2x66x100xf32>, %k: tensor<1x2x66x100xf32>, %v: tensor<1x2x66x130xf32>, %do: tensor<1x2x66x130xf32>) -> (tensor<1x2x66x100xf32>, tensor<1x2x66x100xf32>, tensor<1x2x66x130xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.1
      : (tensor<1x2x66x100xf32>, tensor<1x2x66x100xf32>, tensor<1x2x66x130xf32>) -> (tensor<1x2x66x130xf32>, tensor<1x2x66xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.1
      : (tensor<1x2x66x100xf32>, tensor<1x2x66x100xf32>, tensor<1x2x66x130xf32>, tensor<1x2x66x130xf32>, tensor<1x2x66xf32>, tensor<1x2x66x130xf32>) -> (tensor<1x2x66x100xf32>, tensor<1x2x66x100xf32>, tensor<1x2x66x130xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x66x100xf32>, tensor<1x2x66x100xf32>, tensor<1x2x66x130xf32>
}
func.func @softcap_backward(%q: tensor<2x2x90x6xf32>, %k: tensor<2x1x90x6xf32>, %v: tensor<2x1x90x6xf32>, %do: tensor<2x2x90x6xf32>) -> (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>) {
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
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x2x90x6xf32>, tensor<2x2x90xf32>, tensor<2x2x90x6xf32>) -> (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %cap = heddle.constant dense<2.0> : tensor<f32>
    %x = heddle.div %s, %cap : tensor<f32>
    %t = heddle.tanh %x : tensor<f32>
    %score = heddle.mul %t, %cap : tensor<f32>
    %tt = heddle.mul %t, %t : tensor<f32>
    %om = heddle.sub %one, %tt : tensor<f32>
    %dss = heddle.mul %dscore, %om : tensor<f32>
    sparsek.yield_adjoint %score, %one, %seen, %dss : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>
}
func.func @documents_backward(%q: tensor<2x2x90x6xf32>, %k: tensor<2x1x90x6xf32>, %v: tensor<2x1x90x6xf32>, %doc: tensor<2x90xi32> {heddle.range = [0, 3]}, %do: tensor<2x2x90x6xf32>) -> (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>) {
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
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures(%doc) from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x90xi32>, tensor<2x2x90x6xf32>, tensor<2x2x90xf32>, tensor<2x2x90x6xf32>) -> (tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %doc_: tensor<2x90xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %doc_[%b, %i] : tensor<2x90xi32>
    %y = sparsek.read %doc_[%b, %j] : tensor<2x90xi32>
    %same = heddle.compare eq %x, %y : tensor<i32>
    %seen = heddle.and %past, %same : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<2x2x90x6xf32>, tensor<2x1x90x6xf32>, tensor<2x1x90x6xf32>
}
func.func @starts_backward(%q: tensor<2x2x140x6xf32>, %k: tensor<2x1x140x6xf32>, %v: tensor<2x1x140x6xf32>, %start: tensor<2x2x140xi32> {heddle.range = [-5, 150]}, %do: tensor<2x2x140x6xf32>) -> (tensor<2x2x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>) {
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
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures(%start) from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<2x2x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x2x140xi32>, tensor<2x2x140x6xf32>, tensor<2x2x140xf32>, tensor<2x2x140x6xf32>) -> (tensor<2x2x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %start_: tensor<2x2x140xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %start_[%b, %h, %i] : tensor<2x2x140xi32>
    %in = heddle.compare ge %j, %x : tensor<i32>
    %seen = heddle.and %past, %in : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<2x2x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>
}
func.func @valid_backward(%q: tensor<2x2x75x6xf32>, %k: tensor<2x1x140x6xf32>, %v: tensor<2x1x140x6xf32>, %ok: tensor<2x140xi1>, %row: tensor<75xi1>, %do: tensor<2x2x75x6xf32>) -> (tensor<2x2x75x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%ok, %row) scale 0.5
      : (tensor<2x2x75x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x140xi1>, tensor<75xi1>) -> (tensor<2x2x75x6xf32>, tensor<2x2x75xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %ok_: tensor<2x140xi1>, %row_: tensor<75xi1>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %x = sparsek.read %ok_[%b, %j] : tensor<2x140xi1>
    %y = sparsek.read %row_[%i] : tensor<75xi1>
    %seen = heddle.and %x, %y : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures(%ok, %row) from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<2x2x75x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>, tensor<2x140xi1>, tensor<75xi1>, tensor<2x2x75x6xf32>, tensor<2x2x75xf32>, tensor<2x2x75x6xf32>) -> (tensor<2x2x75x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %ok_: tensor<2x140xi1>, %row_: tensor<75xi1>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %x = sparsek.read %ok_[%b, %j] : tensor<2x140xi1>
    %y = sparsek.read %row_[%i] : tensor<75xi1>
    %seen = heddle.and %x, %y : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<2x2x75x6xf32>, tensor<2x1x140x6xf32>, tensor<2x1x140x6xf32>
}
func.func @bf16_backward(%q: tensor<1x2x70x16xbf16>, %k: tensor<1x1x70x16xbf16>, %v: tensor<1x1x70x16xbf16>, %do: tensor<1x2x70x16xbf16>) -> (tensor<1x2x70x16xbf16>, tensor<1x1x70x16xbf16>, tensor<1x1x70x16xbf16>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x70x16xbf16>, tensor<1x1x70x16xbf16>, tensor<1x1x70x16xbf16>) -> (tensor<1x2x70x16xbf16>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x70x16xbf16>, tensor<1x1x70x16xbf16>, tensor<1x1x70x16xbf16>, tensor<1x2x70x16xbf16>, tensor<1x2x70xf32>, tensor<1x2x70x16xbf16>) -> (tensor<1x2x70x16xbf16>, tensor<1x1x70x16xbf16>, tensor<1x1x70x16xbf16>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x70x16xbf16>, tensor<1x1x70x16xbf16>, tensor<1x1x70x16xbf16>
}
func.func @positive_backward(%q: tensor<1x2x70x6xf32>, %k: tensor<1x1x65x6xf32>, %v: tensor<1x1x65x6xf32>, %do: tensor<1x2x70x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x1x65x6xf32>, tensor<1x1x65x6xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x70x6xf32>, tensor<1x1x65x6xf32>, tensor<1x1x65x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x2x70xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %z = heddle.constant dense<0.0> : tensor<f32>
    %seen = heddle.compare gt %s, %z : tensor<f32>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x70x6xf32>, tensor<1x1x65x6xf32>, tensor<1x1x65x6xf32>, tensor<1x2x70x6xf32>, tensor<1x2x70xf32>, tensor<1x2x70x6xf32>) -> (tensor<1x2x70x6xf32>, tensor<1x1x65x6xf32>, tensor<1x1x65x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %z = heddle.constant dense<0.0> : tensor<f32>
    %seen = heddle.compare gt %s, %z : tensor<f32>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x70x6xf32>, tensor<1x1x65x6xf32>, tensor<1x1x65x6xf32>
}
func.func @infinite_backward(%q: tensor<1x2x75x6xf32>, %k: tensor<1x1x75x6xf32>, %v: tensor<1x1x75x6xf32>, %c: tensor<75xi1>, %do: tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>) {
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
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures(%c) from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>, tensor<75xi1>, tensor<1x2x75x6xf32>, tensor<1x2x75xf32>, tensor<1x2x75x6xf32>) -> (tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %c_: tensor<75xi1>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.compare le %j, %i : tensor<i32>
    %inf = heddle.constant dense<0xFF800000> : tensor<f32>
    %odd = sparsek.read %c_[%j] : tensor<75xi1>
    %score = heddle.select %odd, %s, %inf : tensor<i1>, tensor<f32>
    sparsek.yield_adjoint %score, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x75x6xf32>, tensor<1x1x75x6xf32>, tensor<1x1x75x6xf32>
}
func.func @empty_keys_backward(%q: tensor<1x2x5x6xf32>, %k: tensor<1x1x0x6xf32>, %v: tensor<1x1x0x6xf32>, %do: tensor<1x2x5x6xf32>) -> (tensor<1x2x5x6xf32>, tensor<1x1x0x6xf32>, tensor<1x1x0x6xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x5x6xf32>, tensor<1x1x0x6xf32>, tensor<1x1x0x6xf32>) -> (tensor<1x2x5x6xf32>, tensor<1x2x5xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x5x6xf32>, tensor<1x1x0x6xf32>, tensor<1x1x0x6xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5x6xf32>) -> (tensor<1x2x5x6xf32>, tensor<1x1x0x6xf32>, tensor<1x1x0x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x5x6xf32>, tensor<1x1x0x6xf32>, tensor<1x1x0x6xf32>
}
func.func @empty_queries_backward(%q: tensor<1x2x0x6xf32>, %k: tensor<1x1x5x6xf32>, %v: tensor<1x1x5x6xf32>, %do: tensor<1x2x0x6xf32>) -> (tensor<1x2x0x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x0x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>) -> (tensor<1x2x0x6xf32>, tensor<1x2x0xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x0x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>, tensor<1x2x0x6xf32>, tensor<1x2x0xf32>, tensor<1x2x0x6xf32>) -> (tensor<1x2x0x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x0x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>
}
func.func @no_heads_backward(%q: tensor<1x0x5x6xf32>, %k: tensor<1x1x5x6xf32>, %v: tensor<1x1x5x6xf32>, %do: tensor<1x0x5x6xf32>) -> (tensor<1x0x5x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x0x5x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>) -> (tensor<1x0x5x6xf32>, tensor<1x0x5xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x0x5x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>, tensor<1x0x5x6xf32>, tensor<1x0x5xf32>, tensor<1x0x5x6xf32>) -> (tensor<1x0x5x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x0x5x6xf32>, tensor<1x1x5x6xf32>, tensor<1x1x5x6xf32>
}
func.func @even_backward(%q: tensor<1x2x150x6xf32>, %k: tensor<1x1x150x6xf32>, %v: tensor<1x1x150x6xf32>, %do: tensor<1x2x150x6xf32>) -> (tensor<1x2x150x6xf32>, tensor<1x1x150x6xf32>, tensor<1x1x150x6xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures() scale 0.5
      : (tensor<1x2x150x6xf32>, tensor<1x1x150x6xf32>, tensor<1x1x150x6xf32>) -> (tensor<1x2x150x6xf32>, tensor<1x2x150xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %two = heddle.constant dense<2> : tensor<i32>
    %far = heddle.constant dense<40> : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %r = heddle.rem %d, %two : tensor<i32>
    %z = heddle.constant dense<0> : tensor<i32>
    %e = heddle.compare eq %r, %z : tensor<i32>
    %late = heddle.compare gt %j, %i : tensor<i32>
    %past = heddle.not %late : tensor<i1>
    %a = heddle.abs %d : tensor<i32>
    %near = heddle.compare lt %a, %far : tensor<i32>
    %p = heddle.and %past, %near : tensor<i1>
    %seen = heddle.and %p, %e : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures() from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x2x150x6xf32>, tensor<1x1x150x6xf32>, tensor<1x1x150x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150xf32>, tensor<1x2x150x6xf32>) -> (tensor<1x2x150x6xf32>, tensor<1x1x150x6xf32>, tensor<1x1x150x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %two = heddle.constant dense<2> : tensor<i32>
    %far = heddle.constant dense<40> : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    %r = heddle.rem %d, %two : tensor<i32>
    %z = heddle.constant dense<0> : tensor<i32>
    %e = heddle.compare eq %r, %z : tensor<i32>
    %late = heddle.compare gt %j, %i : tensor<i32>
    %past = heddle.not %late : tensor<i1>
    %a = heddle.abs %d : tensor<i32>
    %near = heddle.compare lt %a, %far : tensor<i32>
    %p = heddle.and %past, %near : tensor<i1>
    %seen = heddle.and %p, %e : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x2x150x6xf32>, tensor<1x1x150x6xf32>, tensor<1x1x150x6xf32>
}
func.func @ends_backward(%q: tensor<1x4x130x6xf32>, %k: tensor<1x2x150x6xf32>, %v: tensor<1x2x150x6xf32>, %end: tensor<4x150xi32> {heddle.range = [0, 150]}, %from: tensor<150xi32> {heddle.range = [-10, 100]}, %do: tensor<1x4x130x6xf32>) -> (tensor<1x4x130x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%end, %from) scale 0.5
      : (tensor<1x4x130x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<4x150xi32>, tensor<150xi32>) -> (tensor<1x4x130x6xf32>, tensor<1x4x130xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %end_: tensor<4x150xi32>, %from_: tensor<150xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %x = sparsek.read %end_[%h, %j] : tensor<4x150xi32>
    %in = heddle.compare lt %i, %x : tensor<i32>
    %f = sparsek.read %from_[%j] : tensor<150xi32>
    %in2 = heddle.compare ge %i, %f : tensor<i32>
    %seen = heddle.and %in, %in2 : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %v captures(%end, %from) from %o, %lse, %do
      wanted [] scale 0.5
      : (tensor<1x4x130x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>, tensor<4x150xi32>, tensor<150xi32>, tensor<1x4x130x6xf32>, tensor<1x4x130xf32>, tensor<1x4x130x6xf32>) -> (tensor<1x4x130x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>, %dgate: tensor<f32>, %end_: tensor<4x150xi32>, %from_: tensor<150xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %x = sparsek.read %end_[%h, %j] : tensor<4x150xi32>
    %in = heddle.compare lt %i, %x : tensor<i32>
    %f = sparsek.read %from_[%j] : tensor<150xi32>
    %in2 = heddle.compare ge %i, %f : tensor<i32>
    %seen = heddle.and %in, %in2 : tensor<i1>
    sparsek.yield_adjoint %s, %one, %seen, %dscore : tensor<f32>
  }
  return %dq, %dk, %dv : tensor<1x4x130x6xf32>, tensor<1x2x150x6xf32>, tensor<1x2x150x6xf32>
}
