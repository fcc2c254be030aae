//===- OnCpu.cpp - Running a function natively ----------------------------===//

#include "Values.h"

#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/jit/Engine.h"

#include "mlir/Pass/PassManager.h"

#include <chrono>
#include <cmath>

using namespace mlir;

namespace heddle::tests {

namespace {

/// Memory of odd content around and in everything that the function writes.
class Buffers {
public:
  char *add(int64_t bytes) {
    memory.emplace_back(bytes + 192, char(0xA5));
    char *begin = memory.back().data();
    begin += 64 - reinterpret_cast<uintptr_t>(begin) % 64;
    pointers.push_back(begin);
    return begin;
  }
  void **data() { return pointers.data(); }
  char *operator[](size_t i) const { return static_cast<char *>(pointers[i]); }

private:
  std::vector<std::vector<char>> memory;
  std::vector<void *> pointers;
};

int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() * interp::elementBytes(elementOf(type.getElementType()));
}

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

llvm::Expected<Outcome> runOnCpu(ModuleOp source, func::FuncOp function,
                                 const std::vector<interp::Array> &arguments, const Settings &settings) {
  const std::string name = function.getName().str();
  OwningOpRef<ModuleOp> module = isolated(source, name);
  cpu::CpuOptions options;
  options.fuse = settings.fuse;
  options.level = settings.level;
  auto start = std::chrono::steady_clock::now();
  auto fused = [&](OpPassManager &m) { cpu::buildFusedPipeline(m, {.fuse = options.fuse}); };
  auto lowered = [&](OpPassManager &m) { cpu::buildLoweredPipeline(m, options); };
  if (auto error = runPasses(*module, fused, "grouped"))
    return error;
  if (settings.dump == "fused")
    module->print(llvm::outs());
  if (auto error = runPasses(*module, lowered, "lowered"))
    return error;
  if (settings.dump == "lowered")
    module->print(llvm::outs());
  int64_t arenaBytes = module->lookupSymbol(name)->getAttrOfType<IntegerAttr>("heddle.arena_bytes").getInt();
  if (auto error = runPasses(*module, [](OpPassManager &m) { cpu::buildLLVMPipeline(m); }, "lowered to LLVM"))
    return error;
  const double passSeconds = secondsSince(start);
  auto native = jit::NativeModule::create(*module, {settings.level});
  if (!native)
    return native.takeError();
  if (settings.dump == "llvm")
    llvm::outs() << native->llvmIR();
  if (settings.dump == "asm")
    llvm::outs() << *native->assembly();
  auto executable = jit::Executable::load(std::move(*native), name);
  if (!executable)
    return executable.takeError();
  const double compileSeconds = secondsSince(start) - passSeconds;

  Buffers buffers;
  for (auto [argument, type] : llvm::zip(arguments, function.getArgumentTypes()))
    argument.toBuffer(buffers.add(bytesOf(cast<RankedTensorType>(type))));
  for (Type type : function.getResultTypes())
    buffers.add(bytesOf(cast<RankedTensorType>(type)));
  buffers.add(arenaBytes);
  auto resultBytes = [&] {
    std::vector<std::vector<char>> bytes;
    for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
      char *begin = buffers[arguments.size() + i];
      bytes.emplace_back(begin, begin + bytesOf(cast<RankedTensorType>(type)));
    }
    return bytes;
  };
  // The number of threads must not change a bit, and the arena's old contents must not matter.
  heddle_call_t call;
  heddle_call_init(&call);
  heddle_set_num_threads(1);
  const int32_t status = (*executable)->run(&call, buffers.data());
  auto once = resultBytes();
  heddle_set_num_threads(4);
  heddle_call_init(&call);
  (*executable)->run(&call, buffers.data());
  Outcome outcome;
  if (status) {
    outcome.failure = call.message;
    return outcome;
  }
  if (resultBytes() != once)
    return llvm::createStringError("gives other bits on four threads");
  for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
    auto tensor = cast<RankedTensorType>(type);
    outcome.results.push_back(interp::Array::fromBuffer(elementOf(tensor.getElementType()), tensor.getShape(),
                                                        buffers[arguments.size() + i]));
  }
  llvm::raw_string_ostream notes(outcome.notes);
  notes << "arena " << arenaBytes << " bytes, passes " << passSeconds << " s, code " << compileSeconds
        << " s\n";
  double best = HUGE_VAL;
  for (int i = 0; i < settings.repeat; ++i) {
    start = std::chrono::steady_clock::now();
    (*executable)->run(&call, buffers.data());
    best = std::min(best, secondsSince(start));
  }
  if (settings.repeat > 0)
    notes << '@' << name << ": " << best * 1e3 << " ms\n";
  return outcome;
}

} // namespace heddle::tests
