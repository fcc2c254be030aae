// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @axis(%x: tensor<4x8xf32>) {
  // expected-error @below {{axis 2 is out of range for 'tensor<4x8xf32>'}}
  // expected-error @below {{'heddle.reduce' op failed to infer returned types}}
  %y = heddle.reduce sum %x axes [2] : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @order(%x: tensor<4x8xf32>) {
  // expected-error @below {{axes are not strictly increasing: 1 then 0}}
  // expected-error @below {{'heddle.reduce' op failed to infer returned types}}
  %y = heddle.reduce sum %x axes [1, 0] : tensor<4x8xf32> -> tensor<f32>
  return
}

// -----

func.func @kind(%x: tensor<4x8xi1>) {
  // expected-error @below {{reduction sum does not apply to 'tensor<4x8xi1>'}}
  // expected-error @below {{'heddle.reduce' op failed to infer returned types}}
  %y = heddle.reduce sum %x axes [1] : tensor<4x8xi1> -> tensor<4xi1>
  return
}

// -----

func.func @empty(%x: tensor<4x0xf32>) {
  // expected-error @below {{axis 1 of 'tensor<4x0xf32>' is empty}}
  // expected-error @below {{'heddle.arg_reduce' op failed to infer returned types}}
  %y = heddle.arg_reduce argmax %x axis 1 : tensor<4x0xf32> -> tensor<4xi32>
  return
}

// -----

func.func @cumsum(%x: tensor<4xf32>) {
  // expected-error @below {{axis 1 is out of range for 'tensor<4xf32>'}}
  %y = heddle.cumsum %x axis 1 : tensor<4xf32>
  return
}
