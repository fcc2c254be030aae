// The queries of a chunk: a lane solves the one after its key, a warp a slice of 32 keys that join one after
// the other.
//
// What is present at a query are the older keys and those of the joining ones that come no later. Of the
// older keys there are sums up to any rank, of the joining ones masks, a bit for each, up to any time, and
// sums before each slice up to any number. So what lies between two ranks costs a lane the searches for them,
// some words, and a look at the 32 keys of its slice. kappa rises by one present key for each that joins
// above it, which makes it the present key of a known number; Newton's method then runs between the
// thresholds at both ends of the chunk.
#include "compiler/conversion/SparseKToGPU/ChunkKeys.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

constexpr int64_t mostSlices = chunkSize / warpSize;
constexpr int64_t sliceSums = chunkSize + 1;  ///< of a warp
constexpr int64_t maskWords = mostSlices + 1; ///< of a lane, odd
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Solves the queries of the piece whose keys were gathered.
class ChunkQueries {
public:
  ChunkQueries(Chunks &c, KernelCode &k, const ChunkKeys &keys)
      : c(c), k(k), keys(keys), topk(c.s.topk), fraction(c.geometry.fraction), i32(c.i32), i64(c.i64),
        f32(c.f32), f64(c.f64), lane(k.lane()), none(k.i32(0)), bits(k.as(keys.orders, c.i32)),
        earlier(warpSums(k)),
        masks(k.offset(k.shared(k.blockThreads * maskWords, i32), k.thread() * maskWords)),
        outHi(k.shared(chunkSize + 1, f32)), outLo(k.shared(chunkSize + 1, f32)),
        outKappa(k.shared(chunkSize + 1, i32)), ends{k.shared(2, i64), k.shared(2, f64), k.shared(2, f64)},
        warps(k.blockThreads / warpSize) {}

  void solve() {
    k.when(k.thread() == 0, [&] {
      ends.store(k, keys.ends.left, none);
      ends.store(k, keys.ends.right, k.i32(1));
    });
    k.barrier();
    slices = (keys.joined + (warpSize - 1)) >> 5;
    PrefixThreshold left = atLeft(), right = atRight();
    Scalars ranks =
        firstWhereTogether(k, {{none, keys.total}, {none, keys.total}}, [&](size_t which, Scalar at) {
          return k.load(keys.orders, at) >= (which == 0 ? left.kappa : right.kappa);
        });
    leftRank = ranks[0];
    rightRank = ranks[1];
    Scalar half = c.halfOfBlock(k);
    k.loop(k.warp() + k.select(half == 1, k.i32(warps), none), slices,
           k.select(half < 0, k.i32(warps), k.i32(2 * warps)), [&](Scalar slice) { finish(slice); });
    k.when((k.warp() == warps - 1) & (half != 1), [&] { writeLeft(); });
    k.barrier();
  }

  void writeResults(unsigned hi, unsigned lo, unsigned kappa) {
    Scalar half = c.halfOfBlock(k);
    for (int64_t i = 0; i < c.threadKeys(); ++i) {
      Scalar source = keys.sources[size_t(i)];
      Scalar solver = k.select(source == chunkSize, none, (source >> 5) / warps); // of the halves
      k.when((source >= 0) & ((half < 0) | (solver == half)), [&] {
        Scalar place = keys.place.start + (k.thread() + i * k.blockThreads) + c.rows.window;
        Scalar query = keys.place.row * c.rows.n + k.cast(place, i64);
        k.store(k.load(outHi, source), k.pointer(hi, f32), query);
        k.store(k.load(outLo, source), k.pointer(lo, f32), query);
        Scalar isLeft = source == chunkSize, rank = k.select(isLeft, none, k.load(outKappa, source));
        k.store(k.select(isLeft, atLeft().kappa, k.load(keys.orders, rank)), k.pointer(kappa, i64), query);
      });
    }
  }

private:
  /// An array for each warp; the first slice needs none.
  static Pointer warpSums(KernelCode &k) {
    const int64_t arrays = std::min(mostSlices - 1, k.blockThreads / warpSize);
    return k.offset(k.shared(arrays * sliceSums, k.i64Type()), k.warp() % arrays * sliceSums);
  }
  Scalar number(double x) { return k.constant(f64, x); }
  Scalar scoreAt(Scalar rank) { return k.cast(orderScore(k, k.load(keys.orders, rank)), f64); }
  /// The upper half of an order is the score.
  Scalar bitsAt(Scalar rank) { return k.load(bits, rank * 2 + 1); }
  Scalar lowBits(Scalar count) { return k.select(count > 31, k.i32(-1), (k.i32(1) << (count & 31)) - 1); }

