//===- Program.cpp - The host interface -----------------------------------===//

#include "compiler/jit/Specialise.h"

#include <map>
#include <mutex>

namespace heddle {

Argument::Argument(Tensor tensor) : value(std::move(tensor)) {}
Argument::Argument(Struct leaves) : value(std::move(leaves)) {}
Argument::Argument(float number) : value(Tensor::scalar(number)), number(true) {}
Argument::Argument(double number) : value(Tensor::scalar(number)), number(true) {}
Argument::Argument(int32_t number) : value(Tensor::scalar(number)), number(true) {}
Argument::Argument(int64_t number) : value(Tensor::scalar(number)), number(true) {}

std::string version() { return heddle_runtime_version_string(); }

struct Program::State {
  std::unique_ptr<frontend::Program> program;
};

struct Function::State {
  std::shared_ptr<Program::State> program;
  frontend::EntrySignature signature;
  FunctionOptions options;
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<jit::Specialisation>> specialisations;
  FunctionStats stats;

  jit::Specialisation &specialise(const std::vector<Argument> &arguments, std::vector<Tensor> &tensors);
};

static std::shared_ptr<Program::State> checked(std::unique_ptr<frontend::Program> program,
                                               frontend::Diagnostics &diagnostics) {
  if (program && !program->broken)
    frontend::check(*program, diagnostics);
  if (diagnostics.hasErrors())
    throw Error(HEDDLE_PROGRAM_ERROR, diagnostics.str());
  return std::make_shared<Program::State>(Program::State{std::move(program)});
}

Program Program::load(const std::string &path) {
  frontend::Diagnostics diagnostics;
  std::unique_ptr<frontend::Program> program = frontend::loadProgram(path, diagnostics);
  return Program(checked(std::move(program), diagnostics));
}

Program Program::parse(const std::string &text, const std::string &name) {
  frontend::Diagnostics diagnostics;
  std::unique_ptr<frontend::Program> program = frontend::loadProgramText(name, text, diagnostics);
  return Program(checked(std::move(program), diagnostics));
}

Function Program::function(const std::string &name, FunctionOptions options) const {
  frontend::Diagnostics diagnostics;
  auto signature = frontend::entrySignature(*state->program, name, diagnostics);
  if (!signature)
    throw Error(HEDDLE_PROGRAM_ERROR, diagnostics.str());
  auto function = std::make_shared<Function::State>();
  function->program = state;
  function->signature = std::move(*signature);
  function->options = std::move(options);
  return Function(std::move(function));
}

std::vector<std::string> Program::functions() const {
  std::vector<std::string> names;
  for (const auto &function : state->program->main().functions)
    names.push_back(function->name());
  return names;
}

/// The leaves of one argument as the types of a parameter's leaves; numbers take the parameter's element
/// type.
static std::vector<frontend::LeafType> leafTypes(const frontend::SignatureParameter &parameter,
                                                 const Argument &argument, std::vector<Tensor> &tensors) {
  std::vector<frontend::Type::Leaf> leaves = parameter.type.leaves();
  if (argument.leaves().size() != leaves.size())
    throw Error(HEDDLE_INVALID_ARGUMENT, "'" + parameter.name + "', a " + parameter.typeText + ", has " +
                                             std::to_string(leaves.size()) +
                                             " tensors, but the argument has " +
                                             std::to_string(argument.leaves().size()));
  std::vector<frontend::LeafType> types;
  for (const auto &[name, tensor] : argument.leaves()) {
    const frontend::Type::Leaf &leaf = leaves[types.size()];
    if (!name.empty() && name != leaf.name)
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "the argument for '" + parameter.name + "' has the tensor '" + name + "' where '" +
                      leaf.name + "' is expected",
                  "pass the leaves in the order in which the struct declares them");
    bool declared = parameter.elementVariables[types.size()].empty();
    DType dtype = declared ? jit::dtypeOf(leaf.type.element()) : tensor.dtype();
    if (!argument.isNumber() && tensor.dtype() != dtype)
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "'" + parameter.name + (leaf.name.empty() ? "" : "." + leaf.name) + "' is " +
                      leaf.type.str() + ", but the argument is " + tensor.str(),
                  "convert it with Tensor::cast");
    tensors.push_back(tensor.dtype() == dtype ? tensor : tensor.cast(dtype));
    types.push_back({jit::elementOf(dtype), Shape(tensor.shape().begin(), tensor.shape().end())});
  }
  return types;
}

jit::Specialisation &Function::State::specialise(const std::vector<Argument> &arguments,
                                                 std::vector<Tensor> &tensors) {
  if (arguments.size() > signature.parameters.size())
    throw Error(HEDDLE_INVALID_ARGUMENT, "'" + signature.name + "' takes " +
                                             std::to_string(signature.parameters.size()) +
                                             " arguments, not " + std::to_string(arguments.size()));
  frontend::EntryArguments types;
  types.dims = options.dims;
  std::string key;
  for (size_t i = 0; i < signature.parameters.size(); ++i) {
    const frontend::SignatureParameter &parameter = signature.parameters[i];
    if (i >= arguments.size()) {
      if (!parameter.hasDefault)
        throw Error(HEDDLE_INVALID_ARGUMENT, "'" + signature.name + "' needs an argument for '" +
                                                 parameter.name + "', a " + parameter.typeText);
      types.parameters.emplace_back();
      continue;
    }
    types.parameters.emplace_back(leafTypes(parameter, arguments[i], tensors));
  }
  for (const Tensor &tensor : tensors)
    key += tensor.str() + ";";
  key += std::to_string(arguments.size());
  std::unique_ptr<jit::Specialisation> &slot = specialisations[key];
  if (!slot) {
    slot = jit::Specialisation::create(*program->program, signature.name, types, options);
    stats.specialisations += 1;
    stats.compileSeconds += slot->compileSeconds;
    stats.arenaBytes = slot->arenaBytes;
  }
  return *slot;
}

/// `out.1.layers.w` is the leaf `layers.w` of element 1 of a returned tuple; `layers.w` one of a returned
/// struct.
static std::vector<Struct> group(const std::vector<jit::LeafType> &types, std::vector<Tensor> tensors) {
  std::vector<Struct> results;
  std::string open;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string &name = types[i].name;
    bool isTuple = name.rfind("out.", 0) == 0;
    size_t dot = isTuple ? name.find('.', 4) : std::string::npos;
    std::string element = isTuple ? name.substr(4, dot == std::string::npos ? dot : dot - 4) : "";
    std::string leaf = isTuple         ? (dot == std::string::npos ? "" : name.substr(dot + 1))
                       : name == "out" ? ""
                                       : name;
    if (results.empty() || element != open)
      results.emplace_back();
    open = element;
    results.back().add(leaf, std::move(tensors[i]));
  }
  return results;
}

std::vector<Struct> Function::operator()(const std::vector<Argument> &arguments) {
  std::lock_guard lock(state->mutex);
  std::vector<Tensor> tensors;
  jit::Specialisation &specialisation = state->specialise(arguments, tensors);
  return group(specialisation.outputs, specialisation.run(tensors));
}

void Function::specialise(const std::vector<Argument> &arguments) {
  std::lock_guard lock(state->mutex);
  std::vector<Tensor> tensors;
  state->specialise(arguments, tensors);
}

FunctionStats Function::stats() const {
  std::lock_guard lock(state->mutex);
  return state->stats;
}

const std::string &Function::name() const { return state->signature.name; }

} // namespace heddle
