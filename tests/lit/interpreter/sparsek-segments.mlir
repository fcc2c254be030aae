// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s

// Sequences of 3, 0, 1 and 4 positions.
func.func @bounds() {
  %offsets = heddle.constant dense<[0, 3, 3, 4, 8]> : tensor<5xi32>
  %bounds = sparsek.segments %offsets length 8 : tensor<5xi32> -> tensor<2x8xi32>
  %expected = heddle.constant dense<[[0, 0, 0, 3, 4, 4, 4, 4], [3, 3, 3, 4, 8, 8, 8, 8]]> : tensor<2x8xi32>
  check.expect_eq %bounds, %expected : tensor<2x8xi32>
  return
}

func.func @nothing() {
  %offsets = heddle.constant dense<0> : tensor<1xi32>
  %bounds = sparsek.segments %offsets length 0 : tensor<1xi32> -> tensor<2x0xi32>
  %expected = heddle.constant dense<0> : tensor<2x0xi32>
  check.expect_eq %bounds, %expected : tensor<2x0xi32>
  return
}

// topk 2, window 1, sequences of 2 and 6: the second one has the scores and so the thresholds of @pairs_counts_and_ends
// in sparsek-threshold.mlir; the high scores of the first one are no candidates of it.
func.func @thresholds_restart() {
  %u = heddle.constant dense<[[[9.0, 9.0, 1.0, 0.5, 0.75, 2.0, 4.0, 0.0]]]> : tensor<1x1x8xf32>
  %offsets = heddle.constant dense<[0, 2, 8]> : tensor<3xi32>
  %bounds = sparsek.segments %offsets length 8 : tensor<3xi32> -> tensor<2x8xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 2 window 1 : tensor<1x1x8xf32>, tensor<2x8xi32>
      -> tensor<1x1x8xf32>, tensor<1x1x8xf32>, tensor<1x1x8xi32>, tensor<1x1x8xi32>
  %h = heddle.constant dense<[[[0xFF800000, 0xFF800000, 0xFF800000, 0xFF800000, 0xFF800000, 0.75, 1.0, 1.0]]]> : tensor<1x1x8xf32>
  check.expect_eq %hi, %h : tensor<1x1x8xf32>
  %l = heddle.constant dense<[[[0.0, 0.0, 0.0, 0.0, 0.0, -0.666666667, -0.583333333, 0.0]]]> : tensor<1x1x8xf32>
  check.expect_close %lo, %l {atol = 1.0e-7} : tensor<1x1x8xf32>
  %c = heddle.constant dense<[[[0, 0, 0, 0, 0, 3, 3, 0]]]> : tensor<1x1x8xi32>
  check.expect_eq %count, %c : tensor<1x1x8xi32>
  %e = heddle.constant dense<[[[2, 2, 7, 5, 6, 8, 8, 8]]]> : tensor<1x1x8xi32>
  check.expect_eq %end, %e : tensor<1x1x8xi32>
  // 3 / |S| of queries 5 and 6 for the keys in S: {2, 3, 4} for both.
  %dtau = heddle.constant dense<3.0> : tensor<1x1x8xf32>
  %du = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 1
      : tensor<1x1x8xf32>, tensor<1x1x8xf32>, tensor<1x1x8xf32>, tensor<1x1x8xi32>, tensor<1x1x8xf32>, tensor<2x8xi32>
      -> tensor<1x1x8xf32>
  %d = heddle.constant dense<[[[0.0, 0.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0]]]> : tensor<1x1x8xf32>
  check.expect_eq %du, %d : tensor<1x1x8xf32>
  return
}

// A NaN ends with its sequence.
func.func @nan_stays_in_its_sequence() {
  %u = heddle.constant dense<[[[0x7FC00000, 1.0, 2.0, 3.0]]]> : tensor<1x1x4xf32>
  %offsets = heddle.constant dense<[0, 2, 4]> : tensor<3xi32>
  %bounds = sparsek.segments %offsets length 4 : tensor<3xi32> -> tensor<2x4xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 1 window 1 : tensor<1x1x4xf32>, tensor<2x4xi32>
      -> tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>, tensor<1x1x4xi32>
  %h = heddle.constant dense<[[[0xFF800000, 0x7FC00000, 0xFF800000, 0xFF800000]]]> : tensor<1x1x4xf32>
  check.expect_eq %hi, %h : tensor<1x1x4xf32>
  return
}

