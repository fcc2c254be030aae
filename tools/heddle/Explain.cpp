//===- Explain.cpp - heddle explain ---------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"

#include "compiler/jit/Cost.h"
#include "compiler/jit/DeviceCost.h"
#include "compiler/jit/DeviceProgram.h"
#include "compiler/jit/Stages.h"
#include "compiler/jit/Tune.h"

#include <heddle/error.hpp>

#include <algorithm>
#include <cstdio>
#include <set>

namespace heddle::tool {

static std::string scaled(double value, const char *unit) {
  const char *prefixes[] = {"", "k", "M", "G", "T"};
  int at = 0;
  for (; value >= 10000 && at < 4; ++at)
    value /= 1000;
  char text[40];
  std::snprintf(text, sizeof text, "%.0f %s%s", value, prefixes[at], unit);
  return text;
}

/// Long texts end in dots.
static std::string shortened(const std::string &text, size_t most) {
  return text.size() > most ? text.substr(0, most - 3) + "..." : text;
}

/// Arguments and results of an elaborated entry.
struct Footprint {
  explicit Footprint(mlir::func::FuncOp function) {
    for (mlir::Type type : function.getArgumentTypes())
      arguments += bytes(type);
    for (mlir::Type type : function.getResultTypes())
      results += bytes(type);
  }
  void print(int64_t workingBytes) const {
    std::printf("memory: %s of arguments, %s of results, %s of working memory\n",
                scaled(double(arguments), "B").c_str(), scaled(double(results), "B").c_str(),
                scaled(double(workingBytes), "B").c_str());
  }

private:
  static int64_t bytes(mlir::Type type) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    return tensor.getNumElements() * std::max<int64_t>(tensor.getElementTypeBitWidth() / 8, 1);
  }

  int64_t arguments = 0, results = 0;
};

/// The kernels of an entry on a GPU, with what ptxas says about them where it is installed.
static int explainDevice(const ExplainOptions &options) {
  Entry entry(options.file, options.entry);
  jit::DeviceTarget target;
  gpu::Chip chip = llvm::cantFail(gpu::Chip::named(options.chip));
  pipelines::PipelineOptions passes;
  if (options.device.empty()) {
    target.major = chip.capability / 10;
    target.minor = chip.capability % 10;
    passes.device.emplace().capability = chip.capability;
  } else {
    target = jit::DeviceTarget::of(Device::parse(options.device).index());
    passes.device = target.options();
    passes.device->measured = jit::choicesOf(jit::knownPlans(target));
    chip = llvm::cantFail(gpu::Chip::forCapability(passes.device->capability));
  }
  jit::OwnedModule owned =
      jit::elaborate(entry.program(), options.entry, entry.types(parseDims(options.dims)));
  const Footprint footprint(owned.module->lookupSymbol<mlir::func::FuncOp>(options.entry));
  jit::runPipeline(*owned.module, pipelines::Stage::Lowered, passes);
  const std::vector<jit::Launch> launches = jit::countLaunches(*owned.module, options.entry);
  std::map<std::string, gpu::KernelResources> resources;
  if (!target.emulated && !gpu::findAssembler().empty()) {
    auto found = gpu::resources(jit::compileDevice(*owned.module, options.entry, target).image, chip);
    if (!found)
      throw Error(HEDDLE_INTERNAL, llvm::toString(found.takeError()));
    resources = std::move(*found);
  }

  size_t width = 6;
  double moved = 0;
  int64_t count = 0;
  for (const jit::Launch &launch : launches) {
    width = std::max(width, launch.kernel.size());
    moved += double(launch.bytes) * double(launch.times);
    count += launch.times;
  }
  const bool assembled = !resources.empty();
  std::printf("%-*s  %5s  %11s  %5s  %8s  %11s%s  operations\n", int(width), "kernel", "times", "grid",
              "block", "shared", "bytes", assembled ? "  registers  spilled  occupancy" : "");
  for (const jit::Launch &launch : launches) {
    const bool isKernel = launch.block > 0;
    std::string grid = std::to_string(launch.grid[0]);
    for (int axis = 1; axis < 3 && launch.grid[1] * launch.grid[2] > 1; ++axis)
      grid += "x" + std::to_string(launch.grid[axis]);
    std::printf("%-*s  %5lld  %11s  %5s  %8s  %11s", int(width), launch.kernel.c_str(),
                static_cast<long long>(launch.times), isKernel ? grid.c_str() : "",
                isKernel ? std::to_string(launch.block).c_str() : "",
                isKernel ? scaled(double(launch.sharedBytes), "B").c_str() : "",
                scaled(double(launch.bytes), "B").c_str());
    if (auto found = resources.find(launch.kernel); found != resources.end()) {
      const gpu::KernelResources &used = found->second;
      std::printf("  %9d  %7s  %7.0f %%", used.registers, scaled(used.spilledBytes, "B").c_str(),
                  100 * jit::occupancy(launch, used, chip));
    } else if (assembled) {
      std::printf("  %9s  %7s  %9s", "", "", "");
    }
    const bool serialised = resources.count(launch.kernel) && resources.at(launch.kernel).serialised;
    std::printf("  %s%s\n", shortened(launch.operations, 60).c_str(),
                serialised ? ", products serialised" : "");
  }
  std::set<std::string> plans;
  for (const jit::Launch &launch : launches)
    if (!launch.plan.empty() && plans.insert(launch.operations + launch.plan).second)
      std::printf("%splan of %s: %s, chosen by %s\n", plans.size() == 1 ? "\n" : "",
                  launch.operations.c_str(), launch.plan.c_str(),
                  launch.measured ? "a measurement" : "the model");
  std::printf("\n%lld launches in a call, %s moved\n", static_cast<long long>(count),
              scaled(moved, "B").c_str());
  auto lowered = owned.module->lookupSymbol<mlir::func::FuncOp>(options.entry);
  footprint.print(lowered->getAttrOfType<mlir::IntegerAttr>("heddle.arena_bytes").getInt());
  return 0;
}

