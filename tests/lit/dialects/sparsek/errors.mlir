// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @scalar(%z: tensor<f32>, %k: tensor<f32>) {
  // expected-error @below {{scores have no axis to project along}}
  // expected-error @below {{'sparsek.project' op failed to infer returned types}}
  %p = sparsek.project %z, %k : tensor<f32>, tensor<f32> -> tensor<f32>
  return
}

// -----

func.func @rank(%u: tensor<2x96xf32>) {
  // expected-error @below {{scores have type 'tensor<2x96xf32>', not rank 3: batch, head, position}}
  // expected-error @below {{'sparsek.threshold' op failed to infer returned types}}
  %hi, %lo, %count, %end = sparsek.threshold %u topk 32 window 16
      : tensor<2x96xf32> -> tensor<2x96xf32>, tensor<2x96xf32>, tensor<2x96xi32>, tensor<2x96xi32>
  return
}

// -----

func.func @nothing(%u: tensor<1x2x96xf32>) {
  // expected-error @below {{topk and window are both 0, so no query attends to anything}}
  // expected-error @below {{'sparsek.threshold' op failed to infer returned types}}
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 0
      : tensor<1x2x96xf32> -> tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xi32>
  return
}

// -----

func.func @negative(%u: tensor<1x2x96xf32>) {
  // expected-error @below {{topk -1 and window 4 must not be negative}}
  // expected-error @below {{'sparsek.threshold' op failed to infer returned types}}
  %hi, %lo, %count, %end = sparsek.threshold %u topk -1 window 4
      : tensor<1x2x96xf32> -> tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xi32>
  return
}

// -----

func.func @group(%q: tensor<1x3x96x16xf32>, %k: tensor<1x2x96x16xf32>, %u: tensor<1x2x96xf32>, %e: tensor<1x2x96xi32>) {
  // expected-error @below {{3 query heads are not a multiple of 2 key-value heads}}
  // expected-error @below {{'sparsek.attention' op failed to infer returned types}}
  %o, %lse = sparsek.attention %q, %k, %k, %u, %u, %u, %e topk 8 window 8 scale 0.25 gate both estimator soft
      : (tensor<1x3x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
         tensor<1x2x96xf32>, tensor<1x2x96xi32>) -> (tensor<1x3x96x16xf32>, tensor<1x3x96xf32>)
  return
}

// -----

func.func @width(%q: tensor<1x4x96x16xf32>, %k: tensor<1x2x96x8xf32>, %u: tensor<1x2x96xf32>, %e: tensor<1x2x96xi32>) {
  // expected-error @below {{k has type 'tensor<1x2x96x8xf32>', not 'tensor<1x2x96x16xf32>'}}
  // expected-error @below {{'sparsek.attention' op failed to infer returned types}}
  %o, %lse = sparsek.attention %q, %k, %k, %u, %u, %u, %e topk 8 window 8 scale 0.25 gate both estimator soft
      : (tensor<1x4x96x16xf32>, tensor<1x2x96x8xf32>, tensor<1x2x96x8xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
         tensor<1x2x96xf32>, tensor<1x2x96xi32>) -> (tensor<1x4x96x8xf32>, tensor<1x4x96xf32>)
  return
}

// -----

func.func @precision(%q: tensor<1x2x96x16xf64>, %u: tensor<1x2x96xf32>, %e: tensor<1x2x96xi32>) {
  // expected-error @below {{scores of type 'f32' do not go with q of type 'f64'}}
  // expected-error @below {{'sparsek.attention' op failed to infer returned types}}
  %o, %lse = sparsek.attention %q, %q, %q, %u, %u, %u, %e topk 8 window 8 scale 0.25 gate both estimator soft
      : (tensor<1x2x96x16xf64>, tensor<1x2x96x16xf64>, tensor<1x2x96x16xf64>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
         tensor<1x2x96xf32>, tensor<1x2x96xi32>) -> (tensor<1x2x96x16xf64>, tensor<1x2x96xf32>)
  return
}

// -----

func.func @offsets_rank(%offsets: tensor<2x2xi32>) {
  // expected-error @below {{offsets have type 'tensor<2x2xi32>', not rank 1 with one or more of them}}
  // expected-error @below {{'sparsek.segments' op failed to infer returned types}}
  %bounds = sparsek.segments %offsets length 9 : tensor<2x2xi32> -> tensor<2x9xi32>
  return
}

// -----

