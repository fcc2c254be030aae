// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Caches of selected keys: tokens join one by one, heads in parallel.

#include <heddle/cpu_sparsek_cache.h>

#include "cpu/sparsek_decode.h"
#include "cpu/sparsek_live.h"
#include "cpu/sparsek_rows.h"
#include "cpu/sparsek_sweep.h"

#include <cstdio>

using namespace heddle::runtime;
using namespace heddle::runtime::sparsek;

namespace {

using Cache = heddle_sparsek_cache_t;
using Tokens = heddle_sparsek_tokens_t;
using Queries = heddle_sparsek_queries_t;

/// What a program hands over may be anything.
int64_t startOf(const Cache &c, int64_t b) { return std::max(c.position[b], 0); }
int64_t lengthOf(const Tokens &t, int64_t b) { return std::clamp<int64_t>(t.lengths[b], 0, t.count); }

/// One key-value head of a row: its slots and its threshold.
template <typename E>
class Head {
public:
  using Storage = typename E::Storage;
  using Score = typename E::Compute;

  Head(const Cache &cache, const Tokens &tokens, int64_t number)
      : c(cache), t(tokens), row(number), slots(cache.topk + cache.window),
        keys(static_cast<Storage *>(cache.keys) + number * slots * cache.key_width),
        values(static_cast<Storage *>(cache.values) + number * slots * cache.value_width),
        score(static_cast<Score *>(cache.score) + number * slots), key(cache.key + number * slots),
        live(static_cast<Score *>(cache.live) + number * cache.capacity, cache.capacity, cache.count[number],
             static_cast<Score *>(cache.hi)[number], static_cast<Score *>(cache.lo)[number], cache.topk) {}

  Score hi() const { return static_cast<const Score *>(c.hi)[row]; }
  Score lo() const { return static_cast<const Score *>(c.lo)[row]; }
  const Score *tokenScores() const { return static_cast<const Score *>(t.u) + row * t.count; }
  static constexpr Score lowestThreshold = -std::numeric_limits<Score>::infinity();

  /// The token at `source` of the input becomes the key at `position`, in a slot.
  void store(int64_t slot, int64_t source, int64_t position) {
    const int64_t from = row * t.count + source;
    std::copy_n(static_cast<const Storage *>(t.k) + from * c.key_width, c.key_width,
                keys + slot * c.key_width);
    std::copy_n(static_cast<const Storage *>(t.v) + from * c.value_width, c.value_width,
                values + slot * c.value_width);
    score[slot] = tokenScores()[source];
    key[slot] = static_cast<int32_t>(position);
  }

  /// The token at `source` as the key at position p: the key that leaves the window becomes a candidate.
  /// False where the live scores do not fit.
  bool append(int64_t source, int64_t p) {
    const int64_t j = p - c.window, ring = c.topk + (c.window > 0 ? p % c.window : 0);
    bool fits = true;
    if (c.topk > 0 && j >= 0) {
      int64_t slot = -1;
      fits = join(j, c.window > 0 ? score[ring] : tokenScores()[source], slot);
      if (slot >= 0 && c.window > 0)
        move(slot, ring);
      else if (slot >= 0)
        store(slot, source, p);
    }
    if (c.window > 0)
      store(ring, source, p);
    return fits;
  }

  /// The cache after `count` tokens from `first` of the input on.
  bool fill(int64_t first, int64_t count, std::vector<Score> &scratch, std::vector<int32_t> &ends,
            ThresholdSweep<Score> &sweep) {
    std::fill(score, score + slots, Score(0));
    std::fill(key, key + slots, 0);
    std::fill(keys, keys + slots * c.key_width, Storage(0));
    std::fill(values, values + slots * c.value_width, Storage(0));
    Score *scores = static_cast<Score *>(c.live) + row * c.capacity;
    std::fill(scores, scores + c.capacity, Score(0));
    c.count[row] = 0;
    live.clear(lowestThreshold);
    const Score *u = tokenScores() + first;
    const int64_t candidates = std::max<int64_t>(0, count - c.window);
    bool fits = true;
    if (c.topk > 0 && candidates > 0) {
      if (std::any_of(u, u + candidates, [](Score x) { return x != x; })) {
        live.clear(std::numeric_limits<Score>::quiet_NaN());
      } else {
        scratch.resize(static_cast<size_t>(2 * count));
        ends.resize(static_cast<size_t>(count));
        sweep.run(u, count, c.topk, c.window, {scratch.data(), scratch.data() + count, ends.data()});
        static_cast<Score *>(c.hi)[row] = scratch[count - 1];
        static_cast<Score *>(c.lo)[row] = scratch[2 * count - 1];
        fits = live.fill({u, static_cast<size_t>(candidates)});
        int64_t slot = 0;
        for (int64_t j = 0; j < candidates; ++j)
          if (ends[j] == count)
            store(slot++, first + j, j);
      }
    }
    for (int64_t p = candidates; c.window > 0 && p < count; ++p)
      store(c.topk + p % c.window, first + p, p);
    return fits;
  }

