// A block of threads has 32 slots of one key-value head and all query heads of its group, as rows of a tile.
// It gives sums of weighed values relative to the largest score among its slots, which a second kernel puts
// together in the order of the slots.
#include "compiler/conversion/SparseKToGPU/CacheAttention.h"
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/Pairs.h"
#include "compiler/conversion/SparseKToGPU/TileCode.h"

using namespace mlir;

namespace heddle::gpu {
namespace {

using namespace attention;

constexpr int64_t slotsOfBlock = 32; ///< few, so that the blocks are many

struct Sizes {
  int64_t batch, queryHeads, heads, tokens, keyWidth, valueWidth, topk, window;

  explicit Sizes(sparsek::AppendOp op) {
    auto shape = [](Value x) { return cast<RankedTensorType>(x.getType()).getShape(); };
    batch = shape(op.getQ())[0];
    queryHeads = shape(op.getQ())[1];
    tokens = shape(op.getQ())[2];
    keyWidth = shape(op.getQ())[3];
    heads = shape(op.getK())[1];
    valueWidth = shape(op.getV())[3];
    topk = op.getTopk();
    window = op.getWindow();
  }
  int64_t group() const { return queryHeads / heads; }
  int64_t slots() const { return topk + window; }
  int64_t splits() const { return (slots() + slotsOfBlock - 1) / slotsOfBlock; }
  int64_t warps() const { return (group() + warpRows - 1) / warpRows; }
};

/// The operands of the operation, and the cache among its results.
enum Input : int64_t { Query = 0, Lengths = 4, Scale = 14, Gate = 15, Estimator = 16 };
enum Output : int64_t { O = 0, Keys = 1, Values = 2, Score = 3, Hi = 7, Lo = 8, Position = 9 };

/// The first token of a row that is not padding.
Scalar firstToken(KernelCode &k, const Sizes &s, Pointer lengths, Scalar batch) {
  return k.i32(s.tokens) - k.min(k.max(k.load(lengths, batch), k.i32(0)), k.i32(s.tokens));
}

class SlotKernel {
public:
  SlotKernel(TileCode &t, const Sizes &sizes) : t(t), k(t.k), s(sizes) {}

  Pointer q, lengths, scales, gates, estimators, keys, values, scores, hi, lo, positions;
  Pointer sums; ///< [batch, query head, split, valuePad]
  Pointer tops; ///< [batch, query head, split, 2]: largest score, sum of the weights
  Scalar token;

