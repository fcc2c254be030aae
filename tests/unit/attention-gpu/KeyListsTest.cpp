// The lists of keys that chunks and tiles of queries select, on a device against the runs they stand for.

#include "DeviceAttention.h"

#include "compiler/conversion/SparseKToGPU/KeyLists.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <queue>
#include <random>

using namespace heddle;
using namespace heddle::tests;
using gpu::attention::ChunkOrder;

namespace {

enum class Scores { Normal, Rising, Falling };

/// Where the runs of the keys of a row end.
std::vector<int32_t> endsOf(const cpu::AttentionSpec &s, Scores scores, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<int32_t> end(static_cast<size_t>(s.length), static_cast<int32_t>(s.length));
  using Key = std::pair<double, int32_t>;
  std::priority_queue<Key, std::vector<Key>, std::greater<>> selected;
  for (int32_t j = 0; j < s.length; ++j) {
    const double slope = scores == Scores::Rising ? 0.1 : scores == Scores::Falling ? -0.1 : 0;
    selected.push({slope * j + normal(random), j});
    if (static_cast<int64_t>(selected.size()) <= s.topk)
      continue;
    end[static_cast<size_t>(selected.top().second)] = static_cast<int32_t>(std::min(j + s.window, s.length));
    selected.pop();
  }
  return end;
}

/// Of some keys, those that some query of [first, last) selects; those that all select come first, if asked
/// for, and are counted.
struct Selected {
  std::vector<int32_t> keys;
  int32_t full = 0;
};
Selected selectedBy(const std::vector<int32_t> &candidates, const int32_t *end, int64_t window, int64_t first,
                    int64_t last, bool fullFirst) {
  Selected selected;
  std::vector<int32_t> parts;
  for (int32_t j : candidates) {
    if (std::max(j + window, first) >= std::min<int64_t>(end[j], last))
      continue;
    const bool isFull = j + window <= first && end[j] >= last;
    selected.full += isFull;
    (isFull || !fullFirst ? selected.keys : parts).push_back(j);
  }
  selected.keys.insert(selected.keys.end(), parts.begin(), parts.end());
  return selected;
}

struct Case {
  int64_t n, k, w, tile;
  std::optional<int64_t> chunk = std::nullopt;
  size_t kernels = 0; ///< that make lists
};

/// Lists as a device gives them, [list, stride].
struct Lists {
  int64_t stride;
  std::vector<int32_t> keys, full, total;

