// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @gather(%t: tensor<4x8xf32>, %i: tensor<3xi32>) {
  // expected-error @below {{axis 2 is out of range for 'tensor<4x8xf32>'}}
  // expected-error @below {{'heddle.gather' op failed to infer returned types}}
  %y = heddle.gather %t[%i] axis 2 : tensor<4x8xf32>, tensor<3xi32> -> tensor<3x8xf32>
  return
}

// -----

func.func @scatter(%t: tensor<4x8xf32>, %i: tensor<3xi32>, %u: tensor<2x8xf32>) {
  // expected-error @below {{updates have type 'tensor<2x8xf32>', not 'tensor<3x8xf32>'}}
  %y = heddle.scatter_add %t[%i], %u axis 0 : tensor<4x8xf32>, tensor<3xi32>, tensor<2x8xf32>
  return
}

// -----

func.func @take_along(%x: tensor<4x8xf32>, %i: tensor<3x2xi32>) {
  // expected-error @below {{ids 'tensor<3x2xi32>' do not fit 'tensor<4x8xf32>' along axis 1}}
  // expected-error @below {{'heddle.take_along' op failed to infer returned types}}
  %y = heddle.take_along %x[%i] axis 1 : tensor<4x8xf32>, tensor<3x2xi32> -> tensor<4x2xf32>
  return
}

// -----

func.func @put_along(%x: tensor<4x8xf32>, %i: tensor<4x2xi32>, %u: tensor<4x3xf32>) {
  // expected-error @below {{updates have type 'tensor<4x3xf32>', not 'tensor<4x2xf32>'}}
  %y = heddle.put_along %x[%i], %u axis 1 : tensor<4x8xf32>, tensor<4x2xi32>, tensor<4x3xf32>
  return
}

// -----

func.func @argsort(%x: tensor<4xf32>) {
  // expected-error @below {{axis 1 is out of range for 'tensor<4xf32>'}}
  // expected-error @below {{'heddle.argsort' op failed to infer returned types}}
  %i = heddle.argsort %x axis 1 : tensor<4xf32> -> tensor<4xi32>
  return
}

// -----

func.func @argsort_limit(%x: tensor<4x8xf32>) {
  // expected-error @below {{limit 9 is out of range for 'tensor<4x8xf32>' along axis 1}}
  // expected-error @below {{'heddle.argsort' op failed to infer returned types}}
  %i = heddle.argsort %x axis 1 limit 9 : tensor<4x8xf32> -> tensor<4x9xi32>
  return
}

// -----

func.func @argsort_negative_limit(%x: tensor<?x8xf32>) {
  // expected-error @below {{limit -1 is out of range for 'tensor<?x8xf32>' along axis 0}}
  // expected-error @below {{'heddle.argsort' op failed to infer returned types}}
  %i = heddle.argsort %x axis 0 descending limit -1 : tensor<?x8xf32> -> tensor<1x8xi32>
  return
}

// -----

func.func @argsort_result(%x: tensor<4x8xf32>) {
  // expected-error @below {{'heddle.argsort' op failed to infer returned types}}
  // expected-error @below {{'heddle.argsort' op inferred type(s) 'tensor<4x3xi32>' are incompatible with return type(s) of operation 'tensor<4x8xi32>'}}
  %i = heddle.argsort %x axis 1 limit 3 : tensor<4x8xf32> -> tensor<4x8xi32>
  return
}
