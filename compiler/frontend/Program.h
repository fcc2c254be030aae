// A program: its files, their modules, and the declarations by name.
#pragma once
#include "compiler/frontend/AST.h"
#include "compiler/frontend/Diagnostics.h"

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace heddle::frontend {

struct ModuleInfo;

struct FnDecl {
  const ast::FnItem *item = nullptr;
  const ModuleInfo *module = nullptr;
  /// Dimension variables in the order of their first use: those in brackets, then those of the parameters.
  std::vector<ast::Name> dims;
  /// Recompute in the backward pass.
  bool checkpoint = false;
  /// The function marked `@vjp(of = this)`, or null.
  const FnDecl *rule = nullptr;

  const std::string &name() const { return item->name.text; }
  bool isGeneric() const { return !item->typeParameters.empty(); }
};

struct StructDecl {
  const ast::StructItem *item = nullptr;
  const ModuleInfo *module = nullptr;

  const std::string &name() const { return item->name.text; }
};

struct ConstDecl {
  const ast::ConstItem *item = nullptr;
  const ModuleInfo *module = nullptr;
};

/// What a name at the top of a file stands for.
using Decl = std::variant<std::monostate, const FnDecl *, const StructDecl *, const ConstDecl *>;

/// Where a declaration's name stands.
Span nameSpan(const Decl &decl);

/// One file and the names it declares and imports.
struct ModuleInfo {
  std::unique_ptr<Source> source;
  std::unique_ptr<ast::Module> tree;
  std::map<std::string, Decl, std::less<>> names;
  std::vector<const ModuleInfo *> imports;
  /// The library module whose names every file sees behind its own and the imported ones; null for itself.
  const ModuleInfo *prelude = nullptr;
  std::vector<std::unique_ptr<FnDecl>> functions;
  std::vector<std::unique_ptr<StructDecl>> structs;
  std::vector<std::unique_ptr<ConstDecl>> consts;

  /// Declarations of that name: the file's own one, or else those of the imported files, or else the
  /// prelude's.
  std::vector<Decl> lookup(std::string_view name) const;
};

/// All files of a program. `modules.front()` is the file that was asked for.
class Program {
public:
  const ModuleInfo &main() const { return *modules.front(); }
  const FnDecl *function(std::string_view name) const;

  std::vector<std::unique_ptr<ModuleInfo>> modules;
  const ModuleInfo *prelude = nullptr;
  /// Set when loading or checking reported errors: nothing may be emitted.
  bool broken = false;
  /// Set when a text or an import could not be read: declarations may be missing.
  bool incomplete = false;
};

/// The text of a library module (`std.nn`), or null.
const std::string_view *libraryText(std::string_view name);
/// The names of the library's modules, sorted.
std::vector<std::string> libraryModules();

/// Reads a file and everything it imports. Returns a program even after errors, for editors; check
/// `program.broken`.
std::unique_ptr<Program> loadProgram(const std::string &path, Diagnostics &diagnostics);
/// The same for text in memory; `name` is shown in messages and imports are relative to its folder.
std::unique_ptr<Program> loadProgramText(const std::string &name, std::string text, Diagnostics &diagnostics);

} // namespace heddle::frontend
