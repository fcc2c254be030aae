// A key is selected by one run of queries, so whether a chunk of queries selects it is a comparison.
// Candidates of a chunk are the keys listed for a longer part of the queries that contains it, those of the
// longest parts are all keys before their ends.
//
// Few long parts are few blocks of threads with many candidates each, so there a block has a piece of the
// candidates and a list of its own, and whoever reads them takes the pieces one after the other.
#include "compiler/conversion/SparseKToGPU/KeyLists.h"

#include <algorithm>
#include <optional>

namespace heddle::gpu::attention {
namespace {

constexpr int64_t growth = 32;           ///< of lists above those of chunks
constexpr int64_t topLists = 4;          ///< so many of a row, at most, take all keys
constexpr int64_t fewKeys = 1 << 14;     ///< up to here chunks take all keys themselves
constexpr int64_t mostPieces = warpSize; ///< a lane of the reader has one
constexpr int64_t tileGrowth = 4;        ///< of lists between those of tiles and of chunks
constexpr int64_t mostShared = 48 << 10; ///< bytes of such a list that stays in shared memory

struct Level {
  int64_t size = 0;      ///< queries of a list
  int64_t stride = 0;    ///< keys of a list, or of a piece of it, at most
  int64_t pieces = 1;    ///< of a list: of neighbouring candidates
  int64_t pieceKeys = 0; ///< candidates of a piece, if there are several
  DeviceOperand keys, total;
  std::optional<DeviceOperand> full; ///< if full ones come first
  std::optional<DeviceOperand> ends; ///< of the keys' runs, for the level below
  int64_t lists(const Plan &p) const { return (p.spec.length + size - 1) / size; }
  void reserve(DeviceProgram &program, int64_t all, bool isOrdered, bool hasEnds) {
    keys = program.reserve(all * pieces * stride * 4);
    total = program.reserve(all * pieces * 4);
    if (isOrdered)
      full = program.reserve(all * 4);
    if (hasEnds)
      ends = program.reserve(all * pieces * stride * 4);
  }
};

/// A level in a kernel.
struct LevelPointers {
  Pointer keys, total, full, ends;
};

/// The parameters of a level.
class LevelNumbers {
public:
  LevelNumbers(ProgramBuilder &builder, const Level &level)
      : keys(builder.take(level.keys)), total(builder.take(level.total)) {
    if (level.full)
      full = builder.take(*level.full);
    if (level.ends)
      ends = builder.take(*level.ends);
  }
  LevelPointers open(KernelCode &k) const {
    auto pointer = [&](std::optional<unsigned> number) {
      return number ? k.pointer(*number, k.i32Type()) : Pointer();
    };
    return {pointer(keys), pointer(total), pointer(full), pointer(ends)};
  }

private:
  unsigned keys, total;
  std::optional<unsigned> full, ends;
};

/// A block's threads, and candidates of each that are looked at together.
struct ListWork {
  int64_t threads, keys;
  int64_t group() const { return threads * keys; }

  /// For up to `candidates` of a list.
  static ListWork forAll(int64_t candidates) {
    constexpr int64_t mostKeys = 16;
    return candidates > 256 * mostKeys ? ListWork{1024, 8} : ListWork::forMost(candidates, mostKeys);
  }
  /// For as many at most, of which most lists have few.
  static ListWork forMost(int64_t candidates, int64_t keys) {
    return {256, std::clamp<int64_t>((candidates + 255) / 256, 1, keys)};
  }
};
/// Of pieces.
constexpr ListWork topWork{256, 8};

/// Queries [start, stop), and whether they select a key whose run of queries is [from, until).
struct QueryRange {
  KernelCode &k;
  Scalar start, stop;

  Scalar allSelect(Scalar from, Scalar until) const { return k.both(from <= start, until >= stop); }
  Scalar someSelect(Scalar from, Scalar until) const { return k.max(from, start) < k.min(until, stop); }
  Scalar onlySomeSelect(Scalar from, Scalar until) const {
    return k.both(someSelect(from, until), !allSelect(from, until));
  }
};

class ListKernel {
public:
  /// Without a parent all keys are candidates, whose runs have these `ends`.
  ListKernel(KernelCode &k, const Plan &plan, const Level &level, const Level *parent, const ListWork &work)
      : k(k), work(work), n(plan.spec.length), window(plan.spec.window), lists(level.lists(plan)),
        level(level), parent(parent), parents(parent ? parent->lists(plan) : 0) {}

