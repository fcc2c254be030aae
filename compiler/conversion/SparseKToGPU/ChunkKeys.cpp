#include "compiler/conversion/SparseKToGPU/ChunkKeys.h"

#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

class Gather {
public:
  Gather(Chunks &c, KernelCode &k, unsigned lists, ChunkKeys &keys)
      : c(c), k(k), keys(keys), piece(keys.piece), left(keys.ends.left), right(keys.ends.right),
        code(c.listCode(k, lists)), thread(k.thread()) {}

  void gather() {
    const int64_t used = k.sharedBytes(), lists = c.geometry.mostLists;
    targets = k.shared(3 * lists, c.i32);
    begins = k.shared(3 * lists, c.i32);
    keys.total = k.i32(0);
    keys.insideCount = keys.saturatedCount = k.i32(0);
    keys.insideSum = k.i64(0);
    for (int64_t first = 0; first < lists; first += chunkThreads)
      findStretches(thread + first);
    k.barrier();
    keys.fits = keys.total <= chunkCapacity - chunkSize;
    k.loop(thread, k.select(keys.fits, keys.total, k.i32(0)), k.i32(chunkThreads), [&](Scalar i) {
      Scalar stretch =
          firstWhere(k, k.i32(0), k.i32(3 * lists), [&](Scalar s) { return k.load(targets, s) > i; }) - 1;
      Scalar at = k.load(begins, stretch) + (i - k.load(targets, stretch));
      k.store(code.key(part(stretch / 3), at), keys.orders, i);
    });
    k.barrier(); // before the memory is used again
    k.releaseShared(used);
  }

  /// Adds the chunk's own keys, of which those before piece.first are old as well, and sorts.
  void addOwn(ArrayRef<Scalar> orders) {
    for (Scalar order : orders) {
      Scalar isOwn = isAboveLeft(c, k, keys, order);
      BlockScan scan = blockScan(k, k.cast(isOwn, c.i32));
      Scalar target = keys.total + scan.before;
      k.when(isOwn, [&] { k.store(order, keys.orders, target); });
      keys.total = keys.total + scan.all;
    }
    Scalar width = k.i32(1) << (32 - k.leadingZeros(k.max(keys.total, k.i32(2)) - 1));
    k.loop(keys.total + thread, width, k.i32(chunkThreads),
           [&](Scalar i) { k.store(k.i64(most), keys.orders, i); });
    k.barrier();
    sortShared(k, {keys.orders}, width);
  }

  void listJoining() {
    Scalar start = keys.place.start;
    k.loop(thread, keys.total, k.i32(chunkThreads), [&](Scalar rank) {
      Scalar order = k.load(keys.orders, rank), key = orderKey(k, order);
      k.store(fixedPoint(k, orderScore(k, order), c.geometry.fraction), keys.fixed, rank);
      k.when(key >= piece.first, [&] { k.store(rank, keys.ranks, key - start); });
    });
    k.barrier();
    keys.joined = k.i32(0);
    SmallVector<Scalar> upTo;
    for (int64_t i = 0; i < threadKeys; ++i) {
      Scalar at = thread + i * chunkThreads, joins = k.cast(k.load(keys.ranks, at) >= 0, c.i32);
      BlockScan scan = blockScan(k, joins);
      Scalar number = keys.joined + scan.before;
      k.when(joins == 1, [&] { k.store(at, keys.joining, number); });
      upTo.push_back(number + joins);
      keys.joined = keys.joined + scan.all;
    }
    k.barrier();
    for (int64_t i = 0; i < threadKeys; ++i) {
      Scalar key = start + (thread + i * chunkThreads), count = upTo[size_t(i)];
      Scalar last = k.load(keys.joining, k.max(count, k.i32(1)) - 1);
      Scalar half = k.cast(count > halfJoining, c.i32);
      keys.sources[i] = k.select((key >= piece.first - 1) & (key < piece.stop) & (half == keys.half),
                                 k.select(count > 0, last, k.i32(chunkSize)), k.i32(-1));
    }
  }

private:
  ListPart part(Scalar list) { return code.part(list, keys.place.row, piece.start, keys.place.start); }
  Scalar score(Scalar order) { return k.cast(orderScore(k, order), c.f64); }
  Scalar reduce(Scalar x) {
    const int64_t used = k.sharedBytes();
    Scalar all = k.blockReduce(x, [](Scalar a, Scalar b) { return a + b; });
    k.releaseShared(used);
    return all;
  }

