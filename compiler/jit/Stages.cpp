//===- Stages.cpp - A program at any stage of compilation -----------------===//

#include "compiler/jit/Stages.h"

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/interpreter/Interpreter.h"
#include "compiler/jit/DeviceProgram.h"
#include "compiler/jit/Engine.h"
#include "compiler/jit/Excerpts.h"

#include <heddle/error.hpp>

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace heddle::jit {

/// The position and text of a diagnostic of a pass, as the front end prints its own.
static std::string describe(Diagnostic &diagnostic) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto position = interp::filePosition(diagnostic.getLocation()))
    stream << position->getFilename().getValue() << ":" << position->getLine() << ":" << position->getColumn()
           << ": ";
  stream << (diagnostic.getSeverity() == DiagnosticSeverity::Note ? "note: " : "error: ") << diagnostic;
  for (Diagnostic &note : diagnostic.getNotes())
    stream << "\n" << describe(note);
  return text;
}

void runPipeline(ModuleOp module, pipelines::Stage last, const pipelines::PipelineOptions &options) {
  std::string messages;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
      messages += (messages.empty() ? "" : "\n") + describe(diagnostic);
    return success();
  });
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  pipelines::buildPipeline(manager, last, options);
  if (failed(manager.run(module)))
    throw Error(HEDDLE_PROGRAM_ERROR,
                messages.empty() ? "error: compilation failed without a message" : messages);
}

/// Refuses tensors of more elements than can be computed with; sizes and offsets then do not overflow, also
/// where a loop keeps such a tensor for each of its steps. Returns the message, or an empty string.
static std::string checkSizes(ModuleOp module) {
  constexpr int64_t most = int64_t(1) << 48;
  std::string message;
  auto fits = [&](Type type, Location location) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape() || llvm::is_contained(tensor.getShape(), 0))
      return true;
    int64_t elements = 1;
    for (int64_t extent : tensor.getShape())
      if (__builtin_mul_overflow(elements, extent, &elements) || elements > most) {
        std::string shape;
        for (int64_t d : tensor.getShape())
          shape += (shape.empty() ? "" : ", ") + std::to_string(d);
        if (auto position = interp::filePosition(location))
          message = position->getFilename().str() + ":" + std::to_string(position->getLine()) + ":" +
                    std::to_string(position->getColumn()) + ": ";
        message += "error: a tensor of shape [" + shape + "] has more than " + std::to_string(most) +
                   " elements, the most that can be computed with";
        return false;
      }
    return true;
  };
  module.walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (!fits(type, op->getLoc()))
        return WalkResult::interrupt();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          if (!fits(argument.getType(), argument.getLoc()))
            return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return message;
}

OwnedModule elaborate(const frontend::Program &program, const std::string &entry,
                      const frontend::EntryArguments &arguments) {
  DialectRegistry registry;
  pipelines::registerDialects(registry);
  OwnedModule result;
  result.context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  result.context->loadAllAvailableDialects();
  // Messages of passes are for people who write programs: the place is enough.
  result.context->printOpOnDiagnostic(false);
  frontend::Diagnostics diagnostics;
  result.module = frontend::emitEntry(program, entry, arguments, *result.context, diagnostics);
  if (!result.module)
    throw Error(HEDDLE_PROGRAM_ERROR, diagnostics.str());
  if (std::string message = checkSizes(*result.module); !message.empty())
    throw Error(HEDDLE_PROGRAM_ERROR, Excerpts(program).show(message));
  return result;
}

/// The value, or an internal Error with its message.
template <typename T>
static T expect(llvm::Expected<T> value) {
  if (!value)
    throw Error(HEDDLE_INTERNAL, llvm::toString(value.takeError()));
  return std::move(*value);
}

std::string emitStage(const frontend::Program &program, const std::string &entry,
                      const frontend::EntryArguments &arguments, pipelines::Stage stage,
                      const pipelines::PipelineOptions &options) {
  if (stage > pipelines::Stage::Object && !options.device)
    throw Error(HEDDLE_INVALID_ARGUMENT, "PTX and cubin are code for GPUs", "add --target cuda");
  OwnedModule owned = elaborate(program, entry, arguments);
  try {
    runPipeline(*owned.module, stage, options);
  } catch (const Error &error) {
    throw Error(error.status(), Excerpts(program).show(error.what()));
  }
  if (stage < pipelines::Stage::LLVM) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    owned.module->print(stream);
    return text;
  }
  if (options.device) {
    DeviceTarget target;
    target.major = options.device->capability / 10;
    target.minor = options.device->capability % 10;
    DeviceProgram device = compileDevice(*owned.module, entry, target);
    if (stage == pipelines::Stage::PTX)
      return device.image;
    if (stage == pipelines::Stage::Cubin) {
      auto cubin = gpu::assemble(device.image, expect(gpu::Chip::forCapability(options.device->capability)));
      if (!cubin)
        throw Error(HEDDLE_UNSUPPORTED, llvm::toString(cubin.takeError()));
      return *cubin;
    }
    PassManager manager(owned.context.get(), ModuleOp::getOperationName());
    cpu::buildLLVMPipeline(manager);
    if (failed(manager.run(*owned.module)))
      throw Error(HEDDLE_INTERNAL, "lowering to LLVM failed");
  }
  NativeModule native = expect(NativeModule::create(*owned.module, {options.cpu.level}));
  return stage == pipelines::Stage::LLVM ? native.llvmIR() : expect(native.object());
}

} // namespace heddle::jit
