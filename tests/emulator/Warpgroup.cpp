// What devices of compute capability 9.0 have besides: products of warpgroups, and barriers in shared memory.

#include "Block.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace heddle::emulator;

#define HEDDLE_EMULATOR_EXPORT extern "C" __attribute__((visibility("default")))

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

constexpr int rows = 16, depth = 16, mostColumns = 256;

/// What a lane brings to a product.
struct Product {
  bool f16;
  int n;
  bool shared, across, adds;
  const int64_t *operands;
  float *sums;

  const int64_t *left() const { return operands + (adds ? n / 2 : 0); }
  uint64_t right() const { return static_cast<uint64_t>(left()[shared ? 1 : 4]); }
};

float toFloat(uint16_t bits, bool f16) {
  return f16 ? static_cast<float>(std::bit_cast<_Float16>(bits))
             : std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// A matrix in shared memory with the 128-byte swizzle (PTX manual, "Matrix descriptor").
class Matrix {
public:
  Matrix(uint64_t descriptor, bool f16) : f16(f16) {
    if (descriptor >> 62 != 1)
      Block::running()->fail("a product of a matrix that is not swizzled by 128 bytes");
    const auto base = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(Block::running()->shared()));
    const uint32_t low = (descriptor & 0x3fff) << 4; // 18 bits of the address
    start = base + ((low - base) & 0x3ffff);
    leading = (descriptor >> 16 & 0x3fff) << 4;
    stride = (descriptor >> 32 & 0x3fff) << 4;
  }
  /// Element k of row i, where rows run along the panel.
  float along(int i, int k) const { return load(i / 8 * stride + i % 8 * 128 + 2 * k); }
  /// Element i of row k, across panels of 64.
  float across(int i, int k) const {
    return load(i / 64 * leading + k / 8 * stride + k % 8 * 128 + i % 64 * 2);
  }

private:
  float load(uint32_t offset) const {
    const uint32_t linear = start + offset, swizzled = linear ^ ((linear >> 7 & 7) << 4);
    uint16_t bits;
    std::memcpy(&bits, reinterpret_cast<const void *>(static_cast<uintptr_t>(swizzled)), sizeof bits);
    return toFloat(bits, f16);
  }

  bool f16;
  uint32_t start, leading, stride;
};

/// Sums with exact products, rounded once.
void multiply(Group &group) {
  for (const Request *lane : group.lanes)
    if (!lane)
      Block::running()->fail("wgmma after lanes of the warp have ended");
  auto of = [&](int lane) -> const Product & {
    return *reinterpret_cast<const Product *>(group.lanes[lane]->value);
  };
  const Product &first = of(0);
  static thread_local double a[rows][depth], b[mostColumns][depth];
  if (first.shared) {
    const Matrix left(static_cast<uint64_t>(first.left()[0]), first.f16);
    const int warp = Block::running()->reg(HEDDLE_EMULATED_WARPID) % 4;
    for (int i = 0; i < rows; ++i)
      for (int k = 0; k < depth; ++k)
        a[i][k] = left.along(rows * warp + i, k);
  } else {
    for (int lane = 0; lane < warpSize; ++lane)
      for (int word = 0; word < 4; ++word)
        for (int half = 0; half < 2; ++half)
          a[lane / 4 + word % 2 * 8][lane % 4 * 2 + word / 2 * 8 + half] =
              toFloat(static_cast<uint16_t>(of(lane).left()[word] >> 16 * half), first.f16);
  }
  const Matrix right(first.right(), first.f16);
  for (int i = 0; i < first.n; ++i)
    for (int k = 0; k < depth; ++k)
      b[i][k] = first.across ? right.across(i, k) : right.along(i, k);
  for (int lane = 0; lane < warpSize; ++lane) {
    const Product &product = of(lane);
    for (int i = 0; i < first.n / 2; ++i) {
      const int row = lane / 4 + i / 2 % 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
      double sum = product.adds ? std::bit_cast<float>(static_cast<uint32_t>(product.operands[i])) : 0.0;
      for (int k = 0; k < depth; ++k)
        sum += a[row][k] * b[column][k];
      product.sums[i] = static_cast<float>(sum);
    }
  }
}

uint16_t narrow(float x, bool f16) {
  return f16 ? std::bit_cast<uint16_t>(static_cast<_Float16>(x))
             : std::bit_cast<uint16_t>(static_cast<__bf16>(x));
}

} // namespace

HEDDLE_EMULATOR_EXPORT void heddle_emulated_warpgroup_product(int32_t f16, int32_t n, int32_t shared,
                                                              int32_t across, int32_t adds,
                                                              const int64_t *operands, float *sums) {
  const Product product{f16 != 0, n, shared != 0, across != 0, adds != 0, operands, sums};
  Request request{.operation = multiply,
                  .name = "wgmma",
                  .mask = ~0u,
                  .value = static_cast<int64_t>(reinterpret_cast<uintptr_t>(&product))};
  Block::running()->collective(request);
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_pack_pair(int32_t f16, const int64_t *operands, int32_t *result) {
  uint32_t word = 0;
  for (int i = 0; i < 2; ++i)
    word |= static_cast<uint32_t>(narrow(std::bit_cast<float>(static_cast<uint32_t>(operands[i])), f16 != 0))
            << 16 * i;
  *result = static_cast<int32_t>(word);
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_multiply_add_within(const int64_t *operands, int32_t *result) {
  auto operand = [&](int i) { return std::bit_cast<float>(static_cast<uint32_t>(operands[i])); };
  const float gate = operand(3);
  *result = std::bit_cast<int32_t>(gate > 0 && gate < 1 ? std::fma(operand(1), operand(2), operand(0))
                                                        : operand(0));
}

//===----------------------------------------------------------------------===//
// Barriers in shared memory
//===----------------------------------------------------------------------===//

namespace {

struct MemoryBarrier {
  uint16_t expected, pending;
  uint32_t phase;
};
static_assert(sizeof(MemoryBarrier) == 8);

MemoryBarrier &barrierAt(void *address) {
  if (reinterpret_cast<uintptr_t>(address) % 8 != 0)
    Block::running()->fail("an mbarrier that is not aligned to 8 bytes");
  return *static_cast<MemoryBarrier *>(address);
}

} // namespace

HEDDLE_EMULATOR_EXPORT void heddle_emulated_mbarrier_init(void *barrier, int32_t arrivals) {
  const auto count = static_cast<uint16_t>(arrivals);
  barrierAt(barrier) = {count, count, 0};
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_mbarrier_arrive(void *barrier, int32_t count) {
  MemoryBarrier &state = barrierAt(barrier);
  if (count > state.pending)
    Block::running()->fail("more arrivals at an mbarrier than it expects in a phase");
  state.pending = static_cast<uint16_t>(state.pending - count);
  if (state.pending == 0) {
    state.pending = state.expected;
    ++state.phase;
  }
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_mbarrier_arrive_copies(void *barrier) {
  Block::running()->commitCopies();
  Block::running()->waitForCopies(0);
  heddle_emulated_mbarrier_arrive(barrier, 1);
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_mbarrier_wait(const void *barrier, int32_t parity) {
  const MemoryBarrier &state = barrierAt(const_cast<void *>(barrier));
  // The phase with this parity has ended where the one that runs has the other.
  while ((state.phase & 1) == (static_cast<uint32_t>(parity) & 1))
    Block::running()->yield();
}
