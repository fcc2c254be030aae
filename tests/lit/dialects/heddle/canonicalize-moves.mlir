// RUN: heddle-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @nothing_moves
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>, %[[V:.*]]: tensor<f32>)
// CHECK-NEXT: return %[[X]], %[[X]], %[[X]], %[[X]], %[[X]], %[[X]], %[[X]], %[[X]]
func.func @nothing_moves(%x: tensor<2x3xf32>, %v: tensor<f32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>,
    tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %reshape = heddle.reshape %x : tensor<2x3xf32> -> tensor<2x3xf32>
  %transpose = heddle.transpose %x permutation [0, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  %broadcast = heddle.broadcast %x axes [0, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  %slice = heddle.slice %x starts [0, 0] sizes [2, 3] strides [1, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  %pad = heddle.pad %x, %v low [0, 0] high [0, 0] interior [0, 0] : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xf32>
  %concat = heddle.concat %x axis 0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %once = heddle.reverse %x axes [0, 1] : tensor<2x3xf32>
  %twice = heddle.reverse %once axes [0, 1] : tensor<2x3xf32>
  %reduce = heddle.reduce sum %x axes [] : tensor<2x3xf32> -> tensor<2x3xf32>
  return %reshape, %transpose, %broadcast, %slice, %pad, %concat, %twice, %reduce : tensor<2x3xf32>, tensor<2x3xf32>,
    tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: @twice
// CHECK-SAME: (%[[X:.*]]: tensor<4x6x8xf32>, %[[R:.*]]: tensor<6xf32>)
func.func @twice(%x: tensor<4x6x8xf32>, %r: tensor<6xf32>) -> (tensor<24x8xf32>, tensor<6x8x4xf32>, tensor<1x2x2xf32>,
                                                             tensor<2x6x4xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>) {
  // CHECK: %[[RESHAPE:.*]] = heddle.reshape %[[X]] : tensor<4x6x8xf32> -> tensor<24x8xf32>
  %flat = heddle.reshape %x : tensor<4x6x8xf32> -> tensor<192xf32>
  %reshape = heddle.reshape %flat : tensor<192xf32> -> tensor<24x8xf32>
  // CHECK: %[[TRANSPOSE:.*]] = heddle.transpose %[[X]] permutation [1, 2, 0]
  %first = heddle.transpose %x permutation [2, 0, 1] : tensor<4x6x8xf32> -> tensor<8x4x6xf32>
  %transpose = heddle.transpose %first permutation [2, 0, 1] : tensor<8x4x6xf32> -> tensor<6x8x4xf32>
  // CHECK: %[[SLICE:.*]] = heddle.slice %[[X]] starts [1, 0, 3] sizes [1, 2, 2] strides [1, 1, 4]
  %part = heddle.slice %x starts [0, 0, 1] sizes [2, 4, 4] strides [1, 1, 2] : tensor<4x6x8xf32> -> tensor<2x4x4xf32>
  %slice = heddle.slice %part starts [1, 0, 1] sizes [1, 2, 2] strides [1, 1, 2] : tensor<2x4x4xf32> -> tensor<1x2x2xf32>
  // CHECK: %[[BROADCAST:.*]] = heddle.broadcast %[[R]] axes [1] : tensor<6xf32> -> tensor<2x6x4xf32>
  %inner = heddle.broadcast %r axes [0] : tensor<6xf32> -> tensor<6x4xf32>
  %broadcast = heddle.broadcast %inner axes [1, 2] : tensor<6x4xf32> -> tensor<2x6x4xf32>
  // CHECK: %[[REVERSE:.*]] = heddle.reverse %[[X]] axes [0, 2]
  %there = heddle.reverse %x axes [0, 1] : tensor<4x6x8xf32>
  %reverse = heddle.reverse %there axes [1, 2] : tensor<4x6x8xf32>
  // CHECK: return %[[RESHAPE]], %[[TRANSPOSE]], %[[SLICE]], %[[BROADCAST]], %[[REVERSE]], %[[X]]
  %back = heddle.transpose %first permutation [1, 2, 0] : tensor<8x4x6xf32> -> tensor<4x6x8xf32>
  return %reshape, %transpose, %slice, %broadcast, %reverse, %back : tensor<24x8xf32>, tensor<6x8x4xf32>,
    tensor<1x2x2xf32>, tensor<2x6x4xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>
}

// CHECK-LABEL: @units
// CHECK-SAME: (%[[X:.*]]: tensor<2x1x3xf32>, %[[Y:.*]]: tensor<2x3xf32>)
func.func @units(%x: tensor<2x1x3xf32>, %y: tensor<2x3xf32>) -> (tensor<1x2x3xf32>, tensor<2x1x3xf32>, tensor<2x3x4xf32>,
                                                               tensor<2x4x3xf32>, tensor<2x4x1x3xf32>, tensor<3x2x1xf32>) {
  // CHECK: %[[A:.*]] = heddle.reshape %[[X]] : tensor<2x1x3xf32> -> tensor<1x2x3xf32>
  %a = heddle.transpose %x permutation [1, 0, 2] : tensor<2x1x3xf32> -> tensor<1x2x3xf32>
  // CHECK: %[[B:.*]] = heddle.reshape %[[Y]]
  %b = heddle.broadcast %y axes [0, 2] : tensor<2x3xf32> -> tensor<2x1x3xf32>
  // CHECK: %[[C:.*]] = heddle.broadcast %[[Y]] axes [0, 1]
  %column = heddle.reshape %y : tensor<2x3xf32> -> tensor<2x3x1xf32>
  %drop = heddle.reshape %column : tensor<2x3x1xf32> -> tensor<2x3xf32>
  %c = heddle.broadcast %drop axes [0, 1] : tensor<2x3xf32> -> tensor<2x3x4xf32>
  // CHECK: %[[D:.*]] = heddle.broadcast %[[Y]] axes [0, 2] : tensor<2x3xf32> -> tensor<2x4x3xf32>
  %wide = heddle.broadcast %y axes [1, 3] : tensor<2x3xf32> -> tensor<1x2x4x3xf32>
  %d = heddle.reshape %wide : tensor<1x2x4x3xf32> -> tensor<2x4x3xf32>
  // CHECK: %[[E:.*]] = heddle.broadcast %[[Y]] axes [0, 3] : tensor<2x3xf32> -> tensor<2x4x1x3xf32>
  %row = heddle.reshape %y : tensor<2x3xf32> -> tensor<2x1x3xf32>
  %e = heddle.broadcast %row axes [0, 2, 3] : tensor<2x1x3xf32> -> tensor<2x4x1x3xf32>
  // Here elements move.
  // CHECK: %[[F:.*]] = heddle.transpose %[[X]] permutation [2, 0, 1]
  %f = heddle.transpose %x permutation [2, 0, 1] : tensor<2x1x3xf32> -> tensor<3x2x1xf32>
  // CHECK: return %[[A]], %[[B]], %[[C]], %[[D]], %[[E]], %[[F]]
  return %a, %b, %c, %d, %e, %f : tensor<1x2x3xf32>, tensor<2x1x3xf32>, tensor<2x3x4xf32>, tensor<2x4x3xf32>,
    tensor<2x4x1x3xf32>, tensor<3x2x1xf32>
}

// CHECK-LABEL: @of_broadcast
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>)
func.func @of_broadcast(%x: tensor<2x3xf32>) -> (tensor<3x4x2xf32>, tensor<4x2x3xf32>, tensor<1x3x1xf32>, tensor<24xf32>) {
  // CHECK: %[[B:.*]] = heddle.broadcast %[[X]] axes [0, 2]
  %b = heddle.broadcast %x axes [0, 2] : tensor<2x3xf32> -> tensor<2x4x3xf32>
  // CHECK: %[[T:.*]] = heddle.transpose %[[X]] permutation [1, 0]
  // CHECK: %[[TURNED:.*]] = heddle.broadcast %[[T]] axes [0, 2]
  %turned = heddle.transpose %b permutation [2, 1, 0] : tensor<2x4x3xf32> -> tensor<3x4x2xf32>
  // CHECK: %[[KEPT:.*]] = heddle.broadcast %[[X]] axes [1, 2]
  %kept = heddle.transpose %b permutation [1, 0, 2] : tensor<2x4x3xf32> -> tensor<4x2x3xf32>
  // CHECK: %[[S:.*]] = heddle.slice %[[X]] starts [1, 2] sizes [1, 1] strides [1, 1]
  // CHECK: %[[R:.*]] = heddle.reshape %[[S]] : tensor<1x1xf32> -> tensor<f32>
  // CHECK: %[[SLICE:.*]] = heddle.broadcast %[[R]] axes [] : tensor<f32> -> tensor<1x3x1xf32>
  %slice = heddle.slice %b starts [1, 1, 2] sizes [1, 3, 1] strides [1, 1, 1] : tensor<2x4x3xf32> -> tensor<1x3x1xf32>
  // Not only axes of extent 1.
  // CHECK: %[[FLAT:.*]] = heddle.reshape %[[B]]
  %flat = heddle.reshape %b : tensor<2x4x3xf32> -> tensor<24xf32>
  // CHECK: return %[[TURNED]], %[[KEPT]], %[[SLICE]], %[[FLAT]]
  return %turned, %kept, %slice, %flat : tensor<3x4x2xf32>, tensor<4x2x3xf32>, tensor<1x3x1xf32>, tensor<24xf32>
}

// CHECK-LABEL: @parts
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<6xf32>, %[[V:.*]]: tensor<f32>)
func.func @parts(%x: tensor<4xf32>, %y: tensor<6xf32>, %v: tensor<f32>) -> (tensor<6xf32>, tensor<2xf32>, tensor<4xf32>,
    tensor<3xf32>, tensor<9xf32>, tensor<6xf32>, tensor<14xf32>, tensor<6xf32>) {
  // CHECK: %[[BOTH:.*]] = heddle.concat %[[X]], %[[Y]]
  %both = heddle.concat %x, %y axis 0 : (tensor<4xf32>, tensor<6xf32>) -> tensor<10xf32>
  %second = heddle.slice %both starts [4] sizes [6] strides [1] : tensor<10xf32> -> tensor<6xf32>
  // CHECK: %[[INSIDE:.*]] = heddle.slice %[[Y]] starts [1] sizes [2] strides [3]
  %inside = heddle.slice %both starts [5] sizes [2] strides [3] : tensor<10xf32> -> tensor<2xf32>
  // CHECK: %[[ACROSS:.*]] = heddle.slice %[[BOTH]] starts [2] sizes [4] strides [1]
  %across = heddle.slice %both starts [2] sizes [4] strides [1] : tensor<10xf32> -> tensor<4xf32>
  // CHECK: %[[UNPADDED:.*]] = heddle.slice %[[X]] starts [1] sizes [3] strides [1]
  %gaps = heddle.pad %x, %v low [1] high [2] interior [1] : tensor<4xf32>, tensor<f32> -> tensor<10xf32>
  %unpadded = heddle.slice %gaps starts [3] sizes [3] strides [2] : tensor<10xf32> -> tensor<3xf32>
  // CHECK: %[[PADDED:.*]] = heddle.pad %[[X]], %[[V]] low [3] high [2] interior [0]
  %once = heddle.pad %x, %v low [1] high [0] interior [0] : tensor<4xf32>, tensor<f32> -> tensor<5xf32>
  %padded = heddle.pad %once, %v low [2] high [2] interior [0] : tensor<5xf32>, tensor<f32> -> tensor<9xf32>
  %a = heddle.slice %y starts [0] sizes [2] strides [1] : tensor<6xf32> -> tensor<2xf32>
  %b = heddle.slice %y starts [2] sizes [4] strides [1] : tensor<6xf32> -> tensor<4xf32>
  %joined = heddle.concat %a, %b axis 0 : (tensor<2xf32>, tensor<4xf32>) -> tensor<6xf32>
  // CHECK: %[[FLAT:.*]] = heddle.concat %[[Y]], %[[X]], %[[X]] axis 0
  %empty = heddle.slice %x starts [0] sizes [0] strides [1] : tensor<4xf32> -> tensor<0xf32>
  %tail = heddle.concat %x, %empty, %x axis 0 : (tensor<4xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<8xf32>
  %flat = heddle.concat %y, %tail axis 0 : (tensor<6xf32>, tensor<8xf32>) -> tensor<14xf32>
  // In the other order.
  // CHECK: %[[SWAPPED:.*]] = heddle.concat
  %swapped = heddle.concat %b, %a axis 0 : (tensor<4xf32>, tensor<2xf32>) -> tensor<6xf32>
  // CHECK: return %[[Y]], %[[INSIDE]], %[[ACROSS]], %[[UNPADDED]], %[[PADDED]], %[[Y]], %[[FLAT]], %[[SWAPPED]]
  return %second, %inside, %across, %unpadded, %padded, %joined, %flat, %swapped : tensor<6xf32>, tensor<2xf32>,
    tensor<4xf32>, tensor<3xf32>, tensor<9xf32>, tensor<6xf32>, tensor<14xf32>, tensor<6xf32>
}

// CHECK-LABEL: @known_positions
// CHECK-SAME: (%[[X:.*]]: tensor<4x3xf32>, %[[U:.*]]: tensor<4x3xf32>)
func.func @known_positions(%x: tensor<4x3xf32>, %u: tensor<4x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<4xf32>,
                                                                       tensor<4xf32>, tensor<4x3xf32>) {
  // CHECK-DAG: %[[THREE:.*]] = heddle.constant dense<3> : tensor<i32>
  %zero = heddle.constant dense<0> : tensor<i32>
  %two = heddle.constant dense<2> : tensor<i32>
  %three = heddle.constant dense<3> : tensor<i32>
  // CHECK: %[[SLICE:.*]] = heddle.slice %[[X]] starts [2, 0] sizes [2, 3]
  %inside = heddle.dynamic_slice %x[%two] axis 0 size 2 : tensor<4x3xf32>, tensor<i32> -> tensor<2x3xf32>
  // Fails when it runs.
  // CHECK: %[[OUTSIDE:.*]] = heddle.dynamic_slice %[[X]][%[[THREE]]]
  %outside = heddle.dynamic_slice %x[%three] axis 0 size 2 : tensor<4x3xf32>, tensor<i32> -> tensor<2x3xf32>
  // CHECK: %[[COLUMN:.*]] = heddle.slice %[[X]] starts [0, 2] sizes [4, 1]
  // CHECK: %[[PICKED:.*]] = heddle.reshape %[[COLUMN]] : tensor<4x1xf32> -> tensor<4xf32>
  %picked = heddle.gather %x[%two] axis 1 : tensor<4x3xf32>, tensor<i32> -> tensor<4xf32>
  // CHECK: %[[MISSING:.*]] = heddle.gather %[[X]][%[[THREE]]]
  %missing = heddle.gather %x[%three] axis 1 : tensor<4x3xf32>, tensor<i32> -> tensor<4xf32>
  %all = heddle.dynamic_update_slice %x, %u[%zero] axis 0 : tensor<4x3xf32>, tensor<4x3xf32>, tensor<i32>
  // CHECK: return %[[SLICE]], %[[OUTSIDE]], %[[PICKED]], %[[MISSING]], %[[U]]
  return %inside, %outside, %picked, %missing, %all : tensor<2x3xf32>, tensor<2x3xf32>, tensor<4xf32>, tensor<4xf32>,
    tensor<4x3xf32>
}

// Elementwise work happens before elements are repeated.
// CHECK-LABEL: @after_elementwise
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<4xf32>, %[[Z:.*]]: tensor<4x8xf32>)
func.func @after_elementwise(%x: tensor<4xf32>, %y: tensor<4xf32>, %z: tensor<4x8xf32>) -> (tensor<4x8xf32>,
                                                                                         tensor<4x8xf32>) {
  // CHECK: %[[EPS:.*]] = heddle.constant dense<1.0{{.*}}e-03> : tensor<4xf32>
  %eps = heddle.constant dense<1.0e-3> : tensor<4x8xf32>
  // CHECK: %[[BX:.*]] = heddle.broadcast %[[X]]
  %bx = heddle.broadcast %x axes [0] : tensor<4xf32> -> tensor<4x8xf32>
  %by = heddle.broadcast %y axes [0] : tensor<4xf32> -> tensor<4x8xf32>
  // CHECK: %[[SUM:.*]] = heddle.add %[[X]], %[[EPS]] : tensor<4xf32>
  // CHECK: %[[BELOW:.*]] = heddle.compare lt %[[SUM]], %[[Y]] : tensor<4xf32>
  // CHECK: %[[CHOICE:.*]] = heddle.select %[[BELOW]], %[[X]], %[[Y]] : tensor<4xi1>, tensor<4xf32>
  // CHECK: %[[RESULT:.*]] = heddle.broadcast %[[CHOICE]] axes [0] : tensor<4xf32> -> tensor<4x8xf32>
  %sum = heddle.add %bx, %eps : tensor<4x8xf32>
  %below = heddle.compare lt %sum, %by : tensor<4x8xf32>
  %choice = heddle.select %below, %bx, %by : tensor<4x8xi1>, tensor<4x8xf32>
  // CHECK: %[[MIXED:.*]] = heddle.mul %[[BX]], %[[Z]]
  %mixed = heddle.mul %bx, %z : tensor<4x8xf32>
  // CHECK: return %[[RESULT]], %[[MIXED]]
  return %choice, %mixed : tensor<4x8xf32>, tensor<4x8xf32>
}

// The reshapes that keep a reduced axis cancel: rms norm.
// CHECK-LABEL: @row_scale
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK-NOT: heddle.reshape
// CHECK: %[[SUM:.*]] = heddle.reduce sum
// CHECK: %[[MEAN:.*]] = heddle.mul %[[SUM]], %{{.*}} : tensor<4xf32>
// CHECK: %[[SCALE:.*]] = heddle.rsqrt %[[MEAN]] : tensor<4xf32>
// CHECK: %[[ALL:.*]] = heddle.broadcast %[[SCALE]] axes [0] : tensor<4xf32> -> tensor<4x8xf32>
// CHECK: return %[[ALL]]
func.func @row_scale(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %n = heddle.constant dense<8.0> : tensor<4x1xf32>
  %square = heddle.mul %x, %x : tensor<4x8xf32>
  %sum = heddle.reduce sum %square axes [1] : tensor<4x8xf32> -> tensor<4xf32>
  %kept = heddle.reshape %sum : tensor<4xf32> -> tensor<4x1xf32>
  %mean = heddle.div %kept, %n : tensor<4x1xf32>
  %scale = heddle.rsqrt %mean : tensor<4x1xf32>
  %row = heddle.reshape %scale : tensor<4x1xf32> -> tensor<4xf32>
  %all = heddle.broadcast %row axes [0] : tensor<4xf32> -> tensor<4x8xf32>
  return %all : tensor<4x8xf32>
}

// What recomputes or stops a derivative keeps its place.
// CHECK-LABEL: @marks
// CHECK: %[[B:.*]] = heddle.broadcast
// CHECK: %[[F:.*]] = heddle.fence 1 %[[B]] : tensor<4x8xf32>
// CHECK: %[[S:.*]] = heddle.stop_gradient %[[B]] : tensor<4x8xf32>
// CHECK: return %[[F]], %[[S]]
func.func @marks(%x: tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %b = heddle.broadcast %x axes [0] : tensor<4xf32> -> tensor<4x8xf32>
  %f = heddle.fence 1 %b : tensor<4x8xf32>
  %s = heddle.stop_gradient %b : tensor<4x8xf32>
  %t = heddle.stop_gradient %s : tensor<4x8xf32>
  return %f, %t : tensor<4x8xf32>, tensor<4x8xf32>
}
