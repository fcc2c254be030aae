// What builtins say about wrong calls: the exact message and hints.
#include "BuiltinHarness.h"
#include <catch2/catch.hpp>

using namespace heddle::frontend;

namespace {

constexpr ElementType f32 = ElementType::F32, bf16 = ElementType::BF16, i32 = ElementType::I32,
                      boolean = ElementType::Bool;
const Dim B = Dim::variable("B"), N = Dim::variable("N"), M = Dim::variable("M"), D = Dim::variable("D");

Value tensor(ElementType element, llvm::ArrayRef<Dim> dims) {
  return Value::ofLeaves(Type::tensor(element, dims), {}, {0, 2, 3});
}
Value integer(int64_t value) { return Value::intLiteral(value, {0, 6, 7}); }
Value real(double value) { return Value::floatLiteral(value, {}); }
Value text(const char *value) { return Value::string(value, {}); }
Value tuple(std::vector<Value> items) { return Value::tuple(items, {}); }
Value typeOf(const Type &type) { return Value::type(type, {}); }
Argument pos(const Value &value) { return {"", value, {0, 4, 5}, {}}; }
Argument named(const char *name, const Value &value) { return {name, value, {0, 4, 5}, {0, 1, 2}}; }

/// The error that the call gives, `message | hint | …`.
std::string errorOf(const char *name, std::vector<Argument> args) {
  Harness harness(false);
  Value result = harness.call(name, std::move(args));
  return result.isError() ? harness.firstError() : "no error: " + result.getType().str();
}

std::string indexError(const Value &base, std::vector<IndexItem> items) {
  Harness harness(false);
  CallContext context("[]", {}, {}, {}, harness.diagnostics, harness.emit, harness);
  Value result = evaluateIndex(context, base, items);
  return result.isError() ? harness.firstError() : "no error: " + result.getType().str();
}

IndexItem at(const Value &value) { return {IndexItem::Kind::At, value, {}, {}, {}, {}}; }
IndexItem slice(std::optional<Value> start, std::optional<Value> stop, std::optional<Value> step = {}) {
  return {IndexItem::Kind::Slice, {}, start, stop, step, {}};
}
IndexItem ellipsis() { return {IndexItem::Kind::Ellipsis, {}, {}, {}, {}, {}}; }

} // namespace

TEST_CASE("arguments that do not fit the signature") {
  Value x = tensor(f32, {B, N});
  CHECK(errorOf("exp", {pos(x), pos(x)}) == "exp takes at most 1 argument, but 2 are given | usage: exp(x)");
  CHECK(errorOf("exp", {}) == "exp is called without its argument 'x' | usage: exp(x)");
  CHECK(errorOf("sum", {pos(x), named("axes", integer(0))}) ==
        "sum has no parameter 'axes' | did you mean 'axis'? | usage: sum(x, axis = all, keepdims = false)");
  CHECK(errorOf("sum", {pos(x), named("axis", integer(0)), named("axis", integer(0))}) ==
        "argument 'axis' is given twice");
  CHECK(errorOf("sum", {named("axis", integer(0)), pos(x)}) ==
        "a positional argument stands after the named argument 'axis'");
  CHECK(errorOf("sum", {pos(x), named("keepdims", integer(1))}) ==
        "'keepdims' must be true or false, known to the compiler, not an int literal");
  CHECK(errorOf("gelu", {pos(x), named("approximate", text("fast"))}) ==
        "'approximate' must be \"none\" or \"tanh\", not \"fast\"");
}

TEST_CASE("axes out of range") {
  CHECK(errorOf("sum", {pos(tensor(f32, {B, N})), named("axis", integer(3))}) ==
        "axis 3 is out of range for f32[B, N] | its axes are 0 to 1, or -2 to -1 from the end");
  CHECK(errorOf("sum", {pos(tensor(f32, {})), named("axis", integer(0))}) ==
        "axis 0 is out of range for f32 | a scalar has no axes");
  CHECK(errorOf("sum", {pos(tensor(f32, {B, N})), named("axis", tuple({integer(1), integer(-1)}))}) ==
        "axis 1 of f32[B, N] is named twice");
  CHECK(errorOf("cumsum", {pos(tensor(f32, {B, N}))}) ==
        "cumsum needs an axis for f32[B, N] | cumsum(x, axis = -1) sums along the last");
}

