// Elementwise operations, each where it is smooth.

func.func @neg(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = heddle.neg %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @abs(%x: tensor<5xf64> {test.range = [0.1, 2.0]}, %z: tensor<5xf64> {test.range = [-2.0, -0.1]}) -> (tensor<5xf64>, tensor<5xf64>) {
  %y = heddle.abs %x : tensor<5xf64>
  %w = heddle.abs %z : tensor<5xf64>
  return %y, %w : tensor<5xf64>, tensor<5xf64>
}
func.func @exp(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = heddle.exp %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @expm1(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = heddle.expm1 %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @log(%x: tensor<3x5xf64> {test.range = [0.5, 2.0]}) -> tensor<3x5xf64> {
  %y = heddle.log %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @log1p(%x: tensor<3x5xf64> {test.range = [-0.5, 2.0]}) -> tensor<3x5xf64> {
  %y = heddle.log1p %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @sqrt(%x: tensor<3x5xf64> {test.range = [0.5, 2.0]}) -> tensor<3x5xf64> {
  %y = heddle.sqrt %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @rsqrt(%x: tensor<3x5xf64> {test.range = [0.5, 2.0]}) -> tensor<3x5xf64> {
  %y = heddle.rsqrt %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @sin_cos(%x: tensor<3x5xf64>) -> (tensor<3x5xf64>, tensor<3x5xf64>) {
  %y = heddle.sin %x : tensor<3x5xf64>
  %z = heddle.cos %x : tensor<3x5xf64>
  return %y, %z : tensor<3x5xf64>, tensor<3x5xf64>
}
func.func @tanh(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = heddle.tanh %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @erf(%x: tensor<3x5xf64>) -> tensor<3x5xf64> {
  %y = heddle.erf %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
func.func @sigmoid(%x: tensor<3x5xf64> {test.range = [-3.0, 3.0]}) -> tensor<3x5xf64> {
  %y = heddle.sigmoid %x : tensor<3x5xf64>
  return %y : tensor<3x5xf64>
}
// Steps have no derivative; what they multiply does.
func.func @steps(%x: tensor<4xf64> {test.range = [0.1, 0.4]}) -> tensor<4xf64> {
  %a = heddle.sign %x : tensor<4xf64>
  %b = heddle.floor %x : tensor<4xf64>
  %c = heddle.ceil %x : tensor<4xf64>
  %d = heddle.round %x : tensor<4xf64>
  %ab = heddle.add %a, %b : tensor<4xf64>
  %cd = heddle.add %c, %d : tensor<4xf64>
  %abcd = heddle.add %ab, %cd : tensor<4xf64>
  %y = heddle.mul %abcd, %x : tensor<4xf64>
  return %y : tensor<4xf64>
}
func.func @add_sub(%a: tensor<4xf64>, %b: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %x = heddle.add %a, %b : tensor<4xf64>
  %y = heddle.sub %a, %b : tensor<4xf64>
  return %x, %y : tensor<4xf64>, tensor<4xf64>
}
func.func @mul(%a: tensor<4xf64>, %b: tensor<4xf64>) -> tensor<4xf64> {
  %x = heddle.mul %a, %b : tensor<4xf64>
  return %x : tensor<4xf64>
}
func.func @square(%a: tensor<4xf64>) -> tensor<4xf64> {
  %x = heddle.mul %a, %a : tensor<4xf64>
  return %x : tensor<4xf64>
}
func.func @div(%a: tensor<4xf64>, %b: tensor<4xf64> {test.range = [0.5, 2.0]}) -> tensor<4xf64> {
  %x = heddle.div %a, %b : tensor<4xf64>
  return %x : tensor<4xf64>
}
func.func @rem(%a: tensor<4xf64> {test.range = [5.2, 5.8]}, %b: tensor<4xf64> {test.range = [0.96, 1.03]}) -> tensor<4xf64> {
  %x = heddle.rem %a, %b : tensor<4xf64>
  return %x : tensor<4xf64>
}
func.func @pow(%a: tensor<4xf64> {test.range = [0.5, 2.0]}, %b: tensor<4xf64> {test.range = [-2.0, 3.0]}) -> tensor<4xf64> {
  %x = heddle.pow %a, %b : tensor<4xf64>
  return %x : tensor<4xf64>
}
// A constant exponent takes no logarithm, so that the base may be negative.
func.func @cube(%a: tensor<4xf64>) -> tensor<4xf64> {
  %three = heddle.constant dense<3.0> : tensor<4xf64>
  %x = heddle.pow %a, %three : tensor<4xf64>
  return %x : tensor<4xf64>
}
func.func @pow_two(%a: tensor<4xf64>) -> tensor<4xf64> {
  %two = heddle.constant dense<2.0> : tensor<4xf64>
  %x = heddle.pow %a, %two : tensor<4xf64>
  return %x : tensor<4xf64>
}
func.func @max_min(%a: tensor<9xf64>, %b: tensor<9xf64>) -> (tensor<9xf64>, tensor<9xf64>) {
  %x = heddle.max %a, %b : tensor<9xf64>
  %y = heddle.min %a, %b : tensor<9xf64>
  return %x, %y : tensor<9xf64>, tensor<9xf64>
}
func.func @select(%c: tensor<9xi1>, %a: tensor<9xf64>, %b: tensor<9xf64>) -> tensor<9xf64> {
  %x = heddle.select %c, %a, %b : tensor<9xi1>, tensor<9xf64>
  return %x : tensor<9xf64>
}
func.func @cast(%a: tensor<4xf32>) -> tensor<4xbf16> {
  %x = heddle.cast %a : tensor<4xf32> -> tensor<4xf64>
  %y = heddle.mul %x, %x : tensor<4xf64>
  %z = heddle.cast %y : tensor<4xf64> -> tensor<4xbf16>
  return %z : tensor<4xbf16>
}
func.func @fence(%a: tensor<4xf64>) -> tensor<4xf64> {
  %x = heddle.fence 7 %a : tensor<4xf64>
  %y = heddle.exp %x : tensor<4xf64>
  return %y : tensor<4xf64>
}
