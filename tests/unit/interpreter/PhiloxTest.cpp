// The generator against the vectors its authors published with Random123.

#include "compiler/interpreter/Philox.h"

#include <catch2/catch.hpp>

using heddle::interp::philox;
using heddle::interp::PhiloxBlock;

TEST_CASE("Philox 4x32-10 gives the published words", "[philox]") {
  CHECK(philox({0, 0, 0, 0}, 0, 0) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u) ==
        PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
        PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a 64-bit key is its low and its high word", "[philox]") {
  CHECK(philox({1, 2, 3, 4}, uint64_t(0x0123456789abcdef)) == philox({1, 2, 3, 4}, 0x89abcdef, 0x01234567));
}
