//===- Prepare.cpp - Rewrites of a function before it is differentiated ---===//

#include "compiler/autodiff/Prepare.h"
#include "compiler/autodiff/Keep.h"
#include "compiler/autodiff/Support.h"

#include <cmath>

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

bool isOpaque(func::FuncOp function) {
  return function->hasAttr("heddle.checkpoint") || function->hasAttr("heddle.custom_vjp");
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

static bool callsOpaque(func::CallOp call, SymbolTable &symbols) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  return callee && isOpaque(callee);
}

/// Calls in what is inlined are inlined too, but for those of opaque functions where `keepOpaque`.
static LogicalResult inlineCall(func::CallOp call, SymbolTable &symbols, bool keepOpaque,
                                SmallVectorImpl<StringRef> &path) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  if (!callee || callee.isExternal())
    return call.emitError() << "cannot differentiate a call of @" << call.getCallee()
                            << ", which has no body";
  if (llvm::is_contained(path, callee.getName()))
    return call.emitError() << "cannot differentiate @" << callee.getName() << ", which calls itself";
  path.push_back(callee.getName());
  OpBuilder builder(call);
  IRMapping mapping;
  mapping.map(callee.getArguments(), call.getOperands());
  SmallVector<func::CallOp> inner;
  Block &body = callee.front();
  for (Operation &op : body.without_terminator())
    builder.clone(op, mapping)->walk([&](func::CallOp call) { inner.push_back(call); });
  for (auto [result, value] : llvm::zip(call.getResults(), body.getTerminator()->getOperands()))
    result.replaceAllUsesWith(mapping.lookupOrDefault(value));
  call.erase();
  for (func::CallOp next : inner)
    if (!(keepOpaque && callsOpaque(next, symbols)) && failed(inlineCall(next, symbols, keepOpaque, path)))
      return failure();
  path.pop_back();
  return success();
}

LogicalResult inlineCalls(func::FuncOp function, SymbolTable &symbols, bool keepOpaque) {
  SmallVector<func::CallOp> calls;
  function.walk([&](func::CallOp call) { calls.push_back(call); });
  SmallVector<StringRef> path;
  for (func::CallOp call : calls)
    if (!(keepOpaque && callsOpaque(call, symbols)) && failed(inlineCall(call, symbols, keepOpaque, path)))
      return failure();
  return success();
}

