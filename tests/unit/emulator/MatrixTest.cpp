// Matrix fragments, loads of matrices and asynchronous copies, against plain loops.

#include "tests/support/DeviceHarness.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <bit>
#include <catch2/catch.hpp>
#include <random>

using namespace heddle::gpu;
using namespace heddle::test;
namespace NVVM = mlir::NVVM;
namespace LLVM = mlir::LLVM;

static uint16_t toBits(float x, bool bf16) {
  return bf16 ? static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16)
              : std::bit_cast<uint16_t>(static_cast<_Float16>(x));
}

/// Small whole numbers, which every type holds exactly.
static std::vector<float> numbers(int count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float &value : values)
    value = static_cast<float>(static_cast<int>(random() % 17) - 8);
  return values;
}

/// c + a b of one warp with m16n8k16 or m16n8k8 of 16-bit elements, whose fragments are read from memory by
/// the rules of the PTX manual: a (16 × k) and c (16 × 8) row-major, b (k × 8) column-major.
static std::vector<float> product(int k16, bool bf16, const std::vector<float> &a,
                                  const std::vector<float> &b, const std::vector<float> &c) {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("mma", {device.global, device.global, device.global, device.global}, 32);
    Pointer pa = k.pointer(0, device.i32), pb = k.pointer(1, device.i32), pc = k.pointer(2, device.f32);
    Scalar group = k.lane() >> 2, place = k.lane() & 3;
    llvm::SmallVector<mlir::Value> ra, rb, rc;
    auto operand = [&](Scalar word) -> mlir::Value {
      if (bf16)
        return word;
      return LLVM::BitcastOp::create(k.b, mlir::VectorType::get({2}, device.f16), word.value);
    };
    for (int i = 0; i < k16 / 4; ++i) // down 8 rows, then right 8 columns
      ra.push_back(operand(k.load(pa, (group + i % 2 * 8) * (k16 / 2) + place + i / 2 * 4)));
    for (int i = 0; i < k16 / 8; ++i)
      rb.push_back(operand(k.load(pb, group * (k16 / 2) + place + i * 4)));
    for (int i = 0; i < 4; ++i)
      rc.push_back(k.load(pc, (group + i / 2 * 8) * 8 + place * 2 + i % 2));
    auto type =
        LLVM::LLVMStructType::getLiteral(&device.context(), {device.f32, device.f32, device.f32, device.f32});
    NVVM::MMATypes element = bf16 ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16;
    mlir::Value d = NVVM::MmaOp::create(k.b, type, ra, rb, rc, llvm::ArrayRef<int64_t>{16, 8, k16},
                                        std::nullopt, std::nullopt, std::array{element, element},
                                        std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (int i = 0; i < 4; ++i)
      k.store(k.wrap(LLVM::ExtractValueOp::create(k.b, d, llvm::ArrayRef<int64_t>{i})),
              k.pointer(3, device.f32), (group + i / 2 * 8) * 8 + place * 2 + i % 2);
    k.finish();
  }
  std::vector<uint16_t> bitsA, bitsB;
  for (float x : a)
    bitsA.push_back(toBits(x, bf16));
  for (float x : b)
    bitsB.push_back(toBits(x, bf16));
  auto out = device.fresh<float>(128);
  device.run("mma", {1}, device.put(bitsA), device.put(bitsB), device.put(c), out);
  device.ptx("sm_80");
  return device.get<float>(out);
}

static std::vector<float> plainProduct(int k, const std::vector<float> &a, const std::vector<float> &b,
                                       std::vector<float> c) {
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column)
      for (int i = 0; i < k; ++i)
        c[row * 8 + column] += a[row * k + i] * b[column * k + i];
  return c;
}

TEST_CASE("products of 16-bit matrices", "[device]") {
  for (int k : {8, 16})
    for (bool bf16 : {false, true}) {
      auto a = numbers(16 * k, 1), b = numbers(8 * k, 2), c = numbers(128, 3);
      CHECK(product(k, bf16, a, b, c) == plainProduct(k, a, b, c));
    }
}

