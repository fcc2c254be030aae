//===- Entry.cpp - Binding values to parameters ---------------------------===//

#include "tools/heddle/Entry.h"
#include "tools/heddle/Commands.h"

#include "compiler/frontend/Diagnostics.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <unistd.h>

namespace heddle::tool {

using frontend::Dim;
using frontend::DimMap;
using frontend::SignatureParameter;
using frontend::Type;

std::unique_ptr<frontend::Program> loadChecked(const std::string &file) {
  frontend::Diagnostics diagnostics;
  std::unique_ptr<frontend::Program> program = frontend::loadProgram(file, diagnostics);
  if (program && !program->broken)
    frontend::check(*program, diagnostics);
  if (diagnostics.hasErrors())
    throw Error(HEDDLE_PROGRAM_ERROR, diagnostics.str());
  return program;
}

std::map<std::string, int64_t> parseDims(const std::vector<std::string> &texts) {
  std::map<std::string, int64_t> dims;
  for (const std::string &text : texts)
    for (size_t begin = 0; begin <= text.size();) {
      size_t end = std::min(text.find(',', begin), text.size());
      std::string part = text.substr(begin, end - begin);
      begin = end + 1;
      size_t equals = part.find('=');
      int64_t value = 0;
      const char *stop = part.data() + part.size();
      bool fine = equals != std::string::npos && equals > 0;
      if (fine) {
        auto [used, error] = std::from_chars(part.data() + equals + 1, stop, value);
        if (used == stop && (error == std::errc::result_out_of_range || value < 0))
          throw UsageError("--dim '" + part + "': a dimension is a number from 0 to " +
                           std::to_string(std::numeric_limits<int64_t>::max()));
        fine = error == std::errc() && used == stop;
      }
      if (!fine)
        throw UsageError("--dim '" + part + "' is not of the form NAME=NUMBER\nhint: write --dim K=64");
      auto [at, isNew] = dims.try_emplace(part.substr(0, equals), value);
      if (!isNew && at->second != value)
        throw UsageError("--dim gives " + at->first + " twice: " + std::to_string(at->second) + " and " +
                         std::to_string(value));
    }
  return dims;
}

Entry::Entry(const std::string &file, const std::string &name) : loaded(loadChecked(file)), name(name) {
  frontend::Diagnostics diagnostics;
  std::optional<frontend::EntrySignature> found = frontend::entrySignature(*loaded, name, diagnostics);
  if (!found)
    throw Error(HEDDLE_PROGRAM_ERROR, diagnostics.str());
  signature = std::move(*found);
}

void Entry::requireDims(const std::map<std::string, int64_t> &dims) const {
  std::vector<std::string> names;
  std::string list;
  for (const frontend::SignatureDim &dim : signature.dims) {
    names.push_back(dim.name);
    list += (list.empty() ? "" : ", ") + dim.name;
  }
  for (const auto &[dim, value] : dims)
    if (std::find(names.begin(), names.end(), dim) == names.end()) {
      std::string near = frontend::nearest(dim, names);
      throw Error(HEDDLE_INVALID_ARGUMENT, "'" + name + "' has no dimension '" + dim + "', which --dim gives",
                  list.empty()
                      ? "it has no dimensions"
                      : (near.empty() ? "" : "did you mean '" + near + "'? ") + "its dimensions are " + list);
    }
  for (const frontend::SignatureDim &dim : signature.dims)
    if (dim.isExplicit && !dim.hasDefault && !dims.count(dim.name))
      throw Error(HEDDLE_INVALID_ARGUMENT, "dimension " + dim.name + " of '" + name + "' is not known",
                  "give it with --dim " + dim.name + "=NUMBER");
}

namespace {

/// Where a dimension's value came from, for contradictions.
struct Bound {
  int64_t value;
  std::string source;
};

std::string quoted(const NamedValue &value, const std::string &leaf) {
  return "'" + value.name + "=" + value.text + "'" + (leaf.empty() ? "" : " leaf '" + leaf + "'");
}

/// Binds the variables of written dimensions to the extents of values, as far as one unknown at a time can be
/// solved.
class DimBinder {
public:
  explicit DimBinder(const std::map<std::string, int64_t> &given) {
    for (const auto &[dim, value] : given)
      bind(dim, value, "--dim " + dim + "=" + std::to_string(value));
  }

