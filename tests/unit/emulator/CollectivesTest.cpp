// Operations of warps and blocks that KernelCode does not wrap: values of each kind.

#include "tests/support/DeviceHarness.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <bit>
#include <catch2/catch.hpp>

using namespace heddle::gpu;
using namespace heddle::test;
namespace NVVM = mlir::NVVM;
namespace LLVM = mlir::LLVM;

/// What `threads` threads of one block store, each `count` numbers.
static std::vector<int32_t>
stored(unsigned threads, int count,
       llvm::function_ref<void(KernelCode &, llvm::function_ref<void(int, Scalar)>)> write) {
  DeviceHarness device;
  {
    KernelCode k = device.kernel("test", {device.global}, threads);
    write(k, [&](int place, Scalar value) {
      k.store(value, k.pointer(0, device.i32), k.thread() + place * int64_t(threads));
    });
    k.finish();
  }
  auto out = device.put(std::vector<int32_t>(threads * count));
  device.run("test", {1}, out);
  device.ptx("sm_90a");
  return device.get<int32_t>(out);
}

TEST_CASE("votes and matches, also of some lanes", "[device]") {
  auto got = stored(64, 6, [](KernelCode &k, auto store) {
    Scalar t = k.thread();
    auto vote = [&](Scalar mask, Scalar condition, NVVM::VoteSyncKind kind) {
      return k.wrap(NVVM::VoteSyncOp::create(k.b,
                                             kind == NVVM::VoteSyncKind::ballot ? k.i32Type() : k.i1Type(),
                                             mask.value, condition.value, kind));
    };
    Scalar all = k.i32(-1), early = t < 20;
    store(0, k.cast(vote(all, early, NVVM::VoteSyncKind::any), k.i32Type()));
    store(1, k.cast(vote(all, t < 40, NVVM::VoteSyncKind::all), k.i32Type()));
    store(2, k.cast(vote(all, t < 32, NVVM::VoteSyncKind::uni), k.i32Type()));
    // The two halves of a warp at different places, each with its own mask.
    k.when(
        k.lane() < 16, [&] { store(3, vote(k.i32(0xffff), k.lane() % 2 == 0, NVVM::VoteSyncKind::ballot)); },
        [&] { store(3, vote(k.i32(0xffff0000), k.lane() % 4 == 0, NVVM::VoteSyncKind::ballot)); });
    store(4, k.wrap(NVVM::MatchSyncOp::create(k.b, k.i32Type(), all.value, (t % 5).value,
                                              NVVM::MatchSyncKind::any)));
    store(5, k.cast(k.wrap(NVVM::ElectSyncOp::create(k.b, k.i1Type(), mlir::Value())), k.i32Type()));
  });
  for (int t = 0; t < 64; ++t) {
    const int lane = t % 32;
    uint32_t same = 0;
    for (int i = 0; i < 32; ++i)
      same |= uint32_t((t - lane + i) % 5 == t % 5) << i;
    CHECK(got[t] == (t < 32));
    CHECK(got[64 + t] == (t < 32));
    CHECK(got[128 + t] == 1);
    CHECK(uint32_t(got[192 + t]) == (lane < 16 ? 0x5555u : 0x11110000u));
    CHECK(uint32_t(got[256 + t]) == same);
    CHECK(got[320 + t] == (lane == 0));
  }
}

TEST_CASE("reductions of integers in one instruction", "[device]") {
  using Kind = NVVM::ReduxKind;
  const Kind kinds[] = {Kind::ADD, Kind::AND,  Kind::MAX,  Kind::MIN,
                        Kind::OR,  Kind::UMAX, Kind::UMIN, Kind::XOR};
  auto value = [](int t) { return (t - 40) * 77; };
  auto got = stored(64, 8, [&](KernelCode &k, auto store) {
    for (int i = 0; i < 8; ++i)
      store(i, k.wrap(NVVM::ReduxOp::create(k.b, k.i32Type(), ((k.thread() - 40) * 77).value, kinds[i],
                                            k.i32(-1).value, false, false)));
  });
  for (int t = 0; t < 64; ++t) {
    const int first = t / 32 * 32;
    int32_t sum = 0, conjunction = -1, most = INT32_MIN, least = INT32_MAX, disjunction = 0, parity = 0;
    uint32_t unsignedMost = 0, unsignedLeast = UINT32_MAX;
    for (int i = first; i < first + 32; ++i) {
      sum += value(i);
      conjunction &= value(i);
      most = std::max(most, value(i));
      least = std::min(least, value(i));
      disjunction |= value(i);
      parity ^= value(i);
      unsignedMost = std::max(unsignedMost, uint32_t(value(i)));
      unsignedLeast = std::min(unsignedLeast, uint32_t(value(i)));
    }
    const int32_t want[] = {
        sum, conjunction, most, least, disjunction, int32_t(unsignedMost), int32_t(unsignedLeast), parity};
    for (int i = 0; i < 8; ++i)
      CHECK(got[i * 64 + t] == want[i]);
  }
}

