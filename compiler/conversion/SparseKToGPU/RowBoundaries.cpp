// The thresholds between chunks of rows that fit in shared memory, a warp each.
#include "compiler/conversion/SparseKToGPU/RowPrefix.h"

#include <cfloat>

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

class Boundary : RowPrefix {
public:
  using RowPrefix::RowPrefix;

  /// Also stores the places that the chunks on both sides need, from number `first` on.
  PrefixThreshold solve(Pointer places, Scalar first) {
    RowKappa kappa = findKappa(*this);
    Scalar top = scoreOf(kappa.bits), next = scoreOf(kappa.next), gap = top - next >= 1.0;
    auto [x, found] = newton(top, kappa.places, !gap);
    Scalar offset = k.min(k.max(x, number(-1.0)), number(-DBL_MIN));
    PrefixThreshold t{kappa.order, k.select(gap, next, top), k.select(gap, number(0.0), offset), next};
    storePlaces(t, kappa, found, places, first);
    return t;
  }

private:
  /// tau - top, by Newton's method, and where alive and saturated keys begin; the parts' keys from `places`
  /// on are not below kappa.
  std::pair<Scalar, Scalars> newton(Scalar top, ArrayRef<Scalar> places, Scalar runs) {
    const size_t count = parts.size();
    Scalars init{k.i32(0), number(-1.0), number(0.0), number(-0.5), runs};
    for (size_t i = 0; i < count; ++i)
      init.append({parts[i].begin, places[i]});
    for (size_t i = 0; i < count; ++i)
      init.append({places[i], k.i32(chunkSize)});
    Scalar topFixed = fixedPoint(k, k.cast(top, c.f32), fraction);
    Scalars end = k.repeat(
        init, [](ArrayRef<Scalar> s) { return s[4]; },
        [&](ArrayRef<Scalar> s) {
          Scalar x = s[3], alive = bitsFrom(k, top, x), full = bitsFrom(k, top, x + 1.0, true);
          SmallVector<SearchRange> here;
          for (size_t i = 0; i < 2 * count; ++i)
            here.push_back({s[5 + 2 * i], s[6 + 2 * i]});
          ArrayRef<SearchRange> both(here);
          Scalars found = firstNotBelow(both.take_front(count), [&](size_t) { return alive; });
          found.append(firstNotBelow(both.drop_front(count), [&](size_t) { return full; }));
          Scalar inside = k.i32(0), saturated = inside, scores = k.i64(0);
          for (size_t i = 0; i < count; ++i) {
            Scalar first = found[i], last = found[count + i];
            inside = inside + (last - first);
            saturated = saturated + (chunkSize - last);
            scores = scores + k.choose(
                                  first < last, [&] { return Scalars{sumBetween(i, first, last)}; },
                                  [&] { return Scalars{k.i64(0)}; })[0];
          }
          Scalars more = ofSingles(3, i64, [&](Scalar bits) {
            Scalar lives = bits >= alive, isFull = bits >= full, counts = lives & !isFull;
            Scalar fixed = fixedPoint(k, fromOrderedBits(k, bits), fraction);
            return Scalars{k.cast(counts, i64), k.cast(isFull, i64), k.select(counts, fixed, k.i64(0))};
          });
          inside = warpSum(k, inside + k.cast(more[0], i32));
          saturated = warpSum(k, saturated + k.cast(more[1], i32));
          Scalar rest = sum(scores + more[2]) - k.cast(inside, i64) * topFixed;
          Scalar over = fromFixedPoint(k, rest, fraction) + k.cast(saturated - topk, f64);
          NewtonStep step = newtonStep(k, s[0], s[1], s[2], x, inside, over);
          Scalars next{s[0] + 1, step.low, step.high, step.x, step.goesOn};
          for (size_t i = 0; i < 2 * count; ++i)
            next.append({k.select(step.enough, found[i], here[i].begin),
                         k.select(step.enough, here[i].end, found[i])});
          return next;
        });
    Scalar isLow = end[3] == end[1];
    Scalars found;
    for (size_t i = 0; i < 2 * count; ++i)
      found.push_back(k.select(isLow, end[5 + 2 * i], end[6 + 2 * i]));
    return {end[3], found};
  }

