#include "compiler/frontend/Program.h"
#include "compiler/frontend/Parser.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>
#include <set>

namespace heddle::frontend {

Span nameSpan(const Decl &decl) {
  if (auto *fn = std::get_if<const FnDecl *>(&decl))
    return (*fn)->item->name.span;
  if (auto *structure = std::get_if<const StructDecl *>(&decl))
    return (*structure)->item->name.span;
  if (auto *constant = std::get_if<const ConstDecl *>(&decl))
    return (*constant)->item->name.span;
  return {};
}

std::vector<Decl> ModuleInfo::lookup(std::string_view name) const {
  if (auto own = names.find(name); own != names.end())
    return {own->second};
  std::vector<Decl> found;
  for (const ModuleInfo *module : imports)
    if (auto theirs = module->names.find(name); theirs != module->names.end())
      found.push_back(theirs->second);
  if (found.empty() && prelude)
    if (auto common = prelude->names.find(name); common != prelude->names.end())
      found.push_back(common->second);
  return found;
}

const FnDecl *Program::function(std::string_view name) const {
  for (const auto &fn : main().functions)
    if (fn->name() == name)
      return fn.get();
  return nullptr;
}

namespace {

/// Loads modules depth first; a module on the way back to itself is a cycle.
class Loader {
public:
  Loader(Program &program, Diagnostics &diagnostics) : program(program), diagnostics(diagnostics) {}

  ModuleInfo *load(std::unique_ptr<Source> source, const std::string &key);
  /// Loads the prelude unless the program imports it by name, and shows its names to every other file.
  void loadPrelude();

private:
  void imports(ModuleInfo &module);
  void declare(ModuleInfo &module);
  void add(ModuleInfo &module, const ast::Name &name, Decl decl);
  void parametersOnce(const std::vector<ast::TypeParameter> &types,
                      const std::vector<ast::DimParameter> &dims);
  void attributes(ModuleInfo &module);