TEST_CASE("element types that do not fit") {
  CHECK(errorOf("exp", {pos(tensor(i32, N))}) ==
        "exp needs a floating-point tensor, but 'x' is i32[N] | cast(x, f32) converts it");
  CHECK(errorOf("+", {pos(tensor(f32, N)), pos(tensor(bf16, N))}) ==
        "+ combines f32[N] with bf16[N], and element types are not converted implicitly | cast(x, f32) "
        "converts the bf16");
  CHECK(errorOf("*", {pos(tensor(f32, N)), pos(Value::dimension(N, {}))}) ==
        "* combines f32[N] with i32, and element types are not converted implicitly | cast(N, f32) converts "
        "the i32");
  CHECK(errorOf("+", {pos(tensor(i32, N)), pos(real(0.5))}) ==
        "a float literal cannot be combined with i32[N] | cast(x, f32) converts the i32");
  CHECK(errorOf("+", {pos(tensor(ElementType::I8, N)), pos(integer(300))}) ==
        "the literal 300 does not fit in i8");
  CHECK(errorOf("+", {pos(tensor(boolean, N)), pos(integer(1))}) ==
        "+ needs numbers, but an operand is bool[N] | cast(x, i32) converts truth values to 0 and 1");
  CHECK(errorOf("and", {pos(tensor(i32, N)), pos(tensor(boolean, N))}) ==
        "'and' needs truth values, but an operand is i32[N] | x != 0 gives truth values");
  CHECK(errorOf("take", {pos(tensor(f32, N)), pos(tensor(f32, M))}) ==
        "take needs i32 or i64 indices, but 'ids' is f32[M] | cast(x, i32) converts it");
  CHECK(errorOf("exp", {pos(tuple({integer(1)}))}) == "exp needs a tensor, but 'x' is (an int literal,)");
}

TEST_CASE("shapes that do not broadcast") {
  CHECK(errorOf("+", {pos(tensor(f32, {B, N})), pos(tensor(f32, {B, M}))}) ==
        "cannot broadcast f32[B, N] with f32[B, M]: N and M differ on axis -1 | axes are matched from the "
        "last, and must be "
        "equal or literally 1");
  CHECK(errorOf("*", {pos(tensor(f32, {B, N})), pos(tensor(f32, B))}) ==
        "cannot broadcast f32[B, N] with f32[B]: N and B differ on axis -1 | axes are matched from the last: "
        "expand_dims(x, "
        "axis = -1) adds one there");
  Harness harness(false);
  Value a = tensor(f32, N), b = tensor(f32, M).withSpan({0, 7, 8});
  harness.call("+", {pos(a), pos(b)});
  const auto error = harness.diagnostics.sorted().front();
  REQUIRE(error.notes.size() == 2);
  CHECK(error.notes[0].message == "this is f32[N]");
  CHECK(error.notes[1].message == "this is f32[M]");
  CHECK(error.notes[1].span == Span{0, 7, 8});
}

TEST_CASE("compile-time arithmetic") {
  CHECK(errorOf("/", {pos(integer(1)), pos(integer(2))}) ==
        "the division 1 / 2 is not exact | write 1.0 / 2.0 for a float");
  CHECK(errorOf("/", {pos(integer(1)), pos(integer(0))}) == "division of 1 by zero");
  CHECK(errorOf("%", {pos(Value::dimension(N, {})), pos(integer(0))}) == "remainder of N by zero");
  CHECK(errorOf("**", {pos(tensor(i32, N)), pos(integer(-1))}) ==
        "** needs a floating-point base, but it is i32[N] | an integer is raised to literal powers from 0 to "
        "64 only; "
        "cast(x, f32) converts it");
}

