// Random attention variants, as IR text.
#ifndef HEDDLE_TESTS_UNIT_AUTODIFF_RANDOMVARIANT_H
#define HEDDLE_TESTS_UNIT_AUTODIFF_RANDOMVARIANT_H

#include <cstdint>
#include <random>
#include <string>
#include <vector>

/// A function @f(q, k, v, bias, u, c, table) -> (o, lse) of one attention variant in f64, whose block
/// computes score, gate and visibility by random operations on s, the positions and elements of bias [Hq, R],
/// u [B, H, M], c [] and, as an index, table [N] with values below R. In some of the variants some queries
/// see nothing, and in some invisible pairs compute what is no number.
class RandomVariant {
public:
  explicit RandomVariant(uint32_t seed);

  const std::string &text() const { return program; }
  /// Extents of the arguments in order.
  std::vector<std::vector<int64_t>> shapes() const {
    return {{batches, queryHeads, queries, 3},
            {batches, heads, keys, 3},
            {batches, heads, keys, 2},
            {queryHeads, range},
            {batches, heads, keys},
            {},
            {queries}};
  }
  int64_t tableRange() const { return range; }

private:
  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  }
  const std::string &any(const std::vector<std::string> &pool) { return pool[pick(0, pool.size() - 1)]; }
  /// Adds `%name = operation` to the block.
  std::string line(const std::string &operation);
  std::string integer(int64_t value);
  std::string number();
  std::string condition();

  std::mt19937 random;
  int64_t batches, queryHeads, heads, queries, keys, range;
  int names = 0;
  std::vector<std::string> numbers, positions;
  std::string block, program;
};

#endif // HEDDLE_TESTS_UNIT_AUTODIFF_RANDOMVARIANT_H
