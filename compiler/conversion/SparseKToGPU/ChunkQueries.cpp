// The queries of a chunk are solved in slices, each of 32 keys that join one after the other.
//
// The thresholds between slices are solved first, each by a warp: for every slice there are marks of the
// ranks that are present at its beginning, with counts and sums before each word of marks, so that the mass
// at a point costs two searches among the ranks. A lane then solves the query after its key by Newton's
// method between the thresholds at both ends of its slice, with the same marks and what the keys of the slice
// add up to its own. Only kappa moves serially, from a present rank to the next.
#include "compiler/conversion/SparseKToGPU/ChunkKeys.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

#include <cfloat>

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

constexpr int64_t words = (chunkCapacity + 31) / 32, mostSlices = chunkSize / warpSize;
static_assert(words <= 2 * warpSize, "a lane has two words");
constexpr int64_t chunkWarps = chunkThreads / warpSize, halfSlices = halfJoining / warpSize;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Solves the queries of the piece whose keys were gathered.
class ChunkQueries {
public:
  ChunkQueries(Chunks &c, KernelCode &k, const ChunkKeys &keys)
      : c(c), k(k), keys(keys), piece(keys.piece), left(keys.ends.left), right(keys.ends.right),
        topk(c.s.topk), fraction(c.geometry.fraction), i32(c.i32), i64(c.i64), f32(c.f32), f64(c.f64),
        lane(k.lane()), marks(k.shared(mostSlices * words, i32)), counts(k.shared(mostSlices * words, i32)),
        sums(k.shared(mostSlices * words, i64)), presents(k.shared(mostSlices, i32)),
        kappas(k.shared(mostSlices, i32)), bases(k.shared(mostSlices, f64)),
        offsets(k.shared(mostSlices, f64)), outHi(k.shared(chunkSize + 1, f32)),
        outLo(k.shared(chunkSize + 1, f32)), outKappa(k.shared(chunkSize + 1, i64)) {}

  void solve() {
    slices = k.max((keys.joined + (warpSize - 1)) >> 5, k.i32(1));
    leftRank = firstWhere(k, k.i32(0), keys.total,
                          [&](Scalar rank) { return k.load(keys.orders, rank) >= left.kappa; });
    Scalar first = keys.half * halfSlices, end = k.min(first + halfSlices, slices);
    // With the beginning of the slice after them.
    k.loop(first + k.warp(), k.min(end + 1, slices), k.i32(chunkWarps), [&](Scalar slice) { begin(slice); });
    k.barrier();
    k.loop(first + k.warp(), end, k.i32(chunkWarps), [&](Scalar slice) { finish(slice); });
    k.barrier();
  }

  void writeResults(unsigned hi, unsigned lo, unsigned kappa) {
    for (int64_t i = 0; i < threadKeys; ++i)
      k.when(keys.sources[i] >= 0, [&] {
        Scalar place = keys.place.start + (k.thread() + i * chunkThreads) + c.rows.window;
        Scalar query = keys.place.row * c.rows.n + k.cast(place, i64), source = keys.sources[i];
        k.store(k.load(outHi, source), k.pointer(hi, f32), query);
        k.store(k.load(outLo, source), k.pointer(lo, f32), query);
        k.store(k.load(outKappa, source), k.pointer(kappa, i64), query);
      });
  }

private:
  Scalar number(double x) { return k.constant(f64, x); }
  Scalar score(Scalar order) { return k.cast(orderScore(k, order), f64); }
  Scalar orderAt(Scalar rank) { return k.load(keys.orders, rank); }

  // ---- Ranks that are present at the beginning of a slice ----

