//===- Differentiate.cpp - Requests for derivatives become calls ----------===//

#include "compiler/autodiff/Autodiff.h"
#include "compiler/autodiff/Cleanup.h"
#include "compiler/autodiff/Forward.h"
#include "compiler/autodiff/Prepare.h"
#include "compiler/autodiff/Reverse.h"

#include <map>

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

#define GEN_PASS_DEF_HEDDLEDIFFERENTIATE
#include "compiler/autodiff/Passes.h.inc"

namespace {

/// Derives functions of one module, each once.
class Deriver {
public:
  Deriver(ModuleOp module, const KeepOptions &options) : module(module), symbols(module), options(options) {
    module.walk([&](FenceOp fence) { fences = std::max(fences, (int64_t)fence.getId() + 1); });
  }

  /// Replaces the requests in `function` and in what it refers to, inner ones first.
  LogicalResult process(func::FuncOp function) {
    auto [at, isNew] = states.try_emplace(function, State::open);
    if (!isNew)
      return success(); // Done, or part of a circle, which is an error once it is differentiated.
    SmallVector<Operation *> requests;
    SmallVector<FlatSymbolRefAttr> used;
    if (auto rule = function->getAttrOfType<FlatSymbolRefAttr>("heddle.custom_vjp"))
      used.push_back(rule);
    function.walk([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op))
        used.push_back(call.getCalleeAttr());
      if (isa<VjpOp, JvpOp>(op)) {
        requests.push_back(op);
        used.push_back(op->getAttrOfType<FlatSymbolRefAttr>("callee"));
      }
    });
    for (FlatSymbolRefAttr symbol : used)
      if (auto callee = symbols.lookup<func::FuncOp>(symbol.getValue()))
        if (failed(process(callee)))
          return failure();
    for (Operation *op : requests) {
      bool forward = isa<JvpOp>(op);
      auto callee = symbols.lookup<func::FuncOp>(op->getAttrOfType<FlatSymbolRefAttr>("callee").getValue());
      ArrayRef<int64_t> wrt = forward ? cast<JvpOp>(op).getWrt() : cast<VjpOp>(op).getWrt();
      func::FuncOp derived = derive(callee, wrt, forward, op->getLoc());
      if (!derived)
        return failure();
      OpBuilder builder(op);
      op->replaceAllUsesWith(func::CallOp::create(builder, op->getLoc(), derived, op->getOperands()));
      op->erase();
    }
    return success();
  }

  unsigned numDerived() const { return known.size(); }

