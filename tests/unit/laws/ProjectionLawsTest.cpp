// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The laws of the projection sparsek(z, k) on random rows, compiled in f32 and interpreted in f64.

#include "Configuration.h"

#include "tests/unit/sparsek/ScoreFamilies.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <rapidcheck/catch.h>

using namespace heddle;
using namespace heddle::laws;

namespace {

const char *const source = R"(
fn project(z: f32[R, M], k: f32) -> f32[R, M] { sparsek(z, k) }

fn reverse(z: f32[R, M], k: f32, cotangent: f32[R, M]) {
  let (p, (dz, dk)) = vjp(project, wrt = (z, k))(z, k, cotangent)
  (p, dz, dk)
}

fn forward(z: f32[R, M], k: f32, dot_z: f32[R, M], dot_k: f32) {
  jvp(project, wrt = (z, k))(z, k, (dot_z, dot_k))
}
)";

int64_t from(int64_t low, int64_t high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<int64_t>(low, high + 1));
}

/// A few lengths, so that few functions are compiled; those around the width of a vector among them.
const std::vector<int64_t> lengths = {1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 64, 100};
constexpr int64_t rows = 3;

struct Rows {
  int64_t length;
  std::vector<Numbers> z;
  double k;
  Shape shape() const { return {rows, length}; }

  Tensor tensor() const { return tensorOf(flat(z), shape(), DType::f32); }
  static Numbers flat(const std::vector<Numbers> &rows) {
    Numbers all;
    for (const Numbers &row : rows)
      all.insert(all.end(), row.begin(), row.end());
    return all;
  }
};

float argument(double x) { return static_cast<float>(x); }

} // namespace

