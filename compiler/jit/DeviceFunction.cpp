//===- DeviceFunction.cpp - An entry loaded on a GPU ----------------------===//

#include "compiler/jit/DeviceFunction.h"

#include "compiler/jit/EmulatedKernels.h"

#include <heddle/error.hpp>

namespace heddle::jit {

DeviceFunction loadDeviceFunction(const DeviceProgram &code, const std::string &name, int device,
                                  size_t buffers, int64_t arenaBytes,
                                  int32_t (*entry)(heddle_call_t *, void **)) {
  std::vector<heddle_cuda_kernel_t> kernels;
  kernels.reserve(code.kernels.size());
  for (const DeviceKernel &kernel : code.kernels)
    kernels.push_back({kernel.name.c_str(), kernel.argumentBytes.data(),
                       static_cast<int32_t>(kernel.argumentBytes.size()), kernel.sharedBytes, kernel.canFail,
                       0});
  std::vector<heddle_cuda_message_t> messages;
  messages.reserve(code.messages.size());
  for (const DeviceMessage &message : code.messages)
    messages.push_back({message.text.c_str(), message.status, 0});
  DeviceFunction result;
  heddle_cuda_program_t program{};
  program.name = name.c_str();
  program.image = code.image.c_str();
  program.image_bytes = static_cast<int64_t>(code.image.size());
  if (code.emulated) {
    auto loaded = EmulatedKernels::load(code.image);
    if (!loaded)
      throw Error(HEDDLE_INTERNAL, llvm::toString(loaded.takeError()));
    result.emulated = std::move(*loaded);
    program.image = &result.emulated->image();
    program.image_bytes = sizeof result.emulated->image();
  }
  program.kernels = kernels.data();
  program.kernel_count = static_cast<int32_t>(kernels.size());
  program.messages = messages.data();
  program.message_count = static_cast<int32_t>(messages.size());
  program.products = code.products.data();
  program.product_count = static_cast<int32_t>(code.products.size());
  program.buffer_count = static_cast<int32_t>(buffers);
  program.arena_bytes = arenaBytes;
  program.can_be_captured = code.canBeCaptured;
  program.entry = entry;
  heddle_cuda_function_t *function = nullptr;
  check(heddle_cuda_function_create(device, &program, &function));
  result.function.reset(function);
  return result;
}

} // namespace heddle::jit
