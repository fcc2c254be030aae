// kappa of a prefix: scores are tried, two at once, until a few candidates are left or all have one score.
#include "compiler/conversion/SparseKToGPU/RowPrefix.h"

using namespace mlir;

namespace heddle::gpu::chunked {

RowPrefix::RowPrefix(Chunks &c, KernelCode &k, const RowMemory &memory, const PrefixExtent &extent,
                     int64_t lists)
    : c(c), k(k), memory(memory), extent(extent), topk(c.s.topk), fraction(c.geometry.fraction), i32(c.i32),
      i64(c.i64), f64(c.f64), lane(k.lane()), hasSingles(extent.stop != extent.whole) {
  Scalar start = extent.start / chunkSize, stop = extent.whole / chunkSize;
  for (int64_t first = 0; first < lists; first += warpSize) {
    Scalar list = start + (lane + first), exists = list < stop;
    list = k.select(exists, list, memory.firstList);
    parts.push_back({exists, list, (list - memory.firstList) * listWords,
                     k.select(exists, k.max(extent.start - list * chunkSize, k.i32(0)), k.i32(chunkSize))});
  }
  k.when(hasSingles, [&] {
    Scalars bits;
    for (int64_t i = 0; i < singleKeys; ++i) // without branches, so that their loads wait together
      bits.push_back(k.select(isSingle(i), bitsOf(k.select(isSingle(i), singleKey(i), extent.stop - 1)),
                              k.i32(leastBits)));
    for (int64_t i = 0; i < singleKeys; ++i)
      k.store(bits[size_t(i)], memory.singles, lane + i * warpSize);
  });
}

Scalars RowPrefix::firstNotBelow(ArrayRef<SearchRange> ranges, llvm::function_ref<Scalar(size_t)> bits) {
  return firstWhereTogether(k, ranges,
                            [&](size_t i, Scalar place) { return at(i % parts.size(), place) >= bits(i); });
}

Scalars RowPrefix::ofSingles(size_t values, Type type, llvm::function_ref<Scalars(Scalar bits)> body) {
  auto none = [&] { return Scalars(values, k.constant(type, 0.0)); };
  return k.choose(
      hasSingles,
      [&] {
        Scalars sums = none();
        for (int64_t i = 0; i < singleKeys; ++i)
          for (auto [sum, own] : llvm::zip(sums, body(single(i))))
            sum = sum + own;
        return sums;
      },
      none);
}

namespace {

class KappaSearch : RowPrefix {
public:
  KappaSearch(const RowPrefix &prefix) : RowPrefix(prefix) {}

  RowKappa find() {
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

private:
  using Range = OrderRange; ///< of bits

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
        Scalar bits = single(i), fits = isSingle(i) & (bits >= r.low) & (bits < r.high);
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
            Scalar fits = isSingle(i) & (single(i) == r.low);
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

  /// The highest one below the range.
  Scalar highestBelow(const Range &r) {
    Scalar highest = k.i32(leastBits);
    for (size_t i = 0; i < parts.size(); ++i) {
      Scalar some = r.begins[i] > parts[i].begin;
      Scalar before = at(i, k.select(some, r.begins[i] - 1, k.i32(0)));
      highest = k.select(some, k.max(highest, before), highest);
    }
    highest = k.choose(
        hasSingles,
        [&] {
          Scalar all = highest;
          for (int64_t i = 0; i < singleKeys; ++i) {
            Scalar bits = single(i);
            all = k.select(bits < r.low, k.max(all, bits), all);
          }
          return Scalars{all};
        },
        [&] { return Scalars{highest}; })[0];
    return warpLargest(k, highest);
  }
};

} // namespace

RowKappa findKappa(const RowPrefix &prefix) { return KappaSearch(prefix).find(); }

} // namespace heddle::gpu::chunked
