// Evaluates the syntax tree abstractly: every expression gives a Value, a type with symbolic or known
// dimensions and, when emitting, the SSA values of its leaves. One implementation of every rule serves both
// modes: checking (no builder, dimensions are variables) and emitting (all dimensions are known).
#pragma once
#include "compiler/frontend/OpEmitter.h"
#include "compiler/frontend/Program.h"
#include "compiler/frontend/builtins/Builtins.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <set>

namespace heddle::frontend {

/// What the names of a function's dimensions and type parameters stand for while its body is evaluated.
struct Frame {
  const ModuleInfo *module = nullptr;
  const FnDecl *fn = nullptr;
  DimMap dims;
  std::map<std::string, Type, std::less<>> types;
};

/// The values that names are bound to, a block's on top of those around it. Lambdas keep theirs alive.
struct Scope {
  std::shared_ptr<const Scope> parent;
  std::shared_ptr<const Frame> frame;
  std::map<std::string, Value, std::less<>> values;

  const Value *find(std::string_view name) const;
};
using ScopePtr = std::shared_ptr<Scope>;

/// A function made concrete: its dimensions and types are bound.
struct Instance {
  const FnDecl *fn = nullptr;
  std::string symbol;
  Type result;
  bool done = false;
};

class Elaborator;

/// A function of the program as a value, with the dimensions given in brackets so far.
class FnCallable : public Callable {
public:
  FnCallable(Elaborator &elaborator, const FnDecl &fn) : elaborator(elaborator), fn(fn) {}
  Value call(CallContext &context) const override;
  std::string describe() const override { return "function '" + fn.name() + "'"; }

  struct Given {
    Dim value;
    Span span;
  };
  Elaborator &elaborator;
  const FnDecl &fn;
  std::map<std::string, Given> dims;
};

/// `fn (x) { … }` with the scope it was written in.
class LambdaCallable : public Callable {
public:
  LambdaCallable(Elaborator &elaborator, const ast::LambdaExpr &lambda, std::shared_ptr<const Scope> scope)
      : elaborator(elaborator), lambda(lambda), scope(std::move(scope)) {}
  Value call(CallContext &context) const override;
  std::string describe() const override { return "this lambda"; }

  Elaborator &elaborator;
  const ast::LambdaExpr &lambda;
  std::shared_ptr<const Scope> scope;
};

/// A builtin as a value: `map_leaves(abs, x)`.
class BuiltinCallable : public Callable {
public:
  explicit BuiltinCallable(const Builtin &builtin) : builtin(builtin) {}
  Value call(CallContext &context) const override { return builtin.evaluate(context); }
  std::string describe() const override { return "builtin '" + builtin.name.str() + "'"; }

  const Builtin &builtin;
};

/// A set of arguments bound to a function: values in the order of its parameters, and its frame.
struct BoundCall {
  std::vector<Value> values;
  std::shared_ptr<Frame> frame;
};

class Elaborator : public Evaluator {
public:
  /// Check mode.
  Elaborator(const Program &program, Diagnostics &diagnostics);
  /// Emit mode; functions are added to `module`.
  Elaborator(const Program &program, Diagnostics &diagnostics, mlir::ModuleOp module);
  ~Elaborator() override;

  bool isEmitting() const { return emit.isEmitting(); }
  mlir::Location location(Span span) const;

  //===--- Items (ElaboratorItems.cpp) ---===//
  /// Checks every declaration of the program with its dimensions as variables.
  void checkAll();
  Value constant(const ConstDecl &decl, Span use);
  /// The frame and parameter types of a function with its own dimensions as variables.
  std::shared_ptr<Frame> symbolicFrame(const FnDecl &fn);
  /// The instance for a frame, made at the first use. Null after an error.
  const Instance *instance(const FnDecl &fn, std::shared_ptr<const Frame> frame, Span use);
  /// Evaluates a function's body in a scope that holds its parameters; the result has the declared type.
  Value body(const FnDecl &fn, ScopePtr scope);
  /// Gives a function op the attributes that its declaration asks for.
  bool decorate(mlir::Operation *function, const FnDecl &fn, std::shared_ptr<const Frame> frame,
                const Type &result);
  std::string uniqueSymbol(const std::string &wish);
  /// Emits the public function of an entry (Entry.cpp); parameters that are not given take their defaults.
  bool emitEntry(const FnDecl &fn, std::shared_ptr<const Frame> frame,
                 llvm::function_ref<bool(size_t)> isGiven);

