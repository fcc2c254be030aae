//===- plugin.cpp - Our dialects and passes inside the stock mlir-opt -----===//
//
//   mlir-opt --load-dialect-plugin=libHeddlePlugin.so --load-pass-plugin=libHeddlePlugin.so FILE
//
// The plugin leaves MLIR's own symbols to the program that loads it.

#include "compiler/pipelines/Register.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

static constexpr const char *pluginName = "heddle";
static constexpr const char *pluginVersion = "0.1.0";

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, pluginName, pluginVersion,
          [](mlir::DialectRegistry *registry) { heddle::pipelines::registerHeddleDialects(*registry); }};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, pluginName, pluginVersion, heddle::pipelines::registerPasses};
}
