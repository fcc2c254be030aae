// Operations of attention as text, for a specification. Part of Heddle's tests.
#pragma once

#include "compiler/conversion/SparseKToCPU/Attention.h"

#include <cstdio>
#include <string>
#include <tuple>

namespace heddle::tests {

enum class AttentionPass { Forward, Backward, Tangent };

inline std::string elementName(cpu::MatmulElement element) {
  switch (element) {
  case cpu::MatmulElement::F64:
    return "f64";
  case cpu::MatmulElement::F32:
    return "f32";
  case cpu::MatmulElement::BF16:
    return "bf16";
  case cpu::MatmulElement::F16:
    return "f16";
  }
  return "";
}

inline std::string exactText(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17e", x);
  return text;
}

/// A function @attention of one operation, whose operands are its arguments and whose results it returns.
inline std::string attentionText(const cpu::AttentionSpec &s, AttentionPass pass) {
  using A = cpu::AttentionArgument;
  const std::string element = elementName(s.element), score = element == "f64" ? "f64" : "f32";
  auto tensor = [](std::initializer_list<int64_t> shape, const std::string &type) {
    std::string text = "tensor<";
    for (int64_t extent : shape)
      text += std::to_string(extent) + "x";
    return text + type + ">";
  };
  const std::string q = tensor({s.batch, s.queryHeads, s.length, s.keyWidth}, element),
                    k = tensor({s.batch, s.heads, s.length, s.keyWidth}, element),
                    v = tensor({s.batch, s.heads, s.length, s.valueWidth}, element),
                    o = tensor({s.batch, s.queryHeads, s.length, s.valueWidth}, element),
                    u = tensor({s.batch, s.heads, s.length}, score),
                    lse = tensor({s.batch, s.queryHeads, s.length}, score),
                    end = tensor({s.batch, s.heads, s.length}, "i32"), bounds = tensor({2, s.length}, "i32");
  std::string arguments, operands, types, keywords;
  auto operand = [&](const std::string &name, const std::string &type, const std::string &before) {
    arguments += (arguments.empty() ? "%" : ", %") + name + ": " + type;
    operands += before + "%" + name;
    types += (types.empty() ? "" : ", ") + type;
  };
  operand("q", q, "");
  for (auto [name, type] : {std::pair{"k", k}, {"v", v}, {"u", u}, {"hi", u}, {"lo", u}, {"end", end}})
    operand(name, type, ", ");
  std::string name = "sparsek.attention", results = o + ", " + lse;
  int count = 2;
  if (pass != AttentionPass::Forward) {
    operand("o", o, ", ");
    operand("lse", lse, ", ");
  }
  if (pass == AttentionPass::Backward) {
    name = "sparsek.attention_backward";
    operand("do", o, ", ");
    if (s.has(A::DLse))
      operand("dlse", lse, " dlse ");
    results = q + ", " + k + ", " + v + ", " + u + ", " + u;
    count = 5;
  } else if (pass == AttentionPass::Tangent) {
    name = "sparsek.attention_tangent";
    const std::tuple<A, const char *, std::string> tangents[] = {
        {A::DQ, "dq", q}, {A::DK, "dk", k}, {A::DV, "dv", v}, {A::DU, "du", u}, {A::DTau, "dtau", u}};
    for (auto &[argument, word, type] : tangents)
      if (s.has(argument))
        operand(word, type, std::string(" ") + word + " ");
  }
  if (s.packed)
    operand("bounds", bounds, ", bounds ");
  const char *gates[] = {"both", "value", "none"};
  return "func.func @attention(" + arguments + ") -> (" + results + ") {\n  %r:" + std::to_string(count) +
         " = " + name + " " + operands + " topk " + std::to_string(s.topk) + " window " +
         std::to_string(s.window) + " scale " + exactText(s.scale) + " gate " + gates[int(s.gate)] +
         " estimator " + (s.straightThrough ? "straight_through" : "soft") + "\n    : (" + types + ") -> (" +
         results + ")\n  return " +
         [&] {
           std::string text;
           for (int i = 0; i < count; ++i)
             text += (i ? ", %r#" : "%r#") + std::to_string(i);
           return text;
         }() +
         " : " + results + "\n}\n";
}

} // namespace heddle::tests