TEST_CASE("products that do not fit") {
  Value x = tensor(f32, {B, N, D});
  CHECK(errorOf("@", {pos(x), pos(tensor(f32, {M, D}))}) ==
        "@ of f32[B, N, D] and f32[M, D]: the inner extents D and M differ | x @ transpose(y) fits");
  CHECK(errorOf("@", {pos(x), pos(tensor(f32, {}))}) ==
        "@ needs tensors of rank 1 or more, not f32[B, N, D] and f32 | * multiplies by a scalar");
  CHECK(errorOf("einsum", {pos(text("b n d, d e -> b n e")), pos(x), pos(tensor(f32, {M, N}))}) ==
        "axis 'd' of the formula is D in operand 1 and M in operand 2");
  CHECK(errorOf("einsum", {pos(text("bnd->nbd")), pos(x)}) ==
        "the formula names 1 axis in \"bnd\", but the operand is f32[B, N, D] | names are separated by "
        "spaces: \"b n d\"");
  CHECK(errorOf("einsum", {pos(text("b n d")), pos(x)}) ==
        "the formula \"b n d\" has no single '->' between operands and result | write for example \"b n d, d "
        "e -> b n e\"");
  CHECK(errorOf("einsum", {pos(text("b n d -> b z")), pos(x)}) ==
        "axis 'z' of the result stands in no operand");
  CHECK(errorOf("einsum", {pos(text("b n n -> b")), pos(x)}) ==
        "the formula names axis 'n' twice in \"b n n\"");
  CHECK(errorOf("einsum", {pos(text("b n d, d -> b")), pos(x)}) ==
        "the formula has 2 operands, but 1 are given");
}

TEST_CASE("shapes that cannot be made") {
  CHECK(errorOf("reshape", {pos(tensor(f32, {4, 6})), pos(integer(5)), pos(integer(5))}) ==
        "cannot reshape f32[4, 6] of 24 elements to [5, 5] of 25");
  CHECK(errorOf("reshape", {pos(tensor(f32, {4, 6})), pos(integer(5)), pos(integer(-1))}) ==
        "cannot reshape f32[4, 6] of 24 elements to [5, -1]");
  CHECK(errorOf("reshape", {pos(tensor(f32, {B, 8})), pos(Value::dimension(B, {})), pos(integer(9))}) ==
        "cannot reshape f32[B, 8] of 8 * B elements to [B, 9] of 9 * B");
  CHECK(errorOf("reshape", {pos(tensor(f32, N)), pos(integer(-1)), pos(integer(-1))}) ==
        "reshape to [-1, -1]: only one extent may be -1");
  CHECK(errorOf("transpose", {pos(tensor(f32, {B, N, D})), pos(integer(0)), pos(integer(1))}) ==
        "transpose names 2 of the 3 axes of f32[B, N, D] | name all axes in their new order, or none to "
        "reverse them");
  CHECK(errorOf("broadcast_to", {pos(tensor(f32, {B, N})), pos(Value::dimension(B, {})), pos(integer(3))}) ==
        "cannot broadcast f32[B, N] to [B, 3] | axes are matched from the last, and must be equal or "
        "literally 1");
  CHECK(errorOf("concat", {pos(tensor(f32, {B, N})), pos(tensor(f32, {B, M}))}) ==
        "concat of f32[B, N] and f32[B, M]: all axes but 0 must be equal");
  CHECK(errorOf("stack", {pos(tensor(f32, N)), pos(tensor(f32, M))}) ==
        "stack of f32[N] and f32[M]: the shapes must be equal");
  CHECK(errorOf("split", {pos(tensor(f32, Dim(7))), pos(integer(2))}) ==
        "axis 0 of f32[7] cannot be split into 2 equal parts | a tuple gives the extent of every part");
  CHECK(errorOf("split", {pos(tensor(f32, Dim(7))), pos(tuple({integer(2), integer(4)}))}) ==
        "split into parts of [2, 4] makes 6, but axis 0 of f32[7] is 7 | a tuple gives the extent of every "
        "part, a number "
        "how many equal parts there are");
  CHECK(errorOf("pad", {pos(tensor(f32, N)), pos(integer(-1))}) ==
        "a pad width cannot be -1 | slices such as x[1:-1] remove elements");
  CHECK(errorOf("squeeze", {pos(tensor(f32, {1, N})), named("axis", integer(1))}) ==
        "cannot squeeze axis 1 of f32[1, N]: its extent is N, not 1");
  CHECK(errorOf("rearrange",
                {pos(tensor(f32, {B, 7})), pos(text("b (h e) -> b h e")), named("h", integer(2))}) ==
        "axis 1 of f32[B, 7] is 7, which 2 does not divide");
  CHECK(errorOf("rearrange", {pos(tensor(f32, {B, N})), pos(text("b (h e) -> b h e"))}) ==
        "the extents of 'h' and 'e' in one group are both unknown | give one: rearrange(x, pattern, e = 4)");
  CHECK(errorOf("rearrange", {pos(tensor(f32, {B, N})), pos(text("b n -> b"))}) ==
        "axis 'n' of the operand is missing in the result | sum(x, axis = 1) or mean removes an axis");
}

