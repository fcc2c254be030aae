// The kernels that time is spent in keep their values in registers and their products side by side: what
// ptxas says about whole programs, for bf16 and heads of 64 and 128. Without ptxas there is nothing to ask.
#include "compiler/jit/DeviceCost.h"
#include "compiler/jit/DeviceProgram.h"
#include "compiler/jit/Stages.h"

#include <catch2/catch.hpp>

#include <set>

using namespace heddle;

static const char *const source =
    R"(fn attend[K, W](q: bf16[1, Hq, N, E], k: bf16[1, H, N, E], v: bf16[1, H, N, E], u: f32[1, H, N]) -> bf16[1, Hq, N, E] {
  sparsek_attention(q, k, v, u, topk = K, window = W)
}

## Thresholds, forward and backward pass.
fn train[Hq, H, E, N, K, W](seed: i64) {
  let q = cast(random_normal(f32[1, Hq, N, E], seed), bf16)
  let k = cast(random_normal(f32[1, H, N, E], seed), bf16)
  vjp(attend[K, W], wrt = ("q", "k", "v", "u"))(q, k, k, random_normal(f32[1, H, N], seed), q)
}

## One token.
fn decode[Hq, H, E, K, W](seed: i64) {
  let q = cast(random_normal(f32[1, Hq, E], seed), bf16)
  let k = cast(random_normal(f32[1, H, E], seed), bf16)
  sparsek_decode(q, k, k, random_normal(f32[1, H], seed), sparsek_cache(bf16[1, H, E, E], topk = K, window = W))
}
)";

namespace {

struct Compiled {
  std::map<std::string, gpu::KernelResources> resources;
  std::vector<jit::Launch> launches;
};

Compiled compiled(const std::string &entry, std::map<std::string, int64_t> dims, int capability) {
  frontend::Diagnostics diagnostics;
  auto program = frontend::loadProgramText("hot.heddle", source, diagnostics);
  REQUIRE(program);
  REQUIRE(frontend::check(*program, diagnostics));
  frontend::EntryArguments arguments;
  arguments.dims = std::move(dims);
  arguments.parameters.push_back(std::vector<frontend::LeafType>{{frontend::ElementType::I64, {}}});
  jit::OwnedModule owned = jit::elaborate(*program, entry, arguments);
  pipelines::PipelineOptions passes;
  passes.device.emplace().capability = capability;
  if (capability == 80)
    passes.device->sharedBytes = 163 << 10;
  jit::runPipeline(*owned.module, pipelines::Stage::Lowered, passes);
  Compiled result;
  result.launches = jit::countLaunches(*owned.module, entry);
  jit::DeviceTarget target;
  target.major = capability / 10;
  target.minor = capability % 10;
  const std::string ptx = jit::compileDevice(*owned.module, entry, target).image;
  result.resources =
      llvm::cantFail(gpu::resources(ptx, llvm::cantFail(gpu::Chip::forCapability(capability))));
  return result;
}

/// No kernel of the program spills more than `bytes`, and none has products that wait for each other. The
/// parts of names are those of hot kernels, which must be there.
void check(const std::string &entry, int64_t width, int capability, int bytes,
           const std::vector<std::string> &hot) {
  if (gpu::findAssembler().empty()) {
    WARN("skipped: there is no ptxas");
    return;
  }
  std::map<std::string, int64_t> dims = {{"Hq", 16}, {"H", 4}, {"E", width}, {"K", 512}, {"W", 512}};
  if (entry == "train")
    dims["N"] = 32768;
  const Compiled result = compiled(entry, dims, capability);
  for (const auto &[kernel, resources] : result.resources) {
    INFO(kernel);
    CHECK_FALSE(resources.serialised);
  }
  std::set<std::string> names;
  for (const jit::Launch &launch : result.launches)
    if (launch.block > 0) {
      INFO(launch.kernel << " for sm_" << capability << ", heads of " << width);
      REQUIRE(result.resources.count(launch.kernel));
      const gpu::KernelResources &resources = result.resources.at(launch.kernel);
      CHECK(resources.registers > 0);
      CHECK(resources.spilledBytes <= bytes);
      CHECK(jit::occupancy(launch, resources, llvm::cantFail(gpu::Chip::forCapability(capability))) > 0);
      names.insert(launch.kernel.substr(launch.kernel.find('_') + 1));
    }
  for (const std::string &name : hot) {
    INFO(name);
    CHECK(names.count(name));
  }
}

const std::vector<std::string> training = {"threshold_chunks",
                                           "threshold_boundaries",
                                           "threshold_chunk_queries",
                                           "attention_attention",
                                           "attention_backward_attention_dq",
                                           "attention_backward_attention_dk_selected",
                                           "attention_backward_attention_dk",
                                           "threshold_backward_scores"};

} // namespace

TEST_CASE("thresholds, attention and gradients with heads of 64 spill nothing", "[gpu][hot]") {
  check("train", 64, 90, 0, training);
}
// Of gradients of keys the role that copies, in 24 registers, may put away a few words.
TEST_CASE("thresholds, attention and gradients with heads of 128 spill nothing", "[gpu][hot]") {
  check("train", 128, 90, 0, training);
}
TEST_CASE("a token of generation spills nothing", "[gpu][hot]") {
  for (int64_t width : {64, 128})
    for (int capability : {80, 90})
      check("decode", width, capability, 0, {"append_join", "append_cache_slots"});
}

TEST_CASE("what a kernel spills is read from ptxas", "[gpu][hot]") {
  if (gpu::findAssembler().empty()) {
    WARN("skipped: there is no ptxas");
    return;
  }
  // 40 values that are loaded one by one, then stored in the other order, in at most 24 registers.
  std::string body;
  for (int i = 0; i < 40; ++i)
    body += "ld.volatile.global.f32 %f" + std::to_string(i) + ", [%a];\n";
  for (int i = 40; i-- > 0;)
    body += "st.volatile.global.f32 [%a], %f" + std::to_string(i) + ";\n";
  auto kernel = [&](const std::string &name, int registers) {
    return ".visible .entry " + name + "(.param .u64 p) .maxnreg " + std::to_string(registers) +
           " {\n.reg .f32 %f<40>;\n.reg .u64 %a;\nld.param.u64 %a, [p];\n" + body + "ret;\n}\n";
  };
  const std::string ptx =
      ".version 7.0\n.target sm_80\n.address_size 64\n" + kernel("few", 24) + kernel("many", 64);
  const auto found = llvm::cantFail(gpu::resources(ptx, llvm::cantFail(gpu::Chip::forCapability(80))));
  CHECK(found.at("few").spilledBytes >= 4 * (40 - 24));
  CHECK(found.at("few").registers <= 24);
  CHECK(found.at("many").spilledBytes == 0);
}