func.func @no_offsets(%offsets: tensor<0xi32>) {
  // expected-error @below {{offsets have type 'tensor<0xi32>', not rank 1 with one or more of them}}
  // expected-error @below {{'sparsek.segments' op failed to infer returned types}}
  %bounds = sparsek.segments %offsets length 0 : tensor<0xi32> -> tensor<2x0xi32>
  return
}

// -----

func.func @negative_length(%offsets: tensor<2xi32>) {
  // expected-error @below {{length -1 must not be negative}}
  // expected-error @below {{'sparsek.segments' op failed to infer returned types}}
  %bounds = sparsek.segments %offsets length -1 : tensor<2xi32> -> tensor<2x1xi32>
  return
}

// -----

func.func @threshold_bounds(%u: tensor<1x2x96xf32>, %bounds: tensor<2x95xi32>) {
  // expected-error @below {{bounds has type 'tensor<2x95xi32>', not 'tensor<2x96xi32>'}}
  // expected-error @below {{'sparsek.threshold' op failed to infer returned types}}
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 32 window 16 : tensor<1x2x96xf32>, tensor<2x95xi32>
      -> tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xi32>
  return
}

// -----

func.func @backward_bounds(%u: tensor<1x2x96xf32>, %count: tensor<1x2x96xi32>, %bounds: tensor<96xi32>) {
  // expected-error @below {{bounds has type 'tensor<96xi32>', not 'tensor<2x96xi32>'}}
  // expected-error @below {{'sparsek.threshold_backward' op failed to infer returned types}}
  %du = sparsek.threshold_backward %u, %u, %u, %count, %u, bounds %bounds window 16
      : tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xf32>, tensor<96xi32>
      -> tensor<1x2x96xf32>
  return
}

// -----

func.func @attention_bounds(%q: tensor<1x2x9x3xf32>, %u: tensor<1x2x9xf32>, %end: tensor<1x2x9xi32>, %bounds: tensor<1x9xi32>) {
  // expected-error @below {{bounds has type 'tensor<1x9xi32>', not 'tensor<2x9xi32>'}}
  // expected-error @below {{'sparsek.attention' op failed to infer returned types}}
  %o, %lse = sparsek.attention %q, %q, %q, %u, %u, %u, %end, bounds %bounds topk 3 window 2 scale 0.5 gate both estimator soft
      : (tensor<1x2x9x3xf32>, tensor<1x2x9x3xf32>, tensor<1x2x9x3xf32>, tensor<1x2x9xf32>, tensor<1x2x9xf32>,
         tensor<1x2x9xf32>, tensor<1x2x9xi32>, tensor<1x9xi32>) -> (tensor<1x2x9x3xf32>, tensor<1x2x9xf32>)
  return
}

// -----

func.func @cotangent(%q: tensor<1x2x96x16xf32>, %u: tensor<1x2x96xf32>, %e: tensor<1x2x96xi32>, %d: tensor<1x2x95xf32>) {
  // expected-error @below {{dlse has type 'tensor<1x2x95xf32>', not 'tensor<1x2x96xf32>'}}
  // expected-error @below {{'sparsek.attention_backward' op failed to infer returned types}}
  %r:5 = sparsek.attention_backward %q, %q, %q, %u, %u, %u, %e, %q, %u, %q dlse %d topk 8 window 8 scale 0.25 gate both estimator soft
      : (tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
         tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96x16xf32>, tensor<1x2x95xf32>)
      -> (tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>)
  return
}

// -----

func.func @tangent(%q: tensor<1x2x96x16xf32>, %u: tensor<1x2x96xf32>, %e: tensor<1x2x96xi32>) {
  // expected-error @below {{dk has type 'tensor<1x2x96xf32>', not 'tensor<1x2x96x16xf32>'}}
  // expected-error @below {{'sparsek.attention_tangent' op failed to infer returned types}}
  %r:2 = sparsek.attention_tangent %q, %q, %q, %u, %u, %u, %e, %q, %u dk %u topk 8 window 8 scale 0.25 gate both estimator soft
      : (tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
         tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>)
      -> (tensor<1x2x96x16xf32>, tensor<1x2x96xf32>)
  return
}

// -----

func.func @threshold_tangent(%u: tensor<1x2x96xf32>, %c: tensor<1x2x96xi32>, %d: tensor<1x2x90xf32>) {
  // expected-error @below {{du has type 'tensor<1x2x90xf32>', not 'tensor<1x2x96xf32>'}}
  // expected-error @below {{'sparsek.threshold_tangent' op failed to infer returned types}}
  %t = sparsek.threshold_tangent %u, %u, %u, %c, %d window 16
      : tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x90xf32> -> tensor<1x2x96xf32>
  return
}
