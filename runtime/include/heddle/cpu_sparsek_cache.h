/* Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
 *
 * Generation with SPARSEK on the CPU: what generated code calls for sparsek.append and sparsek.fill_cache. A
 * cache holds, for each row of a batch and each key-value head, topk + window keys and values and the scores
 * of all candidates above the threshold, of any number of tokens seen.
 *
 * A row's query at position p attends to the window p - window < j <= p and to the topk largest candidates j
 * <= p - window, with thresholds as <heddle/cpu_sparsek.h> defines them. A step takes O((topk + window) (key
 * width
 * + value width)) time for each query head and, where the joining score lies above the threshold, time for
 * each live score; nothing depends on the position.
 *
 * Results do not depend on the number of threads. */
#ifndef HEDDLE_CPU_SPARSEK_CACHE_H
#define HEDDLE_CPU_SPARSEK_CACHE_H

#include <heddle/runtime.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* Arrays are row-major. "score type" is f64 where dtype is f64, f32 otherwise. */
typedef struct heddle_sparsek_cache {
  int32_t dtype; /* a heddle_dtype_t: f64, f32, bf16 or f16 */
  int64_t batch, heads, key_width, value_width, topk, window, capacity;
  void *keys, *values; /* [batch, heads, topk + window, width]. Slot s < topk holds a selected key, slot topk
                          + p % window the key at position p of the window */
  void *score;         /* [batch, heads, topk + window] of the score type: of the key in each slot */
  int32_t *key;        /* [batch, heads, topk + window]: the position of the key in each slot */
  void *live;          /* [batch, heads, capacity] of the score type: descending; 0 after the live ones */
  int32_t *count;      /* [batch, heads]: how many are live */
  void *hi, *lo;       /* [batch, heads] of the score type: the threshold of the last query */
  int32_t *position;   /* [batch]: tokens seen; a row at 0 is empty whatever else it holds */
} heddle_sparsek_cache_t;

typedef struct heddle_sparsek_tokens {
  int64_t count;          /* tokens in a row, T */
  const void *k, *v;      /* [batch, heads, T, width] of the cache's dtype */
  const void *u;          /* [batch, heads, T] of the score type */
  const int32_t *lengths; /* [batch]: the last lengths[b] tokens of a row count, the others are padding;
                             clamped to 0..T */
} heddle_sparsek_tokens_t;

typedef struct heddle_sparsek_queries {
  int64_t heads;       /* a multiple of the cache's */
  const void *q;       /* [batch, heads, T, key_width] */
  const double *scale; /* [batch] */
  const int32_t *gate; /* [batch]: 0 both, 1 value, 2 none */
  const int32_t *hard; /* [batch]: 1 for the straight-through estimator */
  void *o;             /* [batch, heads, T, value_width]; 0 for padding */
} heddle_sparsek_queries_t;

/* Appends tokens to a cache in place and attends with each of them. HEDDLE_OUT_OF_RANGE where a head has more
 * live scores than the capacity: o and the cache are then of no use. */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_append(const heddle_sparsek_cache_t *cache,
                                                        const heddle_sparsek_tokens_t *tokens,
                                                        const heddle_sparsek_queries_t *queries);

/* Overwrites a cache with what appending the tokens to an empty one gives, without attention. */
HEDDLE_EXPORT heddle_status_t heddle_cpu_sparsek_fill_cache(const heddle_sparsek_cache_t *cache,
                                                            const heddle_sparsek_tokens_t *tokens);

/* ---- For generated code: the same, failing into the record of the entry's call after `where` ---- */

HEDDLE_EXPORT void heddle_call_sparsek_append(
    heddle_call_t *call, const char *where, int32_t dtype, int64_t batch, int64_t queryHeads, int64_t heads,
    int64_t count, int64_t keyWidth, int64_t valueWidth, int64_t topk, int64_t window, int64_t capacity,
    const void *q, const void *k, const void *v, const void *u, const int32_t *lengths, void *keys,
    void *values, void *score, int32_t *key, void *live, int32_t *liveCount, void *hi, void *lo,
    int32_t *position, const double *scale, const int32_t *gate, const int32_t *estimator, void *o);

HEDDLE_EXPORT void heddle_call_sparsek_fill_cache(
    heddle_call_t *call, const char *where, int32_t dtype, int64_t batch, int64_t heads, int64_t count,
    int64_t keyWidth, int64_t valueWidth, int64_t topk, int64_t window, int64_t capacity, const void *k,
    const void *v, const void *u, const int32_t *lengths, void *keys, void *values, void *score, int32_t *key,
    void *live, int32_t *liveCount, void *hi, void *lo, int32_t *position);

#if defined(__cplusplus)
}
#endif
#endif /* HEDDLE_CPU_SPARSEK_CACHE_H */