  //===--- Types and dimensions (ElaboratorTypes.cpp) ---===//
  /// The type that an expression denotes; Type() after an error was reported.
  Type resolveType(const ast::Expr &expr, const Scope &scope);
  std::optional<Dim> resolveDim(const ast::Expr &expr, const Scope &scope);
  /// Whether the expression reads as a type: its names are element types, structs or type parameters.
  bool isType(const ast::Expr &expr, const Scope &scope) const;
  std::optional<Type> instantiate(const StructDecl &decl, llvm::ArrayRef<Type> types,
                                  llvm::ArrayRef<Dim> dims) override;
  const StructDecl *libraryStruct(llvm::StringRef name) const override;
  /// Whether a written type's base is `Accumulator<F>`, which the prelude alone may say: the element type in
  /// which sums of F are taken.
  bool isAccumulator(const ast::TypeApplyExpr &apply, const ModuleInfo &module) const;
  Type instantiateAt(const StructDecl &decl, llvm::ArrayRef<Type> types, llvm::ArrayRef<Dim> dims, Span use);
  /// The declaration of a struct by name, or null, silently.
  const StructDecl *structNamed(std::string_view name, const ModuleInfo &module) const;

  //===--- Expressions (ElaboratorExprs.cpp) ---===//
  Value expr(const ast::Expr &expr, ScopePtr scope);
  /// The same for a value that is stored or returned: literals inside take their default types.
  Value lookup(const ast::NameExpr &name, ScopePtr scope);
  Value structLiteral(const ast::StructLiteralExpr &literal, ScopePtr scope);
  Value field(const ast::FieldExpr &field, ScopePtr scope);
  Value index(const ast::IndexExpr &index, ScopePtr scope);
  Value operation(const std::string &name, Span op, Span span, std::vector<Argument> operands);
  /// The declaration that a name means at the top level, with an error where imports disagree.
  Decl declaration(std::string_view name, const ModuleInfo &module, Span use);
  std::vector<std::string> visibleNames(const Scope &scope) const;

  //===--- Control (ElaboratorControl.cpp) ---===//
  Value block(const ast::BlockExpr &block, ScopePtr scope);
  Value ifExpr(const ast::IfExpr &expr, ScopePtr scope);
  Value forExpr(const ast::ForExpr &expr, ScopePtr scope);
  bool bindPattern(const ast::Pattern &pattern, const Value &value, Scope &scope);
  void assertion(const ast::Stmt &statement, ScopePtr scope);

  //===--- Calls (ElaboratorCalls.cpp) ---===//
  Value call(const ast::CallExpr &call, ScopePtr scope);
  Value parameterNames(const ast::Expr &expr, ScopePtr scope);
  Value instantiateFunction(const ast::IndexExpr &index, const FnCallable &fn, ScopePtr scope);
  std::optional<std::vector<std::optional<Argument>>> order(const std::string &what,
                                                            llvm::ArrayRef<ast::Parameter> parameters,
                                                            llvm::ArrayRef<Argument> args, Span span,
                                                            Span declared);
  std::optional<BoundCall> bindCall(const FnCallable &fn, llvm::ArrayRef<Argument> args, Span span);
  /// Adds the defaults of bracketed dimensions that `bound` does not have. False after an error; a default
  /// that needs a missing dimension is left out.
  bool addDefaultDims(const FnDecl &fn, Frame &frame, std::vector<std::string> &added);
  Value declaredResult(const FnDecl &fn, const BoundCall &bound, Span span);
  Value callFunction(const FnDecl &fn, const BoundCall &bound, Span span);
  Value inlineFunction(const FnDecl &fn, const BoundCall &bound, Span span);
  Value callLambda(const LambdaCallable &lambda, llvm::ArrayRef<Argument> args, Span span);

  //===--- Evaluator (Outline.cpp) ---===//
  Value apply(const Value &callee, llvm::ArrayRef<Argument> args, Span span) override;
  std::optional<std::vector<Value>> bind(const Value &callee, llvm::ArrayRef<Argument> args,
                                         Span span) override;
  std::optional<Outlined> outline(const Value &callee, llvm::ArrayRef<Value> args, Span span) override;
  std::vector<ParameterInfo> parameters(const Value &callee) override;

  const Program &program;
  Diagnostics &diagnostics;
  mlir::ModuleOp module;
  std::unique_ptr<mlir::OpBuilder> builder;
  OpEmitter emit;

