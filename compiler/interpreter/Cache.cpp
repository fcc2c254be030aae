//===- Cache.cpp - Generation with a cache of selected keys ---------------===//
//
// The definitions: the live scores as a sorted list, tau solved anew for every candidate that joins,
// attention slot by slot.

#include "compiler/interpreter/Evaluate.h"
#include "compiler/interpreter/SparseKMath.h"

#include "dialects/sparsek/IR/SparseK.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace heddle::interp;
namespace sk = heddle::sparsek;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

namespace {

using Cells = MutableArrayRef<Cell>;

/// The leaves of a cache that tokens change, for writing.
struct State {
  Cells keys, values, score, key, live, count, hi, lo, position;
  State(MutableArrayRef<Array> a)
      : keys(a[0].edit()), values(a[1].edit()), score(a[2].edit()), key(a[3].edit()), live(a[4].edit()),
        count(a[5].edit()), hi(a[6].edit()), lo(a[7].edit()), position(a[8].edit()) {}
};

/// Tokens and the sizes of a cache.
struct Tokens {
  Operation *op;
  const Array &k, &v, &u, &lengths;
  int64_t topk, window, slots, capacity;
  int64_t batches, heads, length, width, valueWidth;

  Tokens(Operation *op, const Array &k, const Array &v, const Array &u, const Array &lengths, int64_t topk,
         int64_t window, int64_t capacity)
      : op(op), k(k), v(v), u(u), lengths(lengths), topk(topk), window(window), slots(topk + window),
        capacity(capacity), batches(k.extent(0)), heads(k.extent(1)), length(k.extent(2)), width(k.extent(3)),
        valueWidth(v.extent(3)) {}

  /// How many of a row's tokens are no padding.
  int64_t count(int64_t b) const { return std::clamp<int64_t>(lengths.integer(b), 0, length); }
};

/// A key-value head of a row.
class Head {
public:
  Head(const Tokens &tokens, const State &state, int64_t b, int64_t h)
      : t(tokens), s(state), row(b * tokens.heads + h) {}

  double &hi() { return s.hi[row].real; }
  double &lo() { return s.lo[row].real; }
  int64_t firstSlot() const { return row * t.slots; }
  double score(int64_t slot) const { return s.score[firstSlot() + slot].real; }

  void makeEmpty() {
    storeLive({});
    hi() = -infinity;
    lo() = 0;
  }

  /// Puts the token at `source` of the input into a slot as the key at `position`.
  void store(int64_t slot, int64_t source, int64_t position) {
    int64_t to = firstSlot() + slot, from = row * t.length + source;
    llvm::copy(t.k.cells().slice(from * t.width, t.width), s.keys.begin() + to * t.width);
    llvm::copy(t.v.cells().slice(from * t.valueWidth, t.valueWidth), s.values.begin() + to * t.valueWidth);
    s.score[to].real = t.u.real(from);
    s.key[to].integer = position;
  }

  void move(int64_t slot, int64_t fromSlot) {
    int64_t to = firstSlot() + slot, from = firstSlot() + fromSlot;
    std::copy_n(s.keys.begin() + from * t.width, t.width, s.keys.begin() + to * t.width);
    std::copy_n(s.values.begin() + from * t.valueWidth, t.valueWidth, s.values.begin() + to * t.valueWidth);
    s.score[to] = s.score[from];
    s.key[to] = s.key[from];
  }

  /// The key at position j, of this score, becomes a candidate. The slot that it takes as a selected key, if
  /// it is one.
  std::optional<int64_t> join(int64_t j, double score) {
    if (std::isnan(hi()))
      return std::nullopt;
    if (std::isnan(score)) {
      poison();
      return std::nullopt;
    }
    double x = boundedScore(score);
    if (!(gate(t.u.element(), x, {hi(), lo()}) > 0))
      return std::nullopt;
    std::optional<int64_t> slot = slotFor(j, x);
    std::vector<double> scores = {x};
    for (Cell cell : s.live.slice(row * t.capacity, std::clamp<int64_t>(s.count[row].integer, 0, t.capacity)))
      scores.push_back(cell.real);
    settle(scores, j + 1);
    return slot;
  }

