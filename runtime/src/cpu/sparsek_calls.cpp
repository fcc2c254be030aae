// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The selection's functions as generated code calls them: failures are reported into the call's record.

#include <heddle/cpu_sparsek.h>

static void report(heddle_call_t *call, heddle_status_t status) {
  if (status != HEDDLE_OK)
    heddle_fail(call, status, heddle_last_error());
}

void heddle_call_sparsek_threshold_f32(heddle_call_t *call, const float *u, int64_t rows, int64_t n,
                                       int64_t topk, int64_t window, const int32_t *bounds, float *hi,
                                       float *lo, int32_t *count, int32_t *end) {
  report(call, heddle_cpu_sparsek_threshold_f32(u, rows, n, topk, window, bounds, hi, lo, count, end));
}

void heddle_call_sparsek_threshold_f64(heddle_call_t *call, const double *u, int64_t rows, int64_t n,
                                       int64_t topk, int64_t window, const int32_t *bounds, double *hi,
                                       double *lo, int32_t *count, int32_t *end) {
  report(call, heddle_cpu_sparsek_threshold_f64(u, rows, n, topk, window, bounds, hi, lo, count, end));
}

void heddle_call_sparsek_threshold_backward_f32(heddle_call_t *call, const float *u, const float *hi,
                                                const float *lo, const int32_t *count, const float *dtau,
                                                int64_t rows, int64_t n, int64_t window,
                                                const int32_t *bounds, float *du) {
  report(call,
         heddle_cpu_sparsek_threshold_backward_f32(u, hi, lo, count, dtau, rows, n, window, bounds, du));
}

void heddle_call_sparsek_threshold_backward_f64(heddle_call_t *call, const double *u, const double *hi,
                                                const double *lo, const int32_t *count, const double *dtau,
                                                int64_t rows, int64_t n, int64_t window,
                                                const int32_t *bounds, double *du) {
  report(call,
         heddle_cpu_sparsek_threshold_backward_f64(u, hi, lo, count, dtau, rows, n, window, bounds, du));
}

void heddle_call_sparsek_threshold_tangent_f32(heddle_call_t *call, const float *u, const float *hi,
                                               const float *lo, const int32_t *count, const float *du,
                                               int64_t rows, int64_t n, int64_t window, const int32_t *bounds,
                                               float *dtau) {
  report(call, heddle_cpu_sparsek_threshold_tangent_f32(u, hi, lo, count, du, rows, n, window, bounds, dtau));
}

void heddle_call_sparsek_threshold_tangent_f64(heddle_call_t *call, const double *u, const double *hi,
                                               const double *lo, const int32_t *count, const double *du,
                                               int64_t rows, int64_t n, int64_t window, const int32_t *bounds,
                                               double *dtau) {
  report(call, heddle_cpu_sparsek_threshold_tangent_f64(u, hi, lo, count, du, rows, n, window, bounds, dtau));
}

void heddle_call_sparsek_tile_keys(heddle_call_t *call, const int32_t *end, int64_t rows, int64_t n,
                                   int64_t topk, int64_t window, int64_t tile, int64_t stride, int32_t *keys,
                                   int32_t *full, int32_t *total) {
  report(call, heddle_cpu_sparsek_tile_keys(end, rows, n, topk, window, tile, stride, keys, full, total));
}

void heddle_call_sparsek_tile_slots(heddle_call_t *call, const int32_t *end, int64_t rows, int64_t n,
                                    int64_t topk, int64_t window, int64_t tile, int64_t stride, int64_t chunk,
                                    int64_t slotStride, int32_t *slots, int32_t *full, int32_t *total,
                                    int32_t *slotKeys, int32_t *slotTotal) {
  report(call, heddle_cpu_sparsek_tile_slots(end, rows, n, topk, window, tile, stride, chunk, slotStride,
                                             slots, full, total, slotKeys, slotTotal));
}
