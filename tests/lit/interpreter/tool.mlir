// Results are printed; other functions than public ones without parameters are not run.
// RUN: heddle-interp %s | FileCheck %s
// RUN: heddle-interp - < %s | FileCheck %s
// RUN: heddle-interp --precision f64 %s | FileCheck %s --check-prefix=WIDE
// RUN: heddle-interp --function second %s | FileCheck %s --check-prefix=ONE
// RUN: not heddle-interp --function none %s 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not heddle-interp %t.missing 2>&1 | FileCheck %s --check-prefix=MISSING

// CHECK: @first: f32[2] [0.100000001, 2]
// CHECK-NEXT: @second: bool true
// CHECK-NEXT: @second: i32[1, 2] {{\[}}[3, 4]]
// CHECK-NOT: @
// WIDE: @first: f64[2] [0.10000000149011612, 2]
// ONE-NOT: @first
// ONE: @second: bool true
// NONE: error: {{.*}}tool.mlir has no function @none
// MISSING: error: {{.*}}.missing

func.func @first() -> tensor<2xf32> {
  %x = heddle.constant dense<[0.1, 2.0]> : tensor<2xf32>
  return %x : tensor<2xf32>
}

func.func @second() -> (tensor<i1>, tensor<1x2xi32>) {
  %x = heddle.constant dense<true> : tensor<i1>
  %y = heddle.constant dense<[[3, 4]]> : tensor<1x2xi32>
  return %x, %y : tensor<i1>, tensor<1x2xi32>
}

func.func @parameter(%x: tensor<f32>) {
  return
}

func.func private @hidden() -> tensor<i32> {
  %x = heddle.constant dense<5> : tensor<i32>
  return %x : tensor<i32>
}