  void emit() {
    Scalar head = k.block() / s.splits(), split = k.block() % s.splits(), batch = head / s.heads;
    Scalar first = firstToken(k, s, lengths, batch);
    k.when(token >= first,
           [&] { attend(head, split, batch, k.max(k.load(positions, batch), k.i32(0)) + (token - first)); });
  }

private:
  void attend(Scalar head, Scalar split, Scalar batch, Scalar position) {
    const int64_t rows = s.warps() * warpRows, group = s.group();
    SharedRows queries = t.sharedRows(rows, s.keyWidth), keyRows = t.sharedRows(slotsOfBlock, s.keyWidth),
               valueRows = t.sharedRows(slotsOfBlock, s.valueWidth);
    Pointer slotScores = k.shared(slotsOfBlock, t.compute);
    for (auto &[all, width] :
         {std::pair{queries, s.keyWidth}, {keyRows, s.keyWidth}, {valueRows, s.valueWidth}})
      t.zeroPadding(all, width);
    Scalar firstSlot = split * slotsOfBlock, slotStart = t.wide(head) * s.slots();
    Scalar selected = k.min(k.max(position + 1 - s.window, k.i32(0)), k.i32(s.topk));
    Scalar recent = k.min(position + 1, k.i32(s.window));
    auto isUsed = [&](Scalar slot) {
      return (slot < selected) | k.both(slot >= s.topk, slot < s.topk + recent);
    };
    auto stage = [&](const SharedRows &to, Pointer from, int64_t width) {
      t.stageRows(to, from, width, [&](Scalar slot) {
        Scalar place = firstSlot + slot, used = isUsed(place);
        return TileCode::SourceRow{slotStart + t.wide(k.select(used, place, k.i32(0))), used};
      });
    };
    stage(keyRows, keys, s.keyWidth);
    stage(valueRows, values, s.valueWidth);
    t.stageRows(queries, q, s.keyWidth, [&](Scalar row) {
      Scalar valid = row < group, query = t.wide(head) * group + t.wide(k.select(valid, row, k.i32(0)));
      return TileCode::SourceRow{query * s.tokens + t.wide(token), valid};
    });
    commitCopies(k);
    k.loop(t.thread, k.i32(slotsOfBlock), k.i32(k.blockThreads), [&](Scalar slot) {
      Scalar place = firstSlot + slot;
      Scalars score = k.choose(
          isUsed(place), [&] { return Scalars{k.load(scores, slotStart + t.wide(place))}; },
          [&] { return Scalars{t.number(0)}; });
      k.store(score[0], slotScores, slot);
    });
    waitForCopies(k, 0);
    k.barrier();

    Scalar soft = k.load(estimators, batch) == 0, gate = k.load(gates, batch);
    Scalar gateKeys = k.both(soft, gate == 0), gateValues = k.both(soft, gate <= 1);
    Scalar scale = k.cast(k.load(scales, batch), t.compute) * t.logOfE();
    Scalar high = t.number(0), low = t.number(0);
    if (s.topk > 0) {
      high = k.load(hi, head);
      low = k.load(lo, head);
    }
    Fragment x = t.products(queries, keyRows), factors = x;
    Scalar top[2] = {t.lowest(), t.lowest()};
    for (int64_t tile = 0; tile < slotsOfBlock / 8; ++tile)
      for (int64_t column = 0; column < 2; ++column) {
        Scalar slot = t.column(tile) + column, place = firstSlot + slot, used = isUsed(place);
        Scalar score = finiteScore(k, k.load(slotScores, slot));
        Scalar g = k.min(k.max((score - high) - low, t.number(0)), t.number(1));
        g = k.select(place < s.topk, g, t.number(1));
        for (int64_t half = 0; half < 2; ++half) {
          Scalar value = x.at(tile, half, column) * scale;
          value = k.select(used, k.select(gateKeys, value * g, value), t.infinity(true));
          x.at(tile, half, column) = value;
          factors.at(tile, half, column) = k.select(gateValues, g, t.number(1));
          top[half] = k.max(top[half], value);
        }
      }
    Scalars sum{t.number(0), t.number(0)};
    for (int64_t half = 0; half < 2; ++half) {
      top[half] = t.acrossRow(top[half], [&](Scalar a, Scalar b) { return k.max(a, b); });
      for (int64_t tile = 0; tile < slotsOfBlock / 8; ++tile)
        for (int64_t column = 0; column < 2; ++column) {
          Scalar &value = x.at(tile, half, column);
          value = t.power(value - top[half]);
          sum[size_t(half)] = sum[size_t(half)] + value;
          value = value * factors.at(tile, half, column);
        }
      sum[size_t(half)] = t.acrossRow(sum[size_t(half)], [](Scalar a, Scalar b) { return a + b; });
    }
    const int64_t valuePad = TileCode::padded(s.valueWidth, t.tensorCores);
    Fragment output = t.weightedSum(t.filled(valuePad, 0), x, valueRows);
    Scalars outRows, valid;
    for (int64_t half = 0; half < 2; ++half) {
      valid.push_back(t.row(half) < group);
      Scalar query = t.wide(head) * group + t.wide(t.row(half));
      outRows.push_back(query * s.splits() + t.wide(split));
      k.when(k.both(valid.back(), t.firstColumn == 0), [&] {
        k.store(top[half], tops, outRows.back() * 2);
        k.store(sum[size_t(half)], tops, outRows.back() * 2 + 1);
      });
    }
    t.storeRows(output, sums, valuePad, outRows, valid);
  }

