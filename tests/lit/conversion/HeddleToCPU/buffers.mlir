// RUN: heddle-opt --heddle-fused --heddle-lowered %s | FileCheck %s

// Results are made where the caller wants them; a chain needs two places, whatever its length.
// CHECK-LABEL: func.func @chain(%arg0: !llvm.ptr, %arg1: memref<1024xf32>, %arg2: memref<1024xf32>, %arg3: memref<8192xi8>) attributes {heddle.arena_bytes = 8192 : i64, heddle.entry}
// CHECK-COUNT-4: heddle.launch
// CHECK-NOT: memref.copy
// CHECK: return
func.func @chain(%x: tensor<1x32x32xf32>) -> tensor<1x32x32xf32> {
  %a = heddle.matmul %x, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %b = heddle.matmul %a, %a : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %c = heddle.matmul %b, %b : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %d = heddle.matmul %c, %c : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  return %d : tensor<1x32x32xf32>
}

// A cache is written block by block in the result; what each step collects is made in its slice.
// CHECK-LABEL: func.func @cache(
// CHECK: memref.copy %arg1, %arg3
// CHECK: scf.for
// CHECK-NOT: memref.copy
// CHECK: heddle.launch @{{.*}}update_slice[%{{.*}}] grain 2({{.*}}, %arg3)
// CHECK: %[[SLICE:.*]] = memref.view %arg4
// CHECK: heddle.launch @{{.*}}reduce[%{{.*}}] grain 2(%arg3, %[[SLICE]])
// CHECK-NOT: memref.copy
// CHECK: return
func.func @cache(%x: tensor<2x8x3xf32>, %u: tensor<6x2x1x3xf32>) -> (tensor<2x8x3xf32>, tensor<6x2x3xf32>) {
  %r, %all = heddle.for 6 scan(%u) init(%x) : (tensor<6x2x1x3xf32>, tensor<2x8x3xf32>) -> (tensor<2x8x3xf32>, tensor<6x2x3xf32>) {
  ^bb0(%i: tensor<i32>, %v: tensor<2x1x3xf32>, %a: tensor<2x8x3xf32>):
    %n = heddle.dynamic_update_slice %a, %v[%i] axis 1 : tensor<2x8x3xf32>, tensor<2x1x3xf32>, tensor<i32>
    %s = heddle.reduce sum %n axes [1] : tensor<2x8x3xf32> -> tensor<2x3xf32>
    heddle.yield %n, %s : tensor<2x8x3xf32>, tensor<2x3xf32>
  }
  return %r, %all : tensor<2x8x3xf32>, tensor<6x2x3xf32>
}

// A carry is updated in place; one that is collected lives in the stack of its values: neither is copied in the loop.
// CHECK-LABEL: func.func @carries(
// CHECK: scf.for
// CHECK-NOT: memref.copy
// CHECK: heddle.launch @{{[a-z0-9_]*}}[%{{.*}}] grain 64(%arg3) : memref<64xf32>
// CHECK-NOT: memref.copy
// CHECK: }
func.func @carries(%x: tensor<64xf32>, %y: tensor<16xf32>) -> (tensor<64xf32>, tensor<16xf32>) {
  %p, %q, %all = heddle.for 4 scan() init(%x, %y) : (tensor<64xf32>, tensor<16xf32>) -> (tensor<64xf32>, tensor<16xf32>, tensor<4x16xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<64xf32>, %b: tensor<16xf32>):
    %c = heddle.exp %a : tensor<64xf32>
    %d = heddle.sin %b : tensor<16xf32>
    heddle.yield %c, %d, %b : tensor<64xf32>, tensor<16xf32>, tensor<16xf32>
  }
  %r = heddle.reduce sum %all axes [0] : tensor<4x16xf32> -> tensor<16xf32>
  return %p, %r : tensor<64xf32>, tensor<16xf32>
}

// Equal groups share one kernel.
// CHECK-LABEL: func.func @shared(
// CHECK: heddle.launch @[[KERNEL:.*]][
// CHECK: heddle.launch
// CHECK: heddle.launch @[[KERNEL]][
func.func @shared(%x: tensor<1x32x32xf32>) -> tensor<1x32x32xf32> {
  %a = heddle.exp %x : tensor<1x32x32xf32>
  %b = heddle.matmul %a, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %c = heddle.exp %b : tensor<1x32x32xf32>
  return %c : tensor<1x32x32xf32>
}

// A group writes over an operand that nothing reads any more: one buffer, not two.
// CHECK-LABEL: func.func @overwritten({{.*}}) attributes {heddle.arena_bytes = 4096 : i64
// CHECK: %[[A:.*]] = memref.view
// CHECK: heddle.launch @[[PRODUCT:[a-z0-9_]*]][%{{.*}}] grain 1(%arg1, %arg1, %[[A]])
// CHECK: heddle.launch @[[GROUP:[a-z0-9_]*]][%{{.*}}] grain {{[0-9]*}}(%[[A]]) : memref<1024xf32>
// CHECK: heddle.launch @[[PRODUCT]]
func.func @overwritten(%x: tensor<1x32x32xf32>) -> tensor<1x32x32xf32> {
  %a = heddle.matmul %x, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %b = heddle.exp %a : tensor<1x32x32xf32>
  %c = heddle.matmul %b, %b : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  return %c : tensor<1x32x32xf32>
}