int explain(const ExplainOptions &options) {
  if (!options.device.empty() && options.device.rfind("cuda", 0) != 0)
    throw UsageError("--device " + options.device +
                     " is no GPU\nhint: without --device, the steps on a CPU are shown");
  if (options.target == "cuda" || !options.device.empty())
    return explainDevice(options);
  std::map<std::string, int64_t> dims = parseDims(options.dims);
  Entry entry(options.file, options.entry);
  frontend::EntryArguments types = entry.types(dims);
  jit::OwnedModule owned = jit::elaborate(entry.program(), options.entry, types);
  const Footprint footprint(owned.module->lookupSymbol<mlir::func::FuncOp>(options.entry));
  jit::runPipeline(*owned.module, pipelines::Stage::Fused, {});
  std::vector<jit::Step> steps = jit::countSteps(*owned.module, options.entry);
  auto specialised = jit::Specialisation::create(entry.program(), options.entry, types, {});

  double flops = 0, moved = 0;
  size_t width = 4;
  for (const jit::Step &step : steps) {
    flops += double(step.flops) * double(step.times);
    moved += double(step.bytes) * double(step.times);
    width = std::max(width, std::min<size_t>(step.what.size(), 60));
  }
  std::printf("%-*s  %5s  %11s  %11s  %s\n", int(width), "step", "times", "FLOP", "bytes", "source");
  for (const jit::Step &step : steps) {
    const std::string what = shortened(step.what, 60);
    std::printf("%-*s  %5lld  %11s  %11s  %s\n", int(width), what.c_str(), static_cast<long long>(step.times),
                scaled(double(step.flops), "").c_str(), scaled(double(step.bytes), "B").c_str(),
                step.where.c_str());
  }
  std::printf("\n%zu steps, %s in a call, %s moved\n", steps.size(), scaled(flops, "FLOP").c_str(),
              scaled(moved, "B").c_str());
  footprint.print(specialised->arenaBytes);
  std::printf("%s in %.2f s\n", specialised->fromCache ? "loaded from the cache" : "compiled",
              specialised->compileSeconds);
  return 0;
}

} // namespace heddle::tool
