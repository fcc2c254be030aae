// Entries: signatures for drivers, binding of shapes, and emission.
#include "compiler/frontend/Elaborator.h"
#include "compiler/frontend/Frontend.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace heddle::frontend {

bool check(Program &program, Diagnostics &diagnostics) {
  size_t before = diagnostics.errorCount();
  Elaborator(program, diagnostics).checkAll();
  if (diagnostics.errorCount() != before)
    program.broken = true;
  return !program.broken;
}

std::string EntrySignature::str() const {
  std::string text;
  for (const SignatureParameter &parameter : parameters)
    text += (text.empty() ? "" : ", ") + parameter.name + ": " + parameter.typeText +
            (parameter.hasDefault ? " = " + parameter.defaultText : "");
  return text;
}

static const FnDecl *findEntry(const Program &program, const std::string &name, Diagnostics &diagnostics) {
  if (const FnDecl *fn = program.function(name))
    return fn;
  Diagnostic &error =
      diagnostics.error(Span(), program.main().source->name() + " has no function '" + name + "'");
  std::vector<std::string> names;
  std::string list;
  for (const auto &fn : program.main().functions) {
    names.push_back(fn->name());
    list += (list.empty() ? "" : ", ") + fn->name();
  }
  if (std::string near = nearest(name, names); !near.empty())
    error.hint("did you mean '" + near + "'?");
  else
    error.hint(list.empty() ? "the file declares no functions" : "its functions are " + list);
  return nullptr;
}

static std::string leafName(const std::string &parameter, const std::string &path) {
  return path.empty() ? parameter : parameter + "." + path;
}

namespace {
/// The leaves of all parameters with the entry's dimensions as variables and the given element types.
struct SymbolicParameters {
  std::vector<Type> types;
  std::vector<std::vector<Type::Leaf>> leaves;
  bool ok = true;
};
} // namespace

static SymbolicParameters symbolicParameters(Elaborator &elaborator, const FnDecl &fn,
                                             const std::map<std::string, ElementType> &elements) {
  SymbolicParameters result;
  auto frame = elaborator.symbolicFrame(fn);
  for (const auto &[name, element] : elements)
    frame->types[name] = Type::tensor(element);
  ScopePtr scope = elaborator.root(frame);
  for (const ast::Parameter &parameter : fn.item->parameters) {
    Type type = parameter.type ? elaborator.resolveType(*parameter.type, *scope) : Type();
    result.ok &= !type.isError();
    result.types.push_back(type);
    result.leaves.push_back(type.leaves());
  }
  return result;
}

/// For each parameter and leaf the type parameter that is its element type, or an empty string. A leaf whose
/// element type follows a type parameter changes when that parameter does.
static std::optional<std::vector<std::vector<std::string>>> elementVariables(Elaborator &elaborator,
                                                                             const FnDecl &fn,
                                                                             SymbolicParameters &base,
                                                                             Diagnostics &diagnostics) {
  std::map<std::string, ElementType> elements;
  for (const ast::TypeParameter &type : fn.item->typeParameters) {
    if (!type.isFloat) {
      diagnostics
          .error(type.name.span, "'" + fn.name() + "' cannot be run by itself: its type parameter '" +
                                     type.name.text + "' is any type")
          .hint("call it from a function whose parameters have definite types");
      return std::nullopt;
    }
    elements[type.name.text] = ElementType::F32;
  }
  base = symbolicParameters(elaborator, fn, elements);
  if (!base.ok)
    return std::nullopt;
  std::vector<std::vector<std::string>> result;
  for (const auto &leaves : base.leaves)
    result.emplace_back(leaves.size());
  for (const ast::TypeParameter &type : fn.item->typeParameters) {
    auto changed = elements;
    changed[type.name.text] = ElementType::F64;
    SymbolicParameters other = symbolicParameters(elaborator, fn, changed);
    for (size_t i = 0; i < result.size(); ++i)
      for (size_t j = 0; j < result[i].size(); ++j)
        if (base.leaves[i][j].type.element() != other.leaves[i][j].type.element())
          result[i][j] = type.name.text;
  }
  return result;
}

