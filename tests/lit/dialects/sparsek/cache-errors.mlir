// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @query_rank(%q: tensor<1x4x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{q has type 'tensor<1x4x8xf32>', not rank 4: batch, head, position, width}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @key_rank(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{k has type 'tensor<1x2x8xf32>', not rank 4: batch, head, position, width}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @score_type(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>,
      %u: tensor<1x2x1xf64>, %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>,
      %score: tensor<1x2x5xf32>, %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>,
      %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>,
      %gate: tensor<1xi32>, %estimator: tensor<1xi32>) {
  // expected-error @below {{scores of type 'f64' do not go with k of type 'f32'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf64>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @nothing(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{topk and window are both 0, so no query attends to anything}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 0 window 0 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @value_shape(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x3x1x6xf32>,
      %u: tensor<1x2x1xf32>, %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>,
      %score: tensor<1x2x5xf32>, %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>,
      %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>,
      %gate: tensor<1xi32>, %estimator: tensor<1xi32>) {
  // expected-error @below {{v has type 'tensor<1x3x1x6xf32>', not 'tensor<1x2x1x6xf32>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x3x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @scores_shape(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>,
      %u: tensor<1x2x2xf32>, %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>,
      %score: tensor<1x2x5xf32>, %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>,
      %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>,
      %gate: tensor<1xi32>, %estimator: tensor<1xi32>) {
  // expected-error @below {{u has type 'tensor<1x2x2xf32>', not 'tensor<1x2x1xf32>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x2xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @lengths_shape(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>,
      %u: tensor<1x2x1xf32>, %lengths: tensor<2xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>,
      %score: tensor<1x2x5xf32>, %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>,
      %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>,
      %gate: tensor<1xi32>, %estimator: tensor<1xi32>) {
  // expected-error @below {{lengths has type 'tensor<2xi32>', not 'tensor<1xi32>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<2xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @groups(%q: tensor<1x3x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{3 query heads are not a multiple of 2 key-value heads}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x3x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @live_rank(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{live has type 'tensor<1x2xf32>', not rank 3: batch, head, score}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>, tensor<1x2xf32>,
      tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @capacity(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x2xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{a capacity of 2 live scores is below topk 3}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x2xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x2xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @query_width(%q: tensor<1x4x1x6xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>,
      %u: tensor<1x2x1xf32>, %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>,
      %score: tensor<1x2x5xf32>, %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>,
      %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>,
      %gate: tensor<1xi32>, %estimator: tensor<1xi32>) {
  // expected-error @below {{q has type 'tensor<1x4x1x6xf32>', not 'tensor<1x4x1x8xf32>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x6xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @slots(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{keys has type 'tensor<1x2x5x8xf32>', not 'tensor<1x2x6x8xf32>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 3 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @value_slots(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>,
      %u: tensor<1x2x1xf32>, %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x8xf32>,
      %score: tensor<1x2x5xf32>, %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>,
      %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<1xf64>,
      %gate: tensor<1xi32>, %estimator: tensor<1xi32>) {
  // expected-error @below {{values has type 'tensor<1x2x5x8xf32>', not 'tensor<1x2x5x6xf32>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @scale(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1xi32>, %scale: tensor<f64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{scale has type 'tensor<f64>', not 'tensor<1xf64>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<f64>, tensor<1xi32>,
      tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}

// -----

func.func @position(%q: tensor<1x4x1x8xf32>, %k: tensor<1x2x1x8xf32>, %v: tensor<1x2x1x6xf32>, %u: tensor<1x2x1xf32>,
      %lengths: tensor<1xi32>, %keys: tensor<1x2x5x8xf32>, %values: tensor<1x2x5x6xf32>, %score: tensor<1x2x5xf32>,
      %key: tensor<1x2x5xi32>, %live: tensor<1x2x9xf32>, %count: tensor<1x2xi32>, %hi: tensor<1x2xf32>,
      %lo: tensor<1x2xf32>, %position: tensor<1x2xi32>, %scale: tensor<1xf64>, %gate: tensor<1xi32>,
      %estimator: tensor<1xi32>) {
  // expected-error @below {{position has type 'tensor<1x2xi32>', not 'tensor<1xi32>'}}
  // expected-error @below {{'sparsek.append' op failed to infer returned types}}
  %r:10 = sparsek.append %q, %k, %v, %u, %lengths onto (%keys, %values, %score, %key, %live, %count, %hi, %lo,
      %position, %scale, %gate, %estimator)
      topk 3 window 2 : (tensor<1x4x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x6xf32>, tensor<1x2x1xf32>,
      tensor<1xi32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xi32>, tensor<1xf64>,
      tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x1x6xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xi32>)
  return
}

// -----

func.func @fill(%k: tensor<1x2x9x8xf32>, %v: tensor<1x2x9x6xf32>, %u: tensor<1x2x9xf32>, %lengths: tensor<1xi32>) {
  // expected-error @below {{a capacity of 2 live scores is below topk 3}}
  // expected-error @below {{'sparsek.fill_cache' op failed to infer returned types}}
  %r:9 = sparsek.fill_cache %k, %v, %u, %lengths topk 3 window 2 capacity 2
      : (tensor<1x2x9x8xf32>, tensor<1x2x9x6xf32>, tensor<1x2x9xf32>, tensor<1xi32>)
      -> (tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x5xf32>, tensor<1x2x5xi32>, tensor<1x2x2xf32>,
          tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return
}
