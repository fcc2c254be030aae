// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Rows of scores that are hard for a selection: ties, grids, drifts, jumps, magnitudes, infinities.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace heddle::tests {

struct ScoreFamily {
  std::string name;
  std::vector<double> scores; ///< each one representable in f32
};

inline std::vector<ScoreFamily> scoreFamilies(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  auto uniform = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  std::vector<ScoreFamily> families;
  auto add = [&](const char *name, auto score) {
    ScoreFamily family{name, {}};
    for (int64_t j = 0; j < n; ++j)
      family.scores.push_back(static_cast<float>(score(static_cast<double>(j))));
    families.push_back(std::move(family));
  };
  const double infinity = std::numeric_limits<double>::infinity();
  add("normal", [&](double) { return normal(random); });
  add("narrow", [&](double) { return 0.02 * normal(random); });
  add("wide", [&](double) { return 20 * normal(random); });
  add("tiny", [&](double) { return 1e-6 * normal(random); });
  add("constant", [&](double) { return 0.37; });
  add("ascending", [&](double j) { return -3 + 8 * j / static_cast<double>(n); });
  add("ascending by 1.5", [&](double j) { return 1.5 * j; });
  add("ascending by 1", [&](double j) { return j; });
  add("descending", [&](double j) { return 5 - 8 * j / static_cast<double>(n); });
  add("descending by 1", [&](double j) { return -j; });
  add("integers", [&](double) { return std::round(2 * normal(random)); });
  add("zero or one", [&](double) { return uniform(0, 1); });
  add("halves", [&](double) { return std::round(2 * normal(random)) / 2; });
  add("tenths", [&](double) { return uniform(-30, 30) * 0.1; });
  add("saw of tenths", [&](double j) { return std::fmod(j, 37) * 0.1; });
  add("blocks", [&](double j) { return std::fmod(j, 16) == 0 ? 10 * normal(random) : 3; });
  add("rising blocks", [&](double j) { return 10 * std::floor(j / 16) + 0.01 * normal(random); });
  add("magnitudes", [&](double) { return normal(random) * std::pow(10, uniform(-20, 20)); });
  add("1e30 or -1e-30", [&](double) { return uniform(0, 1) ? 1e30 : -1e-30; });
  add("drift up", [&](double j) { return 0.01 * j + normal(random); });
  add("drift down", [&](double j) { return -0.01 * j + normal(random); });
  add("jump", [&](double j) { return (j < static_cast<double>(n) / 2 ? -1e6 : 0) + 0.3 * normal(random); });
  add("infinities", [&](double) {
    int choice = uniform(0, 9);
    return choice == 0 ? infinity : choice == 1 ? -infinity : normal(random);
  });
  add("mostly -infinity", [&](double) { return uniform(0, 7) ? -infinity : normal(random); });
  return families;
}

} // namespace heddle::tests
