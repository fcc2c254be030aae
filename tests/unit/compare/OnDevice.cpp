//===- OnDevice.cpp - Running a function on a GPU -------------------------===//

#include "Values.h"

#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/jit/DeviceFunction.h"
#include "compiler/jit/Engine.h"

#include <heddle/error.hpp>
#include <heddle/tensor.hpp>

#include "mlir/Pass/PassManager.h"

#include <cstring>

using namespace mlir;

namespace heddle::tests {

namespace {

Shape shapeOf(llvm::ArrayRef<int64_t> shape) { return Shape(shape.begin(), shape.end()); }

std::vector<char> bytesOf(const Tensor &tensor) {
  const Tensor host = tensor.to(Device::cpu());
  const char *begin = static_cast<const char *>(host.raw());
  return {begin, begin + host.bytes()};
}

struct FreeRun {
  void operator()(heddle_cuda_run_t *run) const { heddle_cuda_run_free(run); }
};

/// The message of a call that fails, or nothing.
std::string callOnce(heddle_cuda_function_t *function, void *const *buffers) {
  heddle_cuda_run_t *run = nullptr;
  check(heddle_cuda_function_start(function, buffers, &run));
  std::unique_ptr<heddle_cuda_run_t, FreeRun> owner(run);
  return heddle_cuda_run_wait(run) == HEDDLE_OK ? "" : heddle_last_error();
}

Outcome run(ModuleOp module, func::FuncOp function, const std::vector<interp::Array> &arguments,
            const jit::DeviceTarget &target, int64_t arenaBytes) {
  const std::string name = function.getName().str();
  jit::DeviceProgram code = jit::compileDevice(module, name, target);
  jit::assemble(code, target);
  if (auto error = runPasses(module, [](OpPassManager &m) { cpu::buildLLVMPipeline(m); }, "lowered to LLVM"))
    throw Error(HEDDLE_INTERNAL, llvm::toString(std::move(error)));
  auto executable = jit::Executable::compile(module, name);
  if (!executable)
    throw Error(HEDDLE_INTERNAL, llvm::toString(executable.takeError()));

  const Device device = Device::cuda(0);
  std::vector<Tensor> tensors;
  for (const interp::Array &argument : arguments) {
    Tensor host = Tensor::empty(shapeOf(argument.shape()), static_cast<DType>(argument.element()));
    argument.toBuffer(host.raw());
    tensors.push_back(host.to(device));
  }
  for (Type type : function.getResultTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    Tensor host =
        Tensor::empty(shapeOf(tensor.getShape()), static_cast<DType>(elementOf(tensor.getElementType())));
    std::memset(host.raw(), 0xA5, static_cast<size_t>(host.bytes()));
    tensors.push_back(host.to(device));
  }
  std::vector<void *> buffers;
  for (const Tensor &tensor : tensors)
    buffers.push_back(tensor.raw());
  jit::DeviceFunction loaded =
      jit::loadDeviceFunction(code, name, device.index(), buffers.size(), arenaBytes, (*executable)->entry());

  Outcome outcome;
  outcome.failure = callOnce(loaded.get(), buffers.data());
  if (!outcome.failure.empty())
    return outcome;
  // Kernel by kernel, then as a graph: the same bits.
  for (int again = 0; again < 2; ++again) {
    std::vector<std::vector<char>> before;
    for (size_t i = arguments.size(); i < tensors.size(); ++i)
      before.push_back(bytesOf(tensors[i]));
    outcome.failure = callOnce(loaded.get(), buffers.data());
    for (size_t i = arguments.size(); i < tensors.size(); ++i)
      if (bytesOf(tensors[i]) != before[i - arguments.size()])
        throw Error(HEDDLE_INTERNAL, "gives other bits the next time");
  }
  for (size_t i = arguments.size(); i < tensors.size(); ++i) {
    auto type = cast<RankedTensorType>(function.getResultTypes()[i - arguments.size()]);
    outcome.results.push_back(interp::Array::fromBuffer(elementOf(type.getElementType()), type.getShape(),
                                                        bytesOf(tensors[i]).data()));
  }
  llvm::raw_string_ostream(outcome.notes) << code.kernels.size() << " kernels, " << code.products.size()
                                          << " products, arena " << arenaBytes << " bytes\n";
  return outcome;
}

} // namespace

llvm::Expected<Outcome> runOnDevice(ModuleOp source, func::FuncOp function,
                                    const std::vector<interp::Array> &arguments, const Settings &settings) {
  try {
    const jit::DeviceTarget target = jit::DeviceTarget::of(0);
    gpu::GpuOptions options = target.options();
    options.fuse = settings.fuse;
    OwningOpRef<ModuleOp> module = isolated(source, function.getName());
    if (auto error =
            runPasses(*module, [&](OpPassManager &m) { gpu::buildFusedPipeline(m, options); }, "grouped"))
      return error;
    if (settings.dump == "fused")
      module->print(llvm::outs());
    if (auto error =
            runPasses(*module, [&](OpPassManager &m) { gpu::buildLoweredPipeline(m, options); }, "lowered"))
      return error;
    if (settings.dump == "lowered")
      module->print(llvm::outs());
    const int64_t arenaBytes =
        module->lookupSymbol(function.getName())->getAttrOfType<IntegerAttr>("heddle.arena_bytes").getInt();
    return run(*module, function, arguments, target, arenaBytes);
  } catch (const Error &error) {
    return llvm::createStringError("%s", error.what());
  }
}

} // namespace heddle::tests
