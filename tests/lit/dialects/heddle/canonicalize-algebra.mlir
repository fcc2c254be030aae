// RUN: heddle-opt %s --canonicalize | FileCheck %s

// Only what keeps every bit: 0 + -0 is 0, so x + 0 stays; infinity * 0 is NaN, so x * 0 stays.
// CHECK-LABEL: @neutral_elements
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>)
func.func @neutral_elements(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
                                                   tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %zero = heddle.constant dense<0.0> : tensor<4xf32>
  %minus_zero = heddle.constant dense<-0.0> : tensor<4xf32>
  %one = heddle.constant dense<1.0> : tensor<4xf32>
  %low = heddle.constant dense<0xFF800000> : tensor<4xf32>
  // CHECK-DAG: %[[ZERO:.*]] = heddle.constant dense<0.0{{.*}}> : tensor<4xf32>
  // CHECK: %[[ADD:.*]] = heddle.add %[[X]], %[[ZERO]]
  %add = heddle.add %zero, %x : tensor<4xf32>
  %add_minus = heddle.add %x, %minus_zero : tensor<4xf32>
  %sub = heddle.sub %x, %zero : tensor<4xf32>
  // CHECK: %[[MUL:.*]] = heddle.mul %[[X]], %[[ZERO]]
  %mul = heddle.mul %x, %zero : tensor<4xf32>
  %mul_one = heddle.mul %x, %one : tensor<4xf32>
  %div_one = heddle.div %x, %one : tensor<4xf32>
  %max = heddle.max %x, %low : tensor<4xf32>
  // CHECK: return %[[ADD]], %[[X]], %[[X]], %[[MUL]], %[[X]], %[[X]], %[[X]]
  return %add, %add_minus, %sub, %mul, %mul_one, %div_one, %max : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
    tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: @integers
// CHECK-SAME: (%[[X:.*]]: tensor<4xi32>)
func.func @integers(%x: tensor<4xi32>) -> (tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>) {
  // CHECK-DAG: %[[ZERO:.*]] = heddle.constant dense<0> : tensor<4xi32>
  // CHECK-DAG: %[[FIVE:.*]] = heddle.constant dense<5> : tensor<4xi32>
  %zero = heddle.constant dense<0> : tensor<4xi32>
  %two = heddle.constant dense<2> : tensor<4xi32>
  %seven = heddle.constant dense<7> : tensor<4xi32>
  %add = heddle.add %x, %zero : tensor<4xi32>
  %mul = heddle.mul %x, %zero : tensor<4xi32>
  %same = heddle.sub %x, %x : tensor<4xi32>
  %div = heddle.div %x, %zero : tensor<4xi32>
  // CHECK: %[[SUM:.*]] = heddle.add %[[X]], %[[FIVE]]
  %more = heddle.add %x, %seven : tensor<4xi32>
  %chain = heddle.sub %more, %two : tensor<4xi32>
  // CHECK: return %[[X]], %[[ZERO]], %[[ZERO]], %[[ZERO]], %[[SUM]]
  return %add, %mul, %same, %div, %chain : tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>, tensor<4xi32>
}

// CHECK-LABEL: @signs
// CHECK-SAME: (%[[A:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
func.func @signs(%a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
                                                           tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %minus_one = heddle.constant dense<-1.0> : tensor<4xf32>
  // CHECK-DAG: %[[MINUS_THREE:.*]] = heddle.constant dense<-3.0{{.*}}>
  %three = heddle.constant dense<3.0> : tensor<4xf32>
  %na = heddle.neg %a : tensor<4xf32>
  %nb = heddle.neg %b : tensor<4xf32>
  %nna = heddle.neg %na : tensor<4xf32>
  // CHECK: %[[SUB:.*]] = heddle.sub %[[A]], %[[B]]
  %sub = heddle.add %a, %nb : tensor<4xf32>
  // CHECK: %[[PRODUCT:.*]] = heddle.mul %[[A]], %[[B]]
  %product = heddle.mul %na, %nb : tensor<4xf32>
  // CHECK: %[[SCALED:.*]] = heddle.mul %[[A]], %[[MINUS_THREE]]
  %scaled = heddle.mul %na, %three : tensor<4xf32>
  // CHECK: %[[NEG:.*]] = heddle.neg %[[A]]
  %neg = heddle.mul %a, %minus_one : tensor<4xf32>
  // CHECK: %[[ABS:.*]] = heddle.abs %[[A]]
  %abs = heddle.abs %na : tensor<4xf32>
  // A difference of equal numbers is 0 either way round, and its negative -0: it stays.
  // CHECK: %[[DIFFERENCE:.*]] = heddle.sub %[[B]], %[[A]]
  // CHECK: %[[NEGATIVE:.*]] = heddle.neg %[[DIFFERENCE]]
  %difference = heddle.sub %b, %a : tensor<4xf32>
  %negative = heddle.neg %difference : tensor<4xf32>
  // CHECK: return %[[A]], %[[SUB]], %[[PRODUCT]], %[[SCALED]], %[[NEG]], %[[ABS]], %[[NEGATIVE]]
  return %nna, %sub, %product, %scaled, %neg, %abs, %negative : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
    tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// a * c - b * s as reverse mode writes it.
// CHECK-LABEL: @signs_meet
// CHECK: %[[P:.*]] = heddle.mul %arg0, %arg2
// CHECK: %[[Q:.*]] = heddle.mul %arg1, %arg3
// CHECK: heddle.sub %[[P]], %[[Q]]
func.func @signs_meet(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>, %s: tensor<4xf32>) -> tensor<4xf32> {
  %p = heddle.mul %a, %c : tensor<4xf32>
  %nb = heddle.neg %b : tensor<4xf32>
  %q = heddle.mul %nb, %s : tensor<4xf32>
  %r = heddle.add %p, %q : tensor<4xf32>
  return %r : tensor<4xf32>
}

// CHECK-LABEL: @quotients
func.func @quotients(%x: tensor<4xf32>, %h: tensor<4xf16>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf16>) {
  %eight = heddle.constant dense<8.0> : tensor<4xf32>
  %ten = heddle.constant dense<10.0> : tensor<4xf32>
  %large = heddle.constant dense<32768.0> : tensor<4xf16>
  // CHECK-DAG: %[[EIGHTH:.*]] = heddle.constant dense<1.250000e-01>
  // CHECK-DAG: %[[TEN:.*]] = heddle.constant dense<1.000000e+01>
  // CHECK-DAG: %[[LARGE:.*]] = heddle.constant dense<3.276800e+04>
  // CHECK: heddle.mul %arg0, %[[EIGHTH]]
  %exact = heddle.div %x, %eight : tensor<4xf32>
  // CHECK: heddle.div %arg0, %[[TEN]]
  %rounded = heddle.div %x, %ten : tensor<4xf32>
  // The reciprocal is not a normal number.
  // CHECK: heddle.div %arg1, %[[LARGE]]
  %small = heddle.div %h, %large : tensor<4xf16>
  return %exact, %rounded, %small : tensor<4xf32>, tensor<4xf32>, tensor<4xf16>
}

// CHECK-LABEL: @powers
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[H:.*]]: tensor<4xbf16>)
func.func @powers(%x: tensor<4xf32>, %h: tensor<4xbf16>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
    tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xbf16>) {
  %n2 = heddle.constant dense<2.0> : tensor<f32>
  %m1 = heddle.constant dense<-1.0> : tensor<4xf32>
  %n0 = heddle.constant dense<0.0> : tensor<4xf32>
  %n1 = heddle.constant dense<1.0> : tensor<4xf32>
  %n3 = heddle.constant dense<3.0> : tensor<4xf32>
  %half = heddle.constant dense<0.5> : tensor<4xf32>
  %h3 = heddle.constant dense<3.0> : tensor<4xbf16>
  // CHECK-DAG: %[[ONE:.*]] = heddle.constant dense<1.0{{.*}}> : tensor<4xf32>
  // CHECK-DAG: %[[HALF:.*]] = heddle.constant dense<5.0{{.*}}e-01> : tensor<4xf32>
  // CHECK-DAG: %[[H3:.*]] = heddle.constant dense<3.0{{.*}}> : tensor<4xbf16>
  %two = heddle.broadcast %n2 axes [] : tensor<f32> -> tensor<4xf32>
  // CHECK: %[[SQUARE:.*]] = heddle.mul %[[X]], %[[X]]
  %square = heddle.pow %x, %two : tensor<4xf32>
  %first = heddle.pow %x, %n1 : tensor<4xf32>
  %none = heddle.pow %x, %n0 : tensor<4xf32>
  // CHECK: %[[INVERSE:.*]] = heddle.div %[[ONE]], %[[X]]
  %inverse = heddle.pow %x, %m1 : tensor<4xf32>
  // CHECK: %[[SQUARE2:.*]] = heddle.mul %[[X]], %[[X]]
  // CHECK: %[[CUBE:.*]] = heddle.mul %[[SQUARE2]], %[[X]]
  %cube = heddle.pow %x, %n3 : tensor<4xf32>
  // pow(-0, 0.5) is 0 and pow(-infinity, 0.5) infinity.
  // CHECK: %[[ROOT:.*]] = heddle.pow %[[X]], %[[HALF]]
  %root = heddle.pow %x, %half : tensor<4xf32>
  // CHECK: %[[NORM:.*]] = heddle.sqrt %[[SQUARE]]
  %norm = heddle.pow %square, %half : tensor<4xf32>
  // CHECK: %[[EXP:.*]] = heddle.exp
  %e = heddle.exp %x : tensor<4xf32>
  %minus_half = heddle.neg %half : tensor<4xf32>
  // CHECK: %[[RSQRT:.*]] = heddle.rsqrt %[[EXP]]
  %rsqrt = heddle.pow %e, %minus_half : tensor<4xf32>
  // CHECK: %[[SMALL:.*]] = heddle.pow %[[H]], %[[H3]]
  %small = heddle.pow %h, %h3 : tensor<4xbf16>
  // CHECK: return %[[SQUARE]], %[[X]], %[[ONE]], %[[INVERSE]], %[[CUBE]], %[[ROOT]], %[[NORM]], %[[RSQRT]], %[[SMALL]]
  return %square, %first, %none, %inverse, %cube, %root, %norm, %rsqrt, %small : tensor<4xf32>, tensor<4xf32>,
    tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xbf16>
}

