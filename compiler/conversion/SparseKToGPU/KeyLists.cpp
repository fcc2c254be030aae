// A key is selected by one run of queries, so whether a chunk of queries selects it is a comparison.
// Candidates of a chunk are the keys listed for a chunk that contains it, 32 times as long, up to one that
// takes all keys: the work of a level is what the level above lists, 32 times, and linear in the length for a
// bounded selection.
#include "compiler/conversion/SparseKToGPU/KeyLists.h"

#include <algorithm>
#include <optional>

namespace heddle::gpu::attention {
namespace {

constexpr int64_t growth = 32;    ///< of lists above those of chunks
constexpr int64_t tileGrowth = 4; ///< of lists between those of tiles and of chunks

struct Level {
  int64_t size = 0;   ///< queries of a list
  int64_t stride = 0; ///< keys of a list, at most
  DeviceOperand keys, full, total;
  std::optional<DeviceOperand> ends; ///< of the keys' runs, for the level below
  int64_t lists(const Plan &p) const { return (p.spec.length + size - 1) / size; }
};

/// A block's threads, and candidates of each that are looked at together.
struct ListWork {
  int64_t threads = 256, keys = 1;
  /// For up to `candidates` of a list.
  explicit ListWork(int64_t candidates) {
    constexpr int64_t mostKeys = 16, fewKeys = 8;
    if (candidates > mostKeys * threads)
      threads = 1024;
    keys = std::clamp<int64_t>((candidates + threads - 1) / threads, 1, threads == 256 ? mostKeys : fewKeys);
  }
  int64_t group() const { return threads * keys; }
};

class ListKernel {
public:
  ListKernel(KernelCode &k, const Plan &plan, const Level &level, const Level *parent, const ListWork &work,
             bool isSingle)
      : k(k), work(work), isSingle(isSingle), n(plan.spec.length), window(plan.spec.window),
        lists(level.lists(plan)), level(level), parent(parent), parents(parent ? parent->lists(plan) : 0) {}

  Pointer ends, keys, total, full, keyEnds, parentKeys, parentEnds, parentTotal;

  void emit() {
    Scalar list = k.block(), row = list / lists;
    start = (list % lists) * level.size;
    stop = k.min(start + level.size, k.i32(n));
    count = k.max(stop - window, k.i32(0));
    if (parent) {
      Scalar above = row * parents + start / parent->size;
      count = k.load(parentTotal, above);
      source = k.cast(above, k.i64Type()) * parent->stride;
    }
    rowStart = k.cast(row, k.i64Type()) * n;
    target = k.cast(list, k.i64Type()) * level.stride;
    auto isWhole = [&](Scalar from, Scalar until) { return k.both(from <= start, until >= stop); };
    auto meets = [&](Scalar from, Scalar until) { return k.max(from, start) < k.min(until, stop); };
    auto isPart = [&](Scalar from, Scalar until) {
      return k.both(meets(from, until), !isWhole(from, until));
    };
    Scalars written;
    if (!full.base)
      written = {collect(k.i32(0), meets)};
    else if (isSingle)
      written = append(k.i32(0), k.i32(0), {isWhole, isPart});
    else {
      written = {collect(k.i32(0), isWhole)};
      written.push_back(collect(written[0], isPart));
    }
    k.when(k.thread() == 0, [&] {
      if (full.base)
        k.store(written[0], full, list);
      k.store(written.back(), total, list);
    });
  }

private:
  using Fits = llvm::function_ref<Scalar(Scalar from, Scalar until)>;

  Scalar collect(Scalar written, Fits fits) {
    return k.loop(k.i32(0), count, k.i32(work.group()), {written},
                  [&](Scalar first, llvm::ArrayRef<Scalar> carried) {
                    Scalars all = append(first, carried[0], {fits});
                    k.barrier(); // before the counts change
                    return all;
                  })[0];
  }

