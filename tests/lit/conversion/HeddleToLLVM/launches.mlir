// RUN: heddle-opt --heddle-lower-launches %s | FileCheck %s

llvm.func @kernel(%begin: i64, %end: i64, %x: !llvm.ptr, %n: i64) {
  llvm.return
}

// Many chunks go through the runtime; the pack is allocated once, in the first block.
// CHECK: llvm.func internal @kernel.thunk(%[[PACK:.*]]: !llvm.ptr, %[[BEGIN:.*]]: i64, %[[END:.*]]: i64)
// CHECK: %[[X:.*]] = llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK: %[[N:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i64
// CHECK: llvm.call @kernel(%[[BEGIN]], %[[END]], %[[X]], %[[N]])
// CHECK-LABEL: llvm.func internal @many
// CHECK: llvm.alloca
// CHECK: llvm.br
// CHECK: llvm.call @heddle_parallel_for(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) : (!llvm.ptr, !llvm.ptr, i64, i64) -> ()
llvm.func @many(%call: !llvm.ptr, %x: !llvm.ptr, %n: i64) attributes {heddle.entry} {
  llvm.br ^next
^next:
  %count = builtin.unrealized_conversion_cast %n : i64 to index
  heddle.launch @kernel[%count] grain 4 (%x, %n) : !llvm.ptr, i64
  llvm.return
}

// The C interface of an entry returns the status that the call collected.
// CHECK-LABEL: llvm.func @heddle_entry_many(%arg0: !llvm.ptr, %arg1: !llvm.ptr) -> i32
// CHECK: llvm.call @many(%arg0,
// CHECK: %[[STATUS:.*]] = llvm.load %arg0 : !llvm.ptr -> i32
// CHECK: llvm.return %[[STATUS]]

// One chunk is a plain call.
// CHECK-LABEL: llvm.func internal @one
// CHECK-NOT: heddle_parallel_for
// CHECK: llvm.call @kernel(
llvm.func @one(%x: !llvm.ptr, %n: i64) {
  %four = llvm.mlir.constant(4 : i64) : i64
  %count = builtin.unrealized_conversion_cast %four : i64 to index
  heddle.launch @kernel[%count] grain 4 (%x, %n) : !llvm.ptr, i64
  llvm.return
}

// A launch on a device passes the kernel's number and pointers to the arguments, which live in the first block.
// CHECK-LABEL: llvm.func internal @device
// CHECK-SAME: (%[[CALL:.*]]: !llvm.ptr, %[[X:.*]]: !llvm.ptr, %[[N:.*]]: i32)
// CHECK-DAG: %[[SLOTS:.*]] = llvm.alloca %{{.*}} x i64 {alignment = 8 : i64}
// CHECK-DAG: %[[PACK:.*]] = llvm.alloca %{{.*}} x !llvm.ptr {alignment = 8 : i64}
// CHECK: llvm.br
// CHECK-DAG: %[[NUMBER:.*]] = llvm.mlir.constant(1 : i32)
// CHECK-DAG: %[[BLOCK:.*]] = llvm.mlir.constant(256 : i32)
// CHECK-DAG: %[[SHARED:.*]] = llvm.mlir.constant(4096 : i32)
// CHECK: %[[FIRST:.*]] = llvm.getelementptr %[[SLOTS]][0] : (!llvm.ptr) -> !llvm.ptr, i64
// CHECK: llvm.store %[[X]], %[[FIRST]] : !llvm.ptr, !llvm.ptr
// CHECK: %[[TO:.*]] = llvm.getelementptr %[[PACK]][0] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK: llvm.store %[[FIRST]], %[[TO]] : !llvm.ptr, !llvm.ptr
// CHECK: llvm.store %[[N]], %{{.*}} : i32, !llvm.ptr
// CHECK: llvm.call @heddle_cuda_launch(%[[CALL]], %[[NUMBER]], %[[GRID:.*]], %[[GRID]], %[[GRID]], %[[BLOCK]], %[[SHARED]], %[[PACK]])
llvm.func @device(%call: !llvm.ptr, %x: !llvm.ptr, %n: i32) attributes {heddle.kernels = ["other", "k"]} {
  llvm.br ^next
^next:
  %four = llvm.mlir.constant(4 : i64) : i64
  %count = builtin.unrealized_conversion_cast %four : i64 to index
  heddle.launch_device @kernels::@k grid(%count, %count, %count) block 256 shared 4096 (%x, %n) : !llvm.ptr, i32
  llvm.return
}
