// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
// CHECK: agree

// Onto rows that are empty and, in the second step, rows of different lengths.
func.func @pieces(%q: tensor<3x4x9x5xf32>, %k: tensor<3x2x9x5xf32>, %v: tensor<3x2x9x3xf32>, %u: tensor<3x2x9xf32>,
      %lengths: tensor<3xi32> {heddle.range = [0, 9]}, %keys: tensor<3x2x7x5xf32>, %values: tensor<3x2x7x3xf32>,
      %score: tensor<3x2x7xf32>, %key: tensor<3x2x7xi32>, %live: tensor<3x2x32xf32> {heddle.range = [0.0, 0.0]},
      %count: tensor<3x2xi32> {heddle.range = [0, 0]}, %hi: tensor<3x2xf32>, %lo: tensor<3x2xf32>,
      %position: tensor<3xi32> {heddle.range = [0, 0]}, %scale: tensor<3xf64>,
      %gate: tensor<3xi32> {heddle.range = [0, 2]}, %estimator: tensor<3xi32> {heddle.range = [0, 1]})
    -> (tensor<3x4x9x3xf32>, tensor<3x4x9x3xf32>, tensor<3x2x7x5xf32>, tensor<3x2x7x3xf32>, tensor<3x2x7xf32>,
      tensor<3x2x7xi32>, tensor<3x2x32xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 4 window 3
      : (tensor<3x4x9x5xf32>, tensor<3x2x9x5xf32>, tensor<3x2x9x3xf32>, tensor<3x2x9xf32>, tensor<3xi32>,
      tensor<3x2x7x5xf32>, tensor<3x2x7x3xf32>, tensor<3x2x7xf32>, tensor<3x2x7xi32>, tensor<3x2x32xf32>,
      tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>, tensor<3xf64>, tensor<3xi32>, tensor<3xi32>)
      -> (tensor<3x4x9x3xf32>, tensor<3x2x7x5xf32>, tensor<3x2x7x3xf32>, tensor<3x2x7xf32>, tensor<3x2x7xi32>,
      tensor<3x2x32xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 4 window 3
      : (tensor<3x4x9x5xf32>, tensor<3x2x9x5xf32>, tensor<3x2x9x3xf32>, tensor<3x2x9xf32>, tensor<3xi32>,
      tensor<3x2x7x5xf32>, tensor<3x2x7x3xf32>, tensor<3x2x7xf32>, tensor<3x2x7xi32>, tensor<3x2x32xf32>,
      tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>, tensor<3xf64>, tensor<3xi32>, tensor<3xi32>)
      -> (tensor<3x4x9x3xf32>, tensor<3x2x7x5xf32>, tensor<3x2x7x3xf32>, tensor<3x2x7xf32>, tensor<3x2x7xi32>,
      tensor<3x2x32xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<3x4x9x3xf32>,
      tensor<3x4x9x3xf32>, tensor<3x2x7x5xf32>, tensor<3x2x7x3xf32>, tensor<3x2x7xf32>, tensor<3x2x7xi32>,
      tensor<3x2x32xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>
}

func.func @single(%q: tensor<1x2x1x8xf32>, %k: tensor<1x1x1x8xf32>, %v: tensor<1x1x1x8xf32>, %u: tensor<1x1x1xf32>,
      %lengths: tensor<1xi32> {heddle.range = [1, 1]}, %keys: tensor<1x1x4x8xf32>, %values: tensor<1x1x4x8xf32>,
      %score: tensor<1x1x4xf32>, %key: tensor<1x1x4xi32>, %live: tensor<1x1x8xf32> {heddle.range = [0.0, 0.0]},
      %count: tensor<1x1xi32> {heddle.range = [0, 0]}, %hi: tensor<1x1xf32>, %lo: tensor<1x1xf32>,
      %position: tensor<1xi32> {heddle.range = [0, 0]}, %scale: tensor<1xf64>,
      %gate: tensor<1xi32> {heddle.range = [0, 2]}, %estimator: tensor<1xi32> {heddle.range = [0, 1]})
    -> (tensor<1x2x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>,
      tensor<1x1x4xi32>, tensor<1x1x8xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 2 window 2
      : (tensor<1x2x1x8xf32>, tensor<1x1x1x8xf32>, tensor<1x1x1x8xf32>, tensor<1x1x1xf32>, tensor<1xi32>,
      tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>, tensor<1x1x8xf32>,
      tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x2x1x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>,
      tensor<1x1x8xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 2 window 2
      : (tensor<1x2x1x8xf32>, tensor<1x1x1x8xf32>, tensor<1x1x1x8xf32>, tensor<1x1x1xf32>, tensor<1xi32>,
      tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>, tensor<1x1x8xf32>,
      tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x2x1x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>,
      tensor<1x1x8xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<1x2x1x8xf32>,
      tensor<1x2x1x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>,
      tensor<1x1x8xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>
}

// The running token is itself a candidate.
func.func @no_window(%q: tensor<2x3x7x16xf32>, %k: tensor<2x1x7x16xf32>, %v: tensor<2x1x7x4xf32>,
      %u: tensor<2x1x7xf32>, %lengths: tensor<2xi32> {heddle.range = [5, 7]}, %keys: tensor<2x1x3x16xf32>,
      %values: tensor<2x1x3x4xf32>, %score: tensor<2x1x3xf32>, %key: tensor<2x1x3xi32>,
      %live: tensor<2x1x16xf32> {heddle.range = [0.0, 0.0]},
      %count: tensor<2x1xi32> {heddle.range = [0, 0]}, %hi: tensor<2x1xf32>, %lo: tensor<2x1xf32>,
      %position: tensor<2xi32> {heddle.range = [0, 0]}, %scale: tensor<2xf64>,
      %gate: tensor<2xi32> {heddle.range = [0, 2]}, %estimator: tensor<2xi32> {heddle.range = [0, 1]})
    -> (tensor<2x3x7x4xf32>, tensor<2x3x7x4xf32>, tensor<2x1x3x16xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3xf32>,
      tensor<2x1x3xi32>, tensor<2x1x16xf32>, tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 3 window 0
      : (tensor<2x3x7x16xf32>, tensor<2x1x7x16xf32>, tensor<2x1x7x4xf32>, tensor<2x1x7xf32>, tensor<2xi32>,
      tensor<2x1x3x16xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3xf32>, tensor<2x1x3xi32>, tensor<2x1x16xf32>,
      tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>, tensor<2xf64>, tensor<2xi32>, tensor<2xi32>)
      -> (tensor<2x3x7x4xf32>, tensor<2x1x3x16xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3xf32>, tensor<2x1x3xi32>,
      tensor<2x1x16xf32>, tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 3 window 0
      : (tensor<2x3x7x16xf32>, tensor<2x1x7x16xf32>, tensor<2x1x7x4xf32>, tensor<2x1x7xf32>, tensor<2xi32>,
      tensor<2x1x3x16xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3xf32>, tensor<2x1x3xi32>, tensor<2x1x16xf32>,
      tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>, tensor<2xf64>, tensor<2xi32>, tensor<2xi32>)
      -> (tensor<2x3x7x4xf32>, tensor<2x1x3x16xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3xf32>, tensor<2x1x3xi32>,
      tensor<2x1x16xf32>, tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<2x3x7x4xf32>,
      tensor<2x3x7x4xf32>, tensor<2x1x3x16xf32>, tensor<2x1x3x4xf32>, tensor<2x1x3xf32>, tensor<2x1x3xi32>,
      tensor<2x1x16xf32>, tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>
}

// Scores are not read.
func.func @no_selection(%q: tensor<1x2x5x4xf32>, %k: tensor<1x2x5x4xf32>, %v: tensor<1x2x5x4xf32>,
      %u: tensor<1x2x5xf32>, %lengths: tensor<1xi32> {heddle.range = [5, 5]}, %keys: tensor<1x2x3x4xf32>,
      %values: tensor<1x2x3x4xf32>, %score: tensor<1x2x3xf32>, %key: tensor<1x2x3xi32>,
      %live: tensor<1x2x0xf32> {heddle.range = [0.0, 0.0]},
      %count: tensor<1x2xi32> {heddle.range = [0, 0]}, %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>,
      %position: tensor<1xi32> {heddle.range = [0, 0]}, %scale: tensor<1xf64>,
      %gate: tensor<1xi32> {heddle.range = [0, 2]}, %estimator: tensor<1xi32> {heddle.range = [0, 1]})
    -> (tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>,
      tensor<1x2x3xi32>, tensor<1x2x0xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 0 window 3
      : (tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5xf32>, tensor<1xi32>,
      tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3xi32>, tensor<1x2x0xf32>,
      tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x2x5x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3xi32>,
      tensor<1x2x0xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 0 window 3
      : (tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5xf32>, tensor<1xi32>,
      tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3xi32>, tensor<1x2x0xf32>,
      tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x2x5x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3xi32>,
      tensor<1x2x0xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<1x2x5x4xf32>,
      tensor<1x2x5x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3x4xf32>, tensor<1x2x3xf32>, tensor<1x2x3xi32>,
      tensor<1x2x0xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>
}

func.func @doubles(%q: tensor<1x2x8x3xf64>, %k: tensor<1x1x8x3xf64>, %v: tensor<1x1x8x3xf64>, %u: tensor<1x1x8xf64>,
      %lengths: tensor<1xi32> {heddle.range = [8, 8]}, %keys: tensor<1x1x5x3xf64>, %values: tensor<1x1x5x3xf64>,
      %score: tensor<1x1x5xf64>, %key: tensor<1x1x5xi32>, %live: tensor<1x1x16xf64> {heddle.range = [0.0, 0.0]},
      %count: tensor<1x1xi32> {heddle.range = [0, 0]}, %hi: tensor<1x1xf64>, %lo: tensor<1x1xf64>,
      %position: tensor<1xi32> {heddle.range = [0, 0]}, %scale: tensor<1xf64>,
      %gate: tensor<1xi32> {heddle.range = [0, 2]}, %estimator: tensor<1xi32> {heddle.range = [0, 1]})
    -> (tensor<1x2x8x3xf64>, tensor<1x2x8x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5xf64>,
      tensor<1x1x5xi32>, tensor<1x1x16xf64>, tensor<1x1xi32>, tensor<1x1xf64>, tensor<1x1xf64>, tensor<1xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 3 window 2
      : (tensor<1x2x8x3xf64>, tensor<1x1x8x3xf64>, tensor<1x1x8x3xf64>, tensor<1x1x8xf64>, tensor<1xi32>,
      tensor<1x1x5x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5xf64>, tensor<1x1x5xi32>, tensor<1x1x16xf64>,
      tensor<1x1xi32>, tensor<1x1xf64>, tensor<1x1xf64>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x2x8x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5xf64>, tensor<1x1x5xi32>,
      tensor<1x1x16xf64>, tensor<1x1xi32>, tensor<1x1xf64>, tensor<1x1xf64>, tensor<1xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 3 window 2
      : (tensor<1x2x8x3xf64>, tensor<1x1x8x3xf64>, tensor<1x1x8x3xf64>, tensor<1x1x8xf64>, tensor<1xi32>,
      tensor<1x1x5x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5xf64>, tensor<1x1x5xi32>, tensor<1x1x16xf64>,
      tensor<1x1xi32>, tensor<1x1xf64>, tensor<1x1xf64>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x2x8x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5xf64>, tensor<1x1x5xi32>,
      tensor<1x1x16xf64>, tensor<1x1xi32>, tensor<1x1xf64>, tensor<1x1xf64>, tensor<1xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<1x2x8x3xf64>,
      tensor<1x2x8x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5x3xf64>, tensor<1x1x5xf64>, tensor<1x1x5xi32>,
      tensor<1x1x16xf64>, tensor<1x1xi32>, tensor<1x1xf64>, tensor<1x1xf64>, tensor<1xi32>
}

func.func @narrow(%q: tensor<1x4x8x20xbf16>, %k: tensor<1x1x8x20xbf16>, %v: tensor<1x1x8x10xbf16>,
      %u: tensor<1x1x8xf32>, %lengths: tensor<1xi32> {heddle.range = [6, 8]}, %keys: tensor<1x1x5x20xbf16>,
      %values: tensor<1x1x5x10xbf16>, %score: tensor<1x1x5xf32>, %key: tensor<1x1x5xi32>,
      %live: tensor<1x1x16xf32> {heddle.range = [0.0, 0.0]},
      %count: tensor<1x1xi32> {heddle.range = [0, 0]}, %hi: tensor<1x1xf32>, %lo: tensor<1x1xf32>,
      %position: tensor<1xi32> {heddle.range = [0, 0]}, %scale: tensor<1xf64>,
      %gate: tensor<1xi32> {heddle.range = [0, 2]}, %estimator: tensor<1xi32> {heddle.range = [0, 1]})
    -> (tensor<1x4x8x10xbf16>, tensor<1x4x8x10xbf16>, tensor<1x1x5x20xbf16>, tensor<1x1x5x10xbf16>,
      tensor<1x1x5xf32>, tensor<1x1x5xi32>, tensor<1x1x16xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>,
      tensor<1xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 3 window 2
      : (tensor<1x4x8x20xbf16>, tensor<1x1x8x20xbf16>, tensor<1x1x8x10xbf16>, tensor<1x1x8xf32>, tensor<1xi32>,
      tensor<1x1x5x20xbf16>, tensor<1x1x5x10xbf16>, tensor<1x1x5xf32>, tensor<1x1x5xi32>, tensor<1x1x16xf32>,
      tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x8x10xbf16>, tensor<1x1x5x20xbf16>, tensor<1x1x5x10xbf16>, tensor<1x1x5xf32>, tensor<1x1x5xi32>,
      tensor<1x1x16xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 3 window 2
      : (tensor<1x4x8x20xbf16>, tensor<1x1x8x20xbf16>, tensor<1x1x8x10xbf16>, tensor<1x1x8xf32>, tensor<1xi32>,
      tensor<1x1x5x20xbf16>, tensor<1x1x5x10xbf16>, tensor<1x1x5xf32>, tensor<1x1x5xi32>, tensor<1x1x16xf32>,
      tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x8x10xbf16>, tensor<1x1x5x20xbf16>, tensor<1x1x5x10xbf16>, tensor<1x1x5xf32>, tensor<1x1x5xi32>,
      tensor<1x1x16xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<1x4x8x10xbf16>,
      tensor<1x4x8x10xbf16>, tensor<1x1x5x20xbf16>, tensor<1x1x5x10xbf16>, tensor<1x1x5xf32>, tensor<1x1x5xi32>,
      tensor<1x1x16xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>
}

func.func @half(%q: tensor<1x4x8x20xf16>, %k: tensor<1x2x8x20xf16>, %v: tensor<1x2x8x10xf16>, %u: tensor<1x2x8xf32>,
      %lengths: tensor<1xi32> {heddle.range = [6, 8]}, %keys: tensor<1x2x5x20xf16>, %values: tensor<1x2x5x10xf16>,
      %score: tensor<1x2x5xf32>, %key: tensor<1x2x5xi32>, %live: tensor<1x2x16xf32> {heddle.range = [0.0, 0.0]},
      %count: tensor<1x2xi32> {heddle.range = [0, 0]}, %hi: tensor<1x2xf32>, %lo: tensor<1x2xf32>,
      %position: tensor<1xi32> {heddle.range = [0, 0]}, %scale: tensor<1xf64>,
      %gate: tensor<1xi32> {heddle.range = [0, 2]}, %estimator: tensor<1xi32> {heddle.range = [0, 1]})
    -> (tensor<1x4x8x10xf16>, tensor<1x4x8x10xf16>, tensor<1x2x5x20xf16>, tensor<1x2x5x10xf16>, tensor<1x2x5xf32>,
      tensor<1x2x5xi32>, tensor<1x2x16xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 3 window 2
      : (tensor<1x4x8x20xf16>, tensor<1x2x8x20xf16>, tensor<1x2x8x10xf16>, tensor<1x2x8xf32>, tensor<1xi32>,
      tensor<1x2x5x20xf16>, tensor<1x2x5x10xf16>, tensor<1x2x5xf32>, tensor<1x2x5xi32>, tensor<1x2x16xf32>,
      tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x8x10xf16>, tensor<1x2x5x20xf16>, tensor<1x2x5x10xf16>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x16xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 3 window 2
      : (tensor<1x4x8x20xf16>, tensor<1x2x8x20xf16>, tensor<1x2x8x10xf16>, tensor<1x2x8xf32>, tensor<1xi32>,
      tensor<1x2x5x20xf16>, tensor<1x2x5x10xf16>, tensor<1x2x5xf32>, tensor<1x2x5xi32>, tensor<1x2x16xf32>,
      tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x4x8x10xf16>, tensor<1x2x5x20xf16>, tensor<1x2x5x10xf16>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x16xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<1x4x8x10xf16>,
      tensor<1x4x8x10xf16>, tensor<1x2x5x20xf16>, tensor<1x2x5x10xf16>, tensor<1x2x5xf32>, tensor<1x2x5xi32>,
      tensor<1x2x16xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>
}

// More live scores than there is room for.
func.func @overflow(%q: tensor<1x1x12x2xf32>, %k: tensor<1x1x12x2xf32>, %v: tensor<1x1x12x2xf32>,
      %u: tensor<1x1x12xf32>, %lengths: tensor<1xi32> {heddle.range = [12, 12]}, %keys: tensor<1x1x2x2xf32>,
      %values: tensor<1x1x2x2xf32>, %score: tensor<1x1x2xf32>, %key: tensor<1x1x2xi32>,
      %live: tensor<1x1x2xf32> {heddle.range = [0.0, 0.0]},
      %count: tensor<1x1xi32> {heddle.range = [0, 0]}, %hi: tensor<1x1xf32>, %lo: tensor<1x1xf32>,
      %position: tensor<1xi32> {heddle.range = [0, 0]}, %scale: tensor<1xf64>,
      %gate: tensor<1xi32> {heddle.range = [0, 2]}, %estimator: tensor<1xi32> {heddle.range = [0, 1]})
    -> (tensor<1x1x12x2xf32>, tensor<1x1x12x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2xf32>,
      tensor<1x1x2xi32>, tensor<1x1x2xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>) {
  %a:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate,
      %estimator) topk 2 window 0
      : (tensor<1x1x12x2xf32>, tensor<1x1x12x2xf32>, tensor<1x1x12x2xf32>, tensor<1x1x12xf32>, tensor<1xi32>,
      tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>, tensor<1x1x2xf32>,
      tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x1x12x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>,
      tensor<1x1x2xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  %b:10 = sparsek.append %q, %k, %v, %u, %lengths
      onto (%a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8, %a#9, %scale, %gate, %estimator) topk 2 window 0
      : (tensor<1x1x12x2xf32>, tensor<1x1x12x2xf32>, tensor<1x1x12x2xf32>, tensor<1x1x12xf32>, tensor<1xi32>,
      tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>, tensor<1x1x2xf32>,
      tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
      -> (tensor<1x1x12x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>,
      tensor<1x1x2xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>)
  return %a#0, %b#0, %b#1, %b#2, %b#3, %b#4, %b#5, %b#6, %b#7, %b#8, %b#9 : tensor<1x1x12x2xf32>,
      tensor<1x1x12x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>,
      tensor<1x1x2xf32>, tensor<1x1xi32>, tensor<1x1xf32>, tensor<1x1xf32>, tensor<1xi32>
}

func.func @prompt(%k: tensor<3x2x40x6xf32>, %v: tensor<3x2x40x5xf32>, %u: tensor<3x2x40xf32>,
      %lengths: tensor<3xi32> {heddle.range = [0, 40]})
    -> (tensor<3x2x11x6xf32>, tensor<3x2x11x5xf32>, tensor<3x2x11xf32>, tensor<3x2x11xi32>, tensor<3x2x64xf32>,
      tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>) {
  %a:9 = sparsek.fill_cache %k, %v, %u, %lengths topk 7 window 4 capacity 64
      : (tensor<3x2x40x6xf32>, tensor<3x2x40x5xf32>, tensor<3x2x40xf32>, tensor<3xi32>)
      -> (tensor<3x2x11x6xf32>, tensor<3x2x11x5xf32>, tensor<3x2x11xf32>, tensor<3x2x11xi32>, tensor<3x2x64xf32>,
      tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi32>)
  return %a#0, %a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8 : tensor<3x2x11x6xf32>, tensor<3x2x11x5xf32>,
      tensor<3x2x11xf32>, tensor<3x2x11xi32>, tensor<3x2x64xf32>, tensor<3x2xi32>, tensor<3x2xf32>, tensor<3x2xf32>,
      tensor<3xi32>
}

func.func @short_prompt(%k: tensor<2x1x5x6xbf16>, %v: tensor<2x1x5x5xbf16>, %u: tensor<2x1x5xf32>,
      %lengths: tensor<2xi32> {heddle.range = [0, 5]})
    -> (tensor<2x1x11x6xbf16>, tensor<2x1x11x5xbf16>, tensor<2x1x11xf32>, tensor<2x1x11xi32>, tensor<2x1x64xf32>,
      tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>) {
  %a:9 = sparsek.fill_cache %k, %v, %u, %lengths topk 7 window 4 capacity 64
      : (tensor<2x1x5x6xbf16>, tensor<2x1x5x5xbf16>, tensor<2x1x5xf32>, tensor<2xi32>)
      -> (tensor<2x1x11x6xbf16>, tensor<2x1x11x5xbf16>, tensor<2x1x11xf32>, tensor<2x1x11xi32>, tensor<2x1x64xf32>,
      tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi32>)
  return %a#0, %a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8 : tensor<2x1x11x6xbf16>, tensor<2x1x11x5xbf16>,
      tensor<2x1x11xf32>, tensor<2x1x11xi32>, tensor<2x1x64xf32>, tensor<2x1xi32>, tensor<2x1xf32>, tensor<2x1xf32>,
      tensor<2xi32>
}

func.func @prompt_overflow(%k: tensor<1x2x40x6xf32>, %v: tensor<1x2x40x5xf32>, %u: tensor<1x2x40xf32>,
      %lengths: tensor<1xi32> {heddle.range = [40, 40]})
    -> (tensor<1x2x11x6xf32>, tensor<1x2x11x5xf32>, tensor<1x2x11xf32>, tensor<1x2x11xi32>, tensor<1x2x9xf32>,
      tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>) {
  %a:9 = sparsek.fill_cache %k, %v, %u, %lengths topk 7 window 4 capacity 9
      : (tensor<1x2x40x6xf32>, tensor<1x2x40x5xf32>, tensor<1x2x40xf32>, tensor<1xi32>)
      -> (tensor<1x2x11x6xf32>, tensor<1x2x11x5xf32>, tensor<1x2x11xf32>, tensor<1x2x11xi32>, tensor<1x2x9xf32>,
      tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
  return %a#0, %a#1, %a#2, %a#3, %a#4, %a#5, %a#6, %a#7, %a#8 : tensor<1x2x11x6xf32>, tensor<1x2x11x5xf32>,
      tensor<1x2x11xf32>, tensor<1x2x11xi32>, tensor<1x2x9xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>,
      tensor<1xi32>
}
