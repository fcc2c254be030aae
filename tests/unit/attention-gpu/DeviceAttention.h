// Runs the device program of an attention on the harness's device.
#pragma once

#include "../sparsek/AttentionChecks.h"
#include "AttentionText.h"
#include "tests/support/ProgramSteps.h"

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/SparseKToGPU/Attention.h"
#include "compiler/pipelines/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

namespace heddle::tests {

/// A function of one operation as text, parsed for a harness.
struct ParsedOperation {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::Operation *op = nullptr;

  ParsedOperation(test::DeviceHarness &device, const std::string &text) {
    mlir::DialectRegistry registry;
    pipelines::registerDialects(registry);
    device.context().appendDialectRegistry(registry);
    device.context().loadAllAvailableDialects();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &device.context());
    if (!module)
      throw std::runtime_error("cannot parse\n" + text);
    module->walk([&](mlir::func::FuncOp function) { op = &function.front().front(); });
  }
};

/// For products of warpgroups. Few blocks of threads, so that each has several tiles. Nothing where the
/// device has no such products.
inline std::optional<gpu::Target> warpgroupTarget(int64_t multiprocessors = 3) {
  test::DeviceHarness device;
  if (!device.emulated() && device.capability() != 90)
    return std::nullopt;
  gpu::Target target;
  target.sharedBytes = device.emulated() ? 163 << 10 : 232448;
  target.warpgroupProducts = true;
  target.multiprocessors = multiprocessors;
  return target;
}

/// Sizes that no tile of warpgroups divides, of heads that they serve.
inline std::vector<cpu::AttentionSpec> oddWarpgroupSpecs() {
  return {attentionSpec(1, 1, 1, 1, 8, 8, 1, 0),           attentionSpec(1, 2, 1, 67, 16, 32, 9, 4),
          attentionSpec(2, 6, 2, 131, 40, 24, 12, 16),     attentionSpec(1, 3, 3, 200, 32, 40, 0, 50),
          attentionSpec(1, 2, 2, 150, 16, 16, 20, 0),      attentionSpec(1, 1, 1, 600, 64, 64, 120, 200),
          attentionSpec(1, 4, 1, 90, 8, 24, 500, 7),       attentionSpec(1, 2, 1, 300, 72, 120, 5, 1000),
          attentionSpec(1, 4, 1, 400, 128, 128, 130, 100), attentionSpec(1, 1, 1, 130, 64, 8, 1, 2)};
}

template <cpu::MatmulElement Element>
class DeviceAttention {
public:
  using Case = AttentionCase<Element>;
  using T = typename Case::T;
  using Score = typename Case::Score;
  using A = cpu::AttentionArgument;

  explicit DeviceAttention(Case &c, const gpu::Target &target = {}) : c(c), target(target) {}

  std::vector<double> dlse; ///< the cotangent of lse, if there is one
  gpu::Choice taken;        ///< by the latest pass

  void forward() {
    run(AttentionPass::Forward, {}, [&](test::DeviceHarness &device, auto &operands, auto &results) {
      results = {device.fresh<T>(c.o.size()), device.fresh<Score>(c.lse.size())};
    });
    c.o = device->get<T>(results[0]);
    c.lse = device->get<Score>(results[1]);
  }

  /// From o and lse as they are in the case.
  void backward() {
    cpu::AttentionSpec spec = c.reference.spec;
    if (!dlse.empty())
      spec.give(A::DLse);
    run(AttentionPass::Backward, spec, [&](test::DeviceHarness &device, auto &operands, auto &results) {
      operands.insert(operands.end(), {device.put(c.o), device.put(c.lse), device.put(c.dout)});
      if (!dlse.empty())
        operands.push_back(device.put(std::vector<Score>(dlse.begin(), dlse.end())));
      results = {device.fresh<T>(c.q.size()), device.fresh<T>(c.k.size()), device.fresh<T>(c.v.size()),
                 device.fresh<Score>(c.u.size()), device.fresh<Score>(c.u.size())};
    });
    c.dq = device->get<T>(results[0]);
    c.dk = device->get<T>(results[1]);
    c.dv = device->get<T>(results[2]);
    c.du = device->get<Score>(results[3]);
    c.dtau = device->get<Score>(results[4]);
  }

  struct Tangents {
    std::vector<T> q, k, v;
    std::vector<Score> u, tau;
  };
  /// The tangents of o and lse; empty ones are left out.
  std::pair<std::vector<T>, std::vector<Score>> tangent(const Tangents &in) {
    cpu::AttentionSpec spec = c.reference.spec;
    const std::pair<A, bool> given[] = {{A::DQ, !in.q.empty()},
                                        {A::DK, !in.k.empty()},
                                        {A::DV, !in.v.empty()},
                                        {A::DU, !in.u.empty()},
                                        {A::DTau, !in.tau.empty()}};
    for (auto [argument, is] : given)
      if (is)
        spec.give(argument);
    run(AttentionPass::Tangent, spec, [&](test::DeviceHarness &device, auto &operands, auto &results) {
      operands.insert(operands.end(), {device.put(c.o), device.put(c.lse)});
      for (auto *x : {&in.q, &in.k, &in.v})
        if (!x->empty())
          operands.push_back(device.put(*x));
      for (auto *x : {&in.u, &in.tau})
        if (!x->empty())
          operands.push_back(device.put(*x));
      results = {device.fresh<T>(c.o.size()), device.fresh<Score>(c.lse.size())};
    });
    return {device->get<T>(results[0]), device->get<Score>(results[1])};
  }

private:
  template <typename AddBuffers>
  void run(AttentionPass pass, std::optional<cpu::AttentionSpec> spec, AddBuffers addBuffers) {
    device = std::make_unique<test::DeviceHarness>();
    const cpu::AttentionSpec s = spec.value_or(c.reference.spec);
    ParsedOperation parsed(*device, attentionText(s, pass));
    gpu::DeviceProgram program = gpu::emitAttention(device->module(), parsed.op, target, "test");
    std::vector<test::DeviceBuffer> operands{device->put(c.q),  device->put(c.k),  device->put(c.v),
                                             device->put(c.u),  device->put(c.hi), device->put(c.lo),
                                             device->put(c.end)};
    taken = program.taken;
    addBuffers(*device, operands, results);
    if (s.packed)
      operands.push_back(device->put(c.bounds));
    runProgram(*device, program, operands, results);
  }

  Case &c;
  gpu::Target target;
  std::unique_ptr<test::DeviceHarness> device;
  std::vector<test::DeviceBuffer> results;
};

} // namespace heddle::tests
