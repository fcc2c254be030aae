#include "compiler/frontend/Lexer.h"

#include <catch2/catch.hpp>

using namespace heddle::frontend;

namespace {
std::string kinds(const std::string &text, std::string *errors = nullptr) {
  Source source("t", text);
  Diagnostics diagnostics;
  LexResult result = lex(source, diagnostics);
  std::string out;
  for (const Token &token : result.tokens) {
    if (token.kind == Tok::Eof)
      break;
    out += out.empty() ? "" : " ";
    out += token.kind == Tok::Newline ? ";" : std::string(token.span.text());
  }
  if (errors)
    *errors = diagnostics.str();
  else
    CHECK(diagnostics.str() == "");
  return out;
}
std::string errorsOf(const std::string &text) {
  std::string errors;
  kinds(text, &errors);
  return errors;
}
} // namespace

TEST_CASE("a newline counts by the innermost open bracket") {
  CHECK(kinds("a\nb") == "a ; b ;");
  CHECK(kinds("f(a,\n b)\nc") == "f ( a , b ) ; c ;");
  CHECK(kinds("x[\n1\n]\n") == "x [ 1 ] ;");
  CHECK(kinds("{\na\n\n\nb }") == "{ ; a ; b } ;");
  CHECK(kinds("f(fn (x) {\na\nb\n},\n2)") == "f ( fn ( x ) { ; a ; b ; } , 2 ) ;");
}

TEST_CASE("operators take the longest spelling") {
  CHECK(kinds("a**b*c->d<=e...") == "a ** b * c -> d <= e ... ;");
}

TEST_CASE("numbers") {
  Source source("t", "1_000 0x1F 1.5 2e-3 .5 1. 3e2");
  Diagnostics diagnostics;
  auto tokens = lex(source, diagnostics).tokens;
  CHECK(diagnostics.str() == "");
  CHECK(tokens[0].integer == 1000);
  CHECK(tokens[1].integer == 31);
  CHECK(tokens[2].real == 1.5);
  CHECK(tokens[3].real == 2e-3);
  CHECK(tokens[4].real == 0.5);
  CHECK(tokens[5].real == 1.0);
  CHECK(tokens[6].real == 300.0);
  CHECK(errorsOf("9223372036854775808") ==
        "t:1:1: error: the integer 9223372036854775808 is too large; the largest is 9223372036854775807\n"
        "  9223372036854775808\n"
        "  ^~~~~~~~~~~~~~~~~~~\n");
  CHECK(errorsOf("1e999").starts_with("t:1:1: error: the number 1e999 is out of the range of f64\n"));
  CHECK(errorsOf("3x").starts_with("t:1:1: error: '3x' is not a number\n"));
  CHECK(errorsOf("0x").starts_with("t:1:1: error: '0x' has no digits\n"));
}

TEST_CASE("strings and their escapes") {
  Source source("t", R"("a\n\"\\b")");
  Diagnostics diagnostics;
  CHECK(lex(source, diagnostics).tokens[0].text == "a\n\"\\b");
  CHECK(errorsOf("\"abc\nd") == "t:1:1: error: the string is not closed on its line\n"
                                "  \"abc\n"
                                "  ^~~~\n"
                                "hint: add '\"' at its end\n");
  CHECK(errorsOf("\"a\\qb\"").starts_with("t:1:3: error: unknown escape in a string\n"));
}

TEST_CASE("documentation belongs to the next token unless a blank line is between") {
  Source source("t", "## The file.\n\n## One.\n## Two.\nfn f\n# plain\nstruct");
  Diagnostics diagnostics;
  LexResult result = lex(source, diagnostics);
  CHECK(result.moduleDoc == "The file.");
  CHECK(result.tokens[0].doc == "One.\nTwo.");
  CHECK(result.tokens[3].doc == "");
  CHECK(result.comments.size() == 4);
}

TEST_CASE("brackets always balance and the fault is named once") {
  CHECK(errorsOf("fn f(x {\n}\nfn g() { 1 }\n") ==
        "t:1:5: error: '(' is never closed\n"
        "  fn f(x {\n"
        "      ^\n"
        "t:3:1: note: the next item starts here; expected ')' before it\n"
        "  fn g() { 1 }\n"
        "  ^~\n");
  CHECK(errorsOf("(a]") == "t:1:1: error: '(' is never closed\n  (a]\n  ^\n"
                           "t:1:3: error: ']' closes nothing\n  (a]\n    ^\n"
                           "hint: remove it, or open the bracket before\n");
  CHECK(errorsOf("[(a]") == "t:1:4: error: expected ')', found ']'\n  [(a]\n     ^\n"
                            "t:1:2: note: '(' was opened here\n  [(a]\n   ^\n");
  std::string ignored;
  CHECK(kinds("[(a]", &ignored) == "[ ( a  ] ;");
}

TEST_CASE("characters from elsewhere have a hint") {
  CHECK(errorsOf("a && b").find("hint: write 'and'") != std::string::npos);
  CHECK(errorsOf("a \xE2\x88\x92 b").find("hint: this is a typographic dash; write '-'") !=
        std::string::npos);
  CHECK(errorsOf("'a'").find("hint: strings stand between double quotes") != std::string::npos);
  CHECK(errorsOf("größe").find("error: unexpected character 'öß'") != std::string::npos);
  CHECK(errorsOf("a \x01 b").find("error: unexpected control character 0x01") != std::string::npos);
  CHECK(errorsOf("ab \xFF cd") == "t:1:4: error: the file is not valid UTF-8 from here on\n"
                                  "  ab ? cd\n"
                                  "     ^\n"
                                  "hint: save the file as UTF-8\n");
}
