//===- Program.cpp - The host interface -----------------------------------===//

#include "compiler/jit/Specialise.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <span>

namespace heddle {

const std::string &Argument::name(size_t leaf) const {
  static const std::string none;
  return structure ? structure->leaf(leaf).first : none;
}

const Tensor &Argument::tensor(size_t leaf) const {
  return structure ? structure->leaf(leaf).second : donatedTensor ? *donatedTensor : single;
}

void Argument::consume() const {
  if (donatedTensor)
    *donatedTensor = Tensor();
  if (donatedStruct)
    donatedStruct->release();
}

Argument donate(Tensor &tensor) {
  Argument argument;
  argument.donatedTensor = &tensor;
  return argument;
}

Argument donate(Struct &leaves) {
  Argument argument;
  argument.donatedStruct = &leaves;
  argument.structure = std::shared_ptr<const Struct>(std::shared_ptr<void>(), &leaves);
  return argument;
}

Argument donate(Struct &&leaves) {
  auto owned = std::make_shared<Struct>(std::move(leaves));
  Argument argument;
  argument.donatedStruct = owned.get();
  argument.structure = std::move(owned);
  return argument;
}

std::string version() { return heddle_runtime_version_string(); }

struct Program::State {
  std::unique_ptr<frontend::Program> program;
};

namespace {

/// A leaf of a parameter, as calls check it.
struct ParameterLeaf {
  std::string name;  ///< `layers.wq`
  std::string label; ///< `p.layers.wq`
  std::string typeText;
  std::optional<DType> dtype; ///< none where a type parameter stands
};

struct Parameter {
  std::string name, typeText;
  bool hasDefault;
  std::vector<ParameterLeaf> leaves;
};

/// A specialisation and how its results are handed out.
struct Compilation {
  std::unique_ptr<jit::Specialisation> code;
  std::vector<Struct> results; ///< with the names of the leaves and no tensors
};

} // namespace

struct Function::State {
  std::shared_ptr<Program::State> program;
  std::string name;
  std::vector<Parameter> parameters;
  FunctionOptions options;
  std::mutex mutex;
  /// By everything that code depends on: element types, shapes and donations of all leaves.
  std::map<std::vector<int64_t>, Compilation> compilations;
  const std::pair<const std::vector<int64_t>, Compilation> *latest = nullptr;
  std::vector<int64_t> key; ///< of the call at hand
  FunctionStats stats;

