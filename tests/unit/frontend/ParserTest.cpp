#include "compiler/frontend/Parser.h"

#include <catch2/catch.hpp>

using namespace heddle::frontend;

namespace {
/// The expression as the parser grouped it, every operation in brackets.
std::string grouped(const ast::Expr &e) {
  if (auto *b = e.as<ast::BinaryExpr>())
    return "(" + grouped(*b->lhs) + " " + ast::spelling(b->op) + " " + grouped(*b->rhs) + ")";
  if (auto *u = e.as<ast::UnaryExpr>())
    return std::string("(") + ast::spelling(u->op) + " " + grouped(*u->operand) + ")";
  return ast::print(e);
}
std::string group(const std::string &text) {
  Source source("t", "const x = " + text);
  Diagnostics diagnostics;
  auto module = parse(source, diagnostics);
  CHECK(diagnostics.str() == "");
  return module->consts.size() == 1 ? grouped(*module->consts[0]->value) : "?";
}
std::string round(const std::string &text) {
  Source source("t", "const x = " + text);
  Diagnostics diagnostics;
  auto module = parse(source, diagnostics);
  CHECK(diagnostics.str() == "");
  return module->consts.size() == 1 ? ast::print(*module->consts[0]->value) : "?";
}
std::string errorsOf(const std::string &text) {
  Source source("t", text);
  Diagnostics diagnostics;
  parse(source, diagnostics);
  return diagnostics.str();
}
bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }
} // namespace

TEST_CASE("precedence is Python's") {
  CHECK(group("a + b * c") == "(a + (b * c))");
  CHECK(group("a - b - c") == "((a - b) - c)");
  CHECK(group("-a ** b") == "(- (a ** b))");
  CHECK(group("a ** -b ** c") == "(a ** (- (b ** c)))");
  CHECK(group("-a * b") == "((- a) * b)");
  CHECK(group("a @ b / c") == "((a @ b) / c)");
  CHECK(group("not a == b and c or d") == "(((not (a == b)) and c) or d)");
  CHECK(group("a + b < c - d") == "((a + b) < (c - d))");
  CHECK(group("not not a") == "(not (not a))");
}

TEST_CASE("expressions print as they were written") {
  for (const char *text : {"f(x, rate = 0.1)",
                           "f[K = 32, 64](x)",
                           "x[..., 1:N:2]",
                           "x[:, :-1]",
                           "x[a:]",
                           "p.layers.attn.wq",
                           "zeros(AdamW<Model<bf16>[V, D]>)",
                           "zeros([Block[D, 4 * H]; L])",
                           "(a,)",
                           "(a, b)",
                           "grad(fn (x) { x * x })(3.0)",
                           "if a < b { a } else { b }",
                           "(a + b) * c",
                           "(-a) ** b",
                           "(a ** b) ** c",
                           "a - (b - c)",
                           "Adam { m: x, v }",
                           "Adam<f32>[N] { m: x }",
                           "A < B",
                           "(A < B) == c",
                           "for (x, y) in (xs, ys) carry s = 0.0 collect { (s, y) }",
                           "for x in xs carry s { s }",
                           "f(x) with (a, _) { a + 1 }",
                           "with + f(x) with (a) { with(a) }",
                           "inf",
                           "1e-05",
                           "\"a\\n\\\"\""})
    CHECK(round(text) == text);
}

TEST_CASE("a line that ends in an operator goes on, as do else, carry and collect") {
  CHECK(
      errorsOf("fn f(x: f32) {\n  let a =\n    x +\n    1.0\n  if a > x {\n    a\n  }\n  else { x }\n}\n") ==
      "");
  CHECK(errorsOf("fn f(x: f32[N]) {\n  for y in x\n    carry s = 0.0\n    collect {\n (s, y) }\n}\n") == "");
}

