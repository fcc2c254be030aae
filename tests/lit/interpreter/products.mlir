// RUN: heddle-interp %s

func.func @matrix_product() {
  %a = heddle.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = heddle.constant dense<[[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]]> : tensor<2x3xf32>
  %c = heddle.einsum "mk,kn->mn" %a, %b : (tensor<2x2xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %expected = heddle.constant dense<[[21.0, 24.0, 27.0], [47.0, 54.0, 61.0]]> : tensor<2x3xf32>
  check.expect_eq %c, %expected : tensor<2x3xf32>
  %t = heddle.einsum "mk,kn->nm" %a, %b : (tensor<2x2xf32>, tensor<2x3xf32>) -> tensor<3x2xf32>
  %transposed = heddle.constant dense<[[21.0, 47.0], [24.0, 54.0], [27.0, 61.0]]> : tensor<3x2xf32>
  check.expect_eq %t, %transposed : tensor<3x2xf32>
  return
}

// Labels of one operand alone are summed or kept; shared labels may be kept.
func.func @other_sums() {
  %a = heddle.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %b = heddle.constant dense<[10, 100]> : tensor<2xi32>
  %outer = heddle.einsum "ab,c->c" %a, %b : (tensor<2x2xi32>, tensor<2xi32>) -> tensor<2xi32>
  %o = heddle.constant dense<[100, 1000]> : tensor<2xi32>
  check.expect_eq %outer, %o : tensor<2xi32>
  %rows = heddle.einsum "ab,a->ab" %a, %b : (tensor<2x2xi32>, tensor<2xi32>) -> tensor<2x2xi32>
  %r = heddle.constant dense<[[10, 20], [300, 400]]> : tensor<2x2xi32>
  check.expect_eq %rows, %r : tensor<2x2xi32>
  %s = heddle.constant dense<3> : tensor<i32>
  %scaled = heddle.einsum ",ab->ba" %s, %a : (tensor<i32>, tensor<2x2xi32>) -> tensor<2x2xi32>
  %sc = heddle.constant dense<[[3, 9], [6, 12]]> : tensor<2x2xi32>
  check.expect_eq %scaled, %sc : tensor<2x2xi32>
  %dot = heddle.einsum "ab,ab->" %a, %a : (tensor<2x2xi32>, tensor<2x2xi32>) -> tensor<i32>
  %thirty = heddle.constant dense<30> : tensor<i32>
  check.expect_eq %dot, %thirty : tensor<i32>
  return
}

func.func @batches_of_heads() {
  %a = heddle.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf64>
  %b = heddle.constant dense<[[[1.0], [10.0]], [[100.0], [1000.0]]]> : tensor<2x2x1xf64>
  %c = heddle.einsum "bnd,dhe->bhne" %a, %b : (tensor<2x1x2xf64>, tensor<2x2x1xf64>) -> tensor<2x2x1x1xf64>
  %expected = heddle.constant dense<[[[[201.0]], [[2010.0]]], [[[403.0]], [[4030.0]]]]> : tensor<2x2x1x1xf64>
  check.expect_eq %c, %expected : tensor<2x2x1x1xf64>
  return
}

func.func @sum_over_nothing() {
  %a = heddle.constant dense<> : tensor<2x0xf32>
  %b = heddle.constant dense<> : tensor<0x3xf32>
  %c = heddle.einsum "mk,kn->mn" %a, %b : (tensor<2x0xf32>, tensor<0x3xf32>) -> tensor<2x3xf32>
  %zero = heddle.constant dense<0.0> : tensor<2x3xf32>
  check.expect_eq %c, %zero : tensor<2x3xf32>
  return
}

func.func @matmul_in_four_layouts() {
  %a = heddle.constant dense<[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]> : tensor<1x2x3xf32>
  %at = heddle.constant dense<[[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]]> : tensor<1x3x2xf32>
  %b = heddle.constant dense<[[[1.0], [10.0], [100.0]]]> : tensor<1x3x1xf32>
  %bt = heddle.constant dense<[[[1.0, 10.0, 100.0]]]> : tensor<1x1x3xf32>
  %expected = heddle.constant dense<[[[321.0], [654.0]]]> : tensor<1x2x1xf32>
  %nn = heddle.matmul %a, %b : (tensor<1x2x3xf32>, tensor<1x3x1xf32>) -> tensor<1x2x1xf32>
  check.expect_eq %nn, %expected : tensor<1x2x1xf32>
  %tn = heddle.matmul %at, %b transpose_lhs : (tensor<1x3x2xf32>, tensor<1x3x1xf32>) -> tensor<1x2x1xf32>
  check.expect_eq %tn, %expected : tensor<1x2x1xf32>
  %nt = heddle.matmul %a, %bt transpose_rhs : (tensor<1x2x3xf32>, tensor<1x1x3xf32>) -> tensor<1x2x1xf32>
  check.expect_eq %nt, %expected : tensor<1x2x1xf32>
  %tt = heddle.matmul %at, %bt transpose_lhs transpose_rhs
      : (tensor<1x3x2xf32>, tensor<1x1x3xf32>) -> tensor<1x2x1xf32>
  check.expect_eq %tt, %expected : tensor<1x2x1xf32>
  return
}

// A bias and an addend round to bf16 one after the other: 256 + 1 is 256 there, twice.
func.func @matmul_epilogue() {
  %a = heddle.constant dense<[[[16.0], [1.0]]]> : tensor<1x2x1xbf16>
  %b = heddle.constant dense<[[[16.0, -2.0]]]> : tensor<1x1x2xbf16>
  %v = heddle.constant dense<[1.0, 0.5]> : tensor<2xbf16>
  %x = heddle.constant dense<[[[1.0, 40.0], [1.0, 1.0]]]> : tensor<1x2x2xbf16>
  %all = heddle.matmul %a, %b bias(%v) addend(%x) relu
      : (tensor<1x2x1xbf16>, tensor<1x1x2xbf16>, tensor<2xbf16>, tensor<1x2x2xbf16>) -> tensor<1x2x2xbf16>
  %expected = heddle.constant dense<[[[256.0, 8.5], [18.0, 0.0]]]> : tensor<1x2x2xbf16>
  check.expect_eq %all, %expected : tensor<1x2x2xbf16>
  %sum = heddle.matmul %a, %b addend(%x)
      : (tensor<1x2x1xbf16>, tensor<1x1x2xbf16>, tensor<1x2x2xbf16>) -> tensor<1x2x2xbf16>
  %second = heddle.constant dense<[[[256.0, 8.0], [17.0, -1.0]]]> : tensor<1x2x2xbf16>
  check.expect_eq %sum, %second : tensor<1x2x2xbf16>
  return
}
