// Generated kernels of dense products: every element is the exact sum, rounded once.

#include "DeviceProduct.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;

namespace {

template <typename T>
void checkSizes(int64_t batch, int64_t m, int64_t n, int64_t k) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true}) {
      DeviceProduct<T> product(batch, m, n, k, transposeA, transposeB);
      product.run();
      INFO(batch << " x " << m << " x " << n << " x " << k << ", transposed " << transposeA << transposeB);
      CHECK(product.wrong() == 0);
    }
}

template <typename T>
void checkTile(int64_t m, int64_t n, int64_t k, int64_t rows, int64_t columns, int64_t parts,
               bool tf32 = false) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true}) {
      DeviceProduct<T> product(1, m, n, k, transposeA, transposeB);
      product.spec.tf32 = tf32;
      product.run(withTile(product.spec, rows, columns, parts));
      INFO(m << " x " << n << " x " << k << " by " << rows << " x " << columns << ", transposed "
             << transposeA << transposeB);
      CHECK(product.wrong() == 0);
    }
}

} // namespace

TEST_CASE("products of 16-bit elements at every alignment of rows", "[device][products]") {
  checkSizes<BF16>(2, 72, 40, 88);
  checkSizes<BF16>(1, 70, 46, 78);
  checkSizes<BF16>(2, 67, 45, 77);
  checkSizes<F16>(1, 65, 128, 136);
  checkSizes<BF16>(1, 1, 96, 200);
  checkSizes<F16>(3, 5, 1, 3);
}

TEST_CASE("products by multiply-adds at every alignment of rows", "[device][products]") {
  checkSizes<float>(2, 68, 44, 36);
  checkSizes<float>(1, 70, 46, 34);
  checkSizes<float>(2, 67, 45, 33);
  checkSizes<double>(2, 66, 40, 34);
  checkSizes<double>(1, 67, 45, 33);
  checkSizes<int32_t>(1, 67, 45, 33);
  checkSizes<int64_t>(1, 34, 20, 18);
  checkSizes<int8_t>(1, 80, 32, 48);
  checkSizes<int8_t>(2, 19, 21, 5);
}

TEST_CASE("products with large tiles", "[device][products]") {
  checkTile<BF16>(200, 136, 136, 128, 128, 1);
  checkTile<F16>(150, 70, 72, 128, 64, 1);
  checkTile<BF16>(70, 150, 72, 64, 128, 1);
  checkTile<float>(132, 140, 40, 128, 128, 1);
  checkTile<float>(131, 139, 19, 128, 128, 1);
}

TEST_CASE("products whose sums are computed in parts", "[device][products]") {
  checkTile<BF16>(72, 40, 700, 64, 64, 4);
  checkTile<BF16>(67, 45, 261, 64, 64, 3);
  checkTile<float>(68, 44, 100, 64, 64, 3);
  checkTile<double>(67, 45, 77, 64, 64, 2);
  checkTile<int32_t>(67, 44, 77, 64, 64, 2);
}

TEST_CASE("products of f32 by tensor cores", "[device][products]") {
  checkTile<float>(72, 40, 76, 64, 64, 1, true);
  checkTile<float>(67, 45, 33, 64, 64, 1, true);
  checkTile<float>(132, 140, 72, 128, 128, 1, true);
  checkTile<float>(70, 66, 264, 64, 64, 2, true);
}

TEST_CASE("what is added to products rounds as on its own", "[device][products]") {
  auto check = [](auto element, int64_t n, int64_t parts, bool bias, bool addend, bool relu) {
    DeviceProduct<decltype(element)> product(2, 67, n, 140, false, true);
    product.finishWith(bias, addend, relu);
    product.run(withTile(product.spec, 64, 64, parts));
    INFO(n << " columns, " << parts << " parts, " << bias << addend << relu);
    CHECK(product.wrong() == 0);
  };
  for (int64_t parts : {1, 2})
    for (int64_t n : {72, 45}) {
      check(BF16(), n, parts, true, true, true);
      check(BF16(), n, parts, false, true, false);
      check(F16(), n, parts, true, false, true);
      check(float(), n, parts, true, true, false);
      check(double(), n, parts, true, true, true);
    }
}

