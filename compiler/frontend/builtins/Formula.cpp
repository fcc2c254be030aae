//===- Formula.cpp - The formulas of einsum and rearrange -------------------===//
#include "compiler/frontend/builtins/Formula.h"
#include "llvm/ADT/StringExtras.h"

namespace heddle::frontend {

static std::string quoted(llvm::StringRef text) { return "\"" + text.str() + "\""; }

static std::optional<FormulaTerm> parseTerm(Call &call, llvm::StringRef text, Span span, bool groups) {
  FormulaTerm term;
  FormulaAxis *open = nullptr;
  size_t at = 0;
  auto fail = [&](std::string message) {
    call.error(span, std::move(message));
    return std::nullopt;
  };
  while (at < text.size()) {
    char c = text[at];
    if (c == ' ' || c == '\t') {
      ++at;
    } else if (c == '(' && groups) {
      if (open)
        return fail("the formula " + quoted(text.trim()) + " has a group inside a group");
      term.push_back({{}, true, false});
      open = &term.back();
      ++at;
    } else if (c == ')' && open) {
      open = nullptr;
      ++at;
    } else if (text.substr(at).starts_with("...")) {
      if (open)
        return fail("the formula " + quoted(text.trim()) + " has '...' inside a group");
      term.push_back({{"..."}, false, true});
      at += 3;
    } else if (llvm::isAlnum(c) || c == '_') {
      size_t end = at;
      while (end < text.size() && (llvm::isAlnum(text[end]) || text[end] == '_'))
        ++end;
      llvm::StringRef name = text.slice(at, end);
      at = end;
      if (llvm::isDigit(name.front())) {
        if (name != "1" || !groups)
          return fail("the formula names an axis '" + name.str() + "'; names start with a letter");
        if (!open)
          term.push_back({{}, true, false});
        continue;
      }
      if (open)
        open->names.push_back(name.str());
      else
        term.push_back({{name.str()}, false, false});
    } else {
      return fail("the formula contains '" + std::string(1, c) + "', which cannot stand in " +
                  quoted(text.trim()));
    }
  }
  if (open)
    return fail("the formula " + quoted(text.trim()) + " has a group that is not closed");
  std::vector<std::string> seen;
  for (const FormulaAxis &axis : term)
    for (const std::string &name : axis.names) {
      if (llvm::is_contained(seen, name))
        return fail("the formula names axis '" + name + "' twice in " + quoted(text.trim()));
      seen.push_back(name);
    }
  return term;
}

std::optional<Formula> parseFormula(Call &call, const std::string &text, Span span, bool groups) {
  llvm::StringRef whole(text);
  if (whole.count("->") != 1) {
    call.error(span, "the formula " + quoted(whole) + " has no single '->' between operands and result")
        .hint(groups ? "write for example \"b n (h e) -> b h n e\""
                     : "write for example \"b n d, d e -> b n e\"");
    return std::nullopt;
  }
  auto [left, right] = whole.split("->");
  Formula formula;
  llvm::SmallVector<llvm::StringRef> parts;
  left.split(parts, ',');
  for (llvm::StringRef part : parts) {
    std::optional<FormulaTerm> term = parseTerm(call, part, span, groups);
    if (!term)
      return std::nullopt;
    formula.inputs.push_back(std::move(*term));
  }
  std::optional<FormulaTerm> output = parseTerm(call, right, span, groups);
  if (!output)
    return std::nullopt;
  formula.output = std::move(*output);
  return formula;
}

static std::string printTerm(const FormulaTerm &term) {
  std::string text;
  for (const FormulaAxis &axis : term) {
    std::string names;
    for (const std::string &name : axis.names)
      names += (names.empty() ? "" : " ") + name;
    text += (text.empty() ? "" : " ") + (axis.grouped ? "(" + names + ")" : names);
  }
  return text;
}

bool expandEllipsis(Call &call, Formula &formula, llvm::ArrayRef<Value> operands, Span span) {
  size_t widest = 0;
  for (auto [term, operand] : llvm::zip(formula.inputs, operands)) {
    size_t named = llvm::count_if(term, [](const FormulaAxis &axis) { return !axis.ellipsis; });
    bool open = named != term.size();
    size_t rank = operand.getType().rank();
    if (open ? rank < named : rank != named) {
      Diagnostic &report = call.error(
          span, "the formula names " + std::to_string(named) + (named == 1 ? " axis" : " axes") + " in \"" +
                    printTerm(term) + "\", but the operand is " + operand.getType().str());
      report.note(operand.span(), "this is " + operand.getType().str());
      if (named == 1 && !open && term.front().names.size() == 1 && term.front().names.front().size() == rank)
        report.hint(
            "names are separated by spaces: \"" +
            llvm::join(llvm::map_range(term.front().names.front(), [](char c) { return std::string(1, c); }),
                       " ") +
            "\"");
      return false;
    }
    if (open)
      widest = std::max(widest, rank - named);
  }
  auto expand = [&](FormulaTerm &term, size_t count) {
    FormulaTerm result;
    for (FormulaAxis &axis : term) {
      if (!axis.ellipsis) {
        result.push_back(std::move(axis));
        continue;
      }
      // Aligned from the last, so that operands of different rank share their trailing axes.
      for (size_t i = 0; i < count; ++i)
        result.push_back({{"..." + std::to_string(count - i)}, false, false});
    }
    term = std::move(result);
  };
  for (auto [term, operand] : llvm::zip(formula.inputs, operands)) {
    size_t named = llvm::count_if(term, [](const FormulaAxis &axis) { return !axis.ellipsis; });
    expand(term, operand.getType().rank() - named);
  }
  expand(formula.output, widest);
  return true;
}

} // namespace heddle::frontend
