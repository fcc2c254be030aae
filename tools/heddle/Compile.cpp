//===- Compile.cpp - heddle compile ---------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"

#include "compiler/jit/Stages.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace heddle::tool {

/// Writes whole or not at all: beside the target first, then renamed.
static void writeOutput(const std::string &path, const std::string &content) {
  if (path == "-") {
    std::fwrite(content.data(), 1, content.size(), stdout);
    return;
  }
  std::string part = path + ".part" + std::to_string(getpid());
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  std::error_code error;
  if (file)
    std::filesystem::rename(part, path, error);
  if (!file || error) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw Error(HEDDLE_IO_ERROR, "cannot write '" + path + "'",
                "does its folder exist, and may you write there?");
  }
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
  writeOutput(options.out, jit::emitStage(entry.program(), options.entry, entry.types(dims),
                                          *pipelines::stageNamed(options.stage), passes));
  return 0;
}

} // namespace heddle::tool
