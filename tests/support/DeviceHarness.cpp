#include "tests/support/DeviceHarness.h"

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/GPUToPTX/LowerKernels.h"
#include "compiler/conversion/MathExpansion/MathExpansion.h"
#include "compiler/jit/EmulatedKernels.h"
#include "runtime/src/cuda/DriverApi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <stdexcept>

using namespace mlir;
using namespace heddle::runtime::cuda;

namespace heddle::test {
namespace {

/// The driver's functions, from the runtime's list of them.
struct Driver {
#define HEDDLE_TEST_SYMBOL(name, parameters) CUresult(*name) parameters = nullptr;
  HEDDLE_CUDA_SYMBOLS(HEDDLE_TEST_SYMBOL)
#undef HEDDLE_TEST_SYMBOL
  void (*setOrder)(int32_t) = nullptr;
  const char *(*failure)() = nullptr;

  Driver() {
    const char *wanted = std::getenv("HEDDLE_CUDA_DRIVER");
    const std::string path = wanted && *wanted ? wanted : HEDDLE_EMULATED_CUDA;
    void *library = dlopen(path.c_str(), RTLD_NOW);
    if (!library)
      throw std::runtime_error(dlerror());
    auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    };
#define HEDDLE_TEST_SYMBOL(name, parameters) find(name, #name);
    HEDDLE_CUDA_SYMBOLS(HEDDLE_TEST_SYMBOL)
#undef HEDDLE_TEST_SYMBOL
    find(setOrder, "heddle_emulated_set_order");
    find(failure, "heddle_emulated_failure");
  }

  void check(CUresult result, const std::string &what) const {
    if (result == CUDA_SUCCESS)
      return;
    const char *name = nullptr;
    cuGetErrorName(result, &name);
    std::string text = what + ": " + (name ? name : "error " + std::to_string(result));
    if (failure && *failure())
      text = failure();
    throw std::runtime_error(text);
  }
};

const DialectRegistry &registry() {
  static const DialectRegistry all = [] {
    DialectRegistry dialects;
    dialects.insert<arith::ArithDialect, math::MathDialect, scf::SCFDialect, vector::VectorDialect,
                    memref::MemRefDialect, mlir::gpu::GPUDialect, LLVM::LLVMDialect, NVVM::NVVMDialect,
                    cf::ControlFlowDialect>();
    gpu::registerDeviceDialects(dialects);
    jit::registerTranslations(dialects);
    return dialects;
  }();
  return all;
}

} // namespace

struct DeviceHarness::Implementation {
  Driver driver;
  MLIRContext context{registry(), MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
  mlir::gpu::GPUModuleOp kernels;
  std::string diagnostics;
  CUdevice device = 0;
  CUcontext driverContext = nullptr;
  CUstream stream = nullptr;
  CUmodule loaded = nullptr;
  std::unique_ptr<jit::EmulatedKernels> code;
  std::vector<DeviceBuffer> buffers;
  bool emulated = false;

  [[noreturn]] void refuse(const std::string &what) {
    throw std::runtime_error(what + (diagnostics.empty() ? "" : ":\n" + diagnostics));
  }
};

DeviceHarness::DeviceHarness() : impl(std::make_unique<Implementation>()) {
  MLIRContext &context = impl->context;
  context.loadAllAvailableDialects();
  context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    impl->diagnostics += diagnostic.str() + "\n";
    for (Diagnostic &note : diagnostic.getNotes())
      impl->diagnostics += "  " + note.str() + "\n";
  });
  impl->module = ModuleOp::create(loc());
  OpBuilder b = OpBuilder::atBlockBegin(impl->module->getBody());
  impl->kernels = mlir::gpu::GPUModuleOp::create(b, loc(), "kernels");
  global = LLVM::LLVMPointerType::get(&context, 1);
  f64 = b.getF64Type();
  f32 = b.getF32Type();
  bf16 = b.getBF16Type();
  f16 = b.getF16Type();
  i64 = b.getI64Type();
  i32 = b.getI32Type();
  i16 = b.getIntegerType(16);
  i8 = b.getI8Type();
  i1 = b.getI1Type();

  Driver &driver = impl->driver;
  driver.check(driver.cuInit(0), "cuInit");
  driver.check(driver.cuDeviceGet(&impl->device, 0), "cuDeviceGet");
  char name[128];
  driver.check(driver.cuDeviceGetName(name, sizeof name, impl->device), "cuDeviceGetName");
  impl->emulated = std::strcmp(name, "Heddle emulated device") == 0;
  driver.check(driver.cuDevicePrimaryCtxRetain(&impl->driverContext, impl->device),
               "cuDevicePrimaryCtxRetain");
  driver.check(driver.cuCtxPushCurrent_v2(impl->driverContext), "cuCtxPushCurrent");
  driver.check(driver.cuStreamCreate(&impl->stream, CU_STREAM_DEFAULT), "cuStreamCreate");
}

