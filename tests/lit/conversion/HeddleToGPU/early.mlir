// RUN: heddle-opt --heddle-order-selection %s | FileCheck %s --check-prefix=ORDER
// RUN: heddle-opt --heddle-gpu-fused --heddle-gpu-lowered %s | FileCheck %s

// Scores come first, thresholds last: what makes queries lies between, and lists follow thresholds aside.
// ORDER-LABEL: func.func @forward
// ORDER-NEXT: %[[S:.*]] = heddle.matmul %arg1, %arg0
// ORDER-NEXT: %[[P:.*]] = heddle.matmul %arg0, %arg2
// ORDER-NEXT: %[[Q:.*]] = heddle.reshape %[[P]]
// ORDER-NEXT: sparsek.threshold %[[S]]
// ORDER-NEXT: sparsek.attention %[[Q]]
// CHECK-LABEL: func.func @forward
// CHECK: heddle.runtime_call @heddle_cuda_matmul(%arg0, %c0_i32,
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_aside(%arg0) : !llvm.ptr
// CHECK-NOT: heddle.runtime_call
// CHECK: heddle.launch_device @kernels::@{{.*}}_threshold_runs
// CHECK: heddle.runtime_call @heddle_cuda_return(%arg0, %c0_i32) : !llvm.ptr, i32
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_aside(%arg0) : !llvm.ptr
// CHECK: heddle.launch_device @kernels::@{{.*}}_attention_tile_keys
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_return(%arg0, %c1_i32) : !llvm.ptr, i32
// CHECK: heddle.runtime_call @heddle_cuda_matmul(%arg0, %c1_i32,
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_join(%arg0, %c0_i32) : !llvm.ptr, i32
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_join(%arg0, %c1_i32) : !llvm.ptr, i32
// CHECK: heddle.launch_device @kernels::@{{.*}}_attention_attention
func.func @forward(%x: tensor<1x128x32xf32>, %ws: tensor<1x32x1xf32>, %wq: tensor<1x32x16xf32>) -> (tensor<1x1x128x16xf32>, tensor<1x1x128xf32>) {
  %p = heddle.matmul %x, %wq : (tensor<1x128x32xf32>, tensor<1x32x16xf32>) -> tensor<1x128x16xf32>
  %q = heddle.reshape %p : tensor<1x128x16xf32> -> tensor<1x1x128x16xf32>
  %s = heddle.matmul %ws, %x transpose_lhs transpose_rhs : (tensor<1x32x1xf32>, tensor<1x128x32xf32>) -> tensor<1x1x128xf32>
  %hi, %lo, %count, %end = sparsek.threshold %s topk 8 window 8 : tensor<1x1x128xf32> -> tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xi32>, tensor<1x1x128xi32>
  %o, %lse = sparsek.attention %q, %q, %q, %s, %hi, %lo, %end topk 8 window 8 scale 1.0 gate both estimator soft : (tensor<1x1x128x16xf32>, tensor<1x1x128x16xf32>, tensor<1x1x128x16xf32>, tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xi32>) -> (tensor<1x1x128x16xf32>, tensor<1x1x128xf32>)
  return %o, %lse : tensor<1x1x128x16xf32>, tensor<1x1x128xf32>
}

// What follows the gradient of thresholds and is no larger than scores waits with it, up to where it is used.
// ORDER-LABEL: func.func @backward
// ORDER-NEXT: heddle.matmul %arg5
// ORDER-NEXT: sparsek.threshold_backward
// ORDER-NEXT: heddle.neg
// ORDER-NEXT: heddle.matmul %{{.*}}, %arg7
// ORDER-NEXT: heddle.add
// CHECK-LABEL: func.func @backward
// CHECK: heddle.runtime_call @heddle_cuda_aside
// CHECK: heddle.launch_device @kernels::@{{.*}}_threshold_backward_scores
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_return(%arg0, %c0_i32)
// CHECK: heddle.runtime_call @heddle_cuda_matmul
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_join(%arg0, %c0_i32)
// CHECK: heddle.launch_device @kernels::@{{.*}}_neg
func.func @backward(%u: tensor<1x1x128xf32>, %hi: tensor<1x1x128xf32>, %lo: tensor<1x1x128xf32>, %count: tensor<1x1x128xi32>, %dtau: tensor<1x1x128xf32>, %dq: tensor<1x128x16xf32>, %wq: tensor<1x16x32xf32>, %ws: tensor<1x1x32xf32>) -> tensor<1x128x32xf32> {
  %du = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window 8 : tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xi32>, tensor<1x1x128xf32> -> tensor<1x1x128xf32>
  %ds = heddle.neg %du : tensor<1x1x128xf32>
  %dx = heddle.matmul %ds, %ws transpose_lhs : (tensor<1x1x128xf32>, tensor<1x1x32xf32>) -> tensor<1x128x32xf32>
  %dy = heddle.matmul %dq, %wq : (tensor<1x128x16xf32>, tensor<1x16x32xf32>) -> tensor<1x128x32xf32>
  %sum = heddle.add %dx, %dy : tensor<1x128x32xf32>
  return %sum : tensor<1x128x32xf32>
}

