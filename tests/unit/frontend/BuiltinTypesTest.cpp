// Every builtin, in check mode with symbolic dimensions and in emit mode with known ones: the result's type,
// and IR that verifies.
#include "BuiltinHarness.h"
#include <catch2/catch.hpp>

using namespace heddle::frontend;

namespace {

constexpr ElementType f32 = ElementType::F32, bf16 = ElementType::BF16, f16 = ElementType::F16,
                      i32 = ElementType::I32, i64 = ElementType::I64, boolean = ElementType::Bool,
                      f64 = ElementType::F64;

/// Symbolic in check mode, a number in emit mode.
struct Dims {
  bool known;
  Dim of(const char *name, int64_t value) const { return known ? Dim(value) : Dim::variable(name); }
  Dim B = of("B", 2), N = of("N", 6), D = of("D", 8), H = of("H", 2), E = of("E", 4), V = of("V", 10);
};

/// Arguments of a call being written.
class Args {
public:
  explicit Args(Harness &harness) : harness(harness) {}
  Args &tensor(ElementType element, llvm::ArrayRef<Dim> dims, const char *name = "") {
    return value(harness.input(Type::tensor(element, dims)), name);
  }
  Args &number(int64_t number, const char *name = "") { return value(Value::intLiteral(number, {}), name); }
  Args &real(double number, const char *name = "") { return value(Value::floatLiteral(number, {}), name); }
  Args &dim(const Dim &dim, const char *name = "") { return value(Value::dimension(dim, {}), name); }
  Args &text(const char *text, const char *name = "") { return value(Value::string(text, {}), name); }
  Args &flag(bool flag, const char *name = "") { return value(Value::boolean(flag, {}), name); }
  Args &type(const Type &type, const char *name = "") { return value(Value::type(type, {}), name); }
  Args &tuple(std::vector<Value> items, const char *name = "") {
    return value(Value::tuple(items, {}), name);
  }
  Args &value(const Value &value, const char *name = "") {
    list.push_back({name, value, {0, 4, 5}, {}});
    return *this;
  }
  Harness &harness;
  std::vector<Argument> list;
};

Value integer(int64_t value) { return Value::intLiteral(value, {}); }

/// Runs the call in both modes. The expected types are those of check mode and of emit mode.
void expect(const char *name, const std::string &symbolic, const std::string &concrete,
            const std::function<void(Args &, const Dims &)> &write) {
  INFO(name);
  for (bool known : {false, true}) {
    Harness harness(known);
    Args args(harness);
    write(args, Dims{known});
    Value result = harness.call(name, args.list);
    CHECK(harness.firstError() == "");
    CHECK(result.getType().str() == (known ? concrete : symbolic));
    if (known && !result.isError())
      CHECK(harness.finish(result) == "");
  }
}

} // namespace

TEST_CASE("elementwise functions keep the type") {
  for (const char *name :
       {"abs",  "sign", "exp",  "expm1",    "log",     "log1p",         "sqrt",    "rsqrt",
        "sin",  "cos",  "tanh", "erf",      "sigmoid", "floor",         "ceil",    "round",
        "relu", "gelu", "silu", "softplus", "neg",     "stop_gradient", "softmax", "log_softmax"})
    expect(name, "bf16[B, N]", "bf16[2, 6]", [](Args &a, const Dims &d) { a.tensor(bf16, {d.B, d.N}); });
  expect("isnan", "bool[B]", "bool[2]", [](Args &a, const Dims &d) { a.tensor(f32, d.B); });
  expect("gelu", "f32[B]", "f32[2]",
         [](Args &a, const Dims &d) { a.tensor(f32, d.B).text("tanh", "approximate"); });
  expect("clip", "f32[B]", "f32[2]", [](Args &a, const Dims &d) { a.tensor(f32, d.B).number(0).real(1); });
  expect("where", "f32[B, N]", "f32[2, 6]",
         [](Args &a, const Dims &d) { a.tensor(boolean, {d.B, 1}).tensor(f32, d.N).real(-1e30); });
  expect("cast", "bf16[B]", "bf16[2]",
         [](Args &a, const Dims &d) { a.tensor(f32, d.B).type(Type::tensor(bf16)); });
  expect("cast", "bf16[B]", "bf16[2]", [](Args &a, const Dims &d) { a.tensor(f32, d.B).tensor(bf16, d.N); });
  expect("cast", "f32", "f32", [](Args &a, const Dims &d) { a.dim(d.N).type(Type::tensor(f32)); });
}

