//===- WholeOps.cpp - Kernels of operations that are not grouped ----------===//

#include "compiler/conversion/HeddleToCPU/CpuEntryLowering.h"
#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

/// Loops and positions of plain kernels.
struct Code {
  OpBuilder &b;
  Location loc;

  Value index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value mul(Value x, int64_t factor) { return arith::MulIOp::create(b, loc, x, index(factor)); }
  Value div(Value x, int64_t divisor) { return arith::DivUIOp::create(b, loc, x, index(divisor)); }
  Value rem(Value x, int64_t divisor) { return arith::RemUIOp::create(b, loc, x, index(divisor)); }

  /// A loop whose body `body(i, carried)` gives the next carried values.
  ValueRange loop(Value low, Value high, ValueRange carried,
                  llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
    auto loop = scf::ForOp::create(b, loc, low, high, index(1), carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
      if (!carried.empty())
        scf::YieldOp::create(b, loc, next);
    }
    return loop.getResults();
  }
  void loop(Value low, Value high, llvm::function_ref<void(Value)> body) {
    loop(low, high, {}, [&](Value i, ValueRange) {
      body(i);
      return SmallVector<Value>();
    });
  }
};

/// The elements before, along and after an axis.
struct Split {
  int64_t outer = 1, extent = 1, inner = 1;
  Split(RankedTensorType type, int64_t axis) {
    for (auto [d, n] : llvm::enumerate(type.getShape()))
      ((int64_t)d < axis ? outer : (int64_t)d == axis ? extent : inner) *= n;
  }
};

/// Columns of one task where an operation runs over a table's columns.
constexpr int64_t columnsPerTask = 32;

} // namespace

std::optional<MatmulPlan> heddle::cpu::matmulPlan(MatmulOp op, const MatmulTarget &target) {
  auto a = tensorType(op.getLhs()), c = cast<RankedTensorType>(op.getType());
  auto element = matmulElement(a.getElementType());
  if (!element)
    return std::nullopt;
  int64_t k = a.getDimSize(op.getTransposeLhs() ? 1 : 2);
  return planMatmul(MatmulSpec::contiguous(c.getDimSize(0), c.getDimSize(1), c.getDimSize(2), k, *element,
                                           op.getTransposeLhs(), op.getTransposeRhs()),
                    target);
}

void CpuEntryLowering::lower(MatmulOp op) {
  auto plan = matmulPlan(op, target);
  if (!plan)
    return lowerIntegerMatmul(op);
  Location loc = op.getLoc();
  std::string key;
  llvm::raw_string_ostream(key) << op.getLhs().getType() << op.getRhs().getType() << op.getTransposeLhs()
                                << op.getTransposeRhs();
  auto [known, isNew] = products.try_emplace(key);
  if (isNew) {
    OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
    known->second = emitMatmulKernels(end, module, *plan, uniqueName("matmul"));
  }
  for (const KernelCall &kernelCall : known->second) {
    SmallVector<Value> arguments;
    for (MatmulArgument argument : kernelCall.arguments) {
      auto type = cast<MemRefType>(matmulArgumentType(builder, *plan, argument));
      switch (argument) {
      case MatmulArgument::A:
        arguments.push_back(buffer(op.getLhs()));
        break;
      case MatmulArgument::B:
        arguments.push_back(buffer(op.getRhs()));
        break;
      case MatmulArgument::C:
        arguments.push_back(buffer(op.getResult()));
        break;
      case MatmulArgument::Workspace:
        arguments.push_back(arenaView(this->plan->workspace(op), type, loc));
        break;
      }
    }
    launch(loc, kernelCall.symbol, kernelCall.count, 1, arguments);
  }
}

void CpuEntryLowering::lowerIntegerMatmul(MatmulOp op) {
  Location loc = op.getLoc();
  auto a = tensorType(op.getLhs()), c = cast<RankedTensorType>(op.getType());
  bool ta = op.getTransposeLhs(), tb = op.getTransposeRhs();
  int64_t m = c.getDimSize(1), n = c.getDimSize(2), k = a.getDimSize(ta ? 1 : 2);
  remark::missed(loc, remark::RemarkOpts::name("integer product").category("heddle"))
      << "a product of integers runs as plain loops, without register tiles";
  SmallVector<Value> arguments = {buffer(op.getLhs()), buffer(op.getRhs()), buffer(op.getResult())};
  Kernel kernel = this->kernel(op, "integer_matmul", ValueRange(arguments).getTypes());
  Code code{kernel.builder, loc};
  Type element = c.getElementType();
  // A task is one row of the result.
  code.loop(kernel.begin, kernel.end, [&](Value task) {
    Value batch = code.div(task, m), row = code.rem(task, m);
    Value aBase = code.mul(batch, m * k), bBase = code.mul(batch, n * k);
    code.loop(code.index(0), code.index(n), [&](Value column) {
      ScalarEmitter emit(kernel.builder, loc);
      Value zero = emit.integer(element, 0);
      ValueRange sum = code.loop(code.index(0), code.index(k), zero, [&](Value step, ValueRange carried) {
        Value ai = ta ? code.add(code.mul(step, m), row) : code.add(code.mul(row, k), step);
        Value bi = tb ? code.add(code.mul(column, k), step) : code.add(code.mul(step, n), column);
        Value x = emit.load(kernel.arguments[0], code.add(aBase, ai), element);
        Value y = emit.load(kernel.arguments[1], code.add(bBase, bi), element);
        Value product = arith::MulIOp::create(kernel.builder, loc, x, y);
        return SmallVector<Value>{arith::AddIOp::create(kernel.builder, loc, carried[0], product)};
      });
      emit.store(sum[0], kernel.arguments[2], code.add(code.mul(task, n), column), element);
    });
  });
  func::ReturnOp::create(kernel.builder, loc);
  launch(loc, kernel.function.getName(), c.getDimSize(0) * m,
         std::max<int64_t>(1, 16384 / std::max<int64_t>(n * k, 1)), arguments);
}