  //===------------------------------------------------------------------===//
  // What is present
  //===------------------------------------------------------------------===//

  /// A time: the keys that have joined up to it.
  struct Time {
    Scalar number;        ///< of the last one
    Scalar counts;        ///< i64, eight bits a word of the lane's mask: how many before it
    bool isNever = false; ///< none has joined
  };

  /// Sums of keys that join before a slice, up to each number.
  void sumEarlier(Scalar slice) {
    Scalar end = (keys.joined + 31) & -32;
    Scalar all = k.loop(none, end, k.i32(warpSize), {k.i64(0)}, [&](Scalar first, ArrayRef<Scalar> v) {
      Scalar key = first + lane;
      Scalar own = k.choose(
          key < keys.joined,
          [&] {
            Scalar isEarlier = k.load(keys.times, key) < (slice << 5);
            return Scalars{k.select(isEarlier, k.load(keys.scores, key), k.i64(0))};
          },
          [&] { return Scalars{k.i64(0)}; })[0];
      Scalar upTo = k.warpInclusiveScan(own, [](Scalar a, Scalar b) { return a + b; });
      k.store(v[0] + (upTo - own), earlier, key);
      return Scalars{v[0] + k.shuffleFrom(upTo, k.i32(warpSize - 1))};
    })[0];
    k.when(lane == 0, [&] { k.store(all, earlier, end); });
  }

  /// The lane's time in a slice; writes its mask.
  Time timeOf(Scalar slice) {
    Scalar first = slice << 5;
    Scalars found = k.loop(none, slices, k.i32(1), {k.i64(0), none}, [&](Scalar word, ArrayRef<Scalar> v) {
      Scalar key = (word << 5) + lane, never = k.i32(std::numeric_limits<int32_t>::max());
      Scalar time = k.choose(
          key < keys.joined, [&] { return Scalars{k.load(keys.times, key)}; },
          [&] { return Scalars{never}; })[0];
      // Those before the slice are the same for all lanes.
      Scalar isOwn = (time >= first) & (time < first + warpSize);
      Scalar mask = k.repeat(
          {k.ballot(isOwn), k.ballot(time < first)}, [](ArrayRef<Scalar> m) { return m[0] != 0; },
          [&](ArrayRef<Scalar> m) {
            Scalar bit = k.trailingZeros(m[0]), joins = k.shuffleFrom(time, bit) <= first + lane;
            return Scalars{m[0] & (m[0] - 1), m[1] | (k.cast(joins, i32) << bit)};
          })[1];
      k.store(mask, masks, word);
      Scalar shift = k.cast(word << 3, i64);
      return Scalars{v[0] | (k.extendUnsigned(v[1], i64) << shift), v[1] + k.countOnes(mask)};
    });
    return {first + lane, found[0]};
  }

  /// How many keys that join are below a rank.
  Scalar joiningBelow(Scalar rank) {
    Scalar word = rank >> 5;
    return k.load(keys.before, word) + k.countOnes(k.load(keys.marks, word) & lowBits(rank & 31));
  }
  /// How many of them with lower numbers have joined.
  Scalar joinedBelow(const Time &time, Scalar key) {
    if (time.isNever)
      return none;
    Scalar word = k.min(key >> 5, slices - 1), mask = k.load(masks, word) & lowBits(key - (word << 5));
    return (k.cast(time.counts >> k.cast(word << 3, i64), i32) & 255) + k.countOnes(mask);
  }
  Scalar presentBelow(const Time &time, Scalar rank) {
    Scalar key = joiningBelow(rank);
    return (rank - key) + joinedBelow(time, key);
  }
  /// The rank of present key `number`, which is in [first, last) or at last.
  Scalar presentRank(const Time &time, Scalar number, Scalar first, Scalar last) {
    return firstWhereTogether(k, {{first, last}},
                              [&](size_t, Scalar rank) { return presentBelow(time, rank + 1) > number; })[0];
  }
  /// The highest score that is present below a rank, relative to top; -infinity if there is none.
  Scalar highestBelow(const Time &time, Scalar rank, Scalar top) {
    Scalar count = presentBelow(time, rank);
    Scalar found = presentRank(time, k.max(count - 1, none), none, rank);
    return k.select(count > 0, scoreAt(found) - top, number(-infinity));
  }