TEST_CASE("operators broadcast, and literals take the other type") {
  for (const char *name : {"+", "-", "*", "/", "%", "**"}) {
    expect(name, "f32[B, N, D]", "f32[2, 6, 8]",
           [](Args &a, const Dims &d) { a.tensor(f32, {d.N, d.D}).tensor(f32, {d.B, 1, d.D}); });
    expect(name, "bf16[B]", "bf16[2]", [](Args &a, const Dims &d) { a.tensor(bf16, d.B).number(2); });
  }
  for (const char *name : {"==", "!=", "<", "<=", ">", ">="})
    expect(name, "bool[B, N]", "bool[2, 6]",
           [](Args &a, const Dims &d) { a.tensor(i32, {d.B, d.N}).dim(d.N); });
  for (const char *name : {"and", "or"})
    expect(name, "bool[B]", "bool[2]",
           [](Args &a, const Dims &d) { a.tensor(boolean, d.B).tensor(boolean, {}); });
  expect("not", "bool[B]", "bool[2]", [](Args &a, const Dims &d) { a.tensor(boolean, d.B); });
  expect("**", "i32[B]", "i32[2]", [](Args &a, const Dims &d) { a.tensor(i32, d.B).number(5); });
  expect("max", "f32[B]", "f32[2]", [](Args &a, const Dims &d) { a.tensor(f32, d.B).number(0); });
}

TEST_CASE("what the compiler knows stays known") {
  Harness harness(false);
  auto fold = [&](const char *name, const Value &a, const Value &b) {
    return harness.call(name, {{"", a, {}, {}}, {"", b, {}, {}}});
  };
  Value N = Value::dimension(Dim::variable("N"), {});
  CHECK(fold("+", N, integer(1)).dim()->str() == "N + 1");
  CHECK(fold("/", N, integer(2)).dim()->str() == "N / 2");
  CHECK(fold("%", N, integer(2)).dim()->str() == "N % 2");
  CHECK(fold("max", N, integer(0)).dim()->str() == "N");
  CHECK(fold("*", integer(6), integer(7)).getType().str() == "an int literal");
  CHECK(*fold("*", integer(6), Value::floatLiteral(0.5, {})).number() == 3.0);
  CHECK(*fold("<", N, fold("+", N, integer(1))).boolean());
  CHECK(fold("==", N, integer(3)).boolean() == nullptr);
  CHECK(fold("==", N, integer(3)).getType().str() == "bool");
  CHECK_FALSE(*fold("and", Value::boolean(false, {}), fold("==", N, integer(3))).boolean());
  CHECK(harness.firstError() == "");
}

TEST_CASE("reductions") {
  for (const char *name : {"sum", "mean", "var", "max", "min", "prod", "logsumexp"}) {
    expect(name, "bf16", "bf16", [](Args &a, const Dims &d) { a.tensor(bf16, {d.B, d.N}); });
    expect(name, "f32[B]", "f32[2]",
           [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).number(-1, "axis"); });
    expect(name, "f32[1, N, 1]", "f32[1, 6, 1]", [](Args &a, const Dims &d) {
      a.tensor(f32, {d.B, d.N, d.D}).tuple({integer(2), integer(0)}, "axis").flag(true, "keepdims");
    });
  }
  for (const char *name : {"any", "all"})
    expect(name, "bool[N]", "bool[6]",
           [](Args &a, const Dims &d) { a.tensor(boolean, {d.B, d.N}).number(0, "axis"); });
  for (const char *name : {"argmax", "argmin"}) {
    expect(name, "i32[B, 1]", "i32[2, 1]", [](Args &a, const Dims &d) {
      a.tensor(f32, {d.B, d.N}).number(1, "axis").flag(true, "keepdims");
    });
    expect(name, "i32", "i32", [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}); });
  }
  expect("cumsum", "f32[B, N]", "f32[2, 6]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).number(0, "axis"); });
}