std::optional<EntrySignature> entrySignature(const Program &program, const std::string &entry,
                                             Diagnostics &diagnostics) {
  const FnDecl *fn = findEntry(program, entry, diagnostics);
  if (!fn)
    return std::nullopt;
  Elaborator elaborator(program, diagnostics);
  SymbolicParameters symbolic;
  auto variables = elementVariables(elaborator, *fn, symbolic, diagnostics);
  if (!variables)
    return std::nullopt;
  EntrySignature result;
  result.name = entry;
  result.doc = fn->item->doc;
  for (size_t i = 0; i < fn->item->parameters.size(); ++i) {
    const ast::Parameter &parameter = fn->item->parameters[i];
    SignatureParameter described;
    described.name = parameter.name.text;
    described.type = symbolic.types[i];
    described.typeText = ast::print(*parameter.type);
    described.elementVariables = (*variables)[i];
    described.hasDefault = parameter.defaultValue != nullptr;
    described.defaultText = parameter.defaultValue ? ast::print(*parameter.defaultValue) : "";
    described.span = parameter.span;
    result.parameters.push_back(std::move(described));
  }
  for (size_t i = 0; i < fn->dims.size(); ++i) {
    SignatureDim dim;
    dim.name = fn->dims[i].text;
    dim.isExplicit = i < fn->item->dims.size();
    if (dim.isExplicit && fn->item->dims[i].defaultValue) {
      dim.hasDefault = true;
      dim.defaultText = ast::print(*fn->item->dims[i].defaultValue);
    }
    result.dims.push_back(std::move(dim));
  }
  return result;
}

//===--- Binding shapes -----------------------------------------------------------------------------===//

namespace {

std::string shapeText(const LeafType &leaf) {
  std::string text = spelling(leaf.element).str();
  for (size_t i = 0; i < leaf.shape.size(); ++i)
    text += (i ? ", " : "[") + std::to_string(leaf.shape[i]);
  return text + (leaf.shape.empty() ? "" : "]");
}

/// Finds the dimensions and element types that fit all given leaves.
class Binder {
public:
  Binder(Elaborator &elaborator, const FnDecl &fn, Diagnostics &diagnostics)
      : elaborator(elaborator), fn(fn), diagnostics(diagnostics) {}

  std::shared_ptr<Frame> run(const EntryArguments &arguments);

private:
  struct Bound {
    Dim value;
    std::string from; // "'x', axis 0"
    Span span;
  };
  struct Equation {
    Dim pattern;
    int64_t actual;
    size_t axis;
    std::string leaf;
    Span span;
  };
  bool match(const Equation &equation, bool &progress, bool &done);
  DimMap values() const {
    DimMap map;
    for (const auto &[name, bound] : dims)
      map[name] = bound.value;
    return map;
  }

