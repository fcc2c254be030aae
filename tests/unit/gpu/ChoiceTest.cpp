// Choices as text.
#include "compiler/conversion/GPU/Choice.h"

#include <catch2/catch.hpp>

using heddle::gpu::Choice;

TEST_CASE("choices are read as they are written") {
  const Choice choice = {{"stages", 2}, {"block", 64}};
  CHECK(choice.str() == "block=64 stages=2");
  CHECK(Choice::parse(choice.str()) == choice);
  CHECK(choice["block"] == 64);
  CHECK(choice["chunk"] == std::nullopt);
  CHECK(Choice().str() == "");
  CHECK(Choice::parse("") == Choice());
  CHECK(Choice::parse("  a=-1   b=0 ")->str() == "a=-1 b=0");
  for (const char *text : {"a", "=1", "a=", "a=x", "a=1b", "a=1 b", "a=99999999999999999999"})
    CHECK(Choice::parse(text) == std::nullopt);
}