// Not where something reads it later, nor where another element than the written one is read.
// CHECK-LABEL: func.func @kept({{.*}}) attributes {heddle.arena_bytes = 8192 : i64
func.func @kept(%x: tensor<1x32x32xf32>) -> (tensor<1x32x32xf32>, tensor<1x32x32xf32>) {
  %a = heddle.matmul %x, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %b = heddle.exp %a : tensor<1x32x32xf32>
  %c = heddle.matmul %b, %a : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %d = heddle.reverse %c axes [2] : tensor<1x32x32xf32>
  %e = heddle.sin %d : tensor<1x32x32xf32>
  %f = heddle.matmul %e, %b : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  return %c, %f : tensor<1x32x32xf32>, tensor<1x32x32xf32>
}

// A step's slice of a stack that one loop alone reads is overwritten too.
// CHECK-LABEL: func.func @slices(
// CHECK: scf.for
// CHECK: scf.for
// CHECK: %[[SLICE:.*]] = memref.view
// CHECK: heddle.launch @{{[a-z0-9_]*}}[%{{.*}}] grain {{[0-9]*}}(%[[SLICE]]) : memref<1024xf32>
func.func @slices(%x: tensor<4x1x32x32xf32>, %y: tensor<1x32x32xf32>) -> tensor<1x32x32xf32> {
  %all = heddle.for 4 scan(%x) init() : (tensor<4x1x32x32xf32>) -> (tensor<4x1x32x32xf32>) {
  ^bb0(%i: tensor<i32>, %v: tensor<1x32x32xf32>):
    %p = heddle.matmul %v, %v : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
    heddle.yield %p : tensor<1x32x32xf32>
  }
  %r = heddle.for 4 reverse scan(%all) init(%y) : (tensor<4x1x32x32xf32>, tensor<1x32x32xf32>) -> (tensor<1x32x32xf32>) {
  ^bb0(%i: tensor<i32>, %v: tensor<1x32x32xf32>, %c: tensor<1x32x32xf32>):
    %e = heddle.exp %v : tensor<1x32x32xf32>
    %n = heddle.matmul %e, %c : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
    heddle.yield %n : tensor<1x32x32xf32>
  }
  return %r : tensor<1x32x32xf32>
}

// What lets go of memory runs first: the second large product is made when the first one is gone.
// CHECK-LABEL: func.func @order({{.*}}) attributes {heddle.arena_bytes = 4224 : i64
// CHECK: heddle.launch @[[LARGE:[a-z0-9_]*]][%{{.*}}] grain 1(%arg1, %arg1,
// CHECK: heddle.launch @[[SMALL:[a-z0-9_]*]][
// CHECK: heddle.launch @[[LARGE]][%{{.*}}] grain 1(%arg1, %arg2,
// CHECK: heddle.launch @[[SMALL]][
func.func @order(%x: tensor<1x32x32xf32>, %y: tensor<1x32x32xf32>, %z: tensor<1x32x1xf32>) -> (tensor<1x1x1xf32>, tensor<1x32x1xf32>) {
  %a = heddle.matmul %x, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %b = heddle.matmul %x, %y : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %s = heddle.matmul %a, %z : (tensor<1x32x32xf32>, tensor<1x32x1xf32>) -> tensor<1x32x1xf32>
  %t = heddle.matmul %b, %z : (tensor<1x32x32xf32>, tensor<1x32x1xf32>) -> tensor<1x32x1xf32>
  %u = heddle.matmul %s, %t transpose_lhs : (tensor<1x32x1xf32>, tensor<1x32x1xf32>) -> tensor<1x1x1xf32>
  return %u, %t : tensor<1x1x1xf32>, tensor<1x32x1xf32>
}

// A carried stack that an inner loop scans and collects anew is updated slice by slice.
// CHECK-LABEL: func.func @carried_stack(
// CHECK: memref.copy %arg1
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NEXT: arith.muli
// CHECK-NEXT: %[[SLICE:.*]] = memref.view %arg2
// CHECK-NEXT: heddle.launch @{{[a-z0-9_]*}}[%{{.*}}] grain 16(%[[SLICE]])
// CHECK-NOT: memref.copy
// CHECK: return
func.func @carried_stack(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %r = heddle.for 3 scan() init(%x) : (tensor<4x16xf32>) -> (tensor<4x16xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<4x16xf32>):
    %all = heddle.for 4 scan(%a) init() : (tensor<4x16xf32>) -> (tensor<4x16xf32>) {
    ^bb0(%j: tensor<i32>, %v: tensor<16xf32>):
      %d = heddle.exp %v : tensor<16xf32>
      heddle.yield %d : tensor<16xf32>
    }
    heddle.yield %all : tensor<4x16xf32>
  }
  return %r : tensor<4x16xf32>
}
