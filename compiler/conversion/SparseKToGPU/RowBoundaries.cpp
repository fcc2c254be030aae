// The thresholds between chunks of rows whose scores fit in shared memory. A block has a row's sorted chunks
// there, 4 bytes a score, and solves the thresholds at some chunks' ends, a warp each. What the general
// kernel (ThresholdSolve.h) loads by lanes that each touch another sector comes from 32 banks here: chunks
// stand an odd number of words apart, so that equal places of different ones are in different banks.
//
// Only scores are compared: where several candidates have kappa's score, the earlier ones rank higher, and
// lists are in the order of time.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/ChunkedThresholds.h"
#include "compiler/conversion/SparseKToGPU/Order.h"

#include <cfloat>

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

constexpr int64_t listWords = chunkSize + 1;
constexpr int32_t leastBits = std::numeric_limits<int32_t>::min(),
                  mostBits = std::numeric_limits<int32_t>::max();
constexpr int64_t singleKeys = chunkSize / warpSize;

/// Where a row is.
struct RowMemory {
  Pointer scores;        ///< shared: ordered bits, list by list
  Scalar firstList;      ///< of these
  Pointer gathered;      ///< shared: the warp's, a word for each lane
  Pointer keys, sums, u; ///< global
};

/// One threshold, by a warp. A place is the number of a list's keys that are below something.
class Boundary {
public:
  Boundary(Chunks &c, KernelCode &k, const RowMemory &memory, const PrefixExtent &extent)
      : c(c), k(k), memory(memory), extent(extent), topk(c.s.topk), fraction(c.geometry.fraction), i32(c.i32),
        i64(c.i64), f64(c.f64), lane(k.lane()), hasSingles(extent.stop != extent.whole) {
    Scalar start = extent.start / chunkSize, stop = extent.whole / chunkSize;
    for (int64_t first = 0; first < c.chunks; first += warpSize) {
      Scalar list = start + (lane + first), exists = list < stop;
      list = k.select(exists, list, memory.firstList);
      parts.push_back({exists, list, (list - memory.firstList) * listWords,
                       k.select(exists, k.max(extent.start - list * chunkSize, k.i32(0)), k.i32(chunkSize))});
    }
    for (int64_t i = 0; i < singleKeys; ++i)
      singles.push_back(k.choose(
          isSingle(i), [&] { return Scalars{bitsOf(singleKey(i))}; },
          [&] { return Scalars{k.i32(leastBits)}; })[0]);
  }

  /// Also stores the places that the chunks on both sides need, from number `first` on.
  PrefixThreshold solve(Pointer places, Scalar first) {
    Kappa kappa = findKappa();
    Scalar top = scoreOf(kappa.bits), next = scoreOf(kappa.next), gap = top - next >= 1.0;
    Scalar x = newton(top, kappa.places, !gap);
    Scalar offset = k.min(k.max(x, number(-1.0)), number(-DBL_MIN));
    PrefixThreshold t{kappa.order, k.select(gap, next, top), k.select(gap, number(0.0), offset), next};
    storePlaces(t, kappa, places, first);
    return t;
  }

private:
  struct Part {
    Scalar exists, list, base,
        begin; ///< base: in shared memory; begin: of the sequence, the chunk's size if none
  };
  struct Kappa {
    Scalar order, bits, next; ///< next: bits of the candidate below
    Scalars places;           ///< of the first key that has kappa's score
  };

  Scalar number(double x) { return k.constant(f64, x); }
  Scalar scoreOf(Scalar bits) { return k.cast(fromOrderedBits(k, bits), f64); }
  Scalar singleKey(int64_t i) { return extent.whole + lane + i * warpSize; }
  Scalar isSingle(int64_t i) {
    Scalar key = singleKey(i);
    return (key >= extent.start) & (key < extent.stop);
  }
  Scalar bitsOf(Scalar key) {
    return orderedBits(k, clampScore(k, k.load(memory.u, extent.row * c.rows.n + k.cast(key, i64))));
  }
  Scalar at(size_t part, Scalar place) { return k.load(memory.scores, parts[part].base + place); }
  Scalar count(Scalar truth) { return k.cast(truth, i32); }
  Scalar sum(Scalar x) {
    return k.warpReduce(x, [](Scalar a, Scalar b) { return a + b; });
  }
  Scalar sumUpTo(Scalar x) {
    return k.warpInclusiveScan(x, [](Scalar a, Scalar b) { return a + b; });
  }
  /// For how many lanes something holds, and how many of them are before this one.
  struct Held {
    Scalar all, before;
  };
  Held held(Scalar holds) {
    Scalar mask = k.ballot(holds);
    return {k.countOnes(mask), k.countOnes(mask & ((k.i32(1) << lane) - 1))};
  }