  /// The compilation for these arguments; `tensors` receives their leaves. Throws where they do not fit.
  const Compilation &prepare(const std::vector<Argument> &arguments, std::vector<Tensor> &tensors);
  const Compilation &compile(const std::vector<Argument> &arguments, const std::vector<Tensor> &tensors);
  void addLeaves(const Parameter &parameter, const Argument &argument, std::vector<Tensor> &tensors);
  void checkDevice(const ParameterLeaf &leaf, const Argument &argument, Device device) const;
  void checkDonations(const std::vector<Argument> &arguments, const std::vector<Tensor> &tensors) const;
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
  function->name = signature->name;
  for (const frontend::SignatureParameter &parameter : signature->parameters) {
    Parameter known{parameter.name, parameter.typeText, parameter.hasDefault, {}};
    for (const frontend::Type::Leaf &leaf : parameter.type.leaves()) {
      std::optional<DType> dtype;
      if (parameter.elementVariables[known.leaves.size()].empty())
        dtype = jit::dtypeOf(leaf.type.element());
      known.leaves.push_back(
          {leaf.name, parameter.name + (leaf.name.empty() ? "" : "." + leaf.name), leaf.type.str(), dtype});
    }
    function->parameters.push_back(std::move(known));
  }
  if (options.backend == Backend::Interpreter && options.device.isCuda())
    throw Error(HEDDLE_INVALID_ARGUMENT, "the interpreter runs on the CPU, not on " + options.device.str());
  function->options = std::move(options);
  return Function(std::move(function));
}

std::vector<std::string> Program::functions() const {
  std::vector<std::string> names;
  for (const auto &function : state->program->main().functions)
    names.push_back(function->name());
  return names;
}

/// A function on a GPU takes tensors from there, and copies those of the host.
void Function::State::checkDevice(const ParameterLeaf &leaf, const Argument &argument, Device device) const {
  if (device == options.device || (device.isCpu() && !argument.isDonated()))
    return;
  throw Error(
      HEDDLE_INVALID_ARGUMENT,
      "'" + leaf.label + "' " + (argument.isDonated() ? "is donated and " : "") + "lies on " + device.str() +
          ", but '" + name + "' runs on " + options.device.str(),
      "move it with .to(Device::" +
          (options.device.isCpu() ? "cpu()" : "cuda(" + std::to_string(options.device.index()) + ")") + ")");
}

/// Checks one argument against its parameter and appends its leaves to the tensors and the key; numbers take
/// the parameter's element type.
void Function::State::addLeaves(const Parameter &parameter, const Argument &argument,
                                std::vector<Tensor> &tensors) {
  if (argument.size() != parameter.leaves.size())
    throw Error(HEDDLE_INVALID_ARGUMENT, "'" + parameter.name + "', a " + parameter.typeText + ", has " +
                                             std::to_string(parameter.leaves.size()) +
                                             " tensors, but the argument has " +
                                             std::to_string(argument.size()));
  for (size_t i = 0; i < argument.size(); ++i) {
    const ParameterLeaf &leaf = parameter.leaves[i];
    const std::string &name = argument.name(i);
    const Tensor &tensor = argument.tensor(i);
    if (!name.empty() && name != leaf.name)
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "the argument for '" + parameter.name + "' has the tensor '" + name + "' where '" +
                      leaf.name + "' is expected",
                  "pass the leaves in the order in which the struct declares them");
    if (!tensor.defined())
      throw Error(HEDDLE_INVALID_ARGUMENT, "the argument for '" + leaf.label +
                                               "' is an empty tensor: nothing was assigned to it, or it was "
                                               "donated to an earlier call");
    checkDevice(leaf, argument, tensor.device());
    const DType dtype = leaf.dtype.value_or(tensor.dtype());
    if (tensor.dtype() == dtype)
      tensors.push_back(tensor);
    else if (argument.isNumber())
      tensors.push_back(tensor.cast(dtype));
    else
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "'" + leaf.label + "' is " + leaf.typeText + ", but the argument is " + tensor.str(),
                  "convert it with Tensor::cast");
    key.push_back(static_cast<int64_t>(dtype) | tensor.rank() << 8 | int64_t(argument.isDonated()) << 32);
    key.insert(key.end(), tensor.shape().begin(), tensor.shape().end());
  }
}

