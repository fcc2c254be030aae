// Blocks, their statements, and the expressions that braces belong to.
#include "compiler/frontend/ParserImpl.h"

#include <algorithm>

namespace heddle::frontend {
using namespace ast;

BlockPtr Parser::block(const char *what) {
  Nested nested(*this);
  Saved saved(header, false);
  Span begin = here();
  if (!at(Tok::LBrace))
    fail(begin, std::string("expected '{' before ") + what + ", found " + found());
  advance();
  auto result = std::make_unique<BlockExpr>(begin);
  unsigned height = 0;
  skipNewlines();
  while (!at(Tok::RBrace) && !at(Tok::Eof)) {
    size_t before = position;
    Span first = here();
    try {
      result->statements.push_back(statement());
      expectEndOfStatement("the statement");
    } catch (const Abandon &) {
      skipStatement();
      if (position == before && !at(Tok::RBrace))
        advance();
      // The name that a broken statement would have bound is not known; an error node keeps later passes
      // quiet.
      Stmt broken;
      broken.span = since(first);
      broken.value = std::make_unique<ErrorExpr>(broken.span);
      result->statements.push_back(std::move(broken));
    }
    skipNewlines();
  }
  result->closing = here();
  expect(Tok::RBrace, "after the block");
  result->span = since(begin);
  for (const Stmt &s : result->statements)
    height = std::max({height, heightOf(s.annotation), heightOf(s.value), heightOf(s.message)});
  result->height = height + 1;
  if (result->height > maximumHeight)
    tooDeep(begin);
  return result;
}

Stmt Parser::statement() {
  Stmt result;
  Span begin = here();
  if (accept(Tok::Let)) {
    result.kind = Stmt::Let;
    result.pattern = pattern();
    if (accept(Tok::Colon))
      result.annotation = type();
    if (at(Tok::Comma))
      fail(here(), "expected '=', found ','", "take a tuple apart with 'let (a, b) = …'");
    expect(Tok::Equal, "after the name");
    skipNewlines();
    result.value = expression();
  } else if (accept(Tok::Assert)) {
    result.kind = Stmt::Assert;
    result.value = expression();
    if (accept(Tok::Comma)) {
      skipNewlines();
      result.message = expression();
    }
  } else {
    if (at(Tok::Const) || at(Tok::Struct) || at(Tok::Import))
      fail(begin, std::string(describe(token().kind)) + " stands at the top of a file, not inside a function",
           at(Tok::Const) ? "write 'let'" : "");
    result.value = expression();
  }
  result.span = since(begin);
  return result;
}

Pattern Parser::pattern() {
  Nested nested(*this);
  Pattern result;
  Span begin = here();
  if (accept(Tok::LParen)) {
    result.isTuple = true;
    bool comma = false;
    while (!at(Tok::RParen)) {
      result.items.push_back(pattern());
      if (!accept(Tok::Comma))
        break;
      comma = true;
    }
    expect(Tok::RParen, "after the pattern");
    if (result.items.size() == 1 && !comma)
      return std::move(result.items[0]);
  } else {
    result.name = lowerName("a name");
  }
  result.span = since(begin);
  return result;
}

/// `with (s, b, h, i, j) { … }` after the arguments of a call. `with` is an ordinary name elsewhere.
ExprPtr Parser::withBlock() {
  Nested nested(*this);
  Saved saved(header, false);
  Span begin = advance().span;
  auto node = std::make_unique<LambdaExpr>(begin);
  expect(Tok::LParen, "after 'with'");
  while (!at(Tok::RParen)) {
    Parameter parameter;
    parameter.name = lowerName("a name");
    parameter.span = parameter.name.span;
    for (const Parameter &other : node->parameters)
      if (other.name.text == parameter.name.text && other.name.text != "_")
        diagnostics.error(parameter.span, "the name '" + parameter.name.text + "' stands twice after 'with'")
            .note(other.span, "it stands here already");
    if (at(Tok::Colon) || at(Tok::Equal))
      fail(here(), "expected ',' or ')' after the name, found " + found(),
           "the names after 'with' have no types and no defaults: 'with (s, b, h, i, j) { … }'");
    node->parameters.push_back(std::move(parameter));
    if (!accept(Tok::Comma))
      break;
  }
  expect(Tok::RParen, "after the names");
  node->body = block("the block after 'with'");
  node->span = since(begin);
  unsigned height = node->body->height;
  return finish(std::move(node), height);
}

/// In a header '{' begins the block; what follows a struct's name and reads as fields was meant otherwise.
void Parser::refuseBareStruct(const char *what) {
  size_t ahead = 1;
  while (peek(ahead).kind == Tok::Newline)
    ++ahead;
  bool fields = peek(ahead).kind == Tok::Identifier &&
                (peek(ahead + 1).kind == Tok::Colon || peek(ahead + 1).kind == Tok::Comma);
  if (at(Tok::LBrace) && fields)
    fail(here(), std::string("a struct literal in the header of '") + what + "' needs parentheses",
         "write '(Name { … })'");
}

ExprPtr Parser::ifExpression() {
  Nested nested(*this);
  Span begin = advance().span;
  auto node = std::make_unique<IfExpr>(begin);
  {
    Saved saved(header, true);
    node->condition = expression();
  }
  refuseBareStruct("if");
  node->then = block("the block of 'if'");
  if (acceptOnNextLine(Tok::Else))
    node->otherwise = at(Tok::If) ? ifExpression() : block("the block of 'else'");
  else
    diagnostics.error(begin, "this 'if' has no 'else'")
        .hint("'if' is an expression, so both cases need a value: add 'else { … }'");
  node->span = since(begin);
  unsigned height = std::max({heightOf(node->condition), node->then->height, heightOf(node->otherwise)});
  return finish(std::move(node), height);
}

ExprPtr Parser::forExpression() {
  Nested nested(*this);
  Span begin = advance().span;
  auto node = std::make_unique<ForExpr>(begin);
  {
    Saved saved(header, true);
    node->pattern = pattern();
    if (at(Tok::Comma))
      fail(here(), "expected 'in', found ','", "put several names in parentheses: 'for (x, y) in (xs, ys)'");
    expect(Tok::In, "after the loop's pattern");
    skipNewlines();
    node->iterable = expression();
    if (acceptOnNextLine(Tok::Carry)) {
      node->hasCarry = true;
      node->carry = pattern();
      if (accept(Tok::Equal)) {
        skipNewlines();
        node->init = expression();
      }
      if (at(Tok::Comma))
        fail(here(), "expected '{', found ','", "carry several values as a tuple: 'carry (a, b) = (x, y)'");
    }
    if (acceptOnNextLine(Tok::Collect)) {
      node->collect = true;
      node->collectSpan = previous().span;
    }
  }
  refuseBareStruct("for");
  node->body = block("the body of the loop");
  node->span = since(begin);
  if (!node->hasCarry && !node->collect)
    diagnostics.error(begin, "this loop has no value")
        .hint("add 'carry s = …' for a fold, or 'collect' to stack the results");
  unsigned height = std::max({heightOf(node->iterable), heightOf(node->init), node->body->height});
  return finish(std::move(node), height);
}

ExprPtr Parser::structLiteral(ExprPtr type) {
  Nested nested(*this);
  Saved saved(header, false);
  Span begin = type->span;
  unsigned height = type->height;
  auto node = std::make_unique<StructLiteralExpr>(begin);
  node->type = std::move(type);
  advance();
  skipNewlines();
  try {
    structFields(*node, height);
  } catch (const Abandon &) {
    skipBraces();
    throw;
  }
  expect(Tok::RBrace, "after the fields");
  node->span = since(begin);
  return finish(std::move(node), height);
}

void Parser::structFields(StructLiteralExpr &literal, unsigned &height) {
  while (!at(Tok::RBrace)) {
    FieldInit field;
    field.name = name("a field name");
    if (at(Tok::Equal))
      fail(here(), "expected ':' after the field name, found '='", "fields are written 'name: value'");
    if (accept(Tok::Colon)) {
      skipNewlines();
      field.value = expression();
      height = std::max(height, field.value->height);
    }
    literal.fields.push_back(std::move(field));
    if (!at(Tok::Comma) && !at(Tok::Newline) && !at(Tok::RBrace))
      fail(here(), "expected ',' or a new line after the field, found " + found());
    while (at(Tok::Comma) || at(Tok::Newline))
      advance();
  }
}

} // namespace heddle::frontend
