// Every operation of KernelCode computes what it says, and becomes PTX that ptxas accepts.

#include "tests/support/DeviceHarness.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

using namespace heddle::gpu;
using namespace heddle::test;

/// The results of `threads` threads of one block, each of which stores what `write` gives.
template <typename T>
static std::vector<T> perThread(unsigned threads, mlir::Type DeviceHarness::*type,
                                llvm::function_ref<Scalar(KernelCode &)> write) {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("test", {device.global}, threads);
    k.store(write(k), k.pointer(0, device.*type), k.thread());
    k.finish();
  }
  auto out = device.fresh<T>(threads);
  device.run("test", {1}, out);
  device.ptx("sm_80");
  return device.get<T>(out);
}

/// What each of `threads` threads should store.
template <typename F>
static auto expected(int threads, F value) {
  std::vector<decltype(value(0))> all;
  for (int i = 0; i < threads; ++i)
    all.push_back(value(i));
  return all;
}

static Scalar sum(Scalar a, Scalar b) { return a + b; }

TEST_CASE("arithmetic of integers", "[device]") {
  auto results = perThread<int32_t>(64, &DeviceHarness::i32, [](KernelCode &k) {
    Scalar t = k.thread(), x = t - 20;
    Scalar y = (x * 3 + 7) / 4 - x % 5;
    y = y + k.min(x, t & 3) + k.max(x, k.i32(2)) + k.abs(x) - (-x);
    y = (y ^ (t | 8)) + (t << 2) + (x >> 28);
    return y + k.select(k.both(x < 3, !(x == 0)), k.i32(1000), k.i32(0)) + k.countOnes(t) +
           k.leadingZeros(t) + k.trailingZeros(t + 64) + k.select(k.unsignedLess(x, t), k.i32(5), k.i32(6)) +
           k.ceilDivide(t, 7);
  });
  CHECK(results == expected(64, [](int t) -> int32_t {
          int x = t - 20, y = (x * 3 + 7) / 4 - x % 5;
          y = y + std::min(x, t & 3) + std::max(x, 2) + std::abs(x) + x;
          y = (y ^ (t | 8)) + (t << 2) + static_cast<int>(static_cast<unsigned>(x) >> 28);
          return y + (x < 3 && x != 0 ? 1000 : 0) + std::popcount(unsigned(t)) +
                 std::countl_zero(unsigned(t)) + std::countr_zero(unsigned(t + 64)) +
                 (unsigned(x) < unsigned(t) ? 5 : 6) + (t + 6) / 7;
        }));
}

TEST_CASE("shifts of wide integers whose values are small", "[device]") {
  auto results = perThread<int64_t>(64, &DeviceHarness::i64, [](KernelCode &k) {
    Scalar t = k.cast(k.thread(), k.i64Type());
    return (t >> 32) * 1000 + (t >> ((t & 31) + 30)) * 100 + ((t << 33) >> 32) + (t >> 3);
  });
  CHECK(results ==
        expected(64, [](int64_t t) -> int64_t { return (t >> ((t & 31) + 30)) * 100 + t * 2 + (t >> 3); }));
}

TEST_CASE("arithmetic of floats", "[device]") {
  const float nan = NAN;
  auto results = perThread<float>(64, &DeviceHarness::f32, [&](KernelCode &k) {
    Scalar x = k.cast(k.thread(), k.f32Type()) - 20.0;
    Scalar y = k.multiplyAdd(x, x, k.f32(0.5)) / 3.0 + k.sqrt(k.abs(x)) + k.min(x, k.f32(nan)) -
               k.max(k.f32(nan), k.f32(2));
    y = y + k.exp2Approximate(x * 0.25) + k.log2Approximate(k.abs(x) + 1.0);
    return y + k.select(k.isNan(k.f32(nan)), k.f32(1), k.f32(2)) + k.select(x != x, k.f32(4), k.f32(8));
  });
  for (int t = 0; t < 64; ++t) {
    float x = t - 20.0f, y = std::fma(x, x, 0.5f) / 3.0f + std::sqrt(std::abs(x)) + x - 2.0f;
    y += std::exp2(x * 0.25f) + std::log2(std::abs(x) + 1.0f) + 9.0f;
    CHECK(results[t] == Approx(y).epsilon(1e-6));
  }
}