  void makeEmpty() { live.clear(lowestThreshold); }

  const Storage *keyRows() const { return keys; }
  const Storage *valueRows() const { return values; }

  /// The gates of the first `count` selected keys.
  void gates(Score *out, int64_t count) const {
    const Score high = hi(), low = lo();
    for (int64_t s = 0; s < count; ++s)
      out[s] = high == lowestThreshold ? Score(1)
                                       : std::clamp((clampScore(score[s]) - high) - low, Score(0), Score(1));
  }

private:
  /// The key at position j with this score becomes a candidate; `slot` is the one that it takes if it is
  /// selected.
  bool join(int64_t j, Score u, int64_t &slot) {
    if (live.isPoisoned())
      return true;
    if (u != u) {
      live.clear(std::numeric_limits<Score>::quiet_NaN());
      return true;
    }
    const Score x = clampScore(u);
    if (!live.isLive(x)) // nor is it selected: those above tau are
      return true;
    if (j < c.topk)
      slot = j;
    else if (const int64_t lowest = lowestSelected(); x > clampScore(score[lowest]))
      slot = lowest;
    return live.join(x, j + 1);
  }

  /// Of equal scores the latest key.
  int64_t lowestSelected() const {
    int64_t lowest = 0;
    Score least = clampScore(score[0]);
    for (int64_t s = 1; s < c.topk; ++s)
      if (const Score x = clampScore(score[s]); x < least || (x == least && key[s] > key[lowest])) {
        lowest = s;
        least = x;
      }
    return lowest;
  }

  void move(int64_t slot, int64_t from) {
    std::copy_n(keys + from * c.key_width, c.key_width, keys + slot * c.key_width);
    std::copy_n(values + from * c.value_width, c.value_width, values + slot * c.value_width);
    score[slot] = score[from];
    key[slot] = key[from];
  }

