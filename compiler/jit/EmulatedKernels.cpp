//===- EmulatedKernels.cpp - Device kernels as code of this processor ----===//

#include "compiler/jit/EmulatedKernels.h"

using namespace heddle::jit;

llvm::Expected<std::unique_ptr<EmulatedKernels>> EmulatedKernels::compile(mlir::gpu::GPUModuleOp lowered) {
  auto result = std::make_unique<EmulatedKernels>();
  mlir::OwningOpRef<mlir::ModuleOp> module = gpu::emulateKernels(lowered, result->kernels);
  if (!module)
    return llvm::createStringError("these kernels cannot be emulated");
  auto native = NativeModule::create(*module, {}, Effort::Quick);
  if (!native)
    return native.takeError();
  auto code = Executable::load(std::move(*native));
  if (!code)
    return code.takeError();
  result->code = std::move(*code);
  for (const gpu::EmulatedKernel &kernel : result->kernels) {
    auto address = result->code->symbol(kernel.function);
    if (!address)
      return address.takeError();
    result->table.push_back({kernel.name.c_str(), reinterpret_cast<void (*)(void **)>(*address),
                             kernel.argumentBytes.data(), static_cast<int32_t>(kernel.argumentBytes.size()),
                             kernel.blockThreads});
  }
  result->header.count = static_cast<int64_t>(result->table.size());
  result->header.kernels = result->table.data();
  return result;
}