TEST_CASE("casts", "[device]") {
  auto floats = perThread<float>(64, &DeviceHarness::f32, [](KernelCode &k) {
    mlir::Type bf16 = k.b.getBF16Type(), f16 = k.b.getF16Type(), f64 = k.b.getF64Type();
    Scalar x = k.cast(k.thread(), k.f32Type()) * 1.01 + 256.5;
    Scalar both = k.cast(k.cast(x, bf16), k.f32Type()) + k.cast(k.cast(x, f16), k.f32Type());
    both = both + k.cast(k.cast(k.cast(x, bf16), f16), k.f32Type());
    return both + k.cast(k.cast(x, f64) * 2.0, k.f32Type()) + k.cast(k.thread() == 3, k.f32Type());
  });
  for (int t = 0; t < 64; ++t) {
    float x = std::fma(float(t), 1.01f, 256.5f);
    uint32_t bits = std::bit_cast<uint32_t>(x);
    bits += 0x7fff + (bits >> 16 & 1);
    float bf16 = std::bit_cast<float>(bits & 0xffff0000u), f16 = static_cast<float>(static_cast<_Float16>(x));
    float again = static_cast<float>(static_cast<_Float16>(bf16));
    CHECK(floats[t] == (bf16 + f16) + again + static_cast<float>(double(x) * 2.0) + (t == 3 ? 1.0f : 0.0f));
  }
  auto integers = perThread<int64_t>(64, &DeviceHarness::i64, [](KernelCode &k) {
    Scalar x = k.thread() - 32;
    Scalar narrow = k.cast(k.cast(x * 37, k.b.getI8Type()), k.i64Type());
    Scalar wide = k.extendUnsigned(x, k.i64Type()) + k.cast(x, k.i64Type());
    Scalar bits = k.extendUnsigned(k.bitcast(k.f32(1.0), k.i32Type()), k.i64Type());
    return narrow + wide + bits + k.cast(k.cast(x, k.f32Type()) * 1.5, k.i64Type()) +
           k.cast(x < 0, k.i64Type());
  });
  CHECK(integers == expected(64, [](int t) -> int64_t {
          int x = t - 32;
          return int8_t(x * 37) + int64_t(uint32_t(x)) + x + 0x3f800000 + int64_t(x * 1.5f) + (x < 0);
        }));
}

TEST_CASE("control", "[device]") {
  auto results = perThread<int32_t>(64, &DeviceHarness::i32, [](KernelCode &k) {
    Scalar t = k.thread();
    Pointer place = k.shared(64, k.i32Type());
    k.when(t < 10, [&] { k.store(k.i32(1), place, t); }, [&] { k.store(k.i32(2), place, t); });
    k.when(t == 20, [&] { k.store(k.i32(3), place, t); });
    Scalars chosen =
        k.choose(t % 2 == 0, [&] { return Scalars{t, t + 1}; }, [&] { return Scalars{k.i32(0), t * 2}; });
    k.loop(k.i32(0), t, k.i32(3), [&](Scalar i) { k.store(k.load(place, t) + i, place, t); });
    Scalars sums =
        k.loop(k.i32(1), t, k.i32(2), {k.i32(0), k.i32(1)},
               [&](Scalar i, llvm::ArrayRef<Scalar> now) { return Scalars{now[0] + i, now[1] * 3}; });
    // Steps of Collatz's sequence.
    Scalars steps = k.repeat(
        {t + 1, k.i32(0)}, [&](llvm::ArrayRef<Scalar> now) { return now[0] != 1; },
        [&](llvm::ArrayRef<Scalar> now) {
          return Scalars{k.select(now[0] % 2 == 0, now[0] / 2, now[0] * 3 + 1), now[1] + 1};
        });
    Scalar total = k.load(place, t) + chosen[0] + chosen[1] + sums[0] + sums[1] + steps[1];
    k.unrolled(3, [&](int64_t i) { total = total * 2 + i; });
    return total;
  });
  CHECK(results == expected(64, [](int t) -> int32_t {
          int place = t == 20 ? 3 : t < 10 ? 1 : 2, sum = 0, power = 1, steps = 0;
          for (int i = 0; i < t; i += 3)
            place += i;
          for (int i = 1; i < t; i += 2) {
            sum += i;
            power = static_cast<int>(unsigned(power) * 3);
          }
          for (int n = t + 1; n != 1; ++steps)
            n = n % 2 == 0 ? n / 2 : n * 3 + 1;
          unsigned total = unsigned(place) + (t % 2 == 0 ? t + t + 1 : t * 2) + sum + unsigned(power) + steps;
          for (int i = 0; i < 3; ++i)
            total = total * 2 + i;
          return static_cast<int32_t>(total);
        }));
}

