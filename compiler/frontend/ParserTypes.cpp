// Types, and type arguments inside expressions.
#include "compiler/frontend/ParserImpl.h"

#include <algorithm>

namespace heddle::frontend {
using namespace ast;

ExprPtr Parser::type() {
  Nested nested(*this);
  Span begin = here();
  if (at(Tok::LParen)) {
    advance();
    auto tuple = std::make_unique<TupleExpr>(begin);
    unsigned height = 0;
    while (!at(Tok::RParen)) {
      tuple->items.push_back(type());
      height = std::max(height, tuple->items.back()->height);
      if (!accept(Tok::Comma))
        break;
    }
    expect(Tok::RParen, "after the tuple type");
    tuple->span = since(begin);
    return finish(std::move(tuple), height);
  }
  if (at(Tok::LBracket)) {
    advance();
    auto stack = std::make_unique<StackTypeExpr>(begin);
    stack->element = type();
    if (!at(Tok::Semicolon))
      fail(here(), "expected ';' and the length of the stack, found " + found(), "a stack type is '[T; L]'");
    advance();
    stack->count = expression();
    expect(Tok::RBracket, "after the length of the stack");
    stack->span = since(begin);
    unsigned height = std::max(stack->element->height, stack->count->height);
    return finish(std::move(stack), height);
  }
  if (!at(Tok::Identifier))
    fail(begin, "expected a type, found " + found());
  auto node = std::make_unique<NameExpr>(begin);
  node->name = advance().text;
  return postfix(std::move(node), /*isType=*/true);
}

std::unique_ptr<TypeApplyExpr> Parser::typeArguments(ExprPtr base) {
  Nested nested(*this);
  Span begin = base->span;
  auto node = std::make_unique<TypeApplyExpr>(begin);
  unsigned height = base->height;
  node->base = std::move(base);
  expect(Tok::Less, "before the type arguments");
  while (!at(Tok::Greater)) {
    node->arguments.push_back(type());
    height = std::max(height, node->arguments.back()->height);
    skipNewlines();
    if (!accept(Tok::Comma))
      break;
    skipNewlines();
  }
  expect(Tok::Greater, "after the type arguments");
  node->span = since(begin);
  node->height = height + 1;
  if (node->height > maximumHeight)
    tooDeep(node->span);
  return node;
}

/// `Name < …` in an expression: type arguments if they read as such, otherwise a comparison.
ExprPtr Parser::tryTypeArguments(ExprPtr base) {
  size_t start = position;
  if (noTypeArguments.count(start))
    return base;
  bool wasSilent = diagnostics.isSilent();
  unsigned savedNesting = nesting;
  bool savedHeader = header;
  auto name = std::make_unique<NameExpr>(base->span);
  name->name = static_cast<NameExpr &>(*base).name;
  diagnostics.setSilent(true);
  size_t errors = diagnostics.silencedErrors;
  ExprPtr result;
  try {
    result = typeArguments(std::move(name));
  } catch (const Abandon &) {
  }
  bool clean = result && diagnostics.silencedErrors == errors;
  diagnostics.setSilent(wasSilent);
  nesting = savedNesting;
  header = savedHeader;
  if (clean)
    return result;
  noTypeArguments.insert(start);
  position = start;
  return base;
}

} // namespace heddle::frontend
