#include "compiler/conversion/SparseKToCPU/AttentionCode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;

namespace heddle::cpu::attention {

AttentionCode::AttentionCode(ImplicitLocOpBuilder &builder, const Plan &plan)
    : VectorCode(builder, plan.target, plan.compute, plan.lanes), plan(plan) {}

//===--- Scratch and scalars ---===//

Buffer AttentionCode::scratch(int64_t extent) {
  auto type = MemRefType::get(std::max<int64_t>(extent, 1), accumulatorType());
  return {memref::AllocaOp::create(b, type, b.getI64IntegerAttr(64)), accumulator};
}

Value AttentionCode::intScratch(int64_t extent) {
  auto type = MemRefType::get(std::max<int64_t>(extent, 1), b.getI32Type());
  return memref::AllocaOp::create(b, type, b.getI64IntegerAttr(64));
}

Value AttentionCode::scalarConstant(double value) {
  return arith::ConstantOp::create(b, b.getFloatAttr(accumulatorType(), value));
}

Value AttentionCode::constant(double value) {
  auto attr = b.getFloatAttr(accumulatorType(), value);
  return arith::ConstantOp::create(b, DenseElementsAttr::get(laneVectorType(), attr.getValue()));
}

Value AttentionCode::i32(int64_t value) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(int32_t(value)));
}

Value AttentionCode::lowest() {
  return constant(accumulator == MatmulElement::F64 ? std::numeric_limits<double>::lowest()
                                                    : double(std::numeric_limits<float>::lowest()));
}

Value AttentionCode::isGreater(Value x, Value y) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y);
}
Value AttentionCode::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}
Value AttentionCode::subf(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
Value AttentionCode::mulf(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
Value AttentionCode::divf(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
Value AttentionCode::isNan(Value x) { return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x); }

Value AttentionCode::loadIndex(Value memref, Value at) {
  return arith::IndexCastOp::create(b, b.getIndexType(), memref::LoadOp::create(b, memref, at));
}

void AttentionCode::storeI32(Value index, Value memref, Value at) {
  memref::StoreOp::create(b, arith::IndexCastOp::create(b, b.getI32Type(), index), memref, at);
}

//===--- Functions of lane vectors ---===//

Value AttentionCode::bitsConstant(int64_t value) {
  unsigned bits = accumulator == MatmulElement::F64 ? 64 : 32;
  auto type = VectorType::get(lanes, b.getIntegerType(bits));
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, APInt(bits, value, true, true)));
}

Value AttentionCode::bitsOf(Value x) {
  unsigned bits = accumulator == MatmulElement::F64 ? 64 : 32;
  return arith::BitcastOp::create(b, VectorType::get(lanes, b.getIntegerType(bits)), x);
}

Value AttentionCode::floatOf(Value x) { return arith::BitcastOp::create(b, laneVectorType(), x); }

Value AttentionCode::smallestExponent() {
  return constant(accumulator == MatmulElement::F64 ? -708.39 : -87.33);
}

Value AttentionCode::exponential(Value x) {
  // x = n ln 2 + r with |r| <= ln 2 / 2. Adding a large constant rounds n to an integer that stands, with the
  // exponent's bias, in the lowest bits of the sum.
  const bool wide = accumulator == MatmulElement::F64;
  const int64_t mantissa = wide ? 52 : 23, bias = wide ? 1023 : 127;
  const double magic = (wide ? 6755399441055744.0 : 12582912.0) + double(bias);
  x = larger(smallestExponent(), x); // keeps NaN
  Value shifted = multiplyAdd(x, constant(1.4426950408889634), constant(magic));
  Value n = subf(shifted, constant(magic));
  Value power = floatOf(arith::ShLIOp::create(b, bitsOf(shifted), bitsConstant(mantissa)));
  // ln 2 in two parts, the first one short enough for an exact product.
  Value r = multiplyAdd(n, constant(wide ? -6.93147180369123816490e-01 : -0.693359375), x);
  r = multiplyAdd(n, constant(wide ? -1.90821492927058770002e-10 : 2.12194440e-4), r);
  // f32: a polynomial of least relative error; f64: Taylor's, whose error is 4e-18 here.
  SmallVector<double> coefficients;
  if (wide) {
    double factorial = 1;
    for (int i = 0; i <= 13; ++i) {
      factorial *= i > 0 ? i : 1;
      coefficients.push_back(1 / factorial);
    }
    std::reverse(coefficients.begin(), coefficients.end());
  } else {
    coefficients = {1.9875691500e-4,
                    1.3981999507e-3,
                    8.3334519073e-3,
                    4.1665795894e-2,
                    1.6666665459e-1,
                    5.0000001201e-1,
                    1.0,
                    1.0};
  }
  Value sum = constant(coefficients.front());
  for (double c : ArrayRef<double>(coefficients).drop_front())
    sum = multiplyAdd(sum, r, constant(c));
  return mulf(sum, power);
}