TEST_CASE("negative extents") {
  Value x = tensor(f32, {8});
  CHECK(errorOf("broadcast_to", {pos(x), pos(integer(-2)), pos(integer(8))}) ==
        "broadcast_to with an extent of -2, below 0");
  CHECK(errorOf("split", {pos(x), pos(tuple({integer(9), integer(-1)}))}) ==
        "split with an extent of -1, below 0");
  CHECK(errorOf("one_hot", {pos(tensor(i32, N)), pos(integer(-3))}) ==
        "one_hot with an extent of -3, below 0");
  CHECK(errorOf("rearrange", {pos(x), pos(text("(a b) -> a b")), named("a", integer(-2))}) ==
        "rearrange with an extent of -2, below 0");
  CHECK(errorOf("reshape", {pos(x), pos(integer(-2)), pos(integer(-4))}) ==
        "reshape to [-2, -4]: an extent cannot be -2");
}

TEST_CASE("indices and slices") {
  Value x = tensor(f32, {B, 8});
  CHECK(indexError(x, {at(integer(0)), at(integer(8))}) ==
        "index 8 is out of range for axis 1 of f32[B, 8], which has 8 elements");
  CHECK(indexError(x, {at(integer(0)), at(integer(-9))}) ==
        "index -9 is out of range for axis 1 of f32[B, 8], which has 8 elements");
  CHECK(indexError(x, {at(integer(0)), at(integer(0)), at(integer(0))}) ==
        "3 indices are given for f32[B, 8], which has 2 axes");
  CHECK(indexError(x, {slice({}, {}), slice({}, integer(9))}) ==
        "the slice stops at 9, outside axis 1 of f32[B, 8], which has 8 elements | slices are not clamped: "
        "their extent is "
        "what they say");
  CHECK(indexError(x, {slice({}, {}), slice(integer(5), integer(2))}) ==
        "the slice runs from 5 to 2, the wrong way round");
  CHECK(indexError(x, {slice({}, {}, integer(0))}) == "the step of a slice cannot be 0");
  CHECK(indexError(x, {at(tensor(i32, N))}) ==
        "an index must be an integer or a slice, not i32[N] | take(x, ids, axis = 0) picks many elements");
  CHECK(indexError(x, {slice(tensor(i32, {}), {})}) ==
        "the start of a slice must be known to the compiler, not i32 | take(x, start + arange(count)) picks "
        "a block at a "
        "run-time position");
  CHECK(indexError(x, {ellipsis(), ellipsis()}) == "an index has one '...' at most");
  CHECK(indexError(tuple({x, x}), {at(integer(2))}) ==
        "index 2 is out of range for (f32[B, 8], f32[B, 8]), which has 2 elements");

  CHECK(indexError(x, {slice({}, {}), slice({}, integer(-1))}) == "no error: f32[B, 7]");
  CHECK(indexError(x, {ellipsis(), slice(integer(1), integer(8), integer(2))}) == "no error: f32[B, 4]");
  CHECK(indexError(tensor(f32, {B, N}), {slice({}, {}), slice(integer(1), {})}) == "no error: f32[B, N - 1]");
  CHECK(indexError(tensor(f32, {B, N}), {slice({}, {}, integer(-1)), at(tensor(i32, {}))}) ==
        "no error: f32[B]");
  CHECK(indexError(tensor(f32, {B, N}), {slice({}, {}, integer(2))}) == "no error: f32[ceil(B / 2), N]");
}

