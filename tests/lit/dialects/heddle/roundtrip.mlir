// RUN: heddle-opt --verify-roundtrip %s | FileCheck %s

// CHECK-LABEL: func @einsum
// CHECK: heddle.einsum "bnd,dhe->bhne"
func.func @einsum(%a: tensor<2x5x8xf32>, %b: tensor<8x4x3xf32>) -> tensor<2x4x5x3xf32> {
  %c = heddle.einsum "bnd,dhe->bhne" %a, %b : (tensor<2x5x8xf32>, tensor<8x4x3xf32>) -> tensor<2x4x5x3xf32>
  return %c : tensor<2x4x5x3xf32>
}

// CHECK-LABEL: func @matmul
// CHECK: heddle.matmul %{{.*}}, %{{.*}} transpose_lhs : (tensor
// CHECK: heddle.matmul %{{.*}}, %{{.*}} transpose_rhs bias(%{{.*}}) addend(%{{.*}}) relu : (tensor
func.func @matmul(%a: tensor<2x8x4xf32>, %b: tensor<2x8x5xf32>, %v: tensor<3xf32>, %w: tensor<2x3x5xf32>, %x: tensor<2x4x3xf32>)
    -> tensor<2x4x3xf32> {
  %c = heddle.matmul %a, %b transpose_lhs : (tensor<2x8x4xf32>, tensor<2x8x5xf32>) -> tensor<2x4x5xf32>
  %d = heddle.matmul %c, %w transpose_rhs bias(%v) addend(%x) relu
    : (tensor<2x4x5xf32>, tensor<2x3x5xf32>, tensor<3xf32>, tensor<2x4x3xf32>) -> tensor<2x4x3xf32>
  return %d : tensor<2x4x3xf32>
}

// CHECK-LABEL: func @argsort
// CHECK: heddle.argsort %{{.*}} axis 1 : tensor<4x8xf32> -> tensor<4x8xi32>
// CHECK: heddle.argsort %{{.*}} axis 0 descending limit 3 : tensor<4x8xf32> -> tensor<3x8xi32>
func.func @argsort(%x: tensor<4x8xf32>) -> (tensor<4x8xi32>, tensor<3x8xi32>) {
  %a = heddle.argsort %x axis 1 : tensor<4x8xf32> -> tensor<4x8xi32>
  %b = heddle.argsort %x axis 0 descending limit 3 : tensor<4x8xf32> -> tensor<3x8xi32>
  return %a, %b : tensor<4x8xi32>, tensor<3x8xi32>
}

// A loop prints its step count, what it scans and its carries.
// CHECK-LABEL: func @loop
// CHECK: heddle.for 4 reverse scan(%{{.*}}) init(%{{.*}})
func.func @loop(%xs: tensor<4x8xf32>, %s0: tensor<8xf32>) -> (tensor<8xf32>, tensor<4xf32>) {
  %last, %all = heddle.for 4 reverse scan(%xs) init(%s0) : (tensor<4x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<4xf32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %s: tensor<8xf32>):
    %t = heddle.add %s, %x : tensor<8xf32>
    %n = heddle.reduce sum %t axes [0] : tensor<8xf32> -> tensor<f32>
    heddle.yield %t, %n : tensor<8xf32>, tensor<f32>
  }
  return %last, %all : tensor<8xf32>, tensor<4xf32>
}

// A launch on a device, by a module's kernel; the record of failures is not passed.
gpu.module @kernels {
  gpu.func @k(%a: memref<8xf32, 1>, %p: !llvm.ptr<1>, %n: i32, %errors: !llvm.ptr) kernel attributes {heddle.can_fail} {
    gpu.return
  }
}

// CHECK-LABEL: func @launch_device
// CHECK: heddle.launch_device @kernels::@k grid(%{{.*}}, %{{.*}}, %{{.*}}) block 256 shared 1024(%{{.*}}, %{{.*}}, %{{.*}}) : memref<8xf32>, memref<8xf32>, i32
// CHECK: heddle.launch_device @compiled::@k grid(%{{.*}}, %{{.*}}, %{{.*}}) block 1 shared 0()
func.func @launch_device(%n: index, %a: memref<8xf32>, %i: i32) {
  heddle.launch_device @kernels::@k grid(%n, %n, %n) block 256 shared 1024 (%a, %a, %i) : memref<8xf32>, memref<8xf32>, i32
  heddle.launch_device @compiled::@k grid(%n, %n, %n) block 1 shared 0 ()
  return
}
