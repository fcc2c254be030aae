// Runs a generated product on buffers that end at an unreadable page, and a plain reference beside it.
#pragma once

#include "tools/bench/matmul-jit.h"
#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace heddle::test {

using namespace heddle::cpu;

/// Memory whose last byte is the last byte before a page that must not be touched.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes) : bytes(bytes) {
    size_t page = sysconf(_SC_PAGESIZE);
    mapped = (bytes + page - 1) / page * page + page;
    base = static_cast<char *>(
        mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base == MAP_FAILED || mprotect(base + mapped - page, page, PROT_NONE) != 0)
      throw std::runtime_error("no memory for a test");
    start = base + mapped - page - bytes;
  }
  ~GuardedBuffer() { munmap(base, mapped); }
  GuardedBuffer(const GuardedBuffer &) = delete;

  char *data() const { return start; }
  size_t size() const { return bytes; }

private:
  size_t bytes, mapped = 0;
  char *base = nullptr, *start = nullptr;
};

inline float widenBf16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

/// Round to nearest, ties to even, by looking at the discarded half.
inline uint16_t narrowBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value))
    return uint16_t(bits >> 16 | 0x40);
  uint32_t dropped = bits & 0xffff, kept = bits >> 16;
  if (dropped > 0x8000 || (dropped == 0x8000 && (kept & 1)))
    ++kept;
  return uint16_t(kept);
}

inline double readElement(const char *data, MatmulElement element, int64_t at) {
  switch (element) {
  case MatmulElement::F64:
    return reinterpret_cast<const double *>(data)[at];
  case MatmulElement::F32: {
    float value;
    std::memcpy(&value, data + 4 * at, 4);
    return value;
  }
  case MatmulElement::BF16: {
    uint16_t bits;
    std::memcpy(&bits, data + 2 * at, 2);
    return widenBf16(bits);
  }
  case MatmulElement::F16: {
    _Float16 value;
    std::memcpy(&value, data + 2 * at, 2);
    return double(float(value));
  }
  }
  return 0;
}

/// Rounds to the element type as a product does: through f32 for the narrow types.
inline void writeElement(char *data, MatmulElement element, int64_t at, double value) {
  switch (element) {
  case MatmulElement::F64:
    std::memcpy(data + 8 * at, &value, 8);
    break;
  case MatmulElement::F32: {
    float f = float(value);
    std::memcpy(data + 4 * at, &f, 4);
    break;
  }
  case MatmulElement::BF16: {
    uint16_t bits = narrowBf16(float(value));
    std::memcpy(data + 2 * at, &bits, 2);
    break;
  }
  case MatmulElement::F16: {
    _Float16 f = _Float16(float(value));
    std::memcpy(data + 2 * at, &f, 2);
    break;
  }
  }
}

/// Half the distance between 1 and the next number.
inline double unitRoundoff(MatmulElement element) {
  switch (element) {
  case MatmulElement::F64:
    return std::ldexp(1.0, -53);
  case MatmulElement::F32:
    return std::ldexp(1.0, -24);
  case MatmulElement::BF16:
    return std::ldexp(1.0, -9);
  case MatmulElement::F16:
    return std::ldexp(1.0, -11);
  }
  return 0;
}

/// The buffers of one product, filled with numbers that a seed determines.
class Problem {
public:
  /// `integers`: small whole numbers, so that every sum is exact in every accumulator.
  Problem(const MatmulSpec &given, bool integers, unsigned seed = 1)
      : spec(given), a(bytes(spec.a, spec.m, spec.k)), b(bytes(spec.b, spec.k, spec.n)),
        c(bytes(spec.c, spec.m, spec.n)) {
    std::mt19937 random(seed);
    auto fill = [&](GuardedBuffer &buffer, MatmulElement element) {
      std::uniform_real_distribution<double> uniform(-1, 1);
      std::uniform_int_distribution<int> whole(-3, 3);
      for (size_t i = 0; i < buffer.size() / matmulElementBytes(element); ++i)
        writeElement(buffer.data(), element, i, integers ? whole(random) : uniform(random));
    };
    fill(a, spec.a.element);
    fill(b, spec.b.element);
    fill(c, spec.c.element);
    original.assign(c.data(), c.data() + c.size());
  }

  void reset() { std::memcpy(c.data(), original.data(), original.size()); }
  std::vector<char> result() const { return {c.data(), c.data() + c.size()}; }

  /// Compares C with the definition in long double. Exact: C must be the correctly rounded sum. Otherwise an
  /// element may be off by (k + 1) u S + v |sum|, u and v the roundoffs of the accumulator and of C and S the
  /// sum of the magnitudes: the bound for any order of summation. Elements of C's buffer between its rows
  /// keep their value. Returns a description of the first wrong element, or "".
  std::string check(bool exact) const {
    std::vector<char> expected = original;
    std::vector<long double> tolerance(original.size() / matmulElementBytes(spec.c.element), 0);
    bool wide = spec.a.element == MatmulElement::F64;
    double u = unitRoundoff(wide ? MatmulElement::F64 : MatmulElement::F32), v = unitRoundoff(spec.c.element);
    for (int64_t batch = 0; batch < spec.batch; ++batch)
      for (int64_t i = 0; i < spec.m; ++i)
        for (int64_t j = 0; j < spec.n; ++j) {
          int64_t at = offset(spec.c, batch, i, j);
          long double sum = spec.accumulate ? readElement(original.data(), spec.c.element, at) : 0;
          long double magnitude = std::abs(sum);
          for (int64_t k = 0; k < spec.k; ++k) {
            long double product =
                static_cast<long double>(readElement(a.data(), spec.a.element, offset(spec.a, batch, i, k))) *
                readElement(b.data(), spec.b.element, offset(spec.b, batch, k, j));
            sum += product;
            magnitude += std::abs(product);
          }
          writeElement(expected.data(), spec.c.element, at, double(sum));
          tolerance[at] = (spec.k + 1) * u * magnitude + 2 * v * std::abs(sum) + (v > 1e-4 ? 1e-7L : 0);
        }
    for (size_t at = 0; at < tolerance.size(); ++at) {
      double got = readElement(c.data(), spec.c.element, at);
      double want = readElement(expected.data(), spec.c.element, at);
      long double allowed = exact ? 0 : tolerance[at];
      if (!(std::abs(got - want) <= allowed))
        return "element " + std::to_string(at) + " of C's buffer is " + std::to_string(got) + ", not " +
               std::to_string(want) + " within " + std::to_string(double(allowed));
    }
    return "";
  }

  const MatmulSpec spec;
  GuardedBuffer a, b, c;

private:
  static int64_t offset(const MatmulOperand &op, int64_t batch, int64_t row, int64_t column) {
    return batch * op.batchStride + row * op.rowStride + column * op.columnStride;
  }
  size_t bytes(const MatmulOperand &op, int64_t rows, int64_t columns) const {
    if (spec.batch == 0 || rows == 0 || columns == 0)
      return 0;
    return (offset(op, spec.batch - 1, rows - 1, columns - 1) + 1) * matmulElementBytes(op.element);
  }

  std::vector<char> original;
};

} // namespace heddle::test