// The derivative of x ** 2.0, as reverse mode writes it where it does not see the exponent.
// CHECK-LABEL: @derivative_of_square
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[C:.*]]: tensor<4xf32>)
// CHECK: %[[TWO:.*]] = heddle.constant dense<2.0{{.*}}> : tensor<4xf32>
// CHECK-NEXT: %[[TWICE:.*]] = heddle.mul %[[X]], %[[TWO]]
// CHECK-NEXT: %[[SLOPE:.*]] = heddle.mul %[[C]], %[[TWICE]]
// CHECK-NEXT: return %[[SLOPE]]
func.func @derivative_of_square(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %n2 = heddle.constant dense<2.0> : tensor<f32>
  %zero = heddle.constant dense<0.0> : tensor<4xf32>
  %one = heddle.constant dense<1.0> : tensor<4xf32>
  %b = heddle.broadcast %n2 axes [] : tensor<f32> -> tensor<4xf32>
  %constant = heddle.compare eq %b, %zero : tensor<4xf32>
  %less = heddle.sub %b, %one : tensor<4xf32>
  %power = heddle.pow %x, %less : tensor<4xf32>
  %scaled = heddle.mul %b, %power : tensor<4xf32>
  %product = heddle.mul %c, %scaled : tensor<4xf32>
  %slope = heddle.select %constant, %zero, %product : tensor<4xi1>, tensor<4xf32>
  return %slope : tensor<4xf32>
}