TEST_CASE("vectors and views", "[device]") {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("vectors", {device.global, device.global}, 32);
    Pointer x = k.pointer(0, device.f32), y = k.pointer(1, device.f32);
    mlir::Value four = k.loadVector(x, k.thread() * 4, 4);
    Pointer memory = k.shared(128, device.f32);
    k.storeVector(four, memory, k.thread() * 4);
    k.barrier();
    Scalars reversed;
    for (int i = 3; i >= 0; --i)
      reversed.push_back(k.load(k.offset(memory, k.i32(i)), (31 - k.thread()) * 4) + k.element(four, i));
    k.storeVector(k.vectorOf(reversed), y, k.thread() * 4);
    Pointer halves = k.as(y, device.i16);
    k.store(k.cast(k.thread(), device.i16), halves, k.thread() * 8);
    k.finish();
  }
  std::vector<float> x(128);
  std::iota(x.begin(), x.end(), 1.0f);
  auto in = device.put(x), out = device.fresh<float>(128);
  device.run("vectors", {1}, in, out);
  auto y = device.get<float>(out);
  for (int t = 0; t < 32; ++t)
    for (int i = 0; i < 4; ++i) {
      float want = x[(31 - t) * 4 + 3 - i] + x[t * 4 + 3 - i];
      if (i == 0)
        want = std::bit_cast<float>((std::bit_cast<uint32_t>(want) & 0xffff0000u) | uint32_t(t));
      CHECK(y[t * 4 + i] == want);
    }
  device.ptx("sm_90a");
}

TEST_CASE("shuffles of all widths", "[device]") {
  auto results = perThread<int64_t>(64, &DeviceHarness::i64, [](KernelCode &k) {
    mlir::Type i64 = k.i64Type();
    Scalar t = k.thread();
    Scalar a = k.cast(k.shuffleXor(t, 5), i64), b = k.cast(k.shuffleUp(t, 3), i64),
           c = k.cast(k.shuffleDown(t, 30), i64), d = k.cast(k.shuffleFrom(t, t * 7 % 32), i64);
    Scalar wide = k.shuffleXor(k.cast(t, i64) * ((int64_t(1) << 33) + 1), 1);
    Scalar real = k.cast(k.shuffleXor(k.cast(t, k.b.getF64Type()) * 0.5, 2) * 2.0, i64);
    Scalar half = k.cast(k.cast(k.shuffleXor(k.cast(t, k.b.getBF16Type()), 4), k.f32Type()), i64);
    Scalar small = k.cast(k.shuffleXor(k.cast(t, k.b.getI8Type()), 8), i64);
    return a + b * 64 + c * 4096 + d * (1 << 18) + wide * (1 << 24) + real + half + small;
  });
  CHECK(results == expected(64, [](int64_t t) -> int64_t {
          int64_t lane = t % 32, warp = t - lane;
          int64_t up = lane >= 3 ? t - 3 : t, down = lane + 30 < 32 ? t + 30 : t;
          return (t ^ 5) + up * 64 + down * 4096 + (warp + t * 7 % 32) * (1 << 18) +
                 (t ^ 1) * ((int64_t(1) << 33) + 1) * (1 << 24) + (t ^ 2) + (t ^ 4) + (t ^ 8);
        }));
}