  /// Keys from this one on join later.
  Scalar firstKey(Scalar slice) {
    return k.choose(
        slice == 0, [&] { return Scalars{piece.first}; },
        [&] { return Scalars{keys.place.start + k.load(keys.joining, slice << 5)}; })[0];
  }
  /// Where a rank's word is in the arrays of a slice. Ranks from the last word's end on have the last word.
  Scalar wordOf(Scalar slice, Scalar rank) { return slice * words + k.min(rank >> 5, k.i32(words - 1)); }
  /// The first rank of a word.
  Scalar wordStart(Scalar slice, Scalar word) { return (word - slice * words) << 5; }
  /// Marks in the word of a rank that are below it.
  Scalar marksBelow(Scalar slice, Scalar word, Scalar rank) {
    Scalar bits = rank - wordStart(slice, word);
    return k.load(marks, word) & k.select(bits > 31, k.i32(-1), (k.i32(1) << (bits & 31)) - 1);
  }
  /// How many are below a rank.
  Scalar countBefore(Scalar slice, Scalar rank) {
    Scalar word = wordOf(slice, rank);
    return k.load(counts, word) + k.countOnes(marksBelow(slice, word, rank));
  }
  /// Calls body(0 or 1, word, whether there is one) for the words that are the lane's.
  void eachOwnWord(llvm::function_ref<void(size_t half, Scalar word, Scalar exists)> body) {
    for (int64_t first = 0; first < words; first += warpSize)
      body(size_t(first / warpSize), lane + first,
           first + warpSize <= words ? k.truth(true) : lane + first < words);
  }
  /// The rank of number `number`, which exists.
  Scalar present(Scalar slice, Scalar number) {
    Scalar at = slice * words, word = k.i32(-1);
    eachOwnWord([&](size_t, Scalar own, Scalar exists) {
      Scalar before = k.load(counts, at + k.select(exists, own, k.i32(0)));
      word = word + k.countOnes(k.ballot(exists & (before <= number)));
    });
    return (word << 5) + nthBit(k, k.load(marks, at + word), number - k.load(counts, at + word));
  }
  /// The first rank from which on the predicate of the order holds.
  Scalar firstRank(llvm::function_ref<Scalar(Scalar order)> holds) {
    Scalar whole = k.i32(-1);
    eachOwnWord([&](size_t, Scalar own, Scalar) {
      Scalar rank = own << 5;
      whole = whole + k.countOnes(k.ballot((rank < keys.total) & !holds(orderAt(rank))));
    });
    Scalar first = k.max(whole, k.i32(0)) << 5, rank = first + lane;
    return first + k.countOnes(k.ballot((rank < keys.total) & !holds(orderAt(rank))));
  }
  /// The sum of the scores of those in [first, last), in fixed point.
  Scalar sumBetween(Scalar slice, Scalar first, Scalar last) {
    auto part = [&](Scalar rank, Scalar &before) {
      Scalar word = wordOf(slice, rank);
      before = k.load(sums, word);
      Scalar counts = ((marksBelow(slice, word, rank) >> lane) & 1) != 0;
      return k.select(counts, k.load(keys.fixed, wordStart(slice, word) + lane), k.i64(0));
    };
    Scalar beforeFirst, beforeLast, partFirst = part(first, beforeFirst), partLast = part(last, beforeLast);
    Scalar parts = k.warpReduce(partLast - partFirst, [](Scalar a, Scalar b) { return a + b; });
    return (beforeLast - beforeFirst) + parts;
  }
  /// From a sum of scores in fixed point to one of distances from `top`.
  Scalar distances(Scalar sum, Scalar inside, Scalar top) {
    Scalar rest = sum - k.cast(inside, i64) * fixedPoint(k, k.cast(top, f32), fraction);
    return fromFixedPoint(k, rest, fraction);
  }

