// The kernels of dense products become PTX that ptxas keeps in registers, and plans are what they should be.

#include "DeviceProduct.h"

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace heddle;
using namespace heddle::tests;

namespace {

/// What `ptxas -v` says of PTX; nothing where it is not installed.
std::string assemblerLog(const std::string &ptx, const std::string &chip) {
  const std::string assembler = gpu::findAssembler();
  if (assembler.empty())
    return "";
  const auto folder = std::filesystem::temp_directory_path();
  const std::string base = (folder / ("heddle-product-" + std::to_string(getpid()))).string();
  std::ofstream(base + ".ptx") << ptx;
  if (const char *keep = std::getenv("HEDDLE_KEEP_PTX"))
    std::ofstream(std::string(keep) + "/product.ptx") << ptx;
  const std::string command =
      assembler + " -v -arch=" + chip + " " + base + ".ptx -o " + base + ".cubin > " + base + ".log 2>&1";
  const int status = std::system(command.c_str());
  std::ifstream stream(base + ".log");
  std::string log(std::istreambuf_iterator<char>(stream), {});
  CHECK(status == 0);
  for (const char *suffix : {".ptx", ".cubin", ".log"})
    std::filesystem::remove(base + suffix);
  return log;
}

template <typename T>
void checkRegisters(int64_t m, int64_t n, int64_t k, bool transposeA, bool transposeB,
                    const std::string &chip, bool tf32 = false) {
  DeviceProduct<T> product(0, m, n, k, transposeA, transposeB);
  product.spec.batch = 1;
  product.spec.tf32 = tf32;
  gpu::StepBuilder steps(product.device.module(), product.device.loc(), "product");
  gpu::emitProduct(steps, product.spec);
  const std::string ptx = product.device.ptx(chip);
  CHECK((ptx.find("mma.sync") != std::string::npos) == product.spec.usesTensorCores());
  const std::string log = assemblerLog(ptx, chip);
  INFO(m << " x " << n << " x " << k << " " << transposeA << transposeB << " " << chip << "\n" << log);
  // ptxas may round registers down for one more block of threads.
  const std::string words = " bytes spill stores";
  int64_t spilled = 0;
  for (size_t at = log.find(words); at != std::string::npos; at = log.find(words, at + 1))
    spilled += std::atoll(log.c_str() + log.rfind(' ', at - 1));
  CHECK(spilled <= 8);
  if (std::getenv("HEDDLE_PRINT_ASSEMBLER"))
    WARN(m << " x " << n << " x " << k << " " << transposeA << transposeB << " " << chip << "\n" << log);
}

} // namespace

TEST_CASE("the kernels of products assemble without spills", "[gpu][products]") {
  for (const char *chip : {"sm_80", "sm_90a", "sm_100a"}) {
    checkRegisters<BF16>(4096, 4096, 4096, false, false, chip);
    checkRegisters<F16>(4096, 4096, 4096, true, true, chip);
    checkRegisters<BF16>(4097, 4095, 4093, false, true, chip);
    checkRegisters<float>(4096, 4096, 4096, false, false, chip);
    checkRegisters<float>(4096, 4096, 4096, true, true, chip, /*tf32=*/true);
    checkRegisters<double>(1000, 1000, 1000, false, true, chip);
  }
  checkRegisters<BF16>(768, 768, 32768, true, false, "sm_90a");
  checkRegisters<float>(4097, 4095, 4093, true, false, "sm_90a");
  checkRegisters<float>(4096, 4096, 4096, false, true, "sm_90a", /*tf32=*/true);
  checkRegisters<int32_t>(512, 512, 512, false, false, "sm_90a");
}

TEST_CASE("plans of products", "[gpu][products]") {
  test::DeviceHarness device;
  auto plan = [&](mlir::Type element, int64_t m, int64_t n, int64_t k) {
    gpu::ProductSpec spec;
    spec.element = spec.out = element;
    spec.m = m;
    spec.n = n;
    spec.k = k;
    return gpu::planProduct(spec);
  };
  const gpu::ProductPlan large = plan(device.bf16, 4096, 4096, 4096);
  CHECK(large.tileRows == 128);
  CHECK(large.tileColumns == 128);
  CHECK(large.splits == 1);
  // Few tiles and a long sum: a gradient of weights.
  const gpu::ProductPlan skinny = plan(device.bf16, 768, 768, 32768);
  CHECK(skinny.tiles() * skinny.splits >= 132);
  CHECK(skinny.splits > 1);
  CHECK(skinny.splitDepth % skinny.depth == 0);
  CHECK(skinny.splitDepth * (skinny.splits - 1) < 32768);
  CHECK(skinny.splitDepth * skinny.splits >= 32768);
  // A small one stays in one kernel.
  CHECK(plan(device.f32, 64, 64, 64).splits == 1);
}