TEST_CASE("ballots, reductions and scans", "[device]") {
  CHECK(perThread<int32_t>(64, &DeviceHarness::i32, [](KernelCode &k) {
          return k.ballot(k.thread() % 3 == 0) + k.warp();
        }) == expected(64, [](int t) -> int32_t {
          uint32_t bits = 0;
          for (int i = 0; i < 32; ++i)
            bits |= uint32_t((t / 32 * 32 + i) % 3 == 0) << i;
          return static_cast<int32_t>(bits) + t / 32;
        }));
  CHECK(perThread<int32_t>(64, &DeviceHarness::i32, [](KernelCode &k) {
          return k.warpReduce(k.thread(), sum) * 100 + k.warpReduce(k.thread(), sum, 4);
        }) == expected(64, [](int t) -> int32_t { return (t / 32 * 1024 + 496) * 100 + t / 4 * 16 + 6; }));
  CHECK(perThread<int32_t>(96, &DeviceHarness::i32, [](KernelCode &k) {
          return k.warpInclusiveScan(k.thread() + 1, sum);
        }) == expected(96, [](int t) -> int32_t {
          int first = t / 32 * 32 + 1, last = t + 1;
          return (first + last) * (last - first + 1) / 2;
        }));
  for (unsigned threads : {32u, 64u, 256u, 1024u})
    CHECK(perThread<int32_t>(threads, &DeviceHarness::i32, [](KernelCode &k) {
            Scalar first = k.blockReduce(k.thread(), sum);
            return first * 3 + k.blockReduce(k.thread() ^ 1, [&](Scalar a, Scalar b) { return k.max(a, b); });
          }) == std::vector<int32_t>(threads, threads * (threads - 1) / 2 * 3 + threads - 1));
}

TEST_CASE("shared memory that is taken twice", "[device]") {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("twice", {device.global}, 64);
    Pointer kept = k.shared(3, device.i8);
    const int64_t before = k.sharedBytes();
    Pointer first = k.shared(64, device.i64);
    k.store(k.cast(k.thread(), device.i64), first, k.thread());
    k.barrier();
    Scalar x = k.cast(k.load(first, 63 - k.thread()), device.i32);
    k.barrier();
    k.releaseShared(before);
    Pointer second = k.shared(64, device.i32);
    k.store(x * 2, second, k.thread());
    k.when(k.thread() == 5, [&] { k.store(k.cast(k.i32(7), device.i8), kept, k.i32(2)); });
    k.barrier();
    k.store(k.load(second, k.thread() ^ 3) + k.cast(k.load(kept, k.i32(2)), device.i32),
            k.pointer(0, device.i32), k.thread());
    CHECK(k.sharedBytes() == 16 + 256);
    CHECK(k.sharedHighWater() == 16 + 512);
    k.finish();
  }
  auto out = device.fresh<int32_t>(64);
  device.run("twice", {1}, out);
  CHECK(device.get<int32_t>(out) == expected(64, [](int t) -> int32_t { return (63 - (t ^ 3)) * 2 + 7; }));
  device.ptx("sm_90a");
}

TEST_CASE("atomic operations", "[device]") {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("count", {device.global}, 128);
    Pointer counters = k.pointer(0, device.i32);
    k.atomicAdd(k.thread(), counters, k.i32(0));
    k.atomicMin(k.thread() * k.block() - 3, counters, k.i32(1));
    Scalar before = k.compareAndSwap(counters, k.i32(2), k.i32(0), k.i32(1));
    k.when(before == 0, [&] { k.atomicAdd(k.i32(1), counters, k.i32(3)); });
    k.finish();
  }
  auto out = device.put<int32_t>({0, 100, 0, 0});
  device.run("count", {10}, out);
  CHECK(device.get<int32_t>(out) == std::vector<int32_t>{127 * 64 * 10, -3, 1, 1});
  device.ptx("sm_80");
}

TEST_CASE("the error record keeps one report", "[device]") {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("check", {mlir::LLVM::LLVMPointerType::get(&device.context())}, 64);
    k.when(k.thread() == 40,
           [&] { k.report(k.argument(0), k.i32(3), k.cast(k.thread(), device.i64), k.i64(-1)); });
    k.finish();
  }
  auto record = device.put<int32_t>({0, 0, 0, 0, 0, 0});
  device.run("check", {1}, record);
  CHECK(device.get<int32_t>(record) == std::vector<int32_t>{1, 3, 40, 0, -1, -1});
}