Value AttentionCode::exponentialOrZero(Value x) {
  Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, smallestExponent());
  return select(below, zero(), exponential(x));
}

Value AttentionCode::logarithm(Value x) {
  // A rough value from exponent and mantissa, then steps of third order with the exponential:
  // y += 2 (x - e^y) / (x + e^y).
  const bool wide = accumulator == MatmulElement::F64;
  const int64_t mantissa = wide ? 52 : 23, bias = wide ? 1023 : 127;
  Value bits = bitsOf(x);
  Value exponent =
      arith::SubIOp::create(b, arith::ShRUIOp::create(b, bits, bitsConstant(mantissa)), bitsConstant(bias));
  Value whole = arith::SIToFPOp::create(b, laneVectorType(), exponent);
  Value fraction = arith::AndIOp::create(b, bits, bitsConstant((int64_t(1) << mantissa) - 1));
  fraction = arith::OrIOp::create(b, fraction, bitsConstant(bias << mantissa));
  Value f = subf(floatOf(fraction), constant(1));
  // ln(1 + f) is near f (1 - 0.307 f) on [0, 1], to 0.02.
  Value rough = mulf(f, multiplyAdd(f, constant(-0.307), constant(1)));
  Value y = multiplyAdd(whole, constant(0.6931471805599453), rough);
  for (int step = 0; step < (wide ? 3 : 2); ++step) {
    Value e = exponential(y);
    Value change = divf(subf(x, e), sumOf(x, e));
    y = sumOf(y, sumOf(change, change));
  }
  return y;
}

Value AttentionCode::gateArgument(Value u, Value hi, Value lo) { return subf(subf(u, hi), lo); }

Value AttentionCode::clipped(Value x) {
  Value low = larger(x, zero()), one = constant(1);
  return select(isGreater(one, low), low, one);
}

Value AttentionCode::sees(const KeyBlock &block, Value j, Value panelStart, int64_t part) {
  auto type = VectorType::get(lanes, b.getI32Type());
  SmallVector<int32_t, 16> iota;
  for (int64_t i = 0; i < lanes; ++i)
    iota.push_back(int32_t(part * lanes + i));
  Value lane = arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<int32_t>(iota)));
  Value start = arith::IndexCastOp::create(b, b.getI32Type(), panelStart);
  Value query = arith::AddIOp::create(b, lane, splat(start));
  Value from = splat(memref::LoadOp::create(b, block.from, j));
  Value until = splat(memref::LoadOp::create(b, block.until, j));
  Value late = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, query, from);
  Value early = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, query, until);
  return arith::AndIOp::create(b, late, early);
}

//===--- Rows and panels ---===//

void AttentionCode::copyRow(Buffer from, Value fromBase, Buffer to, Value toBase, int64_t width) {
  const int64_t whole = width / lanes, tail = width % lanes;
  auto copy = [&](Value offset, int64_t count) {
    Value x = loadLanes(from, add(fromBase, offset), count);
    // Rows of scratch are padded: a whole vector writes the zeros of the tail too.
    bool padded = to.element == accumulator && from.element != accumulator;
    if (padded || count == lanes)
      storeLanes(x, to, add(toBase, offset));
    else
      storeLanes(x, to, add(toBase, offset), count);
  };
  if (whole <= 8) {
    for (int64_t i = 0; i < whole; ++i)
      copy(index(i * lanes), lanes);
  } else {
    loop(index(0), index(whole * lanes), lanes, [&](Value offset) { copy(offset, lanes); });
  }
  if (tail)
    copy(index(whole * lanes), tail);
}

