// The host interface: load a program, pick a function, call it with tensors. Needs libheddle (the compiler)
// and libheddle_runtime; no header of LLVM.
//
//   heddle::Program program = heddle::Program::load("char_lm.heddle");
//   heddle::Function step = program.function("train_step", {.dims = {{"K", 32}, {"W", 32}}});
//   std::vector<heddle::Struct> results = step({parameters, state, batch, 1e-3f});
//
// Everything that can go wrong throws heddle::Error; a wrong program's message holds all its diagnostics, as
// `file:line:col: error: …` with the source lines.
#ifndef HEDDLE_HEDDLE_HPP
#define HEDDLE_HEDDLE_HPP

#include <heddle/error.hpp>
#include <heddle/struct.hpp>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace heddle {

/// An argument of a call: a tensor, a number, or the leaves of a struct in declaration order; or one of these
/// donated.
class Argument {
public:
  Argument(Tensor tensor) : single(std::move(tensor)) {}
  Argument(Struct leaves) : structure(std::make_shared<const Struct>(std::move(leaves))) {}
  Argument(float value) : single(Tensor::scalar(value)), number(true) {}
  Argument(double value) : single(Tensor::scalar(value)), number(true) {}
  Argument(int32_t value) : single(Tensor::scalar(value)), number(true) {}
  Argument(int64_t value) : single(Tensor::scalar(value)), number(true) {}

  size_t size() const { return structure ? structure->size() : 1; }
  /// Leaf names are empty for a tensor or number.
  const std::string &name(size_t leaf) const;
  const Tensor &tensor(size_t leaf) const;
  /// Numbers are converted to the parameter's element type.
  bool isNumber() const { return number; }
  bool isDonated() const { return donatedTensor || donatedStruct; }

private:
  friend Argument donate(Tensor &tensor);
  friend Argument donate(Struct &leaves);
  friend Argument donate(Struct &&leaves);
  friend class Function;

  Argument() = default;
  /// Empties the host's handles of what was donated.
  void consume() const;

  Tensor single;
  std::shared_ptr<const Struct> structure;
  bool number = false;
  Tensor *donatedTensor = nullptr; ///< of the host, or inside `structure`
  Struct *donatedStruct = nullptr;
};

/// Gives a tensor, or all tensors of a struct, to a call: the function may make its results in their memory,
/// so that parameters, optimizer states and caches are updated in place.
///  - The call empties the handle that is passed here once it has accepted all arguments, also if it fails
///  from then
///    on; a call that refuses an argument or does not compile leaves it. Reading an empty Tensor throws.
///  - Nobody else may hold the elements: another Tensor that shares them, a view, a DLPack export or another
///  argument
///    is an error, and so are elements that the runtime did not allocate (of the host, another library or a
///    file) or that lie on another device than the function. clone() makes a copy that can be donated.
///  - A variable that is passed here has to live until the call.
///
///    std::vector<heddle::Struct> results = step({donate(model), donate(state), batch, 1e-3f});
///    model = std::move(results[1]);
Argument donate(Tensor &tensor);
Argument donate(Struct &leaves);
Argument donate(Struct &&leaves);
inline Argument donate(Tensor &&tensor) { return donate(Struct(std::move(tensor))); }

/// What runs a function.
enum class Backend {
  Compiled,    ///< code for the device, compiled just in time
  Interpreter, ///< the reference evaluator: slow and plain, on the CPU
};

