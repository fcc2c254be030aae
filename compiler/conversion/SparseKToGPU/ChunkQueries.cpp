// The queries of a chunk are solved in slices, each of 32 keys that join one after the other.
//
// The thresholds between slices are solved first, each by a warp: for every slice there are marks of the
// ranks that are present at its beginning, with counts and sums before each word of marks, so that the mass
// at a point costs two searches among the ranks. Between the two ends of a slice again only keys near them
// matter one by one. A lane solves the query after its key then, by Newton's method over these and the keys
// of the slice; all lanes go over the same keys, which travel by shuffles. Only kappa moves serially, from a
// present rank to the next.
#include "compiler/conversion/SparseKToGPU/ChunkKeys.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

#include <cfloat>

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

constexpr int64_t words = chunkCapacity / 32, mostSlices = chunkSize / warpSize;
constexpr int64_t chunkWarps = chunkThreads / warpSize;
constexpr double infinity = std::numeric_limits<double>::infinity();
/// More than the distance from kappa of any key that is inside.
constexpr double farFromKappa = 4;

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
    auto eachSlice = [&](llvm::function_ref<void(Scalar)> body) {
      k.loop(k.warp(), slices, k.i32(chunkWarps), body);
    };
    eachSlice([&](Scalar slice) { begin(slice); });
    k.barrier();
    eachSlice([&](Scalar slice) { finish(slice); });
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
  /// How many are below a rank.
  Scalar countBefore(Scalar slice, Scalar rank) {
    Scalar word = (slice * words) + k.min(rank >> 5, k.i32(words - 1));
    Scalar all = k.load(presents, slice);
    Scalar below = k.load(marks, word) & ((k.i32(1) << (rank & 31)) - 1);
    return k.select(rank < keys.total, k.load(counts, word) + k.countOnes(below), all);
  }
  /// The rank of number `number`, which exists.
  Scalar present(Scalar slice, Scalar number) {
    Scalar at = slice * words, word = k.i32(-1);
    for (int64_t half = 0; half < words; half += warpSize)
      word = word + k.countOnes(k.ballot(k.load(counts, at + (lane + half)) <= number));
    return (word << 5) + nthBit(k, k.load(marks, at + word), number - k.load(counts, at + word));
  }
  /// The first rank from which on the predicate of the order holds.
  Scalar firstRank(llvm::function_ref<Scalar(Scalar order)> holds) {
    Scalar whole = k.i32(-1);
    for (int64_t half = 0; half < words; half += warpSize) {
      Scalar rank = (lane + half) << 5;
      whole = whole + k.countOnes(k.ballot((rank < keys.total) & !holds(orderAt(rank))));
    }
    Scalar first = k.max(whole, k.i32(0)) << 5, rank = first + lane;
    return first + k.countOnes(k.ballot((rank < keys.total) & !holds(orderAt(rank))));
  }
  Scalar units(Scalar distance) {
    Scalar near = k.max(k.min(distance, number(farFromKappa)), number(-farFromKappa));
    return k.cast(near * double(int64_t(1) << fraction), i64);
  }
  /// The sum of distances from `top` of those in [first, last), in fixed point; `sums` are relative to it.
  Scalar sumBetween(Scalar slice, Scalar first, Scalar last, Scalar top) {
    auto upTo = [&](Scalar rank, Scalar &whole) {
      Scalar word = k.min(rank >> 5, k.i32(words - 1)), at = slice * words + word;
      Scalar bit = (word << 5) + lane;
      Scalar counts = (bit < rank) & (((k.load(marks, at) >> lane) & 1) != 0);
      whole = k.load(sums, at);
      return k.select(counts, units(score(orderAt(bit)) - top), k.i64(0));
    };
    Scalar wholeFirst, wholeLast, partFirst = upTo(first, wholeFirst), partLast = upTo(last, wholeLast);
    Scalar parts = k.warpReduce(partLast - partFirst, [](Scalar a, Scalar b) { return a + b; });
    return (wholeLast - wholeFirst) + parts;
  }
  /// Older keys that are inside throughout, likewise.
  Scalar olderSum(Scalar top) {
    return keys.insideSum - k.cast(keys.insideCount, i64) * fixedPoint(k, k.cast(top, f32), fraction);
  }

  /// Marks, counts and sums of a slice, kappa and the threshold at its beginning.
  void begin(Scalar slice) {
    Scalar before = firstKey(slice), at = slice * words;
    auto halfExists = [&](int64_t half) { return k.i32(half * 32) < keys.total; };
    // A lane makes a word; lanes begin at different bits, which are in different banks.
    auto eachBit = [&](Scalars init, llvm::function_ref<Scalars(Scalar bit, ArrayRef<Scalar>)> body) {
      return k.loop(k.i32(0), k.i32(32), k.i32(1), init,
                    [&](Scalar i, ArrayRef<Scalar> v) { return body((i + lane) & 31, v); });
    };
    auto add = [](Scalar a, Scalar b) { return a + b; };
    Scalar count = k.i32(0), made[words / warpSize];
    for (int64_t half = 0; half < words; half += warpSize) {
      Scalar word = lane + half;
      Scalar mark = k.choose(
          halfExists(half),
          [&] {
            return eachBit({k.i32(0)}, [&](Scalar bit, ArrayRef<Scalar> v) {
              Scalar rank = (word << 5) | bit;
              Scalar here = (rank < keys.total) & (orderKey(k, orderAt(rank)) < before);
              return Scalars{v[0] | (k.cast(here, i32) << bit)};
            });
          },
          [&] { return Scalars{k.i32(0)}; })[0];
      Scalar own = k.countOnes(mark), upTo = k.warpInclusiveScan(own, add);
      k.store(mark, marks, at + word);
      k.store(count + (upTo - own), counts, at + word);
      count = count + k.shuffleFrom(upTo, k.i32(warpSize - 1));
      made[half / warpSize] = mark;
    }
    k.when(lane == 0, [&] { k.store(count, presents, slice); });
    k.warpBarrier();

    // Each key above kappa that has joined lets kappa rise to the next one that is present.
    Scalar above = k.loop(k.i32(0), slice, k.i32(1), {k.i32(0)}, [&](Scalar other, ArrayRef<Scalar> v) {
      Scalar rank = k.load(keys.ranks, k.load(keys.joining, (other << 5) + lane));
      return Scalars{v[0] + k.countOnes(k.ballot(rank > leftRank))};
    })[0];
    Scalar kappa = present(slice, countBefore(slice, leftRank) + above), top = score(orderAt(kappa));
    Scalar sum = k.i64(0);
    for (int64_t half = 0; half < words; half += warpSize) {
      Scalar word = lane + half, mark = made[half / warpSize];
      Scalar own = k.choose(
          halfExists(half),
          [&] {
            return eachBit({k.i64(0)}, [&](Scalar bit, ArrayRef<Scalar> v) {
              Scalar here = ((mark >> bit) & 1) != 0;
              Scalar distance = score(orderAt((word << 5) | bit)) - top;
              return Scalars{v[0] + k.select(here, units(distance), k.i64(0))};
            });
          },
          [&] { return Scalars{k.i64(0)}; })[0];
      Scalar upTo = k.warpInclusiveScan(own, add);
      k.store(sum + (upTo - own), sums, at + word);
      sum = sum + k.shuffleFrom(upTo, k.i32(warpSize - 1));
    }
    k.warpBarrier();

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

  /// What follows from the mass at x: [low, high, next x, goes on].
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
    Scalar older = olderSum(top), all = k.load(presents, slice);
    Scalars end = k.repeat(
        {k.i32(0), low, high, low, !gap}, [](ArrayRef<Scalar> v) { return v[4]; },
        [&](ArrayRef<Scalar> v) {
          Scalar x = v[3];
          Scalar first = firstRank([&](Scalar order) { return score(order) - top > x; });
          Scalar last = firstRank([&](Scalar order) { return (score(order) - top) - 1.0 >= x; });
          Scalar begins = countBefore(slice, first), ends = countBefore(slice, last);
          Scalar inside = (ends - begins) + keys.insideCount;
          Scalar sum = fromFixedPoint(k, sumBetween(slice, first, last, top) + older, fraction);
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

  /// Two stretches of ranks whose keys may change sides within the slice, and what the others that are
  /// present add up to.
  struct Near {
    Scalar begin[2], end[2];
    Scalar inside, saturated, sum; ///< sum: in fixed point, relative to the kappa of the slice
    Scalar died;                   ///< the highest score below them
  };
  Near nearKeys(Scalar slice, Scalar top, Scalar base, Scalar offset, Scalar endBase, Scalar endOffset) {
    auto find = [&](Scalar base, Scalar offset, double above) {
      return firstRank([&](Scalar order) { return (score(order) - base) - above > offset; });
    };
    Scalar from = offset - thresholdSlack, to = endOffset + thresholdSlack;
    Near near;
    near.begin[0] = find(base, from, 0);
    near.end[0] = k.max(find(endBase, to, 0), near.begin[0]);
    near.begin[1] = k.max(find(base, from, 1), near.end[0]);
    near.end[1] = k.max(find(endBase, to, 1), near.begin[1]);
    Scalar first = countBefore(slice, near.end[0]), last = countBefore(slice, near.begin[1]);
    near.inside = (last - first) + keys.insideCount;
    near.saturated = (k.load(presents, slice) - countBefore(slice, near.end[1])) + keys.saturatedCount;
    near.sum = sumBetween(slice, near.end[0], near.begin[1], top) + olderSum(top);
    near.died = scoreBelow(slice, near.begin[0]);
    return near;
  }

  /// kappa and the next present rank below it (-1: none) after each lane's key, which joins at `rank`; marks
  /// are set as keys join.
  std::pair<Scalar, Scalar> moveKappa(Scalar slice, Scalar kappa, Scalar rank, Scalar count) {
    Scalar at = slice * words, before = countBefore(slice, kappa);
    Scalar below = present(slice, k.max(before - 1, k.i32(0)));
    below = k.select(before > 0, below, k.i32(-1));
    Scalars end =
        k.loop(k.i32(0), count, k.i32(1), {kappa, below, kappa, below}, [&](Scalar i, ArrayRef<Scalar> v) {
          Scalar joins = k.shuffleFrom(rank, i), word = at + (joins >> 5);
          k.when(lane == 0, [&] { k.store(k.load(marks, word) | (k.i32(1) << (joins & 31)), marks, word); });
          k.warpBarrier();
          Scalar rises = joins > v[0];
          Scalar next = k.choose(
              rises, [&] { return Scalars{nextPresent(at, v[0] + 1)}; }, [&] { return Scalars{v[0]}; })[0];
          Scalar lower = k.select(rises, v[0], k.max(v[1], joins)), isMine = lane == i;
          k.warpBarrier(); // before marks change again
          return Scalars{next, lower, k.select(isMine, next, v[2]), k.select(isMine, lower, v[3])};
        });
    return {end[2], end[3]};
  }
  /// The first present rank from one on, which exists.
  Scalar nextPresent(Scalar at, Scalar from) {
    Scalar word = from >> 5;
    Scalars found = k.repeat(
        {word, k.load(marks, at + word) & (k.i32(-1) << (from & 31))},
        [&](ArrayRef<Scalar> v) { return (v[1] == 0) & (v[0] < words - 1); },
        [&](ArrayRef<Scalar> v) {
          Scalar next = v[0] + 1;
          return Scalars{next, k.load(marks, at + next)};
        });
    return (found[0] << 5) + k.trailingZeros(found[1]);
  }

  /// What a lane's x gives: counts, the sum of distances from its top, and the highest distance that is dead.
  Scalars mass(const Near &near, Scalar before, Scalar joining, Scalar top, Scalar x, Scalar sum) {
    Scalar groups = ((near.end[0] - near.begin[0]) + (warpSize - 1)) >> 5;
    Scalar all = groups + (((near.end[1] - near.begin[1]) + (warpSize - 1)) >> 5);
    // Last come the keys of the slice, of which a lane sees those up to its own.
    return k.loop(
        k.i32(0), all + 1, k.i32(1), {near.inside, near.saturated, sum, near.died - top},
        [&](Scalar group, ArrayRef<Scalar> v) {
          Scalar isFirst = group < groups, isJoining = group == all;
          Scalar rank =
              k.select(isFirst, near.begin[0] + (group << 5), near.begin[1] + ((group - groups) << 5));
          rank = rank + lane;
          Scalar own = k.choose(
              !isJoining & (rank < k.select(isFirst, near.end[0], near.end[1])),
              [&] {
                Scalar order = orderAt(rank);
                return Scalars{k.select(orderKey(k, order) < before, score(order), number(-infinity))};
              },
              [&] { return Scalars{k.select(isJoining, joining, number(-infinity))}; })[0];
          Scalar seen = k.select(isJoining, lane, k.i32(warpSize - 1));
          Scalar inside = v[0], saturated = v[1], total = v[2], died = v[3], none = number(-infinity);
          for (int64_t i = 0; i < warpSize; ++i) {
            Scalar distance = k.shuffleFrom(own, k.i32(i)) - top;
            distance = k.select(seen >= i, distance, none);
            Scalar lives = distance > x, isFull = distance - 1.0 >= x, counts = lives & !isFull;
            inside = inside + k.cast(counts, i32);
            saturated = saturated + k.cast(isFull, i32);
            total = total + k.select(counts, distance, number(0.0));
            died = k.select(!lives & (distance > died), distance, died);
          }
          return Scalars{inside, saturated, total, died};
        });
  }

  void finish(Scalar slice) {
    Scalar base = k.load(bases, slice), offset = k.load(offsets, slice), isLast = slice + 1 == slices;
    Scalars after = k.choose(
        isLast, [&] { return Scalars{right.base, right.offset}; },
        [&] { return Scalars{k.load(bases, slice + 1), k.load(offsets, slice + 1)}; });
    Scalar kappa = k.load(kappas, slice), sliceTop = score(orderAt(kappa)), before = firstKey(slice);
    Near near = nearKeys(slice, sliceTop, base, offset, after[0], after[1]);

    Scalar count = k.min(keys.joined - (slice << 5), k.i32(warpSize)), joins = lane < count;
    Scalar at = k.load(keys.joining, (slice << 5) + k.select(joins, lane, k.i32(0)));
    Scalar rank = k.select(joins, k.load(keys.ranks, at), k.i32(0));
    Scalar joining = k.select(joins, score(orderAt(rank)), number(-infinity));
    auto [ownKappa, below] = moveKappa(slice, kappa, rank, count);
    Scalar kappaOrder = orderAt(ownKappa), top = score(kappaOrder);
    Scalar next = score(orderAt(k.max(below, k.i32(0))));
    Scalar gap = (near.inside == 0) & (below >= 0) & (top - next >= 1.0);

    auto [low, high] = bracket(top, base, offset, after[0], after[1]);
    // About where it should be if tau rises evenly.
    Scalar share = k.cast(lane + 1, f64) / k.cast(k.max(count, k.i32(1)), f64);
    Scalar x = low + (high - low) * k.min(share, number(1.0));
    Scalar sum = fromFixedPoint(k, near.sum, fraction) - k.cast(near.inside, f64) * (top - sliceTop);
    Scalars end = k.repeat(
        {k.i32(0), low, high, x, number(-infinity), joins & !gap},
        [&](ArrayRef<Scalar> v) { return k.ballot(v[5]) != 0; },
        [&](ArrayRef<Scalar> v) {
          Scalars m = mass(near, before, joining, top, v[3], sum);
          Step s = newton(v[0], v[1], v[2], v[3], m[0], m[1], m[2]);
          auto keep = [&](Scalar changed, Scalar old) { return k.select(v[5], changed, old); };
          return Scalars{v[0] + 1,        keep(s.low, v[1]), keep(s.high, v[2]),
                         keep(s.x, v[3]), keep(m[3], v[4]),  v[5] & s.goesOn};
        });
    k.when(joins, [&] { write(at, kappaOrder, top, end[3], end[4], gap, next); });
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
  Pointer marks;          ///< a bit for each rank
  Pointer counts, sums;   ///< of what is before each word; sums are distances from kappa in fixed point
  Pointer presents;       ///< how many
  Pointer kappas;         ///< ranks
  Pointer bases, offsets; ///< the threshold
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
