// Splits source text into tokens. A newline is a token only where it may end a statement.
#pragma once
#include "compiler/frontend/Diagnostics.h"

#include <set>

namespace heddle::frontend {

enum class Tok {
  Eof,
  Newline,
  Identifier,
  Integer,
  Float,
  String,
  // Keywords, in the order of keywordList().
  Fn,
  Struct,
  Const,
  Import,
  Let,
  If,
  Else,
  For,
  In,
  Carry,
  Collect,
  And,
  Or,
  Not,
  Assert,
  True,
  False,
  Inf,
  Nan,
  // Punctuation.
  LParen,
  RParen,
  LBracket,
  RBracket,
  LBrace,
  RBrace,
  Comma,
  Colon,
  Semicolon,
  Dot,
  Ellipsis,
  Arrow,
  Equal,
  At,
  Plus,
  Minus,
  Star,
  StarStar,
  Slash,
  Percent,
  EqualEqual,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual
};

/// How a token is called in messages: "`(`", "a name", "the end of the line".
const char *describe(Tok kind);

struct Token {
  Tok kind = Tok::Eof;
  Span span;
  std::string text; // of identifiers, and strings with their escapes resolved
  int64_t integer = 0;
  double real = 0;
  std::string doc; // the `##` lines directly above
};

/// A `#` or `##` comment, kept for the formatter.
struct Comment {
  Span span;
  bool ownLine = false;
};

struct LexResult {
  std::vector<Token> tokens; // the last one is Eof
  std::vector<Comment> comments;
  std::set<unsigned> faultyLines; // where something was reported
  std::string moduleDoc;          // the `##` lines at the top that a blank line separates from the first item
};

/// Never fails: what cannot be read is reported and left out, and brackets always balance in the result.
LexResult lex(const Source &source, Diagnostics &diagnostics);

/// All keywords, for completion and highlighting.
const std::vector<std::string> &keywordList();

} // namespace heddle::frontend
