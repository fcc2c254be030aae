/* Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
 *
 * Causal SPARSEK selection on the CPU: the support kernels that generated code calls for sparsek.threshold,
 * sparsek.threshold_backward, sparsek.threshold_tangent, sparsek.project and the key lists of
 * sparsek.attention. The operator is that of Lou, Jia, Zheng and Tu, "Sparser is Faster and Less is More"
 * (arXiv 2406.16747).
 *
 * A row is one sequence of n scores u, or several that follow one another where `bounds` is not null; then
 * all that is said here holds for each sequence by itself. bounds [2, n] are those of
 * heddle_cpu_sparsek_segments, the same for every row. The candidates of query i are the keys j <= i -
 * window. With kappa_i the topk-th largest candidate, tau_i = hi_i + lo_i solves sum_j clip(u_j - tau_i, 0,
 * 1) = topk:
 *   - at most topk candidates: hi = -inf, lo = 0;
 *   - the (topk+1)-th largest candidate lies 1 or more below kappa: hi is that candidate, lo = 0;
 *   - otherwise hi = kappa and -1 <= lo < 0.
 * Scores are clamped to the finite range of f32 first. A NaN at j gives hi = NaN, lo = 0 and count = 0 from
 * query j + window on, and ranks as the lowest score. Equal scores keep the earlier key.
 *
 * All arrays are row-major [rows, n]. Results do not depend on the number of threads. A row takes O(n log n)
 * time. topk and window must not be negative, n at most INT32_MAX: HEDDLE_INVALID_ARGUMENT otherwise, and
 * HEDDLE_OUT_OF_MEMORY where scratch memory cannot be had. */
#ifndef HEDDLE_CPU_SPARSEK_H
#define HEDDLE_CPU_SPARSEK_H

#include <heddle/runtime.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* The bounds of packed sequences: sequence s holds the positions offsets[s] <= i < offsets[s + 1], s + 1 <
 * count, and bounds[i] = offsets[s], bounds[n + i] = offsets[s + 1] for them. HEDDLE_INVALID_ARGUMENT unless
 * the offsets ascend (equal neighbours are an empty sequence) from 0 to n. */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_segments(const int32_t *offsets, int64_t count, int64_t n,
                                                          int32_t *bounds);

/* Thresholds of every query, the size count_i of the support S_i = {j <= i - window : 0 < (u_j - hi_i) - lo_i
 * < 1}, and for every key the end of its selection: it belongs to the topk largest candidates of the queries
 * j + window <= i < end_j. end_j = j + window where it never does, the end of the sequence where that
 * is less. */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_threshold_f32(const float *u, int64_t rows, int64_t n,
                                                               int64_t topk, int64_t window,
                                                               const int32_t *bounds, float *hi, float *lo,
                                                               int32_t *count, int32_t *end);
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_threshold_f64(const double *u, int64_t rows, int64_t n,
                                                               int64_t topk, int64_t window,
                                                               const int32_t *bounds, double *hi, double *lo,
                                                               int32_t *count, int32_t *end);

/* du_j = sum of dtau_i / count_i over the queries i >= j + window with j in S_i: one run of queries, summed
 * as a difference of prefix sums in double. Overwrites du. */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_threshold_backward_f32(const float *u, const float *hi,
                                                                        const float *lo, const int32_t *count,
                                                                        const float *dtau, int64_t rows,
                                                                        int64_t n, int64_t window,
                                                                        const int32_t *bounds, float *du);
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_threshold_backward_f64(
    const double *u, const double *hi, const double *lo, const int32_t *count, const double *dtau,
    int64_t rows, int64_t n, int64_t window, const int32_t *bounds, double *du);

/* The transpose: dtau_i = sum of du_j over j in S_i, divided by count_i, 0 where count_i is 0. Overwrites
 * dtau. */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_threshold_tangent_f32(const float *u, const float *hi,
                                                                       const float *lo, const int32_t *count,
                                                                       const float *du, int64_t rows,
                                                                       int64_t n, int64_t window,
                                                                       const int32_t *bounds, float *dtau);
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_threshold_tangent_f64(const double *u, const double *hi,
                                                                       const double *lo, const int32_t *count,
                                                                       const double *du, int64_t rows,
                                                                       int64_t n, int64_t window,
                                                                       const int32_t *bounds, double *dtau);

/* The selected keys of every tile of `tile` queries. Tile t of a row covers the queries [t tile, (t + 1)
 * tile), cut at n; its list holds each key that is selected by one of them, at most topk + tile keys: first
 * the `full` ones that all of its queries select, then the others, both parts ascending. A row has ceil(n /
 * tile) lists, `stride` apart. keys [rows, tiles, stride], full [rows, tiles], total [rows, tiles]; stride >=
 * min(topk + tile, n). */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_tile_keys(const int32_t *end, int64_t rows, int64_t n,
                                                           int64_t topk, int64_t window, int64_t tile,
                                                           int64_t stride, int32_t *keys, int32_t *full,
                                                           int32_t *total);

