// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
// CHECK: agree

func.func @sum_f32_0(%x: tensor<33xf32> ) -> tensor<f32> {
  %y = heddle.reduce sum %x axes [0] : tensor<33xf32> -> tensor<f32>
  return %y : tensor<f32>
}
func.func @sum_f32_1(%x: tensor<7x19xf32> ) -> tensor<7xf32> {
  %y = heddle.reduce sum %x axes [1] : tensor<7x19xf32> -> tensor<7xf32>
  return %y : tensor<7xf32>
}
func.func @sum_f32_2(%x: tensor<7x19xf32> ) -> tensor<19xf32> {
  %y = heddle.reduce sum %x axes [0] : tensor<7x19xf32> -> tensor<19xf32>
  return %y : tensor<19xf32>
}
func.func @sum_f32_3(%x: tensor<3x5x11xf32> ) -> tensor<5xf32> {
  %y = heddle.reduce sum %x axes [0, 2] : tensor<3x5x11xf32> -> tensor<5xf32>
  return %y : tensor<5xf32>
}
func.func @sum_f32_4(%x: tensor<3x5x11xf32> ) -> tensor<3x11xf32> {
  %y = heddle.reduce sum %x axes [1] : tensor<3x5x11xf32> -> tensor<3x11xf32>
  return %y : tensor<3x11xf32>
}
func.func @sum_f32_5(%x: tensor<3x5x11xf32> ) -> tensor<11xf32> {
  %y = heddle.reduce sum %x axes [0, 1] : tensor<3x5x11xf32> -> tensor<11xf32>
  return %y : tensor<11xf32>
}
func.func @sum_f32_6(%x: tensor<2x3x4x5xf32> ) -> tensor<2x4xf32> {
  %y = heddle.reduce sum %x axes [1, 3] : tensor<2x3x4x5xf32> -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
func.func @prod_f32_7(%x: tensor<33xf32> {heddle.range = [0.5, 1.5]}) -> tensor<f32> {
  %y = heddle.reduce prod %x axes [0] : tensor<33xf32> -> tensor<f32>
  return %y : tensor<f32>
}
func.func @prod_f32_8(%x: tensor<7x19xf32> {heddle.range = [0.5, 1.5]}) -> tensor<7xf32> {
  %y = heddle.reduce prod %x axes [1] : tensor<7x19xf32> -> tensor<7xf32>
  return %y : tensor<7xf32>
}
func.func @prod_f32_9(%x: tensor<7x19xf32> {heddle.range = [0.5, 1.5]}) -> tensor<19xf32> {
  %y = heddle.reduce prod %x axes [0] : tensor<7x19xf32> -> tensor<19xf32>
  return %y : tensor<19xf32>
}
func.func @max_f32_10(%x: tensor<33xf32> ) -> tensor<f32> {
  %y = heddle.reduce max %x axes [0] : tensor<33xf32> -> tensor<f32>
  return %y : tensor<f32>
}
func.func @max_f32_11(%x: tensor<7x19xf32> ) -> tensor<7xf32> {
  %y = heddle.reduce max %x axes [1] : tensor<7x19xf32> -> tensor<7xf32>
  return %y : tensor<7xf32>
}
func.func @max_f32_12(%x: tensor<7x19xf32> ) -> tensor<19xf32> {
  %y = heddle.reduce max %x axes [0] : tensor<7x19xf32> -> tensor<19xf32>
  return %y : tensor<19xf32>
}
func.func @max_f32_13(%x: tensor<3x5x11xf32> ) -> tensor<5xf32> {
  %y = heddle.reduce max %x axes [0, 2] : tensor<3x5x11xf32> -> tensor<5xf32>
  return %y : tensor<5xf32>
}
func.func @max_f32_14(%x: tensor<3x5x11xf32> ) -> tensor<3x11xf32> {
  %y = heddle.reduce max %x axes [1] : tensor<3x5x11xf32> -> tensor<3x11xf32>
  return %y : tensor<3x11xf32>
}
func.func @max_f32_15(%x: tensor<3x5x11xf32> ) -> tensor<11xf32> {
  %y = heddle.reduce max %x axes [0, 1] : tensor<3x5x11xf32> -> tensor<11xf32>
  return %y : tensor<11xf32>
}
func.func @max_f32_16(%x: tensor<2x3x4x5xf32> ) -> tensor<2x4xf32> {
  %y = heddle.reduce max %x axes [1, 3] : tensor<2x3x4x5xf32> -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
func.func @min_f32_17(%x: tensor<33xf32> ) -> tensor<f32> {
  %y = heddle.reduce min %x axes [0] : tensor<33xf32> -> tensor<f32>
  return %y : tensor<f32>
}
func.func @min_f32_18(%x: tensor<7x19xf32> ) -> tensor<7xf32> {
  %y = heddle.reduce min %x axes [1] : tensor<7x19xf32> -> tensor<7xf32>
  return %y : tensor<7xf32>
}
func.func @min_f32_19(%x: tensor<7x19xf32> ) -> tensor<19xf32> {
  %y = heddle.reduce min %x axes [0] : tensor<7x19xf32> -> tensor<19xf32>
  return %y : tensor<19xf32>
}
func.func @sum_f64_20(%x: tensor<33xf64> ) -> tensor<f64> {
  %y = heddle.reduce sum %x axes [0] : tensor<33xf64> -> tensor<f64>
  return %y : tensor<f64>
}
func.func @sum_f64_21(%x: tensor<7x19xf64> ) -> tensor<7xf64> {
  %y = heddle.reduce sum %x axes [1] : tensor<7x19xf64> -> tensor<7xf64>
  return %y : tensor<7xf64>
}
func.func @sum_f64_22(%x: tensor<7x19xf64> ) -> tensor<19xf64> {
  %y = heddle.reduce sum %x axes [0] : tensor<7x19xf64> -> tensor<19xf64>
  return %y : tensor<19xf64>
}
func.func @sum_f64_23(%x: tensor<3x5x11xf64> ) -> tensor<5xf64> {
  %y = heddle.reduce sum %x axes [0, 2] : tensor<3x5x11xf64> -> tensor<5xf64>
  return %y : tensor<5xf64>
}
func.func @sum_f64_24(%x: tensor<3x5x11xf64> ) -> tensor<3x11xf64> {
  %y = heddle.reduce sum %x axes [1] : tensor<3x5x11xf64> -> tensor<3x11xf64>
  return %y : tensor<3x11xf64>
}
func.func @sum_f64_25(%x: tensor<3x5x11xf64> ) -> tensor<11xf64> {
  %y = heddle.reduce sum %x axes [0, 1] : tensor<3x5x11xf64> -> tensor<11xf64>
  return %y : tensor<11xf64>
}
func.func @sum_f64_26(%x: tensor<2x3x4x5xf64> ) -> tensor<2x4xf64> {
  %y = heddle.reduce sum %x axes [1, 3] : tensor<2x3x4x5xf64> -> tensor<2x4xf64>
  return %y : tensor<2x4xf64>
}
func.func @prod_f64_27(%x: tensor<33xf64> {heddle.range = [0.5, 1.5]}) -> tensor<f64> {
  %y = heddle.reduce prod %x axes [0] : tensor<33xf64> -> tensor<f64>
  return %y : tensor<f64>
}
func.func @prod_f64_28(%x: tensor<7x19xf64> {heddle.range = [0.5, 1.5]}) -> tensor<7xf64> {
  %y = heddle.reduce prod %x axes [1] : tensor<7x19xf64> -> tensor<7xf64>
  return %y : tensor<7xf64>
}
func.func @prod_f64_29(%x: tensor<7x19xf64> {heddle.range = [0.5, 1.5]}) -> tensor<19xf64> {
  %y = heddle.reduce prod %x axes [0] : tensor<7x19xf64> -> tensor<19xf64>
  return %y : tensor<19xf64>
}
func.func @max_f64_30(%x: tensor<33xf64> ) -> tensor<f64> {
  %y = heddle.reduce max %x axes [0] : tensor<33xf64> -> tensor<f64>
  return %y : tensor<f64>
}
func.func @max_f64_31(%x: tensor<7x19xf64> ) -> tensor<7xf64> {
  %y = heddle.reduce max %x axes [1] : tensor<7x19xf64> -> tensor<7xf64>
  return %y : tensor<7xf64>
}
func.func @max_f64_32(%x: tensor<7x19xf64> ) -> tensor<19xf64> {
  %y = heddle.reduce max %x axes [0] : tensor<7x19xf64> -> tensor<19xf64>
  return %y : tensor<19xf64>
}
func.func @max_f64_33(%x: tensor<3x5x11xf64> ) -> tensor<5xf64> {
  %y = heddle.reduce max %x axes [0, 2] : tensor<3x5x11xf64> -> tensor<5xf64>
  return %y : tensor<5xf64>
}
func.func @max_f64_34(%x: tensor<3x5x11xf64> ) -> tensor<3x11xf64> {
  %y = heddle.reduce max %x axes [1] : tensor<3x5x11xf64> -> tensor<3x11xf64>
  return %y : tensor<3x11xf64>
}
func.func @max_f64_35(%x: tensor<3x5x11xf64> ) -> tensor<11xf64> {
  %y = heddle.reduce max %x axes [0, 1] : tensor<3x5x11xf64> -> tensor<11xf64>
  return %y : tensor<11xf64>
}
func.func @max_f64_36(%x: tensor<2x3x4x5xf64> ) -> tensor<2x4xf64> {
  %y = heddle.reduce max %x axes [1, 3] : tensor<2x3x4x5xf64> -> tensor<2x4xf64>
  return %y : tensor<2x4xf64>
}
func.func @min_f64_37(%x: tensor<33xf64> ) -> tensor<f64> {
  %y = heddle.reduce min %x axes [0] : tensor<33xf64> -> tensor<f64>
  return %y : tensor<f64>
}
func.func @min_f64_38(%x: tensor<7x19xf64> ) -> tensor<7xf64> {
  %y = heddle.reduce min %x axes [1] : tensor<7x19xf64> -> tensor<7xf64>
  return %y : tensor<7xf64>
}
func.func @min_f64_39(%x: tensor<7x19xf64> ) -> tensor<19xf64> {
  %y = heddle.reduce min %x axes [0] : tensor<7x19xf64> -> tensor<19xf64>
  return %y : tensor<19xf64>
}
func.func @sum_bf16_40(%x: tensor<33xbf16> ) -> tensor<bf16> {
  %y = heddle.reduce sum %x axes [0] : tensor<33xbf16> -> tensor<bf16>
  return %y : tensor<bf16>
}
func.func @sum_bf16_41(%x: tensor<7x19xbf16> ) -> tensor<7xbf16> {
  %y = heddle.reduce sum %x axes [1] : tensor<7x19xbf16> -> tensor<7xbf16>
  return %y : tensor<7xbf16>
}
func.func @sum_bf16_42(%x: tensor<7x19xbf16> ) -> tensor<19xbf16> {
  %y = heddle.reduce sum %x axes [0] : tensor<7x19xbf16> -> tensor<19xbf16>
  return %y : tensor<19xbf16>
}
func.func @sum_bf16_43(%x: tensor<3x5x11xbf16> ) -> tensor<5xbf16> {
  %y = heddle.reduce sum %x axes [0, 2] : tensor<3x5x11xbf16> -> tensor<5xbf16>
  return %y : tensor<5xbf16>
}
func.func @sum_bf16_44(%x: tensor<3x5x11xbf16> ) -> tensor<3x11xbf16> {
  %y = heddle.reduce sum %x axes [1] : tensor<3x5x11xbf16> -> tensor<3x11xbf16>
  return %y : tensor<3x11xbf16>
}
func.func @sum_bf16_45(%x: tensor<3x5x11xbf16> ) -> tensor<11xbf16> {
  %y = heddle.reduce sum %x axes [0, 1] : tensor<3x5x11xbf16> -> tensor<11xbf16>
  return %y : tensor<11xbf16>
}
func.func @sum_bf16_46(%x: tensor<2x3x4x5xbf16> ) -> tensor<2x4xbf16> {
  %y = heddle.reduce sum %x axes [1, 3] : tensor<2x3x4x5xbf16> -> tensor<2x4xbf16>
  return %y : tensor<2x4xbf16>
}
func.func @prod_bf16_47(%x: tensor<33xbf16> {heddle.range = [0.5, 1.5]}) -> tensor<bf16> {
  %y = heddle.reduce prod %x axes [0] : tensor<33xbf16> -> tensor<bf16>
  return %y : tensor<bf16>
}
func.func @prod_bf16_48(%x: tensor<7x19xbf16> {heddle.range = [0.5, 1.5]}) -> tensor<7xbf16> {
  %y = heddle.reduce prod %x axes [1] : tensor<7x19xbf16> -> tensor<7xbf16>
  return %y : tensor<7xbf16>
}
func.func @prod_bf16_49(%x: tensor<7x19xbf16> {heddle.range = [0.5, 1.5]}) -> tensor<19xbf16> {
  %y = heddle.reduce prod %x axes [0] : tensor<7x19xbf16> -> tensor<19xbf16>
  return %y : tensor<19xbf16>
}
func.func @max_bf16_50(%x: tensor<33xbf16> ) -> tensor<bf16> {
  %y = heddle.reduce max %x axes [0] : tensor<33xbf16> -> tensor<bf16>
  return %y : tensor<bf16>
}
func.func @max_bf16_51(%x: tensor<7x19xbf16> ) -> tensor<7xbf16> {
  %y = heddle.reduce max %x axes [1] : tensor<7x19xbf16> -> tensor<7xbf16>
  return %y : tensor<7xbf16>
}
func.func @max_bf16_52(%x: tensor<7x19xbf16> ) -> tensor<19xbf16> {
  %y = heddle.reduce max %x axes [0] : tensor<7x19xbf16> -> tensor<19xbf16>
  return %y : tensor<19xbf16>
}
func.func @max_bf16_53(%x: tensor<3x5x11xbf16> ) -> tensor<5xbf16> {
  %y = heddle.reduce max %x axes [0, 2] : tensor<3x5x11xbf16> -> tensor<5xbf16>
  return %y : tensor<5xbf16>
}
func.func @max_bf16_54(%x: tensor<3x5x11xbf16> ) -> tensor<3x11xbf16> {
  %y = heddle.reduce max %x axes [1] : tensor<3x5x11xbf16> -> tensor<3x11xbf16>
  return %y : tensor<3x11xbf16>
}
func.func @max_bf16_55(%x: tensor<3x5x11xbf16> ) -> tensor<11xbf16> {
  %y = heddle.reduce max %x axes [0, 1] : tensor<3x5x11xbf16> -> tensor<11xbf16>
  return %y : tensor<11xbf16>
}
func.func @max_bf16_56(%x: tensor<2x3x4x5xbf16> ) -> tensor<2x4xbf16> {
  %y = heddle.reduce max %x axes [1, 3] : tensor<2x3x4x5xbf16> -> tensor<2x4xbf16>
  return %y : tensor<2x4xbf16>
}
func.func @min_bf16_57(%x: tensor<33xbf16> ) -> tensor<bf16> {
  %y = heddle.reduce min %x axes [0] : tensor<33xbf16> -> tensor<bf16>
  return %y : tensor<bf16>
}
func.func @min_bf16_58(%x: tensor<7x19xbf16> ) -> tensor<7xbf16> {
  %y = heddle.reduce min %x axes [1] : tensor<7x19xbf16> -> tensor<7xbf16>
  return %y : tensor<7xbf16>
}
func.func @min_bf16_59(%x: tensor<7x19xbf16> ) -> tensor<19xbf16> {
  %y = heddle.reduce min %x axes [0] : tensor<7x19xbf16> -> tensor<19xbf16>
  return %y : tensor<19xbf16>
}
func.func @sum_i32_60(%x: tensor<33xi32> ) -> tensor<i32> {
  %y = heddle.reduce sum %x axes [0] : tensor<33xi32> -> tensor<i32>
  return %y : tensor<i32>
}
func.func @sum_i32_61(%x: tensor<7x19xi32> ) -> tensor<7xi32> {
  %y = heddle.reduce sum %x axes [1] : tensor<7x19xi32> -> tensor<7xi32>
  return %y : tensor<7xi32>
}
func.func @sum_i32_62(%x: tensor<7x19xi32> ) -> tensor<19xi32> {
  %y = heddle.reduce sum %x axes [0] : tensor<7x19xi32> -> tensor<19xi32>
  return %y : tensor<19xi32>
}
func.func @sum_i32_63(%x: tensor<3x5x11xi32> ) -> tensor<5xi32> {
  %y = heddle.reduce sum %x axes [0, 2] : tensor<3x5x11xi32> -> tensor<5xi32>
  return %y : tensor<5xi32>
}
func.func @sum_i32_64(%x: tensor<3x5x11xi32> ) -> tensor<3x11xi32> {
  %y = heddle.reduce sum %x axes [1] : tensor<3x5x11xi32> -> tensor<3x11xi32>
  return %y : tensor<3x11xi32>
}
func.func @sum_i32_65(%x: tensor<3x5x11xi32> ) -> tensor<11xi32> {
  %y = heddle.reduce sum %x axes [0, 1] : tensor<3x5x11xi32> -> tensor<11xi32>
  return %y : tensor<11xi32>
}
func.func @sum_i32_66(%x: tensor<2x3x4x5xi32> ) -> tensor<2x4xi32> {
  %y = heddle.reduce sum %x axes [1, 3] : tensor<2x3x4x5xi32> -> tensor<2x4xi32>
  return %y : tensor<2x4xi32>
}
func.func @prod_i32_67(%x: tensor<33xi32> ) -> tensor<i32> {
  %y = heddle.reduce prod %x axes [0] : tensor<33xi32> -> tensor<i32>
  return %y : tensor<i32>
}
func.func @prod_i32_68(%x: tensor<7x19xi32> ) -> tensor<7xi32> {
  %y = heddle.reduce prod %x axes [1] : tensor<7x19xi32> -> tensor<7xi32>
  return %y : tensor<7xi32>
}
func.func @prod_i32_69(%x: tensor<7x19xi32> ) -> tensor<19xi32> {
  %y = heddle.reduce prod %x axes [0] : tensor<7x19xi32> -> tensor<19xi32>
  return %y : tensor<19xi32>
}
func.func @max_i32_70(%x: tensor<33xi32> ) -> tensor<i32> {
  %y = heddle.reduce max %x axes [0] : tensor<33xi32> -> tensor<i32>
  return %y : tensor<i32>
}
func.func @max_i32_71(%x: tensor<7x19xi32> ) -> tensor<7xi32> {
  %y = heddle.reduce max %x axes [1] : tensor<7x19xi32> -> tensor<7xi32>
  return %y : tensor<7xi32>
}
func.func @max_i32_72(%x: tensor<7x19xi32> ) -> tensor<19xi32> {
  %y = heddle.reduce max %x axes [0] : tensor<7x19xi32> -> tensor<19xi32>
  return %y : tensor<19xi32>
}
func.func @max_i32_73(%x: tensor<3x5x11xi32> ) -> tensor<5xi32> {
  %y = heddle.reduce max %x axes [0, 2] : tensor<3x5x11xi32> -> tensor<5xi32>
  return %y : tensor<5xi32>
}
func.func @max_i32_74(%x: tensor<3x5x11xi32> ) -> tensor<3x11xi32> {
  %y = heddle.reduce max %x axes [1] : tensor<3x5x11xi32> -> tensor<3x11xi32>
  return %y : tensor<3x11xi32>
}
func.func @max_i32_75(%x: tensor<3x5x11xi32> ) -> tensor<11xi32> {
  %y = heddle.reduce max %x axes [0, 1] : tensor<3x5x11xi32> -> tensor<11xi32>
  return %y : tensor<11xi32>
}
func.func @max_i32_76(%x: tensor<2x3x4x5xi32> ) -> tensor<2x4xi32> {
  %y = heddle.reduce max %x axes [1, 3] : tensor<2x3x4x5xi32> -> tensor<2x4xi32>
  return %y : tensor<2x4xi32>
}
func.func @min_i32_77(%x: tensor<33xi32> ) -> tensor<i32> {
  %y = heddle.reduce min %x axes [0] : tensor<33xi32> -> tensor<i32>
  return %y : tensor<i32>
}
func.func @min_i32_78(%x: tensor<7x19xi32> ) -> tensor<7xi32> {
  %y = heddle.reduce min %x axes [1] : tensor<7x19xi32> -> tensor<7xi32>
  return %y : tensor<7xi32>
}
func.func @min_i32_79(%x: tensor<7x19xi32> ) -> tensor<19xi32> {
  %y = heddle.reduce min %x axes [0] : tensor<7x19xi32> -> tensor<19xi32>
  return %y : tensor<19xi32>
}
func.func @any(%x: tensor<9x3xi1>) -> (tensor<9xi1>, tensor<3xi1>, tensor<i1>) {
  %a = heddle.reduce any %x axes [1] : tensor<9x3xi1> -> tensor<9xi1>
  %b = heddle.reduce any %x axes [0] : tensor<9x3xi1> -> tensor<3xi1>
  %c = heddle.reduce any %x axes [0, 1] : tensor<9x3xi1> -> tensor<i1>
  return %a, %b, %c : tensor<9xi1>, tensor<3xi1>, tensor<i1>
}
func.func @all(%x: tensor<9x3xi1>) -> (tensor<9xi1>, tensor<3xi1>, tensor<i1>) {
  %a = heddle.reduce all %x axes [1] : tensor<9x3xi1> -> tensor<9xi1>
  %b = heddle.reduce all %x axes [0] : tensor<9x3xi1> -> tensor<3xi1>
  %c = heddle.reduce all %x axes [0, 1] : tensor<9x3xi1> -> tensor<i1>
  return %a, %b, %c : tensor<9xi1>, tensor<3xi1>, tensor<i1>
}
func.func @argmax_f32(%x: tensor<4x6x5xf32>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmax %x axis 2 : tensor<4x6x5xf32> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmax %x axis 0 : tensor<4x6x5xf32> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmax %x axis 1 : tensor<4x6x5xf32> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @argmin_f32(%x: tensor<4x6x5xf32>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmin %x axis 2 : tensor<4x6x5xf32> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmin %x axis 0 : tensor<4x6x5xf32> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmin %x axis 1 : tensor<4x6x5xf32> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @cumsum_f32(%x: tensor<4x6x5xf32>) -> (tensor<4x6x5xf32>, tensor<4x6x5xf32>) {
  %a = heddle.cumsum %x axis 1 : tensor<4x6x5xf32>
  %b = heddle.cumsum %x axis 2 reverse : tensor<4x6x5xf32>
  return %a, %b : tensor<4x6x5xf32>, tensor<4x6x5xf32>
}
func.func @argsort_f32(%x: tensor<4x6x5xf32>) -> (tensor<4x6x5xi32>, tensor<4x6x5xi32>) {
  %a = heddle.argsort %x axis 1 : tensor<4x6x5xf32> -> tensor<4x6x5xi32>
  %b = heddle.argsort %x axis 2 descending : tensor<4x6x5xf32> -> tensor<4x6x5xi32>
  return %a, %b : tensor<4x6x5xi32>, tensor<4x6x5xi32>
}
func.func @argmax_bf16(%x: tensor<4x6x5xbf16>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmax %x axis 2 : tensor<4x6x5xbf16> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmax %x axis 0 : tensor<4x6x5xbf16> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmax %x axis 1 : tensor<4x6x5xbf16> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @argmin_bf16(%x: tensor<4x6x5xbf16>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmin %x axis 2 : tensor<4x6x5xbf16> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmin %x axis 0 : tensor<4x6x5xbf16> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmin %x axis 1 : tensor<4x6x5xbf16> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @cumsum_bf16(%x: tensor<4x6x5xbf16>) -> (tensor<4x6x5xbf16>, tensor<4x6x5xbf16>) {
  %a = heddle.cumsum %x axis 1 : tensor<4x6x5xbf16>
  %b = heddle.cumsum %x axis 2 reverse : tensor<4x6x5xbf16>
  return %a, %b : tensor<4x6x5xbf16>, tensor<4x6x5xbf16>
}
func.func @argsort_bf16(%x: tensor<4x6x5xbf16>) -> (tensor<4x6x5xi32>, tensor<4x6x5xi32>) {
  %a = heddle.argsort %x axis 1 : tensor<4x6x5xbf16> -> tensor<4x6x5xi32>
  %b = heddle.argsort %x axis 2 descending : tensor<4x6x5xbf16> -> tensor<4x6x5xi32>
  return %a, %b : tensor<4x6x5xi32>, tensor<4x6x5xi32>
}
func.func @argmax_i32(%x: tensor<4x6x5xi32>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmax %x axis 2 : tensor<4x6x5xi32> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmax %x axis 0 : tensor<4x6x5xi32> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmax %x axis 1 : tensor<4x6x5xi32> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @argmin_i32(%x: tensor<4x6x5xi32>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmin %x axis 2 : tensor<4x6x5xi32> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmin %x axis 0 : tensor<4x6x5xi32> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmin %x axis 1 : tensor<4x6x5xi32> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @cumsum_i32(%x: tensor<4x6x5xi32>) -> (tensor<4x6x5xi32>, tensor<4x6x5xi32>) {
  %a = heddle.cumsum %x axis 1 : tensor<4x6x5xi32>
  %b = heddle.cumsum %x axis 2 reverse : tensor<4x6x5xi32>
  return %a, %b : tensor<4x6x5xi32>, tensor<4x6x5xi32>
}
func.func @argsort_i32(%x: tensor<4x6x5xi32>) -> (tensor<4x6x5xi32>, tensor<4x6x5xi32>) {
  %a = heddle.argsort %x axis 1 : tensor<4x6x5xi32> -> tensor<4x6x5xi32>
  %b = heddle.argsort %x axis 2 descending : tensor<4x6x5xi32> -> tensor<4x6x5xi32>
  return %a, %b : tensor<4x6x5xi32>, tensor<4x6x5xi32>
}
func.func @argmax_f64(%x: tensor<4x6x5xf64>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmax %x axis 2 : tensor<4x6x5xf64> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmax %x axis 0 : tensor<4x6x5xf64> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmax %x axis 1 : tensor<4x6x5xf64> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @argmin_f64(%x: tensor<4x6x5xf64>) -> (tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>) {
  %a = heddle.arg_reduce argmin %x axis 2 : tensor<4x6x5xf64> -> tensor<4x6xi32>
  %b = heddle.arg_reduce argmin %x axis 0 : tensor<4x6x5xf64> -> tensor<6x5xi32>
  %c = heddle.arg_reduce argmin %x axis 1 : tensor<4x6x5xf64> -> tensor<4x5xi32>
  return %a, %b, %c : tensor<4x6xi32>, tensor<6x5xi32>, tensor<4x5xi32>
}
func.func @cumsum_f64(%x: tensor<4x6x5xf64>) -> (tensor<4x6x5xf64>, tensor<4x6x5xf64>) {
  %a = heddle.cumsum %x axis 1 : tensor<4x6x5xf64>
  %b = heddle.cumsum %x axis 2 reverse : tensor<4x6x5xf64>
  return %a, %b : tensor<4x6x5xf64>, tensor<4x6x5xf64>
}
func.func @argsort_f64(%x: tensor<4x6x5xf64>) -> (tensor<4x6x5xi32>, tensor<4x6x5xi32>) {
  %a = heddle.argsort %x axis 1 : tensor<4x6x5xf64> -> tensor<4x6x5xi32>
  %b = heddle.argsort %x axis 2 descending : tensor<4x6x5xf64> -> tensor<4x6x5xi32>
  return %a, %b : tensor<4x6x5xi32>, tensor<4x6x5xi32>
}
// Long enough to be split into steps.
func.func @long(%x: tensor<300x200xf32>, %y: tensor<40000xbf16>, %z: tensor<2x1280x24xf32>) -> (tensor<f32>, tensor<200xf32>, tensor<bf16>, tensor<2x24xf32>) {
  %a = heddle.reduce sum %x axes [0, 1] : tensor<300x200xf32> -> tensor<f32>
  %b = heddle.reduce max %x axes [0] : tensor<300x200xf32> -> tensor<200xf32>
  %c = heddle.reduce sum %y axes [0] : tensor<40000xbf16> -> tensor<bf16>
  %d = heddle.reduce sum %z axes [1] : tensor<2x1280x24xf32> -> tensor<2x24xf32>
  return %a, %b, %c, %d : tensor<f32>, tensor<200xf32>, tensor<bf16>, tensor<2x24xf32>
}
