// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The functions of a configuration's program on a backend, and how far their results may be from the
// oracle's.
#pragma once

#include "Configuration.h"

#include <map>

namespace heddle::laws {

/// o, dq, dk, dv, du; with a budget tau, count and end too.
using Results = std::vector<Numbers>;

struct Shapes {
  Shape q, k, v, u, o;
  explicit Shapes(const Sizes &s)
      : q{s.batch, s.queryHeads(), s.length, s.keyWidth}, k{s.batch, s.heads, s.length, s.keyWidth},
        v{s.batch, s.heads, s.length, s.valueWidth}, u{s.batch, s.heads, s.length},
        o{s.batch, s.queryHeads(), s.length, s.valueWidth} {}
};

/// One backend's functions of a configuration.
class Functions {
public:
  Functions(const Configuration &c, Backend backend, bool doublePrecision = false, bool decompose = false)
      : c(c), program(Program::parse(c.program())) {
    options.dims = {{"K", c.sizes.topk}, {"W", c.sizes.window}};
    options.backend = backend;
    if (backend == Backend::Compiled)
      options.device = compiledDevice();
    options.doublePrecision = doublePrecision;
    options.decompose = decompose;
  }

  Results both(const Attention &a) {
    const Shapes s(a.sizes);
    return call("both", {tensor(a.q, s.q), tensor(a.k, s.k), tensor(a.v, s.v), scores(a.u, s.u),
                         tensor(a.cotangent, s.o)});
  }

  /// The same for packed sequences, whose offsets are given.
  Results packed(const Attention &a, const std::vector<int32_t> &offsets) {
    const Shapes s(a.sizes);
    return call("packed",
                {tensor(a.q, s.q), tensor(a.k, s.k), tensor(a.v, s.v), scores(a.u, s.u),
                 tensor(a.cotangent, s.o), Tensor::from(offsets, {static_cast<int64_t>(offsets.size())})});
  }

  /// o and its tangent.
  Results tangent(const Attention &a) {
    const Shapes s(a.sizes);
    return call("tangent",
                {tensor(a.q, s.q), tensor(a.k, s.k), tensor(a.v, s.v), scores(a.u, s.u), tensor(a.dotQ, s.q),
                 tensor(a.dotK, s.k), tensor(a.dotV, s.v), scores(a.dotU, s.u)});
  }

  /// o of a prompt, an appended piece, and token by token.
  Results inPieces(const Attention &a, int64_t prompt, int64_t appended) {
    const Shapes s(a.sizes);
    return call("in_pieces", {tensor(a.q, s.q), tensor(a.k, s.k), tensor(a.v, s.v), scores(a.u, s.u)},
                {{"P", prompt}, {"A", appended}});
  }

private:
  Argument tensor(const Numbers &x, const Shape &shape) const { return tensorOf(x, shape, c.element); }
  Argument scores(const Numbers &x, const Shape &shape) const { return tensorOf(x, shape, c.scoreType()); }

  Results call(const std::string &name, const std::vector<Argument> &arguments,
               const std::map<std::string, int64_t> &dims = {}) {
    auto found = functions.find(name);
    if (found == functions.end()) {
      FunctionOptions own = options;
      own.dims.insert(dims.begin(), dims.end());
      found = functions.emplace(name, program.function(name, own)).first;
    }
    Results results;
    for (const Struct &result : found->second(arguments))
      results.push_back(numbersOf(result.tensor()));
    return results;
  }

  const Configuration &c;
  Program program;
  FunctionOptions options;
  std::map<std::string, Function> functions;
};

/// What an implementation may differ from the oracle by: relative to the norm of the result, and to that of
/// the absolute values of its summands, a few units in the last place of the element type.
struct Tolerance {
  double relative, rounding;
};
inline Tolerance toleranceOf(DType type) {
  switch (type) {
  case DType::f64:
    return {1e-11, 1e-14};
  case DType::f32:
    return {1e-5, 5e-7};
  case DType::bf16:
    return {1e-2, 4e-3};
  default:
    return {1e-2, 5e-4};
  }
}

/// Fails with the worst of the results that differ.
inline void expectResults(const Configuration &c, const std::string &what, const Results &got,
                          const Attention &a, Tolerance tolerance, bool scoresToo) {
  const std::pair<const char *, const Result *> expected[] = {
      {"o", &a.o}, {"dq", &a.dq}, {"dk", &a.dk}, {"dv", &a.dv}, {"du", &a.du}};
  const size_t count = c.holdsNaN() ? 1 : scoresToo ? 5 : 4;
  for (size_t i = 0; i < count; ++i) {
    const Distance d = distance(got[i], *expected[i].second);
    if (d.excess(tolerance.relative, tolerance.rounding) > 0)
      RC_FAIL(what + ": " + expected[i].first + " differs by " + std::to_string(d.difference) + " of " +
              std::to_string(d.norm) + ", summands " + std::to_string(d.weight) +
              (d.sameNaN ? "" : "; infinities or NaN differ"));
  }
}

/// The decomposition bounds scores before it differentiates, so what an infinite score gets is not compared.
inline Results withoutInfinite(Results got, const Attention &a) {
  for (size_t i = 0; i < a.u.size(); ++i)
    if (std::isinf(a.u[i]))
      got[4][i] = a.du.value[i];
  return got;
}

} // namespace heddle::laws
