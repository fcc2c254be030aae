//===- Compile.cpp - heddle compile ---------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"

#include "compiler/conversion/GPUToPTX/Chip.h"
#include "compiler/jit/Stages.h"
#include "compiler/jit/Target.h"

#include <heddle/io.hpp>

#include <cstdio>

namespace heddle::tool {

/// Whole or not at all.
static void writeOutput(const std::string &path, const std::string &content) {
  if (path == "-")
    std::fwrite(content.data(), 1, content.size(), stdout);
  else
    save_file(path, content);
}

int compile(const CompileOptions &options) {
  std::map<std::string, int64_t> dims = parseDims(options.dims);
  Entry entry(options.file, options.entry);
  if (options.stage == "ast") {
    writeOutput(options.out, frontend::ast::print(*entry.program().main().tree));
    return 0;
  }
  pipelines::PipelineOptions passes;
  passes.decompose = options.decompose;
  passes.cpu.level = jit::CpuTarget::named(options.cpu)->level;
  if (options.target == "cuda") {
    passes.device.emplace();
    passes.device->capability = llvm::cantFail(gpu::Chip::named(options.chip)).capability;
    passes.device->tf32 = options.tf32;
  }
  writeOutput(options.out, jit::emitStage(entry.program(), options.entry, entry.types(dims),
                                          *pipelines::stageNamed(options.stage), passes));
  return 0;
}

} // namespace heddle::tool
