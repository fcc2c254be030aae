// Kernels of the vocabulary become PTX, which ptxas accepts for every chip where it is installed.

#include "compiler/conversion/GPU/KernelCode.h"
#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/GPUToPTX/LowerKernels.h"
#include "compiler/pipelines/Pipelines.h"

#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"

#include <catch2/catch.hpp>

using namespace heddle::gpu;

namespace {

/// A module with one kernel that `write` fills.
struct Device {
  mlir::MLIRContext context{registry(), mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::gpu::GPUModuleOp kernels;
  mlir::Type global, f32, i32, bf16;

  Device() {
    context.loadAllAvailableDialects();
    auto loc = mlir::UnknownLoc::get(&context);
    module = mlir::ModuleOp::create(loc);
    mlir::OpBuilder builder = mlir::OpBuilder::atBlockBegin(module->getBody());
    kernels = mlir::gpu::GPUModuleOp::create(builder, loc, "kernels");
    global = mlir::LLVM::LLVMPointerType::get(&context, 1);
    f32 = builder.getF32Type();
    i32 = builder.getI32Type();
    bf16 = builder.getBF16Type();
  }

  static const mlir::DialectRegistry &registry() {
    static const mlir::DialectRegistry all = [] {
      mlir::DialectRegistry registry;
      heddle::pipelines::registerDialects(registry);
      registerDeviceDialects(registry);
      return registry;
    }();
    return all;
  }

  std::string ptx(llvm::StringRef chipName) {
    REQUIRE(mlir::succeeded(mlir::verify(*module)));
    mlir::OwningOpRef<mlir::ModuleOp> copy(module->clone());
    mlir::PassManager manager(&context);
    buildKernelPipeline(manager);
    REQUIRE(mlir::succeeded(manager.run(*copy)));
    Chip chip = llvm::cantFail(Chip::named(chipName));
    auto text = emitPTX(*copy->getOps<mlir::gpu::GPUModuleOp>().begin(), chip);
    REQUIRE(bool(text));
    if (!findAssembler().empty()) {
      auto cubin = assemble(*text, chip);
      if (!cubin)
        FAIL(llvm::toString(cubin.takeError()));
      CHECK(cubin->substr(1, 3) == "ELF");
    }
    return *text;
  }
};

size_t count(const std::string &text, const std::string &part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

} // namespace

TEST_CASE("a kernel over elements becomes PTX with 16-byte accesses", "[gpu]") {
  Device device;
  KernelCode k(device.kernels, device.kernels.getLoc(), "axpy", {device.global, device.global, device.i32},
               256);
  Scalar i = (k.block() * 256 + k.thread()) * 4;
  k.when(i < k.argument(2), [&] {
    Pointer x = k.pointer(0, device.f32), y = k.pointer(1, device.f32);
    mlir::Value xs = k.loadVector(x, i, 4), ys = k.loadVector(y, i, 4);
    Scalars sums;
    for (int64_t j = 0; j < 4; ++j)
      sums.push_back(2.0 * k.element(xs, j) + k.element(ys, j));
    k.storeVector(k.vectorOf(sums), y, i);
  });
  k.finish();
  for (const std::string &chip : Chip::names()) {
    const std::string ptx = device.ptx(chip);
    CHECK(count(ptx, ".visible .entry axpy(") == 1);
    CHECK(count(ptx, "ld.global.v4") == 2);
    CHECK(count(ptx, "st.global.v4") == 1);
    CHECK(count(ptx, ".target " + chip) == 1);
    CHECK(count(ptx, ".maxntid 256") == 1);
  }
}

TEST_CASE("reductions, scans and votes of warps and blocks", "[gpu]") {
  Device device;
  KernelCode k(device.kernels, device.kernels.getLoc(), "collectives",
               {device.global, device.global, device.global}, 128);
  auto add = [](Scalar a, Scalar b) { return a + b; };
  Scalar x = k.load(k.pointer(0, device.f32), k.thread());
  Scalar total = k.blockReduce(x, add);
  k.store(k.warpInclusiveScan(total, add), k.pointer(1, device.f32), k.thread());
  Scalar votes = k.countOnes(k.ballot(x > 0.0)) + k.trailingZeros(k.ballot(x < 1.0));
  Scalar wide = k.shuffleXor(k.cast(votes, k.i64Type()), 1),
         narrow = k.shuffleDown(k.cast(x, device.bf16), 2);
  k.store(k.cast(wide, device.i32), k.pointer(2, device.i32), k.thread());
  Scalars chosen = k.choose(
      x > 2.0, [&] { return Scalars{x * 2.0}; }, [&] { return Scalars{k.cast(narrow, device.f32)}; });
  Scalars walked =
      k.loop(k.i32(0), votes, k.i32(1), {chosen[0]}, [&](Scalar i, llvm::ArrayRef<Scalar> carried) {
        return Scalars{carried[0] + k.cast(i, device.f32)};
      });
  Scalars halved = k.repeat(
      {walked[0]}, [&](llvm::ArrayRef<Scalar> now) { return now[0] > 1.0; },
      [&](llvm::ArrayRef<Scalar> now) { return Scalars{now[0] * 0.5}; });
  k.store(k.exp2Approximate(halved[0]), k.pointer(1, device.f32), k.thread() + 128);
  k.atomicAdd(k.i32(1), k.pointer(2, device.i32), k.i32(0));
  k.compareAndSwap(k.pointer(2, device.i32), k.i32(1), k.i32(0), k.i32(1));
  k.warpBarrier();
  k.finish();
  const std::string ptx = device.ptx("sm_80");
  CHECK(count(ptx, ".extern .shared .align 1024 .b8 heddle_shared[]") == 1);
  CHECK(count(ptx, "shfl.sync.bfly") == 5 + 2);
  CHECK(count(ptx, "shfl.sync.up") == 5);
  CHECK(count(ptx, "vote.sync.ballot") + count(ptx, "vote.ballot.sync") == 2);
  CHECK(count(ptx, "bar.sync") + count(ptx, "barrier.sync") == 2);
  CHECK(count(ptx, "ex2.approx.ftz.f32") == 1);
  device.ptx("sm_90a");
  CHECK(k.function->getAttrOfType<mlir::IntegerAttr>("heddle.shared_bytes").getInt() == 16);
}

TEST_CASE("chips by name and by capability", "[gpu]") {
  CHECK(Chip::names() == std::vector<std::string>{"sm_80", "sm_90a", "sm_100a"});
  CHECK(llvm::toString(Chip::named("sm_70").takeError()) ==
        "there is no chip 'sm_70'; known are sm_80, sm_90a, sm_100a");
  for (auto [capability, name] : {std::pair{80, "sm_80"},
                                  {86, "sm_80"},
                                  {89, "sm_80"},
                                  {90, "sm_90a"},
                                  {100, "sm_100a"},
                                  {120, "sm_80"}})
    CHECK(llvm::cantFail(Chip::forCapability(capability)).name == name);
  CHECK(llvm::toString(Chip::forCapability(75).takeError()) ==
        "a device of compute capability 7.5 is older than 8.0, the oldest that is supported");
}
