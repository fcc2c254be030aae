// RUN: heddle-opt --heddle-fused --heddle-lowered %s | FileCheck %s

// Results are made over the donated arguments that they are computed from; among those by their names.
// CHECK-LABEL: func.func @update(
// CHECK-SAME: %arg2: memref<64xf32> {heddle.donated, heddle.name = "s.m"}, %arg3: memref<64xf32> {heddle.donated, heddle.name = "s.p"}
// CHECK-SAME: %arg5: memref<64xf32> {heddle.donor = 2 : i64, heddle.name = "out.0.p"}
// CHECK-SAME: %arg6: memref<64xf32> {heddle.donor = 1 : i64, heddle.name = "out.1.m"}
// CHECK-SAME: heddle.arena_bytes = 0
// CHECK: heddle.launch @{{[a-z0-9_]*}}[%{{.*}}] grain 64(%arg2, %arg4, %arg3)
// CHECK-NOT: memref.copy
// CHECK: return
func.func @update(%unused: tensor<64xf32> {heddle.donated}, %m: tensor<64xf32> {heddle.donated, heddle.name = "s.m"},
                  %p: tensor<64xf32> {heddle.donated, heddle.name = "s.p"}, %g: tensor<64xf32>)
    -> (tensor<64xf32> {heddle.name = "out.0.p"}, tensor<64xf32> {heddle.name = "out.1.m"}) {
  %n = heddle.add %m, %g : tensor<64xf32>
  %q = heddle.sub %p, %n : tensor<64xf32>
  return %q, %n : tensor<64xf32>, tensor<64xf32>
}

// Where something reads the argument later, the result has memory of its own.
// CHECK-LABEL: func.func @read_later(
// CHECK-SAME: %arg2: memref<1024xf32>, %arg3: memref<1024xf32> {heddle.donor = 0 : i64}
func.func @read_later(%x: tensor<1x32x32xf32> {heddle.donated}) -> (tensor<1x32x32xf32>, tensor<1x32x32xf32>) {
  %a = heddle.matmul %x, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %b = heddle.matmul %a, %a : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %c = heddle.matmul %a, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  %d = heddle.matmul %b, %c : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  return %a, %d : tensor<1x32x32xf32>, tensor<1x32x32xf32>
}

// A product cannot be written over what it reads.
// CHECK-LABEL: func.func @product(
// CHECK-SAME: %arg2: memref<1024xf32>, %arg3
func.func @product(%x: tensor<1x32x32xf32> {heddle.donated}) -> tensor<1x32x32xf32> {
  %a = heddle.matmul %x, %x : (tensor<1x32x32xf32>, tensor<1x32x32xf32>) -> tensor<1x32x32xf32>
  return %a : tensor<1x32x32xf32>
}

// Two results want one argument: one takes it.
// CHECK-LABEL: func.func @two(
// CHECK-SAME: %arg2: memref<64xf32> {heddle.donor = 0 : i64}, %arg3: memref<64xf32>, %arg4: memref<0xi8>)
func.func @two(%x: tensor<64xf32> {heddle.donated}) -> (tensor<64xf32>, tensor<64xf32>) {
  %a = heddle.exp %x : tensor<64xf32>
  %b = heddle.sin %x : tensor<64xf32>
  return %a, %b : tensor<64xf32>, tensor<64xf32>
}

// An argument that is also returned as it is stays where it is.
// CHECK-LABEL: func.func @unchanged(
// CHECK-SAME: %arg2: memref<64xf32>, %arg3: memref<64xf32> {heddle.donor = 0 : i64}
// CHECK: heddle.launch @{{.*}}(%arg1, %arg2)
// CHECK-NOT: memref.copy
// CHECK: return
func.func @unchanged(%x: tensor<64xf32> {heddle.donated}) -> (tensor<64xf32>, tensor<64xf32>) {
  %a = heddle.exp %x : tensor<64xf32>
  return %a, %x : tensor<64xf32>, tensor<64xf32>
}

