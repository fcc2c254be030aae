// RUN: heddle-opt --heddle-expand-math %s | FileCheck %s
// RUN: heddle-opt --heddle-expand-math=library=false %s | FileCheck --check-prefix=LEFT %s

// f64: exp and log are expanded, the rest is called.

// CHECK-DAG: func.func private @erf(f64) -> f64
// CHECK-DAG: func.func private @pow(f64, f64) -> f64
// CHECK-LABEL: func.func @expanded
// CHECK-NOT: call
// CHECK: math.fma %{{.*}} : f64
// CHECK-NOT: call
func.func @expanded(%x: f64) -> (f64, f64) {
  %a = math.exp %x : f64
  %b = math.log %x : f64
  return %a, %b : f64, f64
}

// CHECK-LABEL: func.func @called
// CHECK: call @erf(%{{.*}}) : (f64) -> f64
// CHECK-COUNT-2: call @pow(
// LEFT-LABEL: func.func @called
// LEFT: math.erf
// LEFT: math.powf %{{.*}} : vector<2xf64>
func.func @called(%x: f64, %v: vector<2xf64>) -> (f64, vector<2xf64>) {
  %a = math.erf %x : f64
  %b = math.powf %v, %v : vector<2xf64>
  return %a, %b : f64, vector<2xf64>
}
