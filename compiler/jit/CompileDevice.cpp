//===- CompileDevice.cpp - The device's part of an entry ------------------===//

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/GPUToPTX/LowerKernels.h"
#include "compiler/jit/DeviceProgram.h"
#include "compiler/jit/EmulatedKernels.h"

#include "dialects/heddle/IR/Heddle.h"

#include <heddle/error.hpp>

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

#include <cstring>

using namespace mlir;

namespace heddle::jit {

namespace {

/// The value, or an internal Error with its message.
template <typename T>
T expect(llvm::Expected<T> value) {
  if (!value)
    throw Error(HEDDLE_INTERNAL, llvm::toString(value.takeError()));
  return std::move(*value);
}

int32_t argumentBytes(Type type) {
  if (type.isIntOrFloat())
    return static_cast<int32_t>((type.getIntOrFloatBitWidth() + 7) / 8);
  return 8; // a pointer, a memref or an index
}

DeviceKernel describe(mlir::gpu::GPUFuncOp kernel) {
  DeviceKernel result;
  result.name = kernel.getName().str();
  for (Type type : kernel.getArgumentTypes())
    result.argumentBytes.push_back(argumentBytes(type));
  result.canFail = kernel->hasAttr("heddle.can_fail");
  if (result.canFail)
    result.argumentBytes.pop_back();
  return result;
}

heddle_cuda_matmul_t describe(DictionaryAttr fields) {
  auto field = [&](StringRef name) {
    auto value = fields.getAs<IntegerAttr>(name);
    return value ? value.getInt() : int64_t(0);
  };
  heddle_cuda_matmul_t product{};
  product.m = field("m"), product.n = field("n"), product.k = field("k"), product.batch = field("batch");
  product.row_a = field("row_a"), product.row_b = field("row_b");
  product.row_c = product.row_out = field("row_out");
  product.batch_a = field("batch_a"), product.batch_b = field("batch_b");
  product.batch_c = product.batch_out = field("batch_out");
  product.workspace_bytes = field("workspace_bytes");
  product.type = static_cast<int32_t>(field("type"));
  product.out_type = static_cast<int32_t>(field("out_type"));
  product.transpose_a = static_cast<int32_t>(field("transpose_a"));
  product.transpose_b = static_cast<int32_t>(field("transpose_b"));
  product.has_bias = static_cast<int32_t>(field("has_bias"));
  product.activation = field("relu") ? HEDDLE_CUDA_RELU : HEDDLE_CUDA_NO_ACTIVATION;
  product.beta = static_cast<float>(field("beta"));
  product.tf32 = static_cast<int32_t>(field("tf32"));
  return product;
}

/// What launches refer to by number.
void readTables(func::FuncOp entry, mlir::gpu::GPUModuleOp kernels, DeviceProgram &program) {
  std::map<std::string, size_t> numbers;
  for (Attribute name : entry->getAttrOfType<ArrayAttr>("heddle.kernels")) {
    const std::string text = cast<StringAttr>(name).str();
    numbers[text] = program.kernels.size();
    program.kernels.push_back(describe(kernels.lookupSymbol<mlir::gpu::GPUFuncOp>(text)));
  }
  for (Attribute message : entry->getAttrOfType<ArrayAttr>("heddle.messages")) {
    auto pair = cast<ArrayAttr>(message);
    program.messages.push_back(
        {static_cast<int32_t>(cast<IntegerAttr>(pair[0]).getInt()), cast<StringAttr>(pair[1]).str()});
  }
  for (Attribute product : entry->getAttrOfType<ArrayAttr>("heddle.products"))
    program.products.push_back(describe(cast<DictionaryAttr>(product)));
  entry.walk([&](ir::LaunchDeviceOp launch) {
    DeviceKernel &kernel = program.kernels[numbers.at(launch.getKernel().getLeafReference().str())];
    kernel.sharedBytes = std::max(kernel.sharedBytes, static_cast<int32_t>(launch.getShared()));
  });
  entry.walk(
      [&](ir::RuntimeCallOp call) { program.canBeCaptured &= call.getCallee() != "heddle_cuda_read"; });
}

} // namespace

gpu::GpuOptions DeviceTarget::options() const {
  gpu::GpuOptions options;
  options.capability = 10 * major + minor;
  options.multiprocessors = multiprocessors;
  options.sharedBytes = sharedBytes;
  options.hasMatmul = hasMatmul;
  return options;
}

DeviceProgram compileDevice(ModuleOp module, const std::string &entry, const DeviceTarget &target) {
  DeviceProgram program;
  auto modules = module.getOps<mlir::gpu::GPUModuleOp>();
  if (modules.empty())
    throw Error(HEDDLE_INTERNAL, "the module has no device code");
  mlir::gpu::GPUModuleOp kernels = *modules.begin();
  readTables(module.lookupSymbol<func::FuncOp>(entry), kernels, program);
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  gpu::buildKernelPipeline(manager);
  if (failed(manager.run(module)))
    throw Error(HEDDLE_INTERNAL, "lowering of device code to NVVM failed");
  if (target.emulated) {
    program.image = expect(EmulatedKernels::compile(kernels));
    program.emulated = true;
  } else {
    program.image =
        expect(gpu::emitPTX(kernels, expect(gpu::Chip::forCapability(10 * target.major + target.minor))));
  }
  kernels.erase();
  return program;
}

bool assemble(DeviceProgram &program, const DeviceTarget &target) {
  const int capability = 10 * target.major + target.minor, version = gpu::assemblerVersion();
  const gpu::Chip chip = expect(gpu::Chip::forCapability(capability));
  if (target.emulated || chip.capability != capability || version == 0 || version > target.driverVersion)
    return true;
  llvm::Expected<std::string> cubin = gpu::assemble(program.image, chip);
  if (!cubin) {
    llvm::consumeError(cubin.takeError()); // the driver says what is wrong
    return false;
  }
  program.image = std::move(*cubin);
  return true;
}

} // namespace heddle::jit
