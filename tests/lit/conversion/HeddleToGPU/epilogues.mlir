// RUN: heddle-opt --heddle-fuse-epilogues %s | FileCheck %s --check-prefixes=CHECK,LIBRARY
// RUN: heddle-opt --pass-pipeline='builtin.module(heddle-fuse-epilogues{matmul=0})' %s | FileCheck %s --check-prefixes=CHECK,KERNEL

// A bias of the columns, then a residual.
// CHECK-LABEL: func.func @bias_residual
// CHECK-NEXT: %[[V:.*]] = heddle.reshape %arg2 : tensor<2x5xf32> -> tensor<10xf32>
// CHECK-NEXT: %[[R:.*]] = heddle.reshape %arg3 : tensor<4x2x5xf32> -> tensor<1x4x10xf32>
// CHECK-NEXT: %[[C:.*]] = heddle.matmul %arg0, %arg1 bias(%[[V]]) addend(%[[R]])
// CHECK-NEXT: %[[S:.*]] = heddle.reshape %[[C]] : tensor<1x4x10xf32> -> tensor<4x2x5xf32>
// CHECK-NEXT: return %[[S]]
func.func @bias_residual(%a: tensor<1x4x8xf32>, %b: tensor<1x8x10xf32>, %v: tensor<2x5xf32>, %r: tensor<4x2x5xf32>) -> tensor<4x2x5xf32> {
  %c = heddle.matmul %a, %b : (tensor<1x4x8xf32>, tensor<1x8x10xf32>) -> tensor<1x4x10xf32>
  %d = heddle.reshape %c : tensor<1x4x10xf32> -> tensor<4x2x5xf32>
  %w = heddle.broadcast %v axes [1, 2] : tensor<2x5xf32> -> tensor<4x2x5xf32>
  %e = heddle.add %d, %w : tensor<4x2x5xf32>
  %f = heddle.add %r, %e : tensor<4x2x5xf32>
  return %f : tensor<4x2x5xf32>
}

// The library rounds once, which is not what two operations do; kernels round twice.
// CHECK-LABEL: func.func @narrow
// LIBRARY: heddle.matmul %arg0, %arg1 :
// LIBRARY: heddle.add
// KERNEL: heddle.matmul %arg0, %arg1 bias(%arg2)
// KERNEL-NOT: heddle.add
func.func @narrow(%a: tensor<1x4x8xbf16>, %b: tensor<1x8x10xbf16>, %v: tensor<10xbf16>) -> tensor<1x4x10xbf16> {
  %c = heddle.matmul %a, %b : (tensor<1x4x8xbf16>, tensor<1x8x10xbf16>) -> tensor<1x4x10xbf16>
  %w = heddle.broadcast %v axes [2] : tensor<10xbf16> -> tensor<1x4x10xbf16>
  %d = heddle.add %c, %w : tensor<1x4x10xbf16>
  return %d : tensor<1x4x10xbf16>
}

// CHECK-LABEL: func.func @relu
// CHECK: heddle.matmul %arg0, %arg1 relu :
// CHECK-NOT: heddle.select
func.func @relu(%a: tensor<1x4x8xf32>, %b: tensor<1x8x10xf32>) -> tensor<1x4x10xf32> {
  %zero = heddle.constant dense<0.0> : tensor<1x4x10xf32>
  %c = heddle.matmul %a, %b : (tensor<1x4x8xf32>, tensor<1x8x10xf32>) -> tensor<1x4x10xf32>
  %p = heddle.compare le %c, %zero : tensor<1x4x10xf32>
  %d = heddle.select %p, %zero, %c : tensor<1x4x10xi1>, tensor<1x4x10xf32>
  return %d : tensor<1x4x10xf32>
}