  /// Stores tau and the live ones of the scores, which hold all live candidates.
  void settle(std::vector<double> scores, int64_t candidates) {
    llvm::sort(scores, std::greater<>());
    if (candidates > t.topk && static_cast<int64_t>(scores.size()) > t.topk) {
      Threshold threshold = solveThreshold(scores, static_cast<double>(t.topk));
      threshold.lo = roundTo(t.u.element(), threshold.lo);
      hi() = threshold.hi;
      lo() = threshold.lo;
      llvm::erase_if(scores, [&](double x) { return !(gate(t.u.element(), x, threshold) > 0); });
    }
    if (static_cast<int64_t>(scores.size()) > t.capacity)
      fail(t.op, "the cache overflows: more than " + Twine(t.capacity) +
                     " scores of a head are above its threshold\nhint: sparsek_grow gives a cache more room, "
                     "'capacity' a new one");
    storeLive(scores);
  }

  /// A NaN among the candidates: every later query is NaN.
  void poison() {
    storeLive({});
    hi() = notANumber;
    lo() = 0;
  }

private:
  /// The next free slot, or that of the lowest selected key, of equal ones the latest, if x is higher.
  std::optional<int64_t> slotFor(int64_t j, double x) const {
    if (j < t.topk)
      return j;
    int64_t lowest = 0;
    auto rank = [&](int64_t slot) {
      return std::pair(boundedScore(score(slot)), -s.key[firstSlot() + slot].integer);
    };
    for (int64_t slot = 1; slot < t.topk; ++slot)
      if (rank(slot) < rank(lowest))
        lowest = slot;
    return x > boundedScore(score(lowest)) ? std::optional(lowest) : std::nullopt;
  }

  void storeLive(ArrayRef<double> scores) {
    Cells live = s.live.slice(row * t.capacity, t.capacity);
    for (int64_t i = 0; i < t.capacity; ++i)
      live[i].real = i < static_cast<int64_t>(scores.size()) ? scores[i] : 0;
    s.count[row].integer = static_cast<int64_t>(scores.size());
  }

  const Tokens &t;
  const State &s;
  int64_t row;
};

/// What a query attends with.
struct Attending {
  double scale;
  sk::Gate gate;
  bool straightThrough;
};

} // namespace

/// softmax over the slots in use; `candidates` keys have left the window and `seen` were appended.
static void attend(const Tokens &t, const State &s, Head &head, const Attending &options, int64_t seen,
                   ArrayRef<Cell> q, MutableArrayRef<double> out) {
  if (t.topk > 0 && std::isnan(head.hi())) {
    llvm::fill(out, notANumber);
    return;
  }
  struct Attended {
    int64_t slot;
    double valueGate, logit;
  };
  std::vector<Attended> attended;
  double top = -infinity, total = 0;
  auto visit = [&](int64_t slot, double keyGate, double valueGate) {
    int64_t key = head.firstSlot() + slot;
    double product = 0;
    for (int64_t e = 0; e < t.width; ++e)
      product += q[e].real * s.keys[key * t.width + e].real;
    attended.push_back({key, valueGate, options.scale * keyGate * product});
    top = std::max(top, attended.back().logit);
  };
  int64_t candidates = std::max<int64_t>(seen - t.window, 0);
  for (int64_t slot = 0; slot < std::min(candidates, t.topk); ++slot) {
    double g = gate(t.u.element(), head.score(slot), {head.hi(), head.lo()});
    bool both = !options.straightThrough && options.gate == sk::Gate::both;
    bool value = !options.straightThrough && options.gate == sk::Gate::value;
    visit(slot, both ? g : 1, both || value ? g : 1);
  }
  for (int64_t i = 0; i < std::min(seen, t.window); ++i)
    visit(t.topk + i, 1, 1);
  if (!std::isfinite(top))
    top = 0;
  for (Attended &at : attended)
    total += at.logit = std::exp(at.logit - top);
  if (total == 0)
    return;
  for (const Attended &at : attended)
    for (int64_t f = 0; f < t.valueWidth; ++f)
      out[f] += at.logit / total * at.valueGate * s.values[at.slot * t.valueWidth + f].real;
}

