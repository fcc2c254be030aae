// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @rank(%q: tensor<2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  // expected-error @below {{q has type 'tensor<2x3x4xf32>', not rank 4: batch, head, position, width}}
  // expected-error @below {{'sparsek.variant_attention' op failed to infer returned types}}
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @group(%q: tensor<1x3x3x4xf32>, %k: tensor<1x2x3x4xf32>, %c: tensor<2xf32>) {
  // expected-error @below {{3 query heads are not a multiple of 2 key-value heads}}
  // expected-error @below {{'sparsek.variant_attention' op failed to infer returned types}}
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x3x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<2xf32>) -> (tensor<1x3x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @width(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x8xf32>, %c: tensor<2xf32>) {
  // expected-error @below {{k has type 'tensor<1x1x3x8xf32>', not 'tensor<1x1x3x4xf32>'}}
  // expected-error @below {{'sparsek.variant_attention' op failed to infer returned types}}
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x8xf32>, tensor<1x1x3x8xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @arguments(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  // expected-error @below {{'sparsek.variant_attention' op has a block of 5 arguments, not 6: s, b, h, i, j and 1 captures}}
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @argument(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  // expected-error @below {{'sparsek.variant_attention' op has block argument 3 of type 'tensor<f32>', not 'tensor<i32>'}}
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %z: tensor<f32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %i = heddle.constant dense<1> : tensor<i32>
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @tensors(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    // expected-error @below {{'heddle.exp' works on 'tensor<2xf32>', but the block of a variant works on tensors of rank 0}}
    %e = heddle.exp %x : tensor<2xf32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @regions(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    // expected-error @below {{'heddle.if' has effects or regions, so it cannot stand in the block of a variant}}
    %e = heddle.if %past : (tensor<i1>) -> tensor<f32> {
      heddle.yield %s : tensor<f32>
    } else {
      heddle.yield %one : tensor<f32>
    }
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @effects(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    // expected-error @below {{'heddle.assert' has effects or regions, so it cannot stand in the block of a variant}}
    heddle.assert %past, "past" : tensor<i1>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @indices(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    // expected-error @below {{'sparsek.read' op gives 2 indices for 'tensor<2xf32>'}}
    %e = sparsek.read %x[%h, %i] : tensor<2xf32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @capture(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    // expected-error @below {{'sparsek.read' op needs an argument of the block that stands for a capture}}
    %e = sparsek.read %s[] : tensor<f32>
    sparsek.yield %s, %one, %past : tensor<f32>
  }
  return
}

// -----

func.func @terminator(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  // expected-error @below {{'sparsek.variant_attention' op has a block that does not end in sparsek.yield}}
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    llvm.unreachable
  }
  return
}

// -----

func.func @adjoint_terminator(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %l: tensor<1x2x3xf32>) {
  // expected-error @below {{'sparsek.variant_attention_backward' op has a block that does not end in sparsek.yield_adjoint}}
  %dq, %dk, %dv = sparsek.variant_attention_backward %q, %k, %k captures() from %q, %l, %q wanted [] scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3x4xf32>)
      -> (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>,
       %dgate: tensor<f32>):
    llvm.unreachable
  }
  return
}

// -----

func.func @score(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %c: tensor<2xf32>) {
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%c) scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %w = heddle.constant dense<1.0> : tensor<f64>
    // expected-error @below {{'sparsek.yield' op gives a score of type 'tensor<f64>', not 'tensor<f32>'}}
    sparsek.yield %w, %w, %past : tensor<f64>
  }
  return
}

// -----

func.func @order(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %l: tensor<1x2x3xf32>, %c: tensor<2xf32>, %d: tensor<2xf32>) {
  // expected-error @below {{wanted names capture 2, but must name some of the 2 captures in increasing order}}
  // expected-error @below {{'sparsek.variant_attention_backward' op failed to infer returned types}}
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %k captures(%c, %d) from %q, %l, %q wanted [2] scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3x4xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>,
       %dgate: tensor<f32>, %x: tensor<2xf32>, %y: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %past, %dscore : tensor<f32>
  }
  return
}

// -----

func.func @integer(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %l: tensor<1x2x3xf32>, %c: tensor<2xi32>, %d: tensor<2xf32>) {
  // expected-error @below {{capture 0 of type 'tensor<2xi32>' has no cotangent}}
  // expected-error @below {{'sparsek.variant_attention_backward' op failed to infer returned types}}
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %k captures(%c, %d) from %q, %l, %q wanted [0] scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xi32>, tensor<2xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3x4xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>,
       %dgate: tensor<f32>, %x: tensor<2xi32>, %y: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %past, %dscore : tensor<f32>
  }
  return
}

// -----

func.func @dout(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %l: tensor<1x2x3xf32>, %c: tensor<2xf32>, %d: tensor<2xf32>) {
  // expected-error @below {{dout has type 'tensor<1x1x3x4xf32>', not 'tensor<1x2x3x4xf32>'}}
  // expected-error @below {{'sparsek.variant_attention_backward' op failed to infer returned types}}
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %k captures(%c, %d) from %q, %l, %k wanted [1] scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x1x3x4xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>,
       %dgate: tensor<f32>, %x: tensor<2xf32>, %y: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield_adjoint %s, %one, %past, %dscore : tensor<f32>
  }
  return
}

// -----

func.func @unwanted(%q: tensor<1x2x3x4xf32>, %k: tensor<1x1x3x4xf32>, %l: tensor<1x2x3xf32>, %c: tensor<2xf32>, %d: tensor<2xf32>) {
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %k captures(%c, %d) from %q, %l, %q wanted [1] scale 0.5
      : (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3x4xf32>) -> (tensor<1x2x3x4xf32>, tensor<1x1x3x4xf32>, tensor<1x1x3x4xf32>, tensor<2xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>,
       %dgate: tensor<f32>, %x: tensor<2xf32>, %y: tensor<2xf32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    // expected-error @below {{'sparsek.accumulate' op adds to capture 0, which is not wanted}}
    sparsek.accumulate %dscore into %x[%h] : tensor<2xf32>
    sparsek.yield_adjoint %s, %one, %past, %dscore : tensor<f32>
  }
  return
}

// -----

func.func @outside(%x: tensor<2xf32>, %i: tensor<i32>) {
  // expected-error @below {{'sparsek.read' op expects parent op to be one of 'sparsek.variant_attention, sparsek.variant_attention_backward'}}
  %e = sparsek.read %x[%i] : tensor<2xf32>
  return
}
