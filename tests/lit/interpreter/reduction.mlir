// RUN: heddle-interp %s

func.func @axes() {
  %x = heddle.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %rows = heddle.reduce sum %x axes [1] : tensor<2x3xf32> -> tensor<2xf32>
  %r = heddle.constant dense<[6.0, 15.0]> : tensor<2xf32>
  check.expect_eq %rows, %r : tensor<2xf32>
  %columns = heddle.reduce prod %x axes [0] : tensor<2x3xf32> -> tensor<3xf32>
  %c = heddle.constant dense<[4.0, 10.0, 18.0]> : tensor<3xf32>
  check.expect_eq %columns, %c : tensor<3xf32>
  %all = heddle.reduce max %x axes [0, 1] : tensor<2x3xf32> -> tensor<f32>
  %a = heddle.constant dense<6.0> : tensor<f32>
  check.expect_eq %all, %a : tensor<f32>
  %none = heddle.reduce sum %x axes [] : tensor<2x3xf32> -> tensor<2x3xf32>
  check.expect_eq %none, %x : tensor<2x3xf32>
  return
}

func.func @over_nothing() {
  %x = heddle.constant dense<> : tensor<2x0xf32>
  %sum = heddle.reduce sum %x axes [1] : tensor<2x0xf32> -> tensor<2xf32>
  %zero = heddle.constant dense<0.0> : tensor<2xf32>
  check.expect_eq %sum, %zero : tensor<2xf32>
  %prod = heddle.reduce prod %x axes [1] : tensor<2x0xf32> -> tensor<2xf32>
  %one = heddle.constant dense<1.0> : tensor<2xf32>
  check.expect_eq %prod, %one : tensor<2xf32>
  %max = heddle.reduce max %x axes [1] : tensor<2x0xf32> -> tensor<2xf32>
  %least = heddle.constant dense<0xFF800000> : tensor<2xf32>
  check.expect_eq %max, %least : tensor<2xf32>
  %min = heddle.reduce min %x axes [1] : tensor<2x0xf32> -> tensor<2xf32>
  %most = heddle.constant dense<0x7F800000> : tensor<2xf32>
  check.expect_eq %min, %most : tensor<2xf32>
  %i = heddle.constant dense<> : tensor<0xi8>
  %imax = heddle.reduce max %i axes [0] : tensor<0xi8> -> tensor<i8>
  %ileast = heddle.constant dense<-128> : tensor<i8>
  check.expect_eq %imax, %ileast : tensor<i8>
  %imin = heddle.reduce min %i axes [0] : tensor<0xi8> -> tensor<i8>
  %imost = heddle.constant dense<127> : tensor<i8>
  check.expect_eq %imin, %imost : tensor<i8>
  %b = heddle.constant dense<> : tensor<0xi1>
  %any = heddle.reduce any %b axes [0] : tensor<0xi1> -> tensor<i1>
  %false = heddle.constant dense<false> : tensor<i1>
  check.expect_eq %any, %false : tensor<i1>
  %all = heddle.reduce all %b axes [0] : tensor<0xi1> -> tensor<i1>
  %true = heddle.constant dense<true> : tensor<i1>
  check.expect_eq %all, %true : tensor<i1>
  return
}

func.func @not_a_number() {
  %x = heddle.constant dense<[[1.0, 0x7FC00000, 3.0], [3.0, 1.0, 2.0]]> : tensor<2x3xf32>
  %max = heddle.reduce max %x axes [1] : tensor<2x3xf32> -> tensor<2xf32>
  %m = heddle.constant dense<[0x7FC00000, 3.0]> : tensor<2xf32>
  check.expect_eq %max, %m : tensor<2xf32>
  %min = heddle.reduce min %x axes [1] : tensor<2x3xf32> -> tensor<2xf32>
  %n = heddle.constant dense<[0x7FC00000, 1.0]> : tensor<2xf32>
  check.expect_eq %min, %n : tensor<2xf32>
  return
}

func.func @truth() {
  %x = heddle.constant dense<[[true, false], [true, true], [false, false]]> : tensor<3x2xi1>
  %any = heddle.reduce any %x axes [1] : tensor<3x2xi1> -> tensor<3xi1>
  %a = heddle.constant dense<[true, true, false]> : tensor<3xi1>
  check.expect_eq %any, %a : tensor<3xi1>
  %all = heddle.reduce all %x axes [1] : tensor<3x2xi1> -> tensor<3xi1>
  %b = heddle.constant dense<[false, true, false]> : tensor<3xi1>
  check.expect_eq %all, %b : tensor<3xi1>
  return
}

func.func @integers_wrap() {
  %x = heddle.constant dense<[100, 100]> : tensor<2xi8>
  %sum = heddle.reduce sum %x axes [0] : tensor<2xi8> -> tensor<i8>
  %s = heddle.constant dense<-56> : tensor<i8>
  check.expect_eq %sum, %s : tensor<i8>
  return
}

// 259 ones: a running sum in bf16 would stop at 256. 259 lies between 258 and 260, both bf16; 260 is even.
func.func @narrow_types_accumulate_wide() {
  %x = heddle.constant dense<1.0> : tensor<259xbf16>
  %sum = heddle.reduce sum %x axes [0] : tensor<259xbf16> -> tensor<bf16>
  %s = heddle.constant dense<260.0> : tensor<bf16>
  check.expect_eq %sum, %s : tensor<bf16>
  return
}

func.func @positions() {
  %x = heddle.constant dense<[[1.0, 3.0, 3.0], [2.0, 0x7FC00000, 9.0], [-1.0, -1.0, -2.0]]> : tensor<3x3xf32>
  %max = heddle.arg_reduce argmax %x axis 1 : tensor<3x3xf32> -> tensor<3xi32>
  %m = heddle.constant dense<[1, 1, 0]> : tensor<3xi32>
  check.expect_eq %max, %m : tensor<3xi32>
  %min = heddle.arg_reduce argmin %x axis 0 : tensor<3x3xf32> -> tensor<3xi32>
  %n = heddle.constant dense<[2, 1, 2]> : tensor<3xi32>
  check.expect_eq %min, %n : tensor<3xi32>
  %i = heddle.constant dense<[9223372036854775806, 9223372036854775807]> : tensor<2xi64>
  %imax = heddle.arg_reduce argmax %i axis 0 : tensor<2xi64> -> tensor<i32>
  %one = heddle.constant dense<1> : tensor<i32>
  check.expect_eq %imax, %one : tensor<i32>
  return
}

func.func @running_sums() {
  %x = heddle.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %y = heddle.cumsum %x axis 1 : tensor<2x3xf32>
  %forward = heddle.constant dense<[[1.0, 3.0, 6.0], [4.0, 9.0, 15.0]]> : tensor<2x3xf32>
  check.expect_eq %y, %forward : tensor<2x3xf32>
  %z = heddle.cumsum %x axis 1 reverse : tensor<2x3xf32>
  %backward = heddle.constant dense<[[6.0, 5.0, 3.0], [15.0, 11.0, 6.0]]> : tensor<2x3xf32>
  check.expect_eq %z, %backward : tensor<2x3xf32>
  %i = heddle.constant dense<[100, 100, -100]> : tensor<3xi8>
  %w = heddle.cumsum %i axis 0 : tensor<3xi8>
  %wrapped = heddle.constant dense<[100, -56, 100]> : tensor<3xi8>
  check.expect_eq %w, %wrapped : tensor<3xi8>
  return
}