  Elaborator &elaborator;
  const FnDecl &fn;
  Diagnostics &diagnostics;
  std::map<std::string, Bound> dims;
};

/// One equation `pattern = actual` under what is bound so far.
bool Binder::match(const Equation &equation, bool &progress, bool &done) {
  done = false;
  std::optional<Dim> known = equation.pattern.substitute(values());
  auto explain = [&](Diagnostic &error) {
    for (const std::string &variable : equation.pattern.variables())
      if (auto bound = dims.find(variable); bound != dims.end())
        error.note(bound->second.span,
                   variable + " = " + bound->second.value.str() + " comes from " + bound->second.from);
  };
  if (!known) {
    explain(diagnostics.error(equation.span, equation.pattern.str() + ", axis " +
                                                 std::to_string(equation.axis) + " of '" + equation.leaf +
                                                 "', is not whole"));
    return false;
  }
  std::vector<std::string> unknowns = known->variables();
  if (unknowns.empty()) {
    done = true;
    if (known->isConstant(equation.actual))
      return true;
    std::string text = equation.pattern.str();
    Diagnostic &error =
        diagnostics.error(equation.span, "axis " + std::to_string(equation.axis) + " of '" + equation.leaf +
                                             "' is " + std::to_string(equation.actual) + ", expected " +
                                             (text == known->str() ? text : text + " = " + known->str()));
    explain(error);
    return false;
  }
  if (unknowns.size() > 1)
    return true;
  std::optional<Dim> solution = known->solveFor(unknowns[0], Dim(equation.actual));
  if (!solution && !isLinear(*known, unknowns[0]))
    return true;
  if (!solution || !solution->isConstant() || solution->value() < 0) {
    explain(diagnostics.error(equation.span, "axis " + std::to_string(equation.axis) + " of '" +
                                                 equation.leaf + "' is " + std::to_string(equation.actual) +
                                                 ", but no " + unknowns[0] + " makes " +
                                                 equation.pattern.str() + " that"));
    return false;
  }
  dims[unknowns[0]] = {*solution, "'" + equation.leaf + "', axis " + std::to_string(equation.axis),
                       equation.span};
  progress = done = true;
  return true;
}

std::shared_ptr<Frame> Binder::run(const EntryArguments &arguments) {
  size_t before = diagnostics.errorCount();
  SymbolicParameters symbolic;
  auto variables = elementVariables(elaborator, fn, symbolic, diagnostics);
  if (!variables)
    return nullptr;
  for (const auto &[name, value] : arguments.dims) {
    std::vector<std::string> names;
    for (const ast::Name &dim : fn.dims)
      names.push_back(dim.text);
    if (!llvm::is_contained(names, name)) {
      Diagnostic &error =
          diagnostics.error(fn.item->name.span, "'" + fn.name() + "' has no dimension '" + name + "'");
      std::string list;
      for (const std::string &known : names)
        list += (list.empty() ? "" : ", ") + known;
      std::string near = nearest(name, names);
      error.hint(!near.empty()  ? "did you mean '" + near + "'?"
                 : list.empty() ? "it has no dimensions"
                                : "its dimensions are " + list);
      continue;
    }
    if (value < 0) {
      diagnostics.error(fn.item->name.span,
                        "dimension " + name + " = " + std::to_string(value) + " is negative");
      continue;
    }
    dims[name] = {Dim(value), "the given dimensions", fn.item->name.span};
  }
  // Element types first, then the extents.
  struct BoundElement {
    ElementType element;
    std::string leaf;
    Span span;
  };
  std::map<std::string, BoundElement> elements;
  std::vector<Equation> equations;
  for (size_t i = 0; i < fn.item->parameters.size(); ++i) {
    const ast::Parameter &parameter = fn.item->parameters[i];
    bool given = i < arguments.parameters.size() && arguments.parameters[i].has_value();
    if (!given) {
      if (!parameter.defaultValue)
        diagnostics
            .error(parameter.span,
                   "the argument '" + parameter.name.text + "' of '" + fn.name() + "' is missing")
            .hint("its type is " + ast::print(*parameter.type));
      continue;
    }
    const std::vector<LeafType> &leaves = *arguments.parameters[i];
    const std::vector<Type::Leaf> &expected = symbolic.leaves[i];
    if (leaves.size() != expected.size()) {
      diagnostics.error(parameter.span, "'" + parameter.name.text + "' has " +
                                            std::to_string(expected.size()) +
                                            (expected.size() == 1 ? " tensor" : " tensors") + ", got " +
                                            std::to_string(leaves.size()));
      continue;
    }
    for (size_t j = 0; j < leaves.size(); ++j) {
      std::string name = leafName(parameter.name.text, expected[j].name);
      const std::string &variable = (*variables)[i][j];
      const Type &type = expected[j].type;
      std::string written = (variable.empty() ? spelling(type.element()).str() : variable) +
                            (type.rank() ? shapeString(type.dims()) : "");
      if (variable.empty() ? leaves[j].element != type.element() : !isFloat(leaves[j].element)) {
        diagnostics
            .error(parameter.span, "'" + name + "' is " + shapeText(leaves[j]) + ", expected " + written)
            .hint(variable.empty() ? "convert it to " + spelling(type.element()).str() + " before the call"
                                   : variable + " is a float element type");
        continue;
      }
      if (!variable.empty()) {
        auto [entry, fresh] =
            elements.emplace(variable, BoundElement{leaves[j].element, name, parameter.span});
        if (!fresh && entry->second.element != leaves[j].element) {
          diagnostics
              .error(parameter.span, "'" + name + "' is " + shapeText(leaves[j]) + ", expected " + variable +
                                         " = " + spelling(entry->second.element).str())
              .note(entry->second.span, variable + " = " + spelling(entry->second.element).str() +
                                            " comes from '" + entry->second.leaf + "'");
          continue;
        }
      }
      if (leaves[j].shape.size() != type.rank()) {
        diagnostics.error(parameter.span, "'" + name + "' is " + shapeText(leaves[j]) + ", expected " +
                                              written + ": it has rank " +
                                              std::to_string(leaves[j].shape.size()) + ", not " +
                                              std::to_string(type.rank()));
        continue;
      }
      for (size_t axis = 0; axis < type.rank(); ++axis)
        equations.push_back({type.dims()[axis], leaves[j].shape[axis], axis, name, parameter.span});
    }
  }
  if (diagnostics.errorCount() != before)
    return nullptr;
  auto frame = std::make_shared<Frame>();
  frame->module = fn.module;
  frame->fn = &fn;
  for (const ast::TypeParameter &type : fn.item->typeParameters) {
    auto found = elements.find(type.name.text);
    frame->types[type.name.text] =
        Type::tensor(found == elements.end() ? ElementType::F32 : found->second.element);
  }
  // Equations with one unknown bind it; the others wait until their unknowns are bound.
  auto solve = [&] {
    bool progress = true;
    while (progress) {
      progress = false;
      std::vector<Equation> rest;
      for (const Equation &equation : equations) {
        bool done = false;
        if (!match(equation, progress, done))
          done = true;
        if (!done)
          rest.push_back(equation);
      }
      equations = std::move(rest);
    }
  };
  solve();
  std::vector<std::string> added;
  frame->dims = values();
  elaborator.addDefaultDims(fn, *frame, added);
  for (const std::string &name : added)
    dims[name] = {frame->dims.find(name)->second, "its default", fn.item->name.span};
  solve();
  frame->dims = values();
  if (diagnostics.errorCount() != before)
    return nullptr;
  for (const ast::Name &dim : fn.dims) {
    bool hasDefault = llvm::any_of(
        fn.item->dims, [&](const auto &other) { return other.name.text == dim.text && other.defaultValue; });
    if (dims.count(dim.text) || hasDefault)
      continue;
    diagnostics.error(dim.span, "the dimension '" + dim.text + "' of '" + fn.name() + "' is not given")
        .hint("give it by name: '" + dim.text + "=VALUE'");
  }
  return diagnostics.errorCount() == before ? frame : nullptr;
}

/// Names of the results: `out`, or the field paths of a struct, or both below positions in a tuple.
std::vector<std::string> resultNames(const Type &type) {
  std::vector<std::string> names;
  bool plain = type.isStruct() || type.isStack();
  for (const Type::Leaf &leaf : type.leaves(plain ? "" : "out"))
    names.push_back(leaf.name);
  return names;
}

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> emitEntry(const Program &program, const std::string &entry,
                                            const EntryArguments &arguments, mlir::MLIRContext &context,
                                            Diagnostics &diagnostics) {
  size_t before = diagnostics.errorCount();
  const FnDecl *fn = findEntry(program, entry, diagnostics);
  if (!fn || program.broken)
    return {};
  std::shared_ptr<Frame> frame;
  {
    Elaborator symbolic(program, diagnostics);
    frame = Binder(symbolic, *fn, diagnostics).run(arguments);
  }
  if (!frame)
    return {};
  context.loadDialect<heddle::ir::HeddleDialect, heddle::sparsek::SparseKDialect, mlir::func::FuncDialect>();
  LineColumn at = fn->item->name.span.source->position(fn->item->name.span.begin);
  mlir::OwningOpRef<mlir::ModuleOp> owned = mlir::ModuleOp::create(
      mlir::FileLineColLoc::get(&context, fn->item->name.span.source->name(), at.line, at.column));
  Elaborator elaborator(program, diagnostics, *owned);
  if (!elaborator.emitEntry(
          *fn, frame,
          [&](size_t i) { return i < arguments.parameters.size() && arguments.parameters[i].has_value(); }) ||
      diagnostics.errorCount() != before)
    return {};
  return owned;
}

bool Elaborator::emitEntry(const FnDecl &fn, std::shared_ptr<const Frame> frame,
                           llvm::function_ref<bool(size_t)> isGiven) {
  mlir::OpBuilder &b = *builder;
  b.setInsertionPointToEnd(module.getBody());
  ScopePtr scope = root(frame);
  symbols.insert(fn.name());
  auto function =
      mlir::func::FuncOp::create(b, location(fn.item->name.span), fn.name(), b.getFunctionType({}, {}));
  mlir::Block *entry = function.addEntryBlock();
  llvm::SmallVector<mlir::Attribute> argumentAttributes;
  auto nameAttribute = [&](const std::string &name) {
    return b.getDictionaryAttr(b.getNamedAttr("heddle.name", b.getStringAttr(name)));
  };
  active.push_back({&fn, fn.item->name.span});
  b.setInsertionPointToStart(entry);
  std::string with = describeFrame(*frame);
  if (!with.empty())
    diagnostics.pushContext(fn.item->name.span, "in '" + fn.name() + "' with " + with);
  bool ok = true;
  for (size_t i = 0; i < fn.item->parameters.size(); ++i) {
    const ast::Parameter &parameter = fn.item->parameters[i];
    Type type = resolveType(*parameter.type, *root(frame));
    if (type.isError()) {
      ok = false;
      continue;
    }
    Value value;
    if (isGiven(i)) {
      llvm::SmallVector<mlir::Value> leaves;
      for (const Type::Leaf &leaf : type.leaves()) {
        leaves.push_back(entry->addArgument(emit.mlirType(leaf.type), location(parameter.span)));
        argumentAttributes.push_back(nameAttribute(leafName(parameter.name.text, leaf.name)));
      }
      value = Value::ofLeaves(type, leaves, parameter.span);
    } else {
      Value given = expr(*parameter.defaultValue, root(frame));
      std::optional<Value> fitted = given.isError() ? std::nullopt : coerce(emit, given, type);
      ok &= fitted.has_value();
      value = fitted.value_or(Value::error());
    }
    if (parameter.name.text != "_")
      scope->values[parameter.name.text] = value;
  }
  Value result = ok ? body(fn, scope) : Value::error();
  if (!with.empty())
    diagnostics.popContext();
  active.pop_back();
  if (result.isError())
    return false;
  llvm::SmallVector<mlir::Value> leaves = emit.leaves(result);
  mlir::func::ReturnOp::create(b, location(fn.item->body->closing), leaves);
  llvm::SmallVector<mlir::Type> outputs;
  for (mlir::Value leaf : leaves)
    outputs.push_back(leaf.getType());
  function.setFunctionType(b.getFunctionType(entry->getArgumentTypes(), outputs));
  function.setAllArgAttrs(argumentAttributes);
  llvm::SmallVector<mlir::Attribute> resultAttributes;
  for (const std::string &name : resultNames(result.getType()))
    resultAttributes.push_back(nameAttribute(name));
  function.setAllResultAttrs(resultAttributes);
  llvm::SmallVector<mlir::NamedAttribute> dims;
  for (const ast::Name &dim : fn.dims)
    dims.push_back(b.getNamedAttr(dim.text, b.getI64IntegerAttr(frame->dims.find(dim.text)->second.value())));
  function->setAttr("heddle.dims", b.getDictionaryAttr(dims));
  return true;
}

} // namespace heddle::frontend
