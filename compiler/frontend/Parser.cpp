// Items and recovery from errors.
#include "compiler/frontend/Parser.h"
#include "compiler/frontend/ParserImpl.h"

#include <algorithm>
#include <cctype>

namespace heddle::frontend {
using namespace ast;

Parser::Parser(const Source &source, Diagnostics &diagnostics) : source(source), diagnostics(diagnostics) {
  LexResult lexed = lex(source, diagnostics);
  tokens = std::move(lexed.tokens);
  moduleDoc = std::move(lexed.moduleDoc);
  faultyLines = std::move(lexed.faultyLines);
}

//===--- Tokens -------------------------------------------------------------------------------------===//

const Token &Parser::advance() {
  const Token &current = tokens[position];
  if (current.kind != Tok::Eof)
    ++position;
  return current;
}

bool Parser::accept(Tok kind) {
  if (!at(kind))
    return false;
  advance();
  return true;
}

const Token &Parser::expect(Tok kind, const char *where) {
  if (!at(kind))
    fail(here(), std::string("expected ") + describe(kind) + " " + where + ", found " + found());
  return advance();
}

void Parser::skipNewlines() {
  while (at(Tok::Newline))
    advance();
}

bool Parser::acceptOnNextLine(Tok kind) {
  size_t ahead = 0;
  while (peek(ahead).kind == Tok::Newline)
    ++ahead;
  if (peek(ahead).kind != kind)
    return false;
  position += ahead + 1;
  return true;
}

void Parser::fail(Span span, std::string message, std::string hint) {
  if (faultyLines.count(source.position(span.begin).line))
    throw Abandon();
  Diagnostic &error = diagnostics.error(span, std::move(message));
  if (!hint.empty())
    error.hint(std::move(hint));
  throw Abandon();
}

std::string Parser::found() const {
  const Token &t = token();
  switch (t.kind) {
  case Tok::Identifier:
    return "'" + t.text + "'";
  case Tok::Integer:
  case Tok::Float:
    return "'" + std::string(t.span.text()) + "'";
  default:
    return describe(t.kind);
  }
}

Span Parser::since(Span begin) const {
  Span last = previous().span;
  return last.end > begin.begin ? cover(begin, last) : begin;
}

void Parser::skipStatement() {
  unsigned depth = 0;
  for (; !at(Tok::Eof); advance()) {
    switch (token().kind) {
    case Tok::LParen:
    case Tok::LBracket:
    case Tok::LBrace:
      ++depth;
      break;
    case Tok::RParen:
    case Tok::RBracket:
      // A closing bracket without its partner: the error was inside it.
      depth -= depth > 0;
      break;
    case Tok::RBrace:
      if (depth == 0)
        return;
      --depth;
      break;
    case Tok::Newline:
      if (depth == 0)
        return;
      break;
    default:
      break;
    }
  }
}

void Parser::skipItem() {
  // The next thing at the left margin; the lines of a body are indented.
  for (; !at(Tok::Eof); advance())
    if (position > 0 && previous().kind == Tok::Newline && source.lineStart(here().begin) == here().begin &&
        !at(Tok::RBrace))
      return;
}

void Parser::skipBraces() {
  for (unsigned depth = 0; !at(Tok::Eof); advance()) {
    if (at(Tok::LBrace))
      ++depth;
    if (at(Tok::RBrace) && depth-- == 0) {
      advance();
      return;
    }
  }
}

void Parser::expectEndOfStatement(const char *what) {
  if (at(Tok::Newline) || at(Tok::RBrace) || at(Tok::Eof))
    return;
  if (at(Tok::Semicolon))
    fail(here(), "unexpected ';'", "a new line ends a statement");
  if (at(Tok::Equal))
    fail(here(), "unexpected '='", "names are bound with 'let', and values never change");
  if (at(Tok::If))
    fail(here(), "expected the end of the line after " + std::string(what) + ", found 'if'",
         "a condition is written 'if c { a } else { b }'");
  // What stands before may be the word with which another language begins a statement.
  std::string_view word = previous().span.text();
  std::string hint = word == "while"                                   ? "repeat something with 'for … carry'"
                     : word == "var" || word == "mut" || word == "val" ? "bind a name with 'let'"
                     : word == "def" || word == "function"             ? "functions begin with 'fn'"
                                                                       : "";
  fail(here(), "expected the end of the line after " + std::string(what) + ", found " + found(), hint);
}

//===--- Items --------------------------------------------------------------------------------------===//

std::unique_ptr<Module> Parser::module() {
  auto module = std::make_unique<Module>();
  module->source = &source;
  module->doc = moduleDoc;
  while (true) {
    while (at(Tok::Newline) || at(Tok::Comma))
      advance();
    if (at(Tok::Eof))
      return module;
    size_t before = position;
    try {
      item(*module);
      if (!at(Tok::Newline) && !at(Tok::Eof) && !at(Tok::Comma))
        fail(here(), "expected the end of the line after the item, found " + found());
    } catch (const Abandon &) {
      if (position == before)
        advance();
      skipItem();
    }
  }
}

void Parser::item(Module &module) {
  std::string doc = token().doc;
  Span begin = here();
  std::vector<Attribute> attributes;
  while (at(Tok::At)) {
    attributes.push_back(attribute());
    skipNewlines();
    if (doc.empty())
      doc = token().doc;
  }
  if (!attributes.empty() && !at(Tok::Fn))
    fail(attributes[0].span, "an attribute stands before a function, not before " + found());
  switch (token().kind) {
  case Tok::Fn:
    return fnItem(module, std::move(attributes), std::move(doc), begin);
  case Tok::Struct:
    return structItem(module);
  case Tok::Const:
    return constItem(module);
  case Tok::Import:
    return importItem(module);
  case Tok::Let:
    fail(begin, "'let' stands inside functions", "write 'const name = value' at the top of a file");
  default:
    break;
  }
  std::string hint = "a file consists of 'import', 'const', 'struct' and 'fn'";
  if (at(Tok::Identifier)) {
    std::string word = token().text;
    if (word == "def" || word == "func" || word == "function")
      hint = "functions are written 'fn name(x: f32[N]) { … }'";
    else if (word == "class" || word == "type")
      hint = "write 'struct Name[N] { field: f32[N] }'";
    else if (word == "from" || word == "use")
      hint = "write 'import std.nn' or 'import \"file.heddle\"'";
    else if (std::string slip = nearest(word, {"fn", "struct", "const", "import"}); !slip.empty())
      hint = "did you mean '" + slip + "'?";
  }
  fail(begin, "expected an item, found " + found(), hint);
}

void Parser::importItem(Module &module) {
  auto item = std::make_unique<ImportItem>();
  Span begin = advance().span;
  Span target = here();
  if (at(Tok::String)) {
    item->isPath = true;
    item->target = advance().text;
  } else if (at(Tok::Identifier)) {
    item->target = advance().text;
    while (accept(Tok::Dot))
      item->target += "." + name("a module name after '.'").text;
  } else {
    fail(here(), "expected a module after 'import', found " + found(),
         "write 'import std.nn' or 'import \"file.heddle\"'");
  }
  item->targetSpan = since(target);
  item->span = since(begin);
  module.order.push_back({ItemKind::Import, module.imports.size()});
  module.imports.push_back(std::move(item));
}

void Parser::constItem(Module &module) {
  auto item = std::make_unique<ConstItem>();
  item->doc = token().doc;
  Span begin = advance().span;
  item->name = name("the name of the constant");
  if (accept(Tok::Colon))
    item->annotation = type();
  expect(Tok::Equal, "after the constant's name");
  skipNewlines();
  item->value = expression();
  item->span = since(begin);
  module.order.push_back({ItemKind::Const, module.consts.size()});
  module.consts.push_back(std::move(item));
}

void Parser::structItem(Module &module) {
  auto item = std::make_unique<StructItem>();
  item->doc = token().doc;
  Span begin = advance().span;
  item->name = upperName("the name of the struct");
  item->typeParameters = typeParameters();
  item->dims = dimParameters();
  expect(Tok::LBrace, "before the fields");
  skipNewlines();
  while (!at(Tok::RBrace) && !at(Tok::Eof)) {
    size_t before = position;
    try {
      FieldDecl field;
      field.doc = token().doc;
      field.name = lowerName("a field name");
      expect(Tok::Colon, "after the field name");
      skipNewlines();
      field.type = type();
      item->fields.push_back(std::move(field));
      if (!at(Tok::Comma) && !at(Tok::Newline) && !at(Tok::RBrace))
        fail(here(), "expected ',' or a new line after the field, found " + found());
    } catch (const Abandon &) {
      skipStatement();
      if (position == before && !at(Tok::RBrace))
        advance();
    }
    while (at(Tok::Comma) || at(Tok::Newline))
      advance();
  }
  expect(Tok::RBrace, "after the fields");
  item->span = since(begin);
  module.order.push_back({ItemKind::Struct, module.structs.size()});
  module.structs.push_back(std::move(item));
}

Attribute Parser::attribute() {
  Attribute result;
  Span begin = advance().span;
  result.name = name("an attribute after '@'");
  if (at(Tok::LParen))
    result.arguments = arguments();
  result.span = since(begin);
  return result;
}

void Parser::fnItem(Module &module, std::vector<Attribute> attributes, std::string doc, Span begin) {
  auto item = std::make_unique<FnItem>();
  item->doc = std::move(doc);
  item->attributes = std::move(attributes);
  advance();
  item->name = lowerName("the name of the function");
  item->typeParameters = typeParameters();
  item->dims = dimParameters();
  item->parameters = parameters(/*typesRequired=*/true);
  if (accept(Tok::Arrow)) {
    skipNewlines();
    item->result = type();
  } else if (at(Tok::Colon)) {
    fail(here(), "expected '->' before the result type, found ':'");
  }
  if (at(Tok::Equal))
    fail(here(), "expected '{' before the function's body, found '='");
  item->body = block("the function's body");
  item->span = since(begin);
  module.order.push_back({ItemKind::Fn, module.functions.size()});
  module.functions.push_back(std::move(item));
}

std::vector<TypeParameter> Parser::typeParameters() {
  std::vector<TypeParameter> result;
  if (!accept(Tok::Less))
    return result;
  skipNewlines();
  while (!at(Tok::Greater)) {
    TypeParameter parameter;
    parameter.name = upperName("a type parameter");
    if (accept(Tok::Colon)) {
      if (!atName("float"))
        fail(here(), "expected 'float' after ':', found " + found(),
             "the one bound of a type parameter is '<F: float>', any float element type");
      advance();
      parameter.isFloat = true;
    }
    result.push_back(std::move(parameter));
    if (!accept(Tok::Comma))
      break;
    skipNewlines();
  }
  expect(Tok::Greater, "after the type parameters");
  return result;
}

std::vector<DimParameter> Parser::dimParameters() {
  std::vector<DimParameter> result;
  if (!accept(Tok::LBracket))
    return result;
  while (!at(Tok::RBracket)) {
    DimParameter parameter;
    parameter.name = upperName("a dimension");
    if (accept(Tok::Equal))
      parameter.defaultValue = expression();
    result.push_back(std::move(parameter));
    if (!accept(Tok::Comma))
      break;
  }
  expect(Tok::RBracket, "after the dimensions");
  return result;
}

std::vector<Parameter> Parser::parameters(bool typesRequired) {
  std::vector<Parameter> result;
  expect(Tok::LParen, "before the parameters");
  while (!at(Tok::RParen)) {
    Parameter parameter;
    Span begin = here();
    parameter.name = lowerName("a parameter");
    if (accept(Tok::Colon))
      parameter.type = type();
    else if (typesRequired)
      diagnostics.error(parameter.name.span, "the parameter '" + parameter.name.text + "' has no type")
          .hint("write its type after a colon: '" + parameter.name.text + ": f32[N]'");
    if (accept(Tok::Equal))
      parameter.defaultValue = expression();
    parameter.span = since(begin);
    result.push_back(std::move(parameter));
    if (!accept(Tok::Comma))
      break;
  }
  expect(Tok::RParen, "after the parameters");
  return result;
}

Name Parser::name(const char *what) {
  if (at(Tok::Identifier)) {
    const Token &t = advance();
    return {t.text, t.span};
  }
  bool keyword = token().kind >= Tok::Fn && token().kind <= Tok::Nan;
  fail(here(), std::string("expected ") + what + ", found " + found(),
       keyword ? std::string(here().text()) + " is a keyword; choose another name" : "");
}

Name Parser::lowerName(const char *what) {
  Name result = name(what);
  if (std::isupper(static_cast<unsigned char>(result.text[0]))) {
    std::string lower = result.text;
    lower[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(lower[0])));
    diagnostics
        .error(result.span,
               std::string("expected ") + what + " that starts lower case, found '" + result.text + "'")
        .hint("values and functions start lower case, dimensions, structs and type parameters upper case: '" +
              lower + "'");
  }
  return result;
}

Name Parser::upperName(const char *what) {
  Name result = name(what);
  if (!std::isupper(static_cast<unsigned char>(result.text[0]))) {
    std::string upper = result.text;
    upper[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(upper[0])));
    diagnostics
        .error(result.span,
               std::string("expected ") + what + " that starts upper case, found '" + result.text + "'")
        .hint("values and functions start lower case, dimensions, structs and type parameters upper case: '" +
              upper + "'");
  }
  return result;
}

std::unique_ptr<Module> parse(const Source &source, Diagnostics &diagnostics) {
  return Parser(source, diagnostics).module();
}

} // namespace heddle::frontend
