// The harness, and what the emulated device watches over. Tests with the tag [device] can run on a GPU as
// well.

#include "tests/support/DeviceHarness.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace heddle::gpu;
using namespace heddle::test;
using Catch::Matchers::Contains;
using Catch::Matchers::Equals;

/// Runs a kernel of one buffer of `threads` i32 in one block, and gives what went wrong.
static std::string failureOf(unsigned threads, llvm::function_ref<void(KernelCode &, Pointer)> write) {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("faulty", {device.global}, threads);
    write(k, k.pointer(0, device.i32));
    k.finish();
  }
  auto out = device.put(std::vector<int32_t>(threads));
  try {
    device.run("faulty", {1}, out);
  } catch (const std::runtime_error &error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a kernel over elements", "[device]") {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("axpy", {device.global, device.global, device.i32}, 256);
    Scalar i = k.block() * 256 + k.thread();
    k.when(i < k.argument(2), [&] {
      Pointer x = k.pointer(0, device.f32), y = k.pointer(1, device.f32);
      k.store(2.0 * k.load(x, i) + k.load(y, i), y, i);
    });
    k.finish();
  }
  auto x = device.put<float>({1, 2, 3}), y = device.put<float>({10, 20, 30});
  device.run("axpy", {1}, x, y, 3);
  CHECK(device.get<float>(y) == std::vector<float>{12, 24, 36});

  std::vector<float> many(5000);
  for (size_t i = 0; i < many.size(); ++i)
    many[i] = static_cast<float>(i);
  auto a = device.put(many), b = device.put(many);
  device.run("axpy", {20}, a, b, 5000);
  for (float &value : many)
    value *= 3;
  CHECK(device.get<float>(b) == many);
}

TEST_CASE("arguments of every size, and the place in the grid", "[device]") {
  DeviceHarness device;
  {
    KernelCode k =
        device.kernel("where", {device.global, device.i64, device.f64, device.f32, device.i32}, 32);
    Scalar number = (k.block(2) * k.blocks(1) + k.block(1)) * k.blocks(0) + k.block(0);
    Scalar sum = k.cast(k.argument(1), k.b.getF64Type()) + k.argument(2) +
                 k.cast(k.argument(3), k.b.getF64Type()) +
                 k.cast(k.argument(4) + number * 100 + k.lane() + k.warp(), k.b.getF64Type());
    k.store(sum, k.pointer(0, device.f64), number * 32 + k.thread());
    k.finish();
  }
  auto out = device.fresh<double>(24 * 32);
  device.run("where", {2, 3, 4}, out, int64_t(1) << 40, 0.5, 0.25f, 7);
  auto values = device.get<double>(out);
  for (int i = 0; i < 24 * 32; ++i)
    REQUIRE(values[i] == double(int64_t(1) << 40) + 0.75 + 7 + i / 32 * 100 + i % 32);
}

TEST_CASE("static memrefs and device pointers are the same to a kernel", "[device]") {
  DeviceHarness device;
  auto buffer = mlir::MemRefType::get({64}, device.f32);
  mlir::ImplicitLocOpBuilder b(device.loc(), &device.context());
  b.setInsertionPointToEnd(&device.module().getBodyRegion().front());
  auto function = mlir::gpu::GPUFuncOp::create(b, "double", b.getFunctionType({buffer}, {}));
  function->setAttr(mlir::gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  function.setKnownBlockSizeAttr(b.getDenseI32ArrayAttr({64, 1, 1}));
  b.setInsertionPointToStart(&function.getBody().front());
  mlir::Value i = mlir::gpu::ThreadIdOp::create(b, mlir::gpu::Dimension::x);
  mlir::Value x = mlir::memref::LoadOp::create(b, function.getArgument(0), i);
  mlir::memref::StoreOp::create(b, mlir::arith::AddFOp::create(b, x, x), function.getArgument(0), i);
  mlir::gpu::ReturnOp::create(b);
  std::vector<float> values(64, 1.5f);
  auto memory = device.put(values);
  device.run("double", {1}, memory);
  CHECK(device.get<float>(memory) == std::vector<float>(64, 3.0f));
}

TEST_CASE("fresh memory is full of NaN", "[emulator]") {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("fresh", {device.global}, 32);
    Pointer memory = k.shared(32, device.f32);
    k.store(k.load(memory, k.thread()), k.pointer(0, device.f32), k.thread());
    k.finish();
  }
  auto out = device.fresh<float>(40);
  device.run("fresh", {1}, out);
  for (float value : device.get<float>(out))
    CHECK(std::isnan(value));
}