  bool holds(int64_t list, const Selected &expected, bool hasFull) const {
    const auto at = static_cast<size_t>(list);
    const int32_t *own = keys.data() + list * stride;
    return total[at] == static_cast<int32_t>(expected.keys.size()) &&
           std::equal(expected.keys.begin(), expected.keys.end(), own) &&
           (!hasFull || full[at] == expected.full);
  }
};

void checkLists(const Case &c, Scores scores, ChunkOrder order) {
  const cpu::AttentionSpec s = attentionSpec(1, 2, 2, c.n, 8, 8, c.k, c.w);
  gpu::Target target;
  if (c.chunk)
    target.choice.set("chunk", *c.chunk);
  test::DeviceHarness device;
  ParsedOperation parsed(device, attentionText(s, AttentionPass::Forward));
  gpu::attention::ProgramBuilder builder(device.module(), parsed.op, "test");
  const auto plan = gpu::attention::makePlan(s, target, gpu::attention::Pass::Forward, c.tile);
  const auto emitted = gpu::attention::emitKeyLists(builder, plan, order);
  CHECK(builder.program.steps.size() == c.kernels);

  // What is in the workspace becomes results.
  std::vector<test::DeviceBuffer> results;
  auto read = [&](gpu::DeviceOperand from, int64_t count) {
    const auto number = static_cast<int64_t>(results.size());
    results.push_back(device.fresh<int32_t>(static_cast<size_t>(count)));
    builder.take(from);
    builder.take({gpu::DeviceOperand::Result, number});
    builder.kernel("read_" + std::to_string(number), (count + 255) / 256, 256, [&](gpu::KernelCode &k) {
      gpu::Scalar at = k.block() * 256 + k.thread();
      k.when(at < count,
             [&] { k.store(k.load(k.pointer(0, k.i32Type()), at), k.pointer(1, k.i32Type()), at); });
    });
  };
  const bool chunksHaveFull = order == ChunkOrder::FullFirst;
  const int64_t tiles = s.rows() * plan.tiles(), chunks = s.rows() * plan.chunks();
  read(emitted.keys, tiles * plan.listStride);
  read(emitted.full, tiles);
  read(emitted.total, tiles);
  read(emitted.slotKeys, chunks * plan.slotStride);
  read(emitted.slotTotal, chunks);
  if (chunksHaveFull)
    read(emitted.slotFull, chunks);

  std::vector<int32_t> end, all;
  for (int64_t row = 0; row < s.rows(); ++row) {
    const auto own = endsOf(s, scores, static_cast<uint32_t>(row + 7));
    end.insert(end.end(), own.begin(), own.end());
  }
  for (int32_t j = 0; j + s.window < s.length; ++j)
    all.push_back(j);
  const test::DeviceBuffer none = device.fresh<int32_t>(1);
  CHECK(test::runProgram(device, builder.program, {none, none, none, none, none, none, device.put(end)},
                         results) == "");
  auto get = [&](size_t number) { return device.get<int32_t>(results[number]); };
  const Lists ofTiles{plan.listStride, get(0), get(1), get(2)},
      ofChunks{plan.slotStride, get(3), chunksHaveFull ? get(5) : std::vector<int32_t>(), get(4)};

  int64_t wrongChunks = 0, wrongTiles = 0;
  for (int64_t list = 0; list < chunks; ++list) {
    const int64_t row = list / plan.chunks(), first = list % plan.chunks() * plan.chunk;
    const int32_t *ends = end.data() + row * s.length;
    const int64_t last = std::min(first + plan.chunk, s.length);
    const Selected chunk = selectedBy(all, ends, s.window, first, last, chunksHaveFull);
    wrongChunks += !ofChunks.holds(list, chunk, chunksHaveFull);
    for (int64_t start = first; start < last; start += plan.walk.tile) {
      const int64_t stop = std::min(start + plan.walk.tile, s.length);
      wrongTiles += !ofTiles.holds(row * plan.tiles() + start / plan.walk.tile,
                                   selectedBy(chunk.keys, ends, s.window, start, stop, true), true);
    }
  }
  INFO("n " << c.n << ", k " << c.k << ", w " << c.w << ", tile " << plan.walk.tile << ", chunk "
            << plan.chunk << ", scores " << int(scores) << ", order " << int(order));
  CHECK(wrongChunks == 0);
  CHECK(wrongTiles == 0);
}

} // namespace

TEST_CASE("lists of keys hold what chunks and tiles select", "[device][attention]") {
  const Case cases[] = {{.n = 1, .k = 1, .w = 0, .tile = 64, .kernels = 2},
                        {.n = 700, .k = 20, .w = 16, .tile = 192, .kernels = 2},
                        {.n = 3000, .k = 40, .w = 33, .tile = 64, .chunk = 512, .kernels = 2},
                        {.n = 3000, .k = 2500, .w = 7, .tile = 192, .chunk = 1536, .kernels = 2},
                        // Lists of four tiles that shared memory does not hold.
                        {.n = 9000, .k = 7000, .w = 10, .tile = 192, .chunk = 1536, .kernels = 3},
                        // Pieces of lists that take all keys.
                        {.n = 20000, .k = 100, .w = 50, .tile = 192, .chunk = 1536, .kernels = 3},
                        {.n = 18000, .k = 7000, .w = 0, .tile = 64, .chunk = 512, .kernels = 4},
                        // And a level more.
                        {.n = 20000, .k = 60, .w = 0, .tile = 64, .chunk = 128, .kernels = 4},
                        {.n = 70000, .k = 30, .w = 9, .tile = 192, .chunk = 1536, .kernels = 3}};
  for (const Case &c : cases)
    for (Scores scores : {Scores::Normal, Scores::Rising, Scores::Falling})
      checkLists(c, scores, scores == Scores::Rising ? ChunkOrder::FullFirst : ChunkOrder::Ascending);
  checkLists(cases[5], Scores::Normal, ChunkOrder::FullFirst);
  checkLists(cases[7], Scores::Normal, ChunkOrder::FullFirst);
}