void AttentionCode::zeroFill(Buffer to, Value base, Value extent) {
  loop(index(0), extent, lanes, [&](Value offset) { storeLanes(zero(), to, add(base, offset)); });
}

void AttentionCode::stageRows(Buffer from, Value fromBase, Value rows, int64_t width, int64_t pad, Buffer to,
                              Value toBase) {
  loop(index(0), rows, 1, [&](Value r) {
    Value source = add(fromBase, mul(r, width)), target = add(toBase, mul(r, pad));
    const int64_t whole = width / lanes * lanes;
    if (whole)
      copyRow(from, source, to, target, whole);
    if (pad > whole)
      storeLanes(loadLanes(from, add(source, whole), width - whole), to, add(target, whole));
  });
  loop(rows, index(plan.tile), 1, [&](Value r) { zeroFill(to, add(toBase, mul(r, pad)), index(pad)); });
}

void AttentionCode::scaleRows(Buffer rows, Value base, int64_t pad, double factor) {
  Value f = constant(factor);
  loop(index(0), index(plan.tile * pad), lanes, [&](Value offset) {
    Value at = add(base, offset);
    storeLanes(mulf(loadVector(rows, at), f), rows, at);
  });
}

void AttentionCode::toPanels(Buffer rows, Value rowsBase, int64_t width, int64_t pad, Buffer panels,
                             Value panelsBase) {
  auto square = [&](Value q, Value e, int64_t columns) {
    Values in;
    for (int64_t i = 0; i < lanes; ++i)
      in.push_back(loadVector(rows, add(rowsBase, add(mul(add(q, i), pad), e))));
    Values out = transpose(in);
    Value at = add(panelsBase, add(mul(div(q, plan.panel), width * plan.panel), rem(q, plan.panel)));
    for (int64_t i = 0; i < columns; ++i)
      storeLanes(out[i], panels, add(at, mul(add(e, i), plan.panel)));
  };
  const int64_t whole = width / lanes * lanes;
  loop(index(0), index(plan.tile), lanes, [&](Value q) {
    if (whole)
      loop(index(0), index(whole), lanes, [&](Value e) { square(q, e, lanes); });
    if (width > whole)
      square(q, index(whole), width - whole);
  });
}

void AttentionCode::fromPanels(Buffer panels, Value panelsBase, int64_t width, int64_t pad, Buffer factor,
                               Value factorBase, Buffer rows) {
  auto square = [&](Value q, Value e, int64_t columns) {
    Value f = loadVector(factor, add(factorBase, q));
    Value at = add(panelsBase, add(mul(div(q, plan.panel), width * plan.panel), rem(q, plan.panel)));
    Values in;
    for (int64_t i = 0; i < lanes; ++i)
      in.push_back(i < columns ? mulf(loadVector(panels, add(at, mul(add(e, i), plan.panel))), f) : zero());
    Values out = transpose(in);
    for (int64_t i = 0; i < lanes; ++i)
      storeLanes(out[i], rows, add(mul(add(q, i), pad), e));
  };
  const int64_t whole = width / lanes * lanes;
  loop(index(0), index(plan.tile), lanes, [&](Value q) {
    if (whole)
      loop(index(0), index(whole), lanes, [&](Value e) { square(q, e, lanes); });
    if (width > whole)
      square(q, index(whole), width - whole);
  });
}

//===--- Products ---===//

llvm::SmallVector<std::pair<int64_t, int64_t>, 2> evenTiles(int64_t total, int64_t most) {
  if (total == 0)
    return {};
  const int64_t tiles = (total + most - 1) / most, tall = total % tiles, rows = total / tiles;
  llvm::SmallVector<std::pair<int64_t, int64_t>, 2> result;
  if (tall)
    result.push_back({rows + 1, tall});
  result.push_back({rows, tiles - tall});
  return result;
}

