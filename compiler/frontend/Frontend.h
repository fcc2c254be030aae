// The front end for drivers: load a program, check it, learn an entry's signature, emit IR for shapes.
#pragma once
#include "compiler/frontend/Program.h"
#include "compiler/frontend/Type.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <optional>

namespace heddle::frontend {

/// Checks every declaration, with dimensions as variables. True if there are no errors, now or from loading.
bool check(Program &program, Diagnostics &diagnostics);

struct SignatureParameter {
  std::string name;
  /// With the entry's dimension variables. Its leaves are the tensors to pass, in order; a type parameter of
  /// the entry stands as f32 here.
  Type type;
  std::string typeText; // as written
  /// For each leaf the type parameter that is its element type, or an empty string.
  std::vector<std::string> elementVariables;
  bool hasDefault = false;
  std::string defaultText; // as written
  Span span;
};

struct SignatureDim {
  std::string name;
  /// In brackets after the function's name: the arguments need not bind it.
  bool isExplicit = false;
  bool hasDefault = false;
  std::string defaultText;
};

struct EntrySignature {
  std::string name;
  std::string doc;
  std::vector<SignatureParameter> parameters;
  std::vector<SignatureDim> dims;

  /// `x: f32[N], rate: f32 = 0.1`, for messages.
  std::string str() const;
};

/// What an entry takes. Empty after an error was reported: there is no such function, or its type parameters
/// are not element types.
std::optional<EntrySignature> entrySignature(const Program &program, const std::string &entry,
                                             Diagnostics &diagnostics);

/// The type of one argument tensor.
struct LeafType {
  ElementType element = ElementType::F32;
  std::vector<int64_t> shape;
};

/// What an entry is specialised to.
struct EntryArguments {
  /// For each parameter the types of its leaves in order; empty optional: the parameter takes its default,
  /// which becomes a constant of the code and no argument.
  std::vector<std::optional<std::vector<LeafType>>> parameters;
  /// Values of dimensions by name, on top of what the shapes bind.
  std::map<std::string, int64_t> dims;
};

/// Emits the entry and all it needs for these shapes. The entry is public and named as in the source; its
/// arguments and results carry `heddle.name`: parameters and their field paths (`p.layers.wq`); results `out`
/// for one tensor, field paths for a struct, `out.0`, `out.1.layers.wq` for tuples. The entry carries the
/// dimensions in force as `heddle.dims`. Null after errors.
mlir::OwningOpRef<mlir::ModuleOp> emitEntry(const Program &program, const std::string &entry,
                                            const EntryArguments &arguments, mlir::MLIRContext &context,
                                            Diagnostics &diagnostics);

} // namespace heddle::frontend
