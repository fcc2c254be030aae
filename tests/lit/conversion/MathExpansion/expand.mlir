// RUN: heddle-opt --heddle-expand-math %s | FileCheck %s
// RUN: heddle-opt --heddle-expand-math %s | FileCheck %s --check-prefix=NONE
// RUN: heddle-opt --heddle-expand-math=fused=false %s | FileCheck %s --check-prefixes=NONE,SEPARATE
// SEPARATE-NOT: math.fma
// NONE-NOT: math.{{exp|log|tanh|erf|sin|cos|powf}}
// NONE-NOT: divsi
// NONE-NOT: fastmath

// The argument is bounded, split into n ln 2 + r, and scaled in two steps.
// CHECK-LABEL: func.func @exp
// CHECK-SAME: %[[X:.*]]: f32
// CHECK: %[[HIGH:.*]] = arith.constant 8.900000e+01 : f32
// CHECK: arith.cmpf olt, %[[HIGH]], %[[X]] : f32
// CHECK: math.fma
// CHECK: arith.bitcast %{{.*}} : f32 to i32
// CHECK-COUNT-7: math.fma
// CHECK-NOT: math.fma
// CHECK: arith.shrsi
// CHECK: arith.shli
// CHECK: arith.shli
func.func @exp(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}

// CHECK-LABEL: func.func @vectors
// CHECK: math.fma %{{.*}} : vector<8xf32>
// CHECK: arith.divf %{{.*}} : vector<8xf32>
// CHECK: math.copysign %{{.*}} : vector<8xf32>
func.func @vectors(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.tanh %x : vector<8xf32>
  return %y : vector<8xf32>
}

// CHECK-LABEL: func.func @reduced_in_f64
// CHECK: arith.extf %{{.*}} : f32 to f64
// CHECK-COUNT-3: math.roundeven %{{.*}} : f64
// CHECK: arith.truncf %{{.*}} : f64 to f32
func.func @reduced_in_f64(%x: f32) -> (f32, f32) {
  %s = math.sin %x : f32
  %c = math.cos %x : f32
  return %s, %c : f32, f32
}

// CHECK-LABEL: func.func @rest
// CHECK-NOT: call
func.func @rest(%x: f32, %y: f32) -> (f32, f32, f32, f32, f32, f32) {
  %a = math.exp2 %x : f32
  %b = math.expm1 %x : f32
  %c = math.log %x : f32
  %d = math.log1p %x : f32
  %e = math.erf %x : f32
  %f = math.powf %x, %y : f32
  return %a, %b, %c, %d, %e, %f : f32, f32, f32, f32, f32, f32
}

// CHECK-LABEL: func.func @narrow
// CHECK: %[[WIDE:.*]] = arith.extf %{{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK: arith.truncf %{{.*}} : vector<4xf32> to vector<4xbf16>
func.func @narrow(%x: vector<4xbf16>) -> vector<4xbf16> {
  %y = math.log %x : vector<4xbf16>
  return %y : vector<4xbf16>
}

// Whatever is not elementary stays.
// CHECK-LABEL: func.func @kept
// CHECK: math.sqrt
// CHECK: math.rsqrt
func.func @kept(%x: f32) -> (f32, f32) {
  %a = math.sqrt %x : f32
  %b = math.rsqrt %x : f32
  return %a, %b : f32, f32
}
