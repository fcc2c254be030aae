// RUN: heddle-opt --heddle-gpu-fused --heddle-gpu-lowered %s | FileCheck %s
// RUN: heddle-opt --pass-pipeline='builtin.module(heddle-gpu-fused,heddle-to-gpu{tf32=1})' %s | FileCheck %s --check-prefix=TF32

// The step's number is written by the stream, carries are copied there.
// CHECK-LABEL: func.func @loop
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[STEP:.*]] = arith.index_cast %[[I]] : index to i32
// CHECK: heddle.runtime_call @heddle_cuda_fill(%arg0, %{{.*}}, %[[STEP]], %c1) : !llvm.ptr, memref<1xi32>, i32, index
// CHECK: heddle.launch_device
func.func @loop(%s0: tensor<8xi32>) -> tensor<8xi32> {
  %last = heddle.for 4 scan() init(%s0) : (tensor<8xi32>) -> tensor<8xi32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xi32>):
    %b = heddle.broadcast %i axes [] : tensor<i32> -> tensor<8xi32>
    %t = heddle.add %s, %b : tensor<8xi32>
    heddle.yield %t : tensor<8xi32>
  }
  return %last : tensor<8xi32>
}

// A condition waits for the device.
// CHECK-LABEL: func.func @condition
// CHECK: %[[HOST:.*]] = memref.alloca() : memref<1xi8>
// CHECK: heddle.runtime_call @heddle_cuda_read(%arg0, %[[HOST]], %arg1, %c1) : !llvm.ptr, memref<1xi8>, memref<1xi8>, index
// CHECK: memref.load %[[HOST]]
// CHECK: scf.if
func.func @condition(%c: tensor<i1>, %x: tensor<8xf32>) -> tensor<8xf32> {
  %r = heddle.if %c : (tensor<i1>) -> tensor<8xf32> {
    %y = heddle.neg %x : tensor<8xf32>
    heddle.yield %y : tensor<8xf32>
  } else {
    heddle.yield %x : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}

// Failures have numbers; the kernel takes the record of failures as one more argument.
// CHECK-LABEL: func.func @failures
// CHECK-SAME: heddle.messages = {{\[\[}}8 : i32, "{{.*}}no"{{\]\]}}
// CHECK: heddle.launch_device @kernels::@{{.*}}assert_condition grid(%c1, %c1, %c1) block 32 shared 0(%arg1, %c0_i32) : memref<1xi8>, i32
func.func @failures(%c: tensor<i1>, %x: tensor<8xf32>) -> tensor<8xf32> {
  heddle.assert %c, "no" : tensor<i1>
  %y = heddle.neg %x : tensor<8xf32>
  return %y : tensor<8xf32>
}

// Products are calls.
// CHECK-LABEL: func.func @product
// CHECK-SAME: heddle.products = [{batch = 1 : i64, batch_a = 48 : i64, batch_b = 60 : i64, batch_out = 80 : i64, k = 6 : i64, m = 8 : i64, n = 10 : i64,
// TF32-LABEL: func.func @product
// TF32-SAME: row_out = 10 : i64, tf32 = 1 : i64,
// CHECK: heddle.runtime_call @heddle_cuda_matmul(%arg0, %c0_i32, %arg1, %arg2, %{{.*}}, %{{.*}}, %arg3, %{{.*}})
func.func @product(%a: tensor<8x6xf32>, %b: tensor<6x10xf32>) -> tensor<8x10xf32> {
  %c = heddle.einsum "mk,kn->mn" %a, %b : (tensor<8x6xf32>, tensor<6x10xf32>) -> tensor<8x10xf32>
  return %c : tensor<8x10xf32>
}

// The library does not cut long sums into parts where rows of the result are no multiple of 16 bytes: a kernel does.
// CHECK-LABEL: func.func @long_sums
// CHECK-NOT: heddle_cuda_matmul
// CHECK: heddle.launch_device @kernels::@{{.*}}matmul_tiles
// CHECK-NOT: heddle_cuda_matmul
// CHECK: heddle.launch_device @kernels::@{{.*}}matmul_sum
// CHECK: heddle.runtime_call @heddle_cuda_matmul
func.func @long_sums(%a: tensor<1x8192x64xbf16>, %b: tensor<1x8192x12xbf16>, %c: tensor<1x8192x16xbf16>) -> (tensor<1x64x12xbf16>, tensor<1x64x16xbf16>) {
  %0 = heddle.matmul %a, %b transpose_lhs : (tensor<1x8192x64xbf16>, tensor<1x8192x12xbf16>) -> tensor<1x64x12xbf16>
  %1 = heddle.matmul %a, %c transpose_lhs : (tensor<1x8192x64xbf16>, tensor<1x8192x16xbf16>) -> tensor<1x64x16xbf16>
  return %0, %1 : tensor<1x64x12xbf16>, tensor<1x64x16xbf16>
}

// CHECK: gpu.func @{{.*}}assert_condition({{.*}}) kernel attributes {heddle.bytes = 1 : i64, heddle.can_fail, heddle.operations = "assert"
