// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @iota_axis() {
  // expected-error @below {{'heddle.iota' op axis 2 is out of range for 'tensor<4x8xi32>'}}
  %i = heddle.iota axis 2 : tensor<4x8xi32>
  return
}

// -----

func.func @broadcast_element(%x: tensor<8xf32>) {
  // expected-error @below {{changes the element type from 'f32' to 'f64'}}
  %y = heddle.broadcast %x axes [1] : tensor<8xf32> -> tensor<4x8xf64>
  return
}

// -----

func.func @broadcast_count(%x: tensor<8xf32>) {
  // expected-error @below {{has 2 axes for an operand of rank 1}}
  %y = heddle.broadcast %x axes [0, 1] : tensor<8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @broadcast_range(%x: tensor<8xf32>) {
  // expected-error @below {{axis 2 is out of range for 'tensor<4x8xf32>'}}
  %y = heddle.broadcast %x axes [2] : tensor<8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @broadcast_order(%x: tensor<4x8xf32>) {
  // expected-error @below {{axes are not strictly increasing: 1 then 0}}
  %y = heddle.broadcast %x axes [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
  return
}

// -----

func.func @broadcast_extent(%x: tensor<8xf32>) {
  // expected-error @below {{extent 8 of operand axis 0 differs from extent 4 of result axis 0}}
  %y = heddle.broadcast %x axes [0] : tensor<8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @reshape_count(%x: tensor<8xf32>) {
  // expected-error @below {{changes the number of elements from 8 to 12}}
  %y = heddle.reshape %x : tensor<8xf32> -> tensor<3x4xf32>
  return
}

// -----

func.func @reshape_element(%x: tensor<8xf32>) {
  // expected-error @below {{changes the element type from 'f32' to 'i32'}}
  %y = heddle.reshape %x : tensor<8xf32> -> tensor<8xi32>
  return
}

// -----

func.func @transpose_twice(%x: tensor<4x8xf32>) {
  // expected-error @below {{permutation array<i64: 0, 0> does not list each axis of 'tensor<4x8xf32>' once}}
  // expected-error @below {{'heddle.transpose' op failed to infer returned types}}
  %y = heddle.transpose %x permutation [0, 0] : tensor<4x8xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @slice_rank(%x: tensor<4x8xf32>) {
  // expected-error @below {{starts, sizes and strides need 2 numbers each for 'tensor<4x8xf32>'}}
  // expected-error @below {{'heddle.slice' op failed to infer returned types}}
  %y = heddle.slice %x starts [0] sizes [4] strides [1] : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @slice_stride(%x: tensor<8xf32>) {
  // expected-error @below {{slice [0 + i * 0 for i < 4] of axis 0 needs start and size >= 0 and stride >= 1}}
  // expected-error @below {{'heddle.slice' op failed to infer returned types}}
  %y = heddle.slice %x starts [0] sizes [4] strides [0] : tensor<8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @slice_end(%x: tensor<8xf32>) {
  // expected-error @below {{slice reaches element 9 of axis 0, which has extent 8}}
  // expected-error @below {{'heddle.slice' op failed to infer returned types}}
  %y = heddle.slice %x starts [3] sizes [4] strides [2] : tensor<8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @pad_value(%x: tensor<8xf32>, %v: tensor<f64>) {
  // expected-error @below {{padding value has type 'tensor<f64>', not a scalar 'f32'}}
  // expected-error @below {{'heddle.pad' op failed to infer returned types}}
  %y = heddle.pad %x, %v low [0] high [0] interior [0] : tensor<8xf32>, tensor<f64> -> tensor<8xf32>
  return
}

// -----

func.func @pad_negative(%x: tensor<8xf32>, %v: tensor<f32>) {
  // expected-error @below {{padding of axis 0 is negative: low -1, high 0, interior 0}}
  // expected-error @below {{'heddle.pad' op failed to infer returned types}}
  %y = heddle.pad %x, %v low [-1] high [0] interior [0] : tensor<8xf32>, tensor<f32> -> tensor<7xf32>
  return
}

// -----

func.func @pad_rank(%x: tensor<8xf32>, %v: tensor<f32>) {
  // expected-error @below {{low, high and interior need 1 numbers each for 'tensor<8xf32>'}}
  // expected-error @below {{'heddle.pad' op failed to infer returned types}}
  %y = heddle.pad %x, %v low [] high [0] interior [0] : tensor<8xf32>, tensor<f32> -> tensor<8xf32>
  return
}

// -----

func.func @concat_fit(%a: tensor<4x8xf32>, %b: tensor<4x7xf32>) {
  // expected-error @below {{operand 'tensor<4x7xf32>' does not fit 'tensor<4x8xf32>' along axis 0}}
  // expected-error @below {{'heddle.concat' op failed to infer returned types}}
  %y = heddle.concat %a, %b axis 0 : (tensor<4x8xf32>, tensor<4x7xf32>) -> tensor<8x8xf32>
  return
}

// -----

func.func @concat_nothing() {
  // expected-error @below {{concat needs at least one operand}}
  // expected-error @below {{'heddle.concat' op failed to infer returned types}}
  %y = "heddle.concat"() {axis = 0 : i64} : () -> tensor<8x8xf32>
  return
}

// -----

func.func @reverse_axis(%x: tensor<8xf32>) {
  // expected-error @below {{axis 1 is out of range for 'tensor<8xf32>'}}
  %y = heddle.reverse %x axes [1] : tensor<8xf32>
  return
}

// -----

func.func @dynamic_slice_size(%x: tensor<8xf32>, %i: tensor<i32>) {
  // expected-error @below {{size 9 does not fit extent 8 of axis 0}}
  // expected-error @below {{'heddle.dynamic_slice' op failed to infer returned types}}
  %y = heddle.dynamic_slice %x[%i] axis 0 size 9 : tensor<8xf32>, tensor<i32> -> tensor<9xf32>
  return
}

// -----

func.func @dynamic_update_fit(%x: tensor<4x8xf32>, %u: tensor<4x9xf32>, %i: tensor<i32>) {
  // expected-error @below {{update 'tensor<4x9xf32>' does not fit 'tensor<4x8xf32>' along axis 1}}
  %y = heddle.dynamic_update_slice %x, %u[%i] axis 1 : tensor<4x8xf32>, tensor<4x9xf32>, tensor<i32>
  return
}

// -----

func.func @random_type(%k: tensor<i64>) {
  // expected-error @below {{cannot draw normal numbers of type 'i32'}}
  %y = heddle.random normal %k stream 0 : tensor<i64> -> tensor<8xi32>
  return
}
