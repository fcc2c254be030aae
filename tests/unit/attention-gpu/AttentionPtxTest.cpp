// The kernels of attention become PTX that ptxas accepts, in registers up to a width of 128.

#include "AttentionText.h"

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/GPUToPTX/LowerKernels.h"
#include "compiler/conversion/SparseKToGPU/Attention.h"
#include "compiler/pipelines/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace heddle;
using namespace heddle::tests;

namespace {

struct Assembled {
  std::string ptx, log;
  gpu::DeviceProgram program;
};

Assembled assembled(const cpu::AttentionSpec &spec, AttentionPass pass, llvm::StringRef chipName,
                    const gpu::Target &target = {}) {
  mlir::DialectRegistry registry;
  pipelines::registerDialects(registry);
  gpu::registerDeviceDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(attentionText(spec, pass), &context);
  REQUIRE(module);
  mlir::Operation *op = nullptr;
  module->walk([&](mlir::func::FuncOp function) { op = &function.front().front(); });
  mlir::OpBuilder builder = mlir::OpBuilder::atBlockEnd(module->getBody());
  auto kernels = mlir::gpu::GPUModuleOp::create(builder, builder.getUnknownLoc(), "kernels");
  Assembled result;
  result.program = gpu::emitAttention(kernels, op, target, "test");
  REQUIRE(mlir::succeeded(mlir::verify(*module)));
  mlir::PassManager manager(&context);
  gpu::buildKernelPipeline(manager);
  REQUIRE(mlir::succeeded(manager.run(*module)));
  gpu::Chip chip = llvm::cantFail(gpu::Chip::named(chipName));
  auto text = gpu::emitPTX(*module->getOps<mlir::gpu::GPUModuleOp>().begin(), chip);
  if (!text)
    FAIL(llvm::toString(text.takeError()));
  result.ptx = *text;
  const std::string assembler = gpu::findAssembler();
  if (assembler.empty())
    return result;
  const auto folder = std::filesystem::temp_directory_path();
  const std::string base = (folder / ("heddle-attention-" + std::to_string(getpid()))).string();
  std::ofstream(base + ".ptx") << result.ptx;
  const std::string command = assembler + " -v -arch=" + chipName.str() + " " + base + ".ptx -o " + base +
                              ".cubin > " + base + ".log 2>&1";
  const int status = std::system(command.c_str());
  std::ifstream log(base + ".log");
  result.log.assign(std::istreambuf_iterator<char>(log), {});
  INFO(result.log);
  CHECK(status == 0);
  if (const char *keep = std::getenv("HEDDLE_KEEP_PTX"))
    std::filesystem::copy_file(base + ".ptx", std::string(keep) + "/attention.ptx",
                               std::filesystem::copy_options::overwrite_existing);
  for (const char *suffix : {".ptx", ".cubin", ".log"})
    std::filesystem::remove(base + suffix);
  return result;
}

/// Bytes that kernels spill, all together.
int64_t spilled(const std::string &log) {
  int64_t sum = 0;
  const std::string words = " bytes spill stores";
  for (size_t at = log.find(words); at != std::string::npos; at = log.find(words, at + 1))
    sum += std::atoll(log.c_str() + log.rfind(' ', at - 1));
  return sum;
}

/// The number after `words`, the first time that they come in `text` after `from`.
int64_t numberAfter(const std::string &text, const std::string &words, size_t from = 0) {
  const size_t at = text.find(words, from);
  return at == std::string::npos ? -1 : std::atoll(text.c_str() + at + words.size());
}

/// Roles of a kernel may give registers to each other: if they ask for more than it begins with, they wait
/// forever. The first role gives, all others take.
void checkRegistersOfRoles(const Assembled &result) {
  for (size_t at = result.ptx.find(".entry "), next; at != std::string::npos; at = next) {
    next = result.ptx.find(".entry ", at + 1);
    const std::string kernel = result.ptx.substr(at, next == std::string::npos ? next : next - at);
    const int64_t given = numberAfter(kernel, "setmaxnreg.dec.sync.aligned.u32"),
                  taken = numberAfter(kernel, "setmaxnreg.inc.sync.aligned.u32");
    if (given < 0)
      continue;
    const std::string name = kernel.substr(7, kernel.find('(') - 7);
    INFO(name);
    const int64_t roles = numberAfter(kernel, ".maxntid") / 128;
    const int64_t begun = numberAfter(result.log, "Used ", result.log.find("entry function '" + name + "'"));
    CHECK(roles >= 3);
    CHECK(given + (roles - 1) * taken <= roles * begun);
  }
}

cpu::AttentionSpec spec(cpu::MatmulElement element, int64_t width) {
  cpu::AttentionSpec s;
  s.element = element;
  s.batch = 2;
  s.queryHeads = 4;
  s.heads = 2;
  s.length = 1000;
  s.keyWidth = s.valueWidth = width;
  s.topk = 100;
  s.window = 70;
  s.scale = 0.1;
  return s;
}

} // namespace

