//===- Passes.td - From kernels and launches to the LLVM dialect ----------===//

#ifndef HEDDLE_TO_LLVM_PASSES
#define HEDDLE_TO_LLVM_PASSES

include "mlir/Pass/PassBase.td"

def LowerLaunches : Pass<"heddle-lower-launches", "::mlir::ModuleOp"> {
  let summary = "Turn launches and runtime calls into calls of C functions, and give entries their C interface";
  let description = [{
    Runs when everything else is in the LLVM dialect. A launch packs its arguments into an array on the stack and calls
    `heddle_parallel_for` with a thunk that unpacks them; a launch of one chunk calls the kernel directly. A launch on a
    GPU calls `heddle_cuda_launch` with the kernel's number in the entry's attribute `heddle.kernels` and an array of
    pointers to the arguments. A function with the attribute `heddle.entry` gets a wrapper with C linkage, `int32_t heddle_entry_<name>(heddle_call_t *call,
    void **buffers)`, that passes `call` and one buffer for each further parameter, and returns the call's status.

    ```mlir
    heddle.launch @kernel[%count] grain 4 (%a) : memref<64xf32>
    // ==>
    llvm.store %a_pointer, %pack : !llvm.ptr, !llvm.ptr
    llvm.call @heddle_parallel_for(%thunk, %pack, %count, %grain) : (!llvm.ptr, !llvm.ptr, i64, i64) -> ()
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // HEDDLE_TO_LLVM_PASSES
