//===- Assemble.cpp - PTX to machine code by ptxas ------------------------===//

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"

using namespace heddle::gpu;

std::string heddle::gpu::findAssembler() {
  llvm::SmallVector<std::string> folders;
  if (auto home = llvm::sys::Process::GetEnv("CUDA_HOME"))
    folders.push_back(*home + "/bin");
  for (llvm::StringRef folder : folders)
    if (auto found = llvm::sys::findProgramByName("ptxas", {folder}))
      return *found;
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  if (auto found = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"}))
    return *found;
  return "";
}

int heddle::gpu::assemblerVersion() {
  static const int version = [] {
    const std::string assembler = findAssembler();
    llvm::SmallString<128> log;
    if (assembler.empty() || llvm::sys::fs::createTemporaryFile("heddle", "log", log))
      return 0;
    llvm::FileRemover removeLog(log);
    const llvm::StringRef logName = log;
    llvm::sys::ExecuteAndWait(assembler, {assembler, "--version"}, std::nullopt,
                              {std::nullopt, logName, std::nullopt});
    auto text = llvm::MemoryBuffer::getFile(log);
    // "release 13.0, V13.0.88"
    llvm::StringRef release = text ? (*text)->getBuffer().split("release ").second : "";
    int major = 0, minor = 0;
    if (release.consumeInteger(10, major) || !release.consume_front(".") || release.consumeInteger(10, minor))
      return 0;
    return 1000 * major + 10 * minor;
  }();
  return version;
}

namespace {
/// What ptxas wrote: the machine code, and what it said.
struct Assembled {
  std::string code, log;
};
} // namespace

static llvm::Expected<Assembled> runAssembler(llvm::StringRef ptx, const Chip &chip, bool verbose) {
  const std::string assembler = findAssembler();
  if (assembler.empty())
    return llvm::createStringError(
        "machine code needs the program ptxas of the CUDA toolkit, which is not in "
        "$CUDA_HOME/bin, $PATH or /usr/local/cuda/bin");
  llvm::SmallString<128> source, object, log;
  int descriptor;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("heddle", "ptx", descriptor, source))
    return llvm::createStringError("cannot write a temporary file: " + error.message());
  llvm::FileRemover removeSource(source);
  {
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    stream << ptx;
  }
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("heddle", "cubin", object))
    return llvm::createStringError("cannot write a temporary file: " + error.message());
  llvm::FileRemover removeObject(object);
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("heddle", "log", log))
    return llvm::createStringError("cannot write a temporary file: " + error.message());
  llvm::FileRemover removeLog(log);
  const std::string arch = "-arch=" + chip.name.str();
  const llvm::StringRef logName = log;
  llvm::SmallVector<llvm::StringRef> command = {assembler, arch, "-O3", source, "-o", object};
  // Kernels side by side, which CUDA 12.1 brought.
  if (assemblerVersion() >= 12010)
    command.push_back("-split-compile=0");
  if (verbose)
    command.push_back("-v");
  std::string message;
  const int status = llvm::sys::ExecuteAndWait(assembler, command, std::nullopt,
                                               {std::nullopt, logName, logName}, 0, 0, &message);
  Assembled result;
  if (auto text = llvm::MemoryBuffer::getFile(log))
    result.log = (*text)->getBuffer().str();
  if (status != 0)
    return llvm::createStringError("ptxas failed: " + llvm::StringRef(message + result.log).trim().str());
  auto bytes = llvm::MemoryBuffer::getFile(object, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!bytes)
    return llvm::createStringError("cannot read what ptxas wrote: " + bytes.getError().message());
  result.code = (*bytes)->getBuffer().str();
  return result;
}

llvm::Expected<std::string> heddle::gpu::assemble(llvm::StringRef ptx, const Chip &chip) {
  auto result = runAssembler(ptx, chip, false);
  if (!result)
    return result.takeError();
  return std::move(result->code);
}

llvm::Expected<std::map<std::string, KernelResources>> heddle::gpu::resources(llvm::StringRef ptx,
                                                                              const Chip &chip) {
  auto assembled = runAssembler(ptx, chip, true);
  if (!assembled)
    return assembled.takeError();
  std::map<std::string, KernelResources> result;
  KernelResources *current = nullptr;
  llvm::SmallVector<llvm::StringRef> lines;
  llvm::StringRef(assembled->log).split(lines, '\n');
  auto number = [](llvm::StringRef line, llvm::StringRef before) -> int {
    int value = 0;
    llvm::StringRef head = line.split(before).first.trim();
    head.substr(head.rfind(' ') + 1).getAsInteger(10, value);
    return value;
  };
  for (llvm::StringRef line : lines) {
    if (line.contains("(C75"))
      result[line.rsplit('\'').first.rsplit('\'').second.str()].serialised = true;
    else if (line.contains("entry function '"))
      current = &result[line.split('\'').second.split('\'').first.str()];
    else if (current && line.contains(" bytes spill stores"))
      current->spilledBytes = number(line, " bytes spill stores");
    else if (current && line.contains("Used "))
      current->registers = number(line, " registers");
  }
  return result;
}