TEST_CASE("attention's kernels assemble without spills", "[gpu][attention]") {
  using A = cpu::AttentionArgument;
  using E = cpu::MatmulElement;
  const std::tuple<E, int64_t, const char *> cases[] = {{E::BF16, 128, "sm_90a"},
                                                        {E::F16, 128, "sm_80"},
                                                        {E::BF16, 64, "sm_80"},
                                                        {E::F32, 64, "sm_90a"},
                                                        {E::F32, 128, "sm_80"}};
  for (auto [element, width, chip] : cases)
    for (AttentionPass pass : {AttentionPass::Forward, AttentionPass::Backward, AttentionPass::Tangent}) {
      cpu::AttentionSpec s = spec(element, width);
      if (pass == AttentionPass::Tangent)
        for (A argument : {A::DQ, A::DK, A::DV, A::DU, A::DTau})
          s.give(argument);
      Assembled result = assembled(s, pass, chip);
      INFO(elementName(element) << " " << width << " " << chip << "\n" << result.log);
      CHECK(spilled(result.log) <= 8); // ptxas may round registers down for one more block of threads
      if (std::getenv("HEDDLE_PRINT_ASSEMBLER"))
        WARN(elementName(element) << " " << width << " " << chip << "\n" << result.log);
    }
}

TEST_CASE("attention by products of warpgroups assembles without spills or serialised products",
          "[gpu][attention]") {
  using E = cpu::MatmulElement;
  gpu::Target target;
  target.sharedBytes = 232448;
  target.warpgroupProducts = true;
  auto assemble = [&](const cpu::AttentionSpec &s, AttentionPass pass) {
    Assembled result = assembled(s, pass, "sm_90a", target);
    INFO(elementName(s.element) << " " << s.keyWidth << " " << s.valueWidth << "\n" << result.log);
    // Of the backward pass the role that copies, in 24 registers, puts away a few words.
    CHECK(spilled(result.log) <= (pass == AttentionPass::Forward ? 0 : 64));
    CHECK(result.log.find("C75") == std::string::npos); // products that wait for each other
    if (!result.log.empty())
      checkRegistersOfRoles(result);
    CHECK(result.ptx.find("wgmma.mma_async") != std::string::npos);
    if (std::getenv("HEDDLE_PRINT_ASSEMBLER"))
      WARN(elementName(s.element) << " " << s.keyWidth << "\n" << result.log);
  };
  auto check = [&](const cpu::AttentionSpec &s) {
    assemble(s, AttentionPass::Forward);
    assemble(s, AttentionPass::Backward);
  };
  check(spec(E::BF16, 128));
  for (int64_t warpgroups : {2, 3}) {
    target.choice = {{"warpgroups", warpgroups}};
    check(spec(E::BF16, 128));
    check(spec(E::BF16, 64));
  }
  target.choice = {};
  for (auto [keyWidth, valueWidth] : {std::pair<int64_t, int64_t>{64, 128}, {128, 64}, {32, 96}}) {
    cpu::AttentionSpec unequal = spec(E::BF16, keyWidth);
    unequal.valueWidth = valueWidth;
    check(unequal);
  }
  cpu::AttentionSpec ungrouped = spec(E::BF16, 128);
  ungrouped.heads = ungrouped.queryHeads;
  check(ungrouped);
  check(spec(E::F16, 64));
  cpu::AttentionSpec packed = spec(E::BF16, 72);
  packed.packed = true;
  packed.gate = cpu::AttentionGate::Value;
  check(packed);
  cpu::AttentionSpec window = spec(E::BF16, 32);
  window.topk = 0;
  check(window);
  packed.keyWidth = packed.valueWidth = 120;
  packed.gate = cpu::AttentionGate::Both;
  check(packed);
}
