// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Stable sorting of lines of a tensor, called by generated code. An element and its position make one
// unsigned number; these are all different, so that any way of sorting or selecting them is stable.

#include "cpu/elements.h"

#include <heddle/cpu_sort.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

/// Keys ascend in the order wanted; NaN is last in both directions, and -0 equals 0.
template <typename T>
auto keyOf(T x, bool descending) {
  using Key = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  constexpr Key sign = Key(1) << (sizeof(Key) * 8 - 1);
  Key key;
  if constexpr (std::is_floating_point_v<T>) {
    if (x != x)
      return std::numeric_limits<Key>::max();
    const Key bits = std::bit_cast<Key>(x + T(0));
    key = bits & sign ? ~bits : bits | sign;
  } else {
    key = static_cast<Key>(x) ^ sign;
  }
  return descending ? ~key : key;
}

/// The key above the position.
template <typename Key>
using Entry = std::conditional_t<sizeof(Key) == 8, unsigned __int128, uint64_t>;

/// By the upper half of entries whose lower halves ascend, in stable passes. One that would move nothing is
/// skipped.
template <int passes, int digitBits>
void radixPasses(std::vector<uint64_t> &entries, std::vector<uint64_t> &spare) {
  constexpr uint32_t digits = 1u << digitBits;
  auto digit = [](uint64_t entry, int pass) { return (entry >> (32 + pass * digitBits)) % digits; };
  uint32_t starts[passes][digits] = {};
  for (uint64_t entry : entries)
    for (int pass = 0; pass < passes; ++pass)
      ++starts[pass][digit(entry, pass)];
  spare.resize(entries.size());
  for (int pass = 0; pass < passes; ++pass) {
    if (starts[pass][digit(entries[0], pass)] == entries.size())
      continue;
    uint32_t sum = 0;
    for (uint32_t &start : starts[pass])
      sum += std::exchange(start, sum);
    for (uint64_t entry : entries)
      spare[starts[pass][digit(entry, pass)]++] = entry;
    entries.swap(spare);
  }
}

/// The first `limit` positions of lines in order; keeps its buffers from line to line.
template <typename E>
class Sorter {
public:
  Sorter(int64_t n, int64_t limit)
      : n(static_cast<size_t>(n)), limit(static_cast<size_t>(limit)),
        // Sorting by digits costs about as much as selecting an eighth.
        all(limit == n || (byDigits() && limit > n / 8)),
        // Room for as many again before the worse half goes, and to make that seldom.
        room(all ? this->n : std::min(std::max(2 * this->limit, size_t(32)), this->n)) {}

  /// entryOf(i) is element i above i.
  template <typename EntryOf>
  const std::vector<E> &run(const EntryOf &entryOf) {
    entries.clear();
    size_t i = 0;
    for (; i < room; ++i)
      entries.push_back(entryOf(i));
    if (all) {
      sortAll();
      return entries;
    }
    keepFirst();
    for (E worst = entries.back(); i < n; ++i) {
      const E entry = entryOf(i);
      if (entry >= worst)
        continue;
      entries.push_back(entry);
      if (entries.size() == room) {
        keepFirst();
        worst = entries.back();
      }
    }
    keepFirst();
    std::sort(entries.begin(), entries.end());
    return entries;
  }

private:
  /// The last of those kept stands at the end.
  void keepFirst() {
    if (entries.size() <= limit)
      return;
    std::nth_element(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(limit - 1), entries.end());
    entries.resize(limit);
  }

  bool byDigits() const { return sizeof(E) == 8 && n >= 64; }

  void sortAll() {
    if constexpr (sizeof(E) == 8)
      if (byDigits()) // clearing and summing the counts of wide digits costs more than short lines
        return n < 2048 ? radixPasses<4, 8>(entries, spare) : radixPasses<3, 11>(entries, spare);
    std::sort(entries.begin(), entries.end());
  }

  size_t n, limit;
  bool all;
  size_t room;
  std::vector<E> entries, spare;
};

/// The lines of a tensor that are to be sorted.
struct Lines {
  int64_t begin, end, n, limit, inner;
  bool descending;
};

/// Line l runs along the axis from element (l / inner) * n * inner + l % inner.
template <typename Load>
void sortLines(const Lines &lines, Load load, int32_t *out) {
  using Key = decltype(keyOf(load(0), false));
  using E = Entry<Key>;
  const int64_t n = lines.n, limit = lines.limit, inner = lines.inner;
  if (limit == 0)
    return;
  Sorter<E> sorter(n, limit);
  for (int64_t line = lines.begin; line < lines.end; ++line) {
    const int64_t outer = line / inner, start = outer * n * inner + line % inner;
    const std::vector<E> &order = sorter.run([&](size_t i) {
      const Key key = keyOf(load(start + static_cast<int64_t>(i) * inner), lines.descending);
      return E(key) << (sizeof(Key) * 8) | i;
    });
    int32_t *to = out + outer * limit * inner + line % inner;
    for (int64_t i = 0; i < limit; ++i)
      to[i * inner] = static_cast<int32_t>(order[static_cast<size_t>(i)]);
  }
}

template <typename T>
void sortPlain(const Lines &lines, const void *x, int32_t *out) {
  const T *values = static_cast<const T *>(x);
  sortLines(lines, [=](int64_t i) { return values[i]; }, out);
}

void sortAny(const Lines &lines, int32_t dtype, const void *x, int32_t *out) {
  switch (dtype) {
  case HEDDLE_F64:
    return sortPlain<double>(lines, x, out);
  case HEDDLE_F32:
    return sortPlain<float>(lines, x, out);
  case HEDDLE_BF16:
  case HEDDLE_F16: {
    const uint16_t *bits = static_cast<const uint16_t *>(x);
    return sortLines(
        lines, [=](int64_t i) { return heddle::runtime::widenElement(bits[i], dtype == HEDDLE_BF16); }, out);
  }
  case HEDDLE_I64:
    return sortPlain<int64_t>(lines, x, out);
  case HEDDLE_I32:
    return sortPlain<int32_t>(lines, x, out);
  default: {
    const int8_t *values = static_cast<const int8_t *>(x);
    return sortLines(lines, [=](int64_t i) { return int32_t(values[i]); }, out);
  }
  }
}

} // namespace

void heddle_call_argsort(heddle_call_t *call, int32_t dtype, int32_t descending, const void *x, int32_t *out,
                         int64_t begin, int64_t end, int64_t n, int64_t limit, int64_t inner) {
  try {
    sortAny({begin, end, n, limit, inner, descending != 0}, dtype, x, out);
  } catch (const std::bad_alloc &) {
    heddle_fail(call, HEDDLE_OUT_OF_MEMORY, "there is no memory to sort a line of a tensor");
  }
}