  /// In each list up to three stretches are taken; the keys between them stay inside.
  void findStretches(Scalar list) {
    Scalar none = k.i32(0), exists = list < c.geometry.mostLists;
    Scalars own = k.choose(
        exists,
        [&] {
          ListPart p = part(list);
          // tau_left, tau_right, tau_left + 1, tau_right + 1, kappa_left, behind kappa_right.
          SmallVector<SearchRange> ranges(6, {p.begin, p.end});
          auto load = [&](size_t, Scalar at) { return code.key(p, at); };
          Scalars place = firstWhereAll(k, ranges, load, [&](size_t which, Scalar order) {
            if (which >= 4)
              return order >= (which == 4 ? left.kappa : right.kappa + 1);
            const bool isRight = which & 1;
            Scalar offset = isRight ? right.offset + thresholdSlack : left.offset - thresholdSlack;
            return score(order) - (isRight ? right.base : left.base) > offset + (which >= 2 ? 1.0 : 0.0);
          });
          Scalar begin[3], end[3];
          begin[0] = place[0];
          end[0] = k.max(begin[0], place[1]);
          begin[1] = k.max(k.min(place[4], place[2]), end[0]);
          end[1] = k.max(begin[1], place[5]);
          begin[2] = k.max(place[2], end[1]);
          end[2] = k.max(begin[2], place[3]);
          Scalar inside = (begin[1] - end[0]) + (begin[2] - end[1]);
          Scalar sum = k.choose(
              inside > 0,
              [&] {
                auto before = [&](Scalar at) { return code.sumBefore(p, at); };
                return Scalars{(before(begin[1]) - before(end[0])) + (before(begin[2]) - before(end[1]))};
              },
              [&] { return Scalars{k.i64(0)}; })[0];
          return Scalars{
              begin[0], begin[1],       begin[2], end[0] - begin[0], end[1] - begin[1], end[2] - begin[2],
              inside,   p.end - end[2], sum};
        },
        [&] { return Scalars{none, none, none, none, none, none, none, none, k.i64(0)}; });
    BlockScan scan = blockScan(k, own[3] + own[4] + own[5]);
    k.when(exists, [&] {
      Scalar target = keys.total + scan.before;
      for (int64_t i = 0; i < 3; ++i) {
        k.store(target, targets, list * 3 + i);
        k.store(own[size_t(i)], begins, list * 3 + i);
        target = target + own[size_t(3 + i)];
      }
    });
    keys.total = keys.total + scan.all;
    keys.insideCount = keys.insideCount + reduce(own[6]);
    keys.saturatedCount = keys.saturatedCount + reduce(own[7]);
    keys.insideSum = keys.insideSum + reduce(own[8]);
  }

  Chunks &c;
  KernelCode &k;
  ChunkKeys &keys;
  const Piece &piece;
  const PrefixThreshold &left, &right;
  ListCode code;
  Scalar thread;
  Pointer targets, begins;
};

} // namespace

Scalar isAboveLeft(Chunks &chunks, KernelCode &k, const ChunkKeys &keys, Scalar order) {
  Scalar key = orderKey(k, order), score = k.cast(orderScore(k, order), chunks.f64);
  const PrefixThreshold &left = keys.ends.left;
  return (order != most) & (key >= keys.piece.start) & (key < keys.piece.stop) &
         (score - left.base > left.offset - thresholdSlack);
}

void gatherOlderKeys(Chunks &chunks, KernelCode &k, unsigned lists, ChunkKeys &keys) {
  Gather(chunks, k, lists, keys).gather();
}

void addOwnKeys(Chunks &chunks, KernelCode &k, unsigned lists, ArrayRef<Scalar> orders, ChunkKeys &keys) {
  Gather gather(chunks, k, lists, keys);
  gather.addOwn(orders);
  gather.listJoining();
}

} // namespace heddle::gpu::chunked
