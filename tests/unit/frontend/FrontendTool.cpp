// A small driver of the front end alone, for its tests:
//   heddle-frontend-test check FILE
//   heddle-frontend-test signature FILE ENTRY
//   heddle-frontend-test builtins            (the table of compiler/LANGUAGE.md)
//   heddle-frontend-test emit FILE ENTRY [TYPE | p=TYPE,TYPE | name=default]… [--dim K=3]
// where TYPE is `f32` or `f32[2x3]`, for the leaves of all parameters in order.
#include "compiler/frontend/Frontend.h"
#include "compiler/frontend/builtins/Builtins.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

#include <iostream>

using namespace heddle::frontend;

static std::optional<LeafType> parseLeaf(llvm::StringRef text) {
  auto [element, dims] = text.split('[');
  std::optional<ElementType> type = elementTypeNamed(element);
  if (!type)
    return std::nullopt;
  LeafType leaf{*type, {}};
  dims.consume_back("]");
  while (!dims.empty()) {
    auto [first, rest] = dims.split('x');
    int64_t extent;
    if (first.getAsInteger(10, extent))
      return std::nullopt;
    leaf.shape.push_back(extent);
    dims = rest;
  }
  return leaf;
}

int main(int argc, char **argv) {
  if (argc == 2 && llvm::StringRef(argv[1]) == "builtins") {
    llvm::outs() << "| builtin | |\n|---|---|\n";
    for (llvm::StringRef name : allBuiltinNames())
      llvm::outs() << "| `" << lookupBuiltin(name)->signature << "` | " << lookupBuiltin(name)->summary
                   << " |\n";
    return 0;
  }
  if (argc < 3)
    return 2;
  std::string command = argv[1];
  Diagnostics diagnostics;
  std::unique_ptr<Program> program = loadProgram(argv[2], diagnostics);
  bool fine = check(*program, diagnostics);
  if (command == "signature" && fine && argc > 3) {
    if (auto found = entrySignature(*program, argv[3], diagnostics)) {
      for (const SignatureParameter &parameter : found->parameters) {
        llvm::outs() << parameter.name << ": " << parameter.typeText
                     << (parameter.hasDefault ? " = " + parameter.defaultText : "") << "\n";
        std::vector<Type::Leaf> leaves = parameter.type.leaves(parameter.name);
        for (size_t i = 0; i < leaves.size(); ++i)
          llvm::outs() << "  " << leaves[i].name << ": "
                       << (parameter.elementVariables[i].empty()
                               ? leaves[i].type.str()
                               : parameter.elementVariables[i] + shapeString(leaves[i].type.dims()))
                       << "\n";
      }
      for (const SignatureDim &dim : found->dims)
        llvm::outs() << "dim " << dim.name << (dim.isExplicit ? " explicit" : "")
                     << (dim.hasDefault ? " = " + dim.defaultText : "") << "\n";
    }
  }
  if (command == "emit" && fine && argc > 3) {
    if (auto found = entrySignature(*program, argv[3], diagnostics)) {
      EntryArguments arguments;
      std::vector<std::string> types;
      for (int i = 4; i < argc; ++i) {
        llvm::StringRef text = argv[i];
        if (text == "--dim" && i + 1 < argc) {
          auto [name, value] = llvm::StringRef(argv[++i]).split('=');
          int64_t number = 0;
          value.getAsInteger(10, number);
          arguments.dims[name.str()] = number;
        } else {
          types.push_back(text.str());
        }
      }
      size_t next = 0;
      for (const SignatureParameter &parameter : found->parameters) {
        std::vector<LeafType> leaves;
        if (next < types.size() && types[next] == "default") {
          ++next;
          arguments.parameters.push_back(std::nullopt);
          continue;
        }
        for (size_t i = 0; i < parameter.elementVariables.size() && next < types.size(); ++i) {
          std::optional<LeafType> leaf = parseLeaf(types[next++]);
          if (!leaf)
            return 2;
          leaves.push_back(*leaf);
        }
        if (leaves.empty())
          arguments.parameters.push_back(std::nullopt);
        else
          arguments.parameters.push_back(leaves);
      }
      mlir::MLIRContext context;
      auto module = emitEntry(*program, argv[3], arguments, context, diagnostics);
      if (module) {
        bool valid = mlir::succeeded(mlir::verify(*module));
        module->print(llvm::outs());
        if (!valid)
          return 3;
      }
    }
  }
  diagnostics.print(std::cerr, wantsColour(2));
  return diagnostics.hasErrors() ? 1 : 0;
}