  /// In each of the ranges, of the parts again and again, the first place that is not below `bits`.
  Scalars firstNotBelow(ArrayRef<SearchRange> ranges, llvm::function_ref<Scalar(size_t)> bits) {
    return firstWhereTogether(k, ranges,
                              [&](size_t i, Scalar place) { return at(i % parts.size(), place) >= bits(i); });
  }

  /// Sums over the single keys, where there are any.
  Scalars ofSingles(size_t values, Type type, llvm::function_ref<Scalars(Scalar bits)> body) {
    auto none = [&] { return Scalars(values, k.constant(type, 0.0)); };
    return k.choose(
        hasSingles,
        [&] {
          Scalars sums = none();
          for (Scalar bits : singles)
            for (auto [sum, own] : llvm::zip(sums, body(bits)))
              sum = sum + own;
          return sums;
        },
        none);
  }

  //===------------------------------------------------------------------===//
  // kappa
  //===------------------------------------------------------------------===//

  /// Bits in [low, high); the places of both in the parts, and how many candidates are not below.
  struct Range {
    Scalar low, high, aboveLow, aboveHigh;
    Scalars begins, ends;

    Scalars values() const {
      Scalars all{low, high, aboveLow, aboveHigh};
      all.append(begins);
      all.append(ends);
      return all;
    }
    static Range of(ArrayRef<Scalar> v) {
      const size_t parts = (v.size() - 4) / 2;
      return {v[0], v[1], v[2], v[3], Scalars(v.slice(4, parts)), Scalars(v.drop_front(4 + parts))};
    }
  };

  Kappa findKappa() {
    Range start{k.i32(leastBits), k.i32(mostBits), extent.stop - extent.start, k.i32(0), {}, {}};
    for (const Part &part : parts) {
      start.begins.push_back(part.begin);
      start.ends.push_back(k.i32(chunkSize));
    }
    Scalars init = start.values();
    init.push_back(k.i32(0));
    Scalars end = k.repeat(
        init,
        [&](ArrayRef<Scalar> v) { return (v[2] - v[3] > warpSize) & k.unsignedLess(k.i32(1), v[1] - v[0]); },
        [&](ArrayRef<Scalar> v) {
          Scalars next = narrowed(Range::of(v.drop_back()), v.back()).values();
          next.push_back(v.back() + 1);
          return next;
        });
    Range range = Range::of(ArrayRef<Scalar>(end).drop_back());
    Scalars found = k.choose(
        range.aboveLow - range.aboveHigh <= warpSize, [&] { return amongFew(range); },
        [&] { return amongEqual(range); });
    Scalar bits = k.cast(found[0] >> 32, i32);
    SmallVector<SearchRange> ranges;
    for (auto [begin, end] : llvm::zip(range.begins, range.ends))
      ranges.push_back({begin, end});
    return {found[0], bits, found[1], firstNotBelow(ranges, [&](size_t) { return bits; })};
  }

  /// Tries two scores at once.
  Range narrowed(const Range &r, Scalar round) {
    Scalar isGuess = round % 3 == 0, isMiddle = round % 3 == 2;
    Scalars guess = k.choose(
        isMiddle,
        [&] {
          // The range as a whole may have 2^32 - 1 numbers.
          Scalar half = (r.high - r.low) >> 1;
          return Scalars{r.low + (half >> 1), r.low + half};
        },
        [&] { return guessed(r, isGuess); });
    Scalar first = k.max(k.min(k.min(guess[0], guess[1]), r.high - 1), r.low + 1),
           second = k.max(k.min(k.max(guess[0], guess[1]), r.high - 1), first);
    SmallVector<SearchRange> ranges;
    for (int64_t i = 0; i < 2; ++i)
      for (size_t part = 0; part < parts.size(); ++part)
        ranges.push_back({r.begins[part], r.ends[part]});
    Scalars places = firstNotBelow(ranges, [&](size_t i) { return i < parts.size() ? first : second; });
    Scalar above[2] = {k.i32(0), k.i32(0)};
    for (size_t i = 0; i < places.size(); ++i)
      above[i / parts.size()] = above[i / parts.size()] + (chunkSize - places[i]);
    Scalars more =
        ofSingles(2, i32, [&](Scalar bits) { return Scalars{count(bits >= first), count(bits >= second)}; });
    for (size_t i = 0; i < 2; ++i)
      above[i] = warpSum(k, above[i] + more[i]);
    Scalar firstIsLow = above[0] >= topk, secondIsLow = above[1] >= topk;
    Range next{k.select(secondIsLow, second, k.select(firstIsLow, first, r.low)),
               k.select(secondIsLow, r.high, k.select(firstIsLow, second, first)),
               k.select(secondIsLow, above[1], k.select(firstIsLow, above[0], r.aboveLow)),
               k.select(secondIsLow, r.aboveHigh, k.select(firstIsLow, above[1], above[0])),
               {},
               {}};
    for (size_t i = 0; i < parts.size(); ++i) {
      Scalar low = places[i], high = places[parts.size() + i];
      next.begins.push_back(k.select(secondIsLow, high, k.select(firstIsLow, low, r.begins[i])));
      next.ends.push_back(k.select(secondIsLow, r.ends[i], k.select(firstIsLow, high, low)));
    }
    return next;
  }

