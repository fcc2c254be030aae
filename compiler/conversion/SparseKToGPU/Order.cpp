#include "compiler/conversion/SparseKToGPU/Order.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <cfloat>
#include <limits>

using namespace mlir;

namespace heddle::gpu {

Scalar clampScore(KernelCode &k, Scalar x) {
  const double big = FLT_MAX;
  Scalar least = k.constant(x.type(), -big), most = k.constant(x.type(), big);
  Scalar inside = k.select(x > most, most, x) + k.constant(x.type(), 0.0);
  return k.select(x >= least, inside, least);
}

static Scalar flipNegative(KernelCode &k, Scalar bits) {
  const bool wide = bits.type().getIntOrFloatBitWidth() == 64;
  Scalar magnitude = literal(bits, wide ? std::numeric_limits<int64_t>::max()
                                        : int64_t(std::numeric_limits<int32_t>::max()));
  return k.select(bits < 0, bits ^ magnitude, bits);
}

Scalar orderedBits(KernelCode &k, Scalar x) {
  const bool wide = x.type().getIntOrFloatBitWidth() == 64;
  return flipNegative(k, k.bitcast(x, wide ? k.i64Type() : k.i32Type()));
}

Scalar fromOrderedBits(KernelCode &k, Scalar bits) {
  const bool wide = bits.type().getIntOrFloatBitWidth() == 64;
  return k.bitcast(flipNegative(k, bits), wide ? k.b.getF64Type() : k.f32Type());
}

Scalar bitsFrom(KernelCode &k, Scalar a, Scalar b, bool orEqual) {
  Scalar sum = a + b, part = sum - a, rest = (a - (sum - part)) + (b - part);
  Scalar near = k.cast(sum, k.f32Type()), distance = k.cast(near, sum.type()) - sum;
  Scalar bits = orderedBits(k, near + k.f32(0.0));
  Scalar enough = orEqual ? distance >= rest : distance > rest;
  return k.select(enough, bits, bits + 1);
}

Scalar recordLess(KernelCode &k, ArrayRef<Scalar> a, ArrayRef<Scalar> b) {
  Scalar less = a.back() < b.back();
  for (size_t i = a.size() - 1; i-- > 0;)
    less = (a[i] < b[i]) | ((a[i] == b[i]) & less);
  return less;
}

Scalar firstWhere(KernelCode &k, Scalar begin, Scalar end, llvm::function_ref<Scalar(Scalar)> holds) {
  return k.repeat(
      {begin, end}, [&](ArrayRef<Scalar> range) { return range[0] < range[1]; },
      [&](ArrayRef<Scalar> range) {
        Scalar middle = range[0] + ((range[1] - range[0]) >> 1);
        Scalar found = holds(middle);
        return Scalars{k.select(found, range[0], middle + 1), k.select(found, middle, range[1])};
      })[0];
}

Scalars firstWhereAll(KernelCode &k, ArrayRef<SearchRange> ranges,
                      llvm::function_ref<Scalar(size_t, Scalar)> load,
                      llvm::function_ref<Scalar(size_t, Scalar)> holds) {
  Scalars init;
  for (const SearchRange &range : ranges)
    init.append({range.begin, range.end});
  Scalars found = k.repeat(
      init,
      [&](ArrayRef<Scalar> s) {
        Scalar any = k.truth(false);
        for (size_t i = 0; i < ranges.size(); ++i)
          any = any | (s[2 * i] < s[2 * i + 1]);
        return any;
      },
      [&](ArrayRef<Scalar> s) {
        Scalars middles, loaded, next;
        for (size_t i = 0; i < ranges.size(); ++i) {
          Scalar begin = s[2 * i], end = s[2 * i + 1];
          middles.push_back(begin + ((end - begin) >> 1));
          Type type;
          auto there = [&] {
            Scalar value = load(i, middles.back());
            type = value.type();
            return Scalars{value};
          };
          loaded.push_back(k.choose(begin < end, there, [&] { return Scalars{k.constant(type, 0.0)}; })[0]);
        }
        for (size_t i = 0; i < ranges.size(); ++i) {
          Scalar begin = s[2 * i], end = s[2 * i + 1], searches = begin < end, here = holds(i, loaded[i]);
          next.push_back(k.select(searches & !here, middles[i] + 1, begin));
          next.push_back(k.select(searches & here, middles[i], end));
        }
        return next;
      });
  Scalars places;
  for (size_t i = 0; i < ranges.size(); ++i)
    places.push_back(found[2 * i]);
  return places;
}

static Scalar reduceWarp(KernelCode &k, Scalar x, NVVM::ReduxKind kind) {
  return k.wrap(NVVM::ReduxOp::create(k.b, k.i32Type(), x.value, kind, k.i32(-1).value));
}
Scalar warpSum(KernelCode &k, Scalar x) { return reduceWarp(k, x, NVVM::ReduxKind::ADD); }
Scalar warpLargest(KernelCode &k, Scalar x) { return reduceWarp(k, x, NVVM::ReduxKind::MAX); }
Scalar warpLeast(KernelCode &k, Scalar x) { return reduceWarp(k, x, NVVM::ReduxKind::MIN); }

Scalars firstWhereTogether(KernelCode &k, ArrayRef<SearchRange> ranges,
                           llvm::function_ref<Scalar(size_t, Scalar)> holds) {
  Scalar longest = k.i32(0);
  Scalars init;
  for (const SearchRange &range : ranges) {
    Scalar length = range.end - range.begin;
    longest = k.max(longest, length);
    init.append({range.begin, length});
  }
  Scalar steps = k.i32(32) - k.leadingZeros(longest);
  Scalars found = k.loop(k.i32(0), steps, k.i32(1), init, [&](Scalar, ArrayRef<Scalar> s) {
    Scalars next;
    for (size_t i = 0; i < ranges.size(); ++i) {
      Scalar begin = s[2 * i], length = s[2 * i + 1], half = length >> 1;
      Scalar goesOn = !holds(i, begin + half) & (length > 0);
      next.push_back(k.select(goesOn, begin + half + 1, begin));
      next.push_back(k.select(goesOn, length - half - 1, half));
    }
    return next;
  });
  Scalars places;
  for (size_t i = 0; i < ranges.size(); ++i)
    places.push_back(found[2 * i]);
  return places;
}

Scalar nthBit(KernelCode &k, Scalar bits, Scalar number) {
  Scalar own = k.i32(1) << k.lane(), below = k.countOnes(bits & (own - 1));
  return k.trailingZeros(k.ballot(((bits & own) != 0) & (below == number)));
}

int64_t powerAbove(int64_t x) {
  int64_t power = 1;
  while (power < x)
    power *= 2;
  return power;
}

BlockScan blockScan(KernelCode &k, Scalar x) { return blockScans(k, x).front(); }

SmallVector<BlockScan, 4> blockScans(KernelCode &k, ArrayRef<Scalar> x) {
  auto add = [](Scalar a, Scalar b) { return a + b; };
  const int64_t warps = k.blockThreads / warpSize, used = k.sharedBytes();
  Scalars upTo;
  for (Scalar own : x)
    upTo.push_back(k.warpInclusiveScan(own, add));
  SmallVector<BlockScan, 4> scans;
  if (warps == 1) {
    for (size_t i = 0; i < x.size(); ++i)
      scans.push_back({upTo[i] - x[i], k.shuffleFrom(upTo[i], k.i32(warpSize - 1))});
    return scans;
  }
  SmallVector<Pointer, 4> sums;
  for (Scalar own : x)
    sums.push_back(k.shared(warps, own.type()));
  k.when(k.lane() == warpSize - 1, [&] {
    for (size_t i = 0; i < x.size(); ++i)
      k.store(upTo[i], sums[i], k.warp());
  });
  k.barrier();
  Scalar here = k.warp();
  for (size_t i = 0; i < x.size(); ++i) {
    Scalar before = k.constant(x[i].type(), 0.0), all = before;
    for (int64_t warp = 0; warp < warps; ++warp) {
      Scalar sum = k.load(sums[i], k.i32(warp));
      before = k.select(here > warp, before + sum, before);
      all = all + sum;
    }
    scans.push_back({before + (upTo[i] - x[i]), all});
  }
  k.barrier(); // before the memory is used again
  k.releaseShared(used);
  return scans;
}

} // namespace heddle::gpu