  LevelPointers to, from;
  Pointer ends;
  bool isSingle = false; ///< all candidates are one group

  /// Gives how many keys are listed.
  Scalar emit() {
    Scalar block = k.block(), list = level.pieces > 1 ? block / level.pieces : block, row = list / lists;
    QueryRange queries{k, (list % lists) * level.size, {}};
    queries.stop = k.min(queries.start + level.size, k.i32(n));
    begin = k.i32(0);
    end = k.max(queries.stop - window, k.i32(0));
    if (parent)
      findParent(row * parents + queries.start / parent->size);
    if (level.pieces > 1) {
      begin = (block % level.pieces) * level.pieceKeys;
      end = k.min(end, begin + level.pieceKeys);
    }
    rowStart = k.cast(row, k.i64Type()) * n;
    auto isWhole = [&](Scalar from, Scalar until) { return queries.allSelect(from, until); };
    auto meets = [&](Scalar from, Scalar until) { return queries.someSelect(from, until); };
    auto isPart = [&](Scalar from, Scalar until) { return queries.onlySomeSelect(from, until); };
    Scalars written;
    if (!to.full.base)
      written = {collect(k.i32(0), meets)};
    else if (isSingle)
      written = append(k.i32(0), k.i32(0), {isWhole, isPart});
    else {
      written = {collect(k.i32(0), isWhole)};
      written.push_back(collect(written[0], isPart));
    }
    if (to.total.base)
      k.when(k.thread() == 0, [&] {
        if (to.full.base)
          k.store(written[0], to.full, list);
        k.store(written.back(), to.total, block);
      });
    return written.back();
  }

  Scalar target; ///< i64: where the block's keys begin

private:
  using Fits = llvm::function_ref<Scalar(Scalar from, Scalar until)>;

  /// The candidates are those of a list of the level above.
  void findParent(Scalar list) {
    source = k.cast(list, k.i64Type()) * (parent->pieces * parent->stride);
    if (parent->pieces == 1) {
      end = k.load(from.total, list);
      return;
    }
    Scalar count = k.choose(
        k.lane() < parent->pieces,
        [&] { return Scalars{k.load(from.total, list * parent->pieces + k.lane())}; },
        [&] { return Scalars{k.i32(0)}; })[0];
    pieceEnds = k.warpInclusiveScan(count, [](Scalar a, Scalar b) { return a + b; });
    pieceBegins = pieceEnds - count;
    end = k.shuffleFrom(pieceEnds, k.i32(warpSize - 1));
  }

  /// Where a candidate is in the level above. Called by whole warps.
  Scalar placeOf(Scalar at) {
    if (parent->pieces == 1)
      return source + k.cast(at, k.i64Type());
    Scalar piece = k.i32(0); // how many end before it
    for (int64_t step = mostPieces / 2; step > 0; step /= 2)
      piece = k.select(k.shuffleFrom(pieceEnds, piece + (step - 1)) <= at, piece + step, piece);
    piece = k.min(piece, k.i32(parent->pieces - 1));
    Scalar place = piece * parent->stride + (at - k.shuffleFrom(pieceBegins, piece));
    return source + k.cast(place, k.i64Type());
  }

