func.func @gather(%t: tensor<3x5x2xf64>, %i: tensor<2x4xi32> {test.range = [0.0, 5.0]}) -> tensor<3x2x4x2xf64> {
  %y = heddle.gather %t[%i] axis 1 : tensor<3x5x2xf64>, tensor<2x4xi32> -> tensor<3x2x4x2xf64>
  %z = heddle.exp %y : tensor<3x2x4x2xf64>
  return %z : tensor<3x2x4x2xf64>
}
func.func @scatter_add(%t: tensor<5x2xf64>, %i: tensor<7xi32> {test.range = [0.0, 5.0]}, %u: tensor<7x2xf64>) -> tensor<5x2xf64> {
  %y = heddle.scatter_add %t[%i], %u axis 0 : tensor<5x2xf64>, tensor<7xi32>, tensor<7x2xf64>
  %z = heddle.exp %y : tensor<5x2xf64>
  return %z : tensor<5x2xf64>
}
func.func @take_along(%t: tensor<3x5xf64>, %i: tensor<3x7xi32> {test.range = [0.0, 5.0]}) -> tensor<3x7xf64> {
  %y = heddle.take_along %t[%i] axis 1 : tensor<3x5xf64>, tensor<3x7xi32> -> tensor<3x7xf64>
  %z = heddle.exp %y : tensor<3x7xf64>
  return %z : tensor<3x7xf64>
}
func.func @put_along(%t: tensor<3x5xf64>, %i: tensor<3x7xi32> {test.range = [0.0, 5.0]}, %u: tensor<3x7xf64>) -> tensor<3x5xf64> {
  %y = heddle.put_along %t[%i], %u axis 1 : tensor<3x5xf64>, tensor<3x7xi32>, tensor<3x7xf64>
  %z = heddle.exp %y : tensor<3x5xf64>
  return %z : tensor<3x5xf64>
}
func.func @top_k(%x: tensor<3x9xf64>) -> tensor<3x4xf64> {
  %i = heddle.argsort %x axis 1 descending limit 4 : tensor<3x9xf64> -> tensor<3x4xi32>
  %y = heddle.take_along %x[%i] axis 1 : tensor<3x9xf64>, tensor<3x4xi32> -> tensor<3x4xf64>
  %z = heddle.exp %y : tensor<3x4xf64>
  return %z : tensor<3x4xf64>
}
func.func @sort(%x: tensor<3x9xf64>) -> tensor<3x9xf64> {
  %i = heddle.argsort %x axis 1 descending : tensor<3x9xf64> -> tensor<3x9xi32>
  %y = heddle.take_along %x[%i] axis 1 : tensor<3x9xf64>, tensor<3x9xi32> -> tensor<3x9xf64>
  %z = heddle.exp %y : tensor<3x9xf64>
  return %z : tensor<3x9xf64>
}
