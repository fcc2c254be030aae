#include "compiler/conversion/SparseKToCPU/KeyBlocks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include <limits>

using namespace mlir;

namespace heddle::cpu::attention {

Value firstWindowKey(AttentionCode &v, const KernelArguments &args, Value query) {
  Value start = args.bounds ? v.loadIndex(args.bounds, query) : v.index(0);
  return v.max(start, v.sub(query, v.index(v.plan.spec.window - 1)));
}

KeyBlocks::KeyBlocks(AttentionCode &v, const KernelArguments &arguments) : v(v), p(v.plan), args(arguments) {
  block.keys = v.scratch(p.keyBlock * p.keyPad);
  block.values = v.scratch(p.keyBlock * p.valuePad);
  // The padding is read when rows are checked, so it must be finite.
  if (p.keyPad != p.spec.keyWidth)
    v.zeroFill(block.keys, v.index(0), v.index(p.keyBlock * p.keyPad));
  if (p.valuePad != p.spec.valueWidth)
    v.zeroFill(block.values, v.index(0), v.index(p.keyBlock * p.valuePad));
  if (args.dk.memref)
    block.keyTangents = v.scratch(p.keyBlock * p.keyPad);
  if (args.dv.memref) {
    block.valueTangents = v.scratch(p.keyBlock * p.valuePad);
    if (p.valuePad != p.spec.valueWidth)
      v.zeroFill(block.valueTangents, v.index(0), v.index(p.keyBlock * p.valuePad));
  }
  block.from = v.intScratch(p.keyBlock);
  block.until = v.intScratch(p.keyBlock);
  if (p.spec.topk > 0) {
    block.scores = v.scratch(p.keyBlock);
    if (args.du.memref)
      block.scoreTangents = v.scratch(p.keyBlock);
    hi = v.scratch(p.tile);
    lo = v.scratch(p.tile);
  }
  if (args.part.memref)
    block.slot = v.intScratch(p.keyBlock);
}

void KeyBlocks::startTile(const QueryTile &queries) {
  row = queries.row;
  tile = queries.tile;
  first = queries.first;
  count = queries.count;
  if (p.spec.topk == 0)
    return;
  Value at = v.add(v.mul(row, p.spec.length), first);
  v.loop(v.index(0), count, 1, [&](Value i) {
    v.storeScalar(v.loadScalar(args.hi, v.add(at, i)), hi, i);
    v.storeScalar(v.loadScalar(args.lo, v.add(at, i)), lo, i);
  });
  v.loop(count, v.index(p.tile), 1, [&](Value i) {
    v.storeScalar(v.zeroScalar(), hi, i);
    v.storeScalar(v.zeroScalar(), lo, i);
  });
}

Values BlockKind::each(AttentionCode &v, TypeRange types, llvm::function_ref<Values(bool)> body) const {
  if (!maySelect || !mayWindow)
    return body(maySelect);
  return v.choose(selected, types, body);
}

Values KeyBlocks::withPairs(TypeRange types, Value head, const PanelRange &range, Value masked,
                            PairsUse body) {
  return withGatePairs(types, range, masked, body);
}

Values KeyBlocks::withGatePairs(TypeRange types, const PanelRange &range, Value masked,
                                llvm::function_ref<Values(GatePairs &)> body) {
  return kind.each(v, types, [&](bool selected) {
    return v.choose(masked, types, [&](bool isMasked) {
      GatePairs pairs(v, block, range, {hi, lo}, selected, isMasked, gradients);
      return body(pairs);
    });
  });
}

Value KeyBlocks::takesPart(const PanelRange &range, Value j, int64_t part, Value) {
  return v.sees(block, j, range.panelStart, part);
}

Value KeyBlocks::brokenQueries(Value at) { return p.spec.topk > 0 ? v.isNan(v.loadVector(hi, at)) : Value(); }

void KeyBlocks::forEachBlock(Value firstHead, BlockUse body) {
  kind = {p.spec.topk > 0, p.spec.window > 0, {}};
  auto blocksOf = [&](Value keys) { return v.div(v.add(keys, p.keyBlock - 1), p.keyBlock); };
  Value selectedBlocks = v.index(0), blocks = v.index(0);
  if (kind.maySelect) {
    list = v.add(v.mul(row, p.tiles()), tile);
    whole = v.loadIndex(args.full, list);
    selectedKeys = v.loadIndex(args.total, list);
    blocks = selectedBlocks = blocksOf(selectedKeys);
  }
  if (kind.mayWindow) {
    windowBegin = firstWindowKey(v, args, first);
    windowEnd = v.add(first, count);
    blocks = v.add(blocks, blocksOf(v.sub(windowEnd, windowBegin)));
  }
  Type index = v.b.getIndexType(), flag = v.b.getI1Type();
  v.loop(v.index(0), blocks, 1, [&](Value number) {
    kind.selected = v.less(number, selectedBlocks);
    Value start;
    Values bounds = kind.each(v, {index, index}, [&](bool selected) {
      if (selected) {
        Value at = v.mul(number, p.keyBlock);
        return Values{at, v.min(v.index(p.keyBlock), v.sub(selectedKeys, at))};
      }
      Value key = v.add(windowBegin, v.mul(v.sub(number, selectedBlocks), p.keyBlock));
      return Values{key, v.min(v.index(p.keyBlock), v.sub(windowEnd, key))};
    });
    start = bounds[0];
    blockCount = bounds[1];
    kind.each(v, {}, [&](bool selected) {
      selected ? gatherSelected(start) : gatherWindow(start);
      return Values();
    });
    padSlots();
    if (block.slot)
      block.oddKeys = v.hasNonFinite(block.keys, p.keyPad, blockCount);
    else
      block.oddValues = v.hasNonFinite(block.values, p.valuePad, blockCount);
    if (block.valueTangents.memref)
      block.oddValues = arith::OrIOp::create(v.b, block.oddValues,
                                             v.hasNonFinite(block.valueTangents, p.valuePad, blockCount));
    body(block, [&](Value panelStart, PanelUse use) {
      Values part = kind.each(v, {index, index, flag}, [&](bool selected) {
        if (selected)
          return Values{v.index(0), blockCount, v.less(whole, v.add(start, blockCount))};
        // Only the keys that some query of the panel sees.
        Value firstQuery = v.add(first, panelStart);
        Value inside = args.bounds ? v.min(firstQuery, v.index(p.spec.length - 1)) : firstQuery;
        Value low = v.max(v.index(0), v.sub(firstWindowKey(v, args, inside), start));
        Value high = v.min(blockCount, v.sub(v.add(firstQuery, p.panel), start));
        // Nothing is masked if the panel's first query sees the last key, and its last query the first one.
        Value future = v.less(firstQuery, v.add(start, v.sub(high, v.index(1))));
        Value past = v.less(v.add(v.add(start, low), p.spec.window), v.add(firstQuery, p.panel));
        Value masked = arith::OrIOp::create(v.b, future, past);
        if (args.bounds) { // or where a sequence ends within the panel
          Value stop = v.loadIndex(args.bounds, v.add(inside, p.spec.length));
          masked = arith::OrIOp::create(v.b, masked, v.less(stop, v.add(firstQuery, p.panel)));
        }
        return Values{low, high, masked};
      });
      v.when(v.less(part[0], part[1]), [&] { use({part[0], part[1], panelStart}, part[2]); });
    });
  });
}

void KeyBlocks::storeInterval(Value position, Value from, Value until) {
  auto cut = [&](Value query) { return v.min(v.max(v.sub(query, first), v.index(0)), v.index(p.tile)); };
  v.storeI32(cut(from), block.from, position);
  v.storeI32(cut(until), block.until, position);
}

void KeyBlocks::padSlots() {
  if (!block.slot)
    return;
  // Register tiles run over the block's end: no query sees what is there, and its sums go to a row that
  // nobody reads.
  v.loop(blockCount, v.index(p.keyBlock), 1, [&](Value i) {
    v.storeI32(v.index(p.spareRow()), block.slot, i);
    v.storeI32(v.index(0), block.until, i);
  });
}

void KeyBlocks::gatherSelected(Value start) {
  Value base = v.mul(list, p.listStride), rowStart = v.mul(row, p.spec.length);
  Value slots; // the names in the list are slots of the chunk, or keys
  if (block.slot)
    slots = v.mul(v.add(v.mul(row, p.chunks()), v.div(first, p.chunk)), p.slotStride);
  auto keyOf = [&](Value position) {
    Value key = v.loadIndex(args.lists, v.add(base, v.add(start, position)));
    if (slots) {
      v.storeI32(key, block.slot, position);
      key = v.loadIndex(args.slotKeys, v.add(slots, key));
    }
    Value at = v.add(rowStart, key);
    // Infinities act as the largest f32, as in the selection; with hi = -inf the gate is then 1.
    const double big = std::numeric_limits<float>::max();
    Value u = v.loadScalar(args.u, at);
    u = v.select(v.isGreater(u, v.scalarConstant(-big)), u, v.scalarConstant(-big));
    u = v.select(v.isGreater(u, v.scalarConstant(big)), v.scalarConstant(big), u);
    v.storeScalar(u, block.scores, position);
    if (block.scoreTangents.memref)
      v.storeScalar(v.loadScalar(args.du, at), block.scoreTangents, position);
    storeInterval(position, v.add(key, p.spec.window), v.loadIndex(args.ends, at));
    return key;
  };
  v.gather(block, args.k, args.v, row, blockCount, keyOf, args.dk, args.dv);
}

void KeyBlocks::gatherWindow(Value start) {
  Value origin; // the key of the chunk's first window row
  if (block.slot) {
    Value chunkStart = v.mul(v.div(first, p.chunk), p.chunk);
    origin = firstWindowKey(v, args, chunkStart);
  }
  auto keyOf = [&](Value position) {
    Value key = v.add(start, position);
    Value until = v.add(key, p.spec.window);
    if (args.bounds)
      until = v.min(until, v.loadIndex(args.bounds, v.add(key, p.spec.length)));
    storeInterval(position, key, until);
    if (block.slot)
      v.storeI32(v.add(v.sub(key, origin), p.firstWindowRow()), block.slot, position);
    return key;
  };
  v.gather(block, args.k, args.v, row, blockCount, keyOf, args.dk, args.dv);
}

llvm::SmallVector<AttentionOperand, 3> takeTileLists(const Plan &plan, Workspace &workspace,
                                                     AttentionStep &call) {
  using E = AttentionOperand::Element;
  const AttentionSpec &s = plan.spec;
  const int64_t tiles = s.rows() * plan.tiles();
  llvm::SmallVector<AttentionOperand, 3> operands{workspace.take(plan, E::I32, tiles * plan.listStride),
                                                  workspace.take(plan, E::I32, tiles),
                                                  workspace.take(plan, E::I32, tiles)};
  call.isRuntimeCall = true;
  call.symbol = "heddle_call_sparsek_tile_keys";
  call.operands.push_back(bufferOperand(plan, AttentionArgument::End));
  for (int64_t value : {s.rows(), s.length, s.topk, s.window, plan.tile, plan.listStride})
    call.operands.push_back(integerOperand(value));
  call.operands.append(operands.begin(), operands.end());
  return operands;
}

void emitKernel(OpBuilder &builder, ModuleOp module, const Plan &plan, const AttentionStep &step,
                llvm::function_ref<void(AttentionCode &, const KernelArguments &)> body) {
  using A = AttentionArgument;
  OpBuilder::InsertionGuard guard(builder);
  ImplicitLocOpBuilder b(builder.getUnknownLoc(), builder);
  AttentionCode v(b, plan);
  SmallVector<Type> types(2, b.getIndexType());
  for (const AttentionOperand &operand : step.operands)
    types.push_back(operand.isInteger ? b.getIndexType() : attentionOperandType(builder, plan.spec, operand));
  b.setInsertionPointToEnd(module.getBody());
  auto function = func::FuncOp::create(b, step.symbol, b.getFunctionType(types, {}));
  function.setPrivate();
  for (unsigned i = 2; i < types.size(); ++i)
    if (!types[i].isIndex())
      function.setArgAttr(i, "llvm.noalias", b.getUnitAttr());
  b.setInsertionPointToStart(function.addEntryBlock());

  KernelArguments arguments;
  arguments.begin = function.getArgument(0);
  arguments.end = function.getArgument(1);
  Value *integers[] = {&arguments.lists, &arguments.full, &arguments.total, &arguments.slotKeys,
                       &arguments.slotTotal};
  Buffer *parts[] = {&arguments.part, &arguments.scorePart};
  int nextInteger = 0, nextPart = 0;
  for (auto [i, operand] : llvm::enumerate(step.operands)) {
    Value value = function.getArgument(unsigned(i) + 2);
    if (operand.isInteger) {
      arguments.firstRow = value;
      continue;
    }
    const Buffer input{value, plan.spec.element}, score{value, plan.compute};
    switch (operand.argument) {
    case A::Q:
      arguments.q = input;
      break;
    case A::K:
      arguments.k = input;
      break;
    case A::V:
      arguments.v = input;
      break;
    case A::O:
      arguments.o = input;
      break;
    case A::DOut:
      arguments.dout = input;
      break;
    case A::DLse:
      arguments.dlse = score;
      break;
    case A::DQ:
      arguments.dq = input;
      break;
    case A::DK:
      arguments.dk = input;
      break;
    case A::DV:
      arguments.dv = input;
      break;
    case A::U:
      arguments.u = score;
      break;
    case A::Hi:
      arguments.hi = score;
      break;
    case A::Lo:
      arguments.lo = score;
      break;
    case A::Lse:
      arguments.lse = score;
      break;
    case A::DU:
      arguments.du = score;
      break;
    case A::DTau:
      arguments.dtau = score;
      break;
    case A::End:
      arguments.ends = value;
      break;
    case A::Bounds:
      arguments.bounds = value;
      break;
    case A::Workspace:
      if (operand.element == AttentionOperand::Element::I32)
        *integers[nextInteger++] = value;
      else
        *parts[nextPart++] = score;
      break;
    }
  }
  body(v, arguments);
  func::ReturnOp::create(b);
}

} // namespace heddle::cpu::attention
