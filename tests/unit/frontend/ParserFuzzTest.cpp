// Mutated programs must be parsed, or refused with errors, without crashes or hangs. The seed is fixed; a
// failure prints the text.
#include "compiler/frontend/Parser.h"

#include <catch2/catch.hpp>
#include <random>

using namespace heddle::frontend;

static const char *const seedProgram = R"(import std.nn

## Doc.
struct Attention<F: float>[D, Hq, H, E] {
  wq: F[D, Hq, E]
  wk: f32[D, H, E], wo: [Block[D]; L]
}

@vjp(of = f)
fn attend<T>[K, W = 64](p: Attention[D, Hq, H, E], x: f32[B, N + 1], rate: f32 = 0.001) -> (f32[B, N, D], T) {
  let q = rope(einsum("b n d, d h e -> b h n e", x, p.wq))
  let (a, b): (f32, f32) = for (l, m) in (p.layers, range(3)) carry (x, y) = (1.0, 2e-3) collect { (block[K, W](l, x), y) }
  assert N % 2 == 0 and not (K > 3), "message \n"
  let g = value_and_grad(fn (x) { -x ** 2 @ q[..., 1:N:2, :-1, None] }, wrt = ("x", 0))(a)
  if a < b { AdamW<T>[N] { m: zeros(AdamW<Model[V]>), v } } else if true { nan } else { inf }
}
const name = 0x1F + 1_000 * .5
)";

TEST_CASE("mutated programs never crash the parser") {
  std::mt19937 random(20240611);
  const std::string seed = seedProgram;
  const std::vector<std::string> pieces = {
      "(",    ")",     "[",      "]",        "{",  "}",  "<",    ">",        "\n",    "fn ", "let ",   "if ",
      "for ", "else ", "carry ", "collect ", ",",  ":",  ";",    "=",        "->",    "...", "\"",     "#",
      "##",   "@",     "**",     "-",        "A<", "A[", "\xFF", "\xC3\xA4", "1e999", "0x",  "import "};
  auto pick = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  for (int round = 0; round < 4000; ++round) {
    std::string text = seed;
    for (size_t edits = 1 + pick(8); edits > 0; --edits) {
      size_t at = text.empty() ? 0 : pick(text.size());
      switch (pick(5)) {
      case 0:
        text.erase(at, 1 + pick(20));
        break;
      case 1:
        text.insert(at, pieces[pick(pieces.size())]);
        break;
      case 2:
        text.insert(at, seed.substr(pick(seed.size()), pick(60)));
        break;
      case 3:
        text.resize(at);
        break;
      default:
        if (!text.empty())
          text[at] = static_cast<char>(pick(256));
      }
    }
    INFO(text);
    Source source("fuzz", text);
    Diagnostics diagnostics;
    auto module = parse(source, diagnostics);
    REQUIRE(module);
    // Printing walks the whole tree.
    REQUIRE_FALSE(ast::print(*module).empty());
    // Reading is a function of the text: the same text gives the same tree and errors.
    Diagnostics again;
    REQUIRE(ast::print(*parse(source, again)) == ast::print(*module));
    REQUIRE(again.str() == diagnostics.str());
  }
}
