func.func @batched(%a: tensor<2x3x4xf64>, %b: tensor<2x4x5xf64>) -> tensor<5x2x3xf64> {
  %y = heddle.einsum "bmk,bkn->nbm" %a, %b : (tensor<2x3x4xf64>, tensor<2x4x5xf64>) -> tensor<5x2x3xf64>
  return %y : tensor<5x2x3xf64>
}
// Axes that one operand alone has and that are summed over.
func.func @lonely(%a: tensor<2x3xf64>, %b: tensor<4x2x5xf64>) -> tensor<5xf64> {
  %y = heddle.einsum "ab,cad->d" %a, %b : (tensor<2x3xf64>, tensor<4x2x5xf64>) -> tensor<5xf64>
  return %y : tensor<5xf64>
}
func.func @outer(%a: tensor<3xf64>, %b: tensor<4xf64>) -> tensor<3x4xf64> {
  %y = heddle.einsum "a,b->ab" %a, %b : (tensor<3xf64>, tensor<4xf64>) -> tensor<3x4xf64>
  return %y : tensor<3x4xf64>
}
func.func @same(%a: tensor<3x3xf64>) -> tensor<3x3xf64> {
  %y = heddle.einsum "ab,bc->ca" %a, %a : (tensor<3x3xf64>, tensor<3x3xf64>) -> tensor<3x3xf64>
  return %y : tensor<3x3xf64>
}
