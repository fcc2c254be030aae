#include "compiler/frontend/Lexer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

namespace heddle::frontend {

const std::vector<std::string> &keywordList() {
  static const std::vector<std::string> words = {"fn",     "struct", "const", "import",  "let", "if", "else",
                                                 "for",    "in",     "carry", "collect", "and", "or", "not",
                                                 "assert", "true",   "false", "inf",     "nan"};
  return words;
}

const char *describe(Tok kind) {
  static const char *const names[] = {"the end of the file",
                                      "the end of the line",
                                      "a name",
                                      "an integer",
                                      "a number",
                                      "a string",
                                      "'fn'",
                                      "'struct'",
                                      "'const'",
                                      "'import'",
                                      "'let'",
                                      "'if'",
                                      "'else'",
                                      "'for'",
                                      "'in'",
                                      "'carry'",
                                      "'collect'",
                                      "'and'",
                                      "'or'",
                                      "'not'",
                                      "'assert'",
                                      "'true'",
                                      "'false'",
                                      "'inf'",
                                      "'nan'",
                                      "'('",
                                      "')'",
                                      "'['",
                                      "']'",
                                      "'{'",
                                      "'}'",
                                      "','",
                                      "':'",
                                      "';'",
                                      "'.'",
                                      "'...'",
                                      "'->'",
                                      "'='",
                                      "'@'",
                                      "'+'",
                                      "'-'",
                                      "'*'",
                                      "'**'",
                                      "'/'",
                                      "'%'",
                                      "'=='",
                                      "'!='",
                                      "'<'",
                                      "'<='",
                                      "'>'",
                                      "'>='"};
  return names[static_cast<size_t>(kind)];
}

namespace {

bool isNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool isNamePart(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
public:
  Lexer(const Source &source, Diagnostics &diagnostics)
      : source(source), diagnostics(diagnostics), text(source.text()) {}

  LexResult run();

private:
  char peek(size_t ahead = 0) const { return at + ahead < limit ? text[at + ahead] : '\0'; }
  Span span(size_t begin, size_t end) const {
    return {&source, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
  }
  Diagnostic &error(Span where, std::string message) {
    result.faultyLines.insert(source.position(where.begin).line);
    return diagnostics.error(where, std::move(message));
  }
  Token &push(Tok kind, size_t begin, size_t end);
  void endLine();
  void comment();
  void word();
  void number();
  void string();
  void punctuation();
  void stray();
  void open(Tok kind, size_t length);
  void close(Tok kind);
  void closeUntil(size_t depth, size_t where);
  void resetBrackets(size_t where);

  struct Open {
    Tok kind;
    Span span;
  };

  const Source &source;
  Diagnostics &diagnostics;
  std::string_view text;
  size_t limit = 0;
  size_t at = 0;
  LexResult result;
  std::vector<Open> brackets;
  bool lineStart = true; // no token on this line yet
  bool lineBlank = true; // not even a comment
  std::string pendingDoc;
};

Tok closerOf(Tok open) {
  return open == Tok::LParen ? Tok::RParen : open == Tok::LBracket ? Tok::RBracket : Tok::RBrace;
}

Token &Lexer::push(Tok kind, size_t begin, size_t end) {
  Token token;
  token.kind = kind;
  token.span = span(begin, end);
  if (kind != Tok::Newline) {
    token.doc = std::move(pendingDoc);
    pendingDoc.clear();
    lineStart = lineBlank = false;
  }
  result.tokens.push_back(std::move(token));
  return result.tokens.back();
}

void Lexer::endLine() {
  bool significant = brackets.empty() || brackets.back().kind == Tok::LBrace;
  if (significant && !result.tokens.empty() && result.tokens.back().kind != Tok::Newline)
    push(Tok::Newline, at, at);
  if (lineBlank) {
    // A blank line cuts documentation off from what follows; at the top it belongs to the file.
    if (result.tokens.empty() && result.moduleDoc.empty())
      result.moduleDoc = pendingDoc;
    pendingDoc.clear();
  }
  lineStart = lineBlank = true;
}

void Lexer::comment() {
  size_t begin = at;
  while (at < limit && text[at] != '\n')
    ++at;
  size_t end = at;
  if (end > begin && text[end - 1] == '\r')
    --end;
  result.comments.push_back({span(begin, end), lineStart});
  bool doc = end - begin >= 2 && text[begin + 1] == '#' && lineStart;
  if (doc) {
    std::string_view line = text.substr(begin + 2, end - begin - 2);
    if (!line.empty() && line.front() == ' ')
      line.remove_prefix(1);
    if (!pendingDoc.empty())
      pendingDoc += '\n';
    pendingDoc += line;
  }
  lineBlank = false;
}

void Lexer::word() {
  size_t begin = at;
  while (isNamePart(peek()))
    ++at;
  std::string_view name = text.substr(begin, at - begin);
  const auto &words = keywordList();
  auto keyword = std::find(words.begin(), words.end(), name);
  if (keyword == words.end()) {
    push(Tok::Identifier, begin, at).text = name;
    return;
  }
  Tok kind = static_cast<Tok>(static_cast<int>(Tok::Fn) + (keyword - words.begin()));
  // An item at the left margin ends whatever was left open above, so one forgotten bracket stays one error.
  bool item = kind == Tok::Struct || kind == Tok::Const || kind == Tok::Import ||
              (kind == Tok::Fn && peek() == ' ' && isNameStart(peek(1)));
  if (item && !brackets.empty() && begin == source.lineStart(static_cast<uint32_t>(begin)))
    resetBrackets(begin);
  push(kind, begin, at);
}

void Lexer::resetBrackets(size_t where) {
  Open outer = brackets.front();
  error(outer.span, std::string(describe(outer.kind)) + " is never closed")
      .note(span(where, at), std::string("the next item starts here; expected ") +
                                 describe(closerOf(outer.kind)) + " before it");
  closeUntil(0, where);
  push(Tok::Newline, where, where);
}

/// Adds the closing brackets that are missing above `depth`.
void Lexer::closeUntil(size_t depth, size_t where) {
  while (brackets.size() > depth) {
    Tok kind = brackets.back().kind;
    brackets.pop_back();
    if (kind == Tok::LBrace && !result.tokens.empty() && result.tokens.back().kind != Tok::Newline)
      push(Tok::Newline, where, where);
    push(closerOf(kind), where, where);
  }
}

void Lexer::number() {
  size_t begin = at;
  bool hex = peek() == '0' && (peek(1) == 'x' || peek(1) == 'X');
  bool real = false;
  if (hex) {
    at += 2;
    while (std::isxdigit(static_cast<unsigned char>(peek())) || peek() == '_')
      ++at;
  } else {
    auto digits = [&] {
      while (isDigit(peek()) || peek() == '_')
        ++at;
    };
    digits();
    // `1...` is not a number with a point, and `x.0` never gets here.
    if (peek() == '.' && peek(1) != '.') {
      real = true;
      ++at;
      digits();
    }
    if ((peek() == 'e' || peek() == 'E') &&
        (isDigit(peek(1)) || ((peek(1) == '+' || peek(1) == '-') && isDigit(peek(2))))) {
      real = true;
      at += 2;
      digits();
    }
  }
  size_t end = at;
  while (isNamePart(peek()))
    ++at;
  if (at > end) {
    error(span(begin, at), "'" + std::string(text.substr(begin, at - begin)) + "' is not a number")
        .hint("put a space or an operator after '" + std::string(text.substr(begin, end - begin)) + "'");
  }
  std::string digits;
  for (char c : text.substr(begin, end - begin))
    if (c != '_')
      digits += c;
  Token &token = push(real ? Tok::Float : Tok::Integer, begin, at);
  if (real) {
    auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), token.real);
    if (parsed.ec == std::errc::result_out_of_range)
      error(token.span, "the number " + digits + " is out of the range of f64")
          .hint("write 'inf' for infinity, '0.0' for zero");
    return;
  }
  const char *first = digits.data() + (hex ? 2 : 0);
  auto parsed = std::from_chars(first, digits.data() + digits.size(), token.integer, hex ? 16 : 10);
  if (parsed.ec == std::errc::result_out_of_range)
    error(token.span, "the integer " + digits + " is too large; the largest is " +
                          std::to_string(std::numeric_limits<int64_t>::max()));
  else if (parsed.ec != std::errc())
    error(token.span, "'" + digits + "' has no digits");
}

void Lexer::string() {
  size_t begin = at++;
  std::string value;
  while (true) {
    if (at >= limit || peek() == '\n') {
      error(span(begin, at), "the string is not closed on its line").hint("add '\"' at its end");
      break;
    }
    char c = text[at++];
    if (c == '"')
      break;
    if (c != '\\') {
      value += c;
      continue;
    }
    char escape = peek();
    if (at < limit && escape != '\n')
      ++at;
    switch (escape) {
    case 'n':
      value += '\n';
      break;
    case 't':
      value += '\t';
      break;
    case '\\':
      value += '\\';
      break;
    case '"':
      value += '"';
      break;
    default:
      error(span(at - 2, at), "unknown escape in a string")
          .hint("the escapes are '\\n', '\\t', '\\\\' and '\\\"'");
    }
  }
  push(Tok::String, begin, at).text = std::move(value);
}

void Lexer::open(Tok kind, size_t length) {
  push(kind, at, at + length);
  brackets.push_back({kind, span(at, at + length)});
  at += length;
}

void Lexer::close(Tok kind) {
  Span here = span(at, at + 1);
  size_t depth = brackets.size();
  while (depth > 0 && closerOf(brackets[depth - 1].kind) != kind)
    --depth;
  if (depth == 0) {
    error(here, std::string(describe(kind)) + " closes nothing")
        .hint("remove it, or open the bracket before");
    ++at;
    return;
  }
  if (depth != brackets.size()) {
    Open inner = brackets.back();
    error(here, std::string("expected ") + describe(closerOf(inner.kind)) + ", found " + describe(kind))
        .note(inner.span, std::string(describe(inner.kind)) + " was opened here");
    closeUntil(depth, at);
  }
  brackets.pop_back();
  push(kind, at, at + 1);
  ++at;
}

void Lexer::stray() {
  size_t begin = at;
  auto report = [&](size_t length, std::string message, std::string hint) {
    at += length;
    error(span(begin, at), std::move(message)).hint(std::move(hint));
  };
  std::string_view rest = text.substr(at, limit - at);
  if (rest.starts_with("&&"))
    return report(2, "unknown operator '&&'", "write 'and'"), void(push(Tok::And, begin, at));
  if (rest.starts_with("||"))
    return report(2, "unknown operator '||'", "write 'or'"), void(push(Tok::Or, begin, at));
  if (rest.starts_with("!"))
    return report(1, "unknown operator '!'", "write 'not'"), void(push(Tok::Not, begin, at));
  if (rest.starts_with("'"))
    return report(1, "unexpected single quote", "strings stand between double quotes");
  if (rest.starts_with("\xE2\x88\x92") || rest.starts_with("\xE2\x80\x93"))
    return report(3, "unexpected character '" + std::string(rest.substr(0, 3)) + "'",
                  "this is a typographic dash; write '-'"),
           void(push(Tok::Minus, begin, at));
  if (rest.starts_with("\xE2\x80\x9C") || rest.starts_with("\xE2\x80\x9D"))
    return report(3, "unexpected character '" + std::string(rest.substr(0, 3)) + "'",
                  "this is a typographic quote; write '\"'");
  // Everything up to the next ordinary character is one error.
  while (at < limit && (static_cast<unsigned char>(text[at]) >= 0x80))
    ++at;
  if (at > begin) {
    error(span(begin, at), "unexpected character '" + std::string(text.substr(begin, at - begin)) + "'")
        .hint("names consist of ASCII letters, digits and '_'");
    return;
  }
  ++at;
  unsigned char c = static_cast<unsigned char>(text[begin]);
  if (c >= 0x20 && c < 0x7F) {
    error(span(begin, at), std::string("unexpected character '") + text[begin] + "'");
    return;
  }
  const char *hex = "0123456789abcdef";
  while (at < limit && static_cast<unsigned char>(text[at]) < 0x20 && text[at] != '\n' && text[at] != '\t' &&
         text[at] != '\r')
    ++at;
  error(span(begin, at), std::string("unexpected control character 0x") + hex[c >> 4] + hex[c & 15]);
}

void Lexer::punctuation() {
  switch (peek()) {
  case '(':
    return open(Tok::LParen, 1);
  case '[':
    return open(Tok::LBracket, 1);
  case '{':
    return open(Tok::LBrace, 1);
  case ')':
    return close(Tok::RParen);
  case ']':
    return close(Tok::RBracket);
  case '}':
    return close(Tok::RBrace);
  }
  static const struct {
    const char *text;
    Tok kind;
  } table[] = {
      {"...", Tok::Ellipsis}, {"**", Tok::StarStar},  {"->", Tok::Arrow},        {"==", Tok::EqualEqual},
      {"!=", Tok::NotEqual},  {"<=", Tok::LessEqual}, {">=", Tok::GreaterEqual}, {",", Tok::Comma},
      {":", Tok::Colon},      {";", Tok::Semicolon},  {".", Tok::Dot},           {"=", Tok::Equal},
      {"@", Tok::At},         {"+", Tok::Plus},       {"-", Tok::Minus},         {"*", Tok::Star},
      {"/", Tok::Slash},      {"%", Tok::Percent},    {"<", Tok::Less},          {">", Tok::Greater}};
  std::string_view rest = text.substr(at, limit - at);
  for (const auto &entry : table) {
    std::string_view spelled = entry.text;
    if (!rest.starts_with(spelled))
      continue;
    size_t begin = at;
    at += spelled.size();
    push(entry.kind, begin, at);
    return;
  }
  stray();
}

LexResult Lexer::run() {
  limit = source.invalidByte();
  if (limit != text.size())
    error(span(limit, limit + 1), "the file is not valid UTF-8 from here on").hint("save the file as UTF-8");
  if (text.starts_with("\xEF\xBB\xBF"))
    at = 3;
  while (at < limit) {
    char c = text[at];
    if (c == '\n') {
      endLine();
      ++at;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at;
    } else if (c == '#') {
      comment();
    } else if (isNameStart(c)) {
      word();
    } else if (isDigit(c) ||
               (c == '.' && isDigit(peek(1)) &&
                (at == 0 || (!isNamePart(text[at - 1]) && text[at - 1] != ')' && text[at - 1] != ']')))) {
      number();
    } else if (c == '"') {
      string();
    } else {
      punctuation();
    }
  }
  if (!brackets.empty()) {
    Open inner = brackets.back();
    if (limit == text.size())
      error(inner.span, std::string(describe(inner.kind)) + " is never closed");
    closeUntil(0, at);
  }
  endLine();
  push(Tok::Eof, at, at);
  return std::move(result);
}

} // namespace

LexResult lex(const Source &source, Diagnostics &diagnostics) { return Lexer(source, diagnostics).run(); }

} // namespace heddle::frontend