  //===------------------------------------------------------------------===//
  // Thresholds
  //===------------------------------------------------------------------===//

  PrefixThreshold atLeft() { return ends.load(k, none); }
  PrefixThreshold atRight() { return ends.load(k, k.i32(1)); }
  /// The bracket of tau - top.
  std::pair<Scalar, Scalar> bracket(Scalar top) {
    PrefixThreshold left = atLeft(), right = atRight();
    Scalar low = (left.base - top) + (left.offset - thresholdSlack),
           high = (right.base - top) + (right.offset + thresholdSlack);
    low = k.min(k.max(low, number(-1.0)), number(0.0));
    return {low, k.max(k.min(high, number(0.0)), low)};
  }

  /// What lies between two ranks, and beyond: how many, and the sum of their distances from top.
  struct Mass {
    Scalar inside, saturated, sum;
  };
  /// A lane's key that joins.
  struct Joining {
    Scalar exists, number, fixed; ///< the number is the largest integer where there is no key
  };
  Mass mass(Scalar slice, const Time &time, const Joining &own, Scalar top, ArrayRef<Scalar> rank) {
    Scalar key[2], joined[2], sums[2];
    for (size_t i = 0; i < 2; ++i) {
      key[i] = joiningBelow(rank[i]);
      joined[i] = joinedBelow(time, key[i]);
      sums[i] = k.load(keys.sums, rank[i]);
    }
    Scalar before = k.choose(
        slice > 0, [&] { return Scalars{k.load(earlier, key[1]) - k.load(earlier, key[0])}; },
        [&] { return Scalars{k.i64(0)}; })[0];
    Scalar sum = (sums[1] - sums[0]) + before + keys.insideSum;
    // The keys of the slice up to the lane's own.
    constexpr int64_t together = 8; // more would take registers
    Scalar count = k.min(keys.joined - (slice << 5), k.i32(warpSize));
    sum = k.loop(none, count, k.i32(together), {sum}, [&](Scalar first, ArrayRef<Scalar> v) {
      Scalar all = v[0];
      for (int64_t i = 0; i < together; ++i) {
        Scalar from = first + i, other = k.shuffleFrom(own.number, from),
               fixed = k.shuffleFrom(own.fixed, from);
        Scalar counts = (other >= key[0]) & (other < key[1]) & (from <= lane);
        all = all + k.select(counts, fixed, k.i64(0));
      }
      return Scalars{all};
    })[0];
    Scalar older[2] = {rank[0] - key[0], rank[1] - key[1]};
    Scalar inside = (older[1] - older[0]) + (joined[1] - joined[0]) + keys.insideCount;
    Scalar saturated =
        ((keys.total - keys.joined) - older[1]) + ((time.number + 1) - joined[1]) + keys.saturatedCount;
    Scalar rest = sum - k.cast(inside, i64) * fixedPoint(k, k.cast(top, f32), fraction);
    return {inside, saturated, fromFixedPoint(k, rest, fraction)};
  }

  /// tau - top, and the first rank above it.
  std::pair<Scalar, Scalar> newton(Scalar slice, const Time &time, const Joining &own, Scalar top,
                                   Scalar runs) {
    auto [low, high] = bracket(top);
    // About where it should be if tau rises evenly.
    Scalar share = k.cast(time.number + 1, f64) / k.cast(k.max(keys.joined, k.i32(1)), f64);
    Scalar x = low + (high - low) * k.min(share, number(1.0));
    Scalars end = k.repeat(
        {none, low, high, x, runs, k.i32(-1), k.i32(-1), none, number(0.0), none, keys.total, none,
         keys.total},
        [&](ArrayRef<Scalar> v) { return k.ballot(v[4]) != 0; },
        [&](ArrayRef<Scalar> v) {
          Scalar x = v[3], cuts[2] = {bitsFrom(k, top, x), bitsFrom(k, top, x + 1.0, true)};
          Scalars rank = firstWhereTogether(k, {{v[9], v[10]}, {v[11], v[12]}}, [&](size_t which, Scalar at) {
            return bitsAt(at) >= cuts[which];
          });
          // The last step only finds that nothing has changed.
          Scalar moves = v[4] & ((rank[0] != v[5]) | (rank[1] != v[6]));
          Scalars found = k.choose(
              k.ballot(moves) != 0,
              [&] {
                Mass m = mass(slice, time, own, top, rank);
                return Scalars{m.inside, m.sum + k.cast(m.saturated - topk, f64)};
              },
              [&] { return Scalars{v[7], v[8]}; });
          NewtonStep step = newtonStep(k, v[0], v[1], v[2], x, found[0], found[1]);
          auto keep = [&](Scalar changed, size_t old) { return k.select(v[4], changed, v[old]); };
          return Scalars{v[0] + 1,
                         keep(step.low, 1),
                         keep(step.high, 2),
                         keep(step.x, 3),
                         v[4] & step.goesOn,
                         keep(rank[0], 5),
                         keep(rank[1], 6),
                         keep(found[0], 7),
                         keep(found[1], 8),
                         k.select(step.enough, rank[0], v[9]),
                         k.select(step.enough, v[10], rank[0]),
                         k.select(step.enough, rank[1], v[11]),
                         k.select(step.enough, v[12], rank[1])};
        });
    return {end[3], k.max(end[5], none)};
  }

