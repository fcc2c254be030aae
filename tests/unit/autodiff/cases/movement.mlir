// Operations that move elements. Each is followed by an exponential, so that second derivatives are not zero.

func.func @broadcast(%x: tensor<3xf64>) -> tensor<2x3x4xf64> {
  %y = heddle.broadcast %x axes [1] : tensor<3xf64> -> tensor<2x3x4xf64>
  %z = heddle.exp %y : tensor<2x3x4xf64>
  return %z : tensor<2x3x4xf64>
}
func.func @reshape(%x: tensor<3x4xf64>) -> tensor<2x6xf64> {
  %y = heddle.reshape %x : tensor<3x4xf64> -> tensor<2x6xf64>
  %z = heddle.exp %y : tensor<2x6xf64>
  return %z : tensor<2x6xf64>
}
func.func @transpose(%x: tensor<2x3x4xf64>) -> tensor<4x2x3xf64> {
  %y = heddle.transpose %x permutation [2, 0, 1] : tensor<2x3x4xf64> -> tensor<4x2x3xf64>
  %z = heddle.exp %y : tensor<4x2x3xf64>
  return %z : tensor<4x2x3xf64>
}
func.func @reverse(%x: tensor<3x4xf64>) -> tensor<3x4xf64> {
  %y = heddle.reverse %x axes [1] : tensor<3x4xf64>
  %z = heddle.exp %y : tensor<3x4xf64>
  return %z : tensor<3x4xf64>
}
func.func @slice(%x: tensor<5x8xf64>) -> tensor<2x3xf64> {
  %y = heddle.slice %x starts [1, 1] sizes [2, 3] strides [3, 2] : tensor<5x8xf64> -> tensor<2x3xf64>
  %z = heddle.exp %y : tensor<2x3xf64>
  return %z : tensor<2x3xf64>
}
func.func @slice_one(%x: tensor<5xf64>) -> tensor<1xf64> {
  %y = heddle.slice %x starts [1] sizes [1] strides [7] : tensor<5xf64> -> tensor<1xf64>
  %z = heddle.exp %y : tensor<1xf64>
  return %z : tensor<1xf64>
}
func.func @slice_none(%x: tensor<5xf64>) -> (tensor<0xf64>, tensor<5xf64>) {
  %y = heddle.slice %x starts [1] sizes [0] strides [1] : tensor<5xf64> -> tensor<0xf64>
  %z = heddle.exp %x : tensor<5xf64>
  return %y, %z : tensor<0xf64>, tensor<5xf64>
}
func.func @pad(%x: tensor<2x3xf64>, %v: tensor<f64>) -> tensor<4x8xf64> {
  %y = heddle.pad %x, %v low [1, 2] high [1, 1] interior [0, 1] : tensor<2x3xf64>, tensor<f64> -> tensor<4x8xf64>
  %z = heddle.exp %y : tensor<4x8xf64>
  return %z : tensor<4x8xf64>
}
func.func @concat(%a: tensor<2x3xf64>, %b: tensor<2x1xf64>, %c: tensor<2x2xf64>) -> tensor<2x9xf64> {
  %y = heddle.concat %a, %b, %c, %a axis 1 : (tensor<2x3xf64>, tensor<2x1xf64>, tensor<2x2xf64>, tensor<2x3xf64>) -> tensor<2x9xf64>
  %z = heddle.exp %y : tensor<2x9xf64>
  return %z : tensor<2x9xf64>
}
func.func @dynamic_slice(%x: tensor<3x6xf64>, %i: tensor<i32> {test.range = [0.0, 4.0]}) -> tensor<3x2xf64> {
  %y = heddle.dynamic_slice %x[%i] axis 1 size 2 : tensor<3x6xf64>, tensor<i32> -> tensor<3x2xf64>
  %z = heddle.exp %y : tensor<3x2xf64>
  return %z : tensor<3x2xf64>
}
func.func @dynamic_update_slice(%x: tensor<3x6xf64>, %u: tensor<3x2xf64>, %i: tensor<i32> {test.range = [0.0, 4.0]}) -> tensor<3x6xf64> {
  %y = heddle.dynamic_update_slice %x, %u[%i] axis 1 : tensor<3x6xf64>, tensor<3x2xf64>, tensor<i32>
  %z = heddle.exp %y : tensor<3x6xf64>
  return %z : tensor<3x6xf64>
}
func.func @cumsum(%x: tensor<3x4xf64>) -> (tensor<3x4xf64>, tensor<3x4xf64>) {
  %y = heddle.cumsum %x axis 1 : tensor<3x4xf64>
  %z = heddle.exp %y : tensor<3x4xf64>
  %v = heddle.cumsum %x axis 0 reverse : tensor<3x4xf64>
  %w = heddle.exp %v : tensor<3x4xf64>
  return %z, %w : tensor<3x4xf64>, tensor<3x4xf64>
}
// Parts that meet and parts that do not, joined in either order.
func.func @parts(%x: tensor<3x7xf64>) -> (tensor<3x7xf64>, tensor<3x4xf64>) {
  %a = heddle.slice %x starts [0, 0] sizes [3, 4] strides [1, 1] : tensor<3x7xf64> -> tensor<3x4xf64>
  %b = heddle.slice %x starts [0, 4] sizes [3, 3] strides [1, 1] : tensor<3x7xf64> -> tensor<3x3xf64>
  %s = heddle.sin %b : tensor<3x3xf64>
  %y = heddle.concat %s, %a axis 1 : (tensor<3x3xf64>, tensor<3x4xf64>) -> tensor<3x7xf64>
  %z = heddle.exp %y : tensor<3x7xf64>
  %c = heddle.slice %x starts [0, 3] sizes [3, 4] strides [1, 1] : tensor<3x7xf64> -> tensor<3x4xf64>
  %m = heddle.mul %a, %c : tensor<3x4xf64>
  return %z, %m : tensor<3x7xf64>, tensor<3x4xf64>
}