/// Refuses what would let a program see its inputs change: donated memory that another argument or another
/// handle of the host can read, or that is not ours to write.
void Function::State::checkDonations(const std::vector<Argument> &arguments,
                                     const std::vector<Tensor> &tensors) const {
  struct Range {
    const char *begin, *end;
    size_t order;
    const ParameterLeaf *leaf;
    bool donated;
  };
  std::vector<Range> ranges;
  ranges.reserve(tensors.size());
  for (size_t i = 0; i < arguments.size(); ++i)
    for (const ParameterLeaf &leaf : parameters[i].leaves) {
      const Tensor &tensor = tensors[ranges.size()];
      const char *begin = static_cast<const char *>(tensor.raw());
      ranges.push_back({begin, begin + tensor.bytes(), ranges.size(), &leaf, arguments[i].isDonated()});
    }
  std::sort(ranges.begin(), ranges.end(), [](const Range &a, const Range &b) {
    return std::pair(a.begin, a.order) < std::pair(b.begin, b.order);
  });
  // Of the ranges so far, the one that reaches furthest, and of the donated ones.
  const Range *furthest = nullptr, *donated = nullptr;
  for (const Range &range : ranges) {
    const Range *other = range.donated ? furthest : donated;
    if (other && range.begin < other->end && range.begin < range.end) {
      const bool both = range.donated && other->donated;
      const std::string first = (range.donated ? range : *other).leaf->label,
                        second = (range.donated ? *other : range).leaf->label;
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  both ? "'" + second + "' and '" + first + "' are both donated, but they share memory"
                       : "'" + first + "' is donated, but '" + second + "' shares its memory",
                  "pass a clone for one of them");
    }
    if (!furthest || range.end > furthest->end)
      furthest = &range;
    if (range.donated && (!donated || range.end > donated->end))
      donated = &range;
  }
  for (size_t i = 0; i < arguments.size(); ++i)
    for (size_t j = 0; arguments[i].isDonated() && j < arguments[i].size(); ++j) {
      const Tensor &tensor = arguments[i].tensor(j);
      const std::string &label = parameters[i].leaves[j].label;
      if (!tensor.ownsElements())
        throw Error(
            HEDDLE_INVALID_ARGUMENT,
            "'" + label +
                "' is donated, but its elements belong to the host, another library, a file or another "
                "tensor",
            "donate a clone");
      // The host's handle and the one in `tensors`.
      if (tensor.holders() != 2)
        throw Error(HEDDLE_INVALID_ARGUMENT,
                    "'" + label +
                        "' is donated, but another Tensor, a view or a DLPack export holds its elements too",
                    "let go of the other holder, or donate a clone");
    }
}

const Compilation &Function::State::prepare(const std::vector<Argument> &arguments,
                                            std::vector<Tensor> &tensors) {
  if (arguments.size() > parameters.size())
    throw Error(HEDDLE_INVALID_ARGUMENT, "'" + name + "' takes " + std::to_string(parameters.size()) +
                                             " arguments, not " + std::to_string(arguments.size()));
  for (size_t i = arguments.size(); i < parameters.size(); ++i)
    if (!parameters[i].hasDefault)
      throw Error(HEDDLE_INVALID_ARGUMENT, "'" + name + "' needs an argument for '" + parameters[i].name +
                                               "', a " + parameters[i].typeText);
  key.assign(1, static_cast<int64_t>(arguments.size()));
  bool anyDonated = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    addLeaves(parameters[i], arguments[i], tensors);
    anyDonated |= arguments[i].isDonated();
  }
  if (anyDonated)
    checkDonations(arguments, tensors);
  if (latest && latest->first == key)
    return latest->second;
  auto found = compilations.find(key);
  if (found == compilations.end())
    return compile(arguments, tensors);
  latest = &*found;
  return found->second;
}

/// `out.1.layers.w` is the leaf `layers.w` of element 1 of a returned tuple; `layers.w` one of a returned
/// struct.
static std::vector<Struct> grouped(const std::vector<jit::LeafType> &types) {
  std::vector<Struct> results;
  std::string open;
  for (const jit::LeafType &type : types) {
    const std::string &name = type.name;
    bool isTuple = name.rfind("out.", 0) == 0;
    size_t dot = isTuple ? name.find('.', 4) : std::string::npos;
    std::string element = isTuple ? name.substr(4, dot == std::string::npos ? dot : dot - 4) : "";
    std::string leaf = isTuple         ? (dot == std::string::npos ? "" : name.substr(dot + 1))
                       : name == "out" ? ""
                                       : name;
    if (results.empty() || element != open)
      results.emplace_back();
    open = element;
    results.back().add(leaf, Tensor());
  }
  return results;
}