TEST_CASE("products") {
  auto matmul = [](const char *symbolic, const char *concrete, auto left, auto right) {
    expect("@", symbolic, concrete,
           [&](Args &a, const Dims &d) { a.tensor(f32, left(d)).tensor(f32, right(d)); });
  };
  using List = llvm::SmallVector<Dim>;
  matmul("f32", "f32", [](const Dims &d) { return List{d.N}; }, [](const Dims &d) { return List{d.N}; });
  matmul(
      "f32[D]", "f32[8]", [](const Dims &d) { return List{d.N}; },
      [](const Dims &d) { return List{d.N, d.D}; });
  matmul(
      "f32[D]", "f32[8]", [](const Dims &d) { return List{d.D, d.N}; },
      [](const Dims &d) { return List{d.N}; });
  matmul(
      "f32[B, N, V]", "f32[2, 6, 10]", [](const Dims &d) { return List{d.B, d.N, d.D}; },
      [](const Dims &d) { return List{d.D, d.V}; });
  matmul(
      "f32[B, H, N, V]", "f32[2, 2, 6, 10]", [](const Dims &d) { return List{d.B, 1, d.N, d.D}; },
      [](const Dims &d) { return List{d.H, d.D, d.V}; });
  matmul(
      "f32[1, N, V]", "f32[1, 6, 10]", [](const Dims &d) { return List{1, d.N, d.D}; },
      [](const Dims &d) { return List{1, d.D, d.V}; });

  expect("einsum", "f32[B, H, N, E]", "f32[2, 2, 6, 4]", [](Args &a, const Dims &d) {
    a.text("b n d, d h e -> b h n e").tensor(f32, {d.B, d.N, d.D}).tensor(f32, {d.D, d.H, d.E});
  });
  expect("einsum", "f32[N, B]", "f32[6, 2]",
         [](Args &a, const Dims &d) { a.text("batch seq dim -> seq batch").tensor(f32, {d.B, d.N, d.D}); });
  expect("einsum", "f32[V, B]", "f32[10, 2]", [](Args &a, const Dims &d) {
    a.text("b n, n d, d v -> v b").tensor(f32, {d.B, d.N}).tensor(f32, {d.N, d.D}).tensor(f32, {d.D, d.V});
  });
  expect("einsum", "f32[B, H, N, V]", "f32[2, 2, 6, 10]", [](Args &a, const Dims &d) {
    a.text("... n d, d v -> ... n v").tensor(f32, {d.B, d.H, d.N, d.D}).tensor(f32, {d.D, d.V});
  });
}