  void finish(Scalar slice) {
    k.when(slice > 0, [&] { sumEarlier(slice); });
    Time time = timeOf(slice);
    k.warpBarrier();
    Joining own;
    own.exists = time.number < keys.joined;
    Scalar last = k.select(own.exists, time.number, keys.joined - 1), key = k.load(keys.numbers, last);
    own.number = k.select(own.exists, key, k.i32(std::numeric_limits<int32_t>::max()));
    own.fixed = k.load(keys.scores, key);

    // As many are below kappa as were below the left one, and one more for each key.
    Scalar below = (leftRank - joiningBelow(leftRank)) + (time.number + 1);
    Scalar kappa = presentRank(time, below, leftRank, rightRank), top = scoreAt(kappa);
    Scalars gap = k.choose(
        keys.insideCount == 0,
        [&] {
          Scalar next = scoreAt(presentRank(time, below - 1, none, kappa));
          return Scalars{k.cast(top - next >= 1.0, i32), next};
        },
        [&] { return Scalars{none, top}; });
    Scalar isGap = gap[0] != 0;
    auto [x, alive] = newton(slice, time, own, top, own.exists & !isGap);
    Scalar died = highestBelow(time, alive, top);
    k.when(own.exists, [&] {
      write(time.number, top, x, died, isGap, gap[1]);
      k.store(kappa, outKappa, time.number);
    });
    k.warpBarrier(); // before masks and sums change
  }

  /// The left threshold, for queries before the first key that joins.
  void writeLeft() {
    Time never{none, k.i64(0), true};
    PrefixThreshold left = atLeft();
    Scalar bound = bitsFrom(k, left.base, left.offset), top = k.cast(orderScore(k, left.kappa), f64);
    Scalar first = firstWhereTogether(k, {{none, keys.total}},
                                      [&](size_t, Scalar at) { return bitsAt(at) >= bound; })[0];
    Scalar died = highestBelow(never, first, top);
    k.when(lane == 0, [&] {
      write(k.i32(chunkSize), top, (left.base - top) + left.offset, died, left.isGap(), left.base);
    });
  }

  void write(Scalar at, Scalar top, Scalar difference, Scalar died, Scalar gap, Scalar gapScore) {
    auto [hi, lo] = thresholdPair(k, f32, top, difference, died);
    k.store(k.select(gap, k.cast(gapScore, f32), hi), outHi, at);
    k.store(k.select(gap, k.constant(f32, 0.0), lo), outLo, at);
  }

  Chunks &c;
  KernelCode &k;
  const ChunkKeys &keys;
  const int64_t topk, fraction;
  Type i32, i64, f32, f64;
  Scalar lane, none;
  Pointer bits;         ///< of the orders, as words
  Pointer earlier;      ///< the warp's [sliceSums], for a slice after the first
  Pointer masks;        ///< the lane's [maskWords]
  Pointer outHi, outLo; ///< by time; at chunkSize the left threshold
  Pointer outKappa;     ///< by time: its rank
  Solved ends;          ///< the thresholds at the chunk's; registers are few
  const int64_t warps;
  Scalar slices;              ///< as many words of masks are used
  Scalar leftRank, rightRank; ///< of kappa at both ends
};

} // namespace

void solveChunkQueries(Chunks &chunks, KernelCode &k, const ChunkKeys &keys, unsigned hi, unsigned lo,
                       unsigned kappa) {
  ChunkQueries queries(chunks, k, keys);
  queries.solve();
  queries.writeResults(hi, lo, kappa);
}

} // namespace heddle::gpu::chunked
