// The syntax tree: plain structs owned by unique_ptr, every node with its place in the source.
//
// Types and expressions share one tree: `f32[B, N]` is an index expression on the name `f32`, a tuple type is
// a tuple. Which of the two a tree means depends on where it stands, and the elaborator knows that.
#pragma once
#include "compiler/frontend/Source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace heddle::frontend::ast {

/// A name and its place.
struct Name {
  std::string text;
  Span span;
  bool empty() const { return text.empty(); }
};

//===--- Expressions and types ----------------------------------------------------------------------===//

enum class ExprKind {
  Integer,
  Float,
  Bool,
  String,
  Name,
  Unary,
  Binary,
  Call,
  Index,
  Field,
  TypeApply,
  StackType,
  Tuple,
  StructLiteral,
  Block,
  If,
  For,
  Lambda,
  Error
};

struct Expr {
  Expr(ExprKind kind, Span span) : kind(kind), span(span) {}
  virtual ~Expr() = default;

  ExprKind kind;
  Span span;
  /// The height of the tree, kept small by the parser so that recursion over it is safe.
  unsigned height = 1;

  template <typename T>
  T *as() {
    return kind == T::kindOf ? static_cast<T *>(this) : nullptr;
  }
  template <typename T>
  const T *as() const {
    return kind == T::kindOf ? static_cast<const T *>(this) : nullptr;
  }
};
using ExprPtr = std::unique_ptr<Expr>;

template <ExprKind K>
struct ExprOf : Expr {
  static constexpr ExprKind kindOf = K;
  explicit ExprOf(Span span) : Expr(K, span) {}
};

/// `64`, `0xff`.
struct IntegerExpr : ExprOf<ExprKind::Integer> {
  using ExprOf::ExprOf;
  int64_t value = 0;
};
/// `0.5`, `1e-5`, `inf`, `nan`.
struct FloatExpr : ExprOf<ExprKind::Float> {
  using ExprOf::ExprOf;
  double value = 0;
};
struct BoolExpr : ExprOf<ExprKind::Bool> {
  using ExprOf::ExprOf;
  bool value = false;
};
struct StringExpr : ExprOf<ExprKind::String> {
  using ExprOf::ExprOf;
  std::string value;
};
struct NameExpr : ExprOf<ExprKind::Name> {
  using ExprOf::ExprOf;
  std::string name;
};

enum class UnaryOp { Negate, Not };
struct UnaryExpr : ExprOf<ExprKind::Unary> {
  using ExprOf::ExprOf;
  UnaryOp op = UnaryOp::Negate;
  Span opSpan;
  ExprPtr operand;
};

enum class BinaryOp { Add, Sub, Mul, Div, Mod, Pow, MatMul, Eq, Ne, Lt, Le, Gt, Ge, And, Or };
/// The operator as it is written: `+`, `and`.
const char *spelling(BinaryOp op);
const char *spelling(UnaryOp op);
struct BinaryExpr : ExprOf<ExprKind::Binary> {
  using ExprOf::ExprOf;
  BinaryOp op = BinaryOp::Add;
  Span opSpan;
  ExprPtr lhs, rhs;
};

/// `value` or `name = value`.
struct Argument {
  Name name;
  ExprPtr value;
  Span span;
};
/// `callee(arguments)`, or `callee(arguments) with (names) { … }`.
struct CallExpr : ExprOf<ExprKind::Call> {
  using ExprOf::ExprOf;
  ExprPtr callee;
  std::vector<Argument> arguments;
  ExprPtr with; // a LambdaExpr, or null
};

/// One entry between `[ ]`: `i`, `a:b:c`, `...`, or `K = 32` in an instantiation.
struct IndexItem {
  enum Kind { Value, Slice, Ellipsis } kind = Value;
  Name name;
  ExprPtr value;             // Value
  ExprPtr start, stop, step; // Slice; each may be null
  Span span;
};
/// `base[items]`: indexing, a tensor or struct type, or a function with explicit dimensions.
struct IndexExpr : ExprOf<ExprKind::Index> {
  using ExprOf::ExprOf;
  ExprPtr base;
  std::vector<IndexItem> items;
};
/// `base.name`.
struct FieldExpr : ExprOf<ExprKind::Field> {
  using ExprOf::ExprOf;
  ExprPtr base;
  Name name;
};
/// `AdamW<T, …>`: type arguments of a struct or function.
struct TypeApplyExpr : ExprOf<ExprKind::TypeApply> {
  using ExprOf::ExprOf;
  ExprPtr base;
  std::vector<ExprPtr> arguments;
};
/// `[T; L]`.
struct StackTypeExpr : ExprOf<ExprKind::StackType> {
  using ExprOf::ExprOf;
  ExprPtr element, count;
};
/// `(a, b)` or `[a, b]`.
struct TupleExpr : ExprOf<ExprKind::Tuple> {
  using ExprOf::ExprOf;
  std::vector<ExprPtr> items;
};
struct FieldInit {
  Name name;
  ExprPtr value; // null for `Name { field }`, which means the value of that name
};
/// `Name { field: value, … }`.
struct StructLiteralExpr : ExprOf<ExprKind::StructLiteral> {
  using ExprOf::ExprOf;
  ExprPtr type;
  std::vector<FieldInit> fields;
};