TEST_CASE("values from types") {
  CHECK(errorOf("zeros", {pos(integer(3))}) ==
        "zeros needs a type for 'type', such as f32[N, D], but it is an int literal");
  CHECK(errorOf("full", {pos(typeOf(Type::tensor(i32, N))), pos(real(0.5))}) ==
        "full needs a scalar of i32 for i32[N], not a float literal");
  CHECK(errorOf("random_normal", {pos(typeOf(Type::tensor(f32, N))), pos(tensor(i32, {}))}) ==
        "a key is an i64 scalar, not i32 | cast(key, i64) converts it");
  CHECK(errorOf("random_normal", {pos(typeOf(Type::tensor(i32, N))), pos(integer(1))}) ==
        "random_normal makes floating-point numbers, but the type is i32[N] | floor(random_uniform(f32[N], "
        "key) * 10.0) and "
        "cast make integers");
  CHECK(errorOf("arange", {pos(integer(3)), pos(integer(1))}) ==
        "arange from 3 to 1 in steps of 1 runs the wrong way");
  CHECK(errorOf("arange", {pos(integer(3000000000))}) ==
        "arange makes i32 numbers, and 3000000000 is out of their range");
  CHECK(errorOf("cast", {pos(tensor(f32, N)), pos(typeOf(Type::tensor(f32, N)))}) ==
        "cast takes an element type, such as f32, not f32[N]");
}

TEST_CASE("layers of wrong shapes") {
  Value x = tensor(f32, {B, D});
  CHECK(errorOf("rms_norm", {pos(x), pos(tensor(f32, N))}) ==
        "rms_norm of f32[B, D] needs 'gain' of shape [D], not f32[N]");
  CHECK(errorOf("cross_entropy", {pos(x), pos(tensor(i32, N))}) ==
        "cross_entropy needs one label for each row of the logits: labels of shape [B], not i32[N]");
  CHECK(errorOf("rope", {pos(tensor(f32, {B, 7}))}) ==
        "rope turns pairs along the last axis, but its extent in f32[B, 7] is odd");
  CHECK(errorOf("rms_norm", {pos(x), pos(tensor(f32, D)), named("eps", tensor(f32, B))}) ==
        "rms_norm needs a scalar for 'eps', not f32[B]");
  CHECK(errorOf("rope", {pos(tensor(f32, {B, 8})), named("base", real(0))}) ==
        "rope needs a base above 0, not 0");
  CHECK(errorOf("dropout", {pos(x), pos(real(1.5)), pos(integer(0))}) ==
        "dropout with rate 1.5, outside [0, 1)");
  CHECK(errorOf("top_k", {pos(tensor(f32, Dim(4))), pos(integer(5))}) ==
        "top_k with k = 5 of an axis of 4 elements");
}

