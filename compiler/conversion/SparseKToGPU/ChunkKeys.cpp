#include "compiler/conversion/SparseKToGPU/ChunkKeys.h"

#include "compiler/conversion/SparseKToGPU/Order.h"

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

constexpr int64_t words = chunkCapacity / 32 + 1;

class Gather {
public:
  Gather(Chunks &c, KernelCode &k, unsigned lists, unsigned places, ChunkKeys &keys)
      : c(c), k(k), keys(keys), piece(keys.piece), left(keys.ends.left), right(keys.ends.right),
        code(c.listCode(k, lists)), places(places), thread(k.thread()) {}

  void gather() {
    const int64_t used = k.sharedBytes(), lists = c.geometry.mostLists;
    targets = k.shared(3 * lists, c.i32);
    begins = k.shared(3 * lists, c.i32);
    keys.total = k.i32(0);
    keys.insideCount = keys.saturatedCount = k.i32(0);
    keys.insideSum = k.i64(0);
    for (int64_t first = 0; first < lists; first += k.blockThreads)
      findStretches(thread + first);
    k.barrier();
    keys.fits = keys.total <= chunkCapacity - chunkSize;
    // They stand where sums will be.
    k.loop(thread, k.select(keys.fits, keys.total, k.i32(0)), k.i32(k.blockThreads), [&](Scalar i) {
      Scalar stretch =
          firstWhere(k, k.i32(0), k.i32(3 * lists), [&](Scalar s) { return k.load(targets, s) > i; }) - 1;
      Scalar at = k.load(begins, stretch) + (i - k.load(targets, stretch));
      k.store(code.key(part(stretch / 3), at), keys.sums, i);
    });
    k.barrier(); // before the memory is used again
    k.releaseShared(used);
  }

private:
  ListPart part(Scalar list) { return code.part(list, keys.place.row, piece.start, keys.place.start); }
  Scalar score(Scalar order) { return k.cast(orderScore(k, order), c.f64); }

  /// tau_left, tau_right, tau_left + 1, tau_right + 1, kappa_left, behind kappa_right.
  Scalars borders(Scalar list, const ListPart &p) {
    if (c.hasPlaces()) {
      auto load = [&](Scalar slot) {
        Scalar at = k.cast(slot, c.i64) * c.geometry.mostLists + k.cast(list, c.i64);
        return ChunkPlaces::of(k, k.load(k.pointer(places, c.i64), at));
      };
      Scalar slot = keys.place.chunk << 1;
      ChunkPlaces from = load(slot), to = load(k.select(piece.isLast, slot + 1, slot + 2));
      return {from.aliveFrom, to.aliveTo, from.saturatedFrom, to.saturatedTo, from.kappa, to.behindKappa};
    }
    SmallVector<SearchRange> ranges(6, {p.begin, p.end});
    // Behind a list lies another one, or the sums.
    return firstWhereTogether(k, ranges, [&](size_t which, Scalar at) {
      Scalar order = code.key(p, at);
      if (which >= 4)
        return order >= (which == 4 ? left.kappa : right.kappa + 1);
      const bool isRight = which & 1;
      Scalar offset = isRight ? right.offset + thresholdSlack : left.offset - thresholdSlack;
      return score(order) - (isRight ? right.base : left.base) > offset + (which >= 2 ? 1.0 : 0.0);
    });
  }

