// Whatever is chosen for attention's kernels, they compute the same: every candidate of a measurement against
// the formulas in double.

#include "DeviceAttention.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {

std::vector<gpu::Choice> candidates(const AttentionSpec &spec, AttentionPass pass,
                                    const gpu::Target &target) {
  test::DeviceHarness device;
  return gpu::attentionCandidates(ParsedOperation(device, attentionText(spec, pass)).op, target);
}

gpu::Choice taken(const AttentionSpec &spec, AttentionPass pass, const gpu::Target &target) {
  test::DeviceHarness device;
  ParsedOperation parsed(device, attentionText(spec, pass));
  return gpu::emitAttention(device.module(), parsed.op, target, "test").taken;
}

/// Runs every candidate that leads to another plan. Gives the different plans that they led to, the model's
/// first.
template <MatmulElement Element>
std::vector<std::string> plansOf(const AttentionSpec &sizes, double tolerance, AttentionPass pass,
                                 gpu::Target target) {
  AttentionCase<Element> c(sizes);
  const AttentionSpec &spec = c.reference.spec;
  INFO(describe(spec));
  c.reference.run();
  c.allocate();
  std::vector<std::string> plans;
  for (const gpu::Choice &choice : candidates(spec, pass, target)) {
    target.choice = choice;
    if (llvm::is_contained(plans, taken(spec, pass, target).str()))
      continue;
    DeviceAttention<Element> device(c, target);
    INFO(choice.str());
    if (pass == AttentionPass::Forward) {
      std::fill(c.o.begin(), c.o.end(), typename AttentionCase<Element>::T(0));
      device.forward();
      checkOutputs(c, tolerance, tolerance);
    } else {
      c.takeOutputs();
      device.backward();
      checkGradients(c, tolerance);
    }
    // What a program says that it took is what it takes when it is told so.
    target.choice = device.taken;
    CHECK(taken(spec, pass, target).str() == device.taken.str());
    plans.push_back(device.taken.str());
  }
  return plans;
}

using Plans = std::vector<std::string>;

} // namespace

TEST_CASE("choices of the forward pass", "[device][choice]") {
  const AttentionSpec spec = attentionSpec(1, 2, 1, 130, 24, 16, 20, 12);
  CHECK(plansOf<MatmulElement::F32>(spec, 2e-6, AttentionPass::Forward, {}) ==
        Plans{"block=32 stages=2 warpgroups=0", "block=32 stages=1 warpgroups=0"});
  CHECK(plansOf<MatmulElement::BF16>(spec, 5e-3, AttentionPass::Forward, {}) ==
        Plans{"block=64 stages=2 warpgroups=0", "block=32 stages=2 warpgroups=0",
              "block=32 stages=1 warpgroups=0"});
}

TEST_CASE("choices of gradients", "[device][choice]") {
  const AttentionSpec spec = attentionSpec(1, 2, 1, 270, 16, 8, 20, 12);
  auto plan = [](int query, int queryStages, int key, int keyStages) {
    return "chunk=256 key_block=" + std::to_string(key) + " key_stages=" + std::to_string(keyStages) +
           " partial_mib=768 query_block=" + std::to_string(query) +
           " query_stages=" + std::to_string(queryStages) + " warpgroups=0";
  };
  CHECK(plansOf<MatmulElement::F32>(spec, 4e-6, AttentionPass::Backward, {}) ==
        Plans{plan(32, 2, 32, 2), plan(16, 2, 32, 2), plan(32, 1, 32, 2), plan(32, 2, 16, 2),
              plan(32, 2, 32, 1)});
}

TEST_CASE("choices of chunks", "[device][choice]") {
  const AttentionSpec spec = attentionSpec(1, 1, 1, 520, 8, 8, 40, 12);
  gpu::Target target;
  for (int64_t chunk : {128, 512}) {
    target.choice = {{"chunk", chunk}};
    AttentionCase<MatmulElement::F32> c(spec);
    c.reference.run();
    c.allocate();
    c.takeOutputs();
    DeviceAttention<MatmulElement::F32> device(c, target);
    device.backward();
    CHECK(device.taken["chunk"] == chunk);
    CHECK(distance(c.exact(c.dk), c.reference.dk) <= 4e-6);
    CHECK(distance(c.exact(c.dv), c.reference.dv) <= 4e-6);
    CHECK(distance(c.exact(c.du), c.reference.du) <= 4e-6);
  }
}

TEST_CASE("choices of products of warpgroups", "[device][choice][warpgroup]") {
  const auto target = warpgroupTarget();
  if (!target)
    return;
  const AttentionSpec spec = attentionSpec(1, 2, 1, 200, 64, 32, 60, 70);
  const Plans forward = plansOf<MatmulElement::BF16>(spec, 5e-3, AttentionPass::Forward, *target);
  CHECK(forward.front().find("block=80 stages=") == 0);
  CHECK(forward.front().find("warpgroups=3") != std::string::npos);
  CHECK(llvm::any_of(forward, [](const std::string &plan) {
    return plan.find("block=96 ") == 0 && plan.find("warpgroups=2") != std::string::npos;
  }));
  for (const char *plan :
       {"block=80 stages=2 warpgroups=3", "block=64 stages=2 warpgroups=0", "block=32 stages=1 warpgroups=0"})
    CHECK(std::find(forward.begin(), forward.end(), plan) != forward.end());
}

TEST_CASE("choices of gradients by products of warpgroups", "[device][choice][warpgroup]") {
  const auto target = warpgroupTarget();
  if (!target)
    return;
  const AttentionSpec spec = attentionSpec(1, 2, 1, 200, 64, 32, 30, 70);
  const Plans plans = plansOf<MatmulElement::BF16>(spec, 1e-2, AttentionPass::Backward, *target);
  auto has = [&](const std::string &part) {
    return llvm::any_of(plans, [&](const std::string &plan) { return plan.find(part) != std::string::npos; });
  };
  CHECK(plans.front().find("query_block=64 ") != std::string::npos);
  CHECK(plans.front().find("warpgroups=3") != std::string::npos);
  CHECK(has("query_block=80 "));
  CHECK(has("key_block=32 key_stages=2 partial_mib=768 query_block=32 query_stages=2 warpgroups=0"));
}

TEST_CASE("what a device cannot have is the model's choice", "[device][choice]") {
  const AttentionSpec spec = attentionSpec(1, 1, 1, 100, 16, 16, 10, 8);
  AttentionCase<MatmulElement::F32> c(spec);
  c.reference.run();
  c.allocate();
  gpu::Target target;
  for (const gpu::Choice &wrong :
       {gpu::Choice{{"block", 7}}, gpu::Choice{{"stages", -1}}, gpu::Choice{{"block", 1 << 20}},
        gpu::Choice{{"chunk", -5}}, gpu::Choice{{"warpgroups", 1}}}) {
    target.choice = wrong;
    DeviceAttention<MatmulElement::F32> device(c, target);
    device.forward();
    CHECK(device.taken.str() == "block=32 stages=2 warpgroups=0");
    CHECK(distance(c.exact(c.o), c.reference.o) <= 2e-6);
  }
}