TEST_CASE("relu keeps NaN", "[device][products]") {
  DeviceProduct<float> product(1, 4, 4, 4, false, false);
  product.finishWith(false, false, true);
  product.a[0] = std::nanf("");
  product.run();
  for (int64_t j = 0; j < 4; ++j)
    CHECK(std::isnan(product.c[size_t(j)]));
  CHECK(!std::isnan(product.c[4]));
}

TEST_CASE("TF32 rounds factors to 11 bits", "[device][products]") {
  DeviceProduct<float> product(1, 16, 16, 32, false, true);
  product.spec.tf32 = true;
  auto rounded = [](float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    bits = (bits + 0x1000) & ~0x1fffu;
    std::memcpy(&x, &bits, 4);
    return x;
  };
  for (auto *factor : {&product.a, &product.b})
    for (size_t i = 0; i < factor->size(); ++i)
      (*factor)[i] = std::sin(float(i));
  product.run();
  double worst = 0, error = 0;
  for (int64_t i = 0; i < 16; ++i)
    for (int64_t j = 0; j < 16; ++j) {
      double sum = 0, exact = 0;
      for (int64_t p = 0; p < 32; ++p) {
        sum += double(rounded(float(product.factorA(0, i, p)))) * rounded(float(product.factorB(0, p, j)));
        exact += product.factorA(0, i, p) * product.factorB(0, p, j);
      }
      const double got = product.c[size_t(i * 16 + j)];
      worst = std::max(worst, std::abs(got - sum));
      error = std::max(error, std::abs(got - exact));
    }
  CHECK(worst < 1e-5);
  CHECK(error > 1e-4); // the factors' relative error is up to 2^-11
  CHECK(error < 32 * std::ldexp(1, -10));
}

TEST_CASE("every choice of tiles and parts gives the same", "[device][products][choice]") {
  auto check = [](auto product, std::vector<std::string> expected) {
    std::vector<std::string> plans;
    for (const gpu::Choice &choice : gpu::productCandidates(product.spec)) {
      const gpu::ProductPlan plan = gpu::planProduct(product.spec, choice);
      if (std::find(plans.begin(), plans.end(), plan.taken().str()) != plans.end())
        continue;
      plans.push_back(plan.taken().str());
      CHECK(gpu::planProduct(product.spec, plan.taken()).taken() == plan.taken());
      decltype(product) fresh(1, product.spec.m, product.spec.n, product.spec.k, false, true);
      fresh.run(plan);
      CHECK(fresh.wrong() == 0);
    }
    CHECK(plans == expected);
  };
  check(DeviceProduct<BF16>(1, 72, 40, 1100, false, true),
        {"columns=64 rows=64 splits=5", "columns=128 rows=128 splits=5", "columns=128 rows=128 splits=1",
         "columns=64 rows=128 splits=5", "columns=64 rows=128 splits=1", "columns=128 rows=64 splits=5",
         "columns=128 rows=64 splits=1", "columns=64 rows=64 splits=1"});
  check(DeviceProduct<float>(1, 70, 46, 300, false, true),
        {"columns=64 rows=64 splits=5", "columns=128 rows=128 splits=5", "columns=128 rows=128 splits=1",
         "columns=64 rows=64 splits=1"});
}

TEST_CASE("a choice that is impossible is the model's", "[products][choice]") {
  const DeviceProduct<BF16> product(1, 72, 40, 1100, false, true);
  const gpu::ProductSpec &spec = product.spec;
  const std::string model = gpu::planProduct(spec).taken().str();
  for (const gpu::Choice &choice : {gpu::Choice{{"rows", 7}}, gpu::Choice{{"splits", 0}},
                                    gpu::Choice{{"splits", 1000}}, gpu::Choice{{"unknown", 1}}})
    CHECK(gpu::planProduct(spec, choice).taken().str() == model);
}
