// Lists of a level from eights of the level below, in shared memory.
//
// They are merged two by two. A thread finds by a search which keys of both come before its part of the
// result (merge path), and then takes one key after the other: a few instructions a key, where ranks by a
// search for each would take a hundred.
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/ScoreLists.h"

using namespace mlir;

namespace heddle::gpu {
namespace {

constexpr int64_t fewThreads = 256, mostThreads = 1024;

int64_t mergeThreads(const ListGeometry &g, int64_t level) {
  return g.listSize(level) / 8 <= fewThreads ? fewThreads : mostThreads;
}

class ListMerge {
public:
  ListMerge(KernelCode &k, const ListGeometry &g, int64_t level)
      : k(k), g(g), size(g.listSize(level)), below(g.listSize(level - 1)), lists(g.rows.n / size),
        threadKeys(size / k.blockThreads), i64(k.i64Type()), level(level),
        row(k.cast(k.block() / lists, i64)), start((k.block() % lists) * size),
        first(k.thread() * threadKeys), none(k.i64(0)), keys(k.shared(placeOfKey(size) + 1, i64)) {}

  static int64_t sharedBytes(int64_t size, int64_t threads) {
    return (placeOfKey(size) + 2 + threads / warpSize) * 8;
  }

  void emit() {
    Pointer all = k.pointer(1, i64);
    Scalar from = placeOf(level - 1);
    // All loads before the first store, so that they wait together.
    Scalars own;
    for (int64_t i = 0; i < threadKeys; ++i)
      own.push_back(k.load(all, from + k.cast(inTurn(i), i64)));
    for (int64_t i = 0; i < threadKeys; ++i)
      k.store(own[size_t(i)], keys, placeOfKey(inTurn(i)));
    for (int64_t run = below; run < size; run *= 2) {
      k.barrier();
      own = merged(run);
      if (2 * run < size)
        share(own);
    }
    auto fixed = [&](Scalar order) { return fixedPoint(k, orderScore(k, order), g.fraction); };
    store(own, all);
    Scalar sum = none;
    for (Scalar order : own)
      sum = sum + fixed(order);
    sum = blockScan(k, sum).before;
    for (Scalar &order : own)
      order = sum = sum + fixed(order);
    store(own, k.pointer(2, i64));
  }

private:
  /// Of the positions that a thread copies, adjacent ones of adjacent threads.
  Scalar inTurn(int64_t i) { return k.thread() + i * k.blockThreads; }
  /// The threads' parts, one after the other.
  void share(ArrayRef<Scalar> own) {
    k.barrier();
    for (int64_t i = 0; i < threadKeys; ++i)
      k.store(own[size_t(i)], keys, placeOfKey(first + i));
  }
  /// The same in global memory, through shared memory: a thread's own part would be stores far apart.
  void store(ArrayRef<Scalar> own, Pointer all) {
    share(own);
    k.barrier();
    Scalar to = placeOf(level);
    for (int64_t i = 0; i < threadKeys; ++i)
      k.store(keyAt(inTurn(i)), all, to + k.cast(inTurn(i), i64));
  }

  Scalar keyAt(Scalar at) { return k.load(keys, placeOfKey(at)); }

  /// Where the list's positions begin in a level.
  Scalar placeOf(int64_t of) { return (row + of * g.rows.rows) * g.stride() + k.cast(start, i64); }

  /// The thread's keys of two runs put together.
  Scalars merged(int64_t run) {
    Scalar begin = first & -(2 * run), middle = begin + run, end = middle + run, before = first - begin;
    // The sequences of the left run come first; only one can go on in the right run.
    Scalar leftOnly = begin, rightOnly = end;
    if (g.rows.packed) {
      SequenceBounds shared = sequenceAt(k, g.rows, k.pointer(0, k.i32Type()), start + middle);
      leftOnly = k.max(k.min(shared.start - start, middle), begin);
      rightOnly = k.max(k.min(shared.stop - start, end), middle);
    }
    auto isBefore = [&](Scalar a, Scalar b, Scalar keyA, Scalar keyB) {
      Scalar less = keyA < keyB;
      return g.rows.packed ? (a < leftOnly) | (b >= rightOnly) | less : less;
    };
    Scalar a = firstWhere(k, k.max(begin, first - run), k.min(first, middle), [&](Scalar at) {
      Scalar b = middle + (first - 1 - at);
      return !isBefore(at, b, keyAt(at), keyAt(b));
    });
    Scalar b = middle + (before - (a - begin));
    Scalar keyA = keyAt(a), keyB = keyAt(b); // behind the end nothing is taken
    Scalars own;
    for (int64_t i = 0; i < threadKeys; ++i) {
      Scalar takesLeft = (a < middle) & ((b >= end) | isBefore(a, b, keyA, keyB));
      own.push_back(k.select(takesLeft, keyA, keyB));
      if (i + 1 == threadKeys)
        break;
      a = a + k.cast(takesLeft, k.i32Type());
      b = b + k.cast(!takesLeft, k.i32Type());
      Scalar next = keyAt(k.select(takesLeft, a, b));
      keyA = k.select(takesLeft, next, keyA);
      keyB = k.select(takesLeft, keyB, next);
    }
    return own;
  }

  KernelCode &k;
  const ListGeometry &g;
  const int64_t size, below; ///< of a list of this level, and of the level below
  const int64_t lists;       ///< of a row
  const int64_t threadKeys;
  Type i64;
  const int64_t level;
  Scalar row, start; ///< i64; the list's first position
  Scalar first;      ///< of the thread's keys
  Scalar none;
  Pointer keys; ///< shared, with room for one more
};

} // namespace

int64_t mergedListBytes(const ListGeometry &g, int64_t level) {
  return ListMerge::sharedBytes(g.listSize(level), mergeThreads(g, level));
}

void emitMergedLists(StepBuilder &steps, const ListGeometry &g, const ScoreLists &lists, DeviceOperand bounds,
                     int64_t level) {
  const int64_t size = g.listSize(level);
  steps.kernel("lists_" + std::to_string(size), g.rows.rows * (g.rows.n / size), mergeThreads(g, level),
               {bounds, lists.keys, lists.sums}, [&](KernelCode &k) { ListMerge(k, g, level).emit(); });
}

} // namespace heddle::gpu
