//===- HeddleRuntimeOps.td - Calls of kernels and of the runtime ----------===//

#ifndef HEDDLE_RUNTIME_OPS
#define HEDDLE_RUNTIME_OPS

include "dialects/heddle/IR/HeddleDialect.td"
include "mlir/IR/SymbolInterfaces.td"

def Heddle_LaunchOp : Heddle_Op<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A kernel run over a range of tasks, on many threads";
  let description = [{
    Calls `kernel(begin, end, arguments…)` for the chunks [0, grain), [grain, 2 grain), … of [0, count), in any order and
    at the same time, and returns when all are done. The kernel is a function without results whose first two
    parameters have type index. Arguments are contiguous memrefs without offset, integers, floats or pointers. Exists
    only below the `lowered` stage.

    ```mlir
    heddle.launch @kernel[%count] grain 4 (%a, %b) : memref<64xf32>, memref<64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Index:$count, I64Attr:$grain, Variadic<AnyType>:$arguments);
  let assemblyFormat = "$kernel `[` $count `]` `grain` $grain `(` $arguments `)` attr-dict (`:` type($arguments)^)?";
}

def Heddle_LaunchDeviceOp : Heddle_Op<"launch_device", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "A kernel of a GPU put on the stream of the call";
  let description = [{
    Launches grid x × y × z blocks of `block` threads of a kernel, with `shared` bytes of dynamic shared memory each; a grid
    without blocks is no launch. Launches run one after the other, later than this operation returns. The kernel is
    a `gpu.func` in a `gpu.module`; a memref is passed where it takes the same memref in global memory (space 1) or a
    pointer, and memrefs are contiguous, without offset, in the device's memory. A kernel with the attribute `heddle.can_fail`
    has one more parameter, the record of failures, which is not passed here. Once the device's code was compiled the
    module need not be there any more; the entry's attribute `heddle.kernels` has the names. Exists only below the
    `lowered` stage.

    ```mlir
    heddle.launch_device @kernels::@add grid(%x, %y, %z) block 256 shared 0 (%a, %b) : memref<64xf32>, memref<64xf32>
    ```
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Index:$x, Index:$y, Index:$z, I32Attr:$block, I32Attr:$shared,
                       Variadic<AnyType>:$arguments);
  let assemblyFormat = [{
    $kernel `grid` `(` $x `,` $y `,` $z `)` `block` $block `shared` $shared `(` $arguments `)` attr-dict
    (`:` type($arguments)^)?
  }];
}

def Heddle_RuntimeCallOp : Heddle_Op<"runtime_call"> {
  let summary = "A call of a C function of the runtime";
  let description = [{
    Memrefs (contiguous, without offset) are passed as pointers to their first element and indices as int64_t. The
    function returns nothing. Exists only below the `lowered` stage.

    ```mlir
    heddle.runtime_call @heddle_cpu_sort(%rows, %x) : index, memref<64xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyType>:$arguments);
  let assemblyFormat = "$callee `(` $arguments `)` attr-dict (`:` type($arguments)^)?";
}

#endif // HEDDLE_RUNTIME_OPS
