#include "compiler/frontend/Diagnostics.h"

#include <catch2/catch.hpp>
#include <sstream>

using namespace heddle::frontend;

TEST_CASE("positions count code points from 1") {
  Source source("a.heddle", "let ä = 1\n\n  x\n");
  CHECK(source.position(0).line == 1);
  CHECK(source.position(0).column == 1);
  // `ä` takes two bytes and one column.
  CHECK(source.position(7).column == 7);
  CHECK(source.position(13).line == 3);
  CHECK(source.position(14).column == 3);
  CHECK(source.lineAt(14) == "  x");
  CHECK(source.position(1000).line == 4);
}

TEST_CASE("the first byte that is not UTF-8 is found") {
  CHECK(Source("", "plain").invalidByte() == 5);
  CHECK(Source("", "ä€𝄞").invalidByte() == 9);
  CHECK(Source("", "a\xFF").invalidByte() == 1);
  CHECK(Source("", "ab\xC3").invalidByte() == 2);
  CHECK(Source("", "\xC0\x80").invalidByte() == 0);     // overlong
  CHECK(Source("", "\xED\xA0\x80").invalidByte() == 0); // surrogate
  CHECK(Source("", "\xF4\x90\x80\x80").invalidByte() == 0);
}

TEST_CASE("diagnostics print place, line, caret, notes and hints in source order") {
  Source source("m.heddle", "fn f() {\n\tlet ä = ö + x\n}\n");
  Diagnostics diagnostics;
  diagnostics.error({&source, 23, 24}, "second").note({&source, 3, 4}, "the function").hint("do this");
  diagnostics.error({&source, 0, 2}, "first");
  CHECK(diagnostics.str() == "m.heddle:1:1: error: first\n"
                             "  fn f() {\n"
                             "  ^~\n"
                             "m.heddle:2:13: error: second\n"
                             "  \tlet ä = ö + x\n"
                             "  \t           ^\n"
                             "m.heddle:1:4: note: the function\n"
                             "  fn f() {\n"
                             "     ^\n"
                             "hint: do this\n");
}

TEST_CASE("control characters and broken bytes of a line are not printed") {
  Source source("m", "a\x1B[31m\xFF b");
  Diagnostics diagnostics;
  diagnostics.error({&source, 8, 9}, "here");
  CHECK(diagnostics.str() == "m:1:9: error: here\n  a?[31m? b\n          ^\n");
}

TEST_CASE("repeated errors are printed once and long lists are cut") {
  Source source("m", std::string(200, 'x'));
  Diagnostics diagnostics;
  for (uint32_t i = 0; i < 60; ++i)
    diagnostics.error({&source, i, i + 1}, "bad");
  diagnostics.error({&source, 0, 1}, "bad");
  std::string text = diagnostics.str();
  CHECK(text.find("and 10 more errors\n") != std::string::npos);
  CHECK(text.find("m:1:50: error: bad") != std::string::npos);
  CHECK(text.find("m:1:51: error: bad") == std::string::npos);
}

TEST_CASE("long lines are shown around the caret") {
  Source source("m", std::string(5000, 'x') + "!" + std::string(5000, 'y'));
  Diagnostics diagnostics;
  diagnostics.error({&source, 5000, 5001}, "bad");
  std::string text = diagnostics.str();
  CHECK(text.size() < 700);
  CHECK(text.find("...xxx") != std::string::npos);
  CHECK(text.find("yyy...") != std::string::npos);
}

TEST_CASE("contexts are kept innermost first") {
  Source source("m", "abc");
  Diagnostics diagnostics;
  diagnostics.pushContext({&source, 0, 1}, "outer");
  diagnostics.pushContext({&source, 1, 2}, "inner");
  diagnostics.error({&source, 2, 3}, "bad");
  diagnostics.popContext();
  diagnostics.popContext();
  Diagnostic found = diagnostics.sorted().front();
  REQUIRE(found.contexts.size() == 2);
  CHECK(found.contexts[0].message == "inner");
  CHECK(found.contexts[1].message == "outer");
}

TEST_CASE("silenced errors are counted and dropped") {
  Diagnostics diagnostics;
  diagnostics.setSilent(true);
  diagnostics.error(Span(), "no").hint("x");
  diagnostics.setSilent(false);
  CHECK_FALSE(diagnostics.hasErrors());
  CHECK(diagnostics.silencedErrors == 1);
}

TEST_CASE("edit distance and the nearest name") {
  CHECK(editDistance("", "abc") == 3);
  CHECK(editDistance("einsum", "einusm") == 1);
  CHECK(editDistance("softmax", "softmx") == 1);
  CHECK(nearest("sotfmax", {"softmax", "silu"}) == "softmax");
  CHECK(nearest("x", {"y", "z"}) == "");
  CHECK(nearest("Rate", {"rate", "data"}) == "rate");
  CHECK(nearest("quaternion", {"softmax"}) == "");
}