  /// Marks, counts and sums of a slice, kappa and the threshold at its beginning.
  void begin(Scalar slice) {
    Scalar before = firstKey(slice), at = slice * words, none = k.i32(0);
    Scalars own =
        k.loop(none, (keys.total + 31) >> 5, k.i32(1), {none, none}, [&](Scalar word, ArrayRef<Scalar> v) {
          Scalar rank = (word << 5) + lane;
          Scalar mark = k.ballot((rank < keys.total) & (orderKey(k, orderAt(rank)) < before));
          return Scalars{k.select(word == lane, mark, v[0]), k.select(word == lane + warpSize, mark, v[1])};
        });
    auto add = [](Scalar a, Scalar b) { return a + b; };
    Scalar count = none, sum = k.i64(0);
    eachOwnWord([&](size_t half, Scalar word, Scalar exists) {
      constexpr int64_t together = 8;
      Scalar mark = own[half], ones = k.countOnes(mark);
      Scalar bits = k.select(keys.total > int64_t(half) * warpSize * 32, k.i32(32), none);
      Scalar ownSum = k.loop(none, bits, k.i32(together), {k.i64(0)}, [&](Scalar first, ArrayRef<Scalar> v) {
        Scalar sum = v[0];
        for (int64_t i = 0; i < together; ++i) {
          // Lanes are at different bits, which are in different banks.
          Scalar bit = (first + lane + i) & 31, here = ((mark >> bit) & 1) != 0;
          Scalar fixed = k.load(keys.fixed, k.select(exists, (word << 5) | bit, none));
          sum = sum + k.select(here, fixed, k.i64(0));
        }
        return Scalars{sum};
      })[0];
      Scalar countTo = k.warpInclusiveScan(ones, add), sumTo = k.warpInclusiveScan(ownSum, add);
      k.when(exists, [&] {
        k.store(mark, marks, at + word);
        k.store(count + (countTo - ones), counts, at + word);
        k.store(sum + (sumTo - ownSum), sums, at + word);
      });
      count = count + k.shuffleFrom(countTo, k.i32(warpSize - 1));
      sum = sum + k.shuffleFrom(sumTo, k.i32(warpSize - 1));
    });
    k.when(lane == 0, [&] { k.store(count, presents, slice); });
    k.warpBarrier();

    // Each key above kappa that has joined lets kappa rise to the next one that is present.
    Scalar above = k.loop(none, slice, k.i32(1), {none}, [&](Scalar other, ArrayRef<Scalar> v) {
      Scalar rank = k.load(keys.ranks, k.load(keys.joining, (other << 5) + lane));
      return Scalars{v[0] + k.countOnes(k.ballot(rank > leftRank))};
    })[0];
    Scalar kappa = present(slice, countBefore(slice, leftRank) + above), top = score(orderAt(kappa));
    Scalars tau = k.choose(
        slice == 0, [&] { return Scalars{left.base, left.offset}; },
        [&] { return thresholdAt(slice, kappa, top); });
    k.when(lane == 0, [&] {
      k.store(kappa, kappas, slice);
      k.store(tau[0], bases, slice);
      k.store(tau[1], offsets, slice);
    });
    k.when(slice == 0, [&] { writeLeft(); });
  }

  /// The highest one that is present below the rank, as a score; -infinity if there is none.
  Scalar scoreBelow(Scalar slice, Scalar rank) {
    Scalar before = countBefore(slice, rank);
    Scalar found = score(orderAt(present(slice, k.max(before - 1, k.i32(0)))));
    return k.select(before > 0, found, number(-infinity));
  }

  /// The bracket of tau - top, given thresholds before and after.
  std::pair<Scalar, Scalar> bracket(Scalar top, Scalar base, Scalar offset, Scalar endBase,
                                    Scalar endOffset) {
    Scalar low = (base - top) + (offset - thresholdSlack),
           high = (endBase - top) + (endOffset + thresholdSlack);
    low = k.min(k.max(low, number(-1.0)), number(0.0));
    return {low, k.max(k.min(high, number(0.0)), low)};
  }

  /// What follows from the mass at x. Every fourth step halves the bracket, so that it ends for any scores.
  struct Step {
    Scalar low, high, x, goesOn;
  };
  Step newton(Scalar number, Scalar low, Scalar high, Scalar x, Scalar inside, Scalar saturated, Scalar sum) {
    constexpr int64_t mostSteps = 300;
    Scalar size = k.cast(inside, f64), some = inside > 0;
    Scalar over = sum + k.cast(saturated - topk, f64);
    Scalar exact = k.select(some, over / k.select(some, size, k.constant(f64, 1.0)), x);
    Scalar enough = over - size * x >= 0.0;
    low = k.select(enough, x, low);
    high = k.select(enough, high, x);
    Scalar done = (some & (exact == x)) | (high - low <= DBL_EPSILON) | (number >= mostSteps);
    Scalar takes = some & (exact > low) & (exact < high) & ((number & 3) != 3);
    return {low, high, k.select(takes | (done & some), exact, (low + high) * 0.5), !done};
  }