TEST_CASE("items keep their parts") {
  Source source(
      "t", "import std.nn\nimport \"a.heddle\"\n## Doc.\n@vjp(of = f)\nfn g<T, F: float>[K, W = 64](x: "
           "f32[N, K + 1], y: T = 0.5) -> (f32, [B[N]; L]) { x }\n## S.\nstruct S<F: float>[N] { a: F[N], "
           "b: f32\n c: [B[N]; 3] }\nconst k: i32 = 3\n");
  Diagnostics diagnostics;
  auto m = parse(source, diagnostics);
  CHECK(diagnostics.str() == "");
  CHECK(m->imports[0]->target == "std.nn");
  CHECK(m->imports[1]->isPath);
  const ast::FnItem &f = *m->functions.at(0);
  CHECK(f.doc == "Doc.");
  CHECK(f.attributes.at(0).name.text == "vjp");
  CHECK(f.typeParameters.at(1).isFloat);
  CHECK(ast::print(*f.dims.at(1).defaultValue) == "64");
  CHECK(ast::print(*f.parameters.at(0).type) == "f32[N, K + 1]");
  CHECK(ast::print(*f.result) == "(f32, [B[N]; L])");
  const ast::StructItem &s = *m->structs.at(0);
  CHECK(s.doc == "S.");
  CHECK(s.fields.size() == 3);
  CHECK(m->order.size() == 5);
}

TEST_CASE("struct literals in headers need parentheses") {
  CHECK(errorsOf("fn f() { if C { 1 } else { 2 } }") == "");
  CHECK(errorsOf("fn f() { for x in (S { a: 1 }).a carry s = 0 { s } }") == "");
}

TEST_CASE("several syntax errors are reported, each once") {
  std::string text = errorsOf("fn f(x: f32) {\n"
                              "  let = 3\n"
                              "  let y = x +\n"
                              "  let z = 3\n"
                              "  x = 4\n"
                              "  y\n"
                              "}\n"
                              "strct S { a: f32 }\n"
                              "fn g() { return 1 }\n"
                              "fn h() { 1; 2 }\n");
  CHECK(has(text, "t:2:7: error: expected a name, found '='\n"));
  CHECK(has(text, "t:4:3: error: expected an expression, found 'let'\n"));
  CHECK(has(text, "t:5:5: error: unexpected '='\n"));
  CHECK(has(text, "hint: names are bound with 'let', and values never change\n"));
  CHECK(has(text, "t:8:1: error: expected an item, found 'strct'\n"));
  CHECK(has(text, "hint: did you mean 'struct'?\n"));
  CHECK(has(text, "t:9:10: error: there is no 'return'\n"));
  CHECK(has(text, "t:10:11: error: unexpected ';'\n"));
}

TEST_CASE("each slip has its message") {
  CHECK(has(errorsOf("const x = a < b < c"),
            "t:1:17: error: comparisons cannot be chained\n  const x = a < b < c\n                  ^\n"
            "hint: write 'a < b and b < c'\n"));
  CHECK(has(errorsOf("const x = a // b"), "error: there is no operator '//'"));
  CHECK(has(errorsOf("const x = +a"), "error: there is no unary '+'"));
  CHECK(has(errorsOf("fn f() { if a { b } }"), "error: this 'if' has no 'else'"));
  CHECK(has(errorsOf("fn f() { for x in y { x } }"), "error: this loop has no value"));
  CHECK(has(errorsOf("fn F() { 1 }"),
            "error: expected the name of the function that starts lower case, found 'F'"));
  CHECK(has(errorsOf("struct s { a: f32 }"),
            "error: expected the name of the struct that starts upper case, found 's'"));
  CHECK(has(errorsOf("fn f(x) { x }"), "error: the parameter 'x' has no type"));
  CHECK(has(errorsOf("fn f(let: f32) { 1 }"), "hint: let is a keyword; choose another name"));
  CHECK(has(errorsOf("fn f() { x = 1 if y else 2 }"), "error: unexpected '='"));
  CHECK(has(errorsOf("fn f() { x[0].0 }"), "hint: an element of a tuple is 't[0]'"));
  CHECK(has(errorsOf("fn f() { x.0 }"), "error: expected a field name after '.', found '0'"));
  CHECK(has(errorsOf("struct A { a = f32 }"), "error: expected ':' after the field name, found '='"));
  CHECK(has(errorsOf("def f(x): x"), "hint: functions are written 'fn name(x: f32[N]) { … }'"));
  CHECK(has(errorsOf("fn f() {\n x += 1\n}"), "t:2:4: error: values never change, so there is no '+='\n"));
  CHECK(has(errorsOf("fn f() { g(x) with (a: f32) { a } }"),
            "hint: the names after 'with' have no types and no defaults: 'with (s, b, h, i, j) { … }'\n"));
  CHECK(has(errorsOf("fn f() { g(x) with (a, _, _, a) { a } }"),
            "t:1:30: error: the name 'a' stands twice after 'with'\n"));
  CHECK(has(errorsOf("fn f() { g(x) with { 1 } }"), "error: expected '(' after 'with', found '{'"));
  CHECK(has(errorsOf("fn f() { g(x) with (a, B) { 1 } }"),
            "error: expected a name that starts lower case, found 'B'"));
  CHECK(!has(errorsOf("fn f() {\n  let c = x | y\n  c\n}"), "expected the end"));
}

