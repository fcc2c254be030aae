// RUN: heddle-interp %s

func.func @fold() {
  %xs = heddle.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %s0 = heddle.constant dense<10.0> : tensor<2xf32>
  %scale = heddle.constant dense<2.0> : tensor<2xf32>
  // The body uses %scale from around it.
  %last, %all = heddle.for 3 scan(%xs) init(%s0) : (tensor<3x2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<3x2xf32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<2xf32>, %s: tensor<2xf32>):
    %y = heddle.mul %x, %scale : tensor<2xf32>
    %t = heddle.add %s, %y : tensor<2xf32>
    heddle.yield %t, %s : tensor<2xf32>, tensor<2xf32>
  }
  %l = heddle.constant dense<[28.0, 34.0]> : tensor<2xf32>
  check.expect_eq %last, %l : tensor<2xf32>
  %a = heddle.constant dense<[[10.0, 10.0], [12.0, 14.0], [18.0, 22.0]]> : tensor<3x2xf32>
  check.expect_eq %all, %a : tensor<3x2xf32>
  return
}

// Steps keep their numbers: element 2 is folded first, and stands last in the collected array.
func.func @reversed_fold() {
  %xs = heddle.constant dense<[1, 2, 3]> : tensor<3xi32>
  %s0 = heddle.constant dense<0> : tensor<i32>
  %ten = heddle.constant dense<10> : tensor<i32>
  %last, %all, %steps = heddle.for 3 reverse scan(%xs) init(%s0)
      : (tensor<3xi32>, tensor<i32>) -> (tensor<i32>, tensor<3xi32>, tensor<3xi32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<i32>, %s: tensor<i32>):
    %m = heddle.mul %s, %ten : tensor<i32>
    %t = heddle.add %m, %x : tensor<i32>
    heddle.yield %t, %t, %i : tensor<i32>, tensor<i32>, tensor<i32>
  }
  %l = heddle.constant dense<321> : tensor<i32>
  check.expect_eq %last, %l : tensor<i32>
  %a = heddle.constant dense<[321, 32, 3]> : tensor<3xi32>
  check.expect_eq %all, %a : tensor<3xi32>
  %n = heddle.constant dense<[0, 1, 2]> : tensor<3xi32>
  check.expect_eq %steps, %n : tensor<3xi32>
  return
}

func.func @no_steps() {
  %s0 = heddle.constant dense<7> : tensor<i32>
  %last, %all = heddle.for 0 scan() init(%s0) : (tensor<i32>) -> (tensor<i32>, tensor<0x2xi32>) {
  ^bb0(%i: tensor<i32>, %s: tensor<i32>):
    %two = heddle.broadcast %s axes [] : tensor<i32> -> tensor<2xi32>
    heddle.yield %i, %two : tensor<i32>, tensor<2xi32>
  }
  check.expect_eq %last, %s0 : tensor<i32>
  %empty = heddle.constant dense<> : tensor<0x2xi32>
  check.expect_eq %all, %empty : tensor<0x2xi32>
  return
}

func.func @nested_loops() {
  %s0 = heddle.constant dense<0> : tensor<i32>
  %sum = heddle.for 3 scan() init(%s0) : (tensor<i32>) -> tensor<i32> {
  ^bb0(%i: tensor<i32>, %s: tensor<i32>):
    %inner = heddle.for 4 scan() init(%s) : (tensor<i32>) -> tensor<i32> {
    ^bb0(%j: tensor<i32>, %t: tensor<i32>):
      %p = heddle.mul %i, %j : tensor<i32>
      %q = heddle.add %t, %p : tensor<i32>
      heddle.yield %q : tensor<i32>
    }
    heddle.yield %inner : tensor<i32>
  }
  %expected = heddle.constant dense<18> : tensor<i32>
  check.expect_eq %sum, %expected : tensor<i32>
  return
}

// Only the branch that is chosen is evaluated: the other one would fail.
func.func @choice() {
  %false = heddle.constant dense<false> : tensor<i1>
  %true = heddle.not %false : tensor<i1>
  %a = heddle.constant dense<1> : tensor<i32>
  %b = heddle.constant dense<2> : tensor<i32>
  %r = heddle.if %false : (tensor<i1>) -> tensor<i32> {
    heddle.assert %false, "not evaluated" : tensor<i1>
    heddle.yield %a : tensor<i32>
  } else {
    heddle.yield %b : tensor<i32>
  }
  check.expect_eq %r, %b : tensor<i32>
  %s = heddle.if %true : (tensor<i1>) -> tensor<i32> {
    heddle.yield %a : tensor<i32>
  } else {
    heddle.yield %b : tensor<i32>
  }
  check.expect_eq %s, %a : tensor<i32>
  return
}

func.func @fusion() {
  %x = heddle.constant dense<[0.0, 2.0]> : tensor<2xf32>
  %y:2 = heddle.fusion(%x) : (tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  ^bb0(%a: tensor<2xf32>):
    %n = heddle.neg %a : tensor<2xf32>
    %m = heddle.mul %n, %n : tensor<2xf32>
    heddle.yield %m, %n : tensor<2xf32>, tensor<2xf32>
  }
  %squares = heddle.constant dense<[0.0, 4.0]> : tensor<2xf32>
  check.expect_eq %y#0, %squares : tensor<2xf32>
  %negated = heddle.constant dense<[0.0, -2.0]> : tensor<2xf32>
  check.expect_eq %y#1, %negated : tensor<2xf32>
  return
}

func.func private @swap(%a: tensor<i32>, %b: tensor<i32>) -> (tensor<i32>, tensor<i32>) {
  return %b, %a : tensor<i32>, tensor<i32>
}

func.func @calls() {
  %a = heddle.constant dense<1> : tensor<i32>
  %b = heddle.constant dense<2> : tensor<i32>
  %r:2 = func.call @swap(%a, %b) : (tensor<i32>, tensor<i32>) -> (tensor<i32>, tensor<i32>)
  check.expect_eq %r#0, %b : tensor<i32>
  check.expect_eq %r#1, %a : tensor<i32>
  return
}

func.func @assertion_that_holds() {
  %true = heddle.constant dense<true> : tensor<i1>
  heddle.assert %true, "never seen" : tensor<i1>
  return
}
