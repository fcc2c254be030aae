// A key is selected by one run of queries, so whether a chunk of queries selects it is a comparison.
// Candidates of a chunk are the keys listed for a chunk that contains it, 32 times as long, up to one that
// takes all keys: the work of a level is what the level above lists, 32 times, and linear in the length for a
// bounded selection.
#include "compiler/conversion/SparseKToGPU/KeyLists.h"

#include <optional>

namespace heddle::gpu::attention {
namespace {

constexpr int64_t threads = 256, growth = 32;

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
    counts = k.shared(threads / warpSize, k.i32Type());
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
    Scalar below = (k.i32(1) << k.lane()) - 1, warp = k.warp();
    return k.loop(
        k.i32(0), count, k.i32(threads), {written}, [&](Scalar first, llvm::ArrayRef<Scalar> carried) {
          Scalar at = first + k.thread();
          Scalars found = k.choose(
              at < count,
              [&] {
                Scalar key = parent ? k.load(parentKeys, source + k.cast(at, k.i64Type())) : at;
                Scalar until = k.load(ends, rowStart + k.cast(key, k.i64Type()));
                return Scalars{key, fits(key + window, until)};
              },
              [&] { return Scalars{k.i32(0), k.truth(false)}; });
          Scalar mask = k.ballot(found[1]);
          k.when(k.lane() == 0, [&] { k.store(k.countOnes(mask), counts, warp); });
          k.barrier();
          Scalar before = carried[0], all = carried[0];
          for (int64_t i = 0; i < threads / warpSize; ++i) {
            Scalar other = k.load(counts, k.i32(i));
            before = before + k.select(k.i32(i) < warp, other, k.i32(0));
            all = all + other;
          }
          k.when(found[1], [&] {
            k.store(found[0], keys, target + k.cast(before + k.countOnes(mask & below), k.i64Type()));
          });
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