  /// `written` should be `extent`, which `source` says.
  void expect(const Dim &written, int64_t extent, const std::string &source) {
    waiting.push_back({written, extent, source});
  }

  /// Solves what can be solved; throws Error at a contradiction.
  void solve() {
    for (bool progress = true; progress;) {
      progress = false;
      for (size_t i = 0; i < waiting.size();)
        if (tryOne(waiting[i])) {
          waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(i));
          progress = true;
        } else {
          ++i;
        }
    }
  }

  /// The extents of a tensor type whose variables are all bound; `path` names it in messages.
  Shape shapeOf(const Type &type, const std::string &path) const {
    Shape shape;
    for (const Dim &dim : type.dims()) {
      std::optional<Dim> value = dim.substitute(values);
      if (value && value->isConstant()) {
        shape.push_back(value->value());
        continue;
      }
      for (const std::string &variable : dim.variables())
        if (!values.count(variable))
          throw Error(HEDDLE_INVALID_ARGUMENT,
                      "dimension " + variable + " of '" + path + "', a " + type.str() + ", is not known",
                      "give it with --dim " + variable + "=NUMBER");
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "dimension " + dim.str() + " of '" + path + "' is not a whole number");
    }
    return shape;
  }

  std::map<std::string, Bound> bound;

private:
  struct Waiting {
    Dim written;
    int64_t extent;
    std::string source;
  };

  void bind(const std::string &name, int64_t value, const std::string &source) {
    bound.emplace(name, Bound{value, source});
    values.insert_or_assign(name, Dim(value));
  }

  bool tryOne(const Waiting &wait) {
    std::optional<Dim> known = wait.written.substitute(values);
    if (!known)
      fail(wait, "is not a whole number");
    if (known->isConstant()) {
      if (known->value() != wait.extent)
        fail(wait, "is " + std::to_string(known->value()));
      return true;
    }
    std::vector<std::string> unknown = known->variables();
    if (unknown.size() != 1)
      return false;
    std::optional<Dim> solved = known->solveFor(unknown[0], Dim(wait.extent));
    if (!solved || !solved->isConstant() || solved->value() < 0)
      fail(wait, "cannot be that for any " + unknown[0]);
    bind(unknown[0], solved->value(), wait.source);
    return true;
  }

  [[noreturn]] void fail(const Waiting &wait, const std::string &why) const {
    std::string message = "dimension " + wait.written.str() + " is " + std::to_string(wait.extent) + " by " +
                          wait.source + ", but " + wait.written.str() + " " + why;
    for (const std::string &variable : wait.written.variables())
      if (auto at = bound.find(variable); at != bound.end())
        message +=
            "\nnote: " + variable + " = " + std::to_string(at->second.value) + " by " + at->second.source;
    throw Error(HEDDLE_INVALID_ARGUMENT, message);
  }

  DimMap values;
  std::vector<Waiting> waiting;
};

} // namespace

void Entry::requireParameter(const std::string &parameter) const {
  std::vector<std::string> names;
  for (const SignatureParameter &known : signature.parameters)
    names.push_back(known.name);
  if (std::find(names.begin(), names.end(), parameter) != names.end())
    return;
  std::string near = frontend::nearest(parameter, names);
  throw Error(HEDDLE_INVALID_ARGUMENT, "'" + name + "' has no parameter '" + parameter + "'",
              near.empty() ? "it takes (" + signature.str() + ")" : "did you mean '" + near + "'?");
}

std::vector<bool> Entry::donated(const std::vector<std::string> &names,
                                 const frontend::EntryArguments &arguments) const {
  for (const std::string &parameter : names)
    requireParameter(parameter);
  std::vector<bool> result;
  for (size_t i = 0; i < signature.parameters.size(); ++i) {
    const std::string &parameter = signature.parameters[i].name;
    const bool given = std::find(names.begin(), names.end(), parameter) != names.end();
    const auto &leaves = arguments.parameters[i];
    if (given && !leaves)
      throw Error(HEDDLE_INVALID_ARGUMENT, "'" + parameter + "' is donated, but has no value",
                  "write " + parameter + "=VALUE");
    result.insert(result.end(), leaves ? leaves->size() : 0, given);
  }
  return result;
}