  /// Base and offset of the threshold at the beginning of a slice.
  Scalars thresholdAt(Scalar slice, Scalar kappa, Scalar top) {
    Scalar next = scoreBelow(slice, kappa);
    Scalar gap = (keys.insideCount == 0) & (next > -infinity) & (top - next >= 1.0);
    auto [low, high] = bracket(top, left.base, left.offset, right.base, right.offset);
    Scalar all = k.load(presents, slice);
    Scalars end = k.repeat(
        {k.i32(0), low, high, low, !gap}, [](ArrayRef<Scalar> v) { return v[4]; },
        [&](ArrayRef<Scalar> v) {
          Scalar x = v[3];
          Scalar first = firstRank([&](Scalar order) { return score(order) - top > x; });
          Scalar last = firstRank([&](Scalar order) { return (score(order) - top) - 1.0 >= x; });
          Scalar begins = countBefore(slice, first), ends = countBefore(slice, last);
          Scalar inside = (ends - begins) + keys.insideCount;
          Scalar sum = distances(sumBetween(slice, first, last) + keys.insideSum, inside, top);
          Step s = newton(v[0], v[1], v[2], x, inside, (all - ends) + keys.saturatedCount, sum);
          return Scalars{v[0] + 1, s.low, s.high, s.x, s.goesOn};
        });
    return {k.select(gap, next, top), k.select(gap, number(0.0), end[3])};
  }

  void write(Scalar at, Scalar kappa, Scalar top, Scalar difference, Scalar died, Scalar gap,
             Scalar gapScore) {
    auto [hi, lo] = thresholdPair(k, f32, top, difference, died);
    k.store(k.select(gap, k.cast(gapScore, f32), hi), outHi, at);
    k.store(k.select(gap, k.constant(f32, 0.0), lo), outLo, at);
    k.store(kappa, outKappa, at);
  }

  /// The left threshold, for keys before the first that joins.
  void writeLeft() {
    Scalar first = firstRank([&](Scalar order) { return score(order) - left.base > left.offset; });
    Scalar top = score(left.kappa), died = scoreBelow(k.i32(0), first) - top;
    k.when(lane == 0, [&] {
      write(k.i32(chunkSize), left.kappa, top, (left.base - top) + left.offset, died, left.isGap(),
            left.base);
    });
  }

  // ---- The queries of a slice ----

  /// kappa and the next present rank below it (-1: none) after each lane's key, which joins at `rank`.
  std::pair<Scalar, Scalar> moveKappa(Scalar slice, Scalar kappa, Scalar rank, Scalar count) {
    Scalar before = countBefore(slice, kappa), below = present(slice, k.max(before - 1, k.i32(0)));
    below = k.select(before > 0, below, k.i32(-1));
    Scalar none = k.i32(std::numeric_limits<int32_t>::max());
    Scalars end = k.loop(
        k.i32(0), count, k.i32(1), {kappa, below, nextMarked(slice, kappa + 1), kappa, below},
        [&](Scalar i, ArrayRef<Scalar> v) {
          Scalar joins = k.shuffleFrom(rank, i), rises = joins > v[0], isMine = lane == i;
          // The next one is from the beginning, or among the slice's keys up to this one.
          Scalar joined = warpLeast(k, k.select((lane <= i) & (rank > v[0]), rank, none));
          Scalar next = k.select(rises, k.min(v[2], joined), v[0]);
          Scalar marked = k.choose(
              next == v[2], [&] { return Scalars{nextMarked(slice, next + 1)}; },
              [&] { return Scalars{v[2]}; })[0];
          Scalar lower = k.select(rises, v[0], k.max(v[1], joins));
          return Scalars{next, lower, marked, k.select(isMine, next, v[3]), k.select(isMine, lower, v[4])};
        });
    return {end[3], end[4]};
  }
  /// The first rank from one on that is present from the beginning; one beyond all if there is none.
  Scalar nextMarked(Scalar slice, Scalar from) {
    Scalar at = slice * words, word = k.min(from >> 5, k.i32(words - 1));
    Scalar bits = from - (word << 5);
    Scalar first = k.load(marks, at + word) & k.select(bits > 31, k.i32(0), k.i32(-1) << (bits & 31));
    Scalars found = k.repeat(
        {word, first}, [&](ArrayRef<Scalar> v) { return (v[1] == 0) & (v[0] < words - 1); },
        [&](ArrayRef<Scalar> v) {
          Scalar next = v[0] + 1;
          return Scalars{next, k.load(marks, at + next)};
        });
    Scalar rank = (found[0] << 5) + k.trailingZeros(found[1]);
    return k.select(found[1] == 0, k.i32(std::numeric_limits<int32_t>::max()), rank);
  }