DeviceHarness::~DeviceHarness() {
  Driver &driver = impl->driver;
  for (DeviceBuffer buffer : impl->buffers)
    driver.cuMemFreeAsync(buffer.address, impl->stream);
  driver.cuStreamSynchronize(impl->stream);
  if (impl->loaded)
    driver.cuModuleUnload(impl->loaded);
  driver.cuStreamDestroy_v2(impl->stream);
  CUcontext before;
  driver.cuCtxPopCurrent_v2(&before);
  driver.cuDevicePrimaryCtxRelease_v2(impl->device);
}

MLIRContext &DeviceHarness::context() { return impl->context; }
mlir::gpu::GPUModuleOp DeviceHarness::module() { return impl->kernels; }
Location DeviceHarness::loc() { return UnknownLoc::get(&impl->context); }
bool DeviceHarness::emulated() const { return impl->emulated; }
int DeviceHarness::capability() const {
  int major = 0, minor = 0;
  impl->driver.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, impl->device);
  impl->driver.cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, impl->device);
  return 10 * major + minor;
}

gpu::KernelCode DeviceHarness::kernel(StringRef name, ArrayRef<Type> parameters, int64_t blockThreads) {
  return gpu::KernelCode(impl->kernels, loc(), name, parameters, blockThreads);
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

DeviceBuffer DeviceHarness::allocate(size_t bytes) {
  DeviceBuffer buffer{0, bytes};
  CUdeviceptr address = 0;
  impl->driver.check(impl->driver.cuMemAllocAsync(&address, std::max<size_t>(bytes, 1), impl->stream),
                     "cuMemAllocAsync");
  buffer.address = address;
  impl->buffers.push_back(buffer);
  return buffer;
}

void DeviceHarness::write(DeviceBuffer buffer, const void *from) {
  impl->driver.check(impl->driver.cuMemcpyHtoDAsync_v2(buffer.address, from, buffer.bytes, impl->stream),
                     "cuMemcpyHtoD");
  impl->driver.check(impl->driver.cuStreamSynchronize(impl->stream), "cuStreamSynchronize");
}

void DeviceHarness::read(DeviceBuffer buffer, void *to) {
  impl->driver.check(impl->driver.cuMemcpyDtoHAsync_v2(to, buffer.address, buffer.bytes, impl->stream),
                     "cuMemcpyDtoH");
  impl->driver.check(impl->driver.cuStreamSynchronize(impl->stream), "cuStreamSynchronize");
}

//===----------------------------------------------------------------------===//
// Compiling and running
//===----------------------------------------------------------------------===//

OwningOpRef<ModuleOp> DeviceHarness::lowered() {
  impl->diagnostics.clear();
  if (failed(verify(*impl->module)))
    impl->refuse("a kernel is not valid");
  OwningOpRef<ModuleOp> copy(impl->module->clone());
  PassManager manager(&impl->context);
  manager.addPass(cpu::createExpandMath({.library = false}));
  gpu::buildKernelPipeline(manager);
  if (failed(manager.run(*copy)))
    impl->refuse("cannot lower the kernels");
  return copy;
}

void DeviceHarness::load() {
  if (impl->loaded)
    return;
  Driver &driver = impl->driver;
  const void *image;
  std::string text;
  if (impl->emulated) {
    OwningOpRef<ModuleOp> module = lowered();
    auto compiled = jit::EmulatedKernels::compile(*module->getOps<mlir::gpu::GPUModuleOp>().begin());
    if (!compiled)
      impl->refuse(llvm::toString(compiled.takeError()));
    auto code = jit::EmulatedKernels::load(*compiled);
    if (!code)
      impl->refuse(llvm::toString(code.takeError()));
    impl->code = std::move(*code);
    image = &impl->code->image();
  } else {
    text = ptx(llvm::cantFail(gpu::Chip::forCapability(capability())).name);
    image = text.c_str();
  }
  driver.check(driver.cuModuleLoadDataEx(&impl->loaded, image, 0, nullptr, nullptr), "cuModuleLoadDataEx");
}

std::string DeviceHarness::ptx(StringRef chipName) {
  OwningOpRef<ModuleOp> module = lowered();
  gpu::Chip chip = llvm::cantFail(gpu::Chip::named(chipName));
  auto text = gpu::emitPTX(*module->getOps<mlir::gpu::GPUModuleOp>().begin(), chip);
  if (!text)
    impl->refuse(llvm::toString(text.takeError()));
  if (!gpu::findAssembler().empty())
    if (auto cubin = gpu::assemble(*text, chip); !cubin)
      impl->refuse(llvm::toString(cubin.takeError()));
  return *text;
}

void DeviceHarness::launchOnce(const std::string &name, Grid grid, std::vector<uint64_t> &values) {
  Driver &driver = impl->driver;
  auto kernel = impl->kernels.lookupSymbol<mlir::gpu::GPUFuncOp>(name);
  if (!kernel)
    throw std::runtime_error("there is no kernel " + name);
  if (kernel.getNumArguments() != values.size())
    throw std::runtime_error("kernel " + name + " takes " + std::to_string(kernel.getNumArguments()) +
                             " arguments, not " + std::to_string(values.size()));
  CUfunction function = nullptr;
  driver.check(driver.cuModuleGetFunction(&function, impl->loaded, name.c_str()), "cuModuleGetFunction");
  int64_t shared = moreShared;
  if (auto bytes = kernel->getAttrOfType<IntegerAttr>("heddle.shared_bytes"))
    shared += bytes.getInt();
  if (shared > 48 << 10)
    driver.check(driver.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                           static_cast<int>(shared)),
                 "cuFuncSetAttribute");
  std::vector<void *> pointers;
  for (uint64_t &value : values)
    pointers.push_back(&value);
  const auto block = static_cast<unsigned>(kernel.getKnownBlockSizeAttr().asArrayRef()[0]);
  driver.check(driver.cuLaunchKernel(function, grid.blocks[0], grid.blocks[1], grid.blocks[2], block, 1, 1,
                                     static_cast<unsigned>(shared), impl->stream, pointers.data(), nullptr),
               "cuLaunchKernel");
  driver.check(driver.cuStreamSynchronize(impl->stream), "kernel " + name);
}

void DeviceHarness::launch(const std::string &name, Grid grid, std::vector<uint64_t> &values) {
  load();
  if (!impl->emulated || anyOrder)
    return launchOnce(name, grid, values);
  auto contents = [&] {
    std::vector<std::vector<char>> all;
    for (DeviceBuffer buffer : impl->buffers)
      all.push_back(get<char>(buffer));
    return all;
  };
  const auto before = contents();
  impl->driver.setOrder(1);
  launchOnce(name, grid, values);
  const auto descending = contents();
  for (size_t i = 0; i < before.size(); ++i)
    write(impl->buffers[i], before[i].data());
  impl->driver.setOrder(0);
  launchOnce(name, grid, values);
  const auto ascending = contents();
  for (size_t i = 0; i < before.size(); ++i)
    for (size_t at = 0; at < ascending[i].size(); ++at)
      if (ascending[i][at] != descending[i][at])
        throw std::runtime_error("kernel " + name + ": results depend on the order of threads: buffer " +
                                 std::to_string(i) + ", byte " + std::to_string(at));
}

} // namespace heddle::test