static void evaluateAppend(const Context &context, sk::AppendOp op, Inputs in, Results &results) {
  Tokens t(op, in[1], in[2], in[3], in[4], op.getTopk(), op.getWindow(), in[9].extent(2));
  const Array &q = in[0], &scale = in[14], &gateMode = in[15], &estimator = in[16];
  results.push_back(context.make(op, {t.batches, q.extent(1), t.length, t.valueWidth}));
  llvm::append_range(results, in.slice(sk::AppendOp::firstState, sk::AppendOp::stateCount));
  State s(MutableArrayRef(results).drop_front());
  Cells out = results[0].edit();
  int64_t group = t.heads ? q.extent(1) / t.heads : 0;
  for (int64_t b = 0; b < t.batches; ++b) {
    int64_t count = t.count(b), start = std::max<int64_t>(s.position[b].integer, 0);
    if (start + count > std::numeric_limits<int32_t>::max())
      fail(op, "the cache overflows: a row counts at most 2147483647 tokens");
    Attending options{scale.real(b), sk::Gate(gateMode.integer(b)),
                      estimator.integer(b) == int64_t(sk::Estimator::straight_through)};
    for (int64_t h = 0; h < t.heads; ++h) {
      Head head(t, s, b, h);
      if (start == 0 && count > 0)
        head.makeEmpty();
      for (int64_t i = 0; i < count; ++i) {
        int64_t p = start + i, source = t.length - count + i, j = p - t.window;
        int64_t ring = t.topk + (t.window > 0 ? p % t.window : 0);
        if (t.topk > 0 && j >= 0) {
          double score = t.window > 0 ? head.score(ring) : t.u.real((b * t.heads + h) * t.length + source);
          if (std::optional<int64_t> slot = head.join(j, score))
            t.window > 0 ? head.move(*slot, ring) : head.store(*slot, source, p);
        }
        if (t.window > 0)
          head.store(ring, source, p);
        for (int64_t g = 0; g < group; ++g) {
          int64_t query = (b * q.extent(1) + h * group + g) * t.length + source;
          std::vector<double> o(t.valueWidth, 0);
          attend(t, s, head, options, p + 1, q.cells().slice(query * t.width, t.width), o);
          for (auto [cell, value] : llvm::zip(out.slice(query * t.valueWidth, t.valueWidth), o))
            cell.real = roundTo(results[0].element(), value);
        }
      }
    }
    s.position[b].integer = start + count;
  }
}

static void evaluateFillCache(const Context &context, sk::FillCacheOp op, Inputs in, Results &results) {
  Tokens t(op, in[0], in[1], in[2], in[3], op.getTopk(), op.getWindow(), op.getCapacity());
  Shape shapes[] = {{t.batches, t.heads, t.slots, t.width},
                    {t.batches, t.heads, t.slots, t.valueWidth},
                    {t.batches, t.heads, t.slots},
                    {t.batches, t.heads, t.slots},
                    {t.batches, t.heads, t.capacity},
                    {t.batches, t.heads},
                    {t.batches, t.heads},
                    {t.batches, t.heads},
                    {t.batches}};
  for (auto [i, shape] : llvm::enumerate(shapes))
    results.push_back(context.make(op, shape, i));
  State s{MutableArrayRef(results.data(), results.size())};
  for (int64_t b = 0; b < t.batches; ++b) {
    int64_t count = t.count(b), first = t.length - count;
    int64_t candidates = std::max<int64_t>(count - t.window, 0);
    for (int64_t h = 0; h < t.heads; ++h) {
      Head head(t, s, b, h);
      head.makeEmpty();
      std::vector<double> scores;
      for (int64_t j = 0; t.topk > 0 && j < candidates; ++j)
        scores.push_back(boundedScore(t.u.real((b * t.heads + h) * t.length + first + j)));
      if (llvm::any_of(scores, [](double x) { return std::isnan(x); })) {
        head.poison();
      } else if (!scores.empty()) {
        std::vector<int64_t> selected = descendingOrder(scores);
        selected.resize(std::min<int64_t>(candidates, t.topk));
        llvm::sort(selected);
        for (auto [slot, j] : llvm::enumerate(selected))
          head.store(slot, first + j, j);
        head.settle(scores, candidates);
      }
      for (int64_t p = candidates; t.window > 0 && p < count; ++p)
        head.store(t.topk + p % t.window, first + p, p);
    }
    s.position[b].integer = count;
  }
}

bool heddle::interp::evaluateCache(const Context &context, Operation *op, Inputs inputs, Results &results) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](sk::AppendOp o) { return evaluateAppend(context, o, inputs, results), true; })
      .Case([&](sk::FillCacheOp o) { return evaluateFillCache(context, o, inputs, results), true; })
      .Default([](Operation *) { return false; });
}
