//===- Variant.h - Attention with a block for each pair ---------------------===//
#pragma once

#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

/// Attention with the block in `call.context.with`, plain where there is none. `causal`, `window` and the
/// bounds i32[2, N] of packed sequences narrow what the block lets see.
Value variantAttention(Call &call, const Value &q, const Value &k, const Value &v, bool causal,
                       const std::optional<Dim> &window, const std::optional<Value> &bounds, double scale,
                       bool withLse);

/// Whether a builtin may be called so in such a block; reports errors.
bool allowedInPairBlock(CallContext &context);
/// The same for what it gave.
bool allowedInPairBlock(CallContext &context, const Value &result);

} // namespace heddle::frontend
