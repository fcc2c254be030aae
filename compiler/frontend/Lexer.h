// Splits source text into tokens. Newlines count as tokens only where they end a statement.
#pragma once
#include "compiler/frontend/Diagnostics.h"

namespace heddle::frontend {

enum class Tok {
  Eof, Newline, Identifier, Integer, Float, String, DocComment, Invalid,
  // Keywords.
  Fn, Struct, Const, Import, Let, If, Else, For, In, Carry, Collect, And, Or, Not, Assert, True, False, Inf, Nan,
  // Punctuation.
  LParen, RParen, LBracket, RBracket, LBrace, RBrace, Comma, Colon, Semicolon, Dot, Ellipsis, Arrow, Equal, At,
  Plus, Minus, Star, StarStar, Slash, Percent, EqualEqual, NotEqual, Less, LessEqual, Greater, GreaterEqual
};

/// How a token is called in messages: "`(`", "a name", "the end of the line".
const char *describe(Tok kind);

struct Token {
  Tok kind = Tok::Eof;
  Span span;
  std::string text;       // identifiers, decoded strings, the text of a doc comment
  int64_t integer = 0;
  double real = 0;
  /// Blank or comment lines stood before this token; the formatter uses it.
  bool firstOnLine = false;
};

/// A `#` comment that is no doc comment, kept for the formatter.
struct Comment {
  Span span;
  bool ownLine = false;
};

struct LexResult {
  std::vector<Token> tokens; // the last one is Eof
  std::vector<Comment> comments;
};

/// Never fails: what cannot be read is reported and left out.
LexResult lex(const Source &source, Diagnostics &diagnostics);

/// All keywords, for completion and highlighting.
const std::vector<std::string> &keywordList();

} // namespace heddle::frontend
