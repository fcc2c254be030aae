// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The law of generation on random configurations: a prompt of any length, then pieces of any lengths, give
// query by query what attention over the whole sequence gives, and lead to the state that its thresholds say.

#include "CacheCase.h"
#include "ScoreFamilies.h"

using namespace heddle;
using namespace heddle::tests;

namespace {

/// Numbers from a seed; `HEDDLE_LAWS_SEED` and `HEDDLE_LAWS_CASES` choose other and more configurations.
int64_t fromEnvironment(const char *name, int64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::atoll(text) : otherwise;
}

template <heddle_dtype_t Element>
void checkSplit(std::mt19937 &random, double tolerance) {
  auto number = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  CacheSizes s;
  s.batch = number(1, 2);
  s.heads = number(1, 3);
  s.queryHeads = s.heads * number(1, 4);
  s.length = number(1, 90);
  s.width = number(1, 40);
  s.valueWidth = number(1, 40);
  s.topk = number(0, 20);
  s.window = number(s.topk == 0, 20);
  s.capacity = std::max(s.length, s.topk);
  Generation<Element> g(s, static_cast<uint32_t>(number(0, INT32_MAX)));
  g.gate.assign(s.batch, static_cast<int32_t>(number(0, 2)));
  g.hard.assign(s.batch, static_cast<int32_t>(number(0, 1)));
  std::string names;
  for (int64_t row = 0; row < s.batch * s.heads; ++row) {
    std::vector<ScoreFamily> families = scoreFamilies(s.length, static_cast<uint32_t>(number(0, INT32_MAX)));
    const ScoreFamily &family = families[static_cast<size_t>(number(0, int64_t(families.size()) - 1))];
    names += " " + family.name + ",";
    std::copy(family.scores.begin(), family.scores.end(), g.u.begin() + row * s.length);
  }
  INFO("batch " << s.batch << ", heads " << s.queryHeads << " on " << s.heads << ", length " << s.length
                << ", widths " << s.width << " and " << s.valueWidth << ", topk " << s.topk << ", window "
                << s.window << ", gate " << g.gate[0] << ", hard " << g.hard[0] << ", scores" << names);
  WholeRows<Element> whole(g);
  const int64_t prompt = number(0, s.length);
  REQUIRE(g.fill(prompt) == HEDDLE_OK);
  if (prompt > 0 && s.topk > 0)
    whole.checkState(prompt - 1);
  for (int64_t begin = prompt; begin < s.length;) {
    const int64_t end = begin + number(1, std::min<int64_t>(number(0, 2) ? 3 : 40, s.length - begin));
    REQUIRE(g.append(begin, end) == HEDDLE_OK);
    if (s.topk > 0)
      whole.checkState(end - 1);
    begin = end;
  }
  CHECK(whole.error(prompt, s.length) < tolerance);
}

} // namespace

TEST_CASE("Any split of a sequence equals attention over the whole", "[cache][laws]") {
  const int64_t cases = fromEnvironment("HEDDLE_LAWS_CASES", 240);
  for (int64_t i = 0; i < cases; ++i) {
    const int64_t seed = fromEnvironment("HEDDLE_LAWS_SEED", 20240623) + i;
    INFO("seed " << seed);
    std::mt19937 random(static_cast<uint32_t>(seed));
    // Relative to values of size 1: what f32 arithmetic loses over up to 40 products, and the rounding of the
    // outputs.
    if (i % 8 == 0)
      checkSplit<HEDDLE_F64>(random, 1e-12);
    else if (i % 8 == 1)
      checkSplit<HEDDLE_BF16>(random, 2e-2);
    else if (i % 8 == 2)
      checkSplit<HEDDLE_F16>(random, 3e-3);
    else
      checkSplit<HEDDLE_F32>(random, 3e-5);
  }
}