  /// A lane's key.
  struct Joining {
    Scalar exists, at;  ///< at: in the chunk
    Scalar rank, fixed; ///< the rank is -1 where there is no key
  };
  /// Where the first rank above tau lies, and the first saturated one.
  struct RankRanges {
    SearchRange alive, saturated;
  };
  /// body(rank, lane, values) for the keys of the slice up to the lane's own; the rank is -1 for others.
  Scalars eachKey(const Joining &own, const Scalars &init,
                  llvm::function_ref<Scalars(Scalar rank, Scalar from, ArrayRef<Scalar>)> body) {
    constexpr int64_t together = 8; // more would take registers
    return k.loop(k.i32(0), k.i32(warpSize), k.i32(together), init, [&](Scalar first, ArrayRef<Scalar> v) {
      Scalars values(v);
      for (int64_t i = 0; i < together; ++i) {
        Scalar from = first + i, rank = k.shuffleFrom(own.rank, from);
        values = body(k.select(lane >= from, rank, k.i32(-1)), from, values);
      }
      return values;
    });
  }
  /// What a lane's x gives; the sum is one of distances.
  struct Mass {
    Scalar inside, saturated, sum, firstAlive;
  };
  Mass mass(Scalar slice, const RankRanges &ranges, const Joining &own, Scalar top, Scalar x) {
    auto load = [&](size_t, Scalar at) { return orderAt(at); };
    Scalars rank = firstWhereAll(k, {ranges.alive, ranges.saturated}, load, [&](size_t which, Scalar order) {
      Scalar distance = score(order) - top;
      return which == 0 ? distance > x : distance - 1.0 >= x;
    });
    // Of what is present from the beginning.
    Scalar before[2], start[2], rest[2], wholeSums[2];
    for (size_t i = 0; i < 2; ++i) {
      Scalar word = wordOf(slice, rank[i]);
      start[i] = wordStart(slice, word);
      rest[i] = marksBelow(slice, word, rank[i]);
      before[i] = k.load(counts, word) + k.countOnes(rest[i]);
      wholeSums[i] = k.load(sums, word);
    }
    Scalar sum = k.repeat(
        {rest[0], rest[1], keys.insideSum + (wholeSums[1] - wholeSums[0])},
        [&](ArrayRef<Scalar> v) { return (v[0] | v[1]) != 0; },
        [&](ArrayRef<Scalar> v) {
          auto next = [&](size_t i) {
            Scalar some = v[i] != 0, bit = k.select(some, k.trailingZeros(v[i]), k.i32(0));
            return k.select(some, k.load(keys.fixed, start[i] + bit), k.i64(0));
          };
          return Scalars{v[0] & (v[0] - 1), v[1] & (v[1] - 1), v[2] + (next(1) - next(0))};
        })[2];
    Scalar inside = (before[1] - before[0]) + keys.insideCount;
    Scalar saturated = (k.load(presents, slice) - before[1]) + keys.saturatedCount;
    // And of the keys of the slice up to the lane's own.
    Scalars all = eachKey(own, {inside, saturated, sum}, [&](Scalar other, Scalar from, ArrayRef<Scalar> v) {
      Scalar fixed = k.shuffleFrom(own.fixed, from);
      Scalar isFull = other >= rank[1], counts = (other >= rank[0]) & !isFull;
      return Scalars{v[0] + k.cast(counts, i32), v[1] + k.cast(isFull, i32),
                     v[2] + k.select(counts, fixed, k.i64(0))};
    });
    return {all[0], all[1], distances(all[2], all[0], top), rank[0]};
  }

  /// The highest rank below one that is present after the lane's key has joined; -1 if there is none.
  Scalar highestBelow(Scalar slice, Scalar rank, const Joining &own) {
    Scalar at = slice * words, word = wordOf(slice, rank);
    Scalars found = k.repeat(
        {word - at, marksBelow(slice, word, rank)},
        [&](ArrayRef<Scalar> v) { return (v[1] == 0) & (v[0] > 0); },
        [&](ArrayRef<Scalar> v) {
          Scalar next = v[0] - 1;
          return Scalars{next, k.load(marks, at + next)};
        });
    Scalar highest = k.select(found[1] == 0, k.i32(-1), ((found[0] << 5) + 31) - k.leadingZeros(found[1]));
    return eachKey(own, {highest}, [&](Scalar other, Scalar, ArrayRef<Scalar> v) {
      return Scalars{k.select(other < rank, k.max(v[0], other), v[0])};
    })[0];
  }