private:
  enum class State { open };
  struct Key {
    std::string name;
    std::vector<int64_t> wrt;
    bool forward;
    bool operator<(const Key &other) const {
      return std::tie(name, wrt, forward) < std::tie(other.name, other.wrt, other.forward);
    }
  };

  func::FuncOp derive(func::FuncOp callee, ArrayRef<int64_t> wrt, bool forward, Location request) {
    Key key{callee.getName().str(), wrt.vec(), forward};
    if (auto at = known.find(key); at != known.end())
      return at->second;
    if (callee.isExternal()) {
      emitError(request) << "cannot differentiate @" << callee.getName() << ", which has no body";
      return {};
    }
    if (!llvm::is_contained(path, callee))
      path.push_back(callee);
    else {
      emitError(request) << "cannot differentiate @" << callee.getName() << ", which calls itself";
      return {};
    }
    if (failed(checkStatic(callee)))
      return {};
    func::FuncOp derived = start(callee, wrt, forward);
    LogicalResult result =
        forward ? deriveTangent(derived, wrt, request) : deriveAdjoint(derived, wrt, request);
    path.pop_back();
    if (failed(result))
      return {};
    cleanUp(derived);
    known[key] = derived;
    return derived;
  }

  /// A private function with the callee's body under the derived name. A function with a rule is called, not
  /// copied.
  func::FuncOp start(func::FuncOp callee, ArrayRef<int64_t> wrt, bool forward) {
    func::FuncOp derived;
    if (!forward && callee->hasAttr("heddle.custom_vjp")) {
      OpBuilder builder(callee.getContext());
      derived = func::FuncOp::create(callee.getLoc(), callee.getName(), callee.getFunctionType());
      builder.setInsertionPointToStart(derived.addEntryBlock());
      auto call = func::CallOp::create(builder, callee.getLoc(), callee, derived.getArguments());
      func::ReturnOp::create(builder, callee.getLoc(), call.getResults());
    } else {
      derived = callee.clone();
    }
    for (StringRef name : {"heddle.checkpoint", "heddle.custom_vjp"})
      derived->removeAttr(name);
    derived.removeArgAttrsAttr();
    derived.removeResAttrsAttr();
    std::string name = (callee.getName() + (forward ? ".jvp" : ".vjp")).str();
    for (int64_t number : wrt)
      name += "." + std::to_string(number);
    derived.setName(name);
    derived.setPrivate();
    symbols.insert(derived, std::next(Block::iterator(callee)));
    return derived;
  }

  /// Inlines and simplifies, and marks what depends on the arguments `wrt`.
  LogicalResult prepare(func::FuncOp function, ArrayRef<int64_t> wrt, bool forward, Activity &activity) {
    if (failed(inlineCalls(function, symbols, !forward)) || failed(checkStatic(function)))
      return failure();
    if (!forward) {
      if (failed(inlineAttention(function, symbols)))
        return failure();
      hoistInvariants(function);
      cutLongLoops(function, symbols);
    }
    auto mark = [&] {
      activity = Activity();
      for (int64_t number : wrt)
        activity.insert(function.getArgument(number));
      activity.propagate(function.front());
    };
    mark();
    if (decomposeForDerivative(function, activity, forward))
      mark();
    return success();
  }

  /// Appends arguments of the given types and gives them.
  static SmallVector<Value> addArguments(func::FuncOp function, TypeRange types) {
    SmallVector<Value> arguments;
    for (Type type : types)
      arguments.push_back(function.front().addArgument(type, function.getLoc()));
    return arguments;
  }
  /// Makes the function return further values, and sets its type.
  static void addResults(func::FuncOp function, ValueRange values) {
    Operation *terminator = function.front().getTerminator();
    terminator->insertOperands(terminator->getNumOperands(), values);
    function.setFunctionType(FunctionType::get(function.getContext(), function.front().getArgumentTypes(),
                                               terminator->getOperandTypes()));
  }

  LogicalResult deriveAdjoint(func::FuncOp function, ArrayRef<int64_t> wrt, Location request) {
    Activity activity;
    if (failed(prepare(function, wrt, false, activity)))
      return failure();
    Operation *terminator = function.front().getTerminator();
    SmallVector<Value> results;
    llvm::copy_if(terminator->getOperands(), std::back_inserter(results),
                  [](Value value) { return isFloat(value); });
    SmallVector<Value> cotangents = addArguments(function, TypeRange(ValueRange(results)));

    OpBuilder builder(terminator);
    BlockCotangents scope(activity, builder);
    for (auto [result, cotangent] : llvm::zip(results, cotangents))
      scope.accumulate(result, cotangent);
    auto deriveInner = [&](func::FuncOp callee, ArrayRef<int64_t> inner) {
      return derive(callee, inner, false, request);
    };
    ReverseSweep sweep(activity, symbols, request, deriveInner, fences, options);
    if (failed(sweep.sweep(function.front(), scope, builder)))
      return failure();
    SmallVector<Value> gradients;
    for (int64_t number : wrt) {
      Value argument = function.getArgument(number);
      gradients.push_back(orZeros(builder, function.getLoc(), scope.cotangent(argument), argument.getType()));
    }
    addResults(function, gradients);
    return success();
  }

  LogicalResult deriveTangent(func::FuncOp function, ArrayRef<int64_t> wrt, Location request) {
    Activity activity;
    if (failed(prepare(function, wrt, true, activity)))
      return failure();
    auto types =
        llvm::map_to_vector(wrt, [&](int64_t number) { return function.getArgument(number).getType(); });
    SmallVector<Value> tangents = addArguments(function, types);
    ForwardSweep sweep(activity, request);
    OpBuilder start = OpBuilder::atBlockBegin(&function.front());
    for (auto [number, tangent] : llvm::zip(wrt, tangents)) { // A number may stand twice.
      Value argument = function.getArgument(number);
      sweep.setTangent(argument, addOrNull(start, function.getLoc(), sweep.tangent(argument), tangent));
    }
    if (failed(sweep.sweep(function.front())))
      return failure();
    Operation *terminator = function.front().getTerminator();
    OpBuilder builder(terminator);
    SmallVector<Value> results;
    for (Value value : terminator->getOperands())
      if (isFloat(value))
        results.push_back(orZeros(builder, function.getLoc(), sweep.tangent(value), value.getType()));
    addResults(function, results);
    return success();
  }

  ModuleOp module;
  SymbolTable symbols;
  const KeepOptions options;
  int64_t fences = 0;
  llvm::DenseMap<Operation *, State> states;
  std::map<Key, func::FuncOp> known;
  SmallVector<func::FuncOp> path;
};

struct Differentiate : impl::HeddleDifferentiateBase<Differentiate> {
  using HeddleDifferentiateBase::HeddleDifferentiateBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    Deriver deriver(module, {.expandingBytes = expandingBytes});
    for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (failed(deriver.process(function)))
        return signalPassFailure();
    numDerived = deriver.numDerived();
    removeMarks(module);
    removeUnused(module);
  }

  /// What only differentiation reads.
  static void removeMarks(ModuleOp module) {
    module.walk([](Operation *op) {
      op->removeDiscardableAttr("heddle.checkpoint");
      op->removeDiscardableAttr("heddle.custom_vjp");
      if (auto stop = dyn_cast<StopGradientOp>(op)) {
        stop.getResult().replaceAllUsesWith(stop.getX());
        stop.erase();
      }
    });
  }

  static void removeUnused(ModuleOp module) {
    bool again = true;
    while (again) {
      again = false;
      for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
        if (function.isPrivate() && SymbolTable::symbolKnownUseEmpty(function, module)) {
          function.erase();
          again = true;
        }
    }
  }
};

} // namespace
} // namespace heddle::autodiff
