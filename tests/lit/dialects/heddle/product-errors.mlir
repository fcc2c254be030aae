// RUN: heddle-opt --verify-diagnostics --split-input-file %s

func.func @form(%a: tensor<4x8xf32>, %b: tensor<8x3xf32>) {
  // expected-error @below {{equation "ab,bc" is not of the form "ab,bc->ac"}}
  // expected-error @below {{'heddle.einsum' op failed to infer returned types}}
  %c = heddle.einsum "ab,bc" %a, %b : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @element(%a: tensor<4x8xf32>, %b: tensor<8x3xf64>) {
  // expected-error @below {{operands have element types 'f32' and 'f64'}}
  // expected-error @below {{'heddle.einsum' op failed to infer returned types}}
  %c = heddle.einsum "ab,bc->ac" %a, %b : (tensor<4x8xf32>, tensor<8x3xf64>) -> tensor<4x3xf32>
  return
}

// -----

func.func @rank(%a: tensor<4x8xf32>, %b: tensor<8x3xf32>) {
  // expected-error @below {{"abd" names 3 axes of 'tensor<4x8xf32>'}}
  // expected-error @below {{'heddle.einsum' op failed to infer returned types}}
  %c = heddle.einsum "abd,bc->ac" %a, %b : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @twice(%a: tensor<4x4xf32>, %b: tensor<8x3xf32>) {
  // expected-error @below {{label 'a' stands twice in "aa"}}
  // expected-error @below {{'heddle.einsum' op failed to infer returned types}}
  %c = heddle.einsum "aa,bc->ac" %a, %b : (tensor<4x4xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @extent(%a: tensor<4x8xf32>, %b: tensor<7x3xf32>) {
  // expected-error @below {{label 'b' has extents 8 and 7}}
  // expected-error @below {{'heddle.einsum' op failed to infer returned types}}
  %c = heddle.einsum "ab,bc->ac" %a, %b : (tensor<4x8xf32>, tensor<7x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @nowhere(%a: tensor<4x8xf32>, %b: tensor<8x3xf32>) {
  // expected-error @below {{label 'z' of the result stands in no operand}}
  // expected-error @below {{'heddle.einsum' op failed to infer returned types}}
  %c = heddle.einsum "ab,bc->az" %a, %b : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @matmul_rank(%a: tensor<4x8xf32>, %b: tensor<8x3xf32>) {
  // expected-error @below {{operands 'tensor<4x8xf32>' and 'tensor<8x3xf32>' are not both of rank 3}}
  // expected-error @below {{'heddle.matmul' op failed to infer returned types}}
  %c = heddle.matmul %a, %b : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @matmul_batch(%a: tensor<2x4x8xf32>, %b: tensor<3x8x3xf32>) {
  // expected-error @below {{batches of 2 and 3}}
  // expected-error @below {{'heddle.matmul' op failed to infer returned types}}
  %c = heddle.matmul %a, %b : (tensor<2x4x8xf32>, tensor<3x8x3xf32>) -> tensor<2x4x3xf32>
  return
}

// -----

func.func @matmul_sum(%a: tensor<2x4x8xf32>, %b: tensor<2x8x3xf32>) {
  // expected-error @below {{sums over 8 and 3 elements}}
  // expected-error @below {{'heddle.matmul' op failed to infer returned types}}
  %c = heddle.matmul %a, %b transpose_rhs : (tensor<2x4x8xf32>, tensor<2x8x3xf32>) -> tensor<2x4x8xf32>
  return
}

// -----

// One number for each column.
func.func @matmul_bias(%a: tensor<2x4x8xf32>, %b: tensor<2x8x3xf32>, %v: tensor<4xf32>) {
  // expected-error @below {{'heddle.matmul' op bias is 'tensor<4xf32>', not 'tensor<3xf32>'}}
  %c = heddle.matmul %a, %b bias(%v) : (tensor<2x4x8xf32>, tensor<2x8x3xf32>, tensor<4xf32>) -> tensor<2x4x3xf32>
  return
}

// -----

func.func @matmul_addend(%a: tensor<2x4x8xf32>, %b: tensor<2x8x3xf32>, %x: tensor<2x4x3xbf16>) {
  // expected-error @below {{'heddle.matmul' op addend is 'tensor<2x4x3xbf16>', not 'tensor<2x4x3xf32>'}}
  %c = heddle.matmul %a, %b addend(%x) : (tensor<2x4x8xf32>, tensor<2x8x3xf32>, tensor<2x4x3xbf16>) -> tensor<2x4x3xf32>
  return
}
