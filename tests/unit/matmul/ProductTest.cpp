// Generated products against their definition, for every way through the planner.
#include "tests/unit/matmul/Product.h"
#include <catch2/catch.hpp>
#include <heddle/runtime.h>

using namespace heddle::test;
using heddle::bench::CompiledMatmul;

namespace {

// The psABI levels that this machine can run.
std::vector<int> levels() {
  std::vector<int> result = {2};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    result.push_back(3);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    result.push_back(4);
  return result;
}

std::string describe(const MatmulSpec &s) {
  auto operand = [](const MatmulOperand &op) {
    return std::to_string(int(op.element)) + ":" + std::to_string(op.batchStride) + "," +
           std::to_string(op.rowStride) + "," + std::to_string(op.columnStride);
  };
  return std::to_string(s.batch) + "x" + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
         std::to_string(s.k) + " a " + operand(s.a) + " b " + operand(s.b) + " c " + operand(s.c) +
         (s.accumulate ? " accumulate" : "");
}

// Exact with whole numbers, within the bound with real ones, and equal bits for any threads and chunks.
void verify(const MatmulSpec &spec, int level, int64_t workspaceLimit = int64_t(1) << 30) {
  INFO("level " << level << ", " << describe(spec));
  heddle::bench::CompileOptions options;
  options.target.level = level;
  MatmulTarget target = MatmulTarget::x86Level(level);
  target.workspaceLimit = workspaceLimit;
  CompiledMatmul product(spec, target, 0, options);
  for (bool integers : {true, false}) {
    Problem problem(spec, integers);
    auto run = [&] { product.run(problem.a.data(), problem.b.data(), problem.c.data()); };
    heddle_set_num_threads(1);
    run();
    CHECK(problem.check(integers) == "");
    std::vector<char> once = problem.result();
    heddle_set_num_threads(2);
    problem.reset();
    run();
    CHECK(problem.result() == once);
    problem.reset();
    product.runBackwards(problem.a.data(), problem.b.data(), problem.c.data(), 3);
    CHECK(problem.result() == once);
  }
}

MatmulSpec shape(int64_t m, int64_t n, int64_t k, MatmulElement element = MatmulElement::F32,
                 bool transposeA = false, bool transposeB = false, int64_t batch = 1) {
  return MatmulSpec::contiguous(batch, m, n, k, element, transposeA, transposeB);
}

} // namespace

TEST_CASE("products of odd sizes with either operand transposed") {
  const int64_t sizes[] = {1, 2, 3, 5, 7, 8, 13, 14, 15, 16, 17, 29, 31, 33, 48, 57, 64, 100, 130};
  std::mt19937 random(7);
  auto pick = [&] { return sizes[random() % std::size(sizes)]; };
  for (int level : levels())
    for (int i = 0; i < 18; ++i) {
      MatmulSpec spec = shape(pick(), pick(), pick(), MatmulElement::F32, i & 1, i & 2);
      spec.accumulate = i % 3 == 0;
      verify(spec, level);
    }
}

TEST_CASE("products longer than one k block") {
  for (int level : levels())
    for (bool transposed : {false, true}) {
      MatmulSpec spec = shape(61, 83, 1501, MatmulElement::F32, transposed, transposed);
      verify(spec, level);
      spec.accumulate = true;
      verify(spec, level);
      // Partial sums wait in the workspace, since C cannot hold them.
      verify(shape(61, 83, 1501, MatmulElement::BF16, transposed, transposed), level);
    }
}

TEST_CASE("packing by the tasks, and of a distant transposed A") {
  for (int level : levels())
    for (bool transposed : {false, true}) {
      verify(shape(203, 300, 301, MatmulElement::F32, false, transposed), level, 0);
      verify(shape(150, 300, 1501, MatmulElement::BF16, transposed, transposed), level, 0);
      verify(shape(1031, 70, 37, MatmulElement::F32, true, transposed), level);
    }
}

TEST_CASE("vectors times matrices") {
  for (int level : levels())
    for (bool transposed : {false, true})
      for (MatmulElement element : {MatmulElement::F32, MatmulElement::F64, MatmulElement::BF16}) {
        verify(shape(1, 203, 150, element, false, transposed), level);
        verify(shape(203, 1, 150, element, transposed, false), level);
        verify(shape(1, 1, 777, element, transposed, transposed), level);
        verify(shape(1, 203, 77, element, false, transposed, 3), level);
      }
}

TEST_CASE("batches, also with a shared operand") {
  for (int level : levels()) {
    verify(shape(17, 19, 23, MatmulElement::F32, false, false, 5), level);
    verify(shape(64, 65, 64, MatmulElement::F32, false, true, 3), level);
    verify(shape(40, 70, 33, MatmulElement::F32, true, false, 2), level);
    MatmulSpec sharedB = shape(9, 40, 33, MatmulElement::F32, false, false, 4);
    sharedB.b.batchStride = 0;
    verify(sharedB, level); // becomes one product of 36 rows
    sharedB.a = {MatmulElement::F32, 9 * 33, 1, 9};
    verify(sharedB, level); // cannot: A is transposed
    MatmulSpec sharedA = shape(50, 40, 33, MatmulElement::F32, false, true, 4);
    sharedA.a.batchStride = 0;
    verify(sharedA, level);
  }
}

