//===- Attention.h - What the attention builtins and the caches share -------===//
#pragma once

#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

/// The element type of scores beside q: f64 for f64, else f32.
ElementType scoreElement(const Value &q);

/// Reports a value of another rank; `shape` is what was expected: "[B, H, N, E]".
bool requireRank(Call &call, llvm::StringRef parameter, const Value &value, size_t rank, const char *shape);

/// Reports an extent of `value` that differs from that of `model`.
bool requireExtent(Call &call, llvm::StringRef parameter, const Value &value, size_t axis,
                   llvm::StringRef modelName, const Value &model, size_t modelAxis);

/// Reports query heads that key-value heads do not divide.
bool requireGroups(Call &call, const Value &q, const Value &k);

/// `topk` or `window`, 0 where it is left out.
std::optional<Dim> count(Call &call, llvm::StringRef parameter);

/// Reports that both are 0.
bool requireSome(Call &call, const Dim &topk, const Dim &window);

/// Scores of the shape of the first axes of k; `shape` as above.
std::optional<Value> scores(Call &call, const Value &k, const char *shape);

} // namespace heddle::frontend