// What has an effect is passed by nothing, and where nothing is to be done meanwhile nothing is put aside.
// ORDER-LABEL: func.func @alone
// ORDER-NEXT: heddle.neg %arg0
// ORDER-NEXT: sparsek.threshold
// ORDER-NEXT: heddle.check_index
// CHECK-LABEL: func.func @alone
// CHECK-NOT: heddle_cuda_aside
// CHECK: return
func.func @alone(%s: tensor<1x1x128xf32>, %i: tensor<4xi32>) -> (tensor<1x1x128xf32>, tensor<1x1x128xf32>) {
  %u = heddle.neg %s : tensor<1x1x128xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 8 : tensor<1x1x128xf32> -> tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xi32>, tensor<1x1x128xi32>
  heddle.check_index %i below 256, "index {} is outside a dimension of {}" : tensor<4xi32>
  %r = heddle.exp %s : tensor<1x1x128xf32>
  return %hi, %r : tensor<1x1x128xf32>, tensor<1x1x128xf32>
}

// An argument that was given up, but is read beside the thresholds, does not take them.
// CHECK-LABEL: func.func @donated
// CHECK-NOT: heddle.donor
// CHECK: heddle_cuda_aside
func.func @donated(%u: tensor<1x1x128xf32>, %old: tensor<1x1x128xf32> {heddle.donated}, %w: tensor<1x128x16xf32>) -> (tensor<1x1x128xf32>, tensor<1x1x16xf32>) {
  %y = heddle.matmul %old, %w : (tensor<1x1x128xf32>, tensor<1x128x16xf32>) -> tensor<1x1x16xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 8 : tensor<1x1x128xf32> -> tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xi32>, tensor<1x1x128xi32>
  return %hi, %y : tensor<1x1x128xf32>, tensor<1x1x16xf32>
}

// The same without thresholds that begin early: it is the argument's memory.
// CHECK-LABEL: func.func @taken
// CHECK-SAME: heddle.donor = 1
func.func @taken(%u: tensor<1x1x128xf32>, %old: tensor<1x1x128xf32> {heddle.donated}) -> tensor<1x1x128xf32> {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 8 : tensor<1x1x128xf32> -> tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xi32>, tensor<1x1x128xi32>
  return %hi : tensor<1x1x128xf32>
}

// In a loop, a section of each step; what it makes is collected where it is made.
// CHECK-LABEL: func.func @in_loop
// CHECK: scf.for
// CHECK: heddle.runtime_call @heddle_cuda_aside(%arg0)
// CHECK: %[[SLICE:.*]] = memref.view %arg3[%{{.*}}][] : memref<2048xi8> to memref<128xf32>
// CHECK: heddle.launch_device @kernels::@{{.*}}_threshold_runs {{.*}}%[[SLICE]]
// CHECK: heddle.runtime_call @heddle_cuda_return(%arg0, %[[N:.*]])
// CHECK: heddle.runtime_call @heddle_cuda_matmul
// CHECK-NEXT: heddle.runtime_call @heddle_cuda_join(%arg0, %[[N]])
// CHECK-NEXT: }
func.func @in_loop(%all: tensor<4x1x1x128xf32>, %w: tensor<1x128x16xf32>) -> (tensor<4x1x1x128xf32>, tensor<4x1x1x16xf32>) {
  %his, %ys = heddle.for 4 scan(%all) init() : (tensor<4x1x1x128xf32>) -> (tensor<4x1x1x128xf32>, tensor<4x1x1x16xf32>) {
  ^bb0(%i: tensor<i32>, %u: tensor<1x1x128xf32>):
    %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 8 : tensor<1x1x128xf32> -> tensor<1x1x128xf32>, tensor<1x1x128xf32>, tensor<1x1x128xi32>, tensor<1x1x128xi32>
    %y = heddle.matmul %u, %w : (tensor<1x1x128xf32>, tensor<1x128x16xf32>) -> tensor<1x1x16xf32>
    heddle.yield %hi, %y : tensor<1x1x128xf32>, tensor<1x1x16xf32>
  }
  return %his, %ys : tensor<4x1x1x128xf32>, tensor<4x1x1x16xf32>
}