/* The same by chunks of several tiles, for passes that accumulate per key: `chunk` is a multiple of `tile`,
 * and every key that the queries of a chunk select has a slot in it. slotKeys lists the keys of the slots,
 * ascending; the tiles' lists name slots instead of keys. slots [rows, tiles, stride], full [rows, tiles],
 * total [rows, tiles], slotKeys [rows, chunks, slotStride], slotTotal [rows, chunks]; slotStride >= min(topk
 * + chunk, n). */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_tile_slots(const int32_t *end, int64_t rows, int64_t n,
                                                            int64_t topk, int64_t window, int64_t tile,
                                                            int64_t stride, int64_t chunk, int64_t slotStride,
                                                            int32_t *slots, int32_t *full, int32_t *total,
                                                            int32_t *slotKeys, int32_t *slotTotal);

/* The projection p = clip(z - tau, 0, 1) of every row of z [rows, n] onto {p : 0 <= p <= 1, sum p = k}: all
 * ones where n <= k, NaN where the row has a NaN. dtype is a heddle_dtype_t: f64, f32, bf16 or f16; computed
 * in f64. k may be fractional; HEDDLE_INVALID_ARGUMENT unless k > 0. */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_project(int32_t dtype, const void *z, double k, int64_t rows,
                                                         int64_t n, void *p);

/* ---- For generated code: the same functions, failing into the record of the entry's call ---- */

HEDDLE_EXPORT void heddle_call_sparsek_threshold_f32(heddle_call_t *call, const float *u, int64_t rows,
                                                     int64_t n, int64_t topk, int64_t window,
                                                     const int32_t *bounds, float *hi, float *lo,
                                                     int32_t *count, int32_t *end);
HEDDLE_EXPORT void heddle_call_sparsek_threshold_f64(heddle_call_t *call, const double *u, int64_t rows,
                                                     int64_t n, int64_t topk, int64_t window,
                                                     const int32_t *bounds, double *hi, double *lo,
                                                     int32_t *count, int32_t *end);
HEDDLE_EXPORT void heddle_call_sparsek_threshold_backward_f32(heddle_call_t *call, const float *u,
                                                              const float *hi, const float *lo,
                                                              const int32_t *count, const float *dtau,
                                                              int64_t rows, int64_t n, int64_t window,
                                                              const int32_t *bounds, float *du);
HEDDLE_EXPORT void heddle_call_sparsek_threshold_backward_f64(heddle_call_t *call, const double *u,
                                                              const double *hi, const double *lo,
                                                              const int32_t *count, const double *dtau,
                                                              int64_t rows, int64_t n, int64_t window,
                                                              const int32_t *bounds, double *du);
HEDDLE_EXPORT void heddle_call_sparsek_threshold_tangent_f32(heddle_call_t *call, const float *u,
                                                             const float *hi, const float *lo,
                                                             const int32_t *count, const float *du,
                                                             int64_t rows, int64_t n, int64_t window,
                                                             const int32_t *bounds, float *dtau);
HEDDLE_EXPORT void heddle_call_sparsek_threshold_tangent_f64(heddle_call_t *call, const double *u,
                                                             const double *hi, const double *lo,
                                                             const int32_t *count, const double *du,
                                                             int64_t rows, int64_t n, int64_t window,
                                                             const int32_t *bounds, double *dtau);
HEDDLE_EXPORT void heddle_call_sparsek_tile_keys(heddle_call_t *call, const int32_t *end, int64_t rows,
                                                 int64_t n, int64_t topk, int64_t window, int64_t tile,
                                                 int64_t stride, int32_t *keys, int32_t *full,
                                                 int32_t *total);
HEDDLE_EXPORT void heddle_call_sparsek_tile_slots(heddle_call_t *call, const int32_t *end, int64_t rows,
                                                  int64_t n, int64_t topk, int64_t window, int64_t tile,
                                                  int64_t stride, int64_t chunk, int64_t slotStride,
                                                  int32_t *slots, int32_t *full, int32_t *total,
                                                  int32_t *slotKeys, int32_t *slotTotal);
/* `where` is put before the message; it may be null. */
HEDDLE_EXPORT void heddle_call_sparsek_segments(heddle_call_t *call, const char *where,
                                                const int32_t *offsets, int64_t count, int64_t n,
                                                int32_t *bounds);
/* `where` is put before the message; it may be null. k is one element of type kDtype, f64 or f32. */
HEDDLE_EXPORT void heddle_call_sparsek_project(heddle_call_t *call, const char *where, int32_t dtype,
                                               const void *z, int32_t kDtype, const void *k, int64_t rows,
                                               int64_t n, void *p);

#if defined(__cplusplus)
}
#endif
#endif /* HEDDLE_CPU_SPARSEK_H */
