#include "compiler/conversion/SparseKToGPU/ExactSum.h"

#include <algorithm>
#include <limits>

namespace heddle::gpu::attention {

constexpr int64_t termBits = 48, wordBits = 24, header = 256;

ExactSums::ExactSums(StepBuilder &builder, llvm::StringRef name, int64_t elements, mlir::Type type)
    : elements(elements), type(type) {
  constexpr int64_t threads = 256;
  const int64_t words = (header + elements * 20 + 3) / 4;
  memory = builder.reserve(words * 4);
  builder.kernel(name, std::min<int64_t>((words + threads - 1) / threads, 4096), threads, {memory},
                 [&](KernelCode &k) {
                   Pointer all = k.pointer(0, k.i32Type());
                   auto wide = [&](Scalar x) { return k.cast(x, k.i64Type()); };
                   k.loop(wide(k.block()) * threads + wide(k.thread()), k.i64(words),
                          wide(k.blocks()) * threads, [&](Scalar i) { k.store(k.i32(0), all, i); });
                 });
}

ExactSums::Code::Code(KernelCode &k, const ExactSums &sums, unsigned number) : k(k), sums(sums) {
  top = k.pointer(number, k.i32Type());
  Pointer bytes = k.pointer(number, k.b.getI8Type());
  words = k.as(k.offset(bytes, k.i64(header)), k.i64Type());
  broken = k.as(k.offset(bytes, k.i64(header + 16 * sums.elements)), k.i32Type());
}

Scalar ExactSums::Code::exponent(Scalar term) {
  if (sums.type.isF32())
    return (k.bitcast(term, k.i32Type()) >> 23) & 255;
  return k.cast(k.bitcast(term, k.i64Type()) >> 52, k.i32Type()) & 2047;
}

void ExactSums::Code::observe(Scalar term) {
  Scalar here = exponent(term);
  here = k.select(here == (sums.type.isF32() ? 255 : 2047), k.i32(0), here);
  Scalar largest = k.blockReduce(here, [&](Scalar x, Scalar y) { return k.max(x, y); });
  k.when(k.both(k.thread() == 0, largest > 0), [&] { k.atomicMin(-largest, top, k.i32(0)); });
}

/// Terms are below 2^(largest + 1 - bias): times this they are below 2^termBits.
Scalar ExactSums::Code::scale(bool inverse) {
  const int64_t bias = sums.type.isF32() ? 127 : 1023;
  Scalar largest = -k.load(top, k.i32(0));
  Scalar power = k.min(k.i32(termBits - 1 + bias) - largest, k.i32(1000));
  Scalar biased = k.i32(1023) + (inverse ? -power : power);
  return k.bitcast(k.cast(biased, k.i64Type()) << 52, k.b.getF64Type());
}

void ExactSums::Code::add(Scalar term, Scalar at) {
  Scalar finite = exponent(term) != (sums.type.isF32() ? 255 : 2047);
  k.when(
      finite,
      [&] {
        Scalar units = k.cast(k.cast(term, k.b.getF64Type()) * scale(false), k.i64Type());
        Scalar low = units & ((int64_t(1) << wordBits) - 1), high = (units - low) / (int64_t(1) << wordBits);
        k.when(units != 0, [&] {
          k.atomicAdd(low, words, at * 2);
          k.atomicAdd(high, words, at * 2 + 1);
        });
      },
      [&] { k.store(k.i32(1), broken, at); });
}

Scalar ExactSums::Code::value(Scalar at) {
  mlir::Type f64 = k.b.getF64Type();
  Scalar low = k.cast(k.load(words, at * 2), f64), high = k.cast(k.load(words, at * 2 + 1), f64);
  Scalar sum = (high * double(int64_t(1) << wordBits) + low) * scale(true);
  return k.select(k.load(broken, at) != 0, k.constant(f64, std::numeric_limits<double>::quiet_NaN()), sum);
}

} // namespace heddle::gpu::attention
