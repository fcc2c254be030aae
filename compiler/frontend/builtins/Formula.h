//===- Formula.h - The formulas of einsum and rearrange ---------------------===//
#pragma once

#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

/// One axis of a formula's term: `d`; `(h e)`, several names; `1` or `()`, none.
struct FormulaAxis {
  std::vector<std::string> names;
  bool grouped = false;
  bool ellipsis = false;
};
using FormulaTerm = std::vector<FormulaAxis>;

/// `inputs -> output`, terms separated by commas and axes by spaces.
struct Formula {
  std::vector<FormulaTerm> inputs;
  FormulaTerm output;
};

/// Reports malformed text at `span`. Brackets are refused unless `groups` is set.
std::optional<Formula> parseFormula(Call &call, const std::string &text, Span span, bool groups);

/// Replaces `...` by axes with names of their own, as many as the tensors have beyond the named axes. Reports
/// a number of axes that does not fit.
bool expandEllipsis(Call &call, Formula &formula, llvm::ArrayRef<Value> operands, Span span);

} // namespace heddle::frontend