  /// Where the rank suggests: what the lists have there on the whole, less and more about its error; or, in a
  /// turn for lists that have little in common, there and at the middle in the longest one.
  Scalars guessed(const Range &r, Scalar isMean) {
    Type f32 = c.f32;
    Scalar missing = k.cast(topk - r.aboveHigh, f32) - 0.5;
    Scalar share = 1.0 - missing / k.cast(r.aboveLow - r.aboveHigh, f32);
    Scalar longest = k.i32(0), weight = k.constant(f32, 0.0), distances = weight, squares = weight;
    Scalar longGuess = r.low, longMiddle = r.low;
    for (size_t i = 0; i < parts.size(); ++i) {
      Scalar length = r.ends[i] - r.begins[i], some = length > 0;
      Scalar place = k.min(k.cast(k.cast(length, f32) * share, i32), k.max(length - 1, k.i32(0)));
      Scalar here = at(i, r.begins[i] + place), middle = at(i, r.begins[i] + (length >> 1));
      Scalar own = k.cast(length, f32), distance = k.cast((here - r.low) >> 1, f32);
      weight = weight + own;
      distances = distances + k.select(some, own * distance, k.constant(f32, 0.0));
      squares = squares + k.select(some, own * distance * distance, k.constant(f32, 0.0));
      Scalar isLonger = length > longest;
      longest = k.max(longest, length);
      longGuess = k.select(isLonger, here, longGuess);
      longMiddle = k.select(isLonger, middle, longMiddle);
    }
    return k.choose(
        isMean,
        [&] {
          Scalar total = k.max(sum(weight), k.constant(f32, 1.0)), mean = sum(distances) / total;
          Scalar variance = k.max(sum(squares) / total - mean * mean, k.constant(f32, 0.0));
          Scalar present = k.cast(warpSum(k, count(longest > 0)), f32);
          Scalar error = 2.0 * k.sqrt(variance / k.max(present, k.constant(f32, 1.0)));
          constexpr double far = 2147483520; // the last f32 below 2^31
          auto bits = [&](Scalar x) {
            Scalar inside = k.max(k.min(x, k.constant(f32, far)), k.constant(f32, 0.0));
            return r.low + (k.cast(inside, i32) << 1);
          };
          return Scalars{bits(mean - error), bits(mean + error) + 1};
        },
        [&] {
          Scalar chosen = warpLargest(k, (longest << 5) | lane) & (warpSize - 1);
          return Scalars{k.shuffleFrom(longGuess, chosen), k.shuffleFrom(longMiddle, chosen)};
        });
  }

