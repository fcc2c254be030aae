// The parser's class; Parser.cpp holds items and statements, ParserExpr.cpp expressions and types.
#pragma once
#include "compiler/frontend/AST.h"
#include "compiler/frontend/Lexer.h"

#include <functional>
#include <set>

namespace heddle::frontend {

class Parser {
public:
  Parser(const Source &source, Diagnostics &diagnostics);
  std::unique_ptr<ast::Module> module();

private:
  /// Thrown after an error was reported; caught where reading can go on: at a statement, a field, an item.
  struct Abandon {};

  /// Trees higher than this, and brackets nested deeper, are refused, so that recursion over them is safe.
  static constexpr unsigned maximumHeight = 400;
  static constexpr unsigned maximumNesting = 200;

  //===--- Tokens ---===//
  const Token &token() const { return tokens[position]; }
  const Token &peek(size_t ahead = 1) const { return tokens[std::min(position + ahead, tokens.size() - 1)]; }
  const Token &previous() const { return tokens[position ? position - 1 : 0]; }
  bool at(Tok kind) const { return token().kind == kind; }
  bool atName(const char *word) const { return at(Tok::Identifier) && token().text == word; }
  const Token &advance();
  bool accept(Tok kind);
  /// The token if it is of this kind; otherwise an error "expected … in/after `where`" and Abandon.
  const Token &expect(Tok kind, const char *where);
  void skipNewlines();
  /// Skips newlines if they are followed by `kind`, for `else`, `carry` and `collect` on a line of their own.
  bool acceptOnNextLine(Tok kind);
  [[noreturn]] void fail(Span span, std::string message, std::string hint = "");
  std::string found() const;
  Span here() const { return token().span; }
  Span since(Span begin) const;
  /// Skips to the end of the statement or field, over whole brackets.
  void skipStatement();
  void skipItem();
  /// Skips to the closing brace of the braces that the parser is in, and over it.
  void skipBraces();
  void expectEndOfStatement(const char *what);

  //===--- Items ---===//
  void item(ast::Module &module);
  void importItem(ast::Module &module);
  void constItem(ast::Module &module);
  void structItem(ast::Module &module);
  void fnItem(ast::Module &module, std::vector<ast::Attribute> attributes, std::string doc, Span begin);
  ast::Attribute attribute();
  std::vector<ast::TypeParameter> typeParameters();
  std::vector<ast::DimParameter> dimParameters();
  std::vector<ast::Parameter> parameters(bool typesRequired);
  ast::Name name(const char *what);
  ast::Name lowerName(const char *what);
  ast::Name upperName(const char *what);

  //===--- Statements ---===//
  ast::BlockPtr block(const char *what);
  ast::Stmt statement();
  ast::Pattern pattern();

  //===--- Expressions ---===//
  ast::ExprPtr expression() { return disjunction(); }
  ast::ExprPtr disjunction();
  ast::ExprPtr conjunction();
  ast::ExprPtr negation();
  ast::ExprPtr comparison();
  ast::ExprPtr sum();
  ast::ExprPtr term();
  ast::ExprPtr factor();
  ast::ExprPtr power();
  ast::ExprPtr postfix(ast::ExprPtr base, bool isType);
  ast::ExprPtr primary();
  ast::ExprPtr parenthesised();
  ast::ExprPtr bracketed();
  ast::ExprPtr lambda();
  ast::ExprPtr withBlock();
  ast::ExprPtr ifExpression();
  void refuseBareStruct(const char *what);
  ast::ExprPtr forExpression();
  ast::ExprPtr structLiteral(ast::ExprPtr type);
  void structFields(ast::StructLiteralExpr &literal, unsigned &height);
  ast::ExprPtr type();
  std::unique_ptr<ast::TypeApplyExpr> typeArguments(ast::ExprPtr base);
  ast::ExprPtr tryTypeArguments(ast::ExprPtr base);
  std::vector<ast::Argument> arguments();
  std::vector<ast::IndexItem> indexItems();
  ast::ExprPtr unary(ast::UnaryOp op, Span opSpan, ast::ExprPtr operand);
  ast::ExprPtr binary(ast::BinaryOp op, Span opSpan, ast::ExprPtr lhs, ast::ExprPtr rhs);
  /// Sets the node's height from its children's and refuses trees that are too high.
  template <typename T>
  ast::ExprPtr finish(std::unique_ptr<T> node, unsigned childHeight);
  [[noreturn]] void tooDeep(Span span);

  /// Counts nested constructs while one is being read.
  struct Nested {
    explicit Nested(Parser &parser);
    ~Nested() { --parser.nesting; }
    Parser &parser;
  };
  /// Sets a flag for the length of a scope.
  struct Saved {
    Saved(bool &flag, bool value) : flag(flag), old(flag) { flag = value; }
    ~Saved() { flag = old; }
    bool &flag;
    bool old;
  };

  const Source &source;
  Diagnostics &diagnostics;
  std::vector<Token> tokens;
  std::string moduleDoc;
  /// Lines where the lexer left something out; what looks wrong there is a consequence.
  std::set<unsigned> faultyLines;
  size_t position = 0;
  unsigned nesting = 0;
  /// In the header of `if` and `for`: `{` begins the block.
  bool header = false;
  /// Positions where type arguments were tried in vain, so that no text is tried more than once.
  std::set<size_t> noTypeArguments;
};

inline unsigned heightOf(const ast::ExprPtr &expr) { return expr ? expr->height : 0; }

template <typename T>
ast::ExprPtr Parser::finish(std::unique_ptr<T> node, unsigned childHeight) {
  node->height = childHeight + 1;
  if (node->height > maximumHeight)
    tooDeep(node->span);
  return node;
}

} // namespace heddle::frontend
