// Calls builtins without a program around them, in check mode and in emit mode.
#pragma once
#include "compiler/frontend/Diagnostics.h"
#include "compiler/frontend/OpEmitter.h"
#include "compiler/frontend/Program.h"
#include "compiler/frontend/builtins/Builtins.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

namespace heddle::frontend {

/// A function value for tests: any C++ function of the context.
class TestFunction : public Callable {
public:
  TestFunction(std::vector<std::string> parameters, std::function<Value(CallContext &)> body)
      : parameters(std::move(parameters)), body(std::move(body)) {}
  Value call(CallContext &context) const override { return body(context); }
  std::string describe() const override { return "function 'test'"; }
  std::vector<std::string> parameters;
  std::function<Value(CallContext &)> body;
};

/// One module with one open function; `emitting` false is check mode.
class Harness : public Evaluator {
public:
  explicit Harness(bool emitting) {
    if (!emitting)
      return;
    mlir.loadDialect<ir::HeddleDialect, sparsek::SparseKDialect, mlir::func::FuncDialect>();
    builder.emplace(&mlir);
    module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&mlir));
    builder->setInsertionPointToEnd(module.getBody());
    function = mlir::func::FuncOp::create(*builder, mlir::UnknownLoc::get(&mlir), "f",
                                          builder->getFunctionType({}, {}));
    builder->setInsertionPointToEnd(function.addEntryBlock());
    emit = OpEmitter(*builder, [this](Span) { return mlir::UnknownLoc::get(&mlir); });
  }
  ~Harness() override {
    if (module)
      module->erase();
  }

  /// A parameter of the open function.
  Value input(const Type &type) {
    llvm::SmallVector<mlir::Value> leaves;
    if (emit.isEmitting())
      for (const Type::Leaf &leaf : type.leaves())
        leaves.push_back(
            function.getBody().front().addArgument(emit.mlirType(leaf.type), mlir::UnknownLoc::get(&mlir)));
    return Value::ofLeaves(type, leaves, {0, 2, 3});
  }

  Value call(llvm::StringRef name, std::vector<Argument> args) {
    const Builtin *builtin = lookupBuiltin(name);
    if (!builtin)
      return Value::string("no such builtin", {});
    CallContext context(name, {0, 0, 1}, {0, 0, 9}, std::move(args), diagnostics, emit, *this);
    return builtin->evaluate(context);
  }

  /// Ends the function; the messages of its verification, or an empty string.
  std::string finish(const Value &result) {
    llvm::SmallVector<mlir::Value> leaves = emit.leaves(result);
    mlir::func::ReturnOp::create(*builder, mlir::UnknownLoc::get(&mlir), leaves);
    llvm::SmallVector<mlir::Type> inputs(function.getBody().front().getArgumentTypes()), outputs;
    for (mlir::Value leaf : leaves)
      outputs.push_back(leaf.getType());
    function.setType(builder->getFunctionType(inputs, outputs));
    std::string text;
    std::vector<Type::Leaf> expected = result.getType().leaves();
    if (expected.size() != leaves.size())
      text += "wrong number of leaves; ";
    for (size_t i = 0; i < std::min(expected.size(), leaves.size()); ++i)
      if (emit.mlirType(expected[i].type) != leaves[i].getType())
        text += "the leaf is not of its type " + expected[i].type.str() + "; ";
    mlir::ScopedDiagnosticHandler handler(
        &mlir, [&](mlir::Diagnostic &diagnostic) { text += diagnostic.str() + "; "; });
    if (failed(mlir::verify(module)) && text.empty())
      text = "invalid";
    return text;
  }

  std::string ir() {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream);
    return text;
  }

  /// The first error with its hints, `message | hint | …`.
  std::string firstError() {
    std::vector<heddle::frontend::Diagnostic> list = diagnostics.sorted();
    if (list.empty())
      return "";
    std::string text = list.front().main.message;
    for (const std::string &hint : list.front().hints)
      text += " | " + hint;
    return text;
  }

  Value apply(const Value &callee, llvm::ArrayRef<Argument> args, Span span) override {
    CallContext context("test", span, span, args, diagnostics, emit, *this);
    return callee.callable()->call(context);
  }
  std::optional<std::vector<Value>> bind(const Value &, llvm::ArrayRef<Argument> args, Span) override {
    std::vector<Value> values;
    for (const Argument &arg : args)
      values.push_back(arg.value);
    return values;
  }
  std::optional<Outlined> outline(const Value &callee, llvm::ArrayRef<Value> args, Span span) override {
    // The body is evaluated beside the caller's, in a function of its own.
    std::vector<Argument> inner;
    if (!emit.isEmitting()) {
      for (const Value &arg : args)
        inner.push_back({"", arg, span, {}});
      return Outlined{"", apply(callee, inner, span).getType(), {}};
    }
    mlir::OpBuilder::InsertionGuard guard(*builder);
    mlir::func::FuncOp caller = function;
    builder->setInsertionPoint(caller);
    std::string symbol = "outlined" + std::to_string(outlined++);
    function = mlir::func::FuncOp::create(*builder, mlir::UnknownLoc::get(&mlir), symbol,
                                          builder->getFunctionType({}, {}));
    builder->setInsertionPointToEnd(function.addEntryBlock());
    for (const Value &arg : args)
      inner.push_back({"", input(arg.getType()), span, {}});
    Value result = apply(callee, inner, span);
    llvm::SmallVector<mlir::Value> leaves = emit.leaves(result);
    mlir::func::ReturnOp::create(*builder, mlir::UnknownLoc::get(&mlir), leaves);
    llvm::SmallVector<mlir::Type> outputs;
    for (mlir::Value leaf : leaves)
      outputs.push_back(leaf.getType());
    llvm::SmallVector<mlir::Type> inputs(function.getBody().front().getArgumentTypes());
    function.setType(builder->getFunctionType(inputs, outputs));
    function = caller;
    return Outlined{symbol, result.getType(), {}};
  }
  std::vector<ParameterInfo> parameters(const Value &callee) override {
    std::vector<ParameterInfo> result;
    if (auto *test = dynamic_cast<const TestFunction *>(callee.callable()))
      for (const std::string &name : test->parameters)
        result.push_back({name, false});
    return result;
  }
  std::optional<Type> instantiate(const StructDecl &declaration, llvm::ArrayRef<Type> typeArguments,
                                  llvm::ArrayRef<Dim> dims) override {
    if (&declaration == libraryStruct("SparseKCache"))
      return cacheType(typeArguments.front().element(), dims);
    return instantiator ? instantiator(typeArguments, dims) : std::nullopt;
  }
  const StructDecl *libraryStruct(llvm::StringRef) const override {
    static const StructDecl cache;
    return &cache;
  }

  /// SparseKCache as compiler/std/sparsek.heddle declares it.
  Type cacheType(ElementType element, llvm::ArrayRef<Dim> d) const {
    Dim slots = d[4] + d[5];
    ElementType score = accumulatorOf(element), i32 = ElementType::I32;
    const Type::Field fields[] = {{"k", Type::tensor(element, {d[0], d[1], slots, d[2]})},
                                  {"v", Type::tensor(element, {d[0], d[1], slots, d[3]})},
                                  {"score", Type::tensor(score, {d[0], d[1], slots})},
                                  {"key", Type::tensor(i32, {d[0], d[1], slots})},
                                  {"live", Type::tensor(score, {d[0], d[1], d[6]})},
                                  {"count", Type::tensor(i32, {d[0], d[1]})},
                                  {"hi", Type::tensor(score, {d[0], d[1]})},
                                  {"lo", Type::tensor(score, {d[0], d[1]})},
                                  {"position", Type::tensor(i32, {d[0]})},
                                  {"scale", Type::tensor(ElementType::F64, {d[0]})},
                                  {"gate", Type::tensor(i32, {d[0]})},
                                  {"estimator", Type::tensor(i32, {d[0]})}};
    return Type::structure(libraryStruct("SparseKCache"), "SparseKCache", {Type::tensor(element)}, d, fields);
  }

  mlir::MLIRContext mlir{mlir::MLIRContext::Threading::DISABLED};
  std::optional<mlir::OpBuilder> builder;
  mlir::ModuleOp module;
  mlir::func::FuncOp function;
  OpEmitter emit;
  Diagnostics diagnostics;
  std::function<std::optional<Type>(llvm::ArrayRef<Type>, llvm::ArrayRef<Dim>)> instantiator;
  int outlined = 0;
};

} // namespace heddle::frontend