void AttentionCode::scoreProduct(Buffer rows, int64_t pad, int64_t width, Buffer panel, Value panelBase,
                                 const PanelRange &range, Buffer out, int64_t outStride, Value outBase,
                                 bool accumulate) {
  const int64_t height = plan.tileRows;
  // Blocks hold whole register tiles, so rounding out stays inside them.
  Value begin = mul(div(range.begin, height), height);
  loop(begin, range.end, height, [&](Value j) {
    matmul::PanelView a{rows, mul(j, pad), pad, 1, true};
    matmul::PanelView q{panel, panelBase, 1, plan.panel, true};
    auto at = [&](int64_t i, int64_t part) {
      return add(add(outBase, mul(add(j, i), outStride)), part * lanes);
    };
    matmul::emitTile(
        *this, {height, 2, lanes}, a, q, index(width),
        [&] {
          Values start(size_t(2 * height), zero());
          for (int64_t i = 0; accumulate && i < 2 * height; ++i)
            start[size_t(i)] = loadVector(out, at(i / 2, i % 2));
          return start;
        },
        [&](ValueRange sums) {
          for (int64_t i = 0; i < height; ++i)
            for (int64_t part = 0; part < 2; ++part)
              storeLanes(sums[i * 2 + part], out, at(i, part));
        });
  });
}

void AttentionCode::weightedSum(Buffer rows, int64_t pad, int64_t width, Buffer weights, int64_t weightStride,
                                Value weightBase, const PanelRange &range, ValueRange rescale, Buffer out,
                                Value outBase) {
  int64_t done = 0;
  for (auto [height, tiles] : evenTiles(width, plan.tileRows)) {
    loop(index(done), index(done + height * tiles), height, [&](Value d) {
      auto at = [&](int64_t i, int64_t part) {
        return add(add(outBase, mul(add(d, i), plan.panel)), part * lanes);
      };
      matmul::PanelView a{rows, add(mul(range.begin, pad), d), 1, pad, true};
      matmul::PanelView w{weights, add(weightBase, mul(range.begin, weightStride)), 1, weightStride, true};
      matmul::emitTile(
          *this, {height, 2, lanes}, a, w, sub(range.end, range.begin),
          [&] {
            Values start;
            for (int64_t i = 0; i < height; ++i)
              for (int64_t part = 0; part < 2; ++part) {
                Value x = loadVector(out, at(i, part));
                start.push_back(rescale.empty() ? x : mulf(x, rescale[size_t(part)]));
              }
            return start;
          },
          [&](ValueRange sums) {
            for (int64_t i = 0; i < height; ++i)
              for (int64_t part = 0; part < 2; ++part)
                storeLanes(sums[i * 2 + part], out, at(i, part));
          });
    });
    done += height * tiles;
  }
}

void AttentionCode::maskedSum(llvm::function_ref<Value(Value, int64_t, Value)> takesPart, Buffer rows,
                              int64_t pad, int64_t width, Buffer weights, int64_t weightStride,
                              Value weightBase, const PanelRange &range, ValueRange rescale, Buffer out,
                              Value outBase) {
  loop(index(0), index(width), 1, [&](Value d) {
    Value at = add(outBase, mul(d, plan.panel));
    Values start;
    for (int64_t part = 0; part < 2; ++part) {
      Value x = loadVector(out, add(at, part * lanes));
      start.push_back(rescale.empty() ? x : mulf(x, rescale[size_t(part)]));
    }
    Values sums = loopCarrying(range.begin, range.end, 1, start, [&](Value j, ValueRange sums) {
      Value element = splat(loadScalar(rows, add(mul(j, pad), d)));
      Values next;
      for (int64_t part = 0; part < 2; ++part) {
        Value weight = loadVector(weights, add(add(weightBase, mul(j, weightStride)), part * lanes));
        Value sum = multiplyAdd(element, weight, sums[size_t(part)]);
        next.push_back(select(takesPart(j, part, weight), sum, sums[size_t(part)]));
      }
      return next;
    });
    for (int64_t part = 0; part < 2; ++part)
      storeLanes(sums[size_t(part)], out, add(at, part * lanes));
  });
}

