// RUN: heddle-interp %s

func.func @wraps() {
  %a = heddle.constant dense<[127, -128, -128, 100]> : tensor<4xi8>
  %b = heddle.constant dense<[1, -1, 1, 3]> : tensor<4xi8>
  %add = heddle.add %a, %b : tensor<4xi8>
  %sum = heddle.constant dense<[-128, 127, -127, 103]> : tensor<4xi8>
  check.expect_eq %add, %sum : tensor<4xi8>
  %sub = heddle.sub %a, %b : tensor<4xi8>
  %difference = heddle.constant dense<[126, -127, 127, 97]> : tensor<4xi8>
  check.expect_eq %sub, %difference : tensor<4xi8>
  %mul = heddle.mul %a, %b : tensor<4xi8>
  %product = heddle.constant dense<[127, -128, -128, 44]> : tensor<4xi8>
  check.expect_eq %mul, %product : tensor<4xi8>
  %neg = heddle.neg %a : tensor<4xi8>
  %negated = heddle.constant dense<[-127, -128, -128, -100]> : tensor<4xi8>
  check.expect_eq %neg, %negated : tensor<4xi8>
  %abs = heddle.abs %a : tensor<4xi8>
  %absolute = heddle.constant dense<[127, -128, -128, 100]> : tensor<4xi8>
  check.expect_eq %abs, %absolute : tensor<4xi8>
  %sign = heddle.sign %a : tensor<4xi8>
  %signs = heddle.constant dense<[1, -1, -1, 1]> : tensor<4xi8>
  check.expect_eq %sign, %signs : tensor<4xi8>
  return
}

func.func @division_rounds_down() {
  %a = heddle.constant dense<[7, -7, 7, -7, 5, -9223372036854775808]> : tensor<6xi64>
  %b = heddle.constant dense<[2, 2, -2, -2, 0, -1]> : tensor<6xi64>
  %div = heddle.div %a, %b : tensor<6xi64>
  %quotient = heddle.constant dense<[3, -4, -4, 3, 0, -9223372036854775808]> : tensor<6xi64>
  check.expect_eq %div, %quotient : tensor<6xi64>
  %rem = heddle.rem %a, %b : tensor<6xi64>
  %remainder = heddle.constant dense<[1, 1, -1, -1, 0, 0]> : tensor<6xi64>
  check.expect_eq %rem, %remainder : tensor<6xi64>
  return
}

func.func @order() {
  %a = heddle.constant dense<[1, 5]> : tensor<2xi32>
  %b = heddle.constant dense<[3, -5]> : tensor<2xi32>
  %max = heddle.max %a, %b : tensor<2xi32>
  %larger = heddle.constant dense<[3, 5]> : tensor<2xi32>
  check.expect_eq %max, %larger : tensor<2xi32>
  %min = heddle.min %a, %b : tensor<2xi32>
  %smaller = heddle.constant dense<[1, -5]> : tensor<2xi32>
  check.expect_eq %min, %smaller : tensor<2xi32>
  return
}

func.func @logic() {
  %a = heddle.constant dense<[true, true, false, false]> : tensor<4xi1>
  %b = heddle.constant dense<[true, false, true, false]> : tensor<4xi1>
  %and = heddle.and %a, %b : tensor<4xi1>
  %both = heddle.constant dense<[true, false, false, false]> : tensor<4xi1>
  check.expect_eq %and, %both : tensor<4xi1>
  %or = heddle.or %a, %b : tensor<4xi1>
  %either = heddle.constant dense<[true, true, true, false]> : tensor<4xi1>
  check.expect_eq %or, %either : tensor<4xi1>
  %not = heddle.not %a : tensor<4xi1>
  %negated = heddle.constant dense<[false, false, true, true]> : tensor<4xi1>
  check.expect_eq %not, %negated : tensor<4xi1>
  return
}

func.func @comparisons() {
  %a = heddle.constant dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>
  %b = heddle.constant dense<[2.0, 2.0, 2.0, 0x7FC00000]> : tensor<4xf32>
  %eq = heddle.compare eq %a, %b : tensor<4xf32>
  %eq1 = heddle.constant dense<[false, true, false, false]> : tensor<4xi1>
  check.expect_eq %eq, %eq1 : tensor<4xi1>
  %ne = heddle.compare ne %a, %b : tensor<4xf32>
  %ne1 = heddle.constant dense<[true, false, true, true]> : tensor<4xi1>
  check.expect_eq %ne, %ne1 : tensor<4xi1>
  %lt = heddle.compare lt %a, %b : tensor<4xf32>
  %lt1 = heddle.constant dense<[true, false, false, false]> : tensor<4xi1>
  check.expect_eq %lt, %lt1 : tensor<4xi1>
  %le = heddle.compare le %a, %b : tensor<4xf32>
  %le1 = heddle.constant dense<[true, true, false, false]> : tensor<4xi1>
  check.expect_eq %le, %le1 : tensor<4xi1>
  %gt = heddle.compare gt %a, %b : tensor<4xf32>
  %gt1 = heddle.constant dense<[false, false, true, false]> : tensor<4xi1>
  check.expect_eq %gt, %gt1 : tensor<4xi1>
  %ge = heddle.compare ge %a, %b : tensor<4xf32>
  %ge1 = heddle.constant dense<[false, true, true, false]> : tensor<4xi1>
  check.expect_eq %ge, %ge1 : tensor<4xi1>
  %x = heddle.constant dense<[-1, 9223372036854775807]> : tensor<2xi64>
  %y = heddle.constant dense<[1, 9223372036854775806]> : tensor<2xi64>
  %less = heddle.compare lt %x, %y : tensor<2xi64>
  %less1 = heddle.constant dense<[true, false]> : tensor<2xi1>
  check.expect_eq %less, %less1 : tensor<2xi1>
  return
}

func.func @select() {
  %c = heddle.constant dense<[true, false, true]> : tensor<3xi1>
  %a = heddle.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %b = heddle.constant dense<[10.0, 20.0, 0x7FC00000]> : tensor<3xf32>
  %r = heddle.select %c, %a, %b : tensor<3xi1>, tensor<3xf32>
  %expected = heddle.constant dense<[1.0, 20.0, 3.0]> : tensor<3xf32>
  check.expect_eq %r, %expected : tensor<3xf32>
  return
}
