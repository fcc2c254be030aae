//===- JoinAccesses.cpp - Accesses of 16 bytes ----------------------------===//
//
// A thread computes adjacent elements one by one; their loads and stores are joined here, where the alignment
// of buffers and the factors of positions are known. LLVM would have to rediscover both, and often does not.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToGPU/JoinAccesses.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

#include <numeric>

using namespace mlir;

namespace {

struct Access {
  Operation *op;
  int64_t offset; ///< from the group's base
};

/// Accesses of one kind to one buffer, at constant distances from each other, in the order of the block.
struct Group {
  Value memref, base;
  bool isStore;
  SmallVector<Access> accesses;
};

std::optional<int64_t> constantOf(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return number.getSExtValue();
  return std::nullopt;
}

/// What an index is surely a multiple of; 0 for zero.
int64_t factorOf(Value index) {
  if (auto constant = constantOf(index))
    return std::abs(*constant);
  if (auto sum = index.getDefiningOp<arith::AddIOp>())
    return std::gcd(factorOf(sum.getLhs()), factorOf(sum.getRhs()));
  if (auto product = index.getDefiningOp<arith::MulIOp>())
    return factorOf(product.getLhs()) * factorOf(product.getRhs());
  return 1;
}

class Join {
public:
  explicit Join(mlir::gpu::GPUFuncOp kernel) : kernel(kernel) {}

  void run(Block &block) {
    // What was seen since the last access of the other kind to the same buffer.
    llvm::MapVector<std::tuple<void *, void *, int>, Group> open;
    auto close = [&](Value memref, bool isStore) {
      for (auto &[key, group] : open)
        if (group.memref == memref && group.isStore == isStore)
          join(group);
      open.remove_if(
          [&](auto &entry) { return entry.second.memref == memref && entry.second.isStore == isStore; });
    };
    for (Operation &op : llvm::make_early_inc_range(block)) {
      auto load = dyn_cast<memref::LoadOp>(op);
      auto store = dyn_cast<memref::StoreOp>(op);
      if ((load || store) && alignments(load ? load.getMemRef() : store.getMemRef()) > 0) {
        Value memref = load ? load.getMemRef() : store.getMemRef();
        Value index = load ? load.getIndices()[0] : store.getIndices()[0], base = index;
        int64_t offset = 0;
        if (auto sum = index.getDefiningOp<arith::AddIOp>())
          if (auto constant = constantOf(sum.getRhs()))
            base = sum.getLhs(), offset = *constant;
        close(memref, !store);
        Group &group = open[{memref.getAsOpaquePointer(), base.getAsOpaquePointer(), store ? 1 : 0}];
        group.memref = memref;
        group.base = base;
        group.isStore = bool(store);
        group.accesses.push_back({&op, offset});
        continue;
      }
      if (op.getNumRegions() == 0)
        continue;
      // An inner block may write what is read here.
      for (auto &[key, group] : open)
        join(group);
      open.clear();
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          run(inner);
    }
    for (auto &[key, group] : open)
      join(group);
  }

private:
  /// Of a parameter, in bytes; 0 for other memory.
  int64_t alignments(Value memref) {
    auto argument = dyn_cast<BlockArgument>(memref);
    if (!argument || argument.getOwner() != &kernel.getBody().front())
      return 0;
    auto known = kernel.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "llvm.align");
    return known ? known.getInt() : 0;
  }

  void join(Group &group) {
    const int64_t bytes = cast<MemRefType>(group.memref.getType()).getElementTypeBitWidth() / 8;
    const int64_t most = std::min<int64_t>(16, alignments(group.memref)) / std::max<int64_t>(bytes, 1);
    const int64_t factor = factorOf(group.base);
    std::map<int64_t, Operation *> byOffset;
    for (const Access &access : group.accesses)
      if (!byOffset.try_emplace(access.offset, access.op).second && group.isStore)
        return; // written twice: the order counts
    for (auto at = byOffset.begin(); at != byOffset.end();) {
      int64_t width = most;
      auto fits = [&] {
        if (at->first % width != 0 || factor % width != 0)
          return false;
        for (int64_t j = 1; j < width; ++j)
          if (!byOffset.contains(at->first + j))
            return false;
        return true;
      };
      while (width > 1 && !fits())
        width /= 2;
      SmallVector<Operation *> parts;
      for (int64_t j = 0; j < width; ++j)
        parts.push_back((at++)->second);
      if (width > 1)
        join(group, parts, width * bytes);
    }
  }

  void join(Group &group, ArrayRef<Operation *> parts, int64_t bytes) {
    auto before = [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); };
    Operation *first = *llvm::min_element(parts, before), *last = *llvm::max_element(parts, before);
    Type element = cast<MemRefType>(group.memref.getType()).getElementType();
    auto type = VectorType::get({static_cast<int64_t>(parts.size())}, element);
    if (!group.isStore) {
      // The position of the first element may be computed after another one was read.
      OpBuilder b(first);
      Value index =
          parts[0] == first ? cast<memref::LoadOp>(first).getIndices()[0] : indexAt(b, group, parts[0]);
      auto vector = vector::LoadOp::create(b, first->getLoc(), type, group.memref, index,
                                           /*nontemporal=*/false, llvm::MaybeAlign(bytes));
      for (auto [j, part] : llvm::enumerate(parts)) {
        Value x =
            vector::ExtractOp::create(b, part->getLoc(), vector.getResult(), ArrayRef<int64_t>{(int64_t)j});
        part->getResult(0).replaceAllUsesWith(x);
      }
    } else {
      OpBuilder b(last);
      SmallVector<Value> values;
      for (Operation *part : parts)
        values.push_back(cast<memref::StoreOp>(part).getValueToStore());
      Value vector = vector::FromElementsOp::create(b, last->getLoc(), type, values);
      vector::StoreOp::create(b, last->getLoc(), vector, group.memref,
                              ValueRange{cast<memref::StoreOp>(parts[0]).getIndices()[0]},
                              /*nontemporal=*/false, llvm::MaybeAlign(bytes));
    }
    for (Operation *part : parts)
      part->erase();
  }

  /// The position of an access, from the base that all accesses of the group have.
  static Value indexAt(OpBuilder &b, Group &group, Operation *access) {
    for (const Access &known : group.accesses)
      if (known.op == access && known.offset != 0)
        return arith::AddIOp::create(b, access->getLoc(), group.base,
                                     arith::ConstantIndexOp::create(b, access->getLoc(), known.offset),
                                     arith::IntegerOverflowFlags::nsw);
    return group.base;
  }

  mlir::gpu::GPUFuncOp kernel;
};

} // namespace

void heddle::gpu::joinAccesses(mlir::gpu::GPUFuncOp kernel) { Join(kernel).run(kernel.getBody().front()); }