TEST_CASE("shapes") {
  expect("reshape", "f32[B, H, N * E]", "f32[2, 2, 24]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N, d.H * d.E}).dim(d.B).dim(d.H).number(-1); });
  expect("reshape", "f32[B * N]", "f32[12]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).tuple({Value::dimension(d.B * d.N, {})}); });
  expect("transpose", "f32[D, V]", "f32[8, 10]", [](Args &a, const Dims &d) { a.tensor(f32, {d.V, d.D}); });
  expect("transpose", "f32[B, D, N]", "f32[2, 8, 6]", [](Args &a, const Dims &d) {
    a.tensor(f32, {d.B, d.N, d.D}).tuple({integer(0), integer(-1), integer(1)});
  });
  expect("broadcast_to", "f32[B, N, D]", "f32[2, 6, 8]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.N, 1}).dim(d.B).dim(d.N).dim(d.D); });
  expect("concat", "f32[B, D + N]", "f32[2, 14]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.D}).tensor(f32, {d.B, d.N}).number(1, "axis"); });
  expect("stack", "f32[B, 2]", "f32[2, 2]",
         [](Args &a, const Dims &d) { a.tensor(f32, d.B).tensor(f32, d.B).number(-1, "axis"); });
  expect("split", "(f32[B, N / 3], f32[B, N / 3], f32[B, N / 3])", "(f32[2, 2], f32[2, 2], f32[2, 2])",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).number(3).number(1, "axis"); });
  expect("split", "(f32[D], f32[N])", "(f32[8], f32[6])", [](Args &a, const Dims &d) {
    a.tensor(f32, {d.D + d.N}).tuple({Value::dimension(d.D, {}), Value::dimension(d.N, {})});
  });
  expect("flip", "f32[B, N]", "f32[2, 6]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).number(1, "axis"); });
  expect("pad", "f32[B, N + 3]", "f32[2, 9]", [](Args &a, const Dims &d) {
    Value none = Value::tuple({integer(0), integer(0)}, {}),
          some = Value::tuple({integer(1), integer(2)}, {});
    a.tensor(f32, {d.B, d.N}).tuple({none, some}).number(0, "value");
  });
  expect("pad", "i32[B + 2, N + 2]", "i32[4, 8]",
         [](Args &a, const Dims &d) { a.tensor(i32, {d.B, d.N}).number(1); });
  expect("expand_dims", "f32[B, 1]", "f32[2, 1]",
         [](Args &a, const Dims &d) { a.tensor(f32, d.B).number(-1, "axis"); });
  expect("squeeze", "f32[B]", "f32[2]", [](Args &a, const Dims &d) { a.tensor(f32, {1, d.B, 1}); });
  expect("rearrange", "f32[B, H, N, D / H]", "f32[2, 2, 6, 4]", [](Args &a, const Dims &d) {
    a.tensor(f32, {d.B, d.N, d.D}).text("b n (h e) -> b h n e").dim(d.H, "h");
  });
  expect("rearrange", "f32[B, N, H * E]", "f32[2, 6, 8]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.H, d.N, d.E}).text("b h n e -> b n (h e)"); });
  expect("rearrange", "f32[B * N, 1, D]", "f32[12, 1, 8]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N, d.D}).text("b n d -> (b n) 1 d"); });
}

TEST_CASE("making values") {
  auto structure = [](const Dims &d) {
    return Type::structure(nullptr, "S", {}, {d.D},
                           {{"w", Type::tensor(f32, d.D)}, {"b", Type::tensor(bf16)}});
  };
  for (const char *name : {"zeros", "ones"}) {
    expect(name, "i32[N, D]", "i32[6, 8]",
           [](Args &a, const Dims &d) { a.type(Type::tensor(i32, {d.N, d.D})); });
    expect(name, "S[D]", "S[8]", [&](Args &a, const Dims &d) { a.type(structure(d)); });
    expect(name, "[S[D]; 3]", "[S[8]; 3]",
           [&](Args &a, const Dims &d) { a.type(Type::stack(structure(d), 3)); });
  }
  expect("full", "S[D]", "S[8]", [&](Args &a, const Dims &d) { a.type(structure(d)).real(0.5); });
  expect("full", "f32[D]", "f32[8]",
         [&](Args &a, const Dims &d) { a.type(Type::tensor(f32, d.D)).tensor(f32, {}); });
  for (const char *name : {"random_normal", "random_uniform"})
    expect(name, "S[D]", "S[8]", [&](Args &a, const Dims &d) { a.type(structure(d)).number(42); });
  expect("fold_in", "i64", "i64", [](Args &a, const Dims &) { a.tensor(i64, {}).tensor(i32, {}); });
  expect("arange", "i32[N]", "i32[6]", [](Args &a, const Dims &d) { a.dim(d.N); });
  expect("arange", "i32[ceil((N - 1) / 2)]", "i32[3]",
         [](Args &a, const Dims &d) { a.number(1).dim(d.N).number(2, "step"); });
  expect("arange", "i32[4]", "i32[4]", [](Args &a, const Dims &) { a.number(3).number(-1).number(-1); });
  expect("one_hot", "f32[B, N, V]", "f32[2, 6, 10]",
         [](Args &a, const Dims &d) { a.tensor(i32, {d.B, d.N}).dim(d.V); });
}

TEST_CASE("picking by number") {
  expect("take", "f32[B, N, D]", "f32[2, 6, 8]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.V, d.D}).tensor(i32, {d.B, d.N}); });
  expect("take", "f32[V]", "f32[10]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.V, d.D}).tensor(i32, {}).number(1, "axis"); });
  expect("scatter_add", "f32[V, D]", "f32[10, 8]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.V, d.D}).tensor(i32, d.N).tensor(f32, {d.N, d.D}); });
  expect("sort", "f32[B, N]", "f32[2, 6]", [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}); });
  expect("argsort", "i32[B, N]", "i32[2, 6]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).flag(true, "descending"); });
  expect("top_k", "(f32[B, 3], i32[B, 3])", "(f32[2, 3], i32[2, 3])",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).number(3); });
}

TEST_CASE("layers") {
  expect("rms_norm", "bf16[B, D]", "bf16[2, 8]",
         [](Args &a, const Dims &d) { a.tensor(bf16, {d.B, d.D}).tensor(f32, d.D); });
  expect("layer_norm", "f32[B, D]", "f32[2, 8]", [](Args &a, const Dims &d) {
    a.tensor(f32, {d.B, d.D}).tensor(f32, d.D).tensor(f32, d.D).real(1e-6, "eps");
  });
  expect("rms_norm", "f64[B, D]", "f64[2, 8]",
         [](Args &a, const Dims &d) { a.tensor(f64, {d.B, d.D}).tensor(f64, d.D).tensor(f32, {}, "eps"); });
  expect("rope", "f32[B, E]", "f32[2, 4]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.E}).tensor(f32, {}, "base"); });
  expect("cross_entropy", "f32[B, N]", "f32[2, 6]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N, d.V}).tensor(i32, {d.B, d.N}); });
  expect("dropout", "bf16[B, D]", "bf16[2, 8]",
         [](Args &a, const Dims &d) { a.tensor(bf16, {d.B, d.D}).real(0.1).number(1); });
  expect("rope", "bf16[B, H, N, E]", "bf16[2, 2, 6, 4]",
         [](Args &a, const Dims &d) { a.tensor(bf16, {d.B, d.H, d.N, d.E}); });
  expect("rope", "f32[B, H, N, E]", "f32[2, 2, 6, 4]", [](Args &a, const Dims &d) {
    a.tensor(f32, {d.B, d.H, d.N, d.E}).flag(true, "interleaved").tensor(i32, {d.B, 1, d.N}, "positions");
  });
  expect("rope", "f64[B, E]", "f64[2, 4]", [](Args &a, const Dims &d) {
    a.tensor(f64, {d.B, d.E}).tensor(i32, {}, "positions").real(500.0, "base");
  });
}

TEST_CASE("attention") {
  auto operands = [](Args &a, const Dims &d, ElementType element) -> Args & {
    return a.tensor(element, {d.B, d.H * 3, d.N, d.E})
        .tensor(element, {d.B, d.H, d.N, d.E})
        .tensor(element, {d.B, d.H, d.N, d.D});
  };
  expect("sparsek_attention", "bf16[B, 3 * H, N, D]", "bf16[2, 6, 6, 8]", [&](Args &a, const Dims &d) {
    operands(a, d, bf16).tensor(f32, {d.B, d.H, d.N}).number(2, "topk").number(2, "window");
  });
  expect("sparsek_attention", "f64[B, 3 * H, N, D]", "f64[2, 6, 6, 8]", [&](Args &a, const Dims &d) {
    operands(a, d, f64)
        .tensor(f64, {d.B, d.H, d.N})
        .number(0, "topk")
        .number(2, "window")
        .real(0.5, "scale")
        .text("value", "gate")
        .text("straight_through", "estimator");
  });
  expect("attention", "bf16[B, 3 * H, N, D]", "bf16[2, 6, 6, 8]",
         [&](Args &a, const Dims &d) { operands(a, d, bf16); });
  expect("attention", "f32[B, 3 * H, N, D]", "f32[2, 6, 6, 8]",
         [&](Args &a, const Dims &d) { operands(a, d, f32).flag(true, "causal").tensor(f32, {}, "scale"); });
  expect("sparsek_attention", "(bf16[B, 3 * H, N, D], f32[B, 3 * H, N])", "(bf16[2, 6, 6, 8], f32[2, 6, 6])",
         [&](Args &a, const Dims &d) {
           operands(a, d, bf16).tensor(f32, {d.B, d.H, d.N}).number(2, "topk").flag(true, "lse");
         });
  expect("attention", "(f64[B, 3 * H, N, D], f64[B, 3 * H, N])", "(f64[2, 6, 6, 8], f64[2, 6, 6])",
         [&](Args &a, const Dims &d) { operands(a, d, f64).flag(true, "lse"); });
  expect("attention", "(f16[B, 3 * H, N, D], f32[B, 3 * H, N])", "(f16[2, 6, 6, 8], f32[2, 6, 6])",
         [&](Args &a, const Dims &d) { operands(a, d, f16).flag(true, "causal").flag(true, "lse"); });
  expect("sparsek", "f32[B, N]", "f32[2, 6]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).real(2.5); });
  expect("sparsek", "f32[B, N]", "f32[2, 6]",
         [](Args &a, const Dims &d) { a.tensor(f32, {d.B, d.N}).tensor(f32, {}); });
  expect("sparsek_threshold", "(f32[B, H, N], i32[B, H, N], i32[B, H, N])",
         "(f32[2, 2, 6], i32[2, 2, 6], i32[2, 2, 6])", [](Args &a, const Dims &d) {
           a.tensor(f32, {d.B, d.H, d.N}).number(2, "topk").number(1, "window");
         });
  expect("sparsek_threshold", "(f32[B, H, N], i32[B, H, N], i32[B, H, N])",
         "(f32[2, 2, 6], i32[2, 2, 6], i32[2, 2, 6])", [](Args &a, const Dims &d) {
           a.tensor(f32, {d.B, d.H, d.N}).number(2, "topk").tensor(i32, {d.E}, "segments");
         });
  expect("sparsek_attention", "f32[B, 3 * H, N, D]", "f32[2, 6, 6, 8]", [&](Args &a, const Dims &d) {
    operands(a, d, f32).tensor(f32, {d.B, d.H, d.N}).number(2, "topk").tensor(i32, {d.E}, "segments");
  });
  for (bool causal : {false, true})
    expect("attention", "bf16[B, 3 * H, N, D]", "bf16[2, 6, 6, 8]", [&](Args &a, const Dims &d) {
      operands(a, d, bf16).flag(causal, "causal").tensor(i32, {d.E}, "segments");
    });
}

TEST_CASE("generation") {
  auto tokens = [](Args &a, const Dims &d, ElementType element, bool several) -> Args & {
    auto dims = [&](const Dim &heads, std::optional<Dim> width) {
      std::vector<Dim> list = {d.B, heads};
      if (several)
        list.push_back(d.N);
      if (width)
        list.push_back(*width);
      return list;
    };
    return a.tensor(element, dims(d.H * 3, d.E))
        .tensor(element, dims(d.H, d.E))
        .tensor(element, dims(d.H, d.D))
        .tensor(accumulatorOf(element), dims(d.H, std::nullopt));
  };
  auto cache = [](Args &a, const Dims &d, ElementType element) -> Args & {
    return a.value(a.harness.input(a.harness.cacheType(element, {d.B, d.H, d.E, d.D, 5, 2, 64})), "cache");
  };
  expect("sparsek_cache", "SparseKCache<bf16>[B, H, E, D, 5, 2, 4096]",
         "SparseKCache<bf16>[2, 2, 4, 8, 5, 2, 4096]", [](Args &a, const Dims &d) {
           a.type(Type::tensor(bf16, {d.B, d.H, d.E, d.D})).number(5, "topk").number(2, "window");
         });
  expect("sparsek_cache", "SparseKCache<f32>[B, H, E, D, 600, 0, 4800]",
         "SparseKCache<f32>[2, 2, 4, 8, 600, 0, 4800]", [](Args &a, const Dims &d) {
           a.type(Type::tensor(f32, {d.B, d.H, d.E, d.D})).number(600, "topk").tensor(f32, {}, "scale");
         });
  expect("sparsek_prefill", "(f32[B, 3 * H, N, D], SparseKCache<f32>[B, H, E, D, 5, 2, 64])",
         "(f32[2, 6, 6, 8], SparseKCache<f32>[2, 2, 4, 8, 5, 2, 64])", [&](Args &a, const Dims &d) {
           tokens(a, d, f32, true).number(5, "topk").number(2, "window").number(64, "capacity");
         });
  expect("sparsek_prefill", "(f64[B, 3 * H, N, D], SparseKCache<f64>[B, H, E, D, 5, 0, 64])",
         "(f64[2, 6, 6, 8], SparseKCache<f64>[2, 2, 4, 8, 5, 0, 64])", [&](Args &a, const Dims &d) {
           tokens(a, d, f64, true).number(5, "topk").number(64, "capacity").tensor(i32, {d.B}, "lengths");
         });
  expect("sparsek_prefill", "(bf16[B, 3 * H, N, D], SparseKCache<bf16>[B, H, E, D, 5, 2, 64])",
         "(bf16[2, 6, 6, 8], SparseKCache<bf16>[2, 2, 4, 8, 5, 2, 64])", [&](Args &a, const Dims &d) {
           cache(tokens(a, d, bf16, true), d, bf16).tensor(i32, {d.B}, "lengths");
         });
  expect("sparsek_decode", "(f32[B, 3 * H, D], SparseKCache<f32>[B, H, E, D, 5, 2, 64])",
         "(f32[2, 6, 8], SparseKCache<f32>[2, 2, 4, 8, 5, 2, 64])", [&](Args &a, const Dims &d) {
           cache(tokens(a, d, f32, false), d, f32).tensor(ElementType::Bool, {d.B}, "active");
         });
}