/// The element type of a parameter's leaf: as declared, or where a type parameter stands for it that of its
/// value; f32 where the value is made up.
static frontend::ElementType elementOf(const SignatureParameter &parameter, size_t index,
                                       const Type::Leaf &leaf, const NamedValue *value) {
  if (parameter.elementVariables[index].empty())
    return leaf.type.element();
  if (value) {
    if (auto *tensor = std::get_if<Tensor>(&value->value))
      return jit::elementOf(tensor->dtype());
    if (auto *tensors = std::get_if<Struct>(&value->value))
      return jit::elementOf((*tensors)[leaf.name].dtype());
  }
  return frontend::ElementType::F32;
}

/// `p.layers.wq`, or `x` for a parameter that is one tensor.
static std::string pathOf(const SignatureParameter &parameter, const Type::Leaf &leaf) {
  return leaf.name.empty() ? parameter.name : parameter.name + "." + leaf.name;
}

frontend::EntryArguments Entry::bind(const std::vector<NamedValue> &values,
                                     const std::map<std::string, int64_t> &dims,
                                     std::vector<Tensor> &tensors) const {
  std::map<std::string, const NamedValue *> byName;
  for (const NamedValue &value : values)
    if (!byName.try_emplace(value.name, &value).second)
      throw Error(HEDDLE_INVALID_ARGUMENT, "'" + value.name + "' is given twice");
  for (const NamedValue &value : values)
    requireParameter(value.name);

  requireDims(dims);
  DimBinder binder(dims);
  for (const SignatureParameter &parameter : signature.parameters) {
    auto given = byName.find(parameter.name);
    if (given == byName.end()) {
      if (parameter.hasDefault)
        continue;
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "'" + name + "' needs a value for '" + parameter.name + "', a " + parameter.typeText,
                  "write " + parameter.name + "=VALUE");
    }
    const NamedValue &value = *given->second;
    for (const Type::Leaf &leaf : parameter.type.leaves()) {
      bool generated = std::holds_alternative<Generator>(value.value);
      if (!generated && std::holds_alternative<Struct>(value.value) == leaf.name.empty())
        throw Error(HEDDLE_INVALID_ARGUMENT, quoted(value, "") + " is not a value for " + parameter.typeText,
                    leaf.name.empty() ? "give a .npy file or a literal for a tensor"
                                      : "give a .safetensors file for a struct");
      std::optional<Shape> shape = shapeOf(value, leaf.name);
      if (!shape)
        continue;
      if (shape->size() != leaf.type.rank())
        throw Error(HEDDLE_INVALID_ARGUMENT, quoted(value, leaf.name) + " has rank " +
                                                 std::to_string(shape->size()) + ", but '" +
                                                 pathOf(parameter, leaf) + "' is " + leaf.type.str());
      for (size_t axis = 0; axis < shape->size(); ++axis)
        binder.expect(leaf.type.dims()[axis], (*shape)[axis],
                      "axis " + std::to_string(axis) + " of " + quoted(value, leaf.name));
    }
  }
  binder.solve();
  frontend::EntryArguments arguments;
  for (const SignatureParameter &parameter : signature.parameters) {
    auto given = byName.find(parameter.name);
    if (given == byName.end()) {
      arguments.parameters.emplace_back();
      continue;
    }
    std::vector<frontend::LeafType> types;
    for (const Type::Leaf &leaf : parameter.type.leaves()) {
      frontend::LeafType type{elementOf(parameter, types.size(), leaf, given->second),
                              binder.shapeOf(leaf.type, pathOf(parameter, leaf))};
      tensors.push_back(
          materialise(*given->second, leaf.name, jit::dtypeOf(type.element), type.shape, types.size()));
      types.push_back(std::move(type));
    }
    arguments.parameters.emplace_back(std::move(types));
  }
  for (const auto &[dim, where] : binder.bound)
    arguments.dims.emplace(dim, where.value);
  return arguments;
}

frontend::EntryArguments Entry::types(const std::map<std::string, int64_t> &dims) const {
  requireDims(dims);
  DimBinder binder(dims);
  frontend::EntryArguments arguments;
  for (const SignatureParameter &parameter : signature.parameters) {
    std::vector<frontend::LeafType> types;
    for (const Type::Leaf &leaf : parameter.type.leaves())
      types.push_back({elementOf(parameter, types.size(), leaf, nullptr),
                       binder.shapeOf(leaf.type, pathOf(parameter, leaf))});
    arguments.parameters.emplace_back(std::move(types));
  }
  arguments.dims = dims;
  return arguments;
}

} // namespace heddle::tool
