//===- Compile.cpp - heddle compile ---------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"

#include "compiler/jit/Stages.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace heddle::tool {

/// Writes a regular file whole or not at all: beside the target first, then renamed. What is no regular file,
/// such as /dev/null or a pipe, is written as it stands: a rename would replace it.
static void writeOutput(const std::string &path, const std::string &content) {
  namespace fs = std::filesystem;
  if (path == "-") {
    std::fwrite(content.data(), 1, content.size(), stdout);
    return;
  }
  auto fail = [&](const std::string &why) {
    throw Error(HEDDLE_IO_ERROR, "cannot write '" + path + "': " + why);
  };
  std::error_code error;
  fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status))
    fail("it is a directory");
  bool inPlace = fs::exists(status) && !fs::is_regular_file(status);
  // A link goes on pointing at its file.
  fs::path target = inPlace ? fs::path(path) : fs::weakly_canonical(path, error);
  fs::path part = inPlace ? target : fs::path(target.string() + ".part" + std::to_string(getpid()));
  errno = 0;
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  if (!file) {
    std::string why = errno ? std::strerror(errno) : "the system refused";
    if (!inPlace)
      fs::remove(part, error);
    fail(why);
  }
  if (inPlace)
    return;
  fs::rename(part, target, error);
  if (error) {
    std::error_code ignored;
    fs::remove(part, ignored);
    fail(error.message());
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