Value AttentionCode::hasNonFinite(Buffer rows, int64_t pad, Value count) {
  // 0 times an infinity is NaN, and NaN stays. Several sums, since one would wait for itself.
  constexpr int64_t chains = 4;
  auto check = [&](Value at, Value sum) { return multiplyAdd(loadVector(rows, at), zero(), sum); };
  Value total = mul(count, pad), main = mul(div(total, chains * lanes), chains * lanes);
  Values sums =
      loopCarrying(index(0), main, chains * lanes, Values(chains, zero()), [&](Value at, ValueRange sums) {
        Values next;
        for (int64_t i = 0; i < chains; ++i)
          next.push_back(check(add(at, i * lanes), sums[size_t(i)]));
        return next;
      });
  Values rest = loopCarrying(main, total, lanes, Values{sums[0]},
                             [&](Value at, ValueRange sums) { return Values{check(at, sums[0])}; });
  sums[0] = sumOf(sumOf(rest[0], sums[1]), sumOf(sums[2], sums[3]));
  Value sum = sumOfLanes(sums[0]);
  return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, sum, sum);
}

void AttentionCode::keySums(Buffer weights, int64_t weightStride, const PanelRange &range, Buffer rows,
                            Value rowsBase, int64_t pad, Buffer out, int64_t outStride, Value firstRow,
                            Value slot, int64_t column) {
  const int64_t most = plan.target.vectorRegisters >= 32 ? 4 : 2;
  int64_t done = 0;
  for (auto [vectors, groups] : evenTiles(pad / lanes, most)) {
    // Wide tiles are half as high; both heights divide the blocks.
    const int64_t height = vectors > 2 ? plan.tileRows / 2 : plan.tileRows;
    loop(index(done), index(done + vectors * groups * lanes), vectors * lanes, [&](Value c) {
      loop(range.begin, range.end, height, [&](Value j) {
        Values at;
        for (int64_t i = 0; i < height; ++i) {
          Value row = add(firstRow, loadIndex(slot, add(j, i)));
          at.push_back(add(add(mul(row, outStride), column), c));
        }
        matmul::PanelView a{weights, add(mul(j, weightStride), range.panelStart), weightStride, 1, true};
        matmul::PanelView x{rows, add(add(rowsBase, mul(range.panelStart, pad)), c), 1, pad, true};
        matmul::emitTile(
            *this, {height, vectors, lanes}, a, x, index(plan.panel),
            [&] {
              Values start;
              for (int64_t i = 0; i < height; ++i)
                for (int64_t part = 0; part < vectors; ++part)
                  start.push_back(loadVector(out, add(at[size_t(i)], part * lanes)));
              return start;
            },
            [&](ValueRange sums) {
              for (int64_t i = 0; i < height; ++i)
                for (int64_t part = 0; part < vectors; ++part)
                  storeLanes(sums[size_t(i * vectors + part)], out, add(at[size_t(i)], part * lanes));
            });
      });
    });
    done += vectors * groups * lanes;
  }
}

void AttentionCode::gather(const KeyBlock &block, Buffer k, Buffer v, Value row, Value count,
                           llvm::function_ref<Value(Value)> key, Buffer dk, Buffer dv) {
  const int64_t width = plan.spec.keyWidth, valueWidth = plan.spec.valueWidth;
  Value first = mul(row, plan.keyLength);
  loop(index(0), count, 1, [&](Value position) {
    Value at = add(first, key(position));
    copyRow(k, mul(at, width), block.keys, mul(position, plan.keyPad), width);
    copyRow(v, mul(at, valueWidth), block.values, mul(position, plan.valuePad), valueWidth);
    if (block.keyTangents.memref)
      copyRow(dk, mul(at, width), block.keyTangents, mul(position, plan.keyPad), width);
    if (block.valueTangents.memref)
      copyRow(dv, mul(at, valueWidth), block.valueTangents, mul(position, plan.valuePad), valueWidth);
  });
}

} // namespace heddle::cpu::attention
