// RUN: heddle-interp %s

// The authors' published vectors for Philox 4x32-10, read as two's complement: counter 0 under key 0 gives
// 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
func.func @bits() {
  %key = heddle.constant dense<0> : tensor<i64>
  %y = heddle.random bits %key stream 0 : tensor<i64> -> tensor<4xi32>
  %expected = heddle.constant dense<[1713891541, -513161843, -1135104948, -1694442536]> : tensor<4xi32>
  check.expect_eq %y, %expected : tensor<4xi32>
  return
}

// (word >> 8) / 2^24 of the same words.
func.func @uniform() {
  %key = heddle.constant dense<0> : tensor<i64>
  %y = heddle.random uniform %key stream 0 : tensor<i64> -> tensor<2x2xf32>
  %words = heddle.constant dense<[[6694888, 14772677], [12343212, 10158299]]> : tensor<2x2xi32>
  %reals = heddle.cast %words : tensor<2x2xi32> -> tensor<2x2xf32>
  %scale = heddle.constant dense<16777216.0> : tensor<2x2xf32>
  %expected = heddle.div %reals, %scale : tensor<2x2xf32>
  check.expect_eq %y, %expected : tensor<2x2xf32>
  return
}

// Box-Muller of those words by hand: u = 6694889 / 2^24 and v = 14772677 / 2^24, then 12343213 and 10158299.
func.func @normal() {
  %key = heddle.constant dense<0> : tensor<i64>
  %y = heddle.random normal %key stream 0 : tensor<i64> -> tensor<4xf32>
  %expected = heddle.constant dense<[0.991137475, -0.92466278, -0.617609055, -0.482068347]> : tensor<4xf32>
  check.expect_close %y, %expected {rtol = 1.0e-6} : tensor<4xf32>
  return
}

// The counter is the block's number, then the stream: element 4 of stream 0 starts block 1.
func.func @blocks_and_streams() {
  %key = heddle.constant dense<7> : tensor<i64>
  %long = heddle.random bits %key stream 3 : tensor<i64> -> tensor<6xi32>
  %short = heddle.random bits %key stream 3 : tensor<i64> -> tensor<5xi32>
  %part = heddle.slice %long starts [0] sizes [5] strides [1] : tensor<6xi32> -> tensor<5xi32>
  check.expect_eq %part, %short : tensor<5xi32>
  %other = heddle.random bits %key stream 4 : tensor<i64> -> tensor<5xi32>
  %same = heddle.compare eq %other, %short : tensor<5xi32>
  %any = heddle.reduce any %same axes [0] : tensor<5xi1> -> tensor<i1>
  %false = heddle.constant dense<false> : tensor<i1>
  check.expect_eq %any, %false : tensor<i1>
  return
}

func.func @fold_in() {
  %key = heddle.constant dense<1> : tensor<i64>
  %data = heddle.constant dense<-1> : tensor<i64>
  %y = heddle.fold_in %key, %data : tensor<i64>, tensor<i64>
  %expected = heddle.constant dense<6746780407669053302> : tensor<i64>
  check.expect_eq %y, %expected : tensor<i64>
  return
}