// CHECK-LABEL: @comparisons
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[I:.*]]: tensor<4xi32>)
func.func @comparisons(%x: tensor<4xf32>, %i: tensor<4xi32>) -> (tensor<4xi1>, tensor<4xi1>, tensor<4xi1>, tensor<4xi1>,
                                                               tensor<4xi1>, tensor<4xi1>) {
  // CHECK-DAG: %[[FALSE:.*]] = heddle.constant dense<false>
  // CHECK-DAG: %[[TRUE:.*]] = heddle.constant dense<true>
  // CHECK-DAG: %[[TWO:.*]] = heddle.constant dense<2.0{{.*}}>
  %two = heddle.constant dense<2.0> : tensor<4xf32>
  %below = heddle.compare lt %x, %x : tensor<4xf32>
  // NaN does not equal itself.
  // CHECK: %[[SAME:.*]] = heddle.compare eq %[[X]], %[[X]]
  %same = heddle.compare eq %x, %x : tensor<4xf32>
  %same_integer = heddle.compare eq %i, %i : tensor<4xi32>
  // CHECK: %[[ABOVE:.*]] = heddle.compare gt %[[X]], %[[TWO]]
  %above = heddle.compare lt %two, %x : tensor<4xf32>
  // With a NaN neither a comparison nor its opposite holds.
  // CHECK: %[[NOT:.*]] = heddle.not %[[ABOVE]]
  %not = heddle.not %above : tensor<4xi1>
  // CHECK: %[[DIFFERENT:.*]] = heddle.compare ne %[[X]], %[[TWO]]
  %equal = heddle.compare eq %x, %two : tensor<4xf32>
  %different = heddle.not %equal : tensor<4xi1>
  // CHECK: return %[[FALSE]], %[[SAME]], %[[TRUE]], %[[ABOVE]], %[[NOT]], %[[DIFFERENT]]
  return %below, %same, %same_integer, %above, %not, %different : tensor<4xi1>, tensor<4xi1>, tensor<4xi1>,
    tensor<4xi1>, tensor<4xi1>, tensor<4xi1>
}

