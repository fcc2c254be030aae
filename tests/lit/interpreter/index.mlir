// RUN: heddle-interp %s

func.func @gather() {
  %table = heddle.constant dense<[[0, 1], [10, 11], [20, 21]]> : tensor<3x2xi32>
  %ids = heddle.constant dense<[[2, 0, 2]]> : tensor<1x3xi32>
  %y = heddle.gather %table[%ids] axis 0 : tensor<3x2xi32>, tensor<1x3xi32> -> tensor<1x3x2xi32>
  %expected = heddle.constant dense<[[[20, 21], [0, 1], [20, 21]]]> : tensor<1x3x2xi32>
  check.expect_eq %y, %expected : tensor<1x3x2xi32>
  %one = heddle.constant dense<1> : tensor<i64>
  %column = heddle.gather %table[%one] axis 1 : tensor<3x2xi32>, tensor<i64> -> tensor<3xi32>
  %c = heddle.constant dense<[1, 11, 21]> : tensor<3xi32>
  check.expect_eq %column, %c : tensor<3xi32>
  %columns = heddle.constant dense<[1, 0, 1]> : tensor<3xi32>
  %z = heddle.gather %table[%columns] axis 1 : tensor<3x2xi32>, tensor<3xi32> -> tensor<3x3xi32>
  %zs = heddle.constant dense<[[1, 0, 1], [11, 10, 11], [21, 20, 21]]> : tensor<3x3xi32>
  check.expect_eq %z, %zs : tensor<3x3xi32>
  return
}

func.func @scatter_add() {
  %base = heddle.constant dense<[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]> : tensor<3x2xf32>
  %ids = heddle.constant dense<[2, 0, 2]> : tensor<3xi32>
  %updates = heddle.constant dense<[[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]> : tensor<3x2xf32>
  %y = heddle.scatter_add %base[%ids], %updates axis 0 : tensor<3x2xf32>, tensor<3xi32>, tensor<3x2xf32>
  %expected = heddle.constant dense<[[31.0, 41.0], [2.0, 2.0], [63.0, 83.0]]> : tensor<3x2xf32>
  check.expect_eq %y, %expected : tensor<3x2xf32>
  %across = heddle.constant dense<[1, 1]> : tensor<2xi32>
  %two = heddle.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %z = heddle.scatter_add %base[%across], %two axis 1 : tensor<3x2xf32>, tensor<2xi32>, tensor<3x2xf32>
  %zs = heddle.constant dense<[[1.0, 4.0], [2.0, 9.0], [3.0, 14.0]]> : tensor<3x2xf32>
  check.expect_eq %z, %zs : tensor<3x2xf32>
  return
}

func.func @along() {
  %x = heddle.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %ids = heddle.constant dense<[[2, 2], [0, 1]]> : tensor<2x2xi32>
  %y = heddle.take_along %x[%ids] axis 1 : tensor<2x3xi32>, tensor<2x2xi32> -> tensor<2x2xi32>
  %expected = heddle.constant dense<[[3, 3], [4, 5]]> : tensor<2x2xi32>
  check.expect_eq %y, %expected : tensor<2x2xi32>
  %updates = heddle.constant dense<[[10, 20], [30, 40]]> : tensor<2x2xi32>
  %z = heddle.put_along %x[%ids], %updates axis 1 : tensor<2x3xi32>, tensor<2x2xi32>, tensor<2x2xi32>
  %zs = heddle.constant dense<[[1, 2, 33], [34, 45, 6]]> : tensor<2x3xi32>
  check.expect_eq %z, %zs : tensor<2x3xi32>
  return
}

func.func @argsort_is_stable() {
  %x = heddle.constant dense<[3.0, 1.0, 0x7FC00000, 3.0, 0x7F800000, 1.0]> : tensor<6xf32>
  %up = heddle.argsort %x axis 0 : tensor<6xf32> -> tensor<6xi32>
  %u = heddle.constant dense<[1, 5, 0, 3, 4, 2]> : tensor<6xi32>
  check.expect_eq %up, %u : tensor<6xi32>
  %down = heddle.argsort %x axis 0 descending : tensor<6xf32> -> tensor<6xi32>
  %d = heddle.constant dense<[4, 0, 3, 1, 5, 2]> : tensor<6xi32>
  check.expect_eq %down, %d : tensor<6xi32>
  return
}

// The first of the same order: ties by position, NaN only where nothing else is left.
func.func @argsort_with_a_limit() {
  %x = heddle.constant dense<[3.0, 1.0, 0x7FC00000, 3.0, 0x7F800000, 1.0]> : tensor<6xf32>
  %three = heddle.argsort %x axis 0 descending limit 3 : tensor<6xf32> -> tensor<3xi32>
  %t = heddle.constant dense<[4, 0, 3]> : tensor<3xi32>
  check.expect_eq %three, %t : tensor<3xi32>
  %one = heddle.argsort %x axis 0 limit 1 : tensor<6xf32> -> tensor<1xi32>
  %o = heddle.constant dense<[1]> : tensor<1xi32>
  check.expect_eq %one, %o : tensor<1xi32>
  %all = heddle.argsort %x axis 0 descending limit 6 : tensor<6xf32> -> tensor<6xi32>
  %a = heddle.constant dense<[4, 0, 3, 1, 5, 2]> : tensor<6xi32>
  check.expect_eq %all, %a : tensor<6xi32>
  %none = heddle.argsort %x axis 0 limit 0 : tensor<6xf32> -> tensor<0xi32>
  %n = heddle.constant dense<> : tensor<0xi32>
  check.expect_eq %none, %n : tensor<0xi32>
  %columns = heddle.constant dense<[[3, 1], [2, 2], [1, 3]]> : tensor<3x2xi64>
  %i = heddle.argsort %columns axis 0 limit 2 : tensor<3x2xi64> -> tensor<2x2xi32>
  %expected = heddle.constant dense<[[2, 0], [1, 1]]> : tensor<2x2xi32>
  check.expect_eq %i, %expected : tensor<2x2xi32>
  return
}

func.func @argsort_of_columns() {
  %x = heddle.constant dense<[[3, 1], [2, 2], [1, 3]]> : tensor<3x2xi64>
  %i = heddle.argsort %x axis 0 : tensor<3x2xi64> -> tensor<3x2xi32>
  %expected = heddle.constant dense<[[2, 0], [1, 1], [0, 2]]> : tensor<3x2xi32>
  check.expect_eq %i, %expected : tensor<3x2xi32>
  return
}
