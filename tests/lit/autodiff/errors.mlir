// RUN: heddle-opt --heddle-differentiate --split-input-file --verify-diagnostics %s

func.func private @product(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  // expected-error @below {{'heddle.matmul' has no derivative}}
  %s = heddle.matmul %x, %x : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  return %s : tensor<1x2x2xf32>
}
func.func @gradient(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  // expected-note @below {{called for the gradient here}}
  %y:2 = heddle.vjp @product(%x, %x) wrt [0] : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> (tensor<1x2x2xf32>, tensor<1x2x2xf32>)
  return %y#1 : tensor<1x2x2xf32>
}

// -----

func.func private @product(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  // expected-error @below {{'heddle.matmul' has no derivative}}
  %s = heddle.matmul %x, %x : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  return %s : tensor<1x2x2xf32>
}
func.func @tangent(%x: tensor<1x2x2xf32>) -> tensor<1x2x2xf32> {
  // expected-note @below {{called for the tangent here}}
  %y:2 = heddle.jvp @product(%x, %x) wrt [0] : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> (tensor<1x2x2xf32>, tensor<1x2x2xf32>)
  return %y#1 : tensor<1x2x2xf32>
}

// -----

// An operation without derivative off the path from the arguments to the results is no error.
func.func private @aside(%x: tensor<2xf32>, %a: tensor<1x2x2xf32>) -> (tensor<2xf32>, tensor<1x2x2xf32>) {
  %s = heddle.matmul %a, %a : (tensor<1x2x2xf32>, tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %e = heddle.exp %x : tensor<2xf32>
  return %e, %s : tensor<2xf32>, tensor<1x2x2xf32>
}
func.func @gradient(%x: tensor<2xf32>, %a: tensor<1x2x2xf32>) -> tensor<2xf32> {
  %y:3 = heddle.vjp @aside(%x, %a, %x, %a) wrt [0] : (tensor<2xf32>, tensor<1x2x2xf32>, tensor<2xf32>, tensor<1x2x2xf32>) -> (tensor<2xf32>, tensor<1x2x2xf32>, tensor<2xf32>)
  return %y#2 : tensor<2xf32>
}

// -----

// expected-error @below {{cannot differentiate @f, whose argument 0 has type 'tensor<?xf32>': every extent must be known}}
func.func private @f(%x: tensor<?xf32>) -> tensor<?xf32> {
  %e = heddle.exp %x : tensor<?xf32>
  return %e : tensor<?xf32>
}
func.func @gradient(%x: tensor<?xf32>) -> tensor<?xf32> {
  %y:2 = heddle.vjp @f(%x, %x) wrt [0] : (tensor<?xf32>, tensor<?xf32>) -> (tensor<?xf32>, tensor<?xf32>)
  return %y#1 : tensor<?xf32>
}

// -----

func.func private @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{cannot differentiate 'heddle.broadcast' with result type 'tensor<2x?xf32>': every extent must be known}}
  %b = heddle.broadcast %x axes [0] : tensor<2xf32> -> tensor<2x?xf32>
  %e = heddle.reduce sum %b axes [1] : tensor<2x?xf32> -> tensor<2xf32>
  return %e : tensor<2xf32>
}
func.func @gradient(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y:2 = heddle.vjp @f(%x, %x) wrt [0] : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %y#1 : tensor<2xf32>
}

// -----

func.func private @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{cannot differentiate @f, which calls itself}}
  %e = call @f(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %e : tensor<2xf32>
}
func.func @gradient(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y:2 = heddle.vjp @f(%x, %x) wrt [0] : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %y#1 : tensor<2xf32>
}

// -----

func.func private @outside(tensor<2xf32>) -> tensor<2xf32>
func.func @gradient(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{cannot differentiate @outside, which has no body}}
  %y:2 = heddle.vjp @outside(%x, %x) wrt [0] : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %y#1 : tensor<2xf32>
}

// -----

func.func private @outside(tensor<2xf32>) -> tensor<2xf32>
func.func private @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{cannot differentiate a call of @outside, which has no body}}
  %e = call @outside(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %e : tensor<2xf32>
}
func.func @gradient(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y:2 = heddle.vjp @f(%x, %x) wrt [0] : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %y#1 : tensor<2xf32>
}

// -----

func.func private @f(%x: tensor<2xf32>, %n: tensor<i32>) -> tensor<2xf32> attributes {heddle.custom_vjp = @rule} {
  return %x : tensor<2xf32>
}
// expected-note @below {{the rule has type '(tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>'}}
func.func private @rule(%x: tensor<2xf32>, %ct: tensor<2xf32>) -> tensor<2xf32> {
  return %ct : tensor<2xf32>
}
func.func private @caller(%x: tensor<2xf32>, %n: tensor<i32>) -> tensor<2xf32> {
  // expected-error @below {{the rule of @f must have type '(tensor<2xf32>, tensor<i32>, tensor<2xf32>) -> tensor<2xf32>'}}
  %y = call @f(%x, %n) : (tensor<2xf32>, tensor<i32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}
func.func @gradient(%x: tensor<2xf32>, %n: tensor<i32>) -> tensor<2xf32> {
  %y:2 = heddle.vjp @caller(%x, %n, %x) wrt [0] : (tensor<2xf32>, tensor<i32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return %y#1 : tensor<2xf32>
}

// -----

func.func private @cache(%k: tensor<1x1x4x2xf32>, %u: tensor<1x1x4xf32>) -> tensor<1x1x3x2xf32> {
  %lengths = heddle.constant dense<4> : tensor<1xi32>
  // expected-error @below {{'sparsek.fill_cache' (the cache that sparsek_prefill makes) has no derivative}}
  // expected-note @below {{sparsek_attention over the whole sequence has one}}
  %c:9 = sparsek.fill_cache %k, %k, %u, %lengths topk 2 window 1 capacity 4
      : (tensor<1x1x4x2xf32>, tensor<1x1x4x2xf32>, tensor<1x1x4xf32>, tensor<1xi32>)
      -> (tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>, tensor<1x1x3xf32>, tensor<1x1x3xi32>, tensor<1x1x4xf32>,
          tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  return %c#0 : tensor<1x1x3x2xf32>
}
func.func @tangent(%k: tensor<1x1x4x2xf32>, %u: tensor<1x1x4xf32>) -> tensor<1x1x3x2xf32> {
  // expected-note @below {{called for the tangent here}}
  %y:2 = heddle.jvp @cache(%k, %u, %k) wrt [0]
      : (tensor<1x1x4x2xf32>, tensor<1x1x4xf32>, tensor<1x1x4x2xf32>) -> (tensor<1x1x3x2xf32>, tensor<1x1x3x2xf32>)
  return %y#1 : tensor<1x1x3x2xf32>
}
