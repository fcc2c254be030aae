// RUN: heddle-interp %s

func.func @neg_abs_sign() {
  %x = heddle.constant dense<[-2.5, 0.0, 3.0, 0x7FC00000, 0xFF800000]> : tensor<5xf32>
  %neg = heddle.neg %x : tensor<5xf32>
  %negated = heddle.constant dense<[2.5, 0.0, -3.0, 0x7FC00000, 0x7F800000]> : tensor<5xf32>
  check.expect_eq %neg, %negated : tensor<5xf32>
  %abs = heddle.abs %x : tensor<5xf32>
  %absolute = heddle.constant dense<[2.5, 0.0, 3.0, 0x7FC00000, 0x7F800000]> : tensor<5xf32>
  check.expect_eq %abs, %absolute : tensor<5xf32>
  %sign = heddle.sign %x : tensor<5xf32>
  %signs = heddle.constant dense<[-1.0, 0.0, 1.0, 0x7FC00000, -1.0]> : tensor<5xf32>
  check.expect_eq %sign, %signs : tensor<5xf32>
  return
}

func.func @exponentials() {
  %x = heddle.constant dense<[0.0, 1.0, -1.0, 1.0e-10, 100.0, -1000.0]> : tensor<6xf32>
  %exp = heddle.exp %x : tensor<6xf32>
  %e = heddle.constant dense<[1.0, 2.71828175, 0.36787945, 1.0, 0x7F800000, 0.0]> : tensor<6xf32>
  check.expect_eq %exp, %e : tensor<6xf32>
  %expm1 = heddle.expm1 %x : tensor<6xf32>
  %m = heddle.constant dense<[0.0, 1.71828187, -0.63212055, 1.0e-10, 0x7F800000, -1.0]> : tensor<6xf32>
  check.expect_eq %expm1, %m : tensor<6xf32>
  return
}

func.func @logarithms() {
  %x = heddle.constant dense<[1.0, 0.0, -1.0, 2.71828182845904523536]> : tensor<4xf64>
  %log = heddle.log %x : tensor<4xf64>
  %l = heddle.constant dense<[0.0, 0xFFF0000000000000, 0x7FF8000000000000, 1.0]> : tensor<4xf64>
  check.expect_eq %log, %l : tensor<4xf64>
  %y = heddle.constant dense<[0.0, 1.0e-20, -1.0, -2.0]> : tensor<4xf64>
  %log1p = heddle.log1p %y : tensor<4xf64>
  %p = heddle.constant dense<[0.0, 1.0e-20, 0xFFF0000000000000, 0x7FF8000000000000]> : tensor<4xf64>
  check.expect_eq %log1p, %p : tensor<4xf64>
  return
}

func.func @roots() {
  %x = heddle.constant dense<[4.0, 0.0, -1.0, 0x7F800000]> : tensor<4xf32>
  %sqrt = heddle.sqrt %x : tensor<4xf32>
  %s = heddle.constant dense<[2.0, 0.0, 0x7FC00000, 0x7F800000]> : tensor<4xf32>
  check.expect_eq %sqrt, %s : tensor<4xf32>
  %rsqrt = heddle.rsqrt %x : tensor<4xf32>
  %r = heddle.constant dense<[0.5, 0x7F800000, 0x7FC00000, 0.0]> : tensor<4xf32>
  check.expect_eq %rsqrt, %r : tensor<4xf32>
  return
}

func.func @smooth() {
  %x = heddle.constant dense<[0.0, 0.5, -2.0]> : tensor<3xf64>
  %sin = heddle.sin %x : tensor<3xf64>
  %sines = heddle.constant dense<[0.0, 0.47942553860420301, -0.90929742682568171]> : tensor<3xf64>
  check.expect_close %sin, %sines {rtol = 1.0e-15} : tensor<3xf64>
  %cos = heddle.cos %x : tensor<3xf64>
  %cosines = heddle.constant dense<[1.0, 0.87758256189037276, -0.41614683654714241]> : tensor<3xf64>
  check.expect_close %cos, %cosines {rtol = 1.0e-15} : tensor<3xf64>
  %tanh = heddle.tanh %x : tensor<3xf64>
  %tangents = heddle.constant dense<[0.0, 0.46211715726000979, -0.96402758007581690]> : tensor<3xf64>
  check.expect_close %tanh, %tangents {rtol = 1.0e-15} : tensor<3xf64>
  %erf = heddle.erf %x : tensor<3xf64>
  %errors = heddle.constant dense<[0.0, 0.52049987781304652, -0.99532226501895271]> : tensor<3xf64>
  check.expect_close %erf, %errors {rtol = 1.0e-15} : tensor<3xf64>
  return
}

func.func @sigmoid() {
  %x = heddle.constant dense<[0.0, 1000.0, -1000.0, 0x7F800000, 0xFF800000]> : tensor<5xf32>
  %y = heddle.sigmoid %x : tensor<5xf32>
  %expected = heddle.constant dense<[0.5, 1.0, 0.0, 1.0, 0.0]> : tensor<5xf32>
  check.expect_eq %y, %expected : tensor<5xf32>
  return
}