  Program &program;
  Diagnostics &diagnostics;
  std::map<std::string, ModuleInfo *> loaded;
  struct Step {
    std::string key;
    Span import;
  };
  std::vector<Step> path;
};

std::string canonical(const std::string &path) {
  std::error_code error;
  std::filesystem::path result = std::filesystem::weakly_canonical(path, error);
  return error ? path : result.string();
}

ModuleInfo *Loader::load(std::unique_ptr<Source> source, const std::string &key) {
  program.modules.push_back(std::make_unique<ModuleInfo>());
  ModuleInfo &module = *program.modules.back();
  loaded[key] = &module;
  module.source = std::move(source);
  size_t before = diagnostics.errorCount();
  module.tree = parse(*module.source, diagnostics);
  program.incomplete |= diagnostics.errorCount() != before;
  path.push_back({key, {}});
  imports(module);
  path.pop_back();
  declare(module);
  return &module;
}

void Loader::loadPrelude() {
  const std::string key = "std.sparsek";
  auto known = loaded.find(key);
  program.prelude =
      known != loaded.end()
          ? known->second
          : load(std::make_unique<Source>(key + ".heddle", std::string(*libraryText(key))), key);
  for (const auto &module : program.modules)
    if (module.get() != program.prelude)
      module->prelude = program.prelude;
}

void Loader::imports(ModuleInfo &module) {
  for (const auto &item : module.tree->imports) {
    std::unique_ptr<Source> source;
    std::string key;
    std::string error;
    if (item->isPath) {
      std::filesystem::path target(item->target);
      if (target.is_relative())
        target = std::filesystem::path(module.source->name()).parent_path() / target;
      key = canonical(target.string());
      if (!loaded.count(key))
        source = Source::read(target.lexically_normal().string(), error);
    } else {
      key = item->target;
      const std::string_view *text = libraryText(key);
      if (!text)
        error = "there is no such module";
      else if (!loaded.count(key))
        source = std::make_unique<Source>(key + ".heddle", std::string(*text));
    }
    auto step = std::find_if(path.begin(), path.end(), [&](const Step &s) { return s.key == key; });
    if (step != path.end()) {
      Diagnostic &cycle = diagnostics.error(item->span, "this import goes in a circle");
      for (; step + 1 != path.end(); ++step)
        cycle.note(step->import, "through this import");
      continue;
    }
    if (!source && !loaded.count(key)) {
      program.incomplete = true;
      Diagnostic &missing =
          diagnostics.error(item->targetSpan, "cannot import " + item->target + ": " + error);
      if (!item->isPath) {
        std::vector<std::string> names = libraryModules();
        std::string near = nearest(item->target, names);
        std::string list;
        for (const std::string &name : names)
          list += (list.empty() ? "" : ", ") + name;
        missing.hint(!near.empty()
                         ? "did you mean '" + near + "'?"
                         : "the library has " + list + "; a file is imported by its path in quotes");
      } else {
        missing.hint("the path is relative to the folder of the importing file");
      }
      continue;
    }
    ModuleInfo *target = loaded.count(key) ? loaded[key] : nullptr;
    if (!target) {
      path.back().import = item->span;
      target = load(std::move(source), key);
    }
    if (std::find(module.imports.begin(), module.imports.end(), target) == module.imports.end())
      module.imports.push_back(target);
  }
}

void Loader::add(ModuleInfo &module, const ast::Name &name, Decl decl) {
  auto [entry, fresh] = module.names.emplace(name.text, decl);
  if (!fresh)
    diagnostics.error(name.span, "'" + name.text + "' is declared twice")
        .note(nameSpan(entry->second), "it was declared here");
}

/// Calls `visit` for every name in a dimension position of a type.
void dimensionNames(const ast::Expr *expr, bool inDims,
                    const std::function<void(const ast::NameExpr &)> &visit) {
  if (!expr)
    return;
  if (auto *x = expr->as<ast::NameExpr>()) {
    if (inDims)
      visit(*x);
  } else if (auto *x = expr->as<ast::IndexExpr>()) {
    dimensionNames(x->base.get(), inDims, visit);
    for (const ast::IndexItem &item : x->items)
      dimensionNames(item.value.get(), true, visit);
  } else if (auto *x = expr->as<ast::TypeApplyExpr>()) {
    for (const ast::ExprPtr &argument : x->arguments)
      dimensionNames(argument.get(), false, visit);
  } else if (auto *x = expr->as<ast::StackTypeExpr>()) {
    dimensionNames(x->element.get(), false, visit);
    dimensionNames(x->count.get(), true, visit);
  } else if (auto *x = expr->as<ast::TupleExpr>()) {
    for (const ast::ExprPtr &item : x->items)
      dimensionNames(item.get(), inDims, visit);
  } else if (auto *x = expr->as<ast::BinaryExpr>()) {
    dimensionNames(x->lhs.get(), inDims, visit);
    dimensionNames(x->rhs.get(), inDims, visit);
  } else if (auto *x = expr->as<ast::UnaryExpr>()) {
    dimensionNames(x->operand.get(), inDims, visit);
  }
}

/// Reports names that the brackets after a declaration's name hold twice.
void Loader::parametersOnce(const std::vector<ast::TypeParameter> &types,
                            const std::vector<ast::DimParameter> &dims) {
  std::map<std::string, Span> seen;
  auto once = [&](const char *what, const ast::Name &name) {
    if (auto [entry, fresh] = seen.emplace(name.text, name.span); !fresh)
      diagnostics.error(name.span, std::string(what) + " '" + name.text + "' is declared twice")
          .note(entry->second, "it was declared here");
  };
  for (const ast::TypeParameter &type : types)
    once("the type parameter", type.name);
  for (const ast::DimParameter &dim : dims)
    once("the dimension", dim.name);
}

void Loader::declare(ModuleInfo &module) {
  for (const auto &item : module.tree->consts) {
    module.consts.push_back(std::make_unique<ConstDecl>(ConstDecl{item.get(), &module}));
    add(module, item->name, module.consts.back().get());
  }
  for (const auto &item : module.tree->structs) {
    module.structs.push_back(std::make_unique<StructDecl>(StructDecl{item.get(), &module}));
    add(module, item->name, module.structs.back().get());
    parametersOnce(item->typeParameters, item->dims);
    std::map<std::string, Span> seen;
    for (const ast::FieldDecl &field : item->fields)
      if (auto [entry, fresh] = seen.emplace(field.name.text, field.name.span); !fresh)
        diagnostics.error(field.name.span, "the field '" + field.name.text + "' is declared twice")
            .note(entry->second, "it was declared here");
  }
  for (const auto &item : module.tree->functions) {
    module.functions.push_back(std::make_unique<FnDecl>());
    FnDecl &fn = *module.functions.back();
    fn.item = item.get();
    fn.module = &module;
    add(module, item->name, &fn);
  }
  // Dimension variables are the names in dimension positions that mean nothing else.
  for (const auto &fn : module.functions) {
    std::set<std::string> seen;
    for (const ast::DimParameter &dim : fn->item->dims)
      if (seen.insert(dim.name.text).second)
        fn->dims.push_back(dim.name);
    parametersOnce(fn->item->typeParameters, fn->item->dims);
    std::map<std::string, Span> parameters;
    for (const ast::Parameter &parameter : fn->item->parameters) {
      if (auto [entry, isNew] = parameters.emplace(parameter.name.text, parameter.name.span);
          !isNew && parameter.name.text != "_")
        diagnostics
            .error(parameter.name.span, "the parameter '" + parameter.name.text + "' is declared twice")
            .note(entry->second, "it was declared here");
      dimensionNames(parameter.type.get(), false, [&](const ast::NameExpr &name) {
        bool isVariable =
            std::isupper(static_cast<unsigned char>(name.name[0])) && module.lookup(name.name).empty();
        for (const ast::TypeParameter &type : fn->item->typeParameters)
          isVariable &= type.name.text != name.name;
        if (isVariable && seen.insert(name.name).second)
          fn->dims.push_back({name.name, name.span});
      });
    }
  }
  attributes(module);
}

void Loader::attributes(ModuleInfo &module) {
  for (const auto &fn : module.functions) {
    for (const ast::Attribute &attribute : fn->item->attributes) {
      if (attribute.name.text == "checkpoint") {
        if (!attribute.arguments.empty())
          diagnostics.error(attribute.span, "'@checkpoint' takes no arguments");
        fn->checkpoint = true;
        continue;
      }
      if (attribute.name.text != "vjp") {
        std::string near = nearest(attribute.name.text, {"checkpoint", "vjp"});
        diagnostics.error(attribute.name.span, "unknown attribute '@" + attribute.name.text + "'")
            .hint(near.empty() ? "the attributes are '@checkpoint' and '@vjp(of = f)'"
                               : "did you mean '@" + near + "'?");
        continue;
      }
      const ast::NameExpr *target = nullptr;
      if (attribute.arguments.size() == 1 && attribute.arguments[0].name.text == "of")
        target = attribute.arguments[0].value->as<ast::NameExpr>();
      if (!target) {
        diagnostics.error(attribute.span, "'@vjp' names the function it belongs to")
            .hint("write '@vjp(of = f)'");
        continue;
      }
      auto found = std::find_if(module.functions.begin(), module.functions.end(),
                                [&](const auto &other) { return other->name() == target->name; });
      if (found == module.functions.end() || *found == fn) {
        diagnostics.error(target->span,
                          "'@vjp' names '" + target->name + "', which is no other function of this file");
        continue;
      }
      if ((*found)->rule)
        diagnostics.error(attribute.span, "'" + target->name + "' has two rules")
            .note((*found)->rule->item->name.span, "the other one is here");
      (*found)->rule = fn.get();
    }
  }
}

std::unique_ptr<Program> loadFrom(std::unique_ptr<Source> source, Diagnostics &diagnostics) {
  auto program = std::make_unique<Program>();
  size_t before = diagnostics.errorCount();
  std::string key = canonical(source->name());
  Loader loader(*program, diagnostics);
  loader.load(std::move(source), key);
  loader.loadPrelude();
  program->broken = diagnostics.errorCount() != before;
  return program;
}

} // namespace

std::unique_ptr<Program> loadProgram(const std::string &path, Diagnostics &diagnostics) {
  std::string error;
  std::unique_ptr<Source> source = Source::read(path, error);
  if (source)
    return loadFrom(std::move(source), diagnostics);
  diagnostics.error(Span(), "cannot read " + path + ": " + error);
  std::unique_ptr<Program> program = loadFrom(std::make_unique<Source>(path, ""), diagnostics);
  program->broken = program->incomplete = true;
  return program;
}

std::unique_ptr<Program> loadProgramText(const std::string &name, std::string text,
                                         Diagnostics &diagnostics) {
  return loadFrom(std::make_unique<Source>(name, std::move(text)), diagnostics);
}

} // namespace heddle::frontend
