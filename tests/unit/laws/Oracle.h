// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Causal SPARSEK attention from its definitions, in double and quadratic, sharing no code with the compiler:
// what random configurations are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heddle::laws {

using std::size_t;

using Numbers = std::vector<double>;

struct Sizes {
  int64_t batch = 1, heads = 1, group = 1, length = 1, keyWidth = 1, valueWidth = 1;
  int64_t topk = 1, window = 0;

  int64_t queryHeads() const { return heads * group; }
  int64_t rows() const { return batch * heads; }
};

enum class Gate { Both, Value, None };

/// The projection of one row: clip(z - tau) with the sum k. tau is hi + lo, hi a score.
struct Projection {
  double hi, lo;
  Numbers p;
};
Projection project(const Numbers &z, double k);

/// What a head's scores select.
struct Selection {
  int64_t length = 0;
  Numbers tau, gate;                             ///< by query; by query and key
  std::vector<int32_t> count, end;               ///< by query; by key
  std::vector<char> attended, selected, support; ///< by query and key
  std::vector<char> poisoned;                    ///< queries with a candidate that is NaN
  /// The least distance of a candidate's score from a kink of its gate that it is not exactly at.
  double margin = 1e300;

  size_t at(int64_t query, int64_t key) const { return static_cast<size_t>(query * length + key); }
};
Selection select(const double *u, int64_t length, int64_t topk, int64_t window);

/// A result, and the sums of the absolute values of what was added for each of its numbers: rounding is
/// relative to these.
struct Result {
  Numbers value, weight;

  explicit Result(size_t size = 0) : value(size), weight(size) {}
  void add(size_t at, double x) {
    value[at] += x;
    weight[at] += x < 0 ? -x : x;
  }
};

struct Attention {
  Sizes sizes;
  double scale = 1;
  Gate gate = Gate::Both;
  bool straightThrough = false;
  Numbers q, k, v, u, cotangent;     ///< row-major, as in the language
  Numbers dotQ, dotK, dotV, dotU;    ///< tangents
  std::vector<Selection> selections; ///< of each key-value head

  Result o, dq, dk, dv, du, dotO;

  /// Everything, from the definitions.
  void run();
};

/// Softmax attention over the last `window` keys of each query, with its gradients, in `o`, `dq`, `dk` and
/// `dv`: what SPARSEK is without a budget, and with a budget of everything.
void denseAttention(Attention &a, int64_t window);

} // namespace heddle::laws
