//===- CacheOps.cpp - Generation with a cache of selected keys ------------===//
//
// Functions of the runtime that work on a cache where it lies. Where a result does not take its operand's
// place, which the plan of buffers decides, the operand is copied there first.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/CpuEntryLowering.h"
#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

using namespace mlir;
using namespace heddle::cpu;
namespace sk = heddle::sparsek;

void CpuEntryLowering::lower(sk::AppendOp op) {
  Location loc = op.getLoc();
  for (auto [old, next] : llvm::zip(op.getState(), op.getResults().drop_front()))
    copy(old, plan->place(next), loc);
  ScalarEmitter emit(builder, loc);
  auto q = tensorType(op.getQ()), k = tensorType(op.getK());
  SmallVector<Value> arguments = {call, message(builder, op, ""),
                                  emit.integer(builder.getI32Type(), runtimeType(k.getElementType()))};
  for (int64_t size : {k.getDimSize(0), q.getDimSize(1), k.getDimSize(1), k.getDimSize(2), k.getDimSize(3),
                       tensorType(op.getV()).getDimSize(3), (int64_t)op.getTopk(), (int64_t)op.getWindow(),
                       tensorType(op.getLive()).getDimSize(2)})
    arguments.push_back(constantIndex(loc, size));
  for (Value token : {op.getQ(), op.getK(), op.getV(), op.getU(), op.getLengths()})
    arguments.push_back(buffer(token));
  for (Value leaf : op.getResults().drop_front())
    arguments.push_back(buffer(leaf));
  for (Value option : {op.getScale(), op.getGate(), op.getEstimator(), op.getO()})
    arguments.push_back(buffer(option));
  ir::RuntimeCallOp::create(builder, loc, "heddle_call_sparsek_append", arguments);
}

void CpuEntryLowering::lower(sk::FillCacheOp op) {
  Location loc = op.getLoc();
  ScalarEmitter emit(builder, loc);
  auto k = tensorType(op.getK());
  SmallVector<Value> arguments = {call, message(builder, op, ""),
                                  emit.integer(builder.getI32Type(), runtimeType(k.getElementType()))};
  for (int64_t size : {k.getDimSize(0), k.getDimSize(1), k.getDimSize(2), k.getDimSize(3),
                       tensorType(op.getV()).getDimSize(3), (int64_t)op.getTopk(), (int64_t)op.getWindow(),
                       (int64_t)op.getCapacity()})
    arguments.push_back(constantIndex(loc, size));
  for (Value token : {op.getK(), op.getV(), op.getU(), op.getLengths()})
    arguments.push_back(buffer(token));
  for (Value leaf : op.getResults())
    arguments.push_back(buffer(leaf));
  ir::RuntimeCallOp::create(builder, loc, "heddle_call_sparsek_fill_cache", arguments);
}