void CpuEntryLowering::lower(ScatterAddOp op) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType();
  Split split(type, op.getAxis());
  int64_t count = tensorType(op.getIds()).getNumElements();
  int64_t columns = std::min(split.inner, columnsPerTask),
          blocks = columns ? (split.inner + columns - 1) / columns : 0;
  SmallVector<Value> arguments = {buffer(op.getBase()), buffer(op.getIds()), buffer(op.getUpdates()),
                                  buffer(op.getResult())};
  Kernel kernel = this->kernel(op, "scatter_add", ValueRange(arguments).getTypes());
  OpBuilder &b = kernel.builder;
  Code code{b, loc};
  ScalarEmitter emit(b, loc);
  Value base = kernel.arguments[0], ids = kernel.arguments[1], updates = kernel.arguments[2],
        result = kernel.arguments[3];
  // A task adds all updates, in order, to a block of columns of one outer index: nobody else writes there.
  code.loop(kernel.begin, kernel.end, [&](Value task) {
    Value outer = code.div(task, std::max<int64_t>(blocks, 1)),
          block = code.rem(task, std::max<int64_t>(blocks, 1));
    Value low = code.mul(block, columns);
    Value high = arith::MinSIOp::create(b, loc, code.add(low, code.index(columns)), code.index(split.inner));
    Value tableBase = code.mul(outer, split.extent * split.inner),
          updateBase = code.mul(outer, count * split.inner);
    code.loop(code.index(0), code.index(split.extent), [&](Value row) {
      Value start = code.add(tableBase, code.mul(row, split.inner));
      code.loop(low, high, [&](Value column) {
        Value at = code.add(start, column);
        emit.store(emit.load(base, at, element), result, at, element);
      });
    });
    code.loop(code.index(0), code.index(count), [&](Value number) {
      Value id = emit.toIndex(memref::LoadOp::create(b, loc, ids, number), split.extent);
      Value to = code.add(tableBase, code.mul(id, split.inner)),
            from = code.add(updateBase, code.mul(number, split.inner));
      code.loop(low, high, [&](Value column) {
        Value at = code.add(to, column);
        Value old = emit.load(result, at, element), x = emit.load(updates, code.add(from, column), element);
        Value sum = isa<FloatType>(computeType(element)) ? Value(arith::AddFOp::create(b, loc, old, x))
                                                         : Value(arith::AddIOp::create(b, loc, old, x));
        emit.store(sum, result, at, element);
      });
    });
  });
  func::ReturnOp::create(b, loc);
  launch(loc, kernel.function.getName(), split.extent ? split.outer * blocks : 0, 1, arguments);
}

/// The block alone is written where the result takes the operand's place; otherwise the rest is copied first.
void CpuEntryLowering::lower(DynamicUpdateSliceOp op) {
  Location loc = op.getLoc();
  copy(op.getX(), plan->place(op.getResult()), loc);
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType();
  Split split(type, op.getAxis());
  int64_t size = tensorType(op.getUpdate()).getDimSize(op.getAxis()), length = size * split.inner;
  SmallVector<Value> arguments = {buffer(op.getUpdate()), buffer(op.getStart()), buffer(op.getResult())};
  Kernel kernel = this->kernel(op, "update_slice", ValueRange(arguments).getTypes());
  OpBuilder &b = kernel.builder;
  Code code{b, loc};
  ScalarEmitter emit(b, loc);
  Value start = emit.load(kernel.arguments[1], code.index(0), tensorType(op.getStart()).getElementType());
  start = code.mul(emit.toIndex(start, split.extent - size + 1), split.inner);
  // A task is the part of the block under one outer index.
  code.loop(kernel.begin, kernel.end, [&](Value outer) {
    Value from = code.mul(outer, length), to = code.add(code.mul(outer, split.extent * split.inner), start);
    code.loop(code.index(0), code.index(length), [&](Value i) {
      emit.store(emit.load(kernel.arguments[0], code.add(from, i), element), kernel.arguments[2],
                 code.add(to, i), element);
    });
  });
  func::ReturnOp::create(b, loc);
  launch(loc, kernel.function.getName(), length ? split.outer : 0,
         std::max<int64_t>(1, 32768 / std::max<int64_t>(length, 1)), arguments);
}