  /// In each list up to three stretches are taken; the keys between them stay inside.
  void findStretches(Scalar list) {
    Scalar none = k.i32(0), exists = list < c.geometry.mostLists;
    if (c.hasPlaces()) // none are stored of others
      exists = exists & ((piece.start / chunkSize + list) * chunkSize < keys.place.start);
    Scalars own = k.choose(
        exists,
        [&] {
          ListPart p = part(list);
          Scalars place = borders(list, p);
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
    auto scans = blockScans(k, {own[3] + own[4] + own[5], own[6], own[7], own[8]});
    k.when(list < c.geometry.mostLists, [&] {
      Scalar target = keys.total + scans[0].before;
      for (int64_t i = 0; i < 3; ++i) {
        k.store(target, targets, list * 3 + i);
        k.store(own[size_t(i)], begins, list * 3 + i);
        target = target + own[size_t(3 + i)];
      }
    });
    keys.total = keys.total + scans[0].all;
    keys.insideCount = keys.insideCount + scans[1].all;
    keys.saturatedCount = keys.saturatedCount + scans[2].all;
    keys.insideSum = keys.insideSum + scans[3].all;
  }

  Chunks &c;
  KernelCode &k;
  ChunkKeys &keys;
  const Piece &piece;
  const PrefixThreshold &left, &right;
  ListCode code;
  const unsigned places;
  Scalar thread;
  Pointer targets, begins;
};

/// The chunk's own keys beside the gathered ones.
class OwnKeys {
public:
  OwnKeys(Chunks &c, KernelCode &k, ChunkKeys &keys)
      : c(c), k(k), keys(keys), piece(keys.piece), thread(k.thread()), numberAt(k.shared(chunkSize, c.i32)) {}

  /// Of those above the left threshold the ones before piece.first are old as well. They are sorted, so a
  /// key's rank is how many are below it of the gathered ones, by counting, and of these, by a search.
  void merge(ArrayRef<Scalar> orders) {
    Pointer gathered = keys.sums, own = k.offset(keys.sums, k.i32(chunkCapacity - chunkSize));
    Pointer ending = keys.numbers; // by the number of own keys below: how many gathered ones
    Scalars isOwn;
    for (Scalar order : orders)
      isOwn.push_back(k.cast(isAboveLeft(order), c.i32));
    auto [ownBefore, count] = chunkScan(isOwn);
    for (size_t i = 0; i < orders.size(); ++i) {
      k.when(isOwn[i] != 0, [&] { k.store(orders[i], own, ownBefore[i]); });
      k.store(k.i32(-1), numberAt, position(i));
    }
    constexpr int64_t together = 16; // so that their loads wait together
    Scalar older = keys.total, padded = (older + (together - 1)) / together * together;
    k.when(older + thread < padded, [&] { k.store(k.i64(most), gathered, older + thread); });
    k.barrier();
    k.loop(thread, older, k.i32(k.blockThreads), [&](Scalar i) {
      Scalar order = k.load(gathered, i);
      Scalar below =
          k.loop(k.i32(0), padded, k.i32(together), {k.i32(0)}, [&](Scalar first, ArrayRef<Scalar> v) {
            Scalar sum = v[0];
            for (int64_t j = 0; j < together; j += 2) {
              Value pair = k.loadVector(gathered, first + j, 2);
              for (int64_t half = 0; half < 2; ++half)
                sum = sum + k.cast(k.element(pair, half) < order, c.i32);
            }
            return Scalars{sum};
          })[0];
      Scalar place = firstWhere(k, k.i32(0), count, [&](Scalar at) { return k.load(own, at) > order; });
      k.store(order, keys.orders, below + place);
      k.when(place < chunkSize, [&] { k.atomicAdd(k.i32(1), ending, place); });
    });
    k.barrier();
    Scalars here;
    for (size_t i = 0; i < orders.size(); ++i)
      here.push_back(k.load(ending, position(i)));
    Scalars before = chunkScan(here).before;
    for (size_t i = 0; i < orders.size(); ++i) {
      Scalar at = position(i);
      k.when(at < count, [&] { k.store(k.load(own, at), keys.orders, at + (before[i] + here[i])); });
    }
    keys.total = older + count;
    k.barrier();
  }

  /// Sums over the older keys, and which ranks join.
  void number() {
    Scalar start = keys.place.start;
    keys.joined =
        k.loop(k.i32(0), keys.total + 1, k.i32(k.blockThreads), {k.i32(0), k.i64(0)},
               [&](Scalar first, ArrayRef<Scalar> v) {
                 Scalar rank = first + thread, exists = rank < keys.total;
                 Scalar order = k.choose(
                     exists, [&] { return Scalars{k.load(keys.orders, rank)}; },
                     [&] { return Scalars{k.i64(most)}; })[0];
                 Scalar key = orderKey(k, order), joins = exists & (key >= piece.first);
                 Scalar fixed = fixedPoint(k, orderScore(k, order), c.geometry.fraction);
                 Scalar older = k.select(exists & !joins, fixed, k.i64(0));
                 auto scans = blockScans(k, {k.cast(joins, c.i32), older});
                 Scalar number = v[0] + scans[0].before, word = rank >> 5;
                 k.when(rank <= keys.total, [&] { k.store(v[1] + scans[1].before, keys.sums, rank); });
                 Scalar mark = k.ballot(joins);
                 k.when((k.lane() == 0) & (word < words), [&] {
                   k.store(mark, keys.marks, word);
                   k.store(number, keys.before, word);
                 });
                 k.when(joins, [&] {
                   k.store(number, numberAt, key - start);
                   k.store(fixed, keys.scores, number);
                 });
                 return Scalars{v[0] + scans[0].all, v[1] + scans[1].all};
               })[0];
    k.barrier();
  }

  void orderByTime() {
    Scalars number, joins;
    for (int64_t i = 0; i < c.threadKeys(); ++i) {
      number.push_back(k.load(numberAt, position(i)));
      joins.push_back(k.cast(number.back() >= 0, c.i32));
    }
    Scalars time = chunkScan(joins).before;
    for (size_t i = 0; i < number.size(); ++i)
      k.when(joins[i] != 0, [&] {
        k.store(number[i], keys.numbers, time[i]);
        k.store(time[i], keys.times, number[i]);
      });
    k.barrier();
    for (size_t i = 0; i < number.size(); ++i) {
      Scalar key = keys.place.start + position(i), count = time[i] + joins[i];
      Scalar isQuery = (key >= piece.first - 1) & (key < piece.stop);
      keys.sources.push_back(k.select(isQuery, k.select(count > 0, count - 1, k.i32(chunkSize)), k.i32(-1)));
    }
  }

private:
  Scalar position(size_t i) { return thread + int64_t(i) * k.blockThreads; }
  /// Sums over what is before each of the thread's positions in the chunk, and over all of it.
  struct ChunkScan {
    Scalars before;
    Scalar all;
  };
  ChunkScan chunkScan(ArrayRef<Scalar> own) {
    ChunkScan sums{{}, k.i32(0)};
    for (const BlockScan &scan : blockScans(k, own)) {
      sums.before.push_back(sums.all + scan.before);
      sums.all = sums.all + scan.all;
    }
    return sums;
  }
  Scalar isAboveLeft(Scalar order) {
    Scalar key = orderKey(k, order), score = k.cast(orderScore(k, order), c.f64);
    const PrefixThreshold &left = keys.ends.left;
    return (order != most) & (key >= piece.start) & (key < piece.stop) &
           (score - left.base > left.offset - thresholdSlack);
  }

  Chunks &c;
  KernelCode &k;
  ChunkKeys &keys;
  const Piece &piece;
  Scalar thread;
  Pointer numberAt; ///< i32, by place in the chunk: the number; -1 where the key does not join
};

} // namespace

void ChunkKeys::reserve(KernelCode &k) {
  Type i32 = k.i32Type(), i64 = k.i64Type();
  orders = k.shared(chunkCapacity, i64);
  sums = k.shared(chunkCapacity + 1, i64);
  marks = k.shared(words, i32);
  before = k.shared(words, i32);
  scores = k.shared(chunkSize, i64);
  for (Pointer *array : {&times, &numbers})
    *array = k.shared(chunkSize, i32);
  k.loop(k.thread(), k.i32(chunkSize), k.i32(k.blockThreads),
         [&](Scalar i) { k.store(k.i32(0), numbers, i); });
}

void gatherOlderKeys(Chunks &chunks, KernelCode &k, unsigned lists, unsigned places, ChunkKeys &keys) {
  Gather(chunks, k, lists, places, keys).gather();
}

void addOwnKeys(Chunks &chunks, KernelCode &k, ArrayRef<Scalar> orders, ChunkKeys &keys) {
  const int64_t used = k.sharedBytes();
  OwnKeys own(chunks, k, keys);
  own.merge(orders);
  own.number();
  own.orderByTime();
  k.releaseShared(used);
}

} // namespace heddle::gpu::chunked
