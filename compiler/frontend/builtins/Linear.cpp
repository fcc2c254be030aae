//===- Linear.cpp - Matrix products and einsum ------------------------------===//
#include "compiler/frontend/builtins/Formula.h"

namespace heddle::frontend {

/// Axis names of formulas as the letters of heddle.einsum.
class Letters {
public:
  /// Empty when there are more names than letters.
  std::optional<char> of(const std::string &name) {
    auto [place, isNew] = letters.try_emplace(name, char(0));
    if (isNew) {
      if (letters.size() > 52)
        return std::nullopt;
      size_t index = letters.size() - 1;
      place->second = char(index < 26 ? 'a' + index : 'A' + index - 26);
    }
    return place->second;
  }

private:
  std::map<std::string, char> letters;
};

/// The formula's operands one after another; a product of many is a chain of pairs from the left.
static Value chain(Call &call, std::vector<std::string> terms, std::string output,
                   std::vector<Value> operands) {
  Value left = operands.front();
  std::string names = terms.front();
  for (size_t i = 1; i < operands.size(); ++i) {
    std::string result;
    if (i + 1 == operands.size()) {
      result = output;
    } else {
      // What later operands or the result still need.
      std::string later = output;
      for (size_t j = i + 1; j < terms.size(); ++j)
        later += terms[j];
      for (char letter : names + terms[i])
        if (later.find(letter) != std::string::npos && result.find(letter) == std::string::npos)
          result += letter;
    }
    left = call.emit.einsum(names + "," + terms[i] + "->" + result, left, operands[i], call.span());
    names = result;
  }
  if (operands.size() > 1)
    return left;
  // One operand: sums and a transposition.
  llvm::SmallVector<int64_t> summed, permutation;
  std::string kept;
  for (auto [axis, letter] : llvm::enumerate(names)) {
    if (output.find(letter) == std::string::npos)
      summed.push_back(int64_t(axis));
    else
      kept += letter;
  }
  for (char letter : output)
    permutation.push_back(int64_t(kept.find(letter)));
  return call.emit.transpose(call.emit.reduce(ReduceKind::Sum, left, summed, call.span()), permutation,
                             call.span());
}

static Value einsum(Call &call) {
  const std::string *text = call["formula"].text();
  if (!text) {
    call.errorAt("formula",
                 "einsum needs its formula first, a string, not " + call["formula"].getType().str())
        .hint("write for example einsum(\"b n d, d e -> b n e\", x, w)");
    return Value::error();
  }
  Span span = call.spanOf("formula");
  std::optional<std::vector<Value>> operands = call.tensors("an operand");
  std::optional<Formula> formula = parseFormula(call, *text, span, false);
  if (!operands || !formula)
    return Value::error();
  if (formula->inputs.size() != operands->size()) {
    call.error(span, "the formula has " + std::to_string(formula->inputs.size()) + " operands, but " +
                         std::to_string(operands->size()) + " are given");
    return Value::error();
  }
  if (operands->front().getType().element() == ElementType::Bool) {
    call.error(call.rest().front().span,
               "einsum needs numbers, but an operand is " + operands->front().getType().str())
        .hint("cast(x, f32) converts truth values to 0 and 1");
    return Value::error();
  }
  if (!expandEllipsis(call, *formula, *operands, span))
    return Value::error();

  struct Origin {
    Dim dim;
    size_t operand;
  };
  std::map<std::string, Origin> extents;
  Letters letters;
  std::vector<std::string> terms;
  auto spell = [&](const FormulaTerm &term) {
    std::string spelled;
    for (const FormulaAxis &axis : term) {
      std::optional<char> letter = letters.of(axis.names.front());
      spelled += letter.value_or('?');
    }
    return spelled;
  };
  for (auto [index, term] : llvm::enumerate(formula->inputs)) {
    for (auto [axis, dim] : llvm::zip(term, (*operands)[index].getType().dims())) {
      const std::string &name = axis.names.front();
      auto [known, isNew] = extents.try_emplace(name, Origin{dim, index});
      if (isNew || known->second.dim == dim)
        continue;
      const Value &first = (*operands)[known->second.operand], &second = (*operands)[index];
      call.error(span, "axis '" + name + "' of the formula is " + known->second.dim.str() + " in operand " +
                           std::to_string(known->second.operand + 1) + " and " + dim.str() + " in operand " +
                           std::to_string(index + 1))
          .note(first.span(),
                "operand " + std::to_string(known->second.operand + 1) + " is " + first.getType().str())
          .note(second.span(), "operand " + std::to_string(index + 1) + " is " + second.getType().str());
      return Value::error();
    }
    terms.push_back(spell(term));
  }
  for (const FormulaAxis &axis : formula->output)
    if (!extents.count(axis.names.front())) {
      call.error(span, "axis '" + axis.names.front() + "' of the result stands in no operand");
      return Value::error();
    }
  if (extents.size() > 52) {
    call.error(span, "the formula has " + std::to_string(extents.size()) + " axes; at most 52 are possible");
    return Value::error();
  }
  return chain(call, terms, spell(formula->output), *operands);
}

/// NumPy's `@`: products of the last two axes, the others broadcast; a vector stands for one row or column.
static Value matmul(Call &call) {
  std::optional<Value> a = call.numberTensor("a"), b = call.numberTensor("b");
  if (!a || !b)
    return Value::error();
  std::optional<std::vector<Value>> unified = unifyElements(call, {*a, *b});
  if (!unified)
    return Value::error();
  llvm::ArrayRef<Dim> left = a->getType().dims(), right = b->getType().dims();
  auto fail = [&](std::string message) -> Diagnostic & {
    return call.error(call.context.callee, std::move(message))
        .note(a->span(), "this is " + a->getType().str())
        .note(b->span(), "this is " + b->getType().str());
  };
  if (left.empty() || right.empty()) {
    fail("@ needs tensors of rank 1 or more, not " + a->getType().str() + " and " + b->getType().str())
        .hint("* multiplies by a scalar");
    return Value::error();
  }
  const Dim &inner = right.size() == 1 ? right.front() : right[right.size() - 2];
  if (left.back() != inner) {
    Diagnostic &report = fail("@ of " + a->getType().str() + " and " + b->getType().str() +
                              ": the inner extents " + left.back().str() + " and " + inner.str() + " differ");
    if (right.size() == 2 && right.back() == left.back())
      report.hint("x @ transpose(y) fits");
    return Value::error();
  }
  // Batch axes get letters from the last; those of extent 1 against more are dropped.
  llvm::ArrayRef<Dim> leftBatch = left.drop_back(std::min<size_t>(2, left.size()));
  llvm::ArrayRef<Dim> rightBatch = right.drop_back(std::min<size_t>(2, right.size()));
  size_t batch = std::max(leftBatch.size(), rightBatch.size());
  if (batch > 48) {
    fail("@ of tensors with more than 50 axes");
    return Value::error();
  }
  std::string leftNames, rightNames, resultNames;
  llvm::SmallVector<Dim> leftDims, rightDims;
  for (size_t i = 0; i < batch; ++i) {
    char letter = char(i < 22 ? 'a' + i : 'A' + i - 22);
    const Dim *l = i + leftBatch.size() >= batch ? &leftBatch[i + leftBatch.size() - batch] : nullptr;
    const Dim *r = i + rightBatch.size() >= batch ? &rightBatch[i + rightBatch.size() - batch] : nullptr;
    if (l && r && *l != *r && !l->isConstant(1) && !r->isConstant(1)) {
      fail("@ of " + a->getType().str() + " and " + b->getType().str() + ": the batch extents " + l->str() +
           " and " + r->str() + " differ");
      return Value::error();
    }
    bool same = l && r && *l == *r;
    if (l && (same || !l->isConstant(1) || !r)) {
      leftNames += letter;
      leftDims.push_back(*l);
    }
    if (r && (same || !r->isConstant(1) || !l)) {
      rightNames += letter;
      rightDims.push_back(*r);
    }
    resultNames += letter;
  }
  if (left.size() > 1) {
    leftNames += 'x';
    resultNames += 'x';
    leftDims.push_back(left[left.size() - 2]);
  }
  leftNames += 'y';
  leftDims.push_back(left.back());
  rightNames += 'y';
  rightDims.push_back(inner);
  if (right.size() > 1) {
    rightNames += 'z';
    resultNames += 'z';
    rightDims.push_back(right.back());
  }
  Value x = call.emit.reshape((*unified)[0], leftDims, call.span());
  Value y = call.emit.reshape((*unified)[1], rightDims, call.span());
  return call.emit.einsum(leftNames + "," + rightNames + "->" + resultNames, x, y, call.span());
}

llvm::ArrayRef<Builtin> linearBuiltins() {
  static const Builtin table[] = {
      {"einsum", "einsum(formula, operands...)",
       "The product over named axes: einsum(\"b n d, d e -> b n e\", x, w).", einsum},
  };
  return table;
}

llvm::ArrayRef<Builtin> matmulBuiltins() {
  static const Builtin table[] = {{"@", "@(a, b)", "The matrix product, batched as in NumPy.", matmul}};
  return table;
}

} // namespace heddle::frontend
