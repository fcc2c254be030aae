// The interface: arguments, results, precision, errors.

#include "Program.h"

#include <catch2/catch.hpp>

using namespace heddle::interp;

static Array reals(Element element, llvm::ArrayRef<int64_t> shape, std::vector<double> values) {
  return Array::fromBuffer(Element::f64, shape, values.data()).cast(element);
}

static const char *square = R"(
  func.func @f(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xi1>) {
    %y = heddle.mul %x, %x : tensor<2xf32>
    %c = heddle.compare lt %x, %y : tensor<2xf32>
    return %y, %c : tensor<2xf32>, tensor<2xi1>
  })";

TEST_CASE("arguments go in and results come out in order", "[interpret]") {
  auto results = Program(square).run({reals(Element::f32, {2}, {0.5, 3})});
  REQUIRE(results.size() == 2);
  CHECK(results[0].typeString() == "f32[2]");
  CHECK(results[0].str() == "[0.25, 9]");
  CHECK(results[1].str() == "[false, true]");
}

TEST_CASE("f64 precision takes and gives f64", "[interpret]") {
  double third = 1.0 / 3;
  auto rounded = Program(square).run({reals(Element::f32, {2}, {third, 1})});
  CHECK(rounded[0].real(0) == static_cast<float>(static_cast<double>(float(third)) * float(third)));
  for (Element given : {Element::f64, Element::f32}) {
    Array x = reals(given, {2}, {third, 1});
    auto exact = Program(square).run({x}, true);
    CHECK(exact[0].element() == Element::f64);
    CHECK(exact[0].real(0) == x.real(0) * x.real(0));
  }
}

TEST_CASE("arguments that do not fit are refused", "[interpret]") {
  Program program(square);
  CHECK(program.error({}) == "program.mlir:2:3: error: @f takes 1 arguments, not 0");
  CHECK(program.error({}, "g") == "program.mlir: error: there is no function @g");
  CHECK(program.error({reals(Element::f32, {3}, {1, 2, 3})}) ==
        "program.mlir:2:3: error: argument 0 of @f has shape 3, not 2");
  CHECK(program.error({reals(Element::f32, {}, {1})}) ==
        "program.mlir:2:3: error: argument 0 of @f has shape scalar, not 2");
  CHECK(program.error({reals(Element::f64, {2}, {1, 2})}) ==
        "program.mlir:2:3: error: argument 0 of @f has element type f64, not f32");
  CHECK(program.error({Array(Element::i32, {2})}, "f", true) ==
        "program.mlir:2:3: error: argument 0 of @f has element type i32, not f32");
}

TEST_CASE("extents may be dynamic", "[interpret]") {
  Program program(R"(
    func.func @f(%x: tensor<?x?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
      %t = heddle.transpose %x permutation [1, 0] : tensor<?x?xf32> -> tensor<?x?xf32>
      %r = heddle.reshape %t : tensor<?x?xf32> -> tensor<?xf32>
      %s = heddle.add %r, %y : tensor<?xf32>
      return %s : tensor<?xf32>
    })");
  Array x = reals(Element::f32, {2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(program.run({x, Array(Element::f32, {6})})[0].str() == "[1, 4, 2, 5, 3, 6]");
  CHECK(program.error({x, Array(Element::f32, {5})}) ==
        "program.mlir:5:12: error: operands have shapes 6 and 5");
}

TEST_CASE("arrays may have as many elements at once as the options say", "[interpret]") {
  Program program(R"(
    func.func @f() -> tensor<10xi32> {
      %i = heddle.iota axis 0 : tensor<10xi32>
      %j = heddle.add %i, %i : tensor<10xi32>
      %k = heddle.add %j, %j : tensor<10xi32>
      return %k : tensor<10xi32>
    })");
  // Values are released after their last use, so that two are held at a time.
  int64_t before = Array::liveElements();
  CHECK(program.run({}, false, before + 20)[0].integer(9) == 36);
  CHECK(program.error({}, "f", false, before + 19) ==
        "program.mlir:4:12: error: an array of shape 10 passes the interpreter's limit of " +
            std::to_string(before + 19) + " elements at once");
  CHECK(Array::liveElements() == before);
}

TEST_CASE("operations of other dialects are errors", "[interpret]") {
  Program program(R"(
    func.func @f() {
      %i = builtin.unrealized_conversion_cast to tensor<f32>
      return
    })");
  CHECK(program.error({}) ==
        "program.mlir:3:12: error: the interpreter does not know builtin.unrealized_conversion_cast");
}
