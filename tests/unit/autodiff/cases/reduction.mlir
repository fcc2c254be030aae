func.func @sum(%x: tensor<2x3x4xf64>) -> tensor<3xf64> {
  %e = heddle.exp %x : tensor<2x3x4xf64>
  %y = heddle.reduce sum %e axes [0, 2] : tensor<2x3x4xf64> -> tensor<3xf64>
  return %y : tensor<3xf64>
}
// An odd length, so that the tree of halves has a rest on two levels.
func.func @prod(%x: tensor<2x3x3xf64>) -> tensor<3xf64> {
  %y = heddle.reduce prod %x axes [0, 2] : tensor<2x3x3xf64> -> tensor<3xf64>
  return %y : tensor<3xf64>
}
func.func @prod_seven(%x: tensor<7xf64>) -> tensor<f64> {
  %y = heddle.reduce prod %x axes [0] : tensor<7xf64> -> tensor<f64>
  return %y : tensor<f64>
}
// Zeros: a quotient by the element would not be defined.
func.func @prod_zero(%x: tensor<2x5xf64>) -> tensor<2xf64> {
  %m = heddle.constant dense<[[1.0, 0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0, 1.0]]> : tensor<2x5xf64>
  %z = heddle.mul %x, %m : tensor<2x5xf64>
  %y = heddle.reduce prod %z axes [1] : tensor<2x5xf64> -> tensor<2xf64>
  return %y : tensor<2xf64>
}
func.func @max_min(%x: tensor<3x7xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
  %e = heddle.exp %x : tensor<3x7xf64>
  %y = heddle.reduce max %e axes [1] : tensor<3x7xf64> -> tensor<3xf64>
  %z = heddle.reduce min %e axes [1] : tensor<3x7xf64> -> tensor<3xf64>
  return %y, %z : tensor<3xf64>, tensor<3xf64>
}
// What has no derivative stands beside what has one.
func.func @arguments(%x: tensor<3x7xf64>) -> (tensor<3xi32>, tensor<3x7xf64>) {
  %i = heddle.arg_reduce argmax %x axis 1 : tensor<3x7xf64> -> tensor<3xi32>
  %f = heddle.cast %i : tensor<3xi32> -> tensor<3xf64>
  %b = heddle.broadcast %f axes [0] : tensor<3xf64> -> tensor<3x7xf64>
  %y = heddle.mul %b, %x : tensor<3x7xf64>
  return %i, %y : tensor<3xi32>, tensor<3x7xf64>
}
