//===- Value.cpp - What an expression evaluates to --------------------------===//
#include "compiler/frontend/Value.h"

namespace heddle::frontend {

Value Value::ofLeaves(const Type &type, llvm::ArrayRef<mlir::Value> leaves, Span span) {
  Value value;
  value.ownType = type;
  value.ownSpan = span;
  if (!type.isTuple()) {
    value.ownLeaves.assign(leaves.begin(), leaves.end());
    return value;
  }
  for (const Type &element : type.elements()) {
    size_t count = leaves.empty() ? 0 : element.leafCount();
    value.ownElements.push_back(ofLeaves(element, leaves.take_front(count), span));
    leaves = leaves.drop_front(count);
  }
  return value;
}

Value Value::tuple(llvm::ArrayRef<Value> elements, Span span) {
  Value value;
  std::vector<Type> types;
  for (const Value &element : elements) {
    if (element.isError())
      return error();
    types.push_back(element.ownType);
  }
  value.ownType = Type::tuple(types);
  value.ownSpan = span;
  value.ownElements = elements;
  return value;
}

Value Value::intLiteral(int64_t number, Span span) {
  Value value = ofLeaves(Type::intLiteral(), {}, span);
  value.constant = Dim(number);
  return value;
}

Value Value::floatLiteral(double number, Span span) {
  Value value = ofLeaves(Type::floatLiteral(), {}, span);
  value.constant = number;
  return value;
}

Value Value::dimension(const Dim &dim, Span span) {
  Value value = ofLeaves(Type::tensor(ElementType::I32), {}, span);
  value.constant = dim;
  return value;
}

Value Value::boolean(bool truth, Span span) {
  Value value = ofLeaves(Type::tensor(ElementType::Bool), {}, span);
  value.constant = truth;
  return value;
}

Value Value::string(std::string text, Span span) {
  Value value = ofLeaves(Type::string(), {}, span);
  value.constant = std::move(text);
  return value;
}

Value Value::function(std::shared_ptr<const Callable> callable, Span span) {
  Value value = ofLeaves(Type::function(), {}, span);
  value.constant = std::move(callable);
  return value;
}

Value Value::type(const Type &type, Span span) { return ofLeaves(Type::typeValue(type), {}, span); }
Value Value::range(const Dim &extent, Span span) { return ofLeaves(Type::range(extent), {}, span); }

Value Value::withSpan(Span span) const {
  Value value = *this;
  value.ownSpan = span;
  return value;
}

const Callable *Value::callable() const {
  auto *shared = std::get_if<std::shared_ptr<const Callable>>(&constant);
  return shared ? shared->get() : nullptr;
}

std::shared_ptr<const Callable> Value::sharedCallable() const {
  auto *shared = std::get_if<std::shared_ptr<const Callable>>(&constant);
  return shared ? *shared : nullptr;
}

Value Value::field(size_t index, Span span) const {
  const Type &record = ownType.isStack() ? ownType.stackElement() : ownType;
  if (index >= record.fields().size())
    return error();
  size_t first = 0;
  for (size_t i = 0; i < index; ++i)
    first += record.fields()[i].type.leafCount();
  Type type = record.fields()[index].type;
  size_t count = type.leafCount();
  if (ownType.isStack()) {
    if (type.isTensor()) {
      llvm::SmallVector<Dim> dims{ownType.stackLength()};
      dims.append(type.dims().begin(), type.dims().end());
      type = type.withDims(dims);
    } else {
      type = Type::stack(type, ownType.stackLength());
    }
  }
  return ofLeaves(type, ownLeaves.empty() ? llvm::ArrayRef<mlir::Value>() : leaves().slice(first, count),
                  span);
}

} // namespace heddle::frontend
