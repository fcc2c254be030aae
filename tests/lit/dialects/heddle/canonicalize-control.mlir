// RUN: heddle-opt %s --canonicalize | FileCheck %s

// A carry that never changes is its start; one that only feeds itself goes, with the slices that it reads.
// CHECK-LABEL: @carries
// CHECK-SAME: (%[[XS:.*]]: tensor<4x8xf32>, %[[YS:.*]]: tensor<4xf32>, %[[S:.*]]: tensor<8xf32>, %[[D:.*]]: tensor<f32>, %[[K:.*]]: tensor<8xf32>)
func.func @carries(%xs: tensor<4x8xf32>, %ys: tensor<4xf32>, %s0: tensor<8xf32>, %d0: tensor<f32>, %k0: tensor<8xf32>)
    -> (tensor<8xf32>, tensor<8xf32>) {
  // CHECK: %[[R:.*]] = heddle.for 4 scan(%[[XS]]) init(%[[S]]) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<8xf32> {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<i32>, %[[X:.*]]: tensor<8xf32>, %[[C:.*]]: tensor<8xf32>):
  %r:4 = heddle.for 4 scan(%xs, %ys) init(%s0, %d0, %k0) : (tensor<4x8xf32>, tensor<4xf32>, tensor<8xf32>, tensor<f32>,
      tensor<8xf32>) -> (tensor<8xf32>, tensor<f32>, tensor<8xf32>, tensor<4xf32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %y: tensor<f32>, %s: tensor<8xf32>, %d: tensor<f32>, %k: tensor<8xf32>):
    // CHECK-NEXT: %[[P:.*]] = heddle.mul %[[X]], %[[K]]
    %p = heddle.mul %x, %k : tensor<8xf32>
    // CHECK-NEXT: %[[T:.*]] = heddle.add %[[C]], %[[P]]
    %t = heddle.add %s, %p : tensor<8xf32>
    %e = heddle.mul %d, %y : tensor<f32>
    // CHECK-NEXT: heddle.yield %[[T]] : tensor<8xf32>
    heddle.yield %t, %e, %k, %e : tensor<8xf32>, tensor<f32>, tensor<8xf32>, tensor<f32>
  }
  // CHECK: return %[[R]], %[[K]]
  return %r#0, %r#2 : tensor<8xf32>, tensor<8xf32>
}

// What a check depends on stays, though its results are not read.
// CHECK-LABEL: @checks
// CHECK: heddle.for 3 scan() init(%arg0) : (tensor<i32>) -> tensor<i32>
// CHECK: heddle.assert
func.func @checks(%n: tensor<i32>) {
  %one = heddle.constant dense<1> : tensor<i32>
  %nine = heddle.constant dense<9> : tensor<i32>
  %r = heddle.for 3 scan() init(%n) : (tensor<i32>) -> tensor<i32> {
  ^bb0(%i: tensor<i32>, %s: tensor<i32>):
    %t = heddle.add %s, %one : tensor<i32>
    %ok = heddle.compare lt %t, %nine : tensor<i32>
    heddle.assert %ok, "too large" : tensor<i1>
    heddle.yield %t : tensor<i32>
  }
  return
}

// CHECK-LABEL: @handed_through
// CHECK-SAME: (%[[XS:.*]]: tensor<4x8xf32>, %[[V:.*]]: tensor<8xf32>, %[[S:.*]]: tensor<8xf32>)
func.func @handed_through(%xs: tensor<4x8xf32>, %v: tensor<8xf32>, %s0: tensor<8xf32>) -> (tensor<8xf32>,
    tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) {
  // CHECK: %[[ALL:.*]] = heddle.broadcast %[[V]] axes [1] : tensor<8xf32> -> tensor<4x8xf32>
  // CHECK: %[[R:.*]]:2 = heddle.for 4 scan(%[[XS]]) init(%[[S]])
  %b = heddle.broadcast %v axes [1] : tensor<8xf32> -> tensor<4x8xf32>
  %zeros = heddle.constant dense<0.0> : tensor<4x8xf32>
  %r:5 = heddle.for 4 scan(%xs, %xs, %b, %zeros) init(%s0) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>,
      tensor<4x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>,
      tensor<4x8xf32>) {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<i32>, %[[X:.*]]: tensor<8xf32>, %[[C:.*]]: tensor<8xf32>):
  ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %again: tensor<8xf32>, %same: tensor<8xf32>, %zero: tensor<8xf32>, %s: tensor<8xf32>):
    // CHECK-NEXT: %[[P:.*]] = heddle.mul %[[X]], %[[X]]
    // CHECK-NEXT: %[[Q:.*]] = heddle.sub %[[P]], %[[V]]
    // CHECK-NEXT: %[[T:.*]] = heddle.add %[[C]], %[[Q]]
    %p = heddle.mul %x, %again : tensor<8xf32>
    %q = heddle.sub %p, %same : tensor<8xf32>
    %d = heddle.sub %q, %zero : tensor<8xf32>
    %t = heddle.add %s, %d : tensor<8xf32>
    // CHECK-NEXT: heddle.yield %[[T]], %[[Q]] : tensor<8xf32>, tensor<8xf32>
    heddle.yield %t, %v, %x, %q, %q : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
  }
  // CHECK: return %[[R]]#0, %[[ALL]], %[[XS]], %[[R]]#1, %[[R]]#1
  return %r#0, %r#1, %r#2, %r#3, %r#4 : tensor<8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}

