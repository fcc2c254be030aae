//===- Type.h - Types of Heddle values --------------------------------------===//
#pragma once

#include "compiler/frontend/Dim.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <memory>
#include <string>
#include <vector>

namespace heddle::frontend {

struct StructDecl;

enum class ElementType : uint8_t { F64, F32, BF16, F16, I64, I32, I8, Bool };

/// As the user writes it: `f32`, `bool`.
llvm::StringRef spelling(ElementType element);
std::optional<ElementType> elementTypeNamed(llvm::StringRef name);
inline bool isFloat(ElementType element) { return element <= ElementType::F16; }
inline bool isInteger(ElementType element) {
  return element >= ElementType::I64 && element <= ElementType::I8;
}
/// The element type in which sums of `element` are accumulated: f32 for bf16 and f16, else itself.
ElementType accumulatorOf(ElementType element);

/// An immutable type; copying is cheap. Tensors of rank 0 are the scalars.
class Type {
public:
  enum class Kind : uint8_t {
    Error,        ///< of an expression that was already reported; every use of it is silent
    Tensor,       ///< element type and dimensions
    Struct,       ///< an instance of a declaration: type arguments, dimensions, and the types of its fields
    Tuple,        ///< elements
    Stack,        ///< `[T; L]`: the leaves of T with a leading axis L
    Function,     ///< a function, lambda, builtin or derivative as a value
    String,       ///< a literal such as an einsum formula
    IntLiteral,   ///< takes the type of its context; i32 alone
    FloatLiteral, ///< takes the float type of its context; f32 alone
    Range,        ///< `range(n)`, only iterated over
    TypeValue,    ///< a type written where a value may stand: the argument of `zeros`
    Variable,     ///< a type parameter while a generic declaration is checked without arguments
  };

  struct Field;
  /// A leaf of a flattened value: `layers.attn.wq` and its tensor type.
  struct Leaf;

  Type(); // Error
  static Type tensor(ElementType element, llvm::ArrayRef<Dim> dims = {});
  /// `fields` are the instantiated types of the declaration's fields, in order.
  static Type structure(const StructDecl *declaration, llvm::StringRef name,
                        llvm::ArrayRef<Type> typeArguments, llvm::ArrayRef<Dim> dims,
                        llvm::ArrayRef<Field> fields);
  static Type tuple(llvm::ArrayRef<Type> elements);
  static Type stack(const Type &element, const Dim &length);
  static Type function();
  static Type string();
  static Type intLiteral();
  static Type floatLiteral();
  static Type range(const Dim &extent);
  static Type typeValue(const Type &type);
  static Type variable(llvm::StringRef name);

  Kind kind() const;
  bool isError() const { return kind() == Kind::Error; }
  bool isTensor() const { return kind() == Kind::Tensor; }
  bool isStruct() const { return kind() == Kind::Struct; }
  bool isTuple() const { return kind() == Kind::Tuple; }
  bool isStack() const { return kind() == Kind::Stack; }
  bool isFunction() const { return kind() == Kind::Function; }
  bool isString() const { return kind() == Kind::String; }
  bool isLiteral() const { return kind() == Kind::IntLiteral || kind() == Kind::FloatLiteral; }
  bool isScalar() const { return isTensor() && dims().empty(); }
  bool isScalar(ElementType element) const { return isScalar() && this->element() == element; }
  bool isFloatTensor() const { return isTensor() && isFloat(element()); }

  /// Of a tensor.
  ElementType element() const;
  /// Of a tensor; of a struct its dimension arguments; of a stack or range the one length.
  llvm::ArrayRef<Dim> dims() const;
  size_t rank() const { return dims().size(); }

  /// Of a tuple: its elements; of a stack: the one element; of a struct: its type arguments; of a type value:
  /// the type.
  llvm::ArrayRef<Type> elements() const;
  const Type &stackElement() const { return elements().front(); }
  const Dim &stackLength() const { return dims().front(); }

  /// Of a struct.
  const StructDecl *declaration() const;
  llvm::ArrayRef<Field> fields() const;
  /// The position of a field, or empty.
  std::optional<size_t> fieldIndex(llvm::StringRef name) const;
  /// Of a struct or type variable.
  llvm::StringRef name() const;

  /// Structural equality; dimensions match when they are provably equal.
  bool operator==(const Type &other) const;
  bool operator!=(const Type &other) const { return !(*this == other); }

  /// The tensors this type is flattened to, in declaration order. Names are field paths and tuple positions
  /// joined by dots below `prefix`; the leaves of a stack have its length as their leading axis. Types
  /// without values (functions, strings) have none; literals count as the scalar they would be alone.
  std::vector<Leaf> leaves(llvm::StringRef prefix = "") const;
  size_t leafCount() const;

  /// The same tensor type with another element type or other dimensions.
  Type withElement(ElementType element) const;
  Type withDims(llvm::ArrayRef<Dim> dims) const;

  /// Replaces dimension variables throughout. Empty when a division is then not exact.
  std::optional<Type> substitute(const DimMap &values) const;

  /// As the user writes it: `f32[B, N]`, `Model<bf16>[V, D]`, `(f32, [Block[D]; L])`; `an int literal` for
  /// kinds that have no spelling.
  std::string str() const;

private:
  struct Storage;
  explicit Type(std::shared_ptr<const Storage> storage) : storage(std::move(storage)) {}
  std::shared_ptr<const Storage> storage; // null is Error
};

struct Type::Field {
  std::string name;
  Type type;
};

struct Type::Leaf {
  std::string name;
  Type type;
};

/// `[2, N, 3]`, as messages show shapes.
std::string shapeString(llvm::ArrayRef<Dim> dims);

} // namespace heddle::frontend
