//===- Stages.cpp - A program at any stage of compilation -----------------===//

#include "compiler/jit/Stages.h"

#include "compiler/interpreter/Interpreter.h"
#include "compiler/jit/Engine.h"

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

OwnedModule elaborate(const frontend::Program &program, const std::string &entry,
                      const frontend::EntryArguments &arguments) {
  DialectRegistry registry;
  pipelines::registerDialects(registry);
  OwnedModule result;
  result.context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  result.context->loadAllAvailableDialects();
  frontend::Diagnostics diagnostics;
  result.module = frontend::emitEntry(program, entry, arguments, *result.context, diagnostics);
  if (!result.module)
    throw Error(HEDDLE_PROGRAM_ERROR, diagnostics.str());
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
  OwnedModule owned = elaborate(program, entry, arguments);
  runPipeline(*owned.module, stage, options);
  if (stage < pipelines::Stage::LLVM) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    owned.module->print(stream);
    return text;
  }
  NativeModule native = expect(NativeModule::create(*owned.module, {options.cpu.level}));
  return stage == pipelines::Stage::LLVM ? native.llvmIR() : expect(native.object());
}

} // namespace heddle::jit