  const Cache &c;
  const Tokens &t;
  int64_t row, slots;
  Storage *keys, *values;
  Score *score;
  int32_t *key;
  LiveScores<Score> live;
};

/// The loops over vectors, in the processor's best form.
HEDDLE_HOT void attend(const SlotAttention<DoubleElements> &a, double *out, int64_t stride) {
  a.run(out, stride);
}
HEDDLE_HOT void attend(const SlotAttention<FloatElements> &a, float *out, int64_t stride) {
  a.run(out, stride);
}
HEDDLE_HOT void attend(const SlotAttention<BF16Elements> &a, uint16_t *out, int64_t stride) {
  a.run(out, stride);
}
HEDDLE_HOT void attend(const SlotAttention<F16Elements> &a, uint16_t *out, int64_t stride) {
  a.run(out, stride);
}

/// Appends to the heads [begin, end); false where live scores do not fit.
template <typename E>
bool appendHeads(const Cache &c, const Tokens &t, const Queries &queries, int64_t begin, int64_t end) {
  using Storage = typename E::Storage;
  using Compute = typename E::Compute;
  using Attention = SlotAttention<E>;
  const int64_t group = queries.heads / c.heads, slots = c.topk + c.window;
  const int64_t keyColumns = Attention::padded(c.key_width), valueColumns = Attention::padded(c.value_width);
  const int64_t stride = Attention::padded(slots);
  std::vector<Compute> scratch(
      static_cast<size_t>(c.topk + group * (keyColumns + stride + valueColumns) + group));
  Attention a{};
  a.keyWidth = c.key_width;
  a.valueWidth = c.value_width;
  a.group = group;
  Compute *gates = scratch.data(), *q = gates + c.topk;
  a.gates = gates;
  a.q = q;
  a.logits = q + group * keyColumns;
  a.sums = a.logits + group * stride;

  bool fits = true;
  for (int64_t number = begin; number < end; ++number) {
    const int64_t b = number / c.heads;
    const int64_t length = lengthOf(t, b), start = startOf(c, b);
    Head<E> head(c, t, number);
    if (start == 0 && length > 0)
      head.makeEmpty();
    const Storage *allQueries =
        static_cast<const Storage *>(queries.q) + number * group * t.count * c.key_width;
    Storage *out = static_cast<Storage *>(queries.o) + number * group * t.count * c.value_width;
    for (int64_t g = 0; g < group; ++g)
      std::fill_n(out + g * t.count * c.value_width, (t.count - length) * c.value_width, Storage(0));
    a.keys = head.keyRows();
    a.values = head.valueRows();
    a.gateKeys = queries.gate[b] == 0 && queries.hard[b] == 0;
    a.gateValues = queries.gate[b] <= 1 && queries.hard[b] == 0;
    for (int64_t i = t.count - length; i < t.count; ++i) {
      const int64_t p = start + i - (t.count - length);
      fits &= head.append(i, p);
      if (c.topk > 0 && head.hi() != head.hi()) {
        for (int64_t g = 0; g < group; ++g)
          std::fill_n(out + (g * t.count + i) * c.value_width, c.value_width,
                      E::narrow(std::numeric_limits<Compute>::quiet_NaN()));
        continue;
      }
      a.firsts[0] = 0;
      a.counts[0] = std::clamp<int64_t>(p + 1 - c.window, 0, c.topk);
      a.firsts[1] = c.topk;
      a.counts[1] = std::min(p + 1, c.window);
      a.stride = Attention::padded(a.used());
      head.gates(gates, a.counts[0]);
      const Compute scale = static_cast<Compute>(queries.scale[b]);
      for (int64_t g = 0; g < group; ++g) {
        const Storage *from = allQueries + (g * t.count + i) * c.key_width;
        for (int64_t e = 0; e < keyColumns; e += E::lanes) {
          typename E::Vector x = loadPart<E>(from + e, c.key_width - e) * scale;
          std::memcpy(q + g * keyColumns + e, &x, sizeof x);
        }
      }
      attend(a, out + i * c.value_width, t.count * c.value_width);
    }
  }
  return fits;
}

template <typename E>
bool fillHeads(const Cache &c, const Tokens &t, int64_t begin, int64_t end) {
  using Score = typename E::Compute;
  std::vector<Score> scratch;
  std::vector<int32_t> ends;
  ThresholdSweep<Score> sweep;
  bool fits = true;
  for (int64_t number = begin; number < end; ++number) {
    const int64_t length = lengthOf(t, number / c.heads);
    fits &= Head<E>(c, t, number).fill(t.count - length, length, scratch, ends, sweep);
  }
  return fits;
}

void check(const Cache &c, const Tokens &t) {
  if (c.dtype < HEDDLE_F64 || c.dtype > HEDDLE_F16)
    throw Failure(HEDDLE_INVALID_ARGUMENT, std::string("a cache cannot hold ") +
                                               heddle_dtype_name(static_cast<heddle_dtype_t>(c.dtype)));
  requireSize(c.topk, "topk");
  requireSize(c.window, "the window");
  requireSize(t.count, "the number of tokens");
  requireSize(c.capacity, "the capacity", c.topk);
}

/// Calls heads(begin, end) for all heads in parallel, then moves the positions on.
template <typename Heads>
void eachHead(const Cache &c, const Tokens &t, int64_t work, bool fromZero, const Heads &heads) {
  for (int64_t b = 0; b < c.batch; ++b)
    if (!fromZero && startOf(c, b) + lengthOf(t, b) > INT32_MAX)
      throw Failure(HEDDLE_OUT_OF_RANGE, "the cache overflows: a row counts at most 2147483647 tokens");
  std::atomic<bool> overflows{false};
  const int64_t grain = std::max<int64_t>(1, (int64_t(1) << 16) / std::max<int64_t>(work, 1));
  parallelChunks(c.batch * c.heads, grain, [&](int64_t begin, int64_t end) {
    if (!heads(begin, end))
      overflows = true;
  });
  for (int64_t b = 0; b < c.batch; ++b)
    c.position[b] = static_cast<int32_t>((fromZero ? 0 : startOf(c, b)) + lengthOf(t, b));
  if (overflows)
    throw Failure(HEDDLE_OUT_OF_RANGE,
                  "the cache overflows: more than " + std::to_string(c.capacity) +
                      " scores of a head are above its threshold",
                  "sparsek_grow gives a cache more room, 'capacity' a new one");
}

/// Calls body with the elements of a cache.
template <typename Body>
void withElements(int32_t dtype, const Body &body) {
  switch (dtype) {
  case HEDDLE_F64:
    return body(DoubleElements());
  case HEDDLE_F32:
    return body(FloatElements());
  case HEDDLE_BF16:
    return body(BF16Elements());
  default:
    return body(F16Elements());
  }
}

void report(heddle_call_t *call, const char *where, heddle_status_t status) {
  if (status == HEDDLE_OK)
    return;
  char message[HEDDLE_CALL_MESSAGE_SIZE];
  std::snprintf(message, sizeof message, "%s%s", where ? where : "", heddle_last_error());
  heddle_fail(call, status, message);
}

} // namespace

