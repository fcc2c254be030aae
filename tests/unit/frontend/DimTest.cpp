#include "compiler/frontend/Dim.h"
#include <catch2/catch.hpp>

using namespace heddle::frontend;

static const Dim N = Dim::variable("N"), H = Dim::variable("H"), E = Dim::variable("E"),
                 G = Dim::variable("G");

TEST_CASE("dimensions are equal as polynomials, in any order of writing") {
  CHECK(H * E == E * H);
  CHECK((N + 1) * (N - Dim(1)) == N * N - Dim(1));
  CHECK(N + 1 != N);
  CHECK(H * E != H);
  CHECK(N - N == Dim(0));
  CHECK(Dim(3) * Dim(4) == Dim(12));
}

TEST_CASE("dimensions print in the order of writing") {
  CHECK((H * E).str() == "H * E");
  CHECK((E * H).str() == "E * H");
  CHECK((N + 1).str() == "N + 1");
  CHECK((N - Dim(1)).str() == "N - 1");
  CHECK((N + N).str() == "2 * N");
  CHECK((N * N).str() == "N * N");
  CHECK((-N).str() == "-N");
  CHECK((Dim(2) - N * 3).str() == "2 - 3 * N");
  CHECK(Dim().str() == "0");
  CHECK(Dim(-7).str() == "-7");
  CHECK(Dim::divide(H * E, G)->str() == "H * E / G");
  CHECK(Dim::divide(N - Dim(1), 2)->str() == "(N - 1) / 2");
  CHECK(Dim::divide(N, G * 2)->str() == "N / (2 * G)");
}

TEST_CASE("division is exact or refused") {
  CHECK(*Dim::divide(12, 4) == Dim(3));
  CHECK(!Dim::divide(7, 2));
  CHECK(!Dim::divide(N, 0));
  CHECK(!Dim::divide(N * 2 + 1, 2));
  CHECK(*Dim::divide(H * E, E) == H);
  CHECK(*Dim::divide(N * N - Dim(1), N + 1) == N - Dim(1));
  CHECK(*Dim::divide(-N, -G) == *Dim::divide(N, G));
  Dim quotient = *Dim::divide(H, G);
  CHECK(quotient * G == H);
  CHECK(*Dim::divide(quotient, E) == *Dim::divide(H, G * E));
  CHECK(*Dim::divide(N, 2) + *Dim::divide(N, 2) == N);
}

TEST_CASE("dimensions are ordered where all values of the variables agree") {
  CHECK((N + 1).compare(N) == 1);
  CHECK(N.compare(N + 2) == -1);
  CHECK(N.compare(N) == 0);
  CHECK(!N.compare(3));
  CHECK(!N.compare(H));
  CHECK(!N.compare(0)); // N may be 0
  CHECK((N + H + 1).compare(H) == 1);
  CHECK(N.provablyAtLeast(0));
  CHECK(!N.provablyAtLeast(1));
}

TEST_CASE("substitution evaluates and checks divisions") {
  Dim dim = *Dim::divide(H * E, G) + 1;
  CHECK(*dim.substitute({{"H", 6}, {"E", 4}, {"G", 3}}) == Dim(9));
  CHECK(!dim.substitute({{"H", 7}, {"E", 4}, {"G", 3}}));
  CHECK(!dim.substitute({{"G", 0}}));
  CHECK(*dim.substitute({{"H", G * 2}}) == E * 2 + 1);
  CHECK(*N.substitute({{"N", N + 1}}) == N + 1);
}

TEST_CASE("a linear unknown is solved for") {
  CHECK(*(N + 1).solveFor("N", 33) == Dim(32));
  CHECK(*(H * E).solveFor("H", 24)->substitute({{"E", 6}}) == Dim(4));
  CHECK(*(N * 2).solveFor("N", 8) == Dim(4));
  CHECK(!(N * 2).solveFor("N", 7));
  CHECK(*Dim::divide(N, 2)->solveFor("N", 8) == Dim(16));
  CHECK(*N.solveFor("N", H + 1) == H + 1);
  CHECK(!(N * N).solveFor("N", 9));
  CHECK(!Dim(3).solveFor("N", 3));
  CHECK(!Dim::apply(DimFunction::CeilDiv, N, 2).solveFor("N", 3));
}

TEST_CASE("integer functions stay unknown until their operands are known") {
  Dim half = Dim::apply(DimFunction::CeilDiv, N, 2);
  CHECK(half.str() == "ceil(N / 2)");
  CHECK(*half.substitute({{"N", 5}}) == Dim(3));
  CHECK(*half.substitute({{"N", H * 2}}) == H);
  CHECK(half == Dim::apply(DimFunction::CeilDiv, N, 2));
  CHECK(half != Dim::apply(DimFunction::CeilDiv, N, 3));
  CHECK(half.variables() == std::vector<std::string>{"N"});

  CHECK(Dim::apply(DimFunction::CeilDiv, -7, 2) == Dim(-3));
  CHECK(Dim::apply(DimFunction::FloorDiv, -7, 2) == Dim(-4));
  CHECK(Dim::apply(DimFunction::Mod, -7, 3) == Dim(2));
  CHECK(Dim::apply(DimFunction::Mod, N * 4, 2) == Dim(0));
  CHECK(Dim::apply(DimFunction::Mod, N, 3).str() == "N % 3");
  CHECK((Dim::apply(DimFunction::Mod, N, 3) * 2).str() == "2 * (N % 3)");
  CHECK(Dim::apply(DimFunction::Max, N, N + 1) == N + 1);
  CHECK(Dim::apply(DimFunction::Min, N, H).str() == "min(N, H)");
  CHECK(Dim::apply(DimFunction::Min, 3, 5) == Dim(3));
  CHECK(!Dim::apply(DimFunction::Mod, 3, 0).isConstant());
}

TEST_CASE("arithmetic saturates") {
  Dim big(INT64_MAX);
  CHECK((big + 1) == big);
  CHECK((big * 2) == big);
  CHECK((big * -2) == -big);
  CHECK(Dim(INT64_MIN) == -big);
  CHECK(*Dim::divide(INT64_MIN, -1) == big);
}