  TileCode &t;
  KernelCode &k;
  const Sizes &s;
};

} // namespace

void advancePosition(KernelCode &k, int64_t tokens, Pointer lengths, Pointer positions, Scalar row) {
  Scalar length = k.min(k.max(k.load(lengths, row), k.i32(0)), k.i32(tokens));
  k.store(k.max(k.load(positions, row), k.i32(0)) + length, positions, row);
}

CacheAttention::CacheAttention(StepBuilder &builder, sparsek::AppendOp op)
    : builder(builder), tokens(Sizes(op).tokens) {
  const Sizes s(op);
  if (s.batch == 0 || s.queryHeads == 0 || s.tokens == 0 || s.valueWidth == 0)
    return;
  Type element = cast<RankedTensorType>(op.getQ().getType()).getElementType();
  const int64_t computeBytes = element.isF64() ? 8 : 4;
  const int64_t valuePad = TileCode::padded(s.valueWidth, element.isBF16() || element.isF16());
  const int64_t parts = s.batch * s.queryHeads * s.splits();
  const DeviceOperand sums = builder.reserve(parts * valuePad * computeBytes),
                      tops = builder.reserve(parts * 2 * computeBytes);
  const DeviceOperand tokenOperand{DeviceOperand::I32, 0};

  builder.kernel("cache_slots", s.batch * s.heads * s.splits(), s.warps() * warpSize,
                 {operandBuffer(Query), operandBuffer(Lengths), operandBuffer(Scale), operandBuffer(Gate),
                  operandBuffer(Estimator), resultBuffer(Keys), resultBuffer(Values), resultBuffer(Score),
                  resultBuffer(Hi), resultBuffer(Lo), resultBuffer(Position), sums, tops, tokenOperand},
                 [&](KernelCode &k) {
                   TileCode t(k, element, slotsOfBlock);
                   SlotKernel kernel(t, s);
                   kernel.q = k.pointer(0, element);
                   kernel.lengths = k.pointer(1, k.i32Type());
                   kernel.scales = k.pointer(2, k.b.getF64Type());
                   kernel.gates = k.pointer(3, k.i32Type());
                   kernel.estimators = k.pointer(4, k.i32Type());
                   kernel.keys = k.pointer(5, element);
                   kernel.values = k.pointer(6, element);
                   kernel.scores = k.pointer(7, t.compute);
                   kernel.hi = k.pointer(8, t.compute);
                   kernel.lo = k.pointer(9, t.compute);
                   kernel.positions = k.pointer(10, k.i32Type());
                   kernel.sums = k.pointer(11, t.compute);
                   kernel.tops = k.pointer(12, t.compute);
                   kernel.token = k.argument(13);
                   kernel.emit();
                 });
  steps.push_back(builder.program.steps.pop_back_val());

  constexpr int64_t threads = 128;
  builder.kernel(
      "cache_output", s.batch * s.queryHeads, threads,
      {operandBuffer(Lengths), resultBuffer(Hi), resultBuffer(Position), sums, tops, resultBuffer(O),
       tokenOperand},
      [&](KernelCode &k) {
        TileCode t(k, element, 0);
        Pointer sumRows = k.pointer(3, t.compute), topRows = k.pointer(4, t.compute);
        Scalar query = k.block(), token = k.argument(6);
        Scalar at = t.wide(query) * s.splits();
        Scalar isThere = token >= firstToken(k, s, k.pointer(0, k.i32Type()), query / s.queryHeads);
        Scalar splits = k.select(isThere, k.i32(s.splits()), k.i32(0));
        auto each = [&](Scalars init, llvm::function_ref<Scalars(Scalar, ArrayRef<Scalar>)> body) {
          return k.loop(k.i32(0), splits, k.i32(1), init, [&](Scalar split, ArrayRef<Scalar> carried) {
            return body(at + t.wide(split), carried);
          });
        };
        Scalar top = each({t.lowest()}, [&](Scalar part, ArrayRef<Scalar> x) {
          return Scalars{k.max(x[0], k.load(topRows, part * 2))};
        })[0];
        Scalar total = each({t.number(0)}, [&](Scalar part, ArrayRef<Scalar> x) {
          return Scalars{x[0] + k.load(topRows, part * 2 + 1) * t.power(k.load(topRows, part * 2) - top)};
        })[0];
        Scalar factor = k.select(total == 0.0, t.number(0), 1.0 / total);
        if (s.topk > 0) { // a NaN among the candidates
          Scalar high = k.load(k.pointer(1, t.compute), query / s.group());
          factor = k.select(k.both(isThere, k.isNan(high)), t.notANumber(), factor);
        }
        k.loop(k.thread(), k.i32(s.valueWidth), k.i32(threads), [&](Scalar column) {
          Scalar sum = each({t.number(0)}, [&](Scalar part, ArrayRef<Scalar> x) {
            Scalar value = k.load(sumRows, part * valuePad + t.wide(column));
            return Scalars{x[0] + value * t.power(k.load(topRows, part * 2) - top)};
          })[0];
          Scalar row = t.wide(query) * s.tokens + t.wide(token);
          k.store(k.cast(sum * factor, element), k.pointer(5, element), row * s.valueWidth + t.wide(column));
        });
        // Nobody reads positions here.
        k.when((token == s.tokens - 1) & (query % s.queryHeads == 0) & (k.thread() == 0), [&] {
          advancePosition(k, s.tokens, k.pointer(0, k.i32Type()), k.pointer(2, k.i32Type()),
                          query / s.queryHeads);
        });
      });
  steps.push_back(builder.program.steps.pop_back_val());
}

void CacheAttention::attend(int64_t token) {
  for (DeviceStep step : steps) {
    step.operands.back().number = token;
    builder.program.steps.push_back(step);
  }
}

} // namespace heddle::gpu
