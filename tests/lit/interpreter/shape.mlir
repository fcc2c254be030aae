// RUN: heddle-interp %s

func.func @iota() {
  %i = heddle.iota axis 1 : tensor<2x3xi32>
  %expected = heddle.constant dense<[[0, 1, 2], [0, 1, 2]]> : tensor<2x3xi32>
  check.expect_eq %i, %expected : tensor<2x3xi32>
  %j = heddle.iota axis 0 : tensor<2x3xf32>
  %rows = heddle.constant dense<[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]> : tensor<2x3xf32>
  check.expect_eq %j, %rows : tensor<2x3xf32>
  return
}

func.func @broadcast() {
  %x = heddle.constant dense<[1, 2]> : tensor<2xi32>
  %columns = heddle.broadcast %x axes [0] : tensor<2xi32> -> tensor<2x3xi32>
  %c = heddle.constant dense<[[1, 1, 1], [2, 2, 2]]> : tensor<2x3xi32>
  check.expect_eq %columns, %c : tensor<2x3xi32>
  %rows = heddle.broadcast %x axes [1] : tensor<2xi32> -> tensor<3x2xi32>
  %r = heddle.constant dense<[[1, 2], [1, 2], [1, 2]]> : tensor<3x2xi32>
  check.expect_eq %rows, %r : tensor<3x2xi32>
  %scalar = heddle.constant dense<7> : tensor<i32>
  %all = heddle.broadcast %scalar axes [] : tensor<i32> -> tensor<2x1xi32>
  %sevens = heddle.constant dense<7> : tensor<2x1xi32>
  check.expect_eq %all, %sevens : tensor<2x1xi32>
  return
}

func.func @reshape_and_transpose() {
  %x = heddle.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %r = heddle.reshape %x : tensor<2x3xi32> -> tensor<3x2xi32>
  %reshaped = heddle.constant dense<[[1, 2], [3, 4], [5, 6]]> : tensor<3x2xi32>
  check.expect_eq %r, %reshaped : tensor<3x2xi32>
  %t = heddle.transpose %x permutation [1, 0] : tensor<2x3xi32> -> tensor<3x2xi32>
  %transposed = heddle.constant dense<[[1, 4], [2, 5], [3, 6]]> : tensor<3x2xi32>
  check.expect_eq %t, %transposed : tensor<3x2xi32>
  return
}

// Axis i of the result is axis permutation[i] of the operand: not its inverse.
func.func @transpose_of_rank_3() {
  %x = heddle.constant dense<[[[1], [2], [3]], [[4], [5], [6]]]> : tensor<2x3x1xi32>
  %t = heddle.transpose %x permutation [2, 0, 1] : tensor<2x3x1xi32> -> tensor<1x2x3xi32>
  %expected = heddle.constant dense<[[[1, 2, 3], [4, 5, 6]]]> : tensor<1x2x3xi32>
  check.expect_eq %t, %expected : tensor<1x2x3xi32>
  return
}

func.func @slice() {
  %x = heddle.constant dense<[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]> : tensor<3x5xi32>
  %y = heddle.slice %x starts [1, 0] sizes [2, 3] strides [1, 2] : tensor<3x5xi32> -> tensor<2x3xi32>
  %expected = heddle.constant dense<[[5, 7, 9], [10, 12, 14]]> : tensor<2x3xi32>
  check.expect_eq %y, %expected : tensor<2x3xi32>
  %none = heddle.slice %x starts [3, 0] sizes [0, 5] strides [1, 1] : tensor<3x5xi32> -> tensor<0x5xi32>
  %empty = heddle.constant dense<> : tensor<0x5xi32>
  check.expect_eq %none, %empty : tensor<0x5xi32>
  return
}

func.func @pad() {
  %x = heddle.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %v = heddle.constant dense<9> : tensor<i32>
  %y = heddle.pad %x, %v low [0, 1] high [1, 0] interior [0, 2] : tensor<2x2xi32>, tensor<i32> -> tensor<3x5xi32>
  %expected = heddle.constant dense<[[9, 1, 9, 9, 2], [9, 3, 9, 9, 4], [9, 9, 9, 9, 9]]> : tensor<3x5xi32>
  check.expect_eq %y, %expected : tensor<3x5xi32>
  return
}

func.func @concat_and_reverse() {
  %a = heddle.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %b = heddle.constant dense<[[5], [6]]> : tensor<2x1xi32>
  %y = heddle.concat %a, %b axis 1 : (tensor<2x2xi32>, tensor<2x1xi32>) -> tensor<2x3xi32>
  %joined = heddle.constant dense<[[1, 2, 5], [3, 4, 6]]> : tensor<2x3xi32>
  check.expect_eq %y, %joined : tensor<2x3xi32>
  %z = heddle.concat %a, %a axis 0 : (tensor<2x2xi32>, tensor<2x2xi32>) -> tensor<4x2xi32>
  %stacked = heddle.constant dense<[[1, 2], [3, 4], [1, 2], [3, 4]]> : tensor<4x2xi32>
  check.expect_eq %z, %stacked : tensor<4x2xi32>
  %r = heddle.reverse %y axes [1] : tensor<2x3xi32>
  %reversed = heddle.constant dense<[[5, 2, 1], [6, 4, 3]]> : tensor<2x3xi32>
  check.expect_eq %r, %reversed : tensor<2x3xi32>
  %both = heddle.reverse %y axes [0, 1] : tensor<2x3xi32>
  %turned = heddle.constant dense<[[6, 4, 3], [5, 2, 1]]> : tensor<2x3xi32>
  check.expect_eq %both, %turned : tensor<2x3xi32>
  return
}

func.func @dynamic_slices() {
  %x = heddle.constant dense<[[0, 1, 2], [3, 4, 5]]> : tensor<2x3xi32>
  %one = heddle.constant dense<1> : tensor<i32>
  %y = heddle.dynamic_slice %x[%one] axis 1 size 2 : tensor<2x3xi32>, tensor<i32> -> tensor<2x2xi32>
  %part = heddle.constant dense<[[1, 2], [4, 5]]> : tensor<2x2xi32>
  check.expect_eq %y, %part : tensor<2x2xi32>
  %wide = heddle.constant dense<1> : tensor<i64>
  %u = heddle.constant dense<[[8, 9, 10]]> : tensor<1x3xi32>
  %z = heddle.dynamic_update_slice %x, %u[%wide] axis 0 : tensor<2x3xi32>, tensor<1x3xi32>, tensor<i64>
  %updated = heddle.constant dense<[[0, 1, 2], [8, 9, 10]]> : tensor<2x3xi32>
  check.expect_eq %z, %updated : tensor<2x3xi32>
  // The operand is a value: it did not change.
  %before = heddle.constant dense<[[0, 1, 2], [3, 4, 5]]> : tensor<2x3xi32>
  check.expect_eq %x, %before : tensor<2x3xi32>
  return
}

func.func @splat_of_truth() {
  %t = heddle.constant dense<true> : tensor<2xi1>
  %n = heddle.cast %t : tensor<2xi1> -> tensor<2xi32>
  %ones = heddle.constant dense<1> : tensor<2xi32>
  check.expect_eq %n, %ones : tensor<2xi32>
  return
}