TEST_CASE("Laws of the projection", "[laws]") {
  const Program program = Program::parse(source);
  const FunctionOptions compiled{.device = compiledDevice()};
  Function project = program.function("project", compiled), reverse = program.function("reverse", compiled),
           forward = program.function("forward", compiled);
  const FunctionOptions interpreted{.backend = Backend::Interpreter, .doublePrecision = true};
  Function exactReverse = program.function("reverse", interpreted),
           exactForward = program.function("forward", interpreted);
  rc::prop("sums, ranges, shifts, permutations, derivatives, and the oracle", [&] {
    Rows x;
    x.length = lengths[static_cast<size_t>(from(0, static_cast<int64_t>(lengths.size()) - 1))];
    // Whole, fractional, below one, and more than there is.
    const double whole = static_cast<double>(from(1, x.length + 2)),
                 part = static_cast<double>(from(0, 8)) / 8;
    x.k = std::max(whole - part, 0.125);
    const auto seed = static_cast<uint32_t>(
        *rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<int32_t>())));
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::string names;
    for (int64_t row = 0; row < rows; ++row) {
      const auto families = tests::scoreFamilies(x.length, seed + static_cast<uint32_t>(row));
      const auto &family = families[static_cast<size_t>(from(0, static_cast<int64_t>(families.size()) - 1))];
      x.z.push_back(family.scores);
      names += (row ? ", '" : "'") + family.name + "'";
    }
    RC_LOG() << "m " << x.length << ", k " << x.k << ", scores " << names << ", seed " << seed << "\n";
    const auto m = static_cast<size_t>(x.length);
    const double total = std::min(x.k, static_cast<double>(x.length));

    const Numbers p = numbersOf(project({x.tensor(), argument(x.k)})[0]);
    std::vector<Projection> expected;
    double margin = 1e300;
    for (size_t row = 0; row < rows; ++row) {
      expected.push_back(laws::project(x.z[row], x.k));
      const Projection &oracle = expected.back();
      double sum = 0;
      for (size_t j = 0; j < m; ++j) {
        const double got = p[row * m + j];
        RC_ASSERT(got >= 0);
        RC_ASSERT(got <= 1);
        RC_ASSERT(std::abs(got - oracle.p[j]) <= 1e-6);
        sum += got;
        const double raw =
            (std::clamp(x.z[row][j], -3.4028234663852886e38, 3.4028234663852886e38) - oracle.hi) - oracle.lo;
        for (double kink : {0.0, 1.0})
          if (raw != kink)
            margin = std::min(margin, std::abs(raw - kink));
      }
      RC_ASSERT(std::abs(sum - total) <= 2e-7 * (static_cast<double>(x.length) + total));
    }

    // A permutation of the scores permutes the result, to the rounding of sums.
    std::vector<size_t> order(m);
    std::iota(order.begin(), order.end(), size_t(0));
    std::shuffle(order.begin(), order.end(), random);
    Rows permuted = x;
    for (size_t row = 0; row < rows; ++row)
      for (size_t j = 0; j < m; ++j)
        permuted.z[row][j] = x.z[row][order[j]];
    const Numbers p2 = numbersOf(project({permuted.tensor(), argument(x.k)})[0]);
    for (size_t at = 0; at < p2.size(); ++at)
      RC_ASSERT(std::abs(p2[at] - p[at / m * m + order[at % m]]) <= 1e-6);

    // A shift changes nothing where every sum is exact: scores rounded to eighths, moved by whole numbers.
    Rows grid = x, moved = x;
    for (size_t row = 0; row < rows; ++row)
      for (size_t j = 0; j < m; ++j) {
        grid.z[row][j] = std::round(8 * std::clamp(x.z[row][j], -1000.0, 1000.0)) / 8;
        moved.z[row][j] = grid.z[row][j] + 37 * (static_cast<double>(row) - 1);
      }
    const Numbers still = numbersOf(project({grid.tensor(), argument(x.k)})[0]),
                  shifted = numbersOf(project({moved.tensor(), argument(x.k)})[0]);
    for (size_t at = 0; at < still.size(); ++at)
      RC_ASSERT(std::abs(still[at] - shifted[at]) <= 1e-6);

    // Reverse mode is p' restricted to the support without its mean; forward mode is its transpose.
    Numbers cotangent(rows * m), dotZ(rows * m);
    for (Numbers *numbers : {&cotangent, &dotZ})
      for (double &y : *numbers)
        y = static_cast<float>(normal(random));
    const double dotK = 0.75;
    const Shape shape = x.shape();
    auto gradients = [&](Function &f) {
      auto results = f({x.tensor(), argument(x.k), tensorOf(cotangent, shape, DType::f32)});
      return std::vector{numbersOf(results[1]), numbersOf(results[2])};
    };
    auto tangent = [&](Function &f) {
      auto results = f({x.tensor(), argument(x.k), tensorOf(dotZ, shape, DType::f32), argument(dotK)});
      return numbersOf(results[1]);
    };
    Result dz(rows * m), dk(1);
    for (size_t row = 0; row < rows; ++row) {
      double sum = 0, count = 0;
      auto inside = [&](size_t j) { return expected[row].p[j] > 0 && expected[row].p[j] < 1; };
      for (size_t j = 0; j < m; ++j)
        if (inside(j))
          sum += cotangent[row * m + j], count += 1;
      for (size_t j = 0; j < m; ++j)
        if (inside(j)) {
          dz.value[row * m + j] = cotangent[row * m + j] - sum / count;
          dz.weight[row * m + j] = std::abs(cotangent[row * m + j]) + std::abs(sum / count);
        }
      dk.add(0, count > 0 ? sum / count : 0);
    }
    const std::vector<Numbers> exact = gradients(exactReverse);
    const Numbers exactTangent = tangent(exactForward);
    if (margin > 1e-13) {
      RC_ASSERT(distance(exact[0], dz).excess(1e-11, 1e-14) <= 0);
      RC_ASSERT(distance(exact[1], dk).excess(1e-11, 1e-14) <= 0);
    }
    if (margin > 2e-6) {
      const std::vector<Numbers> native = gradients(reverse);
      RC_ASSERT(distance(native[0], dz).excess(1e-5, 5e-7) <= 0);
      RC_ASSERT(distance(native[1], dk).excess(1e-5, 5e-7) <= 0);
      Result dotP(rows * m);
      dotP.value = exactTangent;
      for (double &weight : dotP.weight)
        weight = 3;
      RC_ASSERT(distance(tangent(forward), dotP).excess(1e-5, 5e-7) <= 0);
    }
    double scale = 0;
    const double left = inner(cotangent, exactTangent, scale);
    const double right = inner(exact[0], dotZ, scale) + exact[1][0] * dotK;
    RC_ASSERT(std::abs(left - right) <= 1e-11 * (scale + std::abs(exact[1][0])));
  });
}