TEST_CASE("attention with operands that do not fit") {
  Value q = tensor(f32, {B, 4, N, D}), k = tensor(f32, {B, 3, N, D}), u = tensor(f32, {B, 3, N});
  CHECK(errorOf("sparsek_attention", {pos(q), pos(k), pos(k), pos(u), named("topk", integer(2))}) ==
        "sparsek_attention shares each key-value head among equally many query heads, but 3 key-value heads "
        "do not divide 4 "
        "query heads");
  CHECK(errorOf("sparsek_attention", {pos(k), pos(k), pos(k), pos(u), named("topk", integer(0))}) ==
        "sparsek_attention attends to nothing: topk and window are both 0 | topk = 0 with a window is "
        "sliding-window "
        "attention");
  CHECK(errorOf("sparsek_attention", {pos(k), pos(k), pos(k), pos(u), named("topk", tensor(i32, {}))}) ==
        "'topk' must be an integer known to the compiler, not a computed i32 | literals, dimensions and "
        "their arithmetic are "
        "known to the compiler");
  CHECK(errorOf("sparsek_attention",
                {pos(k), pos(k), pos(k), pos(tensor(bf16, {B, 3, N})), named("topk", integer(2))}) ==
        "sparsek_attention needs scores in f32, but 'u' is bf16[B, 3, N] | cast(u, f32) converts them");
  CHECK(errorOf("sparsek_attention",
                {pos(k), pos(k), pos(tensor(f32, {B, 3, M, D})), pos(u), named("topk", integer(2))}) ==
        "sparsek_attention needs axis 2 of 'v' to be N as in 'k', but it is M");
  CHECK(errorOf("attention", {pos(k), pos(k), pos(k), named("lse", integer(1))}) ==
        "'lse' must be true or false, known to the compiler, not an int literal");
  CHECK(errorOf("attention", {pos(k), pos(k), pos(k), named("window", integer(4))}) ==
        "attention with a window must be causal | add causal = true");
  CHECK(errorOf("sparsek", {pos(u), pos(integer(0))}) == "sparsek needs k above 0, not 0");
  CHECK(errorOf("attention", {pos(k), pos(k), pos(k), named("segments", tensor(f32, {N}))}) ==
        "attention needs 'segments' of type i32[S + 1], the offsets of S sequences, but it is f32[N]");
  CHECK(
      errorOf("sparsek_threshold",
              {pos(u), named("topk", integer(2)), named("segments", tensor(ElementType::I64, {N}))}) ==
      "sparsek_threshold needs 'segments' of type i32[S + 1], the offsets of S sequences, but it is i64[N] | "
      "cast(x, i32) converts them");
  CHECK(errorOf("sparsek_attention", {pos(k), pos(k), pos(k), pos(u), named("topk", integer(2)),
                                      named("segments", tensor(i32, {}))}) ==
        "sparsek_attention needs 'segments' of type i32[S + 1], the offsets of S sequences, but it is i32");
  CHECK(errorOf("attention", {pos(k), pos(tensor(f32, {B, 3, M, D})), pos(tensor(f32, {B, 3, M, D})),
                              named("segments", tensor(i32, {N}))}) ==
        "attention needs axis 2 of 'k' to be N as in 'q', but it is M");
}