// CHECK-LABEL: @ranges
func.func @ranges() -> (tensor<8xi1>, tensor<8xi1>, tensor<8xi1>) {
  // CHECK-DAG: %[[TRUE:.*]] = heddle.constant dense<true>
  // CHECK-DAG: %[[FALSE:.*]] = heddle.constant dense<false>
  %i = heddle.iota axis 0 : tensor<8xi32>
  %zero = heddle.constant dense<0> : tensor<8xi32>
  %seven = heddle.constant dense<7> : tensor<8xi32>
  %a = heddle.compare ge %i, %zero : tensor<8xi32>
  %b = heddle.compare gt %i, %seven : tensor<8xi32>
  // CHECK: %[[LAST:.*]] = heddle.compare ge
  %c = heddle.compare ge %i, %seven : tensor<8xi32>
  // CHECK: return %[[TRUE]], %[[FALSE]], %[[LAST]]
  return %a, %b, %c : tensor<8xi1>, tensor<8xi1>, tensor<8xi1>
}

// CHECK-LABEL: @choices
// CHECK-SAME: (%[[C:.*]]: tensor<4xi1>, %[[A:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
func.func @choices(%c: tensor<4xi1>, %a: tensor<4xf32>, %b: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>,
    tensor<4xi1>, tensor<4xi1>, tensor<4xf32>, tensor<4xi1>, tensor<4xi1>) {
  %true = heddle.constant dense<true> : tensor<4xi1>
  %false = heddle.constant dense<false> : tensor<4xi1>
  %known = heddle.select %true, %a, %b : tensor<4xi1>, tensor<4xf32>
  %equal = heddle.select %c, %b, %b : tensor<4xi1>, tensor<4xf32>
  %itself = heddle.select %c, %true, %false : tensor<4xi1>, tensor<4xi1>
  // CHECK: %[[NOT:.*]] = heddle.not %[[C]]
  %not = heddle.select %c, %false, %true : tensor<4xi1>, tensor<4xi1>
  // CHECK: %[[TURNED:.*]] = heddle.select %[[C]], %[[B]], %[[A]]
  %turned = heddle.select %not, %a, %b : tensor<4xi1>, tensor<4xf32>
  %and = heddle.and %c, %true : tensor<4xi1>
  // CHECK: %[[OR:.*]] = heddle.or %[[C]], %[[NOT]]
  %or = heddle.or %c, %not : tensor<4xi1>
  // CHECK: return %[[A]], %[[B]], %[[C]], %[[NOT]], %[[TURNED]], %[[C]], %[[OR]]
  return %known, %equal, %itself, %not, %turned, %and, %or : tensor<4xf32>, tensor<4xf32>, tensor<4xi1>, tensor<4xi1>,
    tensor<4xf32>, tensor<4xi1>, tensor<4xi1>
}

// CHECK-LABEL: @casts
// CHECK-SAME: (%[[H:.*]]: tensor<4xbf16>, %[[X:.*]]: tensor<4xf32>, %[[I:.*]]: tensor<4xi32>)
func.func @casts(%h: tensor<4xbf16>, %x: tensor<4xf32>, %i: tensor<4xi32>) -> (tensor<4xbf16>, tensor<4xf32>,
                                                                             tensor<4xi8>, tensor<4xf32>) {
  %wide = heddle.cast %h : tensor<4xbf16> -> tensor<4xf32>
  %back = heddle.cast %wide : tensor<4xf32> -> tensor<4xbf16>
  // Rounds.
  // CHECK: %[[NARROW:.*]] = heddle.cast %[[X]] : tensor<4xf32> -> tensor<4xbf16>
  // CHECK: %[[ROUNDED:.*]] = heddle.cast %[[NARROW]]
  %narrow = heddle.cast %x : tensor<4xf32> -> tensor<4xbf16>
  %rounded = heddle.cast %narrow : tensor<4xbf16> -> tensor<4xf32>
  // Saturates; from i32 to i8 directly would wrap.
  // CHECK: %[[REAL:.*]] = heddle.cast %[[I]] : tensor<4xi32> -> tensor<4xf64>
  // CHECK: %[[BYTE:.*]] = heddle.cast %[[REAL]]
  %real = heddle.cast %i : tensor<4xi32> -> tensor<4xf64>
  %byte = heddle.cast %real : tensor<4xf64> -> tensor<4xi8>
  // CHECK: %[[IOTA:.*]] = heddle.iota axis 0 : tensor<4xf32>
  %iota = heddle.iota axis 0 : tensor<4xi32>
  %count = heddle.cast %iota : tensor<4xi32> -> tensor<4xf32>
  // CHECK: return %[[H]], %[[ROUNDED]], %[[BYTE]], %[[IOTA]]
  return %back, %rounded, %byte, %count : tensor<4xbf16>, tensor<4xf32>, tensor<4xi8>, tensor<4xf32>
}