func.func @rounding() {
  %x = heddle.constant dense<[0.5, 1.5, 2.5, -0.5, -1.5, -2.3, 0x7F800000]> : tensor<7xf32>
  %round = heddle.round %x : tensor<7xf32>
  %r = heddle.constant dense<[0.0, 2.0, 2.0, 0.0, -2.0, -2.0, 0x7F800000]> : tensor<7xf32>
  check.expect_eq %round, %r : tensor<7xf32>
  %floor = heddle.floor %x : tensor<7xf32>
  %f = heddle.constant dense<[0.0, 1.0, 2.0, -1.0, -2.0, -3.0, 0x7F800000]> : tensor<7xf32>
  check.expect_eq %floor, %f : tensor<7xf32>
  %ceil = heddle.ceil %x : tensor<7xf32>
  %c = heddle.constant dense<[1.0, 2.0, 3.0, 0.0, -1.0, -2.0, 0x7F800000]> : tensor<7xf32>
  check.expect_eq %ceil, %c : tensor<7xf32>
  return
}

func.func @arithmetic() {
  %a = heddle.constant dense<[1.0, -7.0, 16777216.0]> : tensor<3xf32>
  %b = heddle.constant dense<[0.0, 2.0, 1.0]> : tensor<3xf32>
  // 2^24 + 1 is no f32.
  %add = heddle.add %a, %b : tensor<3xf32>
  %sum = heddle.constant dense<[1.0, -5.0, 16777216.0]> : tensor<3xf32>
  check.expect_eq %add, %sum : tensor<3xf32>
  %sub = heddle.sub %a, %b : tensor<3xf32>
  %difference = heddle.constant dense<[1.0, -9.0, 16777215.0]> : tensor<3xf32>
  check.expect_eq %sub, %difference : tensor<3xf32>
  %mul = heddle.mul %a, %b : tensor<3xf32>
  %product = heddle.constant dense<[0.0, -14.0, 16777216.0]> : tensor<3xf32>
  check.expect_eq %mul, %product : tensor<3xf32>
  %div = heddle.div %a, %b : tensor<3xf32>
  %quotient = heddle.constant dense<[0x7F800000, -3.5, 16777216.0]> : tensor<3xf32>
  check.expect_eq %div, %quotient : tensor<3xf32>
  return
}

func.func @remainder_as_python() {
  %a = heddle.constant dense<[7.0, -7.0, 7.0, -7.0, 1.0, 6.0]> : tensor<6xf64>
  %b = heddle.constant dense<[3.0, 3.0, -3.0, -3.0, 0.0, 3.0]> : tensor<6xf64>
  %y = heddle.rem %a, %b : tensor<6xf64>
  %expected = heddle.constant dense<[1.0, 2.0, -2.0, -1.0, 0x7FF8000000000000, 0.0]> : tensor<6xf64>
  check.expect_eq %y, %expected : tensor<6xf64>
  return
}

func.func @power_as_c() {
  %a = heddle.constant dense<[2.0, -2.0, -8.0, 0.0, 0.0, 0x7FF8000000000000]> : tensor<6xf64>
  %b = heddle.constant dense<[10.0, 3.0, 0.5, 0.0, -1.0, 0.0]> : tensor<6xf64>
  %y = heddle.pow %a, %b : tensor<6xf64>
  %expected = heddle.constant dense<[1024.0, -8.0, 0x7FF8000000000000, 1.0, 0x7FF0000000000000, 1.0]> : tensor<6xf64>
  check.expect_eq %y, %expected : tensor<6xf64>
  return
}

func.func @larger_and_smaller() {
  %a = heddle.constant dense<[1.0, 5.0, 0x7FC00000, 2.0]> : tensor<4xf32>
  %b = heddle.constant dense<[3.0, -5.0, 0.0, 0x7FC00000]> : tensor<4xf32>
  %max = heddle.max %a, %b : tensor<4xf32>
  %larger = heddle.constant dense<[3.0, 5.0, 0x7FC00000, 0x7FC00000]> : tensor<4xf32>
  check.expect_eq %max, %larger : tensor<4xf32>
  %min = heddle.min %a, %b : tensor<4xf32>
  %smaller = heddle.constant dense<[1.0, -5.0, 0x7FC00000, 0x7FC00000]> : tensor<4xf32>
  check.expect_eq %min, %smaller : tensor<4xf32>
  return
}

func.func @identities() {
  %x = heddle.constant dense<[1.5, -2.0]> : tensor<2xbf16>
  %y = heddle.stop_gradient %x : tensor<2xbf16>
  %z = heddle.fence 3 %y : tensor<2xbf16>
  check.expect_eq %z, %x : tensor<2xbf16>
  return
}

// 1/3 in each type is the nearest value of that type.
func.func @rounds_to_the_type() {
  %one16 = heddle.constant dense<1.0> : tensor<f16>
  %three16 = heddle.constant dense<3.0> : tensor<f16>
  %q16 = heddle.div %one16, %three16 : tensor<f16>
  %third16 = heddle.constant dense<0x3555> : tensor<f16>
  check.expect_eq %q16, %third16 : tensor<f16>
  %oneb = heddle.constant dense<1.0> : tensor<bf16>
  %threeb = heddle.constant dense<3.0> : tensor<bf16>
  %qb = heddle.div %oneb, %threeb : tensor<bf16>
  %thirdb = heddle.constant dense<0x3EAB> : tensor<bf16>
  check.expect_eq %qb, %thirdb : tensor<bf16>
  %one32 = heddle.constant dense<1.0> : tensor<f32>
  %three32 = heddle.constant dense<3.0> : tensor<f32>
  %q32 = heddle.div %one32, %three32 : tensor<f32>
  %third32 = heddle.constant dense<0x3EAAAAAB> : tensor<f32>
  check.expect_eq %q32, %third32 : tensor<f32>
  return
}