TEST_CASE("caches that do not fit") {
  auto cacheOf = [](std::vector<Argument> args) { return errorOf("sparsek_cache", std::move(args)); };
  CHECK(cacheOf({pos(typeOf(Type::tensor(f32, {B, N, D}))), named("topk", integer(2))}) ==
        "sparsek_cache needs a type such as f32[B, H, E, V]: batch, key-value heads, width of keys and of "
        "values; "
        "not f32[B, N, D]");
  Value type = typeOf(Type::tensor(f32, {B, 2, D, D}));
  CHECK(cacheOf({pos(type), named("topk", integer(0))}) ==
        "sparsek_cache attends to nothing: topk and window are both 0 | topk = 0 with a window is "
        "sliding-window "
        "attention");
  CHECK(cacheOf({pos(type), named("topk", integer(9)), named("capacity", integer(8))}) ==
        "a cache for topk = 9 needs a capacity of at least 9 live scores, not 8");
  CHECK(cacheOf({pos(type), named("topk", integer(9)), named("gate", text("all"))}) ==
        "'gate' must be \"both\", \"value\" or \"none\", not \"all\"");
  CHECK(cacheOf({pos(type), named("topk", integer(9)), named("scale", tensor(f32, {B}))}) ==
        "sparsek_cache needs a scalar for 'scale', not f32[B]");

  Harness harness(false);
  Value cache = harness.input(harness.cacheType(f32, {B, 2, D, 6, 5, 3, 64}));
  Value q = tensor(f32, {B, 4, D}), k = tensor(f32, {B, 2, D}), v = tensor(f32, {B, 2, 6}),
        u = tensor(f32, {B, 2});
  auto decode = [&](Value q, Value k, Value v, Value u, Value cache) {
    return errorOf("sparsek_decode", {pos(q), pos(k), pos(v), pos(u), pos(cache)});
  };
  CHECK(
      decode(q, k, v, u, k) ==
      "sparsek_decode needs a SparseKCache for 'cache', not f32[B, 2, D] | sparsek_cache makes an empty one, "
      "sparsek_prefill one that holds a prompt");
  CHECK(decode(tensor(f32, {B, 4, N, D}), k, v, u, cache) ==
        "sparsek_decode needs 'q' of shape [B, Hq, E], not f32[B, 4, N, D]");
  CHECK(
      decode(q, tensor(bf16, {B, 2, D}), v, u, cache) ==
      "sparsek_decode needs 'k' in f32 as in the cache, but it is bf16[B, 2, D] | cast(x, f32) converts it");
  CHECK(decode(q, tensor(f32, {B, 1, D}), v, u, cache) ==
        "sparsek_decode needs axis 1 of 'k' to be 2 as in the cache, but it is 1");
  CHECK(decode(q, k, tensor(f32, {B, 2, D}), u, cache) ==
        "sparsek_decode needs axis 2 of 'v' to be 6 as in the cache, but it is D");
  CHECK(decode(tensor(f32, {B, 3, D}), k, v, u, cache) ==
        "sparsek_decode shares each key-value head among equally many query heads, but 2 key-value heads do "
        "not "
        "divide 3 query heads");
  CHECK(decode(q, k, v, tensor(bf16, {B, 2}), cache) ==
        "sparsek_decode needs scores in f32, but 'u' is bf16[B, 2] | cast(u, f32) converts them");
  CHECK(errorOf("sparsek_decode",
                {pos(q), pos(k), pos(v), pos(u), pos(cache), named("active", tensor(i32, {B}))}) ==
        "sparsek_decode needs bool[B] for 'active', not i32[B]");

  Value qs = tensor(f32, {B, 4, N, D}), ks = tensor(f32, {B, 2, N, D}), vs = tensor(f32, {B, 2, N, 6}),
        us = tensor(f32, {B, 2, N});
  auto prefill = [&](std::vector<Argument> more, Value u) {
    std::vector<Argument> args = {pos(qs), pos(ks), pos(vs), pos(u)};
    args.insert(args.end(), more.begin(), more.end());
    return errorOf("sparsek_prefill", args);
  };
  CHECK(prefill({}, us) ==
        "sparsek_prefill is called without its argument 'topk' | give the options of a new cache, "
        "or one that exists as 'cache'");
  CHECK(prefill({named("topk", integer(5)), named("cache", cache)}, us) ==
        "'topk' cannot be given with a cache, which has its own");
  CHECK(prefill({named("topk", integer(5)), named("lengths", tensor(i32, {N}))}, us) ==
        "sparsek_prefill needs one length for each of B rows, but 'lengths' is i32[N]");
  CHECK(prefill({named("topk", integer(5))}, tensor(f32, {B, 2, M})) ==
        "sparsek_prefill needs axis 2 of 'u' to be N as in 'k', but it is M");
  CHECK(prefill({named("cache", cache)}, tensor(f32, {B, 2, M})) ==
        "sparsek_prefill needs axis 2 of 'u' to be N as in 'k', but it is M");
}
