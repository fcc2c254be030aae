#include "compiler/frontend/Type.h"
#include "compiler/frontend/Value.h"
#include <catch2/catch.hpp>

using namespace heddle::frontend;

static const Dim N = Dim::variable("N"), D = Dim::variable("D"), L = Dim::variable("L");
static const Type matrix = Type::tensor(ElementType::F32, {N, D});

/// struct Block<F>[N, D] { w: F[N, D], gain: f32[D] } with F = bf16
static Type block() {
  return Type::structure(
      nullptr, "Block", {Type::tensor(ElementType::BF16)}, {N, D},
      {{"w", Type::tensor(ElementType::BF16, {N, D})}, {"gain", Type::tensor(ElementType::F32, {D})}});
}

/// struct Model<T>[N, D, L] { blocks: [Block[N, D]; L], out: (f32[N, D], i32) }
static Type model() {
  return Type::structure(
      nullptr, "Model", {}, {N, D, L},
      {{"blocks", Type::stack(block(), L)}, {"out", Type::tuple({matrix, Type::tensor(ElementType::I32)})}});
}

TEST_CASE("types print as the user writes them") {
  CHECK(Type::tensor(ElementType::Bool).str() == "bool");
  CHECK(matrix.str() == "f32[N, D]");
  CHECK(Type::tensor(ElementType::I32, {N + 1, 3}).str() == "i32[N + 1, 3]");
  CHECK(block().str() == "Block<bf16>[N, D]");
  CHECK(Type::stack(block(), L).str() == "[Block<bf16>[N, D]; L]");
  CHECK(Type::tuple({matrix, block()}).str() == "(f32[N, D], Block<bf16>[N, D])");
  CHECK(Type::tuple({matrix}).str() == "(f32[N, D],)");
  CHECK(Type::tuple({}).str() == "()");
  CHECK(Type::intLiteral().str() == "an int literal");
  CHECK(Type::typeValue(matrix).str() == "the type f32[N, D]");
  CHECK(shapeString({N, 2}) == "[N, 2]");
}

TEST_CASE("tensor types are equal when their dimensions are") {
  CHECK(Type::tensor(ElementType::F32, {N * D}) == Type::tensor(ElementType::F32, {D * N}));
  CHECK(matrix != matrix.withElement(ElementType::F16));
  CHECK(matrix != Type::tensor(ElementType::F32, {N}));
  CHECK(block() == block());
  CHECK(model() == model());
  CHECK(block() != *block().substitute({{"N", 3}}));
  CHECK(Type() == Type());
}

TEST_CASE("leaves are named by their path, a stack's with a leading axis") {
  std::vector<Type::Leaf> leaves = model().leaves("p");
  REQUIRE(leaves.size() == 4);
  CHECK(leaves[0].name == "p.blocks.w");
  CHECK(leaves[0].type.str() == "bf16[L, N, D]");
  CHECK(leaves[1].name == "p.blocks.gain");
  CHECK(leaves[1].type.str() == "f32[L, D]");
  CHECK(leaves[2].name == "p.out.0");
  CHECK(leaves[3].name == "p.out.1");
  CHECK(leaves[3].type.str() == "i32");
  CHECK(model().leafCount() == 4);
  CHECK(model().leaves().front().name == "blocks.w");
  CHECK(Type::string().leafCount() == 0);
}

TEST_CASE("substitution reaches every part of a type") {
  std::optional<Type> known = model().substitute({{"N", 4}, {"D", 8}, {"L", 2}});
  REQUIRE(known);
  CHECK(known->str() == "Model[4, 8, 2]");
  CHECK(known->leaves()[0].type.str() == "bf16[2, 4, 8]");
  CHECK(!Type::tensor(ElementType::F32, {*Dim::divide(N, 2)}).substitute({{"N", 3}}));
}

TEST_CASE("element types") {
  CHECK(elementTypeNamed("bf16") == ElementType::BF16);
  CHECK(!elementTypeNamed("int"));
  CHECK(accumulatorOf(ElementType::F16) == ElementType::F32);
  CHECK(accumulatorOf(ElementType::F64) == ElementType::F64);
  CHECK(isFloat(ElementType::F16));
  CHECK(!isFloat(ElementType::I64));
  CHECK(isInteger(ElementType::I8));
  CHECK(!isInteger(ElementType::Bool));
}

TEST_CASE("a field of a stack of structs carries the leading axis") {
  Value stack = Value::ofLeaves(Type::stack(block(), L), {}, {});
  CHECK(stack.field(1, {}).getType().str() == "f32[L, D]");
  Value whole = Value::ofLeaves(model(), {}, {});
  CHECK(whole.field(0, {}).getType().str() == "[Block<bf16>[N, D]; L]");
  Value pair = whole.field(1, {});
  REQUIRE(pair.elements().size() == 2);
  CHECK(pair.elements()[1].getType().str() == "i32");
}

TEST_CASE("a tuple of poisoned values is poisoned") {
  CHECK(Value::tuple({Value::intLiteral(1, {}), Value::error()}, {}).isError());
  CHECK(Value::tuple({Value::intLiteral(1, {}), Value::floatLiteral(0.5, {})}, {}).getType().str() ==
        "(an int literal, a float literal)");
}