  /// Of at most 32 candidates in the range each lane takes one, in the order of lists and places.
  Scalars amongFew(const Range &r) {
    Scalar own = k.i32(0);
    for (size_t i = 0; i < parts.size(); ++i)
      own = own + (r.ends[i] - r.begins[i]);
    Scalar target = sumUpTo(own) - own;
    for (size_t i = 0; i < parts.size(); ++i) {
      Scalar from = target - r.begins[i];
      k.loop(r.begins[i], r.ends[i], k.i32(1), [&](Scalar place) {
        k.store(parts[i].list * chunkSize + place, memory.gathered, from + place);
      });
      target = target + (r.ends[i] - r.begins[i]);
    }
    Scalar listed = warpSum(k, own), total = r.aboveLow - r.aboveHigh;
    k.when(hasSingles, [&] {
      // As their inverted keys.
      Scalar before = listed;
      for (int64_t i = 0; i < singleKeys; ++i) {
        Scalar bits = singles[size_t(i)], fits = isSingle(i) & (bits >= r.low) & (bits < r.high);
        Held fitting = held(fits);
        k.when(fits, [&] { k.store(singleKey(i) ^ k.i32(-1), memory.gathered, before + fitting.before); });
        before = before + fitting.all;
      }
    });
    k.warpBarrier();
    Scalar order = k.choose(
        lane < total,
        [&] {
          Scalar place = k.load(memory.gathered, lane);
          return k.choose(
              place >= 0, [&] { return Scalars{orderOf(place)}; },
              [&] {
                Scalar key = place ^ k.i32(-1);
                return Scalars{(k.cast(bitsOf(key), i64) << 32) | k.extendUnsigned(place, i64)};
              });
        },
        [&] { return Scalars{k.i64(least)}; })[0];
    k.warpBarrier(); // before the memory is used again
    Scalar above = k.loop(k.i32(0), total, k.i32(1), {k.i32(0)}, [&](Scalar other, ArrayRef<Scalar> v) {
      return Scalars{v[0] + count(k.shuffleFrom(order, other) > order)};
    })[0];
    Scalar rank = topk - r.aboveHigh - 1;
    auto ranked = [&](Scalar number) {
      return k.shuffleFrom(order, k.trailingZeros(k.ballot((lane < total) & (above == number))) & 31);
    };
    Scalar kappa = ranked(rank), isLast = rank + 1 == total;
    Scalar next = k.choose(
        isLast, [&] { return Scalars{highestBelow(r)}; },
        [&] { return Scalars{k.cast(ranked(rank + 1) >> 32, i32)}; })[0];
    return {kappa, next};
  }

  /// All candidates in the range have the score `low`: the earliest ones are above kappa.
  Scalars amongEqual(const Range &r) {
    Scalar rank = topk - r.aboveHigh, before = k.i32(0), order = k.i64(most);
    for (size_t i = 0; i < parts.size(); ++i) {
      Scalar own = r.ends[i] - r.begins[i], upTo = before + sumUpTo(own);
      order = k.choose(
          (rank <= upTo) & (rank > upTo - own),
          // Later keys come first in a list.
          [&] { return Scalars{orderOf(parts[i].list * chunkSize + (r.ends[i] - (rank - (upTo - own))))}; },
          [&] { return Scalars{order}; })[0];
      before = k.shuffleFrom(upTo, k.i32(warpSize - 1));
    }
    order = k.choose(
        hasSingles,
        [&] {
          Scalar found = order, passed = before;
          for (int64_t i = 0; i < singleKeys; ++i) {
            Scalar fits = isSingle(i) & (singles[size_t(i)] == r.low);
            Held fitting = held(fits);
            Scalar own = (k.cast(r.low, i64) << 32) | k.extendUnsigned(singleKey(i) ^ k.i32(-1), i64);
            found = k.select(fits & (passed + fitting.before + 1 == rank), own, found);
            passed = passed + fitting.all;
          }
          return Scalars{found};
        },
        [&] { return Scalars{order}; })[0];
    order = k.warpReduce(order, [&](Scalar a, Scalar b) { return k.min(a, b); });
    Scalar isLast = rank == r.aboveLow - r.aboveHigh;
    return {order,
            k.choose(isLast, [&] { return Scalars{highestBelow(r)}; }, [&] { return Scalars{r.low}; })[0]};
  }

  /// The order of a key by its chunk and place.
  Scalar orderOf(Scalar place) {
    return k.load(memory.keys, extent.row * c.geometry.stride() + k.cast(place, i64));
  }

  /// The highest one below the range.
  Scalar highestBelow(const Range &r) {
    Scalar highest = k.i32(leastBits);
    for (size_t i = 0; i < parts.size(); ++i) {
      Scalar some = r.begins[i] > parts[i].begin;
      Scalar before = at(i, k.select(some, r.begins[i] - 1, k.i32(0)));
      highest = k.select(some, k.max(highest, before), highest);
    }
    for (Scalar bits : singles)
      highest = k.select(bits < r.low, k.max(highest, bits), highest);
    return warpLargest(k, highest);
  }

  //===------------------------------------------------------------------===//
  // tau
  //===------------------------------------------------------------------===//

