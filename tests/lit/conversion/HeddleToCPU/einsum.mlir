// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
// CHECK: agree

func.func @einsum_0_f32(%x: tensor<7x6xf32>, %y: tensor<6x5xf32>) -> tensor<7x5xf32> {
  %z = heddle.einsum "mk,kn->mn" %x, %y : (tensor<7x6xf32>, tensor<6x5xf32>) -> tensor<7x5xf32>
  return %z : tensor<7x5xf32>
}
func.func @einsum_0_bf16(%x: tensor<7x6xbf16>, %y: tensor<6x5xbf16>) -> tensor<7x5xbf16> {
  %z = heddle.einsum "mk,kn->mn" %x, %y : (tensor<7x6xbf16>, tensor<6x5xbf16>) -> tensor<7x5xbf16>
  return %z : tensor<7x5xbf16>
}
func.func @einsum_0_i32(%x: tensor<7x6xi32>, %y: tensor<6x5xi32>) -> tensor<7x5xi32> {
  %z = heddle.einsum "mk,kn->mn" %x, %y : (tensor<7x6xi32>, tensor<6x5xi32>) -> tensor<7x5xi32>
  return %z : tensor<7x5xi32>
}
func.func @einsum_0_f64(%x: tensor<7x6xf64>, %y: tensor<6x5xf64>) -> tensor<7x5xf64> {
  %z = heddle.einsum "mk,kn->mn" %x, %y : (tensor<7x6xf64>, tensor<6x5xf64>) -> tensor<7x5xf64>
  return %z : tensor<7x5xf64>
}
func.func @einsum_1_f32(%x: tensor<6x7xf32>, %y: tensor<6x5xf32>) -> tensor<7x5xf32> {
  %z = heddle.einsum "km,kn->mn" %x, %y : (tensor<6x7xf32>, tensor<6x5xf32>) -> tensor<7x5xf32>
  return %z : tensor<7x5xf32>
}
func.func @einsum_2_f32(%x: tensor<7x6xf32>, %y: tensor<5x6xf32>) -> tensor<7x5xf32> {
  %z = heddle.einsum "mk,nk->mn" %x, %y : (tensor<7x6xf32>, tensor<5x6xf32>) -> tensor<7x5xf32>
  return %z : tensor<7x5xf32>
}
func.func @einsum_3_f32(%x: tensor<6x7xf32>, %y: tensor<5x6xf32>) -> tensor<5x7xf32> {
  %z = heddle.einsum "km,nk->nm" %x, %y : (tensor<6x7xf32>, tensor<5x6xf32>) -> tensor<5x7xf32>
  return %z : tensor<5x7xf32>
}
func.func @einsum_3_bf16(%x: tensor<6x7xbf16>, %y: tensor<5x6xbf16>) -> tensor<5x7xbf16> {
  %z = heddle.einsum "km,nk->nm" %x, %y : (tensor<6x7xbf16>, tensor<5x6xbf16>) -> tensor<5x7xbf16>
  return %z : tensor<5x7xbf16>
}
func.func @einsum_3_i32(%x: tensor<6x7xi32>, %y: tensor<5x6xi32>) -> tensor<5x7xi32> {
  %z = heddle.einsum "km,nk->nm" %x, %y : (tensor<6x7xi32>, tensor<5x6xi32>) -> tensor<5x7xi32>
  return %z : tensor<5x7xi32>
}
func.func @einsum_3_f64(%x: tensor<6x7xf64>, %y: tensor<5x6xf64>) -> tensor<5x7xf64> {
  %z = heddle.einsum "km,nk->nm" %x, %y : (tensor<6x7xf64>, tensor<5x6xf64>) -> tensor<5x7xf64>
  return %z : tensor<5x7xf64>
}
func.func @einsum_4_f32(%x: tensor<2x7x6xf32>, %y: tensor<2x6x5xf32>) -> tensor<2x7x5xf32> {
  %z = heddle.einsum "bmk,bkn->bmn" %x, %y : (tensor<2x7x6xf32>, tensor<2x6x5xf32>) -> tensor<2x7x5xf32>
  return %z : tensor<2x7x5xf32>
}
func.func @einsum_5_f32(%x: tensor<2x5x8xf32>, %y: tensor<8x4x3xf32>) -> tensor<2x4x5x3xf32> {
  %z = heddle.einsum "bnd,dhe->bhne" %x, %y : (tensor<2x5x8xf32>, tensor<8x4x3xf32>) -> tensor<2x4x5x3xf32>
  return %z : tensor<2x4x5x3xf32>
}
func.func @einsum_6_f32(%x: tensor<2x4x5x3xf32>, %y: tensor<8x4x3xf32>) -> tensor<2x5x8xf32> {
  %z = heddle.einsum "bhne,dhe->bnd" %x, %y : (tensor<2x4x5x3xf32>, tensor<8x4x3xf32>) -> tensor<2x5x8xf32>
  return %z : tensor<2x5x8xf32>
}
func.func @einsum_6_bf16(%x: tensor<2x4x5x3xbf16>, %y: tensor<8x4x3xbf16>) -> tensor<2x5x8xbf16> {
  %z = heddle.einsum "bhne,dhe->bnd" %x, %y : (tensor<2x4x5x3xbf16>, tensor<8x4x3xbf16>) -> tensor<2x5x8xbf16>
  return %z : tensor<2x5x8xbf16>
}
func.func @einsum_6_i32(%x: tensor<2x4x5x3xi32>, %y: tensor<8x4x3xi32>) -> tensor<2x5x8xi32> {
  %z = heddle.einsum "bhne,dhe->bnd" %x, %y : (tensor<2x4x5x3xi32>, tensor<8x4x3xi32>) -> tensor<2x5x8xi32>
  return %z : tensor<2x5x8xi32>
}
func.func @einsum_6_f64(%x: tensor<2x4x5x3xf64>, %y: tensor<8x4x3xf64>) -> tensor<2x5x8xf64> {
  %z = heddle.einsum "bhne,dhe->bnd" %x, %y : (tensor<2x4x5x3xf64>, tensor<8x4x3xf64>) -> tensor<2x5x8xf64>
  return %z : tensor<2x5x8xf64>
}
func.func @einsum_7_f32(%x: tensor<2x5x8xf32>, %y: tensor<2x4x5x3xf32>) -> tensor<8x4x3xf32> {
  %z = heddle.einsum "bnd,bhne->dhe" %x, %y : (tensor<2x5x8xf32>, tensor<2x4x5x3xf32>) -> tensor<8x4x3xf32>
  return %z : tensor<8x4x3xf32>
}
func.func @einsum_8_f32(%x: tensor<3x2xf32>, %y: tensor<3x2xf32>) -> tensor<f32> {
  %z = heddle.einsum "ab,ab->" %x, %y : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<f32>
  return %z : tensor<f32>
}
func.func @einsum_9_f32(%x: tensor<3xf32>, %y: tensor<2xf32>) -> tensor<3x2xf32> {
  %z = heddle.einsum "a,b->ab" %x, %y : (tensor<3xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  return %z : tensor<3x2xf32>
}
func.func @einsum_9_bf16(%x: tensor<3xbf16>, %y: tensor<2xbf16>) -> tensor<3x2xbf16> {
  %z = heddle.einsum "a,b->ab" %x, %y : (tensor<3xbf16>, tensor<2xbf16>) -> tensor<3x2xbf16>
  return %z : tensor<3x2xbf16>
}
func.func @einsum_9_i32(%x: tensor<3xi32>, %y: tensor<2xi32>) -> tensor<3x2xi32> {
  %z = heddle.einsum "a,b->ab" %x, %y : (tensor<3xi32>, tensor<2xi32>) -> tensor<3x2xi32>
  return %z : tensor<3x2xi32>
}
func.func @einsum_9_f64(%x: tensor<3xf64>, %y: tensor<2xf64>) -> tensor<3x2xf64> {
  %z = heddle.einsum "a,b->ab" %x, %y : (tensor<3xf64>, tensor<2xf64>) -> tensor<3x2xf64>
  return %z : tensor<3x2xf64>
}
func.func @einsum_10_f32(%x: tensor<3x2xf32>, %y: tensor<2xf32>) -> tensor<3xf32> {
  %z = heddle.einsum "ab,b->a" %x, %y : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3xf32>
  return %z : tensor<3xf32>
}
func.func @einsum_11_f32(%x: tensor<3x2xf32>, %y: tensor<3x2xf32>) -> tensor<3xf32> {
  %z = heddle.einsum "ab,ab->a" %x, %y : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3xf32>
  return %z : tensor<3xf32>
}
func.func @einsum_12_f32(%x: tensor<3x2xf32>, %y: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %z = heddle.einsum "ab,ab->ab" %x, %y : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return %z : tensor<3x2xf32>
}
func.func @einsum_12_bf16(%x: tensor<3x2xbf16>, %y: tensor<3x2xbf16>) -> tensor<3x2xbf16> {
  %z = heddle.einsum "ab,ab->ab" %x, %y : (tensor<3x2xbf16>, tensor<3x2xbf16>) -> tensor<3x2xbf16>
  return %z : tensor<3x2xbf16>
}
func.func @einsum_12_i32(%x: tensor<3x2xi32>, %y: tensor<3x2xi32>) -> tensor<3x2xi32> {
  %z = heddle.einsum "ab,ab->ab" %x, %y : (tensor<3x2xi32>, tensor<3x2xi32>) -> tensor<3x2xi32>
  return %z : tensor<3x2xi32>
}
func.func @einsum_12_f64(%x: tensor<3x2xf64>, %y: tensor<3x2xf64>) -> tensor<3x2xf64> {
  %z = heddle.einsum "ab,ab->ab" %x, %y : (tensor<3x2xf64>, tensor<3x2xf64>) -> tensor<3x2xf64>
  return %z : tensor<3x2xf64>
}
func.func @einsum_13_f32(%x: tensor<3x2x5xf32>, %y: tensor<5x8xf32>) -> tensor<8x2xf32> {
  %z = heddle.einsum "abn,nd->db" %x, %y : (tensor<3x2x5xf32>, tensor<5x8xf32>) -> tensor<8x2xf32>
  return %z : tensor<8x2xf32>
}
func.func @einsum_14_f32(%x: tensor<2x4x5x3xf32>, %y: tensor<2x4x7x3xf32>) -> tensor<2x4x5x7xf32> {
  %z = heddle.einsum "bhne,bhme->bhnm" %x, %y : (tensor<2x4x5x3xf32>, tensor<2x4x7x3xf32>) -> tensor<2x4x5x7xf32>
  return %z : tensor<2x4x5x7xf32>
}
func.func @einsum_15_f32(%x: tensor<3x2xf32>, %y: tensor<5xf32>) -> tensor<2xf32> {
  %z = heddle.einsum "ab,n->b" %x, %y : (tensor<3x2xf32>, tensor<5xf32>) -> tensor<2xf32>
  return %z : tensor<2xf32>
}
func.func @einsum_15_bf16(%x: tensor<3x2xbf16>, %y: tensor<5xbf16>) -> tensor<2xbf16> {
  %z = heddle.einsum "ab,n->b" %x, %y : (tensor<3x2xbf16>, tensor<5xbf16>) -> tensor<2xbf16>
  return %z : tensor<2xbf16>
}
func.func @einsum_15_i32(%x: tensor<3x2xi32>, %y: tensor<5xi32>) -> tensor<2xi32> {
  %z = heddle.einsum "ab,n->b" %x, %y : (tensor<3x2xi32>, tensor<5xi32>) -> tensor<2xi32>
  return %z : tensor<2xi32>
}
func.func @einsum_15_f64(%x: tensor<3x2xf64>, %y: tensor<5xf64>) -> tensor<2xf64> {
  %z = heddle.einsum "ab,n->b" %x, %y : (tensor<3x2xf64>, tensor<5xf64>) -> tensor<2xf64>
  return %z : tensor<2xf64>
}
func.func @einsum_16_f32(%x: tensor<2x4x5x7xf32>, %y: tensor<2x4x7x3xf32>) -> tensor<2x5x4x3xf32> {
  %z = heddle.einsum "bhnm,bhme->bnhe" %x, %y : (tensor<2x4x5x7xf32>, tensor<2x4x7x3xf32>) -> tensor<2x5x4x3xf32>
  return %z : tensor<2x5x4x3xf32>
}
func.func @einsum_17_f32(%x: tensor<7x6xf32>, %y: tensor<6xf32>) -> tensor<7xf32> {
  %z = heddle.einsum "mk,k->m" %x, %y : (tensor<7x6xf32>, tensor<6xf32>) -> tensor<7xf32>
  return %z : tensor<7xf32>
}
func.func @einsum_18_f32(%x: tensor<3xf32>, %y: tensor<f32>) -> tensor<3xf32> {
  %z = heddle.einsum "a,->a" %x, %y : (tensor<3xf32>, tensor<f32>) -> tensor<3xf32>
  return %z : tensor<3xf32>
}
func.func @einsum_18_bf16(%x: tensor<3xbf16>, %y: tensor<bf16>) -> tensor<3xbf16> {
  %z = heddle.einsum "a,->a" %x, %y : (tensor<3xbf16>, tensor<bf16>) -> tensor<3xbf16>
  return %z : tensor<3xbf16>
}
func.func @einsum_18_i32(%x: tensor<3xi32>, %y: tensor<i32>) -> tensor<3xi32> {
  %z = heddle.einsum "a,->a" %x, %y : (tensor<3xi32>, tensor<i32>) -> tensor<3xi32>
  return %z : tensor<3xi32>
}
func.func @einsum_18_f64(%x: tensor<3xf64>, %y: tensor<f64>) -> tensor<3xf64> {
  %z = heddle.einsum "a,->a" %x, %y : (tensor<3xf64>, tensor<f64>) -> tensor<3xf64>
  return %z : tensor<3xf64>
}
func.func @einsum_19_f32(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32> {
  %z = heddle.einsum ",->" %x, %y : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %z : tensor<f32>
}
func.func @einsum_20_f32(%x: tensor<2x8xf32>, %y: tensor<5x8xf32>) -> tensor<2x5xf32> {
  %z = heddle.einsum "bd,nd->bn" %x, %y : (tensor<2x8xf32>, tensor<5x8xf32>) -> tensor<2x5xf32>
  return %z : tensor<2x5xf32>
}
