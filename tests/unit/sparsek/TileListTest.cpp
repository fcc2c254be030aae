// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Key lists of query tiles against the intervals they stand for.

#include "ScoreFamilies.h"

#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace heddle::tests;

namespace {
struct Case {
  int64_t n, k, w, tile, chunk;
};

/// The keys that queries of [first, last) select, those of all queries first; `full` gets their number.
std::vector<int32_t> selectedBy(const std::vector<int32_t> &end, int64_t w, int64_t first, int64_t last,
                                int32_t &full) {
  std::vector<int32_t> whole, parts;
  for (int64_t j = 0; j + w < last; ++j) {
    if (end[j] <= std::max(j + w, first))
      continue;
    (j + w <= first && end[j] >= last ? whole : parts).push_back(static_cast<int32_t>(j));
  }
  full = static_cast<int32_t>(whole.size());
  whole.insert(whole.end(), parts.begin(), parts.end());
  return whole;
}

void checkLists(const std::vector<int32_t> &end, const Case &c) {
  const int64_t tiles = (c.n + c.tile - 1) / c.tile, chunks = (c.n + c.chunk - 1) / c.chunk;
  const int64_t stride = std::min(c.k + c.tile, c.n), slotStride = std::min(c.k + c.chunk, c.n);
  std::vector<int32_t> keys(tiles * stride, -1), full(tiles), total(tiles);
  REQUIRE(heddle_cpu_sparsek_tile_keys(end.data(), 1, c.n, c.k, c.w, c.tile, stride, keys.data(), full.data(),
                                       total.data()) == HEDDLE_OK);
  std::vector<int32_t> slots(tiles * stride, -1), slotFull(tiles), slotTotal(tiles),
      slotKeys(chunks * slotStride, -1), slotCount(chunks);
  REQUIRE(heddle_cpu_sparsek_tile_slots(end.data(), 1, c.n, c.k, c.w, c.tile, stride, c.chunk, slotStride,
                                        slots.data(), slotFull.data(), slotTotal.data(), slotKeys.data(),
                                        slotCount.data()) == HEDDLE_OK);
  bool listsAgree = true, slotsAgree = true, chunksAgree = true;
  for (int64_t t = 0; t < tiles; ++t) {
    int32_t expectedFull = 0;
    const auto expected = selectedBy(end, c.w, t * c.tile, std::min((t + 1) * c.tile, c.n), expectedFull);
    const auto *list = keys.data() + t * stride;
    listsAgree &= full[t] == expectedFull && std::vector<int32_t>(list, list + total[t]) == expected;
    const auto *names = slotKeys.data() + t * c.tile / c.chunk * slotStride;
    std::vector<int32_t> named;
    for (int32_t s = 0; s < slotTotal[t]; ++s)
      named.push_back(names[slots[t * stride + s]]);
    slotsAgree &= slotFull[t] == expectedFull && named == expected;
  }
  for (int64_t q = 0; q < chunks; ++q) {
    int32_t ignored = 0;
    auto expected = selectedBy(end, c.w, q * c.chunk, std::min((q + 1) * c.chunk, c.n), ignored);
    std::sort(expected.begin(), expected.end());
    const auto *list = slotKeys.data() + q * slotStride;
    chunksAgree &= std::vector<int32_t>(list, list + slotCount[q]) == expected;
  }
  CHECK(listsAgree);
  CHECK(slotsAgree);
  CHECK(chunksAgree);
}
} // namespace

TEST_CASE("lists hold the keys that a tile selects, whole-tile keys first", "[sparsek]") {
  for (const Case &c : {Case{220, 20, 16, 16, 64}, Case{220, 7, 0, 16, 16}, Case{61, 50, 3, 64, 128},
                        Case{300, 8, 64, 32, 96}, Case{100, 500, 5, 16, 32}, Case{1, 1, 0, 64, 64}})
    for (const ScoreFamily &family : scoreFamilies(c.n, 11)) {
      INFO(family.name << ", n " << c.n << ", k " << c.k << ", w " << c.w << ", tile " << c.tile);
      std::vector<float> hi(c.n), lo(c.n);
      std::vector<int32_t> count(c.n), end(c.n);
      REQUIRE(heddle_cpu_sparsek_threshold_f64(
                  family.scores.data(), 1, c.n, c.k, c.w, nullptr, std::vector<double>(c.n).data(),
                  std::vector<double>(c.n).data(), count.data(), end.data()) == HEDDLE_OK);
      checkLists(end, c);
    }
}

TEST_CASE("a window beyond the row selects nothing", "[sparsek]") {
  const std::vector<int32_t> end{3, 3, 3};
  std::vector<int32_t> keys(3, -1);
  int32_t full = -1, total = -1;
  REQUIRE(heddle_cpu_sparsek_tile_keys(end.data(), 1, 3, 4, INT64_MAX, 64, 3, keys.data(), &full, &total) ==
          HEDDLE_OK);
  CHECK(full == 0);
  CHECK(total == 0);
}

TEST_CASE("lists that are too short are refused", "[sparsek]") {
  const std::vector<int32_t> end(100, 100);
  int32_t x = 0;
  CHECK(heddle_cpu_sparsek_tile_keys(end.data(), 1, 100, 8, 4, 16, 23, &x, &x, &x) ==
        HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "lists of 23 keys cannot hold 24");
  CHECK(heddle_cpu_sparsek_tile_slots(end.data(), 1, 100, 8, 4, 16, 24, 40, 48, &x, &x, &x, &x, &x) ==
        HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "a chunk of 40 queries is not a multiple of the tile, 16");
}
