//===- Interpreter.cpp - Functions, regions and errors --------------------===//

#include "compiler/interpreter/Interpreter.h"
#include "compiler/interpreter/Evaluate.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/raw_ostream.h"

#include <limits>
#include <new>

using namespace mlir;
using namespace heddle::interp;
namespace ir = heddle::ir;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

char Error::ID = 0;

std::optional<FileLineColLoc> heddle::interp::filePosition(Location location) {
  std::optional<FileLineColLoc> found;
  location->walk([&](Location inner) {
    if (auto position = dyn_cast<FileLineColLoc>(inner)) {
      found = position;
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return found;
}

void Error::log(llvm::raw_ostream &os) const {
  if (std::optional<FileLineColLoc> position = filePosition(location)) {
    os << position->getFilename().getValue() << ':';
    if (position->getLine() > 0) // a whole file has no line
      os << position->getLine() << ':' << position->getColumn() << ':';
    os << ' ';
  }
  os << "error: " << message;
}

void heddle::interp::fail(Operation *op, const Twine &message) { throw Failure{op->getLoc(), message.str()}; }

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Element heddle::interp::declaredElement(Type tensorType) {
  Type type = cast<ShapedType>(tensorType).getElementType();
  if (type.isF64())
    return Element::f64;
  if (type.isF32())
    return Element::f32;
  if (type.isBF16())
    return Element::bf16;
  if (type.isF16())
    return Element::f16;
  if (type.isInteger(64))
    return Element::i64;
  if (type.isInteger(32))
    return Element::i32;
  if (type.isInteger(8))
    return Element::i8;
  return Element::boolean;
}

Element Context::elementOf(Type tensorType) const {
  Element element = declaredElement(tensorType);
  return options.precision == Precision::F64 && isFloat(element) ? Element::f64 : element;
}

static bool fits(ArrayRef<int64_t> shape, RankedTensorType type) {
  return shape.size() == static_cast<size_t>(type.getRank()) &&
         llvm::all_of(llvm::zip_equal(shape, type.getShape()), [](auto pair) {
           return std::get<0>(pair) == std::get<1>(pair) || ShapedType::isDynamic(std::get<1>(pair));
         });
}

Array Context::make(Operation *op, ArrayRef<int64_t> shape, unsigned index) const {
  auto type = cast<RankedTensorType>(op->getResult(index).getType());
  if (!fits(shape, type))
    fail(op, "result has shape " + ir::shapeString(shape) + ", but its type says " +
                 ir::shapeString(type.getShape()));
  int64_t count = elementCount(shape);
  if (count < 0 || count > options.maxElements - Array::liveElements())
    fail(op, "an array of shape " + ir::shapeString(shape) + " passes the interpreter's limit of " +
                 Twine(options.maxElements) + " elements at once");
  return Array(elementOf(type), shape);
}

ArrayRef<int64_t> Context::staticShape(Operation *op, unsigned index) const {
  auto type = cast<RankedTensorType>(op->getResult(index).getType());
  if (!type.hasStaticShape())
    fail(op, "result has unknown extents: " + ir::shapeString(type.getShape()));
  return type.getShape();
}

//===----------------------------------------------------------------------===//
// Regions and calls
//===----------------------------------------------------------------------===//

namespace {

using Frame = DenseMap<Value, Array>;
using Arrays = SmallVector<Array>;

class Evaluator {
public:
  Evaluator(ModuleOp module, const Options &options) : module(module), context{options} {}

  Arrays callFunction(func::FuncOp function, Arrays arguments, Location caller);

private:
  /// Binds the block's arguments and evaluates it; the operands of its terminator.
  Arrays runBlock(Block &block, ArrayRef<Array> arguments, Frame &frame);
  void runOperation(Operation *op, Frame &frame);
  Arrays runFor(ir::ForOp op, ArrayRef<Array> inputs, Frame &frame);
  /// Runs the block of a variant on one pair.
  PairEffects runPair(Block &block, ArrayRef<Array> arguments, Frame &frame);
  Arrays runCall(Operation *op, StringRef callee, ArrayRef<Array> inputs);

  /// For each operation of a block the block's values that nothing reads after it, so that their memory can
  /// be released. Values from around the block are not among them.
  const DenseMap<Operation *, SmallVector<Value>> &lastUses(Block &block);

  ModuleOp module;
  Context context;
  int depth = 0;
  PairEffects *pair = nullptr; // of the pair that is being evaluated
  DenseMap<Block *, std::unique_ptr<DenseMap<Operation *, SmallVector<Value>>>> lastUsesOf;
};

} // namespace

const DenseMap<Operation *, SmallVector<Value>> &Evaluator::lastUses(Block &block) {
  auto &slot = lastUsesOf[&block];
  if (slot)
    return *slot;
  auto found = std::make_unique<DenseMap<Operation *, SmallVector<Value>>>();
  DenseMap<Operation *, int64_t> number;
  for (auto [i, op] : llvm::enumerate(block))
    number[&op] = i;
  auto note = [&](Value value, Operation *definition) {
    Operation *last = definition;
    for (Operation *user : value.getUsers()) {
      Operation *here = block.findAncestorOpInBlock(*user);
      if (!last || number[here] > number[last])
        last = here;
    }
    if (last)
      (*found)[last].push_back(value);
  };
  for (Value argument : block.getArguments())
    note(argument, nullptr);
  for (Operation &op : block)
    for (Value result : op.getResults())
      note(result, &op);
  slot = std::move(found);
  return *slot;
}

Arrays Evaluator::runBlock(Block &block, ArrayRef<Array> arguments, Frame &frame) {
  for (auto [argument, value] : llvm::zip_equal(block.getArguments(), arguments))
    frame[argument] = value;
  const auto &dead = lastUses(block);
  Arrays yielded;
  for (Operation &op : block) {
    if (op.hasTrait<OpTrait::IsTerminator>()) {
      for (Value operand : op.getOperands())
        yielded.push_back(frame.at(operand));
    } else {
      runOperation(&op, frame);
    }
    if (auto at = dead.find(&op); at != dead.end())
      for (Value value : at->second)
        frame.erase(value);
  }
  return yielded;
}

/// The message with its first two "{}" replaced by the index and the limit.
static void checkIndices(ir::CheckIndexOp op, const Array &ids) {
  int64_t limit = op.getLimit();
  for (Cell id : ids.cells()) {
    if (id.integer >= 0 && id.integer < limit)
      continue;
    std::string message = op.getMessage().str();
    size_t from = 0;
    for (int64_t value : {id.integer, limit})
      if (size_t at = message.find("{}", from); at != std::string::npos) {
        std::string text = std::to_string(value);
        message.replace(at, 2, text);
        from = at + text.size();
      }
    fail(op, message);
  }
}

void Evaluator::runOperation(Operation *op, Frame &frame) {
  Arrays inputs, results;
  for (Value operand : op->getOperands())
    inputs.push_back(frame.at(operand));
  if (context.options.observe)
    context.options.observe(op, inputs);

  if (auto loop = dyn_cast<ir::ForOp>(op)) {
    results = runFor(loop, inputs, frame);
  } else if (auto choice = dyn_cast<ir::IfOp>(op)) {
    Region &region = inputs[0].integer(0) ? choice.getThenRegion() : choice.getElseRegion();
    results = runBlock(region.front(), {}, frame);
  } else if (auto fusion = dyn_cast<ir::FusionOp>(op)) {
    results = runBlock(fusion.getBody().front(), inputs, frame);
  } else if (auto variant = dyn_cast<heddle::sparsek::VariantAttentionOp>(op)) {
    evaluateVariant(context, variant, inputs, results,
                    [&](Inputs arguments) { return runPair(variant.getBody().front(), arguments, frame); });
  } else if (auto variant = dyn_cast<heddle::sparsek::VariantAttentionBackwardOp>(op)) {
    evaluateVariantBackward(context, variant, inputs, results, [&](Inputs arguments) {
      return runPair(variant.getBody().front(), arguments, frame);
    });
  } else if (pair && evaluateAccess(context, op, inputs, results, *pair)) {
  } else if (auto call = dyn_cast<func::CallOp>(op)) {
    results = runCall(op, call.getCallee(), inputs);
  } else if (auto check = dyn_cast<ir::AssertOp>(op)) {
    if (!inputs[0].integer(0))
      fail(op, check.getMessage());
  } else if (auto indices = dyn_cast<ir::CheckIndexOp>(op)) {
    checkIndices(indices, inputs[0]);
  } else if (isa<ir::VjpOp, ir::JvpOp>(op)) {
    fail(op, Twine(op->getName().getStringRef()) +
                 " is a request, not an operation; run heddle-differentiate first");
  } else if (isa_and_present<ir::HeddleDialect, heddle::sparsek::SparseKDialect>(op->getDialect())) {
    bool known =
        evaluateElementwise(context, op, inputs, results) || evaluateShape(context, op, inputs, results) ||
        evaluateReduction(context, op, inputs, results) || evaluateLinear(context, op, inputs, results) ||
        evaluateIndex(context, op, inputs, results) || evaluateRandom(context, op, inputs, results) ||
        evaluateSparseK(context, op, inputs, results) || evaluateCache(context, op, inputs, results);
    if (!known)
      fail(op, "the interpreter does not know " + op->getName().getStringRef());
  } else if (context.options.foreign && op->getNumResults() == 0) {
    llvm::Error error = context.options.foreign(op, inputs);
    if (error)
      fail(op, llvm::toString(std::move(error)));
  } else {
    fail(op, "the interpreter does not know " + op->getName().getStringRef());
  }
  for (auto [value, result] : llvm::zip_equal(op->getResults(), results))
    frame[value] = std::move(result);
}

Arrays Evaluator::runFor(ir::ForOp op, ArrayRef<Array> inputs, Frame &frame) {
  int64_t count = op.getCount();
  if (count > std::numeric_limits<int32_t>::max())
    fail(op, "a loop of " + Twine(count) + " steps passes the range of its i32 step number");
  ArrayRef<Array> scanned = inputs.take_front(op.getScanned().size());
  for (const Array &xs : scanned)
    if (xs.extent(0) != count)
      fail(op,
           "a loop of " + Twine(count) + " steps runs over an array of shape " + ir::shapeString(xs.shape()));
  Arrays carries(inputs.drop_front(scanned.size()));
  Arrays collected(op.getNumCollected());
  if (count == 0)
    for (auto [i, array] : llvm::enumerate(collected))
      array = context.make(op, context.staticShape(op, op.getNumCarries() + i), op.getNumCarries() + i);

  for (int64_t trip = 0; trip < count; ++trip) {
    int64_t step = op.getReverse() ? count - 1 - trip : trip;
    Arrays arguments = {Array::scalar(Element::i32, static_cast<double>(step))};
    for (const Array &xs : scanned) {
      Array slice(xs.element(), xs.shape().drop_front());
      llvm::copy(xs.cells().slice(step * slice.count(), slice.count()), slice.edit().begin());
      arguments.push_back(std::move(slice));
    }
    llvm::append_range(arguments, carries);
    carries.clear();
    Arrays yielded = runBlock(op.getBody().front(), arguments, frame);
    carries.assign(yielded.begin(), yielded.begin() + op.getNumCarries());
    for (auto [i, array] : llvm::enumerate(collected)) {
      const Array &value = yielded[op.getNumCarries() + i];
      if (trip == 0) {
        Shape shape = {count};
        llvm::append_range(shape, value.shape());
        array = context.make(op, shape, op.getNumCarries() + i);
      }
      if (array.shape().drop_front() != value.shape())
        fail(op, "collected values have shapes " + ir::shapeString(array.shape().drop_front()) + " and " +
                     ir::shapeString(value.shape()));
      llvm::copy(value.cells(), array.edit().begin() + step * value.count());
    }
  }
  Arrays results = std::move(carries);
  llvm::append_range(results, collected);
  return results;
}

PairEffects Evaluator::runPair(Block &block, ArrayRef<Array> arguments, Frame &frame) {
  PairEffects effects;
  pair = &effects;
  effects.yielded = runBlock(block, arguments, frame);
  pair = nullptr;
  return effects;
}

Arrays Evaluator::runCall(Operation *op, StringRef callee, ArrayRef<Array> inputs) {
  auto function = module.lookupSymbol<func::FuncOp>(callee);
  if (!function)
    fail(op, "there is no function @" + callee);
  return callFunction(function, Arrays(inputs), op->getLoc());
}

Arrays Evaluator::callFunction(func::FuncOp function, Arrays arguments, Location caller) {
  if (function.isExternal())
    throw Failure{caller, ("function @" + function.getName() + " has no body").str()};
  if (!function.getBody().hasOneBlock())
    throw Failure{function.getLoc(), ("function @" + function.getName() + " has several blocks").str()};
  if (depth >= context.options.maxDepth)
    throw Failure{caller, "calls are nested more than " + std::to_string(context.options.maxDepth) + " deep"};
  ++depth;
  Frame frame;
  Arrays results = runBlock(function.getBody().front(), arguments, frame);
  --depth;
  return results;
}

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

/// The argument as a value of the parameter's type, or the reason why it is none.
static llvm::Expected<Array> bindArgument(const Context &context, func::FuncOp function, unsigned i,
                                          Array argument) {
  auto refuse = [&](const Twine &reason) {
    return llvm::make_error<Error>(
        function.getLoc(), ("argument " + Twine(i) + " of @" + function.getName() + " " + reason).str());
  };
  auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[i]);
  if (!type)
    return refuse("is not a tensor");
  Element declared = declaredElement(type), held = context.elementOf(type);
  if (!fits(argument.shape(), type))
    return refuse("has shape " + ir::shapeString(argument.shape()) + ", not " +
                  ir::shapeString(type.getShape()));
  if (context.options.precision == Precision::F64 && isFloat(declared) && argument.isFloat())
    return argument.cast(held);
  if (argument.element() != declared)
    return refuse("has element type " + elementName(argument.element()) + ", not " + elementName(declared));
  return argument;
}

llvm::Expected<std::vector<Array>>
heddle::interp::interpret(ModuleOp module, StringRef name, std::vector<Array> args, const Options &options) {
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function)
    return llvm::make_error<Error>(module.getLoc(), ("there is no function @" + name).str());
  if (args.size() != function.getNumArguments())
    return llvm::make_error<Error>(
        function.getLoc(),
        ("@" + name + " takes " + Twine(function.getNumArguments()) + " arguments, not " + Twine(args.size()))
            .str());
  Arrays arguments;
  for (auto [i, arg] : llvm::enumerate(args)) {
    llvm::Expected<Array> bound = bindArgument(Context{options}, function, i, std::move(arg));
    if (!bound)
      return bound.takeError();
    arguments.push_back(std::move(*bound));
  }
  args.clear();
  try {
    Arrays results =
        Evaluator(module, options).callFunction(function, std::move(arguments), function.getLoc());
    return std::vector<Array>(results.begin(), results.end());
  } catch (const Failure &failure) {
    return llvm::make_error<Error>(failure.location, failure.message);
  } catch (const std::bad_alloc &) {
    return llvm::make_error<Error>(function.getLoc(),
                                   ("@" + name + " needs more memory than there is").str());
  }
}