const Compilation &Function::State::compile(const std::vector<Argument> &arguments,
                                            const std::vector<Tensor> &tensors) {
  frontend::EntryArguments types;
  types.dims = options.dims;
  std::vector<bool> donated;
  for (size_t i = 0; i < parameters.size(); ++i) {
    types.parameters.emplace_back();
    if (i >= arguments.size())
      continue;
    types.parameters.back().emplace();
    for (size_t j = 0; j < arguments[i].size(); ++j) {
      const Tensor &tensor = tensors[donated.size()];
      types.parameters.back()->push_back(
          {jit::elementOf(tensor.dtype()), Shape(tensor.shape().begin(), tensor.shape().end())});
      donated.push_back(arguments[i].isDonated());
    }
  }
  auto code = jit::Specialisation::create(*program->program, name, types, options, donated);
  stats.specialisations += 1;
  stats.fromCache += code->fromCache;
  stats.compileSeconds += code->compileSeconds;
  stats.arenaBytes = code->arenaBytes;
  std::vector<Struct> results = grouped(code->outputs);
  latest = &*compilations.emplace(key, Compilation{std::move(code), std::move(results)}).first;
  return latest->second;
}

static std::vector<Struct> handOut(const Compilation &compilation, std::vector<Tensor> values) {
  std::vector<Struct> results;
  results.reserve(compilation.results.size());
  std::span<Tensor> rest = values;
  for (const Struct &names : compilation.results) {
    results.push_back(names.with(rest.first(names.size())));
    rest = rest.subspan(names.size());
  }
  return results;
}

std::vector<Struct> Function::operator()(const std::vector<Argument> &arguments) {
  std::lock_guard lock(state->mutex);
  std::vector<Tensor> tensors;
  const Compilation &compilation = state->prepare(arguments, tensors);
  for (const Argument &argument : arguments)
    argument.consume();
  return handOut(compilation, compilation.code->run(std::move(tensors)));
}

struct Pending::State {
  std::shared_ptr<Function::State> function; ///< whose code runs
  std::mutex mutex;
  bool taken = false;
  std::vector<Struct> results;
  std::unique_ptr<jit::Run> run;   ///< on a GPU
  std::shared_future<void> onHost; ///< a thread that fills the results

  void wait() {
    if (onHost.valid())
      onHost.get();
    else if (run)
      run->wait();
  }
};

void Pending::wait() const { state->wait(); }

bool Pending::done() const {
  return state->onHost.valid() ? state->onHost.wait_for(std::chrono::seconds(0)) == std::future_status::ready
                               : !state->run || state->run->done();
}

std::vector<Struct> Pending::take() const {
  if (state->onHost.valid())
    state->wait();
  std::lock_guard lock(state->mutex);
  if (std::exchange(state->taken, true))
    throw Error(HEDDLE_INVALID_ARGUMENT, "the results of the call were taken before");
  return std::move(state->results);
}

Pending Function::start(const std::vector<Argument> &arguments) {
  std::lock_guard lock(state->mutex);
  std::vector<Tensor> tensors;
  const Compilation &compilation = state->prepare(arguments, tensors);
  for (const Argument &argument : arguments)
    argument.consume();
  auto pending = std::make_shared<Pending::State>();
  pending->function = state;
  if (state->options.device.isCuda()) {
    jit::Started started = compilation.code->start(std::move(tensors));
    pending->results = handOut(compilation, std::move(started.results));
    pending->run = std::move(started.run);
  } else {
    // The thread owns nothing of `pending`, whose end waits for the thread.
    pending->onHost = std::async(std::launch::async, [results = &pending->results, function = state.get(),
                                                      &compilation, tensors = std::move(tensors)]() mutable {
                        std::lock_guard lock(function->mutex);
                        *results = handOut(compilation, compilation.code->run(std::move(tensors)));
                      }).share();
  }
  return Pending(std::move(pending));
}

void Function::specialise(const std::vector<Argument> &arguments) {
  std::lock_guard lock(state->mutex);
  std::vector<Tensor> tensors;
  state->prepare(arguments, tensors);
}

FunctionStats Function::stats() const {
  std::lock_guard lock(state->mutex);
  return state->stats;
}

const std::string &Function::name() const { return state->name; }

} // namespace heddle
