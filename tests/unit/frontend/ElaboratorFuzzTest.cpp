// Programs with words exchanged must be checked, or refused with errors, without crashes; what passes the
// check must be emitted, or refused for these shapes, and the IR must verify. The seed is fixed; a failure
// prints the text.
#include "compiler/frontend/Frontend.h"
#include "compiler/frontend/Lexer.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace heddle::frontend;

static const char *const seedProgram = R"(import std.optim

const scale = 0.5

struct Layer<F: float>[D, M] { w: F[D, M], b: F[M] }
struct Net[D, L] { layers: [Layer<f32>[D, D]; L], out: f32[D] }

fn layer<F: float>(l: Layer<F>[D, M], x: F[B, D]) -> F[B, M] { tanh(x @ l.w + l.b) * cast(scale, F) }

fn net[K](p: Net[D, L], x: f32[B, D]) -> f32[B] {
  let x = for l in p.layers carry x { layer(l, x) }
  let (m, all) = for (row, i) in (x, range(B)) carry s = 0.0 collect { (s + sum(row) * cast(i, f32), row[:K]) }
  einsum("b d, d -> b", softmax(x), p.out) + m + mean(all, axis = 1)
}

fn loss[K](p: Net[D, L], x: f32[B, D], y: f32[B]) -> f32 {
  assert D % 2 == 0, "D is even"
  mean((net[K](p, x) - y) ** 2.0)
}

fn step[K = 2](p: Net[D, L], state: AdamW<Net[D, L]>, x: f32[B, D], y: f32[B], rate: f32 = 0.1) {
  let f = fn (p, z = 1.0) { loss[K](p, x * z, y) }
  let (l, g) = value_and_grad(f)(p)
  let (p, state) = adamw(p, g, state, rate)
  if l > 1.0 and not (B == 3) { (l, p, state) } else { (l * 2.0, map_leaves(fn (a, b) { a - b }, p, g), state) }
}
)";

static const char *const variantSeed = R"(const base = 0.5
struct Bias[H, R] { table: f32[H, R], cap: f32 }

fn soft(s: f32, cap: f32) { cap * tanh(s / cap) }
fn read(t: f32[H, R], h: i32, d: i32) { t[h, min(d, R - 1)] }

fn step(p: Bias[H, D], q: f32[B, H, N, D], ids: i32[N], x: f32) {
  let y = x * base
  let f = fn (p, q) {
    let o = attention(q, q, q, causal = true, window = D) with (s, b, h, i, j) {
      let score = soft(s, p.cap) + read(p.table, h, i - j)
      let g = fn (t) { where(i > j, t * y, 1.0) }
      (score, g(score), ids[i] == ids[j] or j < D / 2 and not (b > 3))
    }
    sum(o * o)
  }
  value_and_grad(f)(p, q)
}
)";

/// The types of the entry's leaves for the seed's shapes: D = 4, L = 2, B = 3.
static EntryArguments shapesFor(const EntrySignature &signature) {
  DimMap dims{{"D", Dim(4)}, {"L", Dim(2)}, {"B", Dim(3)}, {"M", Dim(4)}, {"K", Dim(2)}};
  EntryArguments arguments;
  for (const SignatureParameter &parameter : signature.parameters) {
    std::vector<LeafType> leaves;
    for (const Type::Leaf &leaf : parameter.type.leaves()) {
      LeafType type{leaf.type.element(), {}};
      for (const Dim &dim : leaf.type.dims()) {
        std::optional<Dim> known = dim.substitute(dims);
        type.shape.push_back(known && known->isConstant() ? known->value() : 2);
      }
      leaves.push_back(type);
    }
    arguments.parameters.push_back(leaves);
  }
  for (const SignatureDim &dim : signature.dims)
    if (dim.isExplicit)
      arguments.dims[dim.name] = 2;
  return arguments;
}

namespace {

/// Exchanges words of a program.
class Mutator {
public:
  Mutator(const std::string &text, std::mt19937 &random) : random(random) {
    Source source("seed", text);
    Diagnostics none;
    uint32_t last = 0;
    for (const Token &token : lex(source, none).tokens) {
      if (token.kind == Tok::Newline || token.kind == Tok::Eof)
        continue;
      gaps.push_back(std::string(source.text().substr(last, token.span.begin - last)));
      words.push_back(std::string(token.span.text()));
      last = token.span.end;
    }
    gaps.push_back(std::string(source.text().substr(last)));
  }

