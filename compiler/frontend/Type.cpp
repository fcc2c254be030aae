//===- Type.cpp - Types of Heddle values ------------------------------------===//
#include "compiler/frontend/Type.h"
#include "llvm/ADT/STLExtras.h"

namespace heddle::frontend {

static constexpr llvm::StringLiteral elementNames[] = {"f64", "f32", "bf16", "f16",
                                                       "i64", "i32", "i8",   "bool"};

llvm::StringRef spelling(ElementType element) { return elementNames[size_t(element)]; }

std::optional<ElementType> elementTypeNamed(llvm::StringRef name) {
  for (auto [index, known] : llvm::enumerate(elementNames))
    if (name == known)
      return ElementType(index);
  return std::nullopt;
}

ElementType accumulatorOf(ElementType element) {
  return element == ElementType::BF16 || element == ElementType::F16 ? ElementType::F32 : element;
}

std::string shapeString(llvm::ArrayRef<Dim> dims) {
  std::string text = "[";
  for (auto [index, dim] : llvm::enumerate(dims))
    text += (index ? ", " : "") + dim.str();
  return text + "]";
}

struct Type::Storage {
  Kind kind;
  ElementType element = ElementType::F32;
  std::vector<Dim> dims;
  std::vector<Type> elements;
  std::string name;
  const StructDecl *declaration = nullptr;
  std::vector<Field> fields;
};

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

Type::Type() = default;

Type Type::tensor(ElementType element, llvm::ArrayRef<Dim> dims) {
  return Type(std::make_shared<const Storage>(Storage{Kind::Tensor, element, dims, {}, {}, nullptr, {}}));
}

Type Type::structure(const StructDecl *declaration, llvm::StringRef name, llvm::ArrayRef<Type> typeArguments,
                     llvm::ArrayRef<Dim> dims, llvm::ArrayRef<Field> fields) {
  return Type(std::make_shared<const Storage>(
      Storage{Kind::Struct, ElementType::F32, dims, typeArguments, name.str(), declaration, fields}));
}

Type Type::tuple(llvm::ArrayRef<Type> elements) {
  return Type(
      std::make_shared<const Storage>(Storage{Kind::Tuple, ElementType::F32, {}, elements, {}, nullptr, {}}));
}

Type Type::stack(const Type &element, const Dim &length) {
  return Type(std::make_shared<const Storage>(
      Storage{Kind::Stack, ElementType::F32, {length}, {element}, {}, nullptr, {}}));
}

#define HEDDLE_SIMPLE_TYPE(FUNCTION, KIND)                                                                   \
  Type Type::FUNCTION() {                                                                                    \
    static const Type type(                                                                                  \
        std::make_shared<const Storage>(Storage{KIND, ElementType::F32, {}, {}, {}, nullptr, {}}));          \
    return type;                                                                                             \
  }
HEDDLE_SIMPLE_TYPE(function, Kind::Function)
HEDDLE_SIMPLE_TYPE(string, Kind::String)
HEDDLE_SIMPLE_TYPE(intLiteral, Kind::IntLiteral)
HEDDLE_SIMPLE_TYPE(floatLiteral, Kind::FloatLiteral)
#undef HEDDLE_SIMPLE_TYPE

Type Type::range(const Dim &extent) {
  return Type(
      std::make_shared<const Storage>(Storage{Kind::Range, ElementType::I32, {extent}, {}, {}, nullptr, {}}));
}

Type Type::typeValue(const Type &type) {
  return Type(std::make_shared<const Storage>(
      Storage{Kind::TypeValue, ElementType::F32, {}, {type}, {}, nullptr, {}}));
}

Type Type::variable(llvm::StringRef name) {
  return Type(std::make_shared<const Storage>(
      Storage{Kind::Variable, ElementType::F32, {}, {}, name.str(), nullptr, {}}));
}

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

Type::Kind Type::kind() const { return storage ? storage->kind : Kind::Error; }
ElementType Type::element() const { return storage ? storage->element : ElementType::F32; }
llvm::ArrayRef<Dim> Type::dims() const {
  return storage ? llvm::ArrayRef<Dim>(storage->dims) : llvm::ArrayRef<Dim>();
}
llvm::ArrayRef<Type> Type::elements() const {
  return storage ? llvm::ArrayRef<Type>(storage->elements) : llvm::ArrayRef<Type>();
}
const StructDecl *Type::declaration() const { return storage ? storage->declaration : nullptr; }
llvm::ArrayRef<Type::Field> Type::fields() const {
  return storage ? llvm::ArrayRef<Field>(storage->fields) : llvm::ArrayRef<Field>();
}
llvm::StringRef Type::name() const { return storage ? llvm::StringRef(storage->name) : llvm::StringRef(); }

std::optional<size_t> Type::fieldIndex(llvm::StringRef name) const {
  for (auto [index, field] : llvm::enumerate(fields()))
    if (field.name == name)
      return index;
  return std::nullopt;
}

bool Type::operator==(const Type &other) const {
  if (storage == other.storage)
    return true;
  if (kind() != other.kind() || isError())
    return false;
  // The fields of a struct follow from the rest.
  return storage->element == other.storage->element && storage->declaration == other.storage->declaration &&
         storage->name == other.storage->name && llvm::equal(storage->dims, other.storage->dims) &&
         llvm::equal(storage->elements, other.storage->elements);
}

//===----------------------------------------------------------------------===//
// Leaves
//===----------------------------------------------------------------------===//

static std::string joinPath(llvm::StringRef prefix, llvm::StringRef name) {
  return prefix.empty() ? name.str() : (prefix.str() + ".").append(name);
}

std::vector<Type::Leaf> Type::leaves(llvm::StringRef prefix) const {
  std::vector<Leaf> result;
  auto append = [&](std::vector<Leaf> more) {
    for (Leaf &leaf : more)
      result.push_back(std::move(leaf));
  };
  switch (kind()) {
  case Kind::Tensor:
    result.push_back({prefix.str(), *this});
    break;
  case Kind::IntLiteral:
    result.push_back({prefix.str(), tensor(ElementType::I32)});
    break;
  case Kind::FloatLiteral:
    result.push_back({prefix.str(), tensor(ElementType::F32)});
    break;
  case Kind::Struct:
    for (const Field &field : fields())
      append(field.type.leaves(joinPath(prefix, field.name)));
    break;
  case Kind::Tuple:
    for (auto [index, element] : llvm::enumerate(elements()))
      append(element.leaves(joinPath(prefix, std::to_string(index))));
    break;
  case Kind::Stack:
    append(stackElement().leaves(prefix));
    for (Leaf &leaf : result) {
      llvm::SmallVector<Dim> dims{stackLength()};
      dims.append(leaf.type.dims().begin(), leaf.type.dims().end());
      leaf.type = leaf.type.withDims(dims);
    }
    break;
  default:
    break;
  }
  return result;
}

size_t Type::leafCount() const {
  switch (kind()) {
  case Kind::Tensor:
  case Kind::IntLiteral:
  case Kind::FloatLiteral:
    return 1;
  case Kind::Struct: {
    size_t count = 0;
    for (const Field &field : fields())
      count += field.type.leafCount();
    return count;
  }
  case Kind::Tuple:
  case Kind::Stack: {
    size_t count = 0;
    for (const Type &element : elements())
      count += element.leafCount();
    return count;
  }
  default:
    return 0;
  }
}

Type Type::withElement(ElementType element) const { return tensor(element, dims()); }
Type Type::withDims(llvm::ArrayRef<Dim> dims) const { return tensor(element(), dims); }

std::optional<Type> Type::substitute(const DimMap &values) const {
  if (!storage)
    return *this;
  Storage result = *storage;
  for (Dim &dim : result.dims) {
    std::optional<Dim> known = dim.substitute(values);
    if (!known)
      return std::nullopt;
    dim = *known;
  }
  auto replace = [&](Type &type) {
    std::optional<Type> known = type.substitute(values);
    if (known)
      type = *known;
    return known.has_value();
  };
  for (Type &element : result.elements)
    if (!replace(element))
      return std::nullopt;
  for (Field &field : result.fields)
    if (!replace(field.type))
      return std::nullopt;
  return Type(std::make_shared<const Storage>(std::move(result)));
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static std::string joined(llvm::ArrayRef<Type> types) {
  std::string text;
  for (auto [index, type] : llvm::enumerate(types))
    text += (index ? ", " : "") + type.str();
  return text;
}

std::string Type::str() const {
  switch (kind()) {
  case Kind::Error:
    return "an erroneous value";
  case Kind::Tensor:
    return spelling(element()).str() + (dims().empty() ? "" : shapeString(dims()));
  case Kind::Struct:
    return name().str() + (elements().empty() ? "" : "<" + joined(elements()) + ">") +
           (dims().empty() ? "" : shapeString(dims()));
  case Kind::Tuple:
    return "(" + joined(elements()) + (elements().size() == 1 ? ",)" : ")");
  case Kind::Stack:
    return "[" + stackElement().str() + "; " + stackLength().str() + "]";
  case Kind::Function:
    return "a function";
  case Kind::String:
    return "a string";
  case Kind::IntLiteral:
    return "an int literal";
  case Kind::FloatLiteral:
    return "a float literal";
  case Kind::Range:
    return "range(" + dims().front().str() + ")";
  case Kind::TypeValue:
    return "the type " + elements().front().str();
  case Kind::Variable:
    return name().str();
  }
  return {};
}

} // namespace heddle::frontend
