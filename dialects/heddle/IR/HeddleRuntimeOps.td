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