// Exchanged arguments are not moved.
// CHECK-LABEL: func.func @exchanged(
// CHECK-SAME: %arg3: memref<64xf32> {heddle.donor = 1 : i64}, %arg4: memref<64xf32> {heddle.donor = 0 : i64}
// CHECK-NOT: memref.copy
// CHECK: return
func.func @exchanged(%x: tensor<64xf32> {heddle.donated}, %y: tensor<64xf32> {heddle.donated}) -> (tensor<64xf32>, tensor<64xf32>) {
  return %y, %x : tensor<64xf32>, tensor<64xf32>
}

// A carry lives in the argument from the start; nothing is copied.
// CHECK-LABEL: func.func @carry(
// CHECK-SAME: %arg2: memref<64xf32> {heddle.donor = 0 : i64}
// CHECK-NOT: memref.copy
// CHECK: scf.for
// CHECK: heddle.launch @{{.*}}(%arg1)
// CHECK-NOT: memref.copy
// CHECK: return
func.func @carry(%x: tensor<64xf32> {heddle.donated}) -> tensor<64xf32> {
  %r = heddle.for 4 scan() init(%x) : (tensor<64xf32>) -> (tensor<64xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<64xf32>):
    %b = heddle.exp %a : tensor<64xf32>
    heddle.yield %b : tensor<64xf32>
  }
  return %r : tensor<64xf32>
}

// A carry whose loop reads the argument beside it does not.
// CHECK-LABEL: func.func @read_in_loop(
// CHECK-SAME: %arg2: memref<64xf32>, %arg3
// CHECK: memref.copy %arg1, %arg2
// CHECK: return
func.func @read_in_loop(%x: tensor<64xf32> {heddle.donated}) -> tensor<64xf32> {
  %r = heddle.for 4 scan() init(%x) : (tensor<64xf32>) -> (tensor<64xf32>) {
  ^bb0(%i: tensor<i32>, %a: tensor<64xf32>):
    %b = heddle.exp %a : tensor<64xf32>
    %c = heddle.add %b, %x : tensor<64xf32>
    heddle.yield %c : tensor<64xf32>
  }
  return %r : tensor<64xf32>
}

// What a loop collects takes the place of what it scans, slice by slice.
// CHECK-LABEL: func.func @slices(
// CHECK-SAME: %arg4: memref<64xf32> {heddle.donor = 0 : i64}
// CHECK: scf.for
// CHECK-NOT: memref.view %arg4
// CHECK: %[[SLICE:.*]] = memref.view %arg1
// CHECK: heddle.launch @{{[a-z0-9_]*}}[%{{.*}}] grain 1(%[[SLICE]], %arg3)
// CHECK-NOT: %arg1
// CHECK: return
func.func @slices(%x: tensor<4x16xf32> {heddle.donated}, %s: tensor<f32>) -> (tensor<f32>, tensor<4x16xf32>) {
  %r, %all = heddle.for 4 scan(%x) init(%s) : (tensor<4x16xf32>, tensor<f32>) -> (tensor<f32>, tensor<4x16xf32>) {
  ^bb0(%i: tensor<i32>, %v: tensor<16xf32>, %a: tensor<f32>):
    %n = heddle.exp %v : tensor<16xf32>
    %m = heddle.reduce sum %n axes [0] : tensor<16xf32> -> tensor<f32>
    %b = heddle.add %a, %m : tensor<f32>
    heddle.yield %b, %n : tensor<f32>, tensor<16xf32>
  }
  return %r, %all : tensor<f32>, tensor<4x16xf32>
}

// A branch updates the argument or leaves it.
// CHECK-LABEL: func.func @branch(
// CHECK-SAME: %arg3: memref<64xf32> {heddle.donor = 0 : i64}
// CHECK: scf.if
// CHECK: heddle.launch @{{.*}}(%arg1)
// CHECK-NOT: memref.copy
// CHECK: return
func.func @branch(%x: tensor<64xf32> {heddle.donated}, %c: tensor<i1>) -> tensor<64xf32> {
  %r = heddle.if %c : (tensor<i1>) -> tensor<64xf32> {
    %b = heddle.exp %x : tensor<64xf32>
    heddle.yield %b : tensor<64xf32>
  } else {
    heddle.yield %x : tensor<64xf32>
  }
  return %r : tensor<64xf32>
}
