//===- EmulatedKernels.cpp - Device kernels as code of this processor ----===//

#include "compiler/jit/EmulatedKernels.h"

#include "compiler/cache/Bytes.h"

using namespace heddle::jit;

llvm::Expected<std::string> EmulatedKernels::compile(mlir::gpu::GPUModuleOp lowered) {
  llvm::SmallVector<gpu::EmulatedKernel> kernels;
  mlir::OwningOpRef<mlir::ModuleOp> module = gpu::emulateKernels(lowered, kernels);
  if (!module)
    return llvm::createStringError("these kernels cannot be emulated");
  auto native = NativeModule::create(*module, {}, Effort::Quick);
  if (!native)
    return native.takeError();
  auto object = native->object();
  if (!object)
    return object.takeError();
  cache::ByteWriter writer;
  writer.add(*object);
  for (const gpu::EmulatedKernel &kernel : kernels) {
    writer.add(kernel.name);
    writer.add(kernel.function);
    writer.add(std::vector<int32_t>(kernel.argumentBytes.begin(), kernel.argumentBytes.end()));
    writer.add(kernel.blockThreads);
  }
  return std::move(writer.bytes);
}

llvm::Expected<std::unique_ptr<EmulatedKernels>> EmulatedKernels::load(std::string_view compiled) {
  auto result = std::make_unique<EmulatedKernels>();
  cache::ByteReader reader(compiled);
  std::vector<std::string> objects(1);
  reader.read(objects[0]);
  while (reader.good() && !reader.complete()) {
    gpu::EmulatedKernel &kernel = result->kernels.emplace_back();
    std::vector<int32_t> argumentBytes;
    reader.read(kernel.name);
    reader.read(kernel.function);
    reader.read(argumentBytes);
    reader.read(kernel.blockThreads);
    kernel.argumentBytes.assign(argumentBytes.begin(), argumentBytes.end());
  }
  if (!reader.complete())
    return llvm::createStringError("this is no code for the emulated device");
  auto code = Executable::link(objects);
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
