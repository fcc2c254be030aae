// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
// CHECK: agree

func.func @neg_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.neg %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @abs_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.abs %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @sign_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.sign %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @exp_f32(%x: tensor<7x13xf32> {heddle.range = [-20.0, 10.0]}) -> tensor<7x13xf32> {
  %y = heddle.exp %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @expm1_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.expm1 %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @sqrt_f32(%x: tensor<7x13xf32> {heddle.range = [0.01, 4.0]}) -> tensor<7x13xf32> {
  %y = heddle.sqrt %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @rsqrt_f32(%x: tensor<7x13xf32> {heddle.range = [0.1, 4.0]}) -> tensor<7x13xf32> {
  %y = heddle.rsqrt %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @log_f32(%x: tensor<7x13xf32> {heddle.range = [0.01, 9.0]}) -> tensor<7x13xf32> {
  %y = heddle.log %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @log1p_f32(%x: tensor<7x13xf32> {heddle.range = [-0.9, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.log1p %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @sin_f32(%x: tensor<7x13xf32> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xf32> {
  %y = heddle.sin %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @cos_f32(%x: tensor<7x13xf32> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xf32> {
  %y = heddle.cos %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @tanh_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.tanh %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @erf_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.erf %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @sigmoid_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.sigmoid %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @floor_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.floor %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @ceil_f32(%x: tensor<7x13xf32> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf32> {
  %y = heddle.ceil %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @round_f32(%x: tensor<7x13xf32> {heddle.range = [-4.0, 4.0]}) -> tensor<7x13xf32> {
  %y = heddle.round %x : tensor<7x13xf32>
  return %y : tensor<7x13xf32>
}
func.func @add_f32(%x: tensor<7x13xf32>, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.add %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @sub_f32(%x: tensor<7x13xf32>, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.sub %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @mul_f32(%x: tensor<7x13xf32>, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.mul %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @div_f32(%x: tensor<7x13xf32>, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.div %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @rem_f32(%x: tensor<7x13xf32>, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.rem %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @max_f32(%x: tensor<7x13xf32>, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.max %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @min_f32(%x: tensor<7x13xf32>, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.min %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @pow_f32(%x: tensor<7x13xf32> {heddle.range = [0.0, 3.0]}, %y: tensor<7x13xf32>) -> tensor<7x13xf32> {
  %z = heddle.pow %x, %y : tensor<7x13xf32>
  return %z : tensor<7x13xf32>
}
func.func @neg_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.neg %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @abs_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.abs %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @sign_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.sign %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @exp_bf16(%x: tensor<7x13xbf16> {heddle.range = [-20.0, 10.0]}) -> tensor<7x13xbf16> {
  %y = heddle.exp %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @expm1_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.expm1 %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @sqrt_bf16(%x: tensor<7x13xbf16> {heddle.range = [0.01, 4.0]}) -> tensor<7x13xbf16> {
  %y = heddle.sqrt %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @rsqrt_bf16(%x: tensor<7x13xbf16> {heddle.range = [0.1, 4.0]}) -> tensor<7x13xbf16> {
  %y = heddle.rsqrt %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @log_bf16(%x: tensor<7x13xbf16> {heddle.range = [0.01, 9.0]}) -> tensor<7x13xbf16> {
  %y = heddle.log %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @log1p_bf16(%x: tensor<7x13xbf16> {heddle.range = [-0.9, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.log1p %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @sin_bf16(%x: tensor<7x13xbf16> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xbf16> {
  %y = heddle.sin %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @cos_bf16(%x: tensor<7x13xbf16> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xbf16> {
  %y = heddle.cos %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @tanh_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.tanh %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @erf_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.erf %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @sigmoid_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.sigmoid %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @floor_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.floor %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @ceil_bf16(%x: tensor<7x13xbf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xbf16> {
  %y = heddle.ceil %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @round_bf16(%x: tensor<7x13xbf16> {heddle.range = [-4.0, 4.0]}) -> tensor<7x13xbf16> {
  %y = heddle.round %x : tensor<7x13xbf16>
  return %y : tensor<7x13xbf16>
}
func.func @add_bf16(%x: tensor<7x13xbf16>, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.add %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @sub_bf16(%x: tensor<7x13xbf16>, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.sub %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @mul_bf16(%x: tensor<7x13xbf16>, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.mul %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @div_bf16(%x: tensor<7x13xbf16>, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.div %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @rem_bf16(%x: tensor<7x13xbf16>, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.rem %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @max_bf16(%x: tensor<7x13xbf16>, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.max %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @min_bf16(%x: tensor<7x13xbf16>, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.min %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @pow_bf16(%x: tensor<7x13xbf16> {heddle.range = [0.0, 3.0]}, %y: tensor<7x13xbf16>) -> tensor<7x13xbf16> {
  %z = heddle.pow %x, %y : tensor<7x13xbf16>
  return %z : tensor<7x13xbf16>
}
func.func @neg_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.neg %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @abs_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.abs %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @sign_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.sign %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @exp_f16(%x: tensor<7x13xf16> {heddle.range = [-20.0, 10.0]}) -> tensor<7x13xf16> {
  %y = heddle.exp %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @expm1_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.expm1 %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @sqrt_f16(%x: tensor<7x13xf16> {heddle.range = [0.01, 4.0]}) -> tensor<7x13xf16> {
  %y = heddle.sqrt %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @rsqrt_f16(%x: tensor<7x13xf16> {heddle.range = [0.1, 4.0]}) -> tensor<7x13xf16> {
  %y = heddle.rsqrt %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @log_f16(%x: tensor<7x13xf16> {heddle.range = [0.01, 9.0]}) -> tensor<7x13xf16> {
  %y = heddle.log %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @log1p_f16(%x: tensor<7x13xf16> {heddle.range = [-0.9, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.log1p %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @sin_f16(%x: tensor<7x13xf16> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xf16> {
  %y = heddle.sin %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @cos_f16(%x: tensor<7x13xf16> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xf16> {
  %y = heddle.cos %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @tanh_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.tanh %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @erf_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.erf %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @sigmoid_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.sigmoid %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @floor_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.floor %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @ceil_f16(%x: tensor<7x13xf16> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf16> {
  %y = heddle.ceil %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @round_f16(%x: tensor<7x13xf16> {heddle.range = [-4.0, 4.0]}) -> tensor<7x13xf16> {
  %y = heddle.round %x : tensor<7x13xf16>
  return %y : tensor<7x13xf16>
}
func.func @add_f16(%x: tensor<7x13xf16>, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.add %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @sub_f16(%x: tensor<7x13xf16>, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.sub %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @mul_f16(%x: tensor<7x13xf16>, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.mul %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @div_f16(%x: tensor<7x13xf16>, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.div %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @rem_f16(%x: tensor<7x13xf16>, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.rem %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @max_f16(%x: tensor<7x13xf16>, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.max %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @min_f16(%x: tensor<7x13xf16>, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.min %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @pow_f16(%x: tensor<7x13xf16> {heddle.range = [0.0, 3.0]}, %y: tensor<7x13xf16>) -> tensor<7x13xf16> {
  %z = heddle.pow %x, %y : tensor<7x13xf16>
  return %z : tensor<7x13xf16>
}
func.func @neg_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.neg %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @abs_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.abs %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @sign_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.sign %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @exp_f64(%x: tensor<7x13xf64> {heddle.range = [-20.0, 10.0]}) -> tensor<7x13xf64> {
  %y = heddle.exp %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @expm1_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.expm1 %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @sqrt_f64(%x: tensor<7x13xf64> {heddle.range = [0.01, 4.0]}) -> tensor<7x13xf64> {
  %y = heddle.sqrt %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @rsqrt_f64(%x: tensor<7x13xf64> {heddle.range = [0.1, 4.0]}) -> tensor<7x13xf64> {
  %y = heddle.rsqrt %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @log_f64(%x: tensor<7x13xf64> {heddle.range = [0.01, 9.0]}) -> tensor<7x13xf64> {
  %y = heddle.log %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @log1p_f64(%x: tensor<7x13xf64> {heddle.range = [-0.9, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.log1p %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @sin_f64(%x: tensor<7x13xf64> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xf64> {
  %y = heddle.sin %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @cos_f64(%x: tensor<7x13xf64> {heddle.range = [-20.0, 20.0]}) -> tensor<7x13xf64> {
  %y = heddle.cos %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @tanh_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.tanh %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @erf_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.erf %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @sigmoid_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.sigmoid %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @floor_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.floor %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @ceil_f64(%x: tensor<7x13xf64> {heddle.range = [-3.0, 3.0]}) -> tensor<7x13xf64> {
  %y = heddle.ceil %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @round_f64(%x: tensor<7x13xf64> {heddle.range = [-4.0, 4.0]}) -> tensor<7x13xf64> {
  %y = heddle.round %x : tensor<7x13xf64>
  return %y : tensor<7x13xf64>
}
func.func @add_f64(%x: tensor<7x13xf64>, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.add %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @sub_f64(%x: tensor<7x13xf64>, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.sub %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @mul_f64(%x: tensor<7x13xf64>, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.mul %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @div_f64(%x: tensor<7x13xf64>, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.div %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @rem_f64(%x: tensor<7x13xf64>, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.rem %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @max_f64(%x: tensor<7x13xf64>, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.max %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @min_f64(%x: tensor<7x13xf64>, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.min %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @pow_f64(%x: tensor<7x13xf64> {heddle.range = [0.0, 3.0]}, %y: tensor<7x13xf64>) -> tensor<7x13xf64> {
  %z = heddle.pow %x, %y : tensor<7x13xf64>
  return %z : tensor<7x13xf64>
}
func.func @neg_i64(%x: tensor<37xi64> {heddle.range = [-100, 100]}) -> tensor<37xi64> {
  %y = heddle.neg %x : tensor<37xi64>
  return %y : tensor<37xi64>
}
func.func @abs_i64(%x: tensor<37xi64> {heddle.range = [-100, 100]}) -> tensor<37xi64> {
  %y = heddle.abs %x : tensor<37xi64>
  return %y : tensor<37xi64>
}
func.func @sign_i64(%x: tensor<37xi64> {heddle.range = [-100, 100]}) -> tensor<37xi64> {
  %y = heddle.sign %x : tensor<37xi64>
  return %y : tensor<37xi64>
}
func.func @add_i64(%x: tensor<137xi64> {heddle.range = [-100, 100]}, %y: tensor<137xi64> {heddle.range = [-5, 5]}) -> tensor<137xi64> {
  %z = heddle.add %x, %y : tensor<137xi64>
  return %z : tensor<137xi64>
}
func.func @sub_i64(%x: tensor<137xi64> {heddle.range = [-100, 100]}, %y: tensor<137xi64> {heddle.range = [-5, 5]}) -> tensor<137xi64> {
  %z = heddle.sub %x, %y : tensor<137xi64>
  return %z : tensor<137xi64>
}
func.func @mul_i64(%x: tensor<137xi64> {heddle.range = [-100, 100]}, %y: tensor<137xi64> {heddle.range = [-5, 5]}) -> tensor<137xi64> {
  %z = heddle.mul %x, %y : tensor<137xi64>
  return %z : tensor<137xi64>
}
func.func @div_i64(%x: tensor<137xi64> {heddle.range = [-100, 100]}, %y: tensor<137xi64> {heddle.range = [-5, 5]}) -> tensor<137xi64> {
  %z = heddle.div %x, %y : tensor<137xi64>
  return %z : tensor<137xi64>
}
func.func @rem_i64(%x: tensor<137xi64> {heddle.range = [-100, 100]}, %y: tensor<137xi64> {heddle.range = [-5, 5]}) -> tensor<137xi64> {
  %z = heddle.rem %x, %y : tensor<137xi64>
  return %z : tensor<137xi64>
}
func.func @max_i64(%x: tensor<137xi64> {heddle.range = [-100, 100]}, %y: tensor<137xi64> {heddle.range = [-5, 5]}) -> tensor<137xi64> {
  %z = heddle.max %x, %y : tensor<137xi64>
  return %z : tensor<137xi64>
}
func.func @min_i64(%x: tensor<137xi64> {heddle.range = [-100, 100]}, %y: tensor<137xi64> {heddle.range = [-5, 5]}) -> tensor<137xi64> {
  %z = heddle.min %x, %y : tensor<137xi64>
  return %z : tensor<137xi64>
}
func.func @neg_i32(%x: tensor<37xi32> {heddle.range = [-100, 100]}) -> tensor<37xi32> {
  %y = heddle.neg %x : tensor<37xi32>
  return %y : tensor<37xi32>
}
func.func @abs_i32(%x: tensor<37xi32> {heddle.range = [-100, 100]}) -> tensor<37xi32> {
  %y = heddle.abs %x : tensor<37xi32>
  return %y : tensor<37xi32>
}
func.func @sign_i32(%x: tensor<37xi32> {heddle.range = [-100, 100]}) -> tensor<37xi32> {
  %y = heddle.sign %x : tensor<37xi32>
  return %y : tensor<37xi32>
}
func.func @add_i32(%x: tensor<137xi32> {heddle.range = [-100, 100]}, %y: tensor<137xi32> {heddle.range = [-5, 5]}) -> tensor<137xi32> {
  %z = heddle.add %x, %y : tensor<137xi32>
  return %z : tensor<137xi32>
}
func.func @sub_i32(%x: tensor<137xi32> {heddle.range = [-100, 100]}, %y: tensor<137xi32> {heddle.range = [-5, 5]}) -> tensor<137xi32> {
  %z = heddle.sub %x, %y : tensor<137xi32>
  return %z : tensor<137xi32>
}
func.func @mul_i32(%x: tensor<137xi32> {heddle.range = [-100, 100]}, %y: tensor<137xi32> {heddle.range = [-5, 5]}) -> tensor<137xi32> {
  %z = heddle.mul %x, %y : tensor<137xi32>
  return %z : tensor<137xi32>
}
func.func @div_i32(%x: tensor<137xi32> {heddle.range = [-100, 100]}, %y: tensor<137xi32> {heddle.range = [-5, 5]}) -> tensor<137xi32> {
  %z = heddle.div %x, %y : tensor<137xi32>
  return %z : tensor<137xi32>
}
func.func @rem_i32(%x: tensor<137xi32> {heddle.range = [-100, 100]}, %y: tensor<137xi32> {heddle.range = [-5, 5]}) -> tensor<137xi32> {
  %z = heddle.rem %x, %y : tensor<137xi32>
  return %z : tensor<137xi32>
}
func.func @max_i32(%x: tensor<137xi32> {heddle.range = [-100, 100]}, %y: tensor<137xi32> {heddle.range = [-5, 5]}) -> tensor<137xi32> {
  %z = heddle.max %x, %y : tensor<137xi32>
  return %z : tensor<137xi32>
}
func.func @min_i32(%x: tensor<137xi32> {heddle.range = [-100, 100]}, %y: tensor<137xi32> {heddle.range = [-5, 5]}) -> tensor<137xi32> {
  %z = heddle.min %x, %y : tensor<137xi32>
  return %z : tensor<137xi32>
}
func.func @neg_i8(%x: tensor<37xi8> {heddle.range = [-100, 100]}) -> tensor<37xi8> {
  %y = heddle.neg %x : tensor<37xi8>
  return %y : tensor<37xi8>
}
func.func @abs_i8(%x: tensor<37xi8> {heddle.range = [-100, 100]}) -> tensor<37xi8> {
  %y = heddle.abs %x : tensor<37xi8>
  return %y : tensor<37xi8>
}
func.func @sign_i8(%x: tensor<37xi8> {heddle.range = [-100, 100]}) -> tensor<37xi8> {
  %y = heddle.sign %x : tensor<37xi8>
  return %y : tensor<37xi8>
}
func.func @add_i8(%x: tensor<137xi8> {heddle.range = [-100, 100]}, %y: tensor<137xi8> {heddle.range = [-5, 5]}) -> tensor<137xi8> {
  %z = heddle.add %x, %y : tensor<137xi8>
  return %z : tensor<137xi8>
}
func.func @sub_i8(%x: tensor<137xi8> {heddle.range = [-100, 100]}, %y: tensor<137xi8> {heddle.range = [-5, 5]}) -> tensor<137xi8> {
  %z = heddle.sub %x, %y : tensor<137xi8>
  return %z : tensor<137xi8>
}
func.func @mul_i8(%x: tensor<137xi8> {heddle.range = [-100, 100]}, %y: tensor<137xi8> {heddle.range = [-5, 5]}) -> tensor<137xi8> {
  %z = heddle.mul %x, %y : tensor<137xi8>
  return %z : tensor<137xi8>
}
func.func @div_i8(%x: tensor<137xi8> {heddle.range = [-100, 100]}, %y: tensor<137xi8> {heddle.range = [-5, 5]}) -> tensor<137xi8> {
  %z = heddle.div %x, %y : tensor<137xi8>
  return %z : tensor<137xi8>
}
func.func @rem_i8(%x: tensor<137xi8> {heddle.range = [-100, 100]}, %y: tensor<137xi8> {heddle.range = [-5, 5]}) -> tensor<137xi8> {
  %z = heddle.rem %x, %y : tensor<137xi8>
  return %z : tensor<137xi8>
}
func.func @max_i8(%x: tensor<137xi8> {heddle.range = [-100, 100]}, %y: tensor<137xi8> {heddle.range = [-5, 5]}) -> tensor<137xi8> {
  %z = heddle.max %x, %y : tensor<137xi8>
  return %z : tensor<137xi8>
}
func.func @min_i8(%x: tensor<137xi8> {heddle.range = [-100, 100]}, %y: tensor<137xi8> {heddle.range = [-5, 5]}) -> tensor<137xi8> {
  %z = heddle.min %x, %y : tensor<137xi8>
  return %z : tensor<137xi8>
}
func.func @compare_eq_f32(%x: tensor<41xf32>, %y: tensor<41xf32>) -> tensor<41xi1> {
  %z = heddle.compare eq %x, %y : tensor<41xf32>
  return %z : tensor<41xi1>
}
func.func @compare_ne_f32(%x: tensor<41xf32>, %y: tensor<41xf32>) -> tensor<41xi1> {
  %z = heddle.compare ne %x, %y : tensor<41xf32>
  return %z : tensor<41xi1>
}
func.func @compare_lt_f32(%x: tensor<41xf32>, %y: tensor<41xf32>) -> tensor<41xi1> {
  %z = heddle.compare lt %x, %y : tensor<41xf32>
  return %z : tensor<41xi1>
}
func.func @compare_le_f32(%x: tensor<41xf32>, %y: tensor<41xf32>) -> tensor<41xi1> {
  %z = heddle.compare le %x, %y : tensor<41xf32>
  return %z : tensor<41xi1>
}
func.func @compare_gt_f32(%x: tensor<41xf32>, %y: tensor<41xf32>) -> tensor<41xi1> {
  %z = heddle.compare gt %x, %y : tensor<41xf32>
  return %z : tensor<41xi1>
}
func.func @compare_ge_f32(%x: tensor<41xf32>, %y: tensor<41xf32>) -> tensor<41xi1> {
  %z = heddle.compare ge %x, %y : tensor<41xf32>
  return %z : tensor<41xi1>
}
func.func @compare_eq_bf16(%x: tensor<41xbf16>, %y: tensor<41xbf16>) -> tensor<41xi1> {
  %z = heddle.compare eq %x, %y : tensor<41xbf16>
  return %z : tensor<41xi1>
}
func.func @compare_ne_bf16(%x: tensor<41xbf16>, %y: tensor<41xbf16>) -> tensor<41xi1> {
  %z = heddle.compare ne %x, %y : tensor<41xbf16>
  return %z : tensor<41xi1>
}
func.func @compare_lt_bf16(%x: tensor<41xbf16>, %y: tensor<41xbf16>) -> tensor<41xi1> {
  %z = heddle.compare lt %x, %y : tensor<41xbf16>
  return %z : tensor<41xi1>
}
func.func @compare_le_bf16(%x: tensor<41xbf16>, %y: tensor<41xbf16>) -> tensor<41xi1> {
  %z = heddle.compare le %x, %y : tensor<41xbf16>
  return %z : tensor<41xi1>
}
func.func @compare_gt_bf16(%x: tensor<41xbf16>, %y: tensor<41xbf16>) -> tensor<41xi1> {
  %z = heddle.compare gt %x, %y : tensor<41xbf16>
  return %z : tensor<41xi1>
}
func.func @compare_ge_bf16(%x: tensor<41xbf16>, %y: tensor<41xbf16>) -> tensor<41xi1> {
  %z = heddle.compare ge %x, %y : tensor<41xbf16>
  return %z : tensor<41xi1>
}
func.func @compare_eq_i32(%x: tensor<41xi32> {heddle.range = [-2, 2]}, %y: tensor<41xi32> {heddle.range = [-2, 2]}) -> tensor<41xi1> {
  %z = heddle.compare eq %x, %y : tensor<41xi32>
  return %z : tensor<41xi1>
}
func.func @compare_ne_i32(%x: tensor<41xi32> {heddle.range = [-2, 2]}, %y: tensor<41xi32> {heddle.range = [-2, 2]}) -> tensor<41xi1> {
  %z = heddle.compare ne %x, %y : tensor<41xi32>
  return %z : tensor<41xi1>
}
func.func @compare_lt_i32(%x: tensor<41xi32> {heddle.range = [-2, 2]}, %y: tensor<41xi32> {heddle.range = [-2, 2]}) -> tensor<41xi1> {
  %z = heddle.compare lt %x, %y : tensor<41xi32>
  return %z : tensor<41xi1>
}
func.func @compare_le_i32(%x: tensor<41xi32> {heddle.range = [-2, 2]}, %y: tensor<41xi32> {heddle.range = [-2, 2]}) -> tensor<41xi1> {
  %z = heddle.compare le %x, %y : tensor<41xi32>
  return %z : tensor<41xi1>
}
func.func @compare_gt_i32(%x: tensor<41xi32> {heddle.range = [-2, 2]}, %y: tensor<41xi32> {heddle.range = [-2, 2]}) -> tensor<41xi1> {
  %z = heddle.compare gt %x, %y : tensor<41xi32>
  return %z : tensor<41xi1>
}
func.func @compare_ge_i32(%x: tensor<41xi32> {heddle.range = [-2, 2]}, %y: tensor<41xi32> {heddle.range = [-2, 2]}) -> tensor<41xi1> {
  %z = heddle.compare ge %x, %y : tensor<41xi32>
  return %z : tensor<41xi1>
}
func.func @compare_eq_i1(%x: tensor<41xi1>, %y: tensor<41xi1>) -> tensor<41xi1> {
  %z = heddle.compare eq %x, %y : tensor<41xi1>
  return %z : tensor<41xi1>
}
func.func @compare_ne_i1(%x: tensor<41xi1>, %y: tensor<41xi1>) -> tensor<41xi1> {
  %z = heddle.compare ne %x, %y : tensor<41xi1>
  return %z : tensor<41xi1>
}
func.func @compare_lt_i1(%x: tensor<41xi1>, %y: tensor<41xi1>) -> tensor<41xi1> {
  %z = heddle.compare lt %x, %y : tensor<41xi1>
  return %z : tensor<41xi1>
}
func.func @compare_le_i1(%x: tensor<41xi1>, %y: tensor<41xi1>) -> tensor<41xi1> {
  %z = heddle.compare le %x, %y : tensor<41xi1>
  return %z : tensor<41xi1>
}
func.func @compare_gt_i1(%x: tensor<41xi1>, %y: tensor<41xi1>) -> tensor<41xi1> {
  %z = heddle.compare gt %x, %y : tensor<41xi1>
  return %z : tensor<41xi1>
}
func.func @compare_ge_i1(%x: tensor<41xi1>, %y: tensor<41xi1>) -> tensor<41xi1> {
  %z = heddle.compare ge %x, %y : tensor<41xi1>
  return %z : tensor<41xi1>
}
func.func @logic(%x: tensor<41xi1>, %y: tensor<41xi1>, %a: tensor<41xf16>, %b: tensor<41xf16>) -> (tensor<41xi1>, tensor<41xi1>, tensor<41xi1>, tensor<41xf16>) {
  %p = heddle.and %x, %y : tensor<41xi1>
  %q = heddle.or %x, %y : tensor<41xi1>
  %r = heddle.not %x : tensor<41xi1>
  %s = heddle.select %p, %a, %b : tensor<41xi1>, tensor<41xf16>
  return %p, %q, %r, %s : tensor<41xi1>, tensor<41xi1>, tensor<41xi1>, tensor<41xf16>
}
func.func @cast_f64(%x: tensor<67xf64> {heddle.range = [-300.0, 300.0]}) -> (tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>) {
  %f32 = heddle.cast %x : tensor<67xf64> -> tensor<67xf32>
  %bf16 = heddle.cast %x : tensor<67xf64> -> tensor<67xbf16>
  %f16 = heddle.cast %x : tensor<67xf64> -> tensor<67xf16>
  %i64 = heddle.cast %x : tensor<67xf64> -> tensor<67xi64>
  %i32 = heddle.cast %x : tensor<67xf64> -> tensor<67xi32>
  %i8 = heddle.cast %x : tensor<67xf64> -> tensor<67xi8>
  %i1 = heddle.cast %x : tensor<67xf64> -> tensor<67xi1>
  return %f32, %bf16, %f16, %i64, %i32, %i8, %i1 : tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>
}
func.func @cast_f32(%x: tensor<67xf32> {heddle.range = [-300.0, 300.0]}) -> (tensor<67xf64>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>) {
  %f64 = heddle.cast %x : tensor<67xf32> -> tensor<67xf64>
  %bf16 = heddle.cast %x : tensor<67xf32> -> tensor<67xbf16>
  %f16 = heddle.cast %x : tensor<67xf32> -> tensor<67xf16>
  %i64 = heddle.cast %x : tensor<67xf32> -> tensor<67xi64>
  %i32 = heddle.cast %x : tensor<67xf32> -> tensor<67xi32>
  %i8 = heddle.cast %x : tensor<67xf32> -> tensor<67xi8>
  %i1 = heddle.cast %x : tensor<67xf32> -> tensor<67xi1>
  return %f64, %bf16, %f16, %i64, %i32, %i8, %i1 : tensor<67xf64>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>
}
func.func @cast_bf16(%x: tensor<67xbf16> {heddle.range = [-300.0, 300.0]}) -> (tensor<67xf64>, tensor<67xf32>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>) {
  %f64 = heddle.cast %x : tensor<67xbf16> -> tensor<67xf64>
  %f32 = heddle.cast %x : tensor<67xbf16> -> tensor<67xf32>
  %f16 = heddle.cast %x : tensor<67xbf16> -> tensor<67xf16>
  %i64 = heddle.cast %x : tensor<67xbf16> -> tensor<67xi64>
  %i32 = heddle.cast %x : tensor<67xbf16> -> tensor<67xi32>
  %i8 = heddle.cast %x : tensor<67xbf16> -> tensor<67xi8>
  %i1 = heddle.cast %x : tensor<67xbf16> -> tensor<67xi1>
  return %f64, %f32, %f16, %i64, %i32, %i8, %i1 : tensor<67xf64>, tensor<67xf32>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>
}
func.func @cast_f16(%x: tensor<67xf16> {heddle.range = [-300.0, 300.0]}) -> (tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>) {
  %f64 = heddle.cast %x : tensor<67xf16> -> tensor<67xf64>
  %f32 = heddle.cast %x : tensor<67xf16> -> tensor<67xf32>
  %bf16 = heddle.cast %x : tensor<67xf16> -> tensor<67xbf16>
  %i64 = heddle.cast %x : tensor<67xf16> -> tensor<67xi64>
  %i32 = heddle.cast %x : tensor<67xf16> -> tensor<67xi32>
  %i8 = heddle.cast %x : tensor<67xf16> -> tensor<67xi8>
  %i1 = heddle.cast %x : tensor<67xf16> -> tensor<67xi1>
  return %f64, %f32, %bf16, %i64, %i32, %i8, %i1 : tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>
}
func.func @cast_i64(%x: tensor<67xi64> {heddle.range = [-120, 120]}) -> (tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>) {
  %f64 = heddle.cast %x : tensor<67xi64> -> tensor<67xf64>
  %f32 = heddle.cast %x : tensor<67xi64> -> tensor<67xf32>
  %bf16 = heddle.cast %x : tensor<67xi64> -> tensor<67xbf16>
  %f16 = heddle.cast %x : tensor<67xi64> -> tensor<67xf16>
  %i32 = heddle.cast %x : tensor<67xi64> -> tensor<67xi32>
  %i8 = heddle.cast %x : tensor<67xi64> -> tensor<67xi8>
  %i1 = heddle.cast %x : tensor<67xi64> -> tensor<67xi1>
  return %f64, %f32, %bf16, %f16, %i32, %i8, %i1 : tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi32>, tensor<67xi8>, tensor<67xi1>
}
func.func @cast_i32(%x: tensor<67xi32> {heddle.range = [-120, 120]}) -> (tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi8>, tensor<67xi1>) {
  %f64 = heddle.cast %x : tensor<67xi32> -> tensor<67xf64>
  %f32 = heddle.cast %x : tensor<67xi32> -> tensor<67xf32>
  %bf16 = heddle.cast %x : tensor<67xi32> -> tensor<67xbf16>
  %f16 = heddle.cast %x : tensor<67xi32> -> tensor<67xf16>
  %i64 = heddle.cast %x : tensor<67xi32> -> tensor<67xi64>
  %i8 = heddle.cast %x : tensor<67xi32> -> tensor<67xi8>
  %i1 = heddle.cast %x : tensor<67xi32> -> tensor<67xi1>
  return %f64, %f32, %bf16, %f16, %i64, %i8, %i1 : tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi8>, tensor<67xi1>
}
func.func @cast_i8(%x: tensor<67xi8> {heddle.range = [-120, 120]}) -> (tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi1>) {
  %f64 = heddle.cast %x : tensor<67xi8> -> tensor<67xf64>
  %f32 = heddle.cast %x : tensor<67xi8> -> tensor<67xf32>
  %bf16 = heddle.cast %x : tensor<67xi8> -> tensor<67xbf16>
  %f16 = heddle.cast %x : tensor<67xi8> -> tensor<67xf16>
  %i64 = heddle.cast %x : tensor<67xi8> -> tensor<67xi64>
  %i32 = heddle.cast %x : tensor<67xi8> -> tensor<67xi32>
  %i1 = heddle.cast %x : tensor<67xi8> -> tensor<67xi1>
  return %f64, %f32, %bf16, %f16, %i64, %i32, %i1 : tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi1>
}
func.func @cast_i1(%x: tensor<67xi1> ) -> (tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>) {
  %f64 = heddle.cast %x : tensor<67xi1> -> tensor<67xf64>
  %f32 = heddle.cast %x : tensor<67xi1> -> tensor<67xf32>
  %bf16 = heddle.cast %x : tensor<67xi1> -> tensor<67xbf16>
  %f16 = heddle.cast %x : tensor<67xi1> -> tensor<67xf16>
  %i64 = heddle.cast %x : tensor<67xi1> -> tensor<67xi64>
  %i32 = heddle.cast %x : tensor<67xi1> -> tensor<67xi32>
  %i8 = heddle.cast %x : tensor<67xi1> -> tensor<67xi8>
  return %f64, %f32, %bf16, %f16, %i64, %i32, %i8 : tensor<67xf64>, tensor<67xf32>, tensor<67xbf16>, tensor<67xf16>, tensor<67xi64>, tensor<67xi32>, tensor<67xi8>
}