struct FunctionOptions {
  /// Values of dimensions that the arguments do not bind, such as K and W of `fn f[K, W](…)`.
  std::map<std::string, int64_t> dims = {};
  /// Where the function runs and its results lie. On a GPU, arguments that lie on the CPU are copied at each
  /// call; those that are used again are better moved there once (Tensor::to, Struct::to).
  Device device = Device::cpu();
  Backend backend = Backend::Compiled;
  /// The interpreter evaluates every float type in f64.
  bool doublePrecision = false;
  /// Replaces fused SPARSEK operations by dense ones, O(N²) in memory: for comparisons.
  bool decompose = false;
  /// The processor that code for the CPU is generated for: "native", "x86-64-v2", "x86-64-v3" or "x86-64-v4".
  std::string cpu = "native";
  /// Dense products of f32 on a GPU round their factors to TF32, 11 bits instead of 24: a product of two
  /// numbers is off by up to 2^-10 of it, and takes an eighth of the time or less. Attention and everything
  /// else stay in f32. CPUs ignore it.
  bool allowTF32 = false;
  /// On a GPU, measures candidates for the plans of attention and generated products (tiles, stages, chunks)
  /// before a specialisation is compiled, and keeps the fastest in the cache (HEDDLE_CACHE), where every
  /// later compilation for such a GPU finds them. What was measured before is not measured again.
  bool tune = false;
};

/// What one specialisation of a function to shapes has cost.
struct FunctionStats {
  int64_t specialisations = 0; ///< how many sets of shapes and of donated arguments were compiled
  int64_t fromCache = 0;       ///< how many of them an earlier process had compiled
  double compileSeconds = 0;   ///< spent compiling, or loading, in total
  int64_t arenaBytes = 0;      ///< working memory of the latest specialisation
};

/// A call that was started. Copies are handles of the same call.
class Pending {
public:
  /// Waits until the call is finished, and throws what failed.
  void wait() const;
  /// Whether wait() would return at once.
  bool done() const;
  /// The results, which are handed out once. On a GPU they are there at once and may be used while they are
  /// still computed, also as arguments of a further call; what failed is then only told by wait(). On the CPU
  /// this waits.
  std::vector<Struct> take() const;

  struct State;
  explicit Pending(std::shared_ptr<State> state) : state(std::move(state)) {}

private:
  std::shared_ptr<State> state;
};

/// A function of a program, compiled for each new set of argument shapes, and of donated arguments, at the
/// first call with them. Copies share what is compiled. Calls from several threads run one after the other.
class Function {
public:
  /// Calls the function. The outer results are the elements of a returned tuple, or the one result; the
  /// leaves of each carry the names of its fields, "" for a tensor.
  std::vector<Struct> operator()(const std::vector<Argument> &arguments);

  /// Starts a call and returns while it runs: work of the host, such as the next batch, then goes on beside
  /// it. The arguments are checked and the donated ones taken as in a call; tensors of the host must not be
  /// changed until the call is done. Calls of one GPU run in the order in which they were started.
  ///
  ///    heddle::Pending step = train.start({donate(model), donate(state), batch, rate});
  ///    batch = load(++index);
  ///    std::vector<heddle::Struct> results = step.take();
  Pending start(const std::vector<Argument> &arguments);

  /// Compiles for the shapes of these arguments, and for those of them that are donated, without running:
  /// nothing is consumed.
  void specialise(const std::vector<Argument> &arguments);

  FunctionStats stats() const;
  const std::string &name() const;

  struct State;
  explicit Function(std::shared_ptr<State> state) : state(std::move(state)) {}

private:
  std::shared_ptr<State> state;
};

/// A parsed and checked `.heddle` file with all it imports.
class Program {
public:
  /// Reads and checks a file.
  static Program load(const std::string &path);
  /// The same for a text; `name` stands for the file in messages.
  static Program parse(const std::string &text, const std::string &name = "program");

  /// A function by name. Throws if there is none, with the nearest name as a hint.
  Function function(const std::string &name, FunctionOptions options = {}) const;
  /// The functions that the file itself defines, in order.
  std::vector<std::string> functions() const;

  struct State;

private:
  explicit Program(std::shared_ptr<State> state) : state(std::move(state)) {}
  std::shared_ptr<State> state;
};

/// The version of the compiler, "0.1.0".
std::string version();

} // namespace heddle

#endif // HEDDLE_HEDDLE_HPP