heddle_status_t heddle_cpu_sparsek_append(const heddle_sparsek_cache_t *cache,
                                          const heddle_sparsek_tokens_t *tokens,
                                          const heddle_sparsek_queries_t *queries) {
  return guard([&] {
    requirePointer(cache, "the cache");
    requirePointer(tokens, "the tokens");
    requirePointer(queries, "the queries");
    check(*cache, *tokens);
    if (cache->heads < 1 || queries->heads % cache->heads)
      throw Failure(HEDDLE_INVALID_ARGUMENT, std::to_string(queries->heads) +
                                                 " query heads are not a multiple of " +
                                                 std::to_string(cache->heads) + " key-value heads");
    const int64_t work = tokens->count * (cache->topk + cache->window) *
                         (cache->key_width + cache->value_width) * (1 + queries->heads / cache->heads) / 2;
    withElements(cache->dtype, [&]<typename E>(E) {
      eachHead(*cache, *tokens, work, false, [&](int64_t begin, int64_t end) {
        return appendHeads<E>(*cache, *tokens, *queries, begin, end);
      });
    });
  });
}

heddle_status_t heddle_cpu_sparsek_fill_cache(const heddle_sparsek_cache_t *cache,
                                              const heddle_sparsek_tokens_t *tokens) {
  return guard([&] {
    requirePointer(cache, "the cache");
    requirePointer(tokens, "the tokens");
    check(*cache, *tokens);
    withElements(cache->dtype, [&]<typename E>(E) {
      eachHead(*cache, *tokens, 32 * tokens->count, true,
               [&](int64_t begin, int64_t end) { return fillHeads<E>(*cache, *tokens, begin, end); });
    });
  });
}

void heddle_call_sparsek_append(heddle_call_t *call, const char *where, int32_t dtype, int64_t batch,
                                int64_t queryHeads, int64_t heads, int64_t count, int64_t keyWidth,
                                int64_t valueWidth, int64_t topk, int64_t window, int64_t capacity,
                                const void *q, const void *k, const void *v, const void *u,
                                const int32_t *lengths, void *keys, void *values, void *score, int32_t *key,
                                void *live, int32_t *liveCount, void *hi, void *lo, int32_t *position,
                                const double *scale, const int32_t *gate, const int32_t *estimator, void *o) {
  const Cache cache{dtype,  batch, heads, keyWidth, valueWidth, topk, window, capacity, keys,
                    values, score, key,   live,     liveCount,  hi,   lo,     position};
  const Tokens tokens{count, k, v, u, lengths};
  const Queries queries{queryHeads, q, scale, gate, estimator, o};
  report(call, where, heddle_cpu_sparsek_append(&cache, &tokens, &queries));
}

void heddle_call_sparsek_fill_cache(heddle_call_t *call, const char *where, int32_t dtype, int64_t batch,
                                    int64_t heads, int64_t count, int64_t keyWidth, int64_t valueWidth,
                                    int64_t topk, int64_t window, int64_t capacity, const void *k,
                                    const void *v, const void *u, const int32_t *lengths, void *keys,
                                    void *values, void *score, int32_t *key, void *live, int32_t *liveCount,
                                    void *hi, void *lo, int32_t *position) {
  const Cache cache{dtype,  batch, heads, keyWidth, valueWidth, topk, window, capacity, keys,
                    values, score, key,   live,     liveCount,  hi,   lo,     position};
  const Tokens tokens{count, k, v, u, lengths};
  report(call, where, heddle_cpu_sparsek_fill_cache(&cache, &tokens));
}