  /// Appends those of a group of candidates whose run of queries fits, one kind after the other, in their
  /// order; gives how many are written then, kind by kind.
  Scalars append(Scalar first, Scalar written, llvm::ArrayRef<Fits> kinds) {
    const int64_t warps = work.threads / warpSize;
    Scalar below = (k.i32(1) << k.lane()) - 1, warp = k.warp();
    Scalar begin = first + warp * (work.keys * warpSize) + k.lane();
    llvm::SmallVector<Scalar, 16> found, until, masks; // masks: kind by kind
    llvm::SmallVector<Scalars, 16> fits;
    for (int64_t i = 0; i < work.keys; ++i) {
      Scalar at = begin + i * warpSize;
      Scalars own = k.choose(
          at < count,
          [&] {
            Scalar place = k.cast(at, k.i64Type());
            if (parent)
              return Scalars{k.load(parentKeys, source + place), k.load(parentEnds, source + place)};
            return Scalars{at, k.load(ends, rowStart + place)};
          },
          [&] { return Scalars{k.i32(n), k.i32(0)}; });
      found.push_back(own[0]);
      until.push_back(own[1]);
      fits.emplace_back();
      for (Fits kind : kinds)
        fits.back().push_back(kind(own[0] + window, own[1]));
    }
    const int64_t used = k.sharedBytes();
    Pointer counts = k.shared(int64_t(kinds.size()) * warps, k.i32Type());
    Scalars sums;
    for (size_t kind = 0; kind < kinds.size(); ++kind) {
      Scalar sum = k.i32(0);
      for (int64_t i = 0; i < work.keys; ++i) {
        masks.push_back(k.ballot(fits[size_t(i)][kind]));
        sum = sum + k.countOnes(masks.back());
      }
      sums.push_back(sum);
    }
    k.when(k.lane() == 0, [&] {
      for (size_t kind = 0; kind < kinds.size(); ++kind)
        k.store(sums[kind], counts, warp + int64_t(kind) * warps);
    });
    k.barrier();
    Scalars all;
    for (size_t kind = 0; kind < kinds.size(); ++kind) {
      // A lane has the count of a warp.
      Scalar own = k.choose(
          k.lane() < warps, [&] { return Scalars{k.load(counts, k.lane() + int64_t(kind) * warps)}; },
          [&] { return Scalars{k.i32(0)}; })[0];
      Scalar upTo = k.warpInclusiveScan(own, [](Scalar a, Scalar b) { return a + b; });
      Scalar before = written + k.shuffleFrom(upTo - own, warp);
      written = written + k.shuffleFrom(upTo, k.i32(warpSize - 1));
      for (int64_t i = 0; i < work.keys; ++i) {
        Scalar mask = masks[kind * size_t(work.keys) + size_t(i)];
        k.when(fits[size_t(i)][kind], [&] {
          Scalar place = target + k.cast(before + k.countOnes(mask & below), k.i64Type());
          k.store(found[size_t(i)], keys, place);
          if (keyEnds.base)
            k.store(until[size_t(i)], keyEnds, place);
        });
        before = before + k.countOnes(mask);
      }
      all.push_back(written);
    }
    k.releaseShared(used);
    return all;
  }