void CpuEntryLowering::lower(PutAlongOp op) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType();
  Split split(type, op.getAxis());
  int64_t count = tensorType(op.getIds()).getDimSize(op.getAxis());
  SmallVector<Value> arguments = {buffer(op.getBase()), buffer(op.getIds()), buffer(op.getUpdates()),
                                  buffer(op.getResult())};
  Kernel kernel = this->kernel(op, "put_along", ValueRange(arguments).getTypes());
  OpBuilder &b = kernel.builder;
  Code code{b, loc};
  ScalarEmitter emit(b, loc);
  Value base = kernel.arguments[0], ids = kernel.arguments[1], updates = kernel.arguments[2],
        result = kernel.arguments[3];
  // A task is one line along the axis.
  code.loop(kernel.begin, kernel.end, [&](Value task) {
    Value outer = code.div(task, split.inner), column = code.rem(task, split.inner);
    auto at = [&](Value number, int64_t extent) {
      return code.add(code.mul(code.add(code.mul(outer, extent), number), split.inner), column);
    };
    code.loop(code.index(0), code.index(split.extent), [&](Value number) {
      Value position = at(number, split.extent);
      emit.store(emit.load(base, position, element), result, position, element);
    });
    code.loop(code.index(0), code.index(count), [&](Value number) {
      Value from = at(number, count);
      Value id = emit.toIndex(memref::LoadOp::create(b, loc, ids, from), split.extent);
      Value to = at(id, split.extent);
      Value old = emit.load(result, to, element), x = emit.load(updates, from, element);
      Value sum = isa<FloatType>(old.getType()) ? Value(arith::AddFOp::create(b, loc, old, x))
                                                : Value(arith::AddIOp::create(b, loc, old, x));
      emit.store(sum, result, to, element);
    });
  });
  func::ReturnOp::create(b, loc);
  int64_t tasks = type.getNumElements() ? split.outer * split.inner : 0;
  launch(loc, kernel.function.getName(), tasks,
         std::max<int64_t>(1, 8192 / std::max<int64_t>(split.extent + count, 1)), arguments);
}

void CpuEntryLowering::lower(CumsumOp op) {
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType();
  Split split(type, op.getAxis());
  SmallVector<Value> arguments = {buffer(op.getX()), buffer(op.getResult())};
  Kernel kernel = this->kernel(op, "cumsum", ValueRange(arguments).getTypes());
  OpBuilder &b = kernel.builder;
  Code code{b, loc};
  ScalarEmitter emit(b, loc);
  code.loop(kernel.begin, kernel.end, [&](Value task) {
    Value outer = code.div(task, split.inner), column = code.rem(task, split.inner);
    Type wide = computeType(element);
    Value zero = isa<FloatType>(wide) ? emit.floating(wide, 0) : emit.integer(wide, 0);
    code.loop(code.index(0), code.index(split.extent), zero, [&](Value number, ValueRange carried) {
      if (op.getReverse())
        number = arith::SubIOp::create(b, loc, code.index(split.extent - 1), number);
      Value at = code.add(code.mul(code.add(code.mul(outer, split.extent), number), split.inner), column);
      Value x = emit.load(kernel.arguments[0], at, element);
      Value sum = isa<FloatType>(wide) ? Value(arith::AddFOp::create(b, loc, carried[0], x))
                                       : Value(arith::AddIOp::create(b, loc, carried[0], x));
      emit.store(sum, kernel.arguments[1], at, element);
      return SmallVector<Value>{sum};
    });
  });
  func::ReturnOp::create(b, loc);
  int64_t tasks = type.getNumElements() ? split.outer * split.inner : 0;
  launch(loc, kernel.function.getName(), tasks,
         std::max<int64_t>(1, 16384 / std::max<int64_t>(split.extent, 1)), arguments);
}

void CpuEntryLowering::lower(ArgsortOp op) {
  Location loc = op.getLoc();
  auto type = tensorType(op.getX());
  Split split(type, op.getAxis());
  SmallVector<Value> arguments = {buffer(op.getX()), buffer(op.getResult()), call};
  Kernel kernel = this->kernel(op, "argsort", ValueRange(arguments).getTypes());
  OpBuilder &b = kernel.builder;
  ScalarEmitter emit(b, loc);
  RuntimeCallOp::create(
      b, loc, "heddle_call_argsort",
      ValueRange{kernel.arguments[2], emit.integer(b.getI32Type(), runtimeType(type.getElementType())),
                 emit.integer(b.getI32Type(), op.getDescending()), kernel.arguments[0], kernel.arguments[1],
                 kernel.begin, kernel.end, emit.index(split.extent),
                 emit.index(tensorType(op.getResult()).getDimSize(op.getAxis())), emit.index(split.inner)});
  func::ReturnOp::create(b, loc);
  int64_t tasks = tensorType(op.getResult()).getNumElements() ? split.outer * split.inner : 0;
  launch(loc, kernel.function.getName(), tasks,
         std::max<int64_t>(1, 1024 / std::max<int64_t>(split.extent, 1)), arguments);
}