  /// tau - top, by Newton's method; the parts' keys from `places` on are not below kappa.
  Scalar newton(Scalar top, ArrayRef<Scalar> places, Scalar runs) {
    const size_t count = parts.size();
    Scalars init{k.i32(0), number(-1.0), number(0.0), number(-0.5), runs};
    for (size_t i = 0; i < count; ++i)
      init.append({parts[i].begin, places[i]});
    for (size_t i = 0; i < count; ++i)
      init.append({places[i], k.i32(chunkSize)});
    Scalar topFixed = fixedPoint(k, k.cast(top, c.f32), fraction);
    return k.repeat(
        init, [](ArrayRef<Scalar> s) { return s[4]; },
        [&](ArrayRef<Scalar> s) {
          Scalar x = s[3], alive = bitsFrom(k, top, x), full = bitsFrom(k, top, x + 1.0, true);
          SmallVector<SearchRange> here;
          for (size_t i = 0; i < 2 * count; ++i)
            here.push_back({s[5 + 2 * i], s[6 + 2 * i]});
          Scalars found = firstNotBelow(here, [&](size_t i) { return i < count ? alive : full; });
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
        })[3];
  }

  void storePlaces(const PrefixThreshold &t, const Kappa &kappa, Pointer to, Scalar first) {
    const size_t count = parts.size();
    Scalar bounds[5];
    for (int64_t i = 0; i < 4; ++i)
      bounds[i] = bitsFrom(
          k, t.base, t.offset + ((i & 1) == 0 ? -thresholdSlack : thresholdSlack) + (i < 2 ? 0.0 : 1.0));
    bounds[4] = kappa.bits + 1;
    SmallVector<SearchRange> ranges;
    for (size_t i = 0; i < 5; ++i)
      for (size_t part = 0; part < count; ++part)
        ranges.push_back({i < 4 ? parts[part].begin : kappa.places[part], k.i32(chunkSize)});
    Scalars found = firstNotBelow(ranges, [&](size_t i) { return bounds[i / count]; });
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

  Chunks &c;
  KernelCode &k;
  const RowMemory &memory;
  const PrefixExtent extent;
  const int64_t topk, fraction;
  Type i32, i64, f64;
  Scalar lane, hasSingles;
  SmallVector<Part, 4> parts;
  SmallVector<Scalar, 8> singles; ///< their bits; the least ones where there is none
};

} // namespace

void Chunks::emitRowBoundaries() {
  // Enough blocks for the multiprocessors of a large GPU; each loads what the last one of its prefixes needs.
  constexpr int64_t wantedBlocks = 132, mostOfBlock = 32;
  const int64_t ofBlock =
      std::clamp<int64_t>((rows.rows * chunks + wantedBlocks - 1) / wantedBlocks, 4, mostOfBlock);
  const int64_t ranges = (chunks + ofBlock - 1) / ofBlock, warps = std::clamp<int64_t>(ofBlock, 8, 16);
  steps.kernel(
      "boundaries", rows.rows * ranges, warps * warpSize,
      {s.u, s.bounds, lists.keys, lists.sums, kappa, base, offset, places}, [&](KernelCode &k) {
        Pointer scores = k.shared(chunks * listWords, i32), gathered = k.shared(warps * warpSize, i32);
        Scalar row = k.cast(k.block() % rows.rows, i64);
        // The longest prefixes first.
        Scalar first = ((ranges - 1) - k.block() / rows.rows) * ofBlock,
               count = k.min(chunks - first, k.i32(ofBlock));
        Scalar firstList = pieceOf(k, k.pointer(1, i32), first * chunkSize).start / chunkSize;
        // The upper half of an order is the score.
        Scalar from = (row * geometry.stride() + k.cast(firstList * chunkSize, i64)) * 2 + 1;
        k.loop(k.thread(), (first + count - firstList) * chunkSize, k.i32(warps * warpSize), [&](Scalar i) {
          copyInBackground(k, scores, i + i / chunkSize, k.pointer(2, i32), from + k.cast(i, i64) * 2, 4);
        });
        commitCopies(k);
        waitForCopies(k, 0);
        k.barrier();
        RowMemory memory{scores,
                         firstList,
                         k.offset(gathered, k.warp() * warpSize),
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
            PrefixThreshold t = Boundary(*this, k, memory, {row, piece.start, whole, stop})
                                    .solve(k.pointer(7, i64), k.cast(at, i64) * geometry.mostLists);
            k.when(k.lane() == 0, [&] { solved(k, 4).store(k, t, at); });
          });
        });
      });
}

} // namespace heddle::gpu::chunked