TEST_CASE("f64, bf16, f16 and mixed elements") {
  for (int level : levels()) {
    for (MatmulElement element : {MatmulElement::F64, MatmulElement::BF16, MatmulElement::F16})
      for (int transposes = 0; transposes < 4; ++transposes) {
        MatmulSpec spec = shape(37, 45, 50 + transposes, element, transposes & 1, transposes & 2);
        spec.accumulate = transposes == 3;
        verify(spec, level);
      }
    MatmulSpec mixed = shape(33, 34, 35, MatmulElement::BF16);
    mixed.c.element = MatmulElement::F32;
    verify(mixed, level);
    mixed.b.element = MatmulElement::F32;
    mixed.c.element = MatmulElement::F16;
    verify(mixed, level);
  }
}

TEST_CASE("general strides; the gaps of C keep their values") {
  for (int level : levels()) {
    MatmulSpec spec = shape(20, 37, 41);
    spec.a = {MatmulElement::F32, 0, 45 * 3, 3};
    spec.b = {MatmulElement::F32, 0, 80, 2};
    spec.c = {MatmulElement::F32, 0, 50, 1};
    verify(spec, level);
    spec.c = {MatmulElement::F32, 0, 1, 21}; // C transposed
    verify(spec, level);
    MatmulSpec column = shape(20, 1, 41);
    column.c.rowStride = 7;
    verify(column, level);
    column.b.rowStride = 5; // the vector has gaps as well
    verify(column, level);
    MatmulSpec row = shape(1, 20, 41);
    row.a.columnStride = 3;
    verify(row, level);
  }
}

TEST_CASE("empty sizes") {
  MatmulTarget target = MatmulTarget::x86Level(2);
  CHECK(planMatmul(shape(0, 3, 4), target).phases.empty());
  CHECK(planMatmul(shape(3, 0, 4), target).phases.empty());
  CHECK(planMatmul(shape(3, 4, 5, MatmulElement::F32, false, false, 0), target).phases.empty());
  MatmulSpec nothing = shape(3, 4, 0);
  nothing.accumulate = true;
  CHECK(planMatmul(nothing, target).phases.empty());
  nothing.accumulate = false;
  verify(nothing, 2); // C becomes zero
  nothing.c.element = MatmulElement::BF16;
  verify(nothing, 2);
}

TEST_CASE("every f16 widens exactly") {
  for (int level : levels()) {
    MatmulSpec spec = shape(65536, 1, 1, MatmulElement::F16);
    spec.c.element = MatmulElement::F32;
    heddle::bench::CompileOptions options;
    options.target.level = level;
    CompiledMatmul product(spec, MatmulTarget::x86Level(level), 0, options);
    std::vector<uint16_t> a(65536);
    for (size_t i = 0; i < a.size(); ++i)
      a[i] = uint16_t(i);
    uint16_t one = 0x3c00;
    std::vector<float> c(65536);
    product.run(a.data(), &one, c.data());
    for (size_t i = 0; i < a.size(); ++i) {
      _Float16 half;
      std::memcpy(&half, &a[i], 2);
      float want = float(half) + 0.0f;
      INFO("level " << level << ", bits " << i << ": " << c[i] << " instead of " << want);
      REQUIRE((std::isnan(want) ? std::isnan(c[i]) : c[i] == want));
    }
  }
}

TEST_CASE("narrowing rounds to nearest even and keeps NaN") {
  constexpr int64_t count = 1 << 16;
  std::vector<float> a(count);
  std::mt19937 random(3);
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits = random();
    if (i % 4 == 1) // around the range of f16, with many ties
      bits = (bits & 0x8000ffff & (i % 8 == 1 ? 0xffff0000 : 0xffffffff)) |
             (0x33000000 + (random() % 0x15000000 & ~0xfffu));
    std::memcpy(&a[i], &bits, 4);
  }
  float one = 1;
  for (int level : levels())
    for (MatmulElement element : {MatmulElement::BF16, MatmulElement::F16}) {
      MatmulSpec spec = shape(count, 1, 1);
      spec.c = {element, 0, 1, 1};
      heddle::bench::CompileOptions options;
      options.target.level = level;
      CompiledMatmul product(spec, MatmulTarget::x86Level(level), 0, options);
      std::vector<uint16_t> c(count), want(count);
      product.run(a.data(), &one, c.data());
      for (int64_t i = 0; i < count; ++i) {
        writeElement(reinterpret_cast<char *>(want.data()), element, i, double(a[i]));
        double got = readElement(reinterpret_cast<char *>(c.data()), element, i);
        INFO("level " << level << ", element " << int(element) << ", " << a[i] << " gave bits " << c[i]
                      << " instead of " << want[i]);
        REQUIRE((std::isnan(a[i]) ? std::isnan(got) : c[i] == want[i] || (a[i] == 0 && got == 0)));
      }
    }
}