TEST_CASE("a missing barrier shows", "[emulator]") {
  auto exchange = [](bool correct, int distance) {
    return failureOf(64, [&](KernelCode &k, Pointer out) {
      Pointer memory = k.shared(64, k.i32Type());
      k.store(k.thread(), memory, k.thread());
      if (correct)
        k.barrier();
      k.store(k.load(memory, (k.thread() + distance) & 63), out, k.thread());
    });
  };
  CHECK(exchange(true, 1) == "");
  CHECK_THAT(exchange(false, 1),
             Contains("kernel faulty: results depend on the order of threads: buffer 0, byte"));
  CHECK_THAT(exchange(false, 63), Contains("results depend on the order of threads"));
}

TEST_CASE("deadlocks and wrong masks", "[emulator]") {
  CHECK(
      failureOf(64,
                [](KernelCode &k, Pointer out) {
                  k.when(k.thread() < 40, [&] { k.ballot(k.truth(true)); });
                  k.store(k.thread(), out, k.thread());
                  k.barrier();
                }) ==
      "kernel faulty, block (0, 0, 0): deadlock: threads 0-31 waiting at barrier 0 for all threads, threads "
      "32-39 waiting in vote.sync of lanes 0xffffffff, threads 40-63 waiting at barrier 0 for all threads");
  CHECK(failureOf(32, [](KernelCode &k, Pointer out) {
          mlir::NVVM::SyncWarpOp::create(k.b, k.i32(1).value);
        }) == "kernel faulty, block (0, 0, 0), thread 31: bar.warp.sync without this lane in its mask");
  // Who has ended is not waited for.
  CHECK(failureOf(96, [](KernelCode &k, Pointer out) {
          k.when(k.thread() >= 40, [&] {
            k.ballot(k.truth(true));
            k.barrier();
          });
          k.store(k.thread(), out, k.thread());
        }) == "");
}

TEST_CASE("accesses outside of memory", "[emulator]") {
  CHECK_THAT(failureOf(64, [](KernelCode &k,
                              Pointer out) { k.store(k.load(out, k.thread() + 64), out, k.thread()); }),
             Contains("kernel faulty, block (0, 0, 0), thread 63: reads bad address") &&
                 Contains(", 252 bytes behind an allocation of 256 bytes"));
  CHECK_THAT(failureOf(64, [](KernelCode &k, Pointer out) { k.store(k.thread(), out, k.thread() + 1000); }),
             Contains("thread 63: writes bad address") && Contains("3996 bytes behind an allocation"));
  CHECK_THAT(failureOf(64,
                       [](KernelCode &k, Pointer out) {
                         Pointer memory = k.shared(256, k.i32Type());
                         k.store(k.thread(), memory, k.thread() + 256);
                       }),
             Contains("writes bad address") && Contains("behind the 1024 bytes of shared memory"));
  CHECK(failureOf(64, [](KernelCode &k, Pointer out) {
          Pointer memory = k.shared(64, k.i32Type());
          k.store(k.thread(), memory, k.thread() + 1);
        }) == "kernel faulty, block (0, 0, 0): wrote behind the 256 bytes of shared memory");
}

TEST_CASE("vectors are aligned", "[emulator]") {
  CHECK(failureOf(64,
                  [](KernelCode &k, Pointer out) {
                    k.when(k.thread() == 3,
                           [&] { k.storeVector(k.loadVector(out, k.i32(4), 4), out, k.i32(2)); });
                  }) ==
        "kernel faulty, block (0, 0, 0), thread 3: accesses a vector 8 bytes behind a multiple of its "
        "alignment of 16 bytes");
}

TEST_CASE("what cannot be emulated is named", "[emulator]") {
  CHECK_THAT(failureOf(32, [](KernelCode &k,
                              Pointer) { mlir::NVVM::ClusterArriveOp::create(k.b, /*aligned=*/nullptr); }),
             Contains("the emulated device cannot run this operation") && Contains("nvvm.cluster.arrive"));
}
