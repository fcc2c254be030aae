// A key is selected by one run of queries, so whether a chunk of queries selects it is a comparison.
// Candidates of a chunk are the keys listed for a chunk that contains it, 32 times as long, up to one that
// takes all keys: the work of a level is what the level above lists, 32 times, and linear in the length for a
// bounded selection.
#include "compiler/conversion/SparseKToGPU/KeyLists.h"

#include <optional>

namespace heddle::gpu::attention {
namespace {

constexpr int64_t threads = 256, warps = threads / warpSize, growth = 32;
/// Candidates that a thread looks at between two barriers.
constexpr int64_t candidates = 8;
static_assert(warps * candidates == 2 * warpSize, "the counts are two words of each lane");

struct Level {
  int64_t size = 0;   ///< queries of a list
  int64_t stride = 0; ///< keys of a list, at most
  DeviceOperand keys, full, total;
  int64_t lists(const Plan &p) const { return (p.spec.length + size - 1) / size; }
};

class ListKernel {
public:
  ListKernel(KernelCode &k, const Plan &plan, const Level &level, const Level *parent)
      : k(k), n(plan.spec.length), window(plan.spec.window), lists(level.lists(plan)), level(level),
        parent(parent), parents(parent ? parent->lists(plan) : 0) {}

  Pointer ends, keys, total, full, parentKeys, parentTotal;

  void emit() {
    Scalar list = k.block(), row = list / lists;
    start = (list % lists) * level.size;
    stop = k.min(start + level.size, k.i32(n));
    Scalar count = k.max(stop - window, k.i32(0));
    if (parent) {
      Scalar above = row * parents + start / parent->size;
      count = k.load(parentTotal, above);
      source = k.cast(above, k.i64Type()) * parent->stride;
    }
    rowStart = k.cast(row, k.i64Type()) * n;
    target = k.cast(list, k.i64Type()) * level.stride;
    counts = k.shared(warps * candidates, k.i32Type());
    Scalar written = k.i32(0);
    if (full.base) {
      written = collect(count, written, [&](Scalar from, Scalar until) { return isWhole(from, until); });
      k.when(k.thread() == 0, [&] { k.store(written, full, list); });
    }
    written = collect(count, written, [&](Scalar from, Scalar until) {
      Scalar meets = k.max(from, start) < k.min(until, stop);
      return full.base ? k.both(meets, !isWhole(from, until)) : meets;
    });
    k.when(k.thread() == 0, [&] { k.store(written, total, list); });
  }

private:
  Scalar isWhole(Scalar from, Scalar until) { return k.both(from <= start, until >= stop); }

  /// Appends the candidates whose run of queries `fits`, in their order.
  Scalar collect(Scalar count, Scalar written, llvm::function_ref<Scalar(Scalar from, Scalar until)> fits) {
    Scalar lane = k.lane(), warp = k.warp(), below = (k.i32(1) << lane) - 1;
    auto add = [](Scalar a, Scalar b) { return a + b; };
    return k.loop(
        k.i32(0), count, k.i32(threads * candidates), {written},
        [&](Scalar first, llvm::ArrayRef<Scalar> carried) {
          Scalars keys, found, masks;
          for (int64_t i = 0; i < candidates; ++i) {
            Scalar at = first + i * threads + k.thread(), inside = k.min(at, count - 1);
            keys.push_back(parent ? k.load(parentKeys, source + k.cast(inside, k.i64Type())) : inside);
            Scalar until = k.load(ends, rowStart + k.cast(keys.back(), k.i64Type()));
            found.push_back(k.both(at < count, fits(keys.back() + window, until)));
          }
          for (int64_t i = 0; i < candidates; ++i) {
            masks.push_back(k.ballot(found[size_t(i)]));
            k.when(lane == 0, [&] { k.store(k.countOnes(masks.back()), counts, warp + i * warps); });
          }
          k.barrier();
          // How many came before each warp's part of each candidate: sums over the lanes.
          Scalar low = k.load(counts, lane), high = k.load(counts, lane + warpSize);
          Scalar lowSum = k.warpInclusiveScan(low, add);
          Scalar highSum = k.warpInclusiveScan(high, add) + k.shuffleFrom(lowSum, k.i32(warpSize - 1));
          Scalar all = carried[0] + k.shuffleFrom(highSum, k.i32(warpSize - 1));
          for (int64_t i = 0; i < candidates; ++i) {
            const int64_t start = i * warps;
            Scalar sum = start < warpSize ? lowSum - low : highSum - high;
            Scalar before = carried[0] + k.shuffleFrom(sum, warp + start % warpSize);
            Scalar mask = masks[size_t(i)];
            k.when(found[size_t(i)], [&] {
              k.store(keys[size_t(i)], this->keys,
                      target + k.cast(before + k.countOnes(mask & below), k.i64Type()));
            });
          }
          k.barrier(); // before the counts change
          return Scalars{all};
        })[0];
  }

  KernelCode &k;
  const int64_t n, window, lists;
  const Level &level;
  const Level *parent;
  const int64_t parents;
  Scalar start, stop, source, rowStart, target;
  Pointer counts;
};

} // namespace

KeyLists emitKeyLists(ProgramBuilder &builder, const Plan &plan, bool tiles) {
  const AttentionSpec &s = plan.spec;
  llvm::SmallVector<Level, 6> levels; // from the finest on
  if (tiles)
    levels.push_back({plan.walk.tile, plan.listStride, {}, {}, {}});
  levels.push_back({plan.chunk, plan.slotStride, {}, {}, {}});
  while (levels.back().lists(plan) > growth) {
    const int64_t size = levels.back().size * growth;
    levels.push_back({size, std::min(s.topk + size, s.length), {}, {}, {}});
  }
  const Level *parent = nullptr;
  for (size_t i = levels.size(); i-- > 0; parent = &levels[i]) {
    Level &level = levels[i];
    const bool isTile = tiles && i == 0;
    const int64_t lists = s.rows() * level.lists(plan);
    level.keys = builder.program.reserve(lists * level.stride * 4);
    level.total = builder.program.reserve(lists * 4);
    if (isTile)
      level.full = builder.program.reserve(lists * 4);
    builder.take({AttentionArgument::End});
    const unsigned keys = builder.take(level.keys), total = builder.take(level.total);
    const unsigned full = isTile ? builder.take(level.full) : 0;
    const unsigned parentKeys = parent ? builder.take(parent->keys) : 0;
    const unsigned parentTotal = parent ? builder.take(parent->total) : 0;
    const std::string name = isTile ? "tile_keys" : "chunk_keys_" + std::to_string(level.size);
    builder.kernel(name, lists, threads, [&](KernelCode &k) {
      auto buffer = [&](unsigned number) { return k.pointer(number, k.i32Type()); };
      ListKernel kernel(k, plan, level, parent);
      kernel.ends = builder.buffer(k, AttentionArgument::End, k.i32Type());
      kernel.keys = buffer(keys);
      kernel.total = buffer(total);
      if (isTile)
        kernel.full = buffer(full);
      if (parent) {
        kernel.parentKeys = buffer(parentKeys);
        kernel.parentTotal = buffer(parentTotal);
      }
      kernel.emit();
    });
  }
  const Level &chunk = levels[tiles ? 1 : 0];
  KeyLists result{chunk.keys, chunk.total, {}, {}, {}};
  if (tiles) {
    result.keys = levels[0].keys;
    result.full = levels[0].full;
    result.total = levels[0].total;
  }
  return result;
}

} // namespace heddle::gpu::attention
