// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The order of lines against the standard library's stable sort, whole and cut off.

#include <heddle/cpu_sort.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace {

/// Three lines of n elements, `inner` apart, with the numbers that come first in each.
template <typename T>
std::vector<int32_t> expectedOrder(const std::vector<T> &x, int64_t n, int64_t limit, int64_t inner,
                                   bool descending) {
  std::vector<int32_t> result(x.size() / static_cast<size_t>(n) * static_cast<size_t>(limit), -1);
  const auto lines = static_cast<int64_t>(x.size()) / n;
  for (int64_t line = 0; line < lines; ++line) {
    auto element = [&](int32_t i) {
      return x[static_cast<size_t>(line / inner * n * inner + line % inner + i * inner)];
    };
    std::vector<int32_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      const T u = element(a), v = element(b);
      if (u != u || v != v)
        return u == u && v != v;
      return descending ? u > v : u < v;
    });
    for (int64_t i = 0; i < limit; ++i)
      result[static_cast<size_t>(line / inner * limit * inner + line % inner + i * inner)] =
          order[static_cast<size_t>(i)];
  }
  return result;
}

template <typename T, typename Draw>
void checkType(int32_t dtype, Draw draw) {
  // Around the sizes where the method changes.
  for (int64_t n : {1, 2, 7, 31, 33, 63, 64, 300, 2047, 2048, 3000})
    for (int64_t limit : {int64_t(0), int64_t(1), int64_t(2), n / 8, n / 3, n - 1, n})
      for (int64_t inner : {1, 3})
        for (bool descending : {false, true}) {
          if (limit > n)
            continue;
          INFO("type " << dtype << ", n " << n << ", limit " << limit << ", inner " << inner
                       << ", descending " << descending);
          std::vector<T> x(static_cast<size_t>(3 * n));
          for (T &value : x)
            value = draw();
          std::vector<int32_t> out(static_cast<size_t>(3 * limit) + 1, -7);
          heddle_call_t call;
          heddle_call_init(&call);
          heddle_call_argsort(&call, dtype, descending, x.data(), out.data(), 0, 3, n, limit, inner);
          REQUIRE(call.status == HEDDLE_OK);
          CHECK(out.back() == -7);
          out.pop_back();
          CHECK(out == expectedOrder(x, n, limit, inner, descending));
        }
}

} // namespace

TEST_CASE("lines are sorted and selected from as by a stable sort") {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  auto choose = [&](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  // Ties, zeros of both signs, infinities and NaN among other numbers.
  auto real = [&]() -> double {
    switch (choose(8)) {
    case 0:
      return choose(2) ? 0.0 : -0.0;
    case 1:
      return choose(2) ? INFINITY : -INFINITY;
    case 2:
      return NAN;
    case 3:
      return choose(3) - 1;
    default:
      return normal(random);
    }
  };
  checkType<double>(HEDDLE_F64, real);
  checkType<float>(HEDDLE_F32, [&] { return static_cast<float>(real()); });
  checkType<int64_t>(HEDDLE_I64, [&] {
    return choose(2) ? choose(5) - 2 : static_cast<int64_t>(random()) << 32 ^ static_cast<int64_t>(random());
  });
  checkType<int32_t>(HEDDLE_I32, [&] { return choose(2) ? choose(5) - 2 : static_cast<int32_t>(random()); });
  checkType<int8_t>(HEDDLE_I8, [&] { return static_cast<int8_t>(random()); });
}

TEST_CASE("lines in any order keep what they must while they are selected from") {
  // Ascending, every element is among the largest so far; descending, none after the first.
  for (int sign : {1, -1}) {
    std::vector<float> x(5000);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(sign) * static_cast<float>(i / 3);
    std::vector<int32_t> out(200);
    heddle_call_t call;
    heddle_call_init(&call);
    heddle_call_argsort(&call, HEDDLE_F32, 1, x.data(), out.data(), 0, 1, 5000, 200, 1);
    CHECK(out == expectedOrder(x, 5000, 200, 1, true));
  }
}

TEST_CASE("narrow floats are sorted by value") {
  // -2, 1, NaN, 0.5, -0 and 0, in bf16 and f16.
  const std::vector<uint16_t> brain{0xc000, 0x3f80, 0x7fc0, 0x3f00, 0x8000, 0};
  const std::vector<uint16_t> half{0xc000, 0x3c00, 0x7e00, 0x3800, 0x8000, 0};
  for (auto [dtype, bits] : {std::pair(HEDDLE_BF16, &brain), std::pair(HEDDLE_F16, &half)}) {
    std::vector<int32_t> up(6), down(4);
    heddle_call_t call;
    heddle_call_init(&call);
    heddle_call_argsort(&call, dtype, 0, bits->data(), up.data(), 0, 1, 6, 6, 1);
    CHECK(up == std::vector<int32_t>{0, 4, 5, 3, 1, 2});
    heddle_call_argsort(&call, dtype, 1, bits->data(), down.data(), 0, 1, 6, 4, 1);
    CHECK(down == std::vector<int32_t>{1, 3, 4, 5});
  }
}