TEST_CASE("products of tf32 matrices", "[device]") {
  for (int width : {4, 8}) {
    DeviceHarness device;
    {
      KernelCode k = device.kernel("mma", {device.global, device.global, device.global, device.global}, 32);
      Pointer pa = k.pointer(0, device.i32), pb = k.pointer(1, device.i32), pc = k.pointer(2, device.f32);
      Scalar group = k.lane() >> 2, place = k.lane() & 3;
      llvm::SmallVector<mlir::Value> ra, rb, rc;
      for (int i = 0; i < width / 2; ++i)
        ra.push_back(k.load(pa, (group + i % 2 * 8) * width + place + i / 2 * 4));
      for (int i = 0; i < width / 4; ++i)
        rb.push_back(k.load(pb, group * width + place + i * 4));
      for (int i = 0; i < 4; ++i)
        rc.push_back(k.load(pc, (group + i / 2 * 8) * 8 + place * 2 + i % 2));
      auto type = LLVM::LLVMStructType::getLiteral(&device.context(),
                                                   {device.f32, device.f32, device.f32, device.f32});
      mlir::Value d =
          NVVM::MmaOp::create(k.b, type, ra, rb, rc, llvm::ArrayRef<int64_t>{16, 8, width}, std::nullopt,
                              std::nullopt, std::array{NVVM::MMATypes::tf32, NVVM::MMATypes::tf32},
                              std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
      for (int i = 0; i < 4; ++i)
        k.store(k.wrap(LLVM::ExtractValueOp::create(k.b, d, llvm::ArrayRef<int64_t>{i})),
                k.pointer(3, device.f32), (group + i / 2 * 8) * 8 + place * 2 + i % 2);
      k.finish();
    }
    auto a = numbers(16 * width, 1), b = numbers(8 * width, 2), c = numbers(128, 3);
    auto noisy = a;
    for (float &x : noisy) // bits that the device drops
      x = std::bit_cast<float>(std::bit_cast<uint32_t>(x) | 0x1abcu);
    auto out = device.fresh<float>(128);
    device.run("mma", {1}, device.put(noisy), device.put(b), device.put(c), out);
    for (size_t i = 0; i < a.size(); ++i)
      if (a[i] == 0)
        a[i] = 0; // a subnormal number is dropped as a whole
    CHECK(device.get<float>(out) == plainProduct(width, a, b, c));
    device.ptx("sm_80");
  }
}

TEST_CASE("loads of matrices, also transposed", "[device]") {
  for (int count : {1, 2, 4})
    for (bool transposed : {false, true}) {
      DeviceHarness device;
      {
        KernelCode k = device.kernel("load", {device.global, device.global}, 32);
        Pointer memory = k.shared(4 * 64, device.i16);
        for (int i = 0; i < 8; ++i)
          k.store(k.load(k.pointer(0, device.i16), k.thread() + i * 32), memory, k.thread() + i * 32);
        k.barrier();
        mlir::Type result = device.i32;
        if (count > 1)
          result = LLVM::LLVMStructType::getLiteral(&device.context(),
                                                    llvm::SmallVector<mlir::Type>(count, device.i32));
        mlir::Value loaded = NVVM::LdMatrixOp::create(
            k.b, result, k.offset(memory, k.thread() * 8).base, static_cast<uint32_t>(count),
            transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
            NVVM::LdStMatrixShapeAttr::get(&device.context(), 8, 8), NVVM::LdStMatrixEltType::B16);
        for (int i = 0; i < count; ++i) {
          mlir::Value word = loaded;
          if (count > 1)
            word = LLVM::ExtractValueOp::create(k.b, loaded, llvm::ArrayRef<int64_t>{i});
          k.store(k.wrap(word), k.pointer(1, device.i32), k.thread() + i * 32);
        }
        k.finish();
      }
      std::vector<uint16_t> values(256);
      for (int i = 0; i < 256; ++i)
        values[i] = static_cast<uint16_t>(i * 3);
      auto out = device.fresh<uint16_t>(count * 64);
      device.run("load", {1}, device.put(values), out);
      auto got = device.get<uint16_t>(out);
      for (int matrix = 0; matrix < count; ++matrix)
        for (int lane = 0; lane < 32; ++lane)
          for (int i = 0; i < 2; ++i) {
            const int row = lane / 4, column = lane % 4 * 2 + i;
            const int at = transposed ? column * 8 + row : row * 8 + column;
            REQUIRE(got[(matrix * 32 + lane) * 2 + i] == values[matrix * 64 + at]);
          }
      device.ptx("sm_80");
    }
}

TEST_CASE("asynchronous copies arrive when they are waited for", "[device]") {
  for (bool waits : {true, false}) {
    DeviceHarness device;
    {
      KernelCode k = device.kernel("copy", {device.global, device.global}, 32);
      Pointer memory = k.shared(256, device.i32);
      auto copy = [&](Pointer to, Pointer from, mlir::Value used) {
        NVVM::CpAsyncOp::create(k.b, to.base, from.base, 16, NVVM::LoadCacheModifierKind::CG, used);
        NVVM::CpAsyncCommitGroupOp::create(k.b);
      };
      Pointer from = k.offset(k.pointer(0, device.i32), k.thread() * 4);
      Pointer first = k.offset(memory, k.thread() * 4), second = k.offset(first, k.i32(128));
      copy(first, from, nullptr);
      copy(second, from, k.i32(8).value); // the rest is zeros
      NVVM::CpAsyncWaitGroupOp::create(k.b, waits ? 0 : 1);
      k.barrier();
      for (int i = 0; i < 8; ++i)
        k.store(k.load(memory, k.thread() + i * 32), k.pointer(1, device.i32), k.thread() + i * 32);
      k.finish();
    }
    std::vector<int32_t> values(128);
    for (int i = 0; i < 128; ++i)
      values[i] = i + 1;
    auto out = device.fresh<int32_t>(256);
    device.run("copy", {1}, device.put(values), out);
    device.ptx("sm_80");
    auto got = device.get<int32_t>(out);
    for (int i = 0; i < 128; ++i) {
      CHECK(got[i] == i + 1);
      if (waits || device.emulated())
        CHECK(got[128 + i] == (!waits ? -1 : i % 4 < 2 ? i + 1 : 0));
    }
  }
}
