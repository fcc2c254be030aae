// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// SPARSEK caches as the host sees them: the struct `SparseKCache` of the language, or a stack of them. A
// cache has room for a fixed number of live scores; a host looks after it before each call, so that none can
// overflow:
//
//   heddle::reserve_cache(cache, 1);
//   std::vector<heddle::Struct> results = decode({model, token, donate(cache)});
//   cache = std::move(results[1]);
#ifndef HEDDLE_CACHE_HPP
#define HEDDLE_CACHE_HPP

#include <heddle/struct.hpp>

#include <algorithm>

namespace heddle {

/// How many live scores a cache has room for.
inline int64_t cache_capacity(const Struct &cache) { return cache["live"].dim(-1); }

/// How many further tokens are certain to fit, whatever their scores.
inline int64_t cache_room(const Struct &cache) {
  int32_t most = 0;
  const Tensor counts = cache["count"].to(Device::cpu());
  for (int32_t count : counts.values<int32_t>())
    most = std::max(most, count);
  return cache_capacity(cache) - most;
}

/// The cache with room for `capacity` live scores, at least as many as before. Only the scores are copied.
inline Struct grow_cache(Struct cache, int64_t capacity) {
  const Device device = cache["live"].device();
  const Tensor live = cache["live"].to(Device::cpu());
  Shape shape(live.shape().begin(), live.shape().end());
  if (shape.empty() || capacity < shape.back())
    throw Error(HEDDLE_INVALID_ARGUMENT,
                "a cache with room for " + live.str() + " cannot shrink to " + std::to_string(capacity));
  const auto from = static_cast<size_t>(shape.back() * size(live.dtype())),
             to = static_cast<size_t>(capacity * size(live.dtype()));
  const int64_t rows = shape.back() ? live.count() / shape.back() : 0;
  shape.back() = capacity;
  Tensor grown = Tensor::zeros(shape, live.dtype());
  for (int64_t row = 0; row < rows; ++row)
    std::memcpy(static_cast<char *>(grown.raw()) + static_cast<size_t>(row) * to,
                static_cast<const char *>(live.raw()) + static_cast<size_t>(row) * from, from);
  cache.set("live", grown.to(device));
  return cache;
}

/// Doubles the capacity until `tokens` more are certain to fit; a function then compiles for the new capacity
/// at its next call. Whether it had to.
inline bool reserve_cache(Struct &cache, int64_t tokens) {
  const int64_t capacity = cache_capacity(cache), used = capacity - cache_room(cache);
  int64_t enough = std::max<int64_t>(capacity, 1);
  while (enough - used < tokens)
    enough *= 2;
  if (enough == capacity)
    return false;
  cache = grow_cache(std::move(cache), enough);
  return true;
}

} // namespace heddle

#endif