TEST_CASE("nesting and operator chains have a limit instead of a crash") {
  std::string deep = "const x = " + std::string(100000, '(') + "1" + std::string(100000, ')');
  CHECK(has(errorsOf(deep), "error: this is nested too deeply"));
  std::string chain = "const x = 1";
  for (int i = 0; i < 100000; ++i)
    chain += " + 1";
  CHECK(has(errorsOf(chain), "error: this is nested too deeply"));
  std::string minus = "const x = " + std::string(100000, '-') + "1";
  CHECK(has(errorsOf(minus), "error: this is nested too deeply"));
  std::string types = "const x = ";
  for (int i = 0; i < 50000; ++i)
    types += "A[A<";
  CHECK_FALSE(errorsOf(types).empty());
}

TEST_CASE("the tree is printed one node a line with its place") {
  Source source(
      "t", "import std.nn\n"
           "struct P[N] { w: f32[N], b: f32 }\n"
           "const half = 0.5\n"
           "@vjp(of = g)\n"
           "fn f[K = 2](p: P[N], x: f32 = 1.0) -> f32 {\n"
           "  let (a, _): (f32, f32) = g(x, y = -x)\n"
           "  assert N > K, \"small\"\n"
           "  for r in p.w[1:] carry s = (P { w, b: a }) collect { if a < x { s } else { fn (z) { z } } }\n"
           "}\n");
  Diagnostics diagnostics;
  auto module = parse(source, diagnostics);
  CHECK(diagnostics.str() == "");
  CHECK(ast::print(*module) == R"(module
  import std.nn  @1:1
  struct P[N]  @2:1
    field w: f32[N]  @2:15
    field b: f32  @2:26
  const half  @3:1
    value 0.5  @3:14
  @vjp(of = g)  @4:1
  fn f[K = 2]  @4:1
    parameter p: P[N]  @5:13
    parameter x: f32  @5:22
      default 1.0  @5:31
    result f32  @5:39
    body block  @5:43
      let (a, _): (f32, f32)  @6:3
        call g  @6:28
          argument x  @6:30
          y = unary -  @6:37
            operand x  @6:38
      assert  @7:3
        condition binary >  @7:10
          left N  @7:10
          right K  @7:14
        message "small"  @7:17
      value for r (collect)  @8:3
        in p.w[1:]  @8:12
        carry s  @8:26
          init struct P  @8:31
            w  @8:35
            b: a  @8:41
        body block  @8:54
          value if  @8:56
            condition binary <  @8:59
              left a  @8:59
              right x  @8:63
            then block  @8:65
              value s  @8:67
            else block  @8:76
              value fn (z)  @8:78
                body block  @8:85
                  value z  @8:87
)");
}
