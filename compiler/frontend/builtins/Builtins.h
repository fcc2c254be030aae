//===- Builtins.h - The table of builtin functions and operators ------------===//
#pragma once

#include "compiler/frontend/Value.h"
#include "mlir/IR/Builders.h"
#include <functional>

namespace heddle::frontend {

class Diagnostics;
class OpEmitter;

/// An argument of a call as it was written.
struct Argument {
  std::string name; ///< empty for a positional argument
  Value value;   ///< its own span may be that of the declaration it came from: where its shape is explained
  Span span;     ///< of the argument's expression: where errors point
  Span nameSpan; ///< of the name
};

/// A function made from a callable and the types of its arguments, for ops that name a symbol.
struct Outlined {
  std::string symbol; // empty in check mode
  Type result;
  /// SSA values from around a lambda: further arguments of the symbol, after those asked for.
  llvm::SmallVector<mlir::Value> captures;
};

/// A parameter of a callable.
struct ParameterInfo {
  std::string name;
  bool hasDefault = false;
};

/// `with (names) { … }` after a call.
struct WithBlock {
  Value function;
  Span span;
  std::vector<Span> names;
  Span result;                ///< of the block's last expression
  std::vector<Span> elements; ///< where that is a tuple
};

/// The block of an attention variant, `with (s, b, h, i, j) { … }`: it is evaluated for one pair of a query
/// and a key, so everything in it is a scalar, and tensors from around it are read one element at a time.
struct PairBlock {
  mlir::OpBuilder::InsertPoint outside; // when emitting
};

/// What builtins need from the elaborator.
class Evaluator {
public:
  virtual ~Evaluator() = default;

  /// The block that is being evaluated, or null.
  const PairBlock *pairs = nullptr;

  /// Calls a function value.
  virtual Value apply(const Value &callee, llvm::ArrayRef<Argument> args, Span span) = 0;

  /// Orders the arguments by the callee's parameters and fills in defaults; reports errors and returns empty.
  virtual std::optional<std::vector<Value>> bind(const Value &callee, llvm::ArrayRef<Argument> args,
                                                 Span span) = 0;

  /// Makes a private function of one argument per leaf of `args` (ordered as by `bind`), or finds the one
  /// made before. Literals in `args` become arguments of their default type. In check mode only the result
  /// type is meaningful. Reports errors and returns empty.
  virtual std::optional<Outlined> outline(const Value &callee, llvm::ArrayRef<Value> args, Span span) = 0;

  /// The parameters of a callable, for `wrt` by name; empty when they cannot be known (builtins).
  virtual std::vector<ParameterInfo> parameters(const Value &callee) = 0;

  /// An instance of a struct declaration, silently empty when the arguments do not fit it.
  virtual std::optional<Type> instantiate(const StructDecl &declaration, llvm::ArrayRef<Type> typeArguments,
                                          llvm::ArrayRef<Dim> dims) = 0;

  /// A struct that the compiler declares for every program; must be there.
  virtual const StructDecl *libraryStruct(llvm::StringRef name) const = 0;
};

/// A call that is being evaluated.
class CallContext {
public:
  CallContext(llvm::StringRef name, Span callee, Span span, std::vector<Argument> args,
              Diagnostics &diagnostics, OpEmitter &emit, Evaluator &evaluator)
      : name(name), callee(callee), span(span), args(std::move(args)), diagnostics(diagnostics), emit(emit),
        evaluator(evaluator) {}

  std::string name;           ///< as written, or the operator
  Span callee;                ///< of the name, or of the operator
  Span span;                  ///< of the whole call
  std::vector<Argument> args; ///< in source order
  std::optional<WithBlock> with;
  Diagnostics &diagnostics;
  OpEmitter &emit;
  Evaluator &evaluator;
};

class Call;

/// A builtin function. Operators are builtins too, under their spelling: `+`, `@`, `not`, and `neg` for the
/// unary minus.
struct Builtin {
  llvm::StringRef name;
  /// Parameters and defaults, for the binding of arguments, the editor and messages:
  /// `sum(x, axis = all, keepdims = false)`. `y?` may be left out, `xs...` takes any number of positional
  /// arguments, `**sizes` any named ones.
  llvm::StringRef signature;
  /// One sentence.
  llvm::StringRef summary;
  Value (*implementation)(Call &call);
  /// Whether a call may be followed by `with (…) { … }`.
  bool takesBlock = false;

  /// Binds the arguments and evaluates; reports errors and returns a poisoned value.
  Value evaluate(CallContext &context) const;
};

/// The builtin or operator of that name, or null.
const Builtin *lookupBuiltin(llvm::StringRef name);

/// The functions (not the operators), sorted: for the editor and for "did you mean".
llvm::ArrayRef<llvm::StringRef> allBuiltinNames();

/// One item between the brackets of `x[…]`.
struct IndexItem {
  enum class Kind : uint8_t { At, Slice, Ellipsis };
  Kind kind = Kind::At;
  Value at;                               // At
  std::optional<Value> start, stop, step; // Slice
  Span span;
};

/// `base[items]`; context.args is unused, context.span covers the expression.
Value evaluateIndex(CallContext &context, const Value &base, llvm::ArrayRef<IndexItem> items);

/// `value` as `target`: a literal becomes a constant of the target's type, through tuples; everything else
/// must have the type already. Empty, without a message, when it does not fit.
std::optional<Value> coerce(OpEmitter &emit, const Value &value, const Type &target);

/// A literal as f32 or i32, through tuples; other values unchanged.
Value withDefaultType(OpEmitter &emit, const Value &value);

} // namespace heddle::frontend
