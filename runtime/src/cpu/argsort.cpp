// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Stable sorting of lines of a tensor, called by generated code.

#include "cpu/elements.h"

#include <heddle/cpu_sort.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <vector>

namespace {

/// Sorts the lines [begin, end); line l runs along the axis from element (l / inner) * n * inner + l % inner.
template <typename T, typename Load>
void sortLines(Load load, int32_t *out, int64_t begin, int64_t end, int64_t n, int64_t inner,
               bool descending) {
  std::vector<T> values(n);
  std::vector<int32_t> order(n);
  for (int64_t line = begin; line < end; ++line) {
    const int64_t start = line / inner * n * inner + line % inner;
    for (int64_t i = 0; i < n; ++i)
      values[i] = load(start + i * inner);
    std::iota(order.begin(), order.end(), 0);
    // NaN comes last in both directions.
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      T x = values[a], y = values[b];
      if (x != x || y != y)
        return x == x;
      return descending ? x > y : x < y;
    });
    for (int64_t i = 0; i < n; ++i)
      out[start + i * inner] = order[i];
  }
}

template <typename T>
void sortPlain(const void *x, int32_t *out, int64_t begin, int64_t end, int64_t n, int64_t inner,
               bool descending) {
  const T *values = static_cast<const T *>(x);
  sortLines<T>([=](int64_t i) { return values[i]; }, out, begin, end, n, inner, descending);
}

} // namespace

static void sortAny(int32_t dtype, int32_t descending, const void *x, int32_t *out, int64_t begin,
                    int64_t end, int64_t n, int64_t inner) {
  switch (dtype) {
  case HEDDLE_F64:
    return sortPlain<double>(x, out, begin, end, n, inner, descending);
  case HEDDLE_F32:
    return sortPlain<float>(x, out, begin, end, n, inner, descending);
  case HEDDLE_BF16:
  case HEDDLE_F16: {
    const uint16_t *bits = static_cast<const uint16_t *>(x);
    return sortLines<float>(
        [=](int64_t i) { return heddle::runtime::widenElement(bits[i], dtype == HEDDLE_BF16); }, out, begin,
        end, n, inner, descending);
  }
  case HEDDLE_I64:
    return sortPlain<int64_t>(x, out, begin, end, n, inner, descending);
  case HEDDLE_I32:
    return sortPlain<int32_t>(x, out, begin, end, n, inner, descending);
  default:
    return sortPlain<int8_t>(x, out, begin, end, n, inner, descending);
  }
}

void heddle_call_argsort(heddle_call_t *call, int32_t dtype, int32_t descending, const void *x, int32_t *out,
                         int64_t begin, int64_t end, int64_t n, int64_t inner) {
  try {
    sortAny(dtype, descending, x, out, begin, end, n, inner);
  } catch (const std::bad_alloc &) {
    heddle_fail(call, HEDDLE_OUT_OF_MEMORY, "there is no memory to sort a line of a tensor");
  }
}