  /// Where the threshold lies in the parts; `guess` are places that are most often right.
  void storePlaces(const PrefixThreshold &t, const RowKappa &kappa, const Scalars &guess, Pointer to,
                   Scalar first) {
    const size_t count = parts.size();
    Scalar bounds[5];
    for (int64_t i = 0; i < 4; ++i)
      bounds[i] = bitsFrom(
          k, t.base, t.offset + ((i & 1) == 0 ? -thresholdSlack : thresholdSlack) + (i < 2 ? 0.0 : 1.0));
    bounds[4] = kappa.bits + 1;
    // Seldom a key lies within the slack, or several of a list have kappa's score.
    Scalars usual;
    Scalar isUsual = k.truth(true);
    auto take = [&](size_t part, Scalar place, Scalar from, Scalar upTo) {
      Scalar below = at(part, k.max(place - 1, k.i32(0))), here = at(part, place);
      isUsual =
          isUsual & ((place <= parts[part].begin) | (below < from)) & ((place >= chunkSize) | (here >= upTo));
      return place;
    };
    for (size_t i = 0; i < 5; ++i)
      for (size_t part = 0; part < count; ++part) {
        if (i == 1 || i == 3) {
          usual.push_back(usual[(i - 1) * count + part]);
          continue;
        }
        Scalar place = i == 4 ? kappa.places[part] : guess[i / 2 * count + part];
        if (i == 4) {
          Scalar equals = (place < chunkSize) & (at(part, place) == kappa.bits);
          place = place + k.cast(equals, i32);
        }
        usual.push_back(take(part, place, bounds[i], i == 4 ? bounds[4] : bounds[i + 1]));
      }
    Scalars found = k.choose(
        k.ballot(!isUsual) == 0, [&] { return usual; },
        [&] {
          SmallVector<SearchRange> ranges;
          for (size_t i = 0; i < 5; ++i)
            for (size_t part = 0; part < count; ++part)
              ranges.push_back({i < 4 ? parts[part].begin : kappa.places[part], k.i32(chunkSize)});
          return firstNotBelow(ranges, [&](size_t i) { return bounds[i / count]; });
        });
    Scalar kappaList = orderKey(k, kappa.order) / chunkSize;
    for (size_t i = 0; i < count; ++i) {
      const Part &part = parts[i];
      // Of keys that have kappa's score the earlier ones rank higher.
      Scalar isOwn = part.exists & (part.list == kappaList), equal = kappa.places[i],
             behind = found[4 * count + i];
      Scalar place = k.select(part.list < kappaList, equal, behind);
      place = k.choose(
          isOwn,
          [&] {
            return Scalars{firstWhere(k, equal, behind, [&](Scalar at) {
              return orderOf(part.list * chunkSize + at) >= kappa.order;
            })};
          },
          [&] { return Scalars{place}; })[0];
      ChunkPlaces all{found[i], found[count + i],          found[2 * count + i], found[3 * count + i],
                      place,    place + k.cast(isOwn, i32)};
      k.when(part.exists,
             [&] { k.store(all.packed(k), to, first + k.cast(lane + int64_t(i) * warpSize, i64)); });
    }
  }

  /// The sum of the scores at places [first, last) of a part, in fixed point.
  Scalar sumBetween(size_t part, Scalar first, Scalar last) {
    Scalar list = extent.row * c.geometry.stride() + k.cast(parts[part].list * chunkSize, i64);
    Scalar before = k.load(memory.sums, list + k.cast(k.max(first - 1, k.i32(0)), i64));
    Scalar upTo = k.load(memory.sums, list + k.cast(last - 1, i64));
    return upTo - k.select(first > 0, before, k.i64(0));
  }
};

