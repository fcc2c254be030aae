/* Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
 *
 * Sorting on the CPU: the support kernel that generated code calls for heddle.argsort. */
#ifndef HEDDLE_CPU_SORT_H
#define HEDDLE_CPU_SORT_H

#include <heddle/runtime.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* Sorts the lines [begin, end) of x along one axis of n elements, `inner` elements apart: line l starts at
 * element (l / inner) * n * inner + l % inner. out, in which lines have `limit` elements, gets the first
 * `limit` of the numbers 0..n-1 in the order of the elements: upward, or downward with `descending`; equal
 * elements keep their order and NaN comes last. dtype is a heddle_dtype_t, 0 <= limit <= n <= INT32_MAX. A
 * line takes O(n + limit log limit) time on average. Fails into `call` where scratch memory cannot be had. */
HEDDLE_EXPORT void heddle_call_argsort(heddle_call_t *call, int32_t dtype, int32_t descending, const void *x,
                                       int32_t *out, int64_t begin, int64_t end, int64_t n, int64_t limit,
                                       int64_t inner);

#if defined(__cplusplus)
}
#endif
#endif /* HEDDLE_CPU_SORT_H */
