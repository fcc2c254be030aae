// What the planner decides, and the properties that every plan must have.
#include "compiler/conversion/Matmul/Matmul.h"
#include <catch2/catch.hpp>

using namespace heddle::cpu;

TEST_CASE("tiles fit the registers") {
  for (int level : {2, 3, 4}) {
    MatmulTarget target = MatmulTarget::x86Level(level);
    for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 15, 29, 64, 512, 1000}) {
      MatmulPlan plan = planMatmul(MatmulSpec::contiguous(1, m, 500, 64), target);
      INFO("level " << level << ", m " << m << ": " << plan.tileRows << " x " << plan.tileVectors);
      int64_t used = plan.tileRows * plan.tileVectors + plan.tileVectors + 1;
      CHECK(used <= target.vectorRegisters);
      // The panels cover all rows, with heights that differ by at most one.
      CHECK(plan.tallPanels * plan.tileRows + (plan.rowPanels - plan.tallPanels) * (plan.tileRows - 1) == m);
    }
  }
}

TEST_CASE("large products are packed, small and thin ones are not") {
  MatmulTarget target = MatmulTarget::x86Level(3);
  MatmulPlan large = planMatmul(MatmulSpec::contiguous(1, 512, 512, 512), target);
  CHECK(large.sourceA == MatmulSource::Direct);
  CHECK(large.sourceB == MatmulSource::Shared);
  REQUIRE(large.phases.size() == 2);
  CHECK(large.phases[0].suffix == "pack");
  CHECK(large.workspaceBytes == 512 * 512 * 4);
  MatmulPlan thin = planMatmul(MatmulSpec::contiguous(1, 4, 512, 512), target);
  CHECK(thin.sourceB == MatmulSource::Direct);
  CHECK(thin.workspaceBytes == 0);
  MatmulPlan tiny = planMatmul(MatmulSpec::contiguous(1, 8, 8, 8), target);
  CHECK(tiny.sourceA == MatmulSource::Direct);
  CHECK(tiny.sourceB == MatmulSource::Direct);
  CHECK(tiny.phases.back().count == 1);
  MatmulPlan batched = planMatmul(MatmulSpec::contiguous(96, 64, 64, 64), target);
  CHECK(batched.sourceB == MatmulSource::Direct);
  CHECK(batched.phases.back().count == 96);
}

TEST_CASE("B is packed by its only task, and when the workspace is limited") {
  MatmulTarget target = MatmulTarget::x86Level(4);
  MatmulPlan batched =
      planMatmul(MatmulSpec::contiguous(96, 64, 64, 64, MatmulElement::F32, false, true), target);
  CHECK(batched.sourceB == MatmulSource::Local);
  CHECK(batched.workspaceBytes == 0);
  MatmulSpec large = MatmulSpec::contiguous(1, 4096, 32768, 8192);
  CHECK(planMatmul(large, target).sourceB == MatmulSource::Local);
  target.workspaceLimit = int64_t(1) << 30;
  CHECK(planMatmul(large, target).sourceB == MatmulSource::Shared);
  CHECK(planMatmul(large, target).workspaceBytes == int64_t(32768) * 8192 * 4);
}

TEST_CASE("A is packed to convert it or to bring distant elements together") {
  MatmulTarget target = MatmulTarget::x86Level(4);
  auto source = [&](int64_t m, MatmulElement element, bool transposed) {
    return planMatmul(MatmulSpec::contiguous(1, m, 512, 512, element, transposed), target).sourceA;
  };
  CHECK(source(512, MatmulElement::F32, false) == MatmulSource::Direct);
  CHECK(source(512, MatmulElement::BF16, false) == MatmulSource::Local);
  CHECK(source(1023, MatmulElement::F32, true) == MatmulSource::Direct);
  CHECK(source(1024, MatmulElement::F32, true) == MatmulSource::Local);
}

TEST_CASE("the strategy follows the layout") {
  MatmulTarget target = MatmulTarget::x86Level(3);
  CHECK(planMatmul(MatmulSpec::contiguous(1, 1, 64, 64), target).strategy == MatmulStrategy::Tiled);
  CHECK(planMatmul(MatmulSpec::contiguous(1, 1, 64, 64, MatmulElement::F32, false, true), target).strategy ==
        MatmulStrategy::Dot);
  MatmulPlan column = planMatmul(MatmulSpec::contiguous(1, 64, 1, 64), target);
  CHECK(column.strategy == MatmulStrategy::Dot);
  CHECK(column.swapped);
  CHECK(planMatmul(MatmulSpec::contiguous(1, 4, 4, 0), target).strategy == MatmulStrategy::Fill);
}

TEST_CASE("a shared right operand folds batches into rows") {
  MatmulSpec spec = MatmulSpec::contiguous(8, 16, 32, 64);
  spec.b.batchStride = 0;
  MatmulPlan plan = planMatmul(spec, MatmulTarget::x86Level(3));
  CHECK(plan.spec.batch == 1);
  CHECK(plan.spec.m == 128);
}

TEST_CASE("the hint changes the tasks, not the blocks of k") {
  MatmulSpec spec = MatmulSpec::contiguous(1, 1024, 1024, 2048);
  MatmulPlan few = planMatmul(spec, MatmulTarget::x86Level(4), 1);
  MatmulPlan many = planMatmul(spec, MatmulTarget::x86Level(4), 64);
  CHECK(few.phases.back().count < many.phases.back().count);
  CHECK(few.kBlock == many.kBlock);
}

TEST_CASE("copies in the stack stay below half a mebibyte") {
  const int64_t sizes[] = {1, 2, 6, 8, 15, 40, 64, 100, 513, 3000, 100000};
  for (int level : {2, 3, 4})
    for (MatmulElement element : {MatmulElement::F64, MatmulElement::F32, MatmulElement::BF16})
      for (int64_t m : sizes)
        for (int64_t n : sizes)
          for (int64_t k : sizes)
            for (int transposes = 0; transposes < 4; ++transposes) {
              MatmulTarget target = MatmulTarget::x86Level(level);
              target.l2Bytes = level == 4 ? 2 << 20 : 256 << 10;
              MatmulSpec spec = MatmulSpec::contiguous(1, m, n, k, element, transposes & 1, transposes & 2);
              MatmulPlan plan = planMatmul(spec, target);
              int64_t bytes =
                  (plan.stackElementsA + plan.stackElementsB) * matmulElementBytes(plan.accumulator);
              if (bytes > 512 << 10)
                FAIL(m << "x" << n << "x" << k << " transposes " << transposes << " takes " << bytes);
            }
}