// CHECK-LABEL: @few_steps
// CHECK-SAME: (%[[XS:.*]]: tensor<1x8xf32>, %[[S:.*]]: tensor<8xf32>)
func.func @few_steps(%xs: tensor<1x8xf32>, %s0: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<1x8xf32>,
                                                                 tensor<8xf32>) {
  %none = heddle.for 0 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %t = heddle.exp %s : tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  }
  // CHECK: %[[X:.*]] = heddle.reshape %[[XS]] : tensor<1x8xf32> -> tensor<8xf32>
  // CHECK: %[[T:.*]] = heddle.add %[[S]], %[[X]]
  // CHECK: %[[E:.*]] = heddle.exp %[[T]]
  // CHECK: %[[ALL:.*]] = heddle.reshape %[[E]] : tensor<8xf32> -> tensor<1x8xf32>
  %one:2 = heddle.for 1 reverse scan(%xs) init(%s0) : (tensor<1x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<1x8xf32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %s: tensor<8xf32>):
    %t = heddle.add %s, %x : tensor<8xf32>
    %e = heddle.exp %t : tensor<8xf32>
    heddle.yield %t, %e : tensor<8xf32>, tensor<8xf32>
  }
  // Differentiation reads the mark.
  // CHECK: %[[MARKED:.*]] = heddle.for 1
  // CHECK: } {heddle.checkpoint}
  %marked = heddle.for 1 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %t = heddle.exp %s : tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  } {heddle.checkpoint}
  // CHECK: return %[[S]], %[[T]], %[[ALL]], %[[MARKED]]
  return %none, %one#0, %one#1, %marked : tensor<8xf32>, tensor<8xf32>, tensor<1x8xf32>, tensor<8xf32>
}

// Reshapes that only add or drop axes of extent 1 leave the loop.
// CHECK-LABEL: @stacked_units
// CHECK-SAME: (%[[XS:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: %[[R:.*]] = heddle.for 4 scan(%[[XS]]) init() : (tensor<4x8xf32>) -> tensor<4x8xf32> {
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<i32>, %[[X:.*]]: tensor<8xf32>):
// CHECK-NEXT: %[[E:.*]] = heddle.exp %[[X]] : tensor<8xf32>
// CHECK-NEXT: heddle.yield %[[E]] : tensor<8xf32>
// CHECK: %[[STACK:.*]] = heddle.reshape %[[R]] : tensor<4x8xf32> -> tensor<4x8x1xf32>
// CHECK: return %[[STACK]]
func.func @stacked_units(%xs: tensor<4x8xf32>) -> tensor<4x8x1xf32> {
  %columns = heddle.reshape %xs : tensor<4x8xf32> -> tensor<4x8x1xf32>
  %r = heddle.for 4 scan(%columns) init() : (tensor<4x8x1xf32>) -> tensor<4x8x1xf32> {
  ^bb0(%i: tensor<i32>, %x: tensor<8x1xf32>):
    %e = heddle.exp %x : tensor<8x1xf32>
    heddle.yield %e : tensor<8x1xf32>
  }
  return %r : tensor<4x8x1xf32>
}

// CHECK-LABEL: @conditions
// CHECK-SAME: (%[[C:.*]]: tensor<i1>, %[[A:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
func.func @conditions(%c: tensor<i1>, %a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %false = heddle.constant dense<false> : tensor<i1>
  // CHECK: %[[N:.*]] = heddle.neg %[[B]]
  %known = heddle.if %false : (tensor<i1>) -> tensor<4xf32> {
    heddle.yield %a : tensor<4xf32>
  } else {
    %n = heddle.neg %b : tensor<4xf32>
    heddle.yield %n : tensor<4xf32>
  }
  // CHECK: %[[R:.*]] = heddle.if %[[C]] : (tensor<i1>) -> tensor<4xf32> {
  // CHECK-NEXT: heddle.yield %[[A]] : tensor<4xf32>
  // CHECK-NEXT: } else {
  // CHECK-NEXT: heddle.yield %[[B]] : tensor<4xf32>
  %r:3 = heddle.if %c : (tensor<i1>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    %e = heddle.exp %a : tensor<4xf32>
    heddle.yield %e, %b, %a : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  } else {
    heddle.yield %b, %b, %b : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  // CHECK: return %[[N]], %[[B]], %[[R]]
  return %known, %r#1, %r#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @assertions
// CHECK-SAME: (%[[C:.*]]: tensor<i1>)
// CHECK-NEXT: %[[FALSE:.*]] = heddle.constant dense<false>
// CHECK-NEXT: heddle.assert %[[C]], "unknown"
// CHECK-NEXT: heddle.assert %[[FALSE]], "never"
// CHECK-NEXT: return
func.func @assertions(%c: tensor<i1>) {
  %true = heddle.constant dense<true> : tensor<i1>
  %false = heddle.constant dense<false> : tensor<i1>
  heddle.assert %true, "always" : tensor<i1>
  heddle.assert %c, "unknown" : tensor<i1>
  heddle.assert %false, "never" : tensor<i1>
  return
}