TEST_CASE("shuffles within segments, which say whether the source is one of them", "[device]") {
  auto got = stored(32, 8, [](KernelCode &k, auto store) {
    auto type = LLVM::LLVMStructType::getLiteral(k.b.getContext(), {k.i32Type(), k.i1Type()});
    // Segments of 8 lanes: 24 in the bits that are kept; the clamp is 7, for `up` 0.
    const int64_t segments = 24 << 8;
    int place = 0;
    for (NVVM::ShflKind kind :
         {NVVM::ShflKind::bfly, NVVM::ShflKind::up, NVVM::ShflKind::down, NVVM::ShflKind::idx}) {
      const int64_t clamp = segments | (kind == NVVM::ShflKind::up ? 0 : 7);
      mlir::Value pair = NVVM::ShflOp::create(k.b, type, k.i32(-1).value, k.thread().value, k.i32(3).value,
                                              k.i32(clamp).value, kind, k.b.getUnitAttr());
      store(place++, k.wrap(LLVM::ExtractValueOp::create(k.b, pair, llvm::ArrayRef<int64_t>{0})));
      store(place++,
            k.cast(k.wrap(LLVM::ExtractValueOp::create(k.b, pair, llvm::ArrayRef<int64_t>{1})), k.i32Type()));
    }
  });
  for (int t = 0; t < 32; ++t) {
    const int place = t % 8, first = t - place;
    CHECK((got[t] == (t ^ 3) && got[32 + t] == 1));
    CHECK((got[64 + t] == (place >= 3 ? t - 3 : t) && got[96 + t] == (place >= 3)));
    CHECK((got[128 + t] == (place + 3 < 8 ? t + 3 : t) && got[160 + t] == (place + 3 < 8)));
    CHECK((got[192 + t] == first + 3 && got[224 + t] == 1));
  }
}

TEST_CASE("barriers by number, for some of the threads", "[device]") {
  // Warp 0 writes and says so; warps 1 and 2 wait for it and do not wait for warp 3.
  auto got = stored(128, 1, [](KernelCode &k, auto store) {
    Pointer memory = k.shared(32, k.i32Type());
    Scalar t = k.thread();
    k.when(t < 32, [&] {
      k.store(t * 3, memory, t);
      NVVM::BarrierArriveOp::create(k.b, k.i32(2).value, k.i32(96).value);
      store(0, t);
    });
    k.when(k.both(t >= 32, t < 96), [&] {
      NVVM::BarrierOp::create(k.b, mlir::TypeRange{}, k.i32(2).value, k.i32(96).value, {}, mlir::Value());
      store(0, k.load(memory, t & 31));
    });
  });
  for (int t = 0; t < 128; ++t)
    CHECK(got[t] == (t < 32 ? t : t < 96 ? t % 32 * 3 : 0));
}

TEST_CASE("barriers that combine a truth value", "[device]") {
  using Kind = NVVM::BarrierReduction;
  auto got = stored(64, 3, [](KernelCode &k, auto store) {
    int place = 0;
    for (Kind kind : {Kind::POPC, Kind::AND, Kind::OR}) {
      Scalar condition = k.cast(k.thread() % 3 == 0, k.i32Type());
      auto barrier =
          NVVM::BarrierOp::create(k.b, mlir::TypeRange{k.i32Type()}, mlir::Value(), mlir::Value(),
                                  NVVM::BarrierReductionAttr::get(k.b.getContext(), kind), condition.value);
      store(place++, k.wrap(barrier.getRes()));
    }
  });
  for (int t = 0; t < 64; ++t)
    CHECK((got[t] == 22 && got[64 + t] == 0 && got[128 + t] == 1));
}

TEST_CASE("threads that poll memory see it change", "[device]") {
  // Each warp waits for the one before it, the first for the last of the block before.
  DeviceHarness device;
  {
    KernelCode k = device.kernel("chain", {device.global}, 128);
    Pointer turn = k.pointer(0, device.i32);
    Scalar mine = k.block() * 4 + k.warp();
    k.when(k.lane() == 0, [&] {
      k.repeat(
          {k.i32(-1)}, [&](llvm::ArrayRef<Scalar> now) { return now[0] != mine; },
          [&](llvm::ArrayRef<Scalar>) { return Scalars{k.atomicAdd(k.i32(0), turn, k.i32(0))}; });
      k.store(mine * mine, turn, mine + 1);
      k.atomicAdd(k.i32(1), turn, k.i32(0));
    });
    k.finish();
  }
  device.anyOrder = true; // blocks wait for those before them
  auto out = device.put(std::vector<int32_t>(21));
  device.run("chain", {5}, out);
  device.ptx("sm_80");
  auto got = device.get<int32_t>(out);
  CHECK(got[0] == 20);
  for (int i = 0; i < 20; ++i)
    CHECK(got[i + 1] == i * i);
}

TEST_CASE("matrices are stored as they are loaded", "[device]") {
  for (bool transposed : {false, true}) {
    DeviceHarness device;
    {
      KernelCode k = device.kernel("store", {device.global}, 32);
      Pointer memory = k.shared(2 * 64, device.i16);
      // Lane l holds elements (l / 4, l % 4 * 2) and the next of each matrix.
      auto word = [&](int matrix) {
        return (k.lane() * 2 + matrix * 64) | ((k.lane() * 2 + matrix * 64 + 1) << 16);
      };
      NVVM::StMatrixOp::create(
          k.b, k.offset(memory, (k.lane() & 15) * 8).base, mlir::ValueRange{word(0).value, word(1).value},
          transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
          NVVM::LdStMatrixShapeAttr::get(&device.context(), 8, 8), NVVM::LdStMatrixEltType::B16);
      k.barrier();
      for (int i = 0; i < 4; ++i)
        k.store(k.load(memory, k.thread() + i * 32), k.pointer(0, device.i16), k.thread() + i * 32);
      k.finish();
    }
    auto out = device.fresh<int16_t>(128);
    device.run("store", {1}, out);
    device.ptx("sm_90a");
    auto got = device.get<int16_t>(out);
    for (int i = 0; i < 128; ++i) {
      const int row = i / 8 % 8, column = i % 8, at = transposed ? column * 8 + row : row * 8 + column;
      CHECK(got[i] == i / 64 * 64 + at);
    }
  }
}
