// RUN: heddle-interp %s

func.func @to_integer_cuts_and_saturates() {
  %x = heddle.constant dense<[1.9, -1.9, 300.0, -300.0, 0x7FC00000, 0x7F800000]> : tensor<6xf32>
  %y = heddle.cast %x : tensor<6xf32> -> tensor<6xi8>
  %expected = heddle.constant dense<[1, -1, 127, -128, 0, 127]> : tensor<6xi8>
  check.expect_eq %y, %expected : tensor<6xi8>
  %z = heddle.constant dense<[9.0e18, 1.0e19, -1.0e19]> : tensor<3xf64>
  %w = heddle.cast %z : tensor<3xf64> -> tensor<3xi64>
  %wide = heddle.constant dense<[9000000000000000000, 9223372036854775807, -9223372036854775808]> : tensor<3xi64>
  check.expect_eq %w, %wide : tensor<3xi64>
  return
}

// The second number is halfway between two bf16 values; the third just above halfway.
func.func @to_narrow_floats_rounds_half_to_even() {
  %x = heddle.constant dense<[1.0, 1.00390625, 1.00390637, 1.01171875, 3.4e38, 0x7FC00000]> : tensor<6xf32>
  %y = heddle.cast %x : tensor<6xf32> -> tensor<6xbf16>
  %expected = heddle.constant dense<[0x3F80, 0x3F80, 0x3F81, 0x3F82, 0x7F80, 0x7FC0]> : tensor<6xbf16>
  check.expect_eq %y, %expected : tensor<6xbf16>
  // 65519 rounds to the largest f16, 65520 to infinity; 2^-24 is the least above 0, 2^-25 goes to 0.
  %a = heddle.constant dense<[65519.0, 65520.0, 5.9604645e-08, 2.98023224e-08, 2.98023259e-08]> : tensor<5xf32>
  %b = heddle.cast %a : tensor<5xf32> -> tensor<5xf16>
  %half = heddle.constant dense<[0x7BFF, 0x7C00, 0x0001, 0x0000, 0x0001]> : tensor<5xf16>
  check.expect_eq %b, %half : tensor<5xf16>
  return
}

// Rounded once, not first to a double: 2^24 + 1 is halfway for f32, 2^62 + 2^54 + 1 just above halfway for bf16.
func.func @integers_to_floats() {
  %x = heddle.constant dense<[16777217, 16777219, -5]> : tensor<3xi32>
  %y = heddle.cast %x : tensor<3xi32> -> tensor<3xf32>
  %expected = heddle.constant dense<[16777216.0, 16777220.0, -5.0]> : tensor<3xf32>
  check.expect_eq %y, %expected : tensor<3xf32>
  %a = heddle.constant dense<[4629700416936869888, 4629700416936869889]> : tensor<2xi64>
  %b = heddle.cast %a : tensor<2xi64> -> tensor<2xbf16>
  %bf = heddle.constant dense<[0x5E80, 0x5E81]> : tensor<2xbf16>
  check.expect_eq %b, %bf : tensor<2xbf16>
  return
}

func.func @integers_wrap() {
  %x = heddle.constant dense<[300, -129, 4294967296]> : tensor<3xi64>
  %y = heddle.cast %x : tensor<3xi64> -> tensor<3xi8>
  %expected = heddle.constant dense<[44, 127, 0]> : tensor<3xi8>
  check.expect_eq %y, %expected : tensor<3xi8>
  return
}

func.func @truth_values() {
  %x = heddle.constant dense<[0.0, 0.5, 0x7FC00000]> : tensor<3xf32>
  %y = heddle.cast %x : tensor<3xf32> -> tensor<3xi1>
  %expected = heddle.constant dense<[false, true, true]> : tensor<3xi1>
  check.expect_eq %y, %expected : tensor<3xi1>
  %z = heddle.cast %y : tensor<3xi1> -> tensor<3xf32>
  %numbers = heddle.constant dense<[0.0, 1.0, 1.0]> : tensor<3xf32>
  check.expect_eq %z, %numbers : tensor<3xf32>
  %i = heddle.constant dense<[0, 2, 256]> : tensor<3xi32>
  %b = heddle.cast %i : tensor<3xi32> -> tensor<3xi1>
  check.expect_eq %b, %expected : tensor<3xi1>
  return
}