/// The scores of `count` orders from `from` on, chunk by chunk.
void loadRow(KernelCode &k, Pointer scores, Pointer orders, Scalar from, Scalar count) {
  constexpr int64_t together = 4; // pairs, so that their loads wait together
  const int64_t step = 2 * k.blockThreads;
  k.loop(k.thread() * 2, count, k.i32(together * step), [&](Scalar first) {
    SmallVector<Value> pairs;
    for (int64_t i = 0; i < together; ++i) {
      // What is loaded twice is not stored.
      Scalar at = first + i * step;
      pairs.push_back(k.loadVector(orders, from + k.cast(k.select(at < count, at, first), k.i64Type()), 2));
    }
    for (int64_t i = 0; i < together; ++i) {
      Scalar at = first + i * step;
      k.when(at < count, [&] {
        for (int64_t half = 0; half < 2; ++half) // the upper half of an order is the score
          k.store(k.cast(k.element(pairs[size_t(i)], half) >> 32, k.i32Type()), scores,
                  at + at / chunkSize + half);
      });
    }
  });
}

constexpr int64_t mostWarps = 16; // of a block

} // namespace

bool Chunks::hasPlaces() const {
  return geometry.levels == 1 && (chunks * listWords + mostWarps * (warpSize + chunkSize)) * 4 <= sharedBytes;
}

void Chunks::emitRowBoundaries() {
  // Enough blocks for the multiprocessors of a large GPU; each loads what the last one of its prefixes needs.
  constexpr int64_t wantedBlocks = 132, mostOfBlock = 32;
  const int64_t ofBlock =
      std::clamp<int64_t>((rows.rows * chunks + wantedBlocks - 1) / wantedBlocks, 4, mostOfBlock);
  const int64_t ranges = (chunks + ofBlock - 1) / ofBlock, warps = std::clamp<int64_t>(ofBlock, 8, mostWarps);
  steps.kernel(
      "boundaries", rows.rows * ranges, warps * warpSize,
      {s.u, s.bounds, lists.keys, lists.sums, kappa, base, offset, places}, [&](KernelCode &k) {
        Pointer scores = k.shared(chunks * listWords, i32), gathered = k.shared(warps * warpSize, i32),
                singles = k.shared(warps * chunkSize, i32);
        Scalar row = k.cast(k.block() % rows.rows, i64);
        // The longest prefixes first.
        Scalar first = ((ranges - 1) - k.block() / rows.rows) * ofBlock,
               count = k.min(chunks - first, k.i32(ofBlock));
        Scalar firstList = pieceOf(k, k.pointer(1, i32), first * chunkSize).start / chunkSize;
        loadRow(k, scores, k.pointer(2, i64), row * geometry.stride() + k.cast(firstList * chunkSize, i64),
                (first + count - firstList) * chunkSize);
        k.barrier();
        RowMemory memory{scores,
                         firstList,
                         k.offset(gathered, k.warp() * warpSize),
                         k.offset(singles, k.warp() * chunkSize),
                         k.pointer(2, i64),
                         k.pointer(3, i64),
                         k.pointer(0, f32)};
        // First the left ends, then the right ones, most of which nobody asks for.
        k.loop(k.warp(), count * 2, k.i32(warps), [&](Scalar task) {
          Scalar isRight = task >= count;
          Scalar chunk = first + (task - k.select(isRight, count, k.i32(0)));
          Piece piece = pieceOf(k, k.pointer(1, i32), chunk * chunkSize);
          k.when(piece.exists & (!isRight | piece.isLast), [&] {
            Scalar stop = k.select(isRight, piece.stop, piece.first), whole = stop - stop % chunkSize;
            Scalar at = ((k.cast(row, i32) * chunks + chunk) << 1) + k.cast(isRight, i32);
            auto solve = [&](int64_t lists) {
              PrefixThreshold t = Boundary(*this, k, memory, {row, piece.start, whole, stop}, lists)
                                      .solve(k.pointer(7, i64), k.cast(at, i64) * geometry.mostLists);
              k.when(k.lane() == 0, [&] { solved(k, 4).store(k, t, at); });
            };
            // The first thresholds of rows take the most steps: theirs are shorter with one list a lane.
            Scalar lists = whole / chunkSize - piece.start / chunkSize;
            if (chunks > warpSize)
              k.when(lists <= warpSize, [&] { solve(warpSize); }, [&] { solve(chunks); });
            else
              solve(chunks);
          });
        });
      });
}

} // namespace heddle::gpu::chunked