  /// Reports calls that are nested too deeply for the stack; true if so.
  bool tooDeep(Span span);
  /// Reports a function that is called while its body is being evaluated; true if so.
  bool callsItself(const FnDecl &fn, Span use);
  std::string describeFrame(const Frame &frame) const;
  ScopePtr child(std::shared_ptr<const Scope> parent) const;
  ScopePtr root(std::shared_ptr<const Frame> frame) const;

private:
  void checkFunction(const FnDecl &fn);
  /// Reports the unknown names in a body that cannot be evaluated (NameCheck.cpp).
  void checkNames(const FnDecl &fn);
  void checkRule(const FnDecl &fn);
  void checkRecursion();
  /// Binds the rule of a function to its parameters and result; `expected` is what the rule must give.
  std::optional<BoundCall> bindRule(const FnDecl &fn, std::shared_ptr<const Frame> frame, const Type &result,
                                    Type &expected);
  bool ruleFits(const FnDecl &fn, const Type &actual, const Type &expected);
  std::string instanceKey(const FnDecl &fn, const Frame &frame) const;

  std::map<std::string, std::unique_ptr<Instance>> instances;
  std::map<const FnDecl *, Type> symbolicResults;
  std::set<const FnDecl *> failed;
  /// Functions whose bodies are being evaluated, outermost first.
  std::vector<std::pair<const FnDecl *, Span>> active;
  std::map<const FnDecl *, std::map<const FnDecl *, Span>> calls;
  std::set<const ConstDecl *> activeConsts;
  std::set<const StructDecl *> activeStructs;
  std::map<std::string, Type> structCache;
  std::set<std::string> symbols;
  std::set<const FnDecl *> instantiated;
  const char *stackBase = nullptr;
  friend class FnCallable;
};

/// Whether equal steps of the variable are equal steps of the dimension: then an equation without a solution
/// has none.
bool isLinear(const Dim &dim, const std::string &variable);

/// Finds what dimension variables and type parameters stand for by matching written types with actual ones.
class Inference {
public:
  Inference(Elaborator &elaborator, std::shared_ptr<const Scope> scope);

  void addDim(const std::string &name) { dims.emplace(name, DimSlot()); }
  void addType(const std::string &name, bool isFloat) { types.emplace(name, TypeSlot{{}, {}, isFloat, ""}); }
  void give(const std::string &name, const Dim &value, Span span, std::string what);

  /// Why a match failed, for the message: what was expected where, and what was found.
  struct Mismatch {
    std::string message;
    std::vector<Remark> notes;
    std::string hint;
  };
  /// Matches a written type with an actual one. `what` names the value: "argument `x`".
  std::optional<Mismatch> unify(const ast::Expr &pattern, const Type &actual, Span span,
                                const std::string &what);
  /// Matches what had to wait for other bindings, as far as they are known now.
  std::optional<Mismatch> settle();
  /// The same, and what still waits is a mismatch. Call after the last `unify`.
  std::optional<Mismatch> finish();

  struct DimSlot {
    std::optional<Dim> value;
    Span span;
    std::string what;
  };
  struct TypeSlot {
    std::optional<Type> value;
    Span span;
    bool isFloat = false;
    std::string what;
  };
  std::map<std::string, DimSlot> dims;
  std::map<std::string, TypeSlot> types;

private:
  struct Waiting {
    const ast::Expr *pattern;
    Dim actual;
    Span span;
    std::string what;
  };
  std::optional<Mismatch> unifyDims(llvm::ArrayRef<const ast::Expr *> patterns, llvm::ArrayRef<Dim> actual,
                                    Span span, const std::string &what, const ast::Expr &whole,
                                    const Type &wholeActual);
  /// 1 matched, 0 must wait, -1 differs.
  int unifyDim(const ast::Expr &pattern, const Dim &actual, Span span, const std::string &what,
               std::optional<Dim> &expected);
  std::optional<Dim> evaluate(const ast::Expr &pattern);
  std::optional<Mismatch> unifyType(const std::string &name, const Type &actual, Span span,
                                    const std::string &what);
  Mismatch mismatch(const ast::Expr &pattern, const Type &actual, const std::string &what);
  std::optional<Mismatch> unifyStruct(const StructDecl &decl, const ast::TypeApplyExpr *apply,
                                      llvm::ArrayRef<ast::IndexItem> items, const ast::Expr &pattern,
                                      const Type &actual, Span span, const std::string &what);
  void explain(const ast::Expr &pattern, Mismatch &mismatch) const;

  Elaborator &elaborator;
  std::shared_ptr<const Scope> scope;
  std::vector<Waiting> waiting;
};

} // namespace heddle::frontend