// Relu is the same before and after a rounding; with a residual the library would apply it too early.
// CHECK-LABEL: func.func @narrow_relu
// CHECK: heddle.matmul %arg0, %arg1 relu :
// CHECK: heddle.matmul %arg2, %arg4 addend(%arg3)
// LIBRARY-NOT: relu
// LIBRARY: heddle.select
// KERNEL-SAME: relu :
func.func @narrow_relu(%a: tensor<1x4x8xbf16>, %b: tensor<1x8x10xbf16>, %c: tensor<1x4x8xf32>, %x: tensor<1x4x10xf32>, %y: tensor<1x8x10xf32>)
    -> (tensor<1x4x10xbf16>, tensor<1x4x10xf32>) {
  %zero = heddle.constant dense<0.0> : tensor<1x4x10xbf16>
  %p = heddle.matmul %a, %b : (tensor<1x4x8xbf16>, tensor<1x8x10xbf16>) -> tensor<1x4x10xbf16>
  %le = heddle.compare le %p, %zero : tensor<1x4x10xbf16>
  %r = heddle.select %le, %zero, %p : tensor<1x4x10xi1>, tensor<1x4x10xbf16>
  %zero32 = heddle.constant dense<0.0> : tensor<1x4x10xf32>
  %q = heddle.matmul %c, %y : (tensor<1x4x8xf32>, tensor<1x8x10xf32>) -> tensor<1x4x10xf32>
  %s = heddle.add %q, %x : tensor<1x4x10xf32>
  %le32 = heddle.compare le %s, %zero32 : tensor<1x4x10xf32>
  %t = heddle.select %le32, %zero32, %s : tensor<1x4x10xi1>, tensor<1x4x10xf32>
  return %r, %t : tensor<1x4x10xbf16>, tensor<1x4x10xf32>
}

// Sums of products, as gradients are, pass through one buffer.
// CHECK-LABEL: func.func @products
// CHECK: %[[C:.*]] = heddle.matmul %arg2, %arg1 :
// CHECK: heddle.matmul %arg0, %arg1 addend(%[[C]])
func.func @products(%a: tensor<1x4x8xf32>, %b: tensor<1x8x10xf32>, %x: tensor<1x4x8xf32>) -> tensor<1x4x10xf32> {
  %c = heddle.matmul %a, %b : (tensor<1x4x8xf32>, tensor<1x8x10xf32>) -> tensor<1x4x10xf32>
  %d = heddle.matmul %x, %b : (tensor<1x4x8xf32>, tensor<1x8x10xf32>) -> tensor<1x4x10xf32>
  %e = heddle.add %d, %c : tensor<1x4x10xf32>
  return %e : tensor<1x4x10xf32>
}

// What a group would compute while it adds is not written to memory for the product's sake.
// CHECK-LABEL: func.func @computed
// CHECK: heddle.matmul %arg0, %arg1 :
// CHECK: heddle.add
func.func @computed(%a: tensor<1x4x8xf32>, %b: tensor<1x8x10xf32>, %x: tensor<1x4x10xf32>) -> tensor<1x4x10xf32> {
  %c = heddle.matmul %a, %b : (tensor<1x4x8xf32>, tensor<1x8x10xf32>) -> tensor<1x4x10xf32>
  %y = heddle.exp %x : tensor<1x4x10xf32>
  %e = heddle.add %c, %y : tensor<1x4x10xf32>
  return %e : tensor<1x4x10xf32>
}

// It is there where the product reads it.
// CHECK-LABEL: func.func @residual_stream
// CHECK: %[[Y:.*]] = heddle.exp
// CHECK: heddle.matmul %[[Y]], %arg0 addend(%[[Y]])
func.func @residual_stream(%b: tensor<1x10x10xf32>, %x: tensor<1x4x10xf32>) -> tensor<1x4x10xf32> {
  %y = heddle.exp %x : tensor<1x4x10xf32>
  %c = heddle.matmul %y, %b : (tensor<1x4x10xf32>, tensor<1x10x10xf32>) -> tensor<1x4x10xf32>
  %e = heddle.add %y, %c : tensor<1x4x10xf32>
  return %e : tensor<1x4x10xf32>
}

// A product that something else reads too stays as it is.
// CHECK-LABEL: func.func @read_twice
// CHECK: heddle.matmul %arg0, %arg1 :
// CHECK: heddle.add
func.func @read_twice(%a: tensor<1x4x8xf32>, %b: tensor<1x8x10xf32>, %x: tensor<1x4x10xf32>) -> (tensor<1x4x10xf32>, tensor<1x4x10xf32>) {
  %c = heddle.matmul %a, %b : (tensor<1x4x8xf32>, tensor<1x8x10xf32>) -> tensor<1x4x10xf32>
  %e = heddle.add %c, %x : tensor<1x4x10xf32>
  return %c, %e : tensor<1x4x10xf32>, tensor<1x4x10xf32>
}