  std::string mutate(size_t edits) {
    std::vector<std::string> mutated = words;
    for (; edits > 0; --edits) {
      size_t at = pick(mutated.size());
      switch (pick(4)) {
      case 0:
        mutated[at] = mutated[pick(mutated.size())];
        break;
      case 1:
        mutated[at] = others[pick(others.size())];
        break;
      case 2:
        std::swap(mutated[at], mutated[std::min(at + 1 + pick(3), mutated.size() - 1)]);
        break;
      default:
        mutated[at] = "";
        break;
      }
    }
    std::string text;
    for (size_t i = 0; i < mutated.size(); ++i)
      text += gaps[i] + mutated[i];
    return text + gaps.back();
  }

  size_t pick(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); }

private:
  std::mt19937 &random;
  std::vector<std::string> words;
  std::vector<std::string> gaps; // the text before each word, and at last the text after all
  const std::vector<std::string> others = {
      "0",         "1",        "-1",    "7",         "N",     "i32",          "f64",
      "true",      "\"p\"",    "grad",  "vjp",       "jvp",   "zeros",        "reshape",
      "transpose", "concat",   "x",     "p",         "l",     "fn (q) { q }", "(x, x)",
      "x[0]",      "range(3)", "_",     "Net",       "Layer", "f32[B]",       "sum",
      "take",      "sparsek",  "stack", "9999999999"};
};

/// A longer search: HEDDLE_FUZZ_SEED=7 HEDDLE_FUZZ_ROUNDS=100000.
int setting(const char *name, int fallback) {
  return std::getenv(name) ? std::atoi(std::getenv(name)) : fallback;
}

} // namespace

TEST_CASE("programs with words exchanged never crash the elaborator") {
  std::mt19937 random(setting("HEDDLE_FUZZ_SEED", 20250611));
  bool variant = GENERATE(false, true);
  Mutator mutator(variant ? variantSeed : seedProgram, random);
  mlir::MLIRContext context;
  size_t checked = 0, emitted = 0;
  for (int round = 0; round < setting("HEDDLE_FUZZ_ROUNDS", 8000); ++round) {
    std::string text = mutator.mutate(round == 0 ? 0 : 1 + mutator.pick(2));
    INFO(text);
    Diagnostics diagnostics;
    std::unique_ptr<Program> program = loadProgramText("fuzz.heddle", text, diagnostics);
    bool fine = check(*program, diagnostics);
    REQUIRE(fine == !diagnostics.hasErrors());
    (void)diagnostics.str();
    if (!fine)
      continue;
    ++checked;
    std::optional<EntrySignature> signature = entrySignature(*program, "step", diagnostics);
    if (!signature)
      continue;
    auto module = emitEntry(*program, "step", shapesFor(*signature), context, diagnostics);
    INFO(diagnostics.str());
    REQUIRE(bool(module) == !diagnostics.hasErrors());
    if (module) {
      ++emitted;
      REQUIRE(mlir::succeeded(mlir::verify(*module)));
    }
  }
  // The seed itself passes, and so do enough others for the test to mean something.
  CHECK(checked > 100);
  CHECK(emitted > 100);
}

TEST_CASE("the test programs with words exchanged never crash the check") {
  std::mt19937 random(setting("HEDDLE_FUZZ_SEED", 20250612));
  size_t fine = 0;
  for (const char *name : {"attention", "elementwise", "gradients", "rows", "variants"}) {
    std::string error;
    std::unique_ptr<Source> seed = Source::read(std::string(HEDDLE_PROGRAMS) + "/" + name + ".heddle", error);
    REQUIRE(seed);
    Mutator mutator(std::string(seed->text()), random);
    for (int round = 0; round < setting("HEDDLE_FUZZ_ROUNDS", 8000) / 8; ++round) {
      std::string text = mutator.mutate(round == 0 ? 0 : 1 + mutator.pick(2));
      INFO(text);
      Diagnostics diagnostics;
      std::unique_ptr<Program> program = loadProgramText("fuzz.heddle", text, diagnostics);
      bool passed = check(*program, diagnostics);
      REQUIRE(passed == !diagnostics.hasErrors());
      fine += passed;
    }
  }
  CHECK(fine > 40);
}