/// What `let`, `for` and `carry` bind: a name, `_`, or a tuple of patterns.
struct Pattern {
  Span span;
  Name name; // a name, when `items` is not used
  bool isTuple = false;
  std::vector<Pattern> items;
};

struct Stmt {
  enum Kind { Let, Assert, Value } kind = Value;
  Span span;
  Pattern pattern;    // Let
  ExprPtr annotation; // Let, may be null
  ExprPtr value;      // Let, Value; the condition of Assert
  ExprPtr message;    // Assert, may be null
};
/// `{ statements }`; the value is that of the last statement, an expression.
struct BlockExpr : ExprOf<ExprKind::Block> {
  using ExprOf::ExprOf;
  std::vector<Stmt> statements;
  /// The closing brace, where a missing value is reported.
  Span closing;
};
using BlockPtr = std::unique_ptr<BlockExpr>;

/// `if c { a } else { b }`; `otherwise` is a block or another `if`, null only after an error.
struct IfExpr : ExprOf<ExprKind::If> {
  using ExprOf::ExprOf;
  ExprPtr condition;
  BlockPtr then;
  ExprPtr otherwise;
};
/// `for pattern in iterable carry pattern = init collect { … }`.
struct ForExpr : ExprOf<ExprKind::For> {
  using ExprOf::ExprOf;
  Pattern pattern;
  ExprPtr iterable;
  bool hasCarry = false;
  Pattern carry;
  ExprPtr init; // null for `carry s`
  bool collect = false;
  Span collectSpan;
  BlockPtr body;
};

/// A parameter of a function or lambda.
struct Parameter {
  Name name;
  ExprPtr type;         // may be null in a lambda
  ExprPtr defaultValue; // may be null
  Span span;
};
/// `fn (x) { … }`.
struct LambdaExpr : ExprOf<ExprKind::Lambda> {
  using ExprOf::ExprOf;
  std::vector<Parameter> parameters;
  BlockPtr body;
};
/// Stands where an expression could not be parsed; the error was reported already.
struct ErrorExpr : ExprOf<ExprKind::Error> {
  using ExprOf::ExprOf;
};

//===--- Items --------------------------------------------------------------------------------------===//

/// `T` or `F: float` between `< >`.
struct TypeParameter {
  Name name;
  bool isFloat = false;
};
/// `K` or `W = 64` between `[ ]`.
struct DimParameter {
  Name name;
  ExprPtr defaultValue;
};

/// `import "path.heddle"` or `import std.nn`.
struct ImportItem {
  Span span;
  bool isPath = false;
  std::string target; // the path, or the dotted name
  Span targetSpan;
};
struct ConstItem {
  Span span;
  std::string doc;
  Name name;
  ExprPtr annotation; // may be null
  ExprPtr value;
};
struct FieldDecl {
  std::string doc;
  Name name;
  ExprPtr type;
};
struct StructItem {
  Span span;
  std::string doc;
  Name name;
  std::vector<TypeParameter> typeParameters;
  std::vector<DimParameter> dims;
  std::vector<FieldDecl> fields;
};
/// `@checkpoint`, `@vjp(of = f)`.
struct Attribute {
  Span span;
  Name name;
  std::vector<Argument> arguments;
};
struct FnItem {
  Span span;
  std::string doc;
  std::vector<Attribute> attributes;
  Name name;
  std::vector<TypeParameter> typeParameters;
  std::vector<DimParameter> dims;
  std::vector<Parameter> parameters;
  ExprPtr result; // may be null
  BlockPtr body;  // null only after an error
};

enum class ItemKind { Import, Const, Struct, Fn };
/// The items of a module in source order, as an index into one of its lists.
struct ItemRef {
  ItemKind kind;
  size_t index;
};

/// One file.
struct Module {
  const Source *source = nullptr;
  std::string doc;
  std::vector<std::unique_ptr<ImportItem>> imports;
  std::vector<std::unique_ptr<ConstItem>> consts;
  std::vector<std::unique_ptr<StructItem>> structs;
  std::vector<std::unique_ptr<FnItem>> functions;
  std::vector<ItemRef> order;
};

/// Prints a module as an indented tree, one node a line (`--emit ast`).
std::string print(const Module &module);
/// Prints an expression or a type as source text on one line.
std::string print(const Expr &expr);

} // namespace heddle::frontend::ast