  KernelCode &k;
  const ListWork work;
  const bool isSingle; ///< all candidates are one group
  const int64_t n, window, lists;
  const Level &level;
  const Level *parent;
  const int64_t parents;
  Scalar start, stop, count, source, rowStart, target;
};

} // namespace

TileListNumbers takeTileLists(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists) {
  using A = AttentionArgument;
  if (plan.spec.packed)
    builder.take({A::Bounds});
  if (plan.spec.topk == 0)
    return {};
  builder.take({A::U, A::Hi, A::Lo, A::End});
  TileListNumbers numbers;
  numbers.keys = builder.take(lists.keys);
  numbers.full = builder.take(lists.full);
  numbers.total = builder.take(lists.total);
  return numbers;
}

SlotLists SlotLists::take(ProgramBuilder &builder, const KeyLists &lists) {
  SlotLists result;
  result.keysNumber = builder.take(lists.slotKeys);
  result.fullNumber = builder.take(lists.slotFull);
  result.totalNumber = builder.take(lists.slotTotal);
  return result;
}

void SlotLists::open(KernelCode &k) {
  keys = k.pointer(keysNumber, k.i32Type());
  full = k.pointer(fullNumber, k.i32Type());
  total = k.pointer(totalNumber, k.i32Type());
}

Scalar SlotLists::slotOf(KernelCode &k, const Plan &plan, Scalar row, Scalar chunk, Scalar key,
                         Scalar until) const {
  Scalar list = row * plan.chunks() + chunk, listStart = k.cast(list, k.i64Type()) * plan.slotStride;
  Scalar start = chunk * plan.chunk, stop = k.min(start + plan.chunk, k.i32(plan.spec.length));
  Scalar whole = k.both(key + plan.spec.window <= start, until >= stop), split = k.load(full, list);
  Scalars found = k.repeat(
      {k.select(whole, k.i32(0), split), k.select(whole, split, k.load(total, list))},
      [&](llvm::ArrayRef<Scalar> range) { return range[0] + 1 < range[1]; },
      [&](llvm::ArrayRef<Scalar> range) {
        Scalar middle = (range[0] + range[1]) >> 1;
        Scalar below = k.load(keys, listStart + k.cast(middle, k.i64Type())) <= key;
        return Scalars{k.select(below, middle, range[0]), k.select(below, range[1], middle)};
      });
  return found[0];
}

KeyLists emitKeyLists(ProgramBuilder &builder, const Plan &plan, ChunkOrder order) {
  const AttentionSpec &s = plan.spec;
  llvm::SmallVector<Level, 6> levels; // from the finest on
  levels.push_back({plan.walk.tile, plan.listStride, {}, {}, {}, {}});
  const int64_t between = plan.walk.tile * tileGrowth;
  if (plan.chunk % between == 0 && plan.chunk >= 2 * between)
    levels.push_back({between, std::max<int64_t>(std::min(s.topk + between, s.length), 1), {}, {}, {}, {}});
  const size_t ofChunks = levels.size();
  levels.push_back({plan.chunk, plan.slotStride, {}, {}, {}, {}});
  while (levels.back().lists(plan) > growth) {
    const int64_t size = levels.back().size * growth;
    levels.push_back({size, std::min(s.topk + size, s.length), {}, {}, {}, {}});
  }
  const Level *parent = nullptr;
  for (size_t i = levels.size(); i-- > 0; parent = &levels[i]) {
    Level &level = levels[i];
    const bool isTile = i == 0, ordered = isTile || (order == ChunkOrder::FullFirst && i == ofChunks);
    const int64_t lists = s.rows() * level.lists(plan);
    level.keys = builder.program.reserve(lists * level.stride * 4);
    level.total = builder.program.reserve(lists * 4);
    if (ordered)
      level.full = builder.program.reserve(lists * 4);
    builder.take({AttentionArgument::End});
    const unsigned keys = builder.take(level.keys), total = builder.take(level.total);
    const unsigned full = ordered ? builder.take(level.full) : 0;
    if (i > 0)
      level.ends = builder.program.reserve(lists * level.stride * 4);
    const unsigned keyEnds = level.ends ? builder.take(*level.ends) : 0;
    const unsigned parentEnds = parent ? builder.take(*parent->ends) : 0;
    const unsigned parentKeys = parent ? builder.take(parent->keys) : 0;
    const unsigned parentTotal = parent ? builder.take(parent->total) : 0;
    const std::string name = isTile ? "tile_keys" : "keys_" + std::to_string(level.size);
    const int64_t candidates = parent ? parent->stride : std::max<int64_t>(s.length - s.window, 1);
    const ListWork work(candidates);
    builder.kernel(name, lists, work.threads, [&](KernelCode &k) {
      auto buffer = [&](unsigned number) { return k.pointer(number, k.i32Type()); };
      ListKernel kernel(k, plan, level, parent, work, candidates <= work.group());
      kernel.ends = builder.buffer(k, AttentionArgument::End, k.i32Type());
      kernel.keys = buffer(keys);
      kernel.total = buffer(total);
      if (ordered)
        kernel.full = buffer(full);
      if (level.ends)
        kernel.keyEnds = buffer(keyEnds);
      if (parent) {
        kernel.parentKeys = buffer(parentKeys);
        kernel.parentEnds = buffer(parentEnds);
        kernel.parentTotal = buffer(parentTotal);
      }
      kernel.emit();
    });
  }
  const Level &chunk = levels[ofChunks];
  const Level &tile = levels[0];
  return {chunk.keys, chunk.full, chunk.total, tile.keys, tile.full, tile.total};
}

} // namespace heddle::gpu::attention