/// Whether there is attention in a function or in what it calls.
static bool holdsAttention(func::FuncOp function, SymbolTable &symbols, llvm::DenseSet<Operation *> &seen) {
  if (!function || !seen.insert(function).second)
    return false;
  return function
      .walk([&](Operation *op) {
        auto call = dyn_cast<func::CallOp>(op);
        const bool found = call
                               ? holdsAttention(symbols.lookup<func::FuncOp>(call.getCallee()), symbols, seen)
                               : isLong(*op);
        return found ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The calls of a loop's body if they are its costly work and of checkpointed functions, otherwise none.
static SmallVector<func::CallOp> checkpointedCalls(ForOp loop, SymbolTable &symbols) {
  SmallVector<func::CallOp> calls;
  for (Operation &op : loop.getBody().front().without_terminator()) {
    if (isCheap(op))
      continue;
    auto call = dyn_cast<func::CallOp>(op);
    auto callee = call ? symbols.lookup<func::FuncOp>(call.getCallee()) : func::FuncOp();
    // A body that is inlined would lose a rule of its own.
    if (!callee || !callee->hasAttr("heddle.checkpoint") || callee->hasAttr("heddle.custom_vjp"))
      return {};
    calls.push_back(call);
  }
  return calls;
}

LogicalResult inlineAttention(func::FuncOp function, SymbolTable &symbols) {
  SmallVector<ForOp> loops;
  function.walk([&](ForOp loop) { loops.push_back(loop); });
  for (ForOp loop : loops) {
    SmallVector<func::CallOp> calls = checkpointedCalls(loop, symbols);
    llvm::DenseSet<Operation *> seen;
    if (loop.getCount() < 2 || llvm::none_of(calls, [&](func::CallOp call) {
          return holdsAttention(symbols.lookup<func::FuncOp>(call.getCallee()), symbols, seen);
        }))
      continue;
    SmallVector<StringRef> path;
    for (func::CallOp call : calls)
      if (failed(inlineCall(call, symbols, true, path)))
        return failure();
    loop->setAttr("heddle.checkpoint", UnitAttr::get(loop.getContext()));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

/// Whether doing an operation again in each step is worth avoiding, though a backward pass may do it again
/// once.
static bool isTranscendental(Operation &op) {
  return isa<ExpOp, Expm1Op, LogOp, Log1pOp, SinOp, CosOp, TanhOp, ErfOp, SigmoidOp, PowOp>(op);
}

/// Moves out of a loop the costly operations that read nothing of it, with the cheap ones that they read.
static void hoistInvariants(ForOp loop) {
  if (loop.getCount() == 0)
    return;
  Block &body = loop.getBody().front();
  llvm::DenseSet<Operation *> invariant;
  for (Operation &op : body.without_terminator())
    if (isMemoryEffectFree(&op) && llvm::all_of(readValues(op), [&](Value value) {
          return value.getParentBlock() != &body || invariant.contains(value.getDefiningOp());
        }))
      invariant.insert(&op);
  llvm::DenseSet<Operation *> moved;
  for (Operation &op : llvm::reverse(body)) {
    bool costly = !isCheap(op) || isTranscendental(op) || llvm::any_of(op.getUsers(), [&](Operation *user) {
      return moved.contains(body.findAncestorOpInBlock(*user));
    });
    if (invariant.contains(&op) && costly)
      moved.insert(&op);
  }
  for (Operation &op : llvm::make_early_inc_range(body))
    if (moved.contains(&op))
      op.moveBefore(loop);
}

void hoistInvariants(func::FuncOp function) {
  function.walk([](ForOp loop) { hoistInvariants(loop); }); // Inner loops first.
}

/// Builds one loop over the steps [first, first + count) of `loop`, or over `segments` runs of `count` steps
/// each, and gives its results; collected results have the extent segments * count.
namespace {
class LoopCutter {
public:
  LoopCutter(ForOp loop) : loop(loop), loc(loop.getLoc()), builder(loop) {}

  void cut() {
    int64_t n = loop.getCount(), length = std::ceil(std::sqrt((double)n)), segments = n / length;
    int64_t rest = n - segments * length;
    SmallVector<Value> carries(loop.getInits());
    SmallVector<Value> main, tail;
    auto runMain = [&] { main = nest(segments, length, carries); };
    auto runTail = [&] {
      if (rest)
        tail = single(segments * length, rest, carries);
    };
    if (loop.getReverse()) {
      runTail();
      runMain();
    } else {
      runMain();
      runTail();
    }
    SmallVector<Value> results = carries;
    for (auto [i, value] : llvm::enumerate(main))
      results.push_back(rest ? ConcatOp::create(builder, loc, ValueRange{value, tail[i]}, 0).getResult()
                             : value);
    loop->replaceAllUsesWith(results);
    loop.erase();
  }

private:
  Value part(Value value, int64_t first, int64_t count) {
    auto type = tensorType(value);
    SmallVector<int64_t> starts(type.getRank(), 0), sizes(type.getShape()), strides(type.getRank(), 1);
    starts[0] = first;
    sizes[0] = count;
    return SliceOp::create(builder, loc, value, starts, sizes, strides);
  }
  Value reshape(Value value, ArrayRef<int64_t> lead, int64_t dropped) {
    auto type = tensorType(value);
    SmallVector<int64_t> shape(lead);
    llvm::append_range(shape, type.getShape().drop_front(dropped));
    return ReshapeOp::create(builder, loc, withShape(type, shape), value);
  }
  /// An empty loop like `loop` with another number of steps and other operands.
  ForOp emptyLoop(int64_t count, ValueRange scanned, ValueRange inits, TypeRange collected) {
    SmallVector<Type> types(inits.getTypes());
    llvm::append_range(types, collected);
    auto made = ForOp::create(builder, loc, types, count, scanned, inits, loop.getReverse());
    made->setAttr("heddle.checkpoint", builder.getUnitAttr());
    Block *body = builder.createBlock(&made.getBody());
    body->addArgument(loop.getStep().getType(), loc);
    for (Value value : scanned)
      body->addArgument(withShape(tensorType(value), tensorType(value).getShape().drop_front()), loc);
    for (Value value : inits)
      body->addArgument(value.getType(), loc);
    builder.setInsertionPointToEnd(body);
    return made;
  }
  SmallVector<Type> collectedTypes(int64_t count) {
    SmallVector<Type> types;
    for (Value result : loop.getCollectedResults()) {
      SmallVector<int64_t> shape(tensorType(result).getShape());
      shape[0] = count;
      types.push_back(withShape(tensorType(result), shape));
    }
    return types;
  }
  /// Copies the original body into `made`, with its step number plus `base`.
  void fill(ForOp made, Value base) {
    IRMapping mapping;
    Value step = AddOp::create(builder, loc, made.getStep(), base);
    mapping.map(loop.getStep(), step);
    for (auto [from, to] :
         llvm::zip(loop.getBody().getArguments().drop_front(), made.getBody().getArguments().drop_front()))
      mapping.map(from, to);
    for (Operation &op : loop.getBody().front())
      builder.clone(op, mapping);
    builder.setInsertionPointAfter(made);
  }
  SmallVector<Value> finish(ForOp made, SmallVectorImpl<Value> &carries) {
    carries.assign(made.getCarryResults().begin(), made.getCarryResults().end());
    return SmallVector<Value>(made.getCollectedResults());
  }
  SmallVector<Value> single(int64_t first, int64_t count, SmallVectorImpl<Value> &carries) {
    SmallVector<Value> scanned;
    for (Value value : loop.getScanned())
      scanned.push_back(part(value, first, count));
    Value base = splat(builder, loc, loop.getStep().getType(), first);
    ForOp made = emptyLoop(count, scanned, carries, collectedTypes(count));
    fill(made, base);
    return finish(made, carries);
  }
  SmallVector<Value> nest(int64_t segments, int64_t length, SmallVectorImpl<Value> &carries) {
    SmallVector<Value> scanned;
    for (Value value : loop.getScanned())
      scanned.push_back(reshape(part(value, 0, segments * length), {segments, length}, 1));
    SmallVector<Type> types;
    for (Type type : collectedTypes(length)) {
      SmallVector<int64_t> shape(cast<RankedTensorType>(type).getShape());
      shape.insert(shape.begin(), segments);
      types.push_back(withShape(cast<RankedTensorType>(type), shape));
    }
    ForOp outer = emptyLoop(segments, scanned, carries, types);
    Value base =
        MulOp::create(builder, loc, outer.getStep(), splat(builder, loc, outer.getStep().getType(), length));
    SmallVector<Value> slices(outer.getSlices().begin(), outer.getSlices().end());
    SmallVector<Value> starts(outer.getCarries().begin(), outer.getCarries().end());
    ForOp inner = emptyLoop(length, slices, starts, collectedTypes(length));
    fill(inner, base);
    YieldOp::create(builder, loc, inner.getResults());
    builder.setInsertionPointAfter(outer);
    SmallVector<Value> collected;
    for (Value value : finish(outer, carries))
      collected.push_back(reshape(value, {segments * length}, 2));
    return collected;
  }

  ForOp loop;
  Location loc;
  OpBuilder builder;
};
} // namespace

void cutLongLoops(func::FuncOp function, SymbolTable &symbols) {
  SmallVector<ForOp> loops;
  function.walk([&](ForOp loop) {
    if (loop.getCount() > 64 && (isCheckpointed(loop) || !checkpointedCalls(loop, symbols).empty()))
      loops.push_back(loop);
  });
  for (ForOp loop : loops)
    LoopCutter(loop).cut();
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

LogicalResult checkStatic(func::FuncOp function) {
  auto isDynamic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && !tensor.hasStaticShape();
  };
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    if (isDynamic(type))
      return function.emitError() << "cannot differentiate @" << function.getName() << ", whose argument "
                                  << i << " has type " << type << ": every extent must be known";
  WalkResult walk = function.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (isDynamic(type)) {
        op->emitError() << "cannot differentiate '" << op->getName() << "' with result type " << type
                        << ": every extent must be known";
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

} // namespace heddle::autodiff
