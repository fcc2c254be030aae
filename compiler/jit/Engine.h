//===- Engine.h - LLVM dialect to machine code ------------------*- C++ -*-===//
#pragma once

#include "compiler/jit/Target.h"

#include "llvm/Support/Error.h"
#include <heddle/runtime.h>
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm
namespace mlir {
class DialectRegistry;
class ModuleOp;
} // namespace mlir

namespace heddle::jit {

/// What translation to LLVM IR needs of a context.
void registerTranslations(mlir::DialectRegistry &registry);

/// How much is optimised: Quick is for code that tests run a few times.
enum class Effort { Full, Quick };

/// An optimised LLVM module and the machine it was optimised for.
struct NativeModule {
  NativeModule();
  NativeModule(NativeModule &&) noexcept;
  ~NativeModule();

  /// Translates a module of the LLVM dialect and optimises it.
  static llvm::Expected<NativeModule> create(mlir::ModuleOp module, const CpuTarget &target = {},
                                             Effort effort = Effort::Full);

  std::string llvmIR() const;
  llvm::Expected<std::string> object() const;
  llvm::Expected<std::string> assembly() const;

  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
};

/// Machine code in this process.
class Executable {
public:
  ~Executable();

  /// Translates a module of the LLVM dialect, optimises it in parts on several threads, and links it with
  /// this process.
  static llvm::Expected<std::unique_ptr<Executable>> compile(mlir::ModuleOp module, const std::string &entry,
                                                             const CpuTarget &target = {});
  /// The same in two steps, with the object files of the parts in between.
  static llvm::Expected<std::vector<std::string>> compileObjects(mlir::ModuleOp module,
                                                                 const CpuTarget &target = {});
  static llvm::Expected<std::unique_ptr<Executable>> link(const std::vector<std::string> &objects);
  /// Finds the entry `heddle_entry_<name>` for `run`, too.
  static llvm::Expected<std::unique_ptr<Executable>> link(const std::vector<std::string> &objects,
                                                          const std::string &entry);

  /// Links a module with this process, which holds the runtime.
  static llvm::Expected<std::unique_ptr<Executable>> load(NativeModule module);
  /// The same, and finds the entry `heddle_entry_<name>` for `run`.
  static llvm::Expected<std::unique_ptr<Executable>> load(NativeModule module, const std::string &entry);

  /// The address of an exported function. The first call generates the machine code.
  llvm::Expected<void *> symbol(const std::string &name) const;

  /// Runs the entry: `buffers` are the inputs, the results and the arena. Returns the call's status.
  int32_t run(heddle_call_t *call, void **buffers) const { return function(call, buffers); }
  /// The same as a pointer.
  int32_t (*entry() const)(heddle_call_t *, void **) { return function; }

private:
  Executable();
  llvm::Error find(const std::string &entry);
  struct Jit;
  std::unique_ptr<Jit> jit;
  int32_t (*function)(heddle_call_t *, void **) = nullptr;
};

} // namespace heddle::jit
