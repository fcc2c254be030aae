// Numbers of each element type, shapes and buffers.

#include "compiler/interpreter/Array.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <limits>

using namespace heddle::interp;

static const double inf = std::numeric_limits<double>::infinity();

TEST_CASE("every bf16 and f16 survives reading, rounding and writing", "[array]") {
  for (Element element : {Element::bf16, Element::f16}) {
    std::vector<uint16_t> bits(65536), back(65536);
    for (size_t i = 0; i < bits.size(); ++i)
      bits[i] = static_cast<uint16_t>(i);
    Array array = Array::fromBuffer(element, {256, 256}, bits.data());
    array.toBuffer(back.data());
    for (size_t i = 0; i < bits.size(); ++i) {
      double value = array.real(static_cast<int64_t>(i));
      if (std::isnan(value)) {
        CHECK(std::isnan(Array::fromBuffer(element, {}, &back[i]).real(0)));
        continue;
      }
      REQUIRE(roundTo(element, value) == value);
      REQUIRE(back[i] == bits[i]);
    }
  }
}

TEST_CASE("rounding goes to the nearest, halves to even", "[array]") {
  CHECK(roundTo(Element::bf16, 1 + 0x1p-8) == 1);
  CHECK(roundTo(Element::bf16, 1 + 0x1p-8 + 0x1p-40) == 1 + 0x1p-7);
  CHECK(roundTo(Element::bf16, 1 + 3 * 0x1p-8) == 1 + 0x1p-6);
  CHECK(roundTo(Element::f16, 65519.999) == 65504);
  CHECK(roundTo(Element::f16, 65520) == inf);
  CHECK(roundTo(Element::f16, -65520) == -inf);
  CHECK(roundTo(Element::f16, 3 * 0x1p-25) == 0x1p-23);
  CHECK(roundTo(Element::f16, 0x1p-25) == 0);
  CHECK(roundTo(Element::f32, 1 + 0x1p-24) == 1);
  CHECK(roundTo(Element::f64, 1.1) == 1.1);
  CHECK(std::isnan(roundTo(Element::bf16, std::nan(""))));
  CHECK(roundTo(Element::bf16, inf) == inf);
  CHECK(std::signbit(roundTo(Element::f16, -1e-30)));
}

TEST_CASE("integers become the nearest float at once", "[array]") {
  int64_t most = std::numeric_limits<int64_t>::max();
  CHECK(realFromInteger(Element::f32, (int64_t(1) << 60) + (int64_t(1) << 36) + 1) == 0x1p60 + 0x1p37);
  CHECK(realFromInteger(Element::bf16, (int64_t(1) << 62) + (int64_t(1) << 54) + 1) == 0x1p62 + 0x1p55);
  CHECK(realFromInteger(Element::bf16, -((int64_t(1) << 62) + (int64_t(1) << 54))) == -0x1p62);
  CHECK(realFromInteger(Element::f16, most) == inf);
  CHECK(realFromInteger(Element::f64, -most - 1) == -0x1p63);
}

TEST_CASE("floats become integers cut toward zero, within range", "[array]") {
  CHECK(integerFromReal(Element::i32, -2.9) == -2);
  CHECK(integerFromReal(Element::i32, 2147483647.5) == 2147483647);
  CHECK(integerFromReal(Element::i32, -1e300) == -2147483648LL);
  CHECK(integerFromReal(Element::i64, 0x1p63) == std::numeric_limits<int64_t>::max());
  CHECK(integerFromReal(Element::i64, -0x1p63) == std::numeric_limits<int64_t>::min());
  CHECK(integerFromReal(Element::i8, std::nan("")) == 0);
  CHECK(integerFromReal(Element::boolean, std::nan("")) == 1);
  CHECK(integerFromReal(Element::boolean, -0.0) == 0);
}

TEST_CASE("buffers of integers and truth values", "[array]") {
  int8_t small[] = {-128, 127};
  Array array = Array::fromBuffer(Element::i8, {2}, small);
  CHECK(array.integer(0) == -128);
  CHECK(array.str() == "[-128, 127]");
  uint8_t truth[] = {0, 1, 255};
  Array booleans = Array::fromBuffer(Element::boolean, {3}, truth);
  uint8_t back[3];
  booleans.toBuffer(back);
  CHECK(std::memcmp(back, "\0\1\1", 3) == 0);
  int64_t wide[] = {std::numeric_limits<int64_t>::min()};
  int64_t again = 0;
  Array::fromBuffer(Element::i64, {}, wide).toBuffer(&again);
  CHECK(again == wide[0]);
}

TEST_CASE("copies share elements until one is changed", "[array]") {
  Array a(Element::i32, {2});
  Array b = a;
  CHECK(a.cells().data() == b.cells().data());
  b.edit()[1].integer = 5;
  CHECK(a.integer(1) == 0);
  CHECK(b.integer(1) == 5);
}

TEST_CASE("counts of shapes", "[array]") {
  CHECK(elementCount({}) == 1);
  CHECK(elementCount({3, 0, 5}) == 0);
  CHECK(elementCount({int64_t(1) << 40, int64_t(1) << 40}) == -1);
  CHECK(elementCount({int64_t(1) << 40, int64_t(1) << 40, 0}) == 0);
  CHECK(rowMajorStrides({2, 3, 4}) == Shape{12, 4, 1});
  CHECK(Array(Element::bf16, {2, 3}).typeString() == "bf16[2, 3]");
  CHECK(Array(Element::boolean, {}).typeString() == "bool");
}

TEST_CASE("printing stops at the limit", "[array]") {
  CHECK(Array(Element::i32, {2, 2}).str() == "[[0, 0], [0, 0]]");
  CHECK(Array(Element::i32, {5}).str(2) == "[0, 0, ...]");
  CHECK(Array(Element::f32, {0}).str() == "[]");
}