  void finish(Scalar slice) {
    Scalar base = k.load(bases, slice), offset = k.load(offsets, slice), isLast = slice + 1 == slices;
    Scalars after = k.choose(
        isLast, [&] { return Scalars{right.base, right.offset}; },
        [&] { return Scalars{k.load(bases, slice + 1), k.load(offsets, slice + 1)}; });
    auto find = [&](Scalar base, Scalar offset, double above) {
      return firstRank([&](Scalar order) { return (score(order) - base) - above > offset; });
    };
    Scalar from = offset - thresholdSlack, to = after[1] + thresholdSlack;
    RankRanges ranges{{find(base, from, 0), find(after[0], to, 0)},
                      {find(base, from, 1), find(after[0], to, 1)}};

    Scalar count = k.min(keys.joined - (slice << 5), k.i32(warpSize)), none = k.i32(0);
    Joining own;
    own.exists = lane < count;
    own.at = k.load(keys.joining, (slice << 5) + k.select(own.exists, lane, none));
    own.rank = k.select(own.exists, k.load(keys.ranks, own.at), k.i32(-1));
    own.fixed = k.load(keys.fixed, k.max(own.rank, none));
    auto [kappa, below] = moveKappa(slice, k.load(kappas, slice), own.rank, count);
    Scalar kappaOrder = orderAt(kappa), top = score(kappaOrder), next = score(orderAt(k.max(below, none)));
    Scalar gap = (keys.insideCount == 0) & (below >= 0) & (top - next >= 1.0);

    auto [low, high] = bracket(top, base, offset, after[0], after[1]);
    // About where it should be if tau rises evenly.
    Scalar share = k.cast(lane + 1, f64) / k.cast(k.max(count, k.i32(1)), f64);
    Scalar x = low + (high - low) * k.min(share, number(1.0));
    Scalars end = k.repeat(
        {none, low, high, x, ranges.alive.begin, own.exists & !gap},
        [&](ArrayRef<Scalar> v) { return k.ballot(v[5]) != 0; },
        [&](ArrayRef<Scalar> v) {
          Mass m = mass(slice, ranges, own, top, v[3]);
          Step s = newton(v[0], v[1], v[2], v[3], m.inside, m.saturated, m.sum);
          auto keep = [&](Scalar changed, Scalar old) { return k.select(v[5], changed, old); };
          return Scalars{v[0] + 1,        keep(s.low, v[1]),        keep(s.high, v[2]),
                         keep(s.x, v[3]), keep(m.firstAlive, v[4]), v[5] & s.goesOn};
        });
    Scalar dead = highestBelow(slice, end[4], own);
    Scalar died = k.select(dead < 0, number(-infinity), score(orderAt(k.max(dead, none))) - top);
    k.when(own.exists, [&] { write(own.at, kappaOrder, top, end[3], died, gap, next); });
  }

  Chunks &c;
  KernelCode &k;
  const ChunkKeys &keys;
  const Piece &piece;
  const PrefixThreshold &left, &right;
  const int64_t topk, fraction;
  Type i32, i64, f32, f64;
  Scalar lane, slices;
  Scalar leftRank; ///< of the left kappa
  // Of slices at their beginning.
  Pointer marks;                  ///< a bit for each rank
  Pointer counts, sums;           ///< of what is before each word
  Pointer presents;               ///< how many
  Pointer kappas;                 ///< ranks
  Pointer bases, offsets;         ///< the threshold
  Pointer outHi, outLo, outKappa; ///< by the key that joins; at chunkSize the left threshold
};

} // namespace

void solveChunkQueries(Chunks &chunks, KernelCode &k, const ChunkKeys &keys, unsigned hi, unsigned lo,
                       unsigned kappa) {
  ChunkQueries queries(chunks, k, keys);
  queries.solve();
  queries.writeResults(hi, lo, kappa);
}

} // namespace heddle::gpu::chunked
