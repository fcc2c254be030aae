// Expressions and types. Precedence as in Python.
#include "compiler/frontend/ParserImpl.h"

#include <algorithm>
#include <limits>

namespace heddle::frontend {
using namespace ast;

void Parser::tooDeep(Span span) {
  fail(span.source ? Span{span.source, span.begin, span.begin + 1} : here(),
       "this is nested too deeply; the limit is " + std::to_string(maximumNesting) + " brackets and " +
           std::to_string(maximumHeight) + " operators",
       "name a part of it with 'let'");
}

Parser::Nested::Nested(Parser &parser) : parser(parser) {
  if (parser.nesting >= maximumNesting)
    parser.tooDeep(parser.here());
  ++parser.nesting;
}

ExprPtr Parser::unary(UnaryOp op, Span opSpan, ExprPtr operand) {
  auto node = std::make_unique<UnaryExpr>(cover(opSpan, operand->span));
  node->op = op;
  node->opSpan = opSpan;
  unsigned height = operand->height;
  node->operand = std::move(operand);
  return finish(std::move(node), height);
}

ExprPtr Parser::binary(BinaryOp op, Span opSpan, ExprPtr lhs, ExprPtr rhs) {
  auto node = std::make_unique<BinaryExpr>(cover(lhs->span, rhs->span));
  node->op = op;
  node->opSpan = opSpan;
  unsigned height = std::max(lhs->height, rhs->height);
  node->lhs = std::move(lhs);
  node->rhs = std::move(rhs);
  return finish(std::move(node), height);
}

ExprPtr Parser::disjunction() {
  ExprPtr lhs = conjunction();
  while (at(Tok::Or)) {
    Span op = advance().span;
    skipNewlines();
    lhs = binary(BinaryOp::Or, op, std::move(lhs), conjunction());
  }
  return lhs;
}

ExprPtr Parser::conjunction() {
  ExprPtr lhs = negation();
  while (at(Tok::And)) {
    Span op = advance().span;
    skipNewlines();
    lhs = binary(BinaryOp::And, op, std::move(lhs), negation());
  }
  return lhs;
}

ExprPtr Parser::negation() {
  if (!at(Tok::Not))
    return comparison();
  Nested nested(*this);
  Span op = advance().span;
  skipNewlines();
  return unary(UnaryOp::Not, op, negation());
}

static std::optional<BinaryOp> comparisonOperator(Tok kind) {
  switch (kind) {
  case Tok::EqualEqual:
    return BinaryOp::Eq;
  case Tok::NotEqual:
    return BinaryOp::Ne;
  case Tok::Less:
    return BinaryOp::Lt;
  case Tok::LessEqual:
    return BinaryOp::Le;
  case Tok::Greater:
    return BinaryOp::Gt;
  case Tok::GreaterEqual:
    return BinaryOp::Ge;
  default:
    return std::nullopt;
  }
}

ExprPtr Parser::comparison() {
  ExprPtr lhs = sum();
  std::optional<BinaryOp> op = comparisonOperator(token().kind);
  if (!op)
    return lhs;
  Span opSpan = advance().span;
  skipNewlines();
  ExprPtr rhs = sum();
  std::string middle = print(*rhs);
  std::string first = print(*lhs) + " " + spelling(*op) + " " + middle;
  ExprPtr result = binary(*op, opSpan, std::move(lhs), std::move(rhs));
  if (std::optional<BinaryOp> second = comparisonOperator(token().kind)) {
    Span secondSpan = advance().span;
    skipNewlines();
    ExprPtr last = sum();
    diagnostics.error(secondSpan, "comparisons cannot be chained")
        .hint("write '" + first + " and " + middle + " " + spelling(*second) + " " + print(*last) + "'");
    while (comparisonOperator(token().kind)) {
      advance();
      skipNewlines();
      sum();
    }
  }
  return result;
}

ExprPtr Parser::sum() {
  ExprPtr lhs = term();
  while (at(Tok::Plus) || at(Tok::Minus)) {
    BinaryOp op = at(Tok::Plus) ? BinaryOp::Add : BinaryOp::Sub;
    Span opSpan = advance().span;
    skipNewlines();
    lhs = binary(op, opSpan, std::move(lhs), term());
  }
  return lhs;
}

ExprPtr Parser::term() {
  ExprPtr lhs = factor();
  while (at(Tok::Star) || at(Tok::Slash) || at(Tok::Percent) || at(Tok::At)) {
    BinaryOp op = at(Tok::Star)      ? BinaryOp::Mul
                  : at(Tok::Slash)   ? BinaryOp::Div
                  : at(Tok::Percent) ? BinaryOp::Mod
                                     : BinaryOp::MatMul;
    Span opSpan = advance().span;
    if (op == BinaryOp::Div && at(Tok::Slash))
      fail(cover(opSpan, here()), "there is no operator '//'",
           "write '/': integers round down, and dimensions must divide exactly");
    skipNewlines();
    lhs = binary(op, opSpan, std::move(lhs), factor());
  }
  return lhs;
}

ExprPtr Parser::factor() {
  if (at(Tok::Plus))
    fail(here(), "there is no unary '+'",
         "leave it out; to continue the line above, end that one with the '+'");
  if (!at(Tok::Minus))
    return power();
  Nested nested(*this);
  Span op = advance().span;
  skipNewlines();
  return unary(UnaryOp::Negate, op, factor());
}

ExprPtr Parser::power() {
  ExprPtr base = postfix(primary(), /*isType=*/false);
  if (!at(Tok::StarStar))
    return base;
  Nested nested(*this);
  Span op = advance().span;
  skipNewlines();
  // Right-associative, and the exponent may carry a minus: `2 ** -x`.
  return binary(BinaryOp::Pow, op, std::move(base), factor());
}

static bool startsUpper(const std::string &name) {
  return !name.empty() && std::isupper(static_cast<unsigned char>(name[0]));
}

/// Whether `{` after this expression can begin the fields of a struct.
static bool namesStruct(const Expr &expr) {
  if (auto *name = expr.as<NameExpr>())
    return startsUpper(name->name);
  if (auto *apply = expr.as<TypeApplyExpr>())
    return namesStruct(*apply->base);
  if (auto *index = expr.as<IndexExpr>())
    return namesStruct(*index->base);
  return false;
}

ExprPtr Parser::postfix(ExprPtr base, bool isType) {
  while (true) {
    Span begin = base->span;
    unsigned height = base->height;
    if (at(Tok::LBracket)) {
      auto node = std::make_unique<IndexExpr>(begin);
      node->base = std::move(base);
      node->items = indexItems();
      node->span = since(begin);
      for (const IndexItem &item : node->items)
        height = std::max(
            {height, heightOf(item.value), heightOf(item.start), heightOf(item.stop), heightOf(item.step)});
      base = finish(std::move(node), height);
    } else if (at(Tok::LParen) && !isType) {
      auto node = std::make_unique<CallExpr>(begin);
      node->callee = std::move(base);
      node->arguments = arguments();
      node->span = since(begin);
      for (const Argument &argument : node->arguments)
        height = std::max(height, heightOf(argument.value));
      if (atName("with")) {
        node->with = withBlock();
        node->span = since(begin);
        height = std::max(height, heightOf(node->with));
      }
      base = finish(std::move(node), height);
    } else if (at(Tok::Dot)) {
      auto node = std::make_unique<FieldExpr>(begin);
      advance();
      if (at(Tok::Integer) || at(Tok::Float))
        fail(here(), "expected a field name after '.', found " + found(), "an element of a tuple is 't[0]'");
      node->name = name("a field name after '.'");
      node->base = std::move(base);
      node->span = since(begin);
      base = finish(std::move(node), height);
    } else if (at(Tok::Less) && base->kind == ExprKind::Name &&
               startsUpper(static_cast<NameExpr &>(*base).name)) {
      if (isType) {
        base = typeArguments(std::move(base));
        continue;
      }
      size_t before = position;
      base = tryTypeArguments(std::move(base));
      if (position == before)
        return base;
    } else if (at(Tok::LBrace) && !header && !isType && namesStruct(*base)) {
      base = structLiteral(std::move(base));
    } else {
      return base;
    }
  }
}

std::vector<Argument> Parser::arguments() {
  Nested nested(*this);
  Saved saved(header, false);
  expect(Tok::LParen, "before the arguments");
  std::vector<Argument> result;
  while (!at(Tok::RParen)) {
    Argument argument;
    Span begin = here();
    if (at(Tok::Identifier) && peek().kind == Tok::Equal) {
      argument.name = name("an argument");
      advance();
    }
    argument.value = expression();
    argument.span = since(begin);
    result.push_back(std::move(argument));
    if (!accept(Tok::Comma))
      break;
  }
  expect(Tok::RParen, "after the arguments");
  return result;
}

std::vector<IndexItem> Parser::indexItems() {
  Nested nested(*this);
  Saved saved(header, false);
  expect(Tok::LBracket, "before the index");
  std::vector<IndexItem> result;
  while (!at(Tok::RBracket)) {
    IndexItem item;
    Span begin = here();
    if (accept(Tok::Ellipsis)) {
      item.kind = IndexItem::Ellipsis;
    } else {
      if (at(Tok::Identifier) && peek().kind == Tok::Equal) {
        item.name = name("a dimension");
        advance();
      }
      ExprPtr first = at(Tok::Colon) ? nullptr : expression();
      if (item.name.empty() && accept(Tok::Colon)) {
        auto ends = [&] { return at(Tok::Colon) || at(Tok::Comma) || at(Tok::RBracket); };
        item.kind = IndexItem::Slice;
        item.start = std::move(first);
        item.stop = ends() ? nullptr : expression();
        if (accept(Tok::Colon))
          item.step = ends() ? nullptr : expression();
      } else {
        item.value = std::move(first);
      }
    }
    item.span = since(begin);
    result.push_back(std::move(item));
    if (!accept(Tok::Comma))
      break;
  }
  if (at(Tok::Semicolon))
    fail(here(), "expected ']', found ';'", "a stack type is '[T; L]', with nothing before its bracket");
  expect(Tok::RBracket, "after the index");
  return result;
}

ExprPtr Parser::primary() {
  Span begin = here();
  switch (token().kind) {
  case Tok::Integer: {
    auto node = std::make_unique<IntegerExpr>(begin);
    node->value = advance().integer;
    return node;
  }
  case Tok::Float: {
    auto node = std::make_unique<FloatExpr>(begin);
    node->value = advance().real;
    return node;
  }
  case Tok::Inf:
  case Tok::Nan: {
    auto node = std::make_unique<FloatExpr>(begin);
    node->value =
        at(Tok::Inf) ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    advance();
    return node;
  }
  case Tok::True:
  case Tok::False: {
    auto node = std::make_unique<BoolExpr>(begin);
    node->value = advance().kind == Tok::True;
    return node;
  }
  case Tok::String: {
    auto node = std::make_unique<StringExpr>(begin);
    node->value = advance().text;
    return node;
  }
  case Tok::Identifier: {
    if (atName("return"))
      fail(begin, "there is no 'return'", "the value of a block is its last expression");
    if (atName("lambda"))
      fail(begin, "there is no 'lambda'", "write 'fn (x) { … }'");
    auto node = std::make_unique<NameExpr>(begin);
    node->name = advance().text;
    return node;
  }
  case Tok::LParen:
    return parenthesised();
  case Tok::LBracket:
    return bracketed();
  case Tok::Fn:
    return lambda();
  case Tok::If:
    return ifExpression();
  case Tok::For:
    return forExpression();
  case Tok::LBrace: {
    if (header)
      break;
    return block("a block");
  }
  case Tok::Equal:
    if (previous().kind >= Tok::Plus && previous().kind <= Tok::Percent)
      fail(cover(previous().span, begin),
           "values never change, so there is no '" + std::string(previous().span.text()) + "='",
           "bind a new value with 'let', or fold with 'for … carry'");
    break;
  case Tok::Slash:
    fail(begin, "expected an expression, found " + found(), "a comment begins with '#'");
  default:
    break;
  }
  fail(begin, "expected an expression, found " + found());
}

ExprPtr Parser::parenthesised() {
  Nested nested(*this);
  Saved saved(header, false);
  Span begin = advance().span;
  auto tuple = std::make_unique<TupleExpr>(begin);
  bool comma = false;
  unsigned height = 0;
  while (!at(Tok::RParen)) {
    tuple->items.push_back(expression());
    height = std::max(height, tuple->items.back()->height);
    if (!accept(Tok::Comma)) {
      if (atName("for") || at(Tok::For))
        fail(here(), "expected ')', found 'for'",
             "there are no comprehensions; write 'for x in xs collect { … }'");
      break;
    }
    comma = true;
  }
  expect(Tok::RParen, "after the expression");
  tuple->span = since(begin);
  if (tuple->items.size() == 1 && !comma)
    return std::move(tuple->items[0]);
  return finish(std::move(tuple), height);
}

ExprPtr Parser::bracketed() {
  Nested nested(*this);
  Saved saved(header, false);
  Span begin = advance().span;
  auto tuple = std::make_unique<TupleExpr>(begin);
  unsigned height = 0;
  while (!at(Tok::RBracket)) {
    tuple->items.push_back(expression());
    height = std::max(height, tuple->items.back()->height);
    if (tuple->items.size() == 1 && accept(Tok::Semicolon)) {
      auto stack = std::make_unique<StackTypeExpr>(begin);
      stack->element = std::move(tuple->items[0]);
      stack->count = expression();
      height = std::max(height, stack->count->height);
      expect(Tok::RBracket, "after the length of the stack");
      stack->span = since(begin);
      return finish(std::move(stack), height);
    }
    if (!accept(Tok::Comma))
      break;
  }
  expect(Tok::RBracket, "after the list");
  tuple->span = since(begin);
  return finish(std::move(tuple), height);
}

ExprPtr Parser::lambda() {
  Nested nested(*this);
  Span begin = advance().span;
  auto node = std::make_unique<LambdaExpr>(begin);
  if (at(Tok::Identifier))
    fail(here(), "a function with a name cannot stand inside another",
         "move it to the top of the file, or write 'fn (x) { … }' without a name");
  {
    Saved saved(header, false);
    node->parameters = parameters(/*typesRequired=*/false);
    node->body = block("the body of the lambda");
  }
  node->span = since(begin);
  unsigned height = node->body->height;
  return finish(std::move(node), height);
}

} // namespace heddle::frontend