  Scalar collect(Scalar written, Fits fits) {
    return k.loop(begin, end, k.i32(work.group()), {written},
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
    Scalar mine = first + warp * (work.keys * warpSize) + k.lane();
    llvm::SmallVector<Scalar, 16> found, until, masks; // masks: kind by kind
    llvm::SmallVector<Scalars, 16> fits;
    for (int64_t i = 0; i < work.keys; ++i) {
      // Without branches, so that all loads wait together; beyond the end is the last one again.
      Scalar at = mine + i * warpSize, place = k.max(k.min(at, end - 1), k.i32(0));
      if (parent) {
        Scalar above = placeOf(place);
        found.push_back(k.load(from.keys, above));
        until.push_back(k.load(from.ends, above));
      } else {
        found.push_back(at);
        until.push_back(k.load(ends, rowStart + k.cast(place, k.i64Type())));
      }
    }
    for (int64_t i = 0; i < work.keys; ++i) {
      Scalar exists = mine + i * warpSize < end;
      fits.emplace_back();
      for (Fits kind : kinds)
        fits.back().push_back(k.both(exists, kind(found[size_t(i)] + window, until[size_t(i)])));
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
          k.store(found[size_t(i)], to.keys, place);
          if (to.ends.base)
            k.store(until[size_t(i)], to.ends, place);
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
  const int64_t n, window, lists;
  const Level &level;
  const Level *parent;
  const int64_t parents;
  Scalar begin, end, rowStart;           ///< of the candidates; of the row's keys
  Scalar source, pieceBegins, pieceEnds; ///< of the list above; a lane's piece of it
};

/// Lists of the tiles that share a list of `count` keys in shared memory: a warp has the keys that all
/// queries of a tile select, or the others.
void emitTiles(KernelCode &k, const Plan &plan, const Level &tile, const LevelPointers &shared,
               const LevelPointers &own, Scalar count) {
  const int64_t n = plan.spec.length, tiles = tile.lists(plan),
                parents = (tiles + tileGrowth - 1) / tileGrowth;
  Scalar row = k.block() / parents, below = (k.i32(1) << k.lane()) - 1;
  k.loop(k.warp(), k.i32(2 * tileGrowth), k.i32(k.blockThreads / warpSize), [&](Scalar task) {
    Scalar number = (k.block() % parents) * tileGrowth + (task >> 1), isRest = (task & 1) != 0;
    QueryRange queries{k, number * tile.size, {}};
    queries.stop = k.min(queries.start + tile.size, k.i32(n));
    auto look = [&](Scalar written, llvm::function_ref<Scalar(Scalar from, Scalar until)> fits,
                    llvm::function_ref<void(Scalar key, Scalar place)> store) {
      constexpr int64_t together = 4;
      return k.loop(k.i32(0), count, k.i32(together * warpSize), {written},
                    [&](Scalar first, llvm::ArrayRef<Scalar> carried) {
                      Scalar sum = carried[0];
                      Scalar keys[together], isListed[together];
                      for (int64_t i = 0; i < together; ++i) {
                        Scalar at = first + i * warpSize + k.lane(), place = k.min(at, count - 1);
                        keys[i] = k.load(shared.keys, place);
                        Scalar until = k.load(shared.ends, place);
                        isListed[i] = k.both(at < count, fits(keys[i] + plan.spec.window, until));
                      }
                      for (int64_t i = 0; i < together; ++i) {
                        Scalar mask = k.ballot(isListed[i]), before = sum + k.countOnes(mask & below);
                        if (store)
                          k.when(isListed[i], [&] { store(keys[i], before); });
                        sum = sum + k.countOnes(mask);
                      }
                      return Scalars{sum};
                    })[0];
    };
    auto isWhole = [&](Scalar from, Scalar until) { return queries.allSelect(from, until); };
    auto isMine = [&](Scalar from, Scalar until) {
      return k.select(isRest, queries.onlySomeSelect(from, until), queries.allSelect(from, until));
    };
    k.when(number < tiles, [&] {
      Scalar list = row * tiles + number, target = k.cast(list, k.i64Type()) * tile.stride;
      Scalar full = k.choose(
          isRest, [&] { return Scalars{look(k.i32(0), isWhole, nullptr)}; },
          [&] { return Scalars{k.i32(0)}; })[0];
      Scalar written = look(full, isMine, [&](Scalar key, Scalar place) {
        k.store(key, own.keys, target + k.cast(place, k.i64Type()));
      });
      k.when(k.lane() == 0, [&] {
        k.when(isRest, [&] { k.store(written, own.total, list); }, [&] { k.store(written, own.full, list); });
      });
    });
  });
}

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

/// From the finest on.
static llvm::SmallVector<Level, 6> levelsOf(const Plan &plan, bool hasBetween) {
  const AttentionSpec &s = plan.spec;
  llvm::SmallVector<Level, 6> levels;
  auto add = [&](int64_t size, int64_t stride) {
    levels.emplace_back();
    levels.back().size = size;
    levels.back().stride = stride;
  };
  auto most = [&](int64_t size) { return std::max<int64_t>(std::min(s.topk + size, s.length), 1); };
  add(plan.walk.tile, plan.listStride);
  if (hasBetween)
    add(plan.walk.tile * tileGrowth, most(plan.walk.tile * tileGrowth));
  add(plan.chunk, plan.slotStride);
  while (levels.back().lists(plan) > growth * topLists)
    add(levels.back().size * growth, most(levels.back().size * growth));
  const int64_t lists = levels.back().lists(plan), candidates = s.length - s.window;
  if (candidates > fewKeys && lists > topLists) {
    const int64_t size = levels.back().size * ((lists + topLists - 1) / topLists);
    add(size, 0);
    Level &top = levels.back();
    const int64_t group = topWork.group();
    top.pieceKeys = (candidates + mostPieces * group - 1) / (mostPieces * group) * group;
    top.pieces = (candidates + top.pieceKeys - 1) / top.pieceKeys;
    top.stride = std::min(top.pieceKeys, most(size));
  }
  return levels;
}

KeyLists emitKeyLists(ProgramBuilder &builder, const Plan &plan, ChunkOrder order) {
  const AttentionSpec &s = plan.spec;
  const int64_t between = plan.walk.tile * tileGrowth;
  const bool hasBetween = plan.chunk % between == 0 && plan.chunk >= 2 * between;
  llvm::SmallVector<Level, 6> levels = levelsOf(plan, hasBetween);
  const size_t ofChunks = hasBetween ? 2 : 1;
  // Lists between those of tiles and of chunks need not leave the block that makes those of tiles.
  const bool sharesBetween = hasBetween && levels[1].stride * 8 <= mostShared;
  const Level *parent = nullptr;
  for (size_t i = levels.size(); i-- > 0;) {
    if (sharesBetween && i == 1)
      continue;
    const bool isTile = i == 0, isShared = isTile && sharesBetween;
    const bool isOrdered = isTile || (order == ChunkOrder::FullFirst && i == ofChunks);
    Level &level = levels[i];
    const Level &listed = isShared ? levels[1] : level;
    level.reserve(builder.program, s.rows() * level.lists(plan), isOrdered, i > 0);
    builder.take({AttentionArgument::End});
    const LevelNumbers own(builder, level);
    std::optional<LevelNumbers> above;
    if (parent)
      above.emplace(builder, *parent);
    const int64_t candidates =
        parent ? parent->pieces * parent->stride : std::max<int64_t>(s.length - s.window, 1);
    const ListWork work = level.pieces > 1               ? topWork
                          : isShared                     ? ListWork::forMost(candidates, 4)
                          : parent && parent->pieces > 1 ? ListWork::forMost(candidates, 8)
                                                         : ListWork::forAll(candidates);
    const std::string name = isTile ? "tile_keys" : "keys_" + std::to_string(level.size);
    builder.kernel(name, s.rows() * listed.lists(plan) * listed.pieces, work.threads, [&](KernelCode &k) {
      ListKernel kernel(k, plan, listed, parent, work);
      kernel.ends = builder.buffer(k, AttentionArgument::End, k.i32Type());
      if (above)
        kernel.from = above->open(k);
      if (isShared) {
        kernel.to.keys = k.shared(listed.stride, k.i32Type());
        kernel.to.ends = k.shared(listed.stride, k.i32Type());
        kernel.target = k.i64(0);
        Scalar count = kernel.emit();
        emitTiles(k, plan, level, kernel.to, own.open(k), count);
      } else {
        kernel.to = own.open(k);
        kernel.target = k.cast(k.block(), k.i64Type()) * level.stride;
        kernel.isSingle = level.pieces == 1 && candidates <= work.group();
        kernel.emit();
      }
    });
    parent = &level;
  }
  builder.program.endEarly();
  const Level &chunk = levels[ofChunks];
  const Level &tile = levels[0];
  return {chunk.keys, chunk.full.value_or(DeviceOperand()), chunk.total, tile.keys, *tile.full, tile.total};
}

} // namespace heddle::gpu::attention
