//===- Value.h - What an expression evaluates to ----------------------------===//
#pragma once

#include "compiler/frontend/Span.h"
#include "compiler/frontend/Type.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>
#include <variant>

namespace heddle::frontend {

class CallContext;
class Value;

/// Something that can be called: a function of the program, a lambda, a builtin, a derivative. The elaborator
/// derives its own kinds; `grad(f)` and its relatives are derived in builtins/Differentiate.cpp.
class Callable {
public:
  virtual ~Callable() = default;
  /// Evaluates a call; the context holds the arguments and reports errors.
  virtual Value call(CallContext &context) const = 0;
  /// For messages: `function 'loss'`, `this lambda`, `grad(loss)`.
  virtual std::string describe() const = 0;
};

/// The result of evaluating an expression. A tensor has one SSA value when emitting, and none in check mode
/// or while it is a constant that nothing has needed as a tensor yet. Tuples keep their elements, so that
/// literals and functions in them stay what they are; structs and stacks hold the SSA values of their leaves
/// in order.
class Value {
public:
  Value() = default; // poisoned: the error was reported, uses are silent
  static Value error() { return {}; }

  /// A tensor, struct, stack or tuple of the given leaves; no leaves in check mode. Tuples are taken apart.
  static Value ofLeaves(const Type &type, llvm::ArrayRef<mlir::Value> leaves, Span span);
  static Value tuple(llvm::ArrayRef<Value> elements, Span span);
  /// `3` (an int literal).
  static Value intLiteral(int64_t value, Span span);
  /// `0.5`, `inf`, `nan`.
  static Value floatLiteral(double value, Span span);
  /// A dimension as a value: an i32 scalar known to the compiler.
  static Value dimension(const Dim &dim, Span span);
  /// `true` and `false`, or a comparison that was decided.
  static Value boolean(bool value, Span span);
  static Value string(std::string text, Span span);
  static Value function(std::shared_ptr<const Callable> callable, Span span);
  static Value type(const Type &type, Span span);
  static Value range(const Dim &extent, Span span);

  const Type &getType() const { return ownType; }
  bool isError() const { return ownType.isError(); }
  /// The expression that gave this value: where its shape came from.
  Span span() const { return ownSpan; }
  Value withSpan(Span span) const;

  /// SSA values of a tensor, struct or stack. Empty in check mode, and for constants not yet materialised
  /// (OpEmitter::leaf and OpEmitter::leaves give those too).
  llvm::ArrayRef<mlir::Value> leaves() const { return ownLeaves; }
  /// Of a tuple.
  llvm::ArrayRef<Value> elements() const { return ownElements; }

  /// The value of an int literal or of a dimension.
  const Dim *dim() const { return std::get_if<Dim>(&constant); }
  /// The value of a float literal.
  const double *number() const { return std::get_if<double>(&constant); }
  const bool *boolean() const { return std::get_if<bool>(&constant); }
  const std::string *text() const { return std::get_if<std::string>(&constant); }
  const Callable *callable() const;
  std::shared_ptr<const Callable> sharedCallable() const;
  bool isConstant() const { return constant.index() != 0; }

  /// A field of a struct, or of the structs in a stack (a stack of one field: tensors with the leading axis).
  Value field(size_t index, Span span) const;

private:
  Type ownType;
  Span ownSpan;
  llvm::SmallVector<mlir::Value, 1> ownLeaves;
  std::vector<Value> ownElements;
  std::variant<std::monostate, Dim, double, bool, std::string, std::shared_ptr<const Callable>> constant;
};

} // namespace heddle::frontend
