// Matrix operations of a warp. Where a lane holds which element: PTX manual, "Matrix Fragments for
// mma.m16n8k…".

#include "Block.h"

#include <bit>
#include <cstring>

using namespace heddle::emulator;

#define HEDDLE_EMULATOR_EXPORT extern "C" __attribute__((visibility("default")))

static float halfToFloat(uint16_t bits) {
  _Float16 half;
  std::memcpy(&half, &bits, sizeof half);
  return static_cast<float>(half);
}

/// Number `i` of a fragment of 16-bit elements, or of 32-bit ones whose low 13 bits do not count.
static float fragment(const int32_t *registers, int element, int i) {
  if (element == HEDDLE_EMULATED_TF32)
    return std::bit_cast<float>(static_cast<uint32_t>(registers[i]) & ~0x1fffu);
  const auto word = static_cast<uint32_t>(registers[i / 2]);
  const auto bits = static_cast<uint16_t>(i % 2 ? word >> 16 : word);
  return element == HEDDLE_EMULATED_BF16 ? std::bit_cast<float>(static_cast<uint32_t>(bits) << 16)
                                         : halfToFloat(bits);
}

static void needAll(const Group &group, const char *name) {
  for (const Request *lane : group.lanes)
    if (!lane)
      Block::running()->fail(std::string(name) + " after lanes of the warp have ended");
}

/// d = a b + c, with exact products and sums that are rounded once.
static void multiply(Group &group) {
  needAll(group, "mma.sync");
  double a[16][16] = {}, b[16][8] = {};
  const int element = group.lanes[0]->kind, k = group.lanes[0]->clamp;
  // Elements of one register, and of the quarter of a row that a group of four lanes holds.
  const int packed = element == HEDDLE_EMULATED_TF32 ? 1 : 2, width = 4 * packed;
  for (int lane = 0; lane < warpSize; ++lane) {
    const Request &request = *group.lanes[lane];
    const int row = lane / 4, column = lane % 4 * packed;
    for (int i = 0; i < 16 * k / warpSize; ++i) {
      const int part = i / packed; // registers go down 8 rows, then right
      a[row + part % 2 * 8][column + i % packed + part / 2 * width] = fragment(request.a, element, i);
    }
    for (int i = 0; i < 8 * k / warpSize; ++i)
      b[column + i % packed + i / packed * width][row] = fragment(request.b, element, i);
  }
  double sums[16][8];
  for (int lane = 0; lane < warpSize; ++lane)
    for (int i = 0; i < 4; ++i)
      sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] = group.lanes[lane]->c[i];
  for (int row = 0; row < 16; ++row)
    for (int j = 0; j < k; ++j)
      for (int column = 0; column < 8; ++column)
        sums[row][column] += a[row][j] * b[j][column];
  for (int lane = 0; lane < warpSize; ++lane) {
    float result[4];
    for (int i = 0; i < 4; ++i)
      result[i] = static_cast<float>(sums[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
    std::memcpy(group.lanes[lane]->out, result, sizeof result);
  }
}

/// Matrix operations are of all lanes.
static void wholeWarp(Request &request) {
  Block *block = Block::running();
  if (block->reg(HEDDLE_EMULATED_NTID) * block->reg(HEDDLE_EMULATED_NTID + 1) *
          block->reg(HEDDLE_EMULATED_NTID + 2) % warpSize !=
      0)
    block->fail(std::string(request.name) + " in a block whose warps are not whole");
  block->collective(request);
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_mma(int32_t element, int32_t k, const int32_t *a,
                                                const int32_t *b, const float *c, float *d) {
  Request request{.operation = multiply,
                  .name = "mma.sync",
                  .mask = ~0u,
                  .kind = element,
                  .clamp = k,
                  .a = a,
                  .b = b,
                  .c = c,
                  .out = d};
  wholeWarp(request);
}

/// The row of 16 bytes that lane 8 m + r names is row r of matrix m. A lane gets, of each matrix, two
/// neighbours of row lane / 4, or, transposed, of a column.
static const char *rowAddress(const Group &group, int matrix, int row) {
  return reinterpret_cast<const char *>(group.lanes[matrix * 8 + row]->value);
}

static void loadMatrix(Group &group) {
  needAll(group, "ldmatrix");
  for (int lane = 0; lane < warpSize; ++lane) {
    Request &request = *group.lanes[lane];
    for (int matrix = 0; matrix < request.lane; ++matrix) {
      uint16_t pair[2];
      for (int i = 0; i < 2; ++i) {
        int row = lane / 4, column = lane % 4 * 2 + i;
        if (request.kind)
          std::swap(row, column);
        std::memcpy(&pair[i], rowAddress(group, matrix, row) + column * 2, 2);
      }
      std::memcpy(static_cast<char *>(request.out) + matrix * 4, pair, 4);
    }
  }
}

static void storeMatrix(Group &group) {
  needAll(group, "stmatrix");
  for (int lane = 0; lane < warpSize; ++lane) {
    const Request &request = *group.lanes[lane];
    for (int matrix = 0; matrix < request.lane; ++matrix) {
      uint16_t pair[2];
      std::memcpy(pair, request.a + matrix, 4);
      for (int i = 0; i < 2; ++i) {
        int row = lane / 4, column = lane % 4 * 2 + i;
        if (request.kind)
          std::swap(row, column);
        std::memcpy(const_cast<char *>(rowAddress(group, matrix, row)) + column * 2, &pair[i], 2);
      }
    }
  }
}

static void moveMatrices(Request &request, const void *row) {
  const int lane = Block::running()->reg(HEDDLE_EMULATED_LANEID);
  if (lane < 8 * request.lane && reinterpret_cast<uintptr_t>(row) % 16 != 0)
    Block::running()->fail(std::string(request.name) + " of a row that is not aligned to 16 bytes");
  request.value = reinterpret_cast<int64_t>(row);
  wholeWarp(request);
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_load_matrix(const void *row, int32_t count, int32_t transposed,
                                                        int32_t *out) {
  Request request{.operation = loadMatrix,
                  .name = "ldmatrix",
                  .mask = ~0u,
                  .kind = transposed,
                  .lane = count,
                  .out = out};
  moveMatrices(request, row);
}
HEDDLE_EMULATOR_EXPORT void heddle_emulated_store_matrix(void *row, int32_t count, int32_t transposed,
                                                         const int32_t *words) {
  Request request{.operation = storeMatrix,
                  .name = "stmatrix",
                  .mask = ~0u,
                  .kind = transposed,
                  .lane = count,
                  .a = words};
  moveMatrices(request, row);
}
