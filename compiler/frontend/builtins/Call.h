//===- Call.h - The arguments of a builtin's call ---------------------------===//
#pragma once

#include "compiler/frontend/Diagnostics.h"
#include "compiler/frontend/OpEmitter.h"
#include "compiler/frontend/builtins/Builtins.h"

namespace heddle::frontend {

/// A call of a builtin with its arguments bound to the names of the signature. The getters check the type of
/// an argument; where it does not fit they report an error and return empty, and the builtin returns
/// Value::error().
class Call {
public:
  /// Binds by position and name; reports errors and returns empty. Silently empty where an argument is
  /// poisoned, or has a type that depends on a type parameter not yet known.
  static std::optional<Call> bind(CallContext &context, llvm::StringRef signature);

  CallContext &context;
  OpEmitter &emit;
  llvm::StringRef name() const { return context.name; }
  Span span() const { return context.span; }

  Diagnostic &error(Span span, std::string message) {
    return context.diagnostics.error(span, std::move(message));
  }
  /// At the argument of that name, or at the callee where it was left out.
  Diagnostic &errorAt(llvm::StringRef parameter, std::string message);

  bool has(llvm::StringRef parameter) const { return find(parameter) != nullptr; }
  /// The argument as it was written; must be there.
  const Value &operator[](llvm::StringRef parameter) const { return find(parameter)->value; }
  Span spanOf(llvm::StringRef parameter) const;
  /// What was given for `xs...`.
  llvm::ArrayRef<Argument> rest() const { return variadic; }
  /// What was given for `**sizes`: arguments with names that the signature does not have.
  llvm::ArrayRef<Argument> otherNamed() const { return others; }

  /// A tensor; literals become f32 or i32.
  std::optional<Value> tensor(llvm::StringRef parameter);
  std::optional<Value> floatTensor(llvm::StringRef parameter);
  /// Numbers, not truth values.
  std::optional<Value> numberTensor(llvm::StringRef parameter);
  /// i32 or i64.
  std::optional<Value> indexTensor(llvm::StringRef parameter);
  /// A tensor of the rank of the dimensions and with the element type of `like`; literals become scalars of
  /// it.
  std::optional<Value> tensorLike(llvm::StringRef parameter, const Value &like);
  /// Checks any value as `tensor` does, with `what` for the message.
  std::optional<Value> asTensor(const Value &value, const std::string &what, Span span);

  /// A truth value known to the compiler.
  std::optional<bool> flag(llvm::StringRef parameter, bool otherwise);
  /// An integer known to the compiler, in check mode perhaps symbolic.
  std::optional<Dim> integer(llvm::StringRef parameter);
  std::optional<Dim> asInteger(const Value &value, const std::string &what, Span span);
  /// One of `choices`; the first is the default.
  std::optional<std::string> choice(llvm::StringRef parameter, llvm::ArrayRef<llvm::StringRef> choices);
  /// A number known to the compiler.
  std::optional<double> number(llvm::StringRef parameter, double otherwise);
  /// A scalar of the element type: a literal, or computed in that type or a narrower float.
  std::optional<Value> scalar(llvm::StringRef parameter, ElementType element, double otherwise);
  std::optional<Type> type(llvm::StringRef parameter);

  /// An axis of x, counted from 0; negative ones count from the end. `extra` is 1 for a new axis.
  std::optional<int64_t> axis(llvm::StringRef parameter, const Value &x,
                              std::optional<int64_t> otherwise = {}, size_t extra = 0);
  /// One axis or a tuple of distinct ones, sorted; all where left out.
  std::optional<llvm::SmallVector<int64_t>> axes(llvm::StringRef parameter, const Value &x);
  /// The axis that `value` names.
  std::optional<int64_t> asAxis(const Value &value, const Type &of, Span span, size_t extra = 0);

  /// What was given one by one in `rest`, or as one tuple there, with where it was written.
  std::vector<std::pair<Value, Span>> items() const;
  /// Reports an extent that is known to be negative.
  bool requireExtent(const Dim &extent, Span span);
  /// Dimensions given one by one in `rest`, or as one tuple. Entries of -1 are left as they are.
  std::optional<llvm::SmallVector<Dim>> dimensions(const std::string &what);
  /// Tensors given one by one in `rest`, or as one tuple; literals take the element type of the first tensor.
  std::optional<std::vector<Value>> tensors(const std::string &what);

  /// `x` in f32 for bf16 and f16, for what must not be computed in less.
  Value widen(const Value &x) { return emit.cast(x, accumulatorOf(x.getType().element()), span()); }

private:
  explicit Call(CallContext &context) : context(context), emit(context.emit) {}
  const Argument *find(llvm::StringRef parameter) const;

  std::vector<std::pair<llvm::StringRef, const Argument *>> bound;
  std::vector<Argument> variadic, others;
};

/// The shape of operands broadcast together, by NumPy's rule: from the last axis, equal or literally 1.
/// Reports the first pair that does not fit.
std::optional<llvm::SmallVector<Dim>> broadcastShapes(Call &call, llvm::ArrayRef<Value> operands);

/// Gives literals the type of the tensor operands and checks that all element types are one. Where all are
/// literals they become f32 or i32.
std::optional<std::vector<Value>> unifyElements(Call &call, llvm::ArrayRef<Value> operands);

/// Both of the above, and the operands broadcast to the common shape.
std::optional<std::vector<Value>> broadcastTogether(Call &call, llvm::ArrayRef<Value> operands);

/// A literal or compile-time number as a scalar of the element type; empty where the type cannot hold it.
std::optional<Value> literalAs(OpEmitter &emit, const Value &literal, ElementType element);

/// A number as a person writes it: `1.5`.
std::string numberText(double value);

/// The table entries of each family.
llvm::ArrayRef<Builtin> elementwiseBuiltins();
llvm::ArrayRef<Builtin> operatorBuiltins();
llvm::ArrayRef<Builtin> negationBuiltins();
llvm::ArrayRef<Builtin> activationBuiltins();
llvm::ArrayRef<Builtin> reductionBuiltins();
llvm::ArrayRef<Builtin> linearBuiltins();
llvm::ArrayRef<Builtin> matmulBuiltins();
llvm::ArrayRef<Builtin> shapeBuiltins();
llvm::ArrayRef<Builtin> rearrangeBuiltins();
llvm::ArrayRef<Builtin> makeBuiltins();
llvm::ArrayRef<Builtin> gatherBuiltins();
llvm::ArrayRef<Builtin> networkBuiltins();
llvm::ArrayRef<Builtin> attentionBuiltins();
llvm::ArrayRef<Builtin> cacheBuiltins();
llvm::ArrayRef<Builtin> treeBuiltins();
llvm::ArrayRef<Builtin> differentiateBuiltins();

} // namespace heddle::frontend