// Sequences of 4, 0, 1 and 6 together and each by itself, forward and backward.
func.func @packed_is_apart() {
  %key = heddle.constant dense<5> : tensor<i64>
  %q = heddle.random normal %key stream 0 : tensor<i64> -> tensor<1x4x11x3xf32>
  %k = heddle.random normal %key stream 1 : tensor<i64> -> tensor<1x2x11x3xf32>
  %v = heddle.random normal %key stream 2 : tensor<i64> -> tensor<1x2x11x2xf32>
  %u = heddle.random normal %key stream 3 : tensor<i64> -> tensor<1x2x11xf32>
  %do = heddle.random normal %key stream 4 : tensor<i64> -> tensor<1x4x11x2xf32>
  %offsets = heddle.constant dense<[0, 4, 4, 5, 11]> : tensor<5xi32>
  %bounds = sparsek.segments %offsets length 11 : tensor<5xi32> -> tensor<2x11xi32>
  %hi, %lo, %count, %end = sparsek.threshold %u, bounds %bounds topk 3 window 2 : tensor<1x2x11xf32>, tensor<2x11xi32> -> tensor<1x2x11xf32>, tensor<1x2x11xf32>, tensor<1x2x11xi32>, tensor<1x2x11xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds
      topk 3 window 2 scale 0.5 gate both estimator soft : (tensor<1x4x11x3xf32>, tensor<1x2x11x3xf32>, tensor<1x2x11x2xf32>, tensor<1x2x11xf32>, tensor<1x2x11xf32>, tensor<1x2x11xf32>, tensor<1x2x11xi32>, tensor<2x11xi32>) -> (tensor<1x4x11x2xf32>, tensor<1x4x11xf32>)
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do, bounds %bounds
      topk 3 window 2 scale 0.5 gate both estimator soft
      : (tensor<1x4x11x3xf32>, tensor<1x2x11x3xf32>, tensor<1x2x11x2xf32>, tensor<1x2x11xf32>, tensor<1x2x11xf32>, tensor<1x2x11xf32>, tensor<1x2x11xi32>, tensor<1x4x11x2xf32>, tensor<1x4x11xf32>, tensor<1x4x11x2xf32>, tensor<2x11xi32>)
      -> (tensor<1x4x11x3xf32>, tensor<1x2x11x3xf32>, tensor<1x2x11x2xf32>, tensor<1x2x11xf32>, tensor<1x2x11xf32>)
  %dut = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 2 : tensor<1x2x11xf32>, tensor<1x2x11xf32>, tensor<1x2x11xf32>, tensor<1x2x11xi32>, tensor<1x2x11xf32>, tensor<2x11xi32> -> tensor<1x2x11xf32>
  %qa = heddle.slice %q starts [0, 0, 0, 0] sizes [1, 4, 4, 3] strides [1, 1, 1, 1] : tensor<1x4x11x3xf32> -> tensor<1x4x4x3xf32>
  %ka = heddle.slice %k starts [0, 0, 0, 0] sizes [1, 2, 4, 3] strides [1, 1, 1, 1] : tensor<1x2x11x3xf32> -> tensor<1x2x4x3xf32>
  %va = heddle.slice %v starts [0, 0, 0, 0] sizes [1, 2, 4, 2] strides [1, 1, 1, 1] : tensor<1x2x11x2xf32> -> tensor<1x2x4x2xf32>
  %ua = heddle.slice %u starts [0, 0, 0] sizes [1, 2, 4] strides [1, 1, 1] : tensor<1x2x11xf32> -> tensor<1x2x4xf32>
  %doa = heddle.slice %do starts [0, 0, 0, 0] sizes [1, 4, 4, 2] strides [1, 1, 1, 1] : tensor<1x4x11x2xf32> -> tensor<1x4x4x2xf32>
  %hia, %loa, %counta, %enda = sparsek.threshold %ua topk 3 window 2 : tensor<1x2x4xf32> -> tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xi32>, tensor<1x2x4xi32>
  %oa, %lsea = sparsek.attention %qa, %ka, %va, %ua, %hia, %loa, %enda
      topk 3 window 2 scale 0.5 gate both estimator soft : (tensor<1x4x4x3xf32>, tensor<1x2x4x3xf32>, tensor<1x2x4x2xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xi32>) -> (tensor<1x4x4x2xf32>, tensor<1x4x4xf32>)
  %dqa, %dka, %dva, %dua, %dtaua = sparsek.attention_backward %qa, %ka, %va, %ua, %hia, %loa, %enda, %oa, %lsea, %doa
      topk 3 window 2 scale 0.5 gate both estimator soft
      : (tensor<1x4x4x3xf32>, tensor<1x2x4x3xf32>, tensor<1x2x4x2xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xi32>, tensor<1x4x4x2xf32>, tensor<1x4x4xf32>, tensor<1x4x4x2xf32>)
      -> (tensor<1x4x4x3xf32>, tensor<1x2x4x3xf32>, tensor<1x2x4x2xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>)
  %duta = sparsek.threshold_backward %ua, %hia, %loa, %counta, %dtaua window 2 : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xi32>, tensor<1x2x4xf32> -> tensor<1x2x4xf32>
  %qb = heddle.slice %q starts [0, 0, 4, 0] sizes [1, 4, 1, 3] strides [1, 1, 1, 1] : tensor<1x4x11x3xf32> -> tensor<1x4x1x3xf32>
  %kb = heddle.slice %k starts [0, 0, 4, 0] sizes [1, 2, 1, 3] strides [1, 1, 1, 1] : tensor<1x2x11x3xf32> -> tensor<1x2x1x3xf32>
  %vb = heddle.slice %v starts [0, 0, 4, 0] sizes [1, 2, 1, 2] strides [1, 1, 1, 1] : tensor<1x2x11x2xf32> -> tensor<1x2x1x2xf32>
  %ub = heddle.slice %u starts [0, 0, 4] sizes [1, 2, 1] strides [1, 1, 1] : tensor<1x2x11xf32> -> tensor<1x2x1xf32>
  %dob = heddle.slice %do starts [0, 0, 4, 0] sizes [1, 4, 1, 2] strides [1, 1, 1, 1] : tensor<1x4x11x2xf32> -> tensor<1x4x1x2xf32>
  %hib, %lob, %countb, %endb = sparsek.threshold %ub topk 3 window 2 : tensor<1x2x1xf32> -> tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xi32>, tensor<1x2x1xi32>
  %ob, %lseb = sparsek.attention %qb, %kb, %vb, %ub, %hib, %lob, %endb
      topk 3 window 2 scale 0.5 gate both estimator soft : (tensor<1x4x1x3xf32>, tensor<1x2x1x3xf32>, tensor<1x2x1x2xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xi32>) -> (tensor<1x4x1x2xf32>, tensor<1x4x1xf32>)
  %dqb, %dkb, %dvb, %dub, %dtaub = sparsek.attention_backward %qb, %kb, %vb, %ub, %hib, %lob, %endb, %ob, %lseb, %dob
      topk 3 window 2 scale 0.5 gate both estimator soft
      : (tensor<1x4x1x3xf32>, tensor<1x2x1x3xf32>, tensor<1x2x1x2xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xi32>, tensor<1x4x1x2xf32>, tensor<1x4x1xf32>, tensor<1x4x1x2xf32>)
      -> (tensor<1x4x1x3xf32>, tensor<1x2x1x3xf32>, tensor<1x2x1x2xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>)
  %dutb = sparsek.threshold_backward %ub, %hib, %lob, %countb, %dtaub window 2 : tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xi32>, tensor<1x2x1xf32> -> tensor<1x2x1xf32>
  %qc = heddle.slice %q starts [0, 0, 5, 0] sizes [1, 4, 6, 3] strides [1, 1, 1, 1] : tensor<1x4x11x3xf32> -> tensor<1x4x6x3xf32>
  %kc = heddle.slice %k starts [0, 0, 5, 0] sizes [1, 2, 6, 3] strides [1, 1, 1, 1] : tensor<1x2x11x3xf32> -> tensor<1x2x6x3xf32>
  %vc = heddle.slice %v starts [0, 0, 5, 0] sizes [1, 2, 6, 2] strides [1, 1, 1, 1] : tensor<1x2x11x2xf32> -> tensor<1x2x6x2xf32>
  %uc = heddle.slice %u starts [0, 0, 5] sizes [1, 2, 6] strides [1, 1, 1] : tensor<1x2x11xf32> -> tensor<1x2x6xf32>
  %doc = heddle.slice %do starts [0, 0, 5, 0] sizes [1, 4, 6, 2] strides [1, 1, 1, 1] : tensor<1x4x11x2xf32> -> tensor<1x4x6x2xf32>
  %hic, %loc, %countc, %endc = sparsek.threshold %uc topk 3 window 2 : tensor<1x2x6xf32> -> tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xi32>, tensor<1x2x6xi32>
  %oc, %lsec = sparsek.attention %qc, %kc, %vc, %uc, %hic, %loc, %endc
      topk 3 window 2 scale 0.5 gate both estimator soft : (tensor<1x4x6x3xf32>, tensor<1x2x6x3xf32>, tensor<1x2x6x2xf32>, tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xi32>) -> (tensor<1x4x6x2xf32>, tensor<1x4x6xf32>)
  %dqc, %dkc, %dvc, %duc, %dtauc = sparsek.attention_backward %qc, %kc, %vc, %uc, %hic, %loc, %endc, %oc, %lsec, %doc
      topk 3 window 2 scale 0.5 gate both estimator soft
      : (tensor<1x4x6x3xf32>, tensor<1x2x6x3xf32>, tensor<1x2x6x2xf32>, tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xi32>, tensor<1x4x6x2xf32>, tensor<1x4x6xf32>, tensor<1x4x6x2xf32>)
      -> (tensor<1x4x6x3xf32>, tensor<1x2x6x3xf32>, tensor<1x2x6x2xf32>, tensor<1x2x6xf32>, tensor<1x2x6xf32>)
  %dutc = sparsek.threshold_backward %uc, %hic, %loc, %countc, %dtauc window 2 : tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xf32>, tensor<1x2x6xi32>, tensor<1x2x6xf32> -> tensor<1x2x6xf32>
  %os = heddle.concat %oa, %ob, %oc axis 2 : (tensor<1x4x4x2xf32>, tensor<1x4x1x2xf32>, tensor<1x4x6x2xf32>) -> tensor<1x4x11x2xf32>
  check.expect_eq %o, %os : tensor<1x4x11x2xf32>
  %lses = heddle.concat %lsea, %lseb, %lsec axis 2 : (tensor<1x4x4xf32>, tensor<1x4x1xf32>, tensor<1x4x6xf32>) -> tensor<1x4x11xf32>
  check.expect_eq %lse, %lses : tensor<1x4x11xf32>
  %dqs = heddle.concat %dqa, %dqb, %dqc axis 2 : (tensor<1x4x4x3xf32>, tensor<1x4x1x3xf32>, tensor<1x4x6x3xf32>) -> tensor<1x4x11x3xf32>
  check.expect_eq %dq, %dqs : tensor<1x4x11x3xf32>
  %dks = heddle.concat %dka, %dkb, %dkc axis 2 : (tensor<1x2x4x3xf32>, tensor<1x2x1x3xf32>, tensor<1x2x6x3xf32>) -> tensor<1x2x11x3xf32>
  check.expect_eq %dk, %dks : tensor<1x2x11x3xf32>
  %dvs = heddle.concat %dva, %dvb, %dvc axis 2 : (tensor<1x2x4x2xf32>, tensor<1x2x1x2xf32>, tensor<1x2x6x2xf32>) -> tensor<1x2x11x2xf32>
  check.expect_eq %dv, %dvs : tensor<1x2x11x2xf32>
  %dus = heddle.concat %dua, %dub, %duc axis 2 : (tensor<1x2x4xf32>, tensor<1x2x1xf32>, tensor<1x2x6xf32>) -> tensor<1x2x11xf32>
  check.expect_eq %du, %dus : tensor<1x2x11xf32>
  %dtaus = heddle.concat %dtaua, %dtaub, %dtauc axis 2 : (tensor<1x2x4xf32>, tensor<1x2x1xf32>, tensor<1x2x6xf32>) -> tensor<1x2x11xf32>
  check.expect_eq %dtau, %dtaus : tensor<1x2x11xf32>
  %duts = heddle.concat %duta, %dutb, %dutc axis 2 : (tensor<1x2x4xf32>, tensor<1x2x1xf32>, tensor<1x2x6xf32>) -> tensor<1x2x11xf32>
  check.expect_eq %dut, %duts : tensor<1x2x11xf32>
  %his = heddle.concat %hia, %hib, %hic axis 2 : (tensor<1x2x4xf32>, tensor<1x2x1xf32>, tensor<1x2x6xf32>) -> tensor<1x2x11xf32>
  check.expect_eq %hi, %his : tensor<1x2x11xf32>
  %los = heddle.concat %loa, %lob, %loc axis 2 : (tensor<1x2x4xf32>, tensor<1x2x1xf32>, tensor<1x2x6xf32>) -> tensor<1x2x11xf32>
  check.expect_eq %lo, %los : tensor<1x2x11xf32>
  return
}
