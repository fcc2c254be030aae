//===- Explain.cpp - heddle explain ---------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"

#include "compiler/jit/Cost.h"
#include "compiler/jit/Stages.h"

#include <algorithm>
#include <cstdio>

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

int explain(const EntryOptions &options) {
  std::map<std::string, int64_t> dims = parseDims(options.dims);
  Entry entry(options.file, options.entry);
  frontend::EntryArguments types = entry.types(dims);
  jit::OwnedModule owned = jit::elaborate(entry.program(), options.entry, types);
  int64_t inputs = 0, results = 0;
  auto function = owned.module->lookupSymbol<mlir::func::FuncOp>(options.entry);
  auto bytes = [](mlir::Type type) {
    auto tensor = mlir::cast<mlir::RankedTensorType>(type);
    return tensor.getNumElements() * std::max<int64_t>(tensor.getElementTypeBitWidth() / 8, 1);
  };
  for (mlir::Type type : function.getArgumentTypes())
    inputs += bytes(type);
  for (mlir::Type type : function.getResultTypes())
    results += bytes(type);
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
    std::string what = step.what.size() > 60 ? step.what.substr(0, 57) + "..." : step.what;
    std::printf("%-*s  %5lld  %11s  %11s  %s\n", int(width), what.c_str(), static_cast<long long>(step.times),
                scaled(double(step.flops), "").c_str(), scaled(double(step.bytes), "B").c_str(),
                step.where.c_str());
  }
  std::printf("\n%zu steps, %s in a call, %s moved\n", steps.size(), scaled(flops, "FLOP").c_str(),
              scaled(moved, "B").c_str());
  std::printf("memory: %s of arguments, %s of results, %s of working memory\n",
              scaled(double(inputs), "B").c_str(), scaled(double(results), "B").c_str(),
              scaled(double(specialised->arenaBytes), "B").c_str());
  std::printf("compiled in %.2f s\n", specialised->compileSeconds);
  return 0;
}

} // namespace heddle::tool
