// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @arguments(%s0: tensor<8xf32>) {
  // expected-error @below {{body has 1 arguments, not 2}}
  %r = heddle.for 4 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>):
    heddle.yield %s0 : tensor<8xf32>
  }
  return
}

// -----

func.func @scanned(%xs: tensor<3x8xf32>, %s0: tensor<8xf32>) {
  // expected-error @below {{scanned operand 0 has type 'tensor<3x8xf32>', whose leading extent is not 4}}
  %r = heddle.for 4 scan(%xs) init(%s0) : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %s: tensor<8xf32>):
    heddle.yield %s : tensor<8xf32>
  }
  return
}

// -----

func.func @carry(%s0: tensor<8xf32>) {
  // expected-error @below {{yielded carry 0 has type 'tensor<f32>', not 'tensor<8xf32>'}}
  %r = heddle.for 4 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %n = heddle.reduce sum %s axes [0] : tensor<8xf32> -> tensor<f32>
    heddle.yield %n : tensor<f32>
  }
  return
}

// -----

func.func @collected(%s0: tensor<8xf32>) {
  // expected-error @below {{collected result 0 has type 'tensor<3x8xf32>', not 'tensor<4x8xf32>'}}
  %r, %c = heddle.for 4 scan() init(%s0) : (tensor<8xf32>) -> (tensor<8xf32>, tensor<3x8xf32>) {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    heddle.yield %s, %s : tensor<8xf32>, tensor<8xf32>
  }
  return
}

// -----

func.func @negative(%s0: tensor<8xf32>) {
  // expected-error @below {{has -1 steps}}
  %r = heddle.for -1 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    heddle.yield %s : tensor<8xf32>
  }
  return
}

// -----

func.func @branches(%c: tensor<i1>, %a: tensor<4xf32>, %b: tensor<5xf32>) {
  // expected-error @below {{yielded value 0 has type 'tensor<5xf32>', not 'tensor<4xf32>'}}
  %r = heddle.if %c : (tensor<i1>) -> tensor<4xf32> {
    heddle.yield %a : tensor<4xf32>
  } else {
    heddle.yield %b : tensor<5xf32>
  }
  return
}

// -----

func.func @fusion(%a: tensor<4xf32>) {
  // expected-error @below {{has 1 inputs for 0 body arguments}}
  %r = heddle.fusion(%a) : (tensor<4xf32>) -> tensor<i32> {
  ^bb0:
    %c = heddle.constant dense<1> : tensor<i32>
    heddle.yield %c : tensor<i32>
  }
  return
}

// -----

func.func @unknown(%x: tensor<8xf32>, %ct: tensor<f32>) {
  // expected-error @below {{callee @missing is not a function}}
  %y, %dx = heddle.vjp @missing(%x, %ct) wrt [0] : (tensor<8xf32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @f(tensor<8xf32>, tensor<i32>) -> tensor<f32>

func.func @wrt_range(%x: tensor<8xf32>, %i: tensor<i32>, %ct: tensor<f32>) {
  // expected-error @below {{wrt names argument 2 of a function with 2}}
  %y, %dx = heddle.vjp @f(%x, %i, %ct) wrt [2] : (tensor<8xf32>, tensor<i32>, tensor<f32>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @f(tensor<8xf32>, tensor<i32>) -> tensor<f32>

func.func @wrt_integer(%x: tensor<8xf32>, %i: tensor<i32>, %ct: tensor<f32>) {
  // expected-error @below {{wrt names argument 1 of type 'tensor<i32>', which has no derivative}}
  %y, %dx = heddle.vjp @f(%x, %i, %ct) wrt [1] : (tensor<8xf32>, tensor<i32>, tensor<f32>) -> (tensor<f32>, tensor<i32>)
  return
}

// -----

func.func private @f(tensor<8xf32>) -> tensor<f32>

func.func @tangents(%x: tensor<8xf32>) {
  // expected-error @below {{has 1 operands, not 2}}
  %y, %dy = heddle.jvp @f(%x) wrt [0] : (tensor<8xf32>) -> (tensor<f32>, tensor<f32>)
  return
}
