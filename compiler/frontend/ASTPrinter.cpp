// The tree as text: expressions as source on one line, modules as an indented tree.
#include "compiler/frontend/AST.h"

#include <charconv>
#include <cmath>

namespace heddle::frontend::ast {

const char *spelling(BinaryOp op) {
  static const char *const names[] = {
      "+", "-", "*", "/", "%", "**", "@", "==", "!=", "<", "<=", ">", ">=", "and", "or"};
  return names[static_cast<size_t>(op)];
}

const char *spelling(UnaryOp op) { return op == UnaryOp::Negate ? "-" : "not"; }

namespace {

/// Binding strength, as in Python; the higher binds tighter.
enum Precedence {
  lowest,
  disjunction,
  conjunction,
  negation,
  comparison,
  sum,
  product,
  sign,
  power,
  postfix
};

Precedence precedenceOf(const Expr &expr) {
  if (auto *binary = expr.as<BinaryExpr>())
    switch (binary->op) {
    case BinaryOp::Or:
      return disjunction;
    case BinaryOp::And:
      return conjunction;
    case BinaryOp::Add:
    case BinaryOp::Sub:
      return sum;
    case BinaryOp::Mul:
    case BinaryOp::Div:
    case BinaryOp::Mod:
    case BinaryOp::MatMul:
      return product;
    case BinaryOp::Pow:
      return power;
    default:
      return comparison;
    }
  if (auto *unary = expr.as<UnaryExpr>())
    return unary->op == UnaryOp::Not ? negation : sign;
  return postfix;
}

std::string number(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return "inf";
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (c == '"' || c == '\\')
      (result += '\\') += c;
    else
      result += c;
  }
  return result + "\"";
}

class Printer {
public:
  std::string out;

  void expr(const Expr &e, Precedence least = lowest) {
    bool brackets = precedenceOf(e) < least;
    out += brackets ? "(" : "";
    inner(e);
    out += brackets ? ")" : "";
  }
  void pattern(const Pattern &p);
  void parameters(const std::vector<Parameter> &list);

private:
  void inner(const Expr &e);
  void arguments(const std::vector<Argument> &list);
  void items(const std::vector<IndexItem> &list);
  void block(const BlockExpr &b);
  void statement(const Stmt &s);
};

void Printer::pattern(const Pattern &p) {
  if (!p.isTuple) {
    out += p.name.text;
    return;
  }
  out += "(";
  for (size_t i = 0; i < p.items.size(); ++i) {
    out += i ? ", " : "";
    pattern(p.items[i]);
  }
  out += p.items.size() == 1 ? ",)" : ")";
}

void Printer::parameters(const std::vector<Parameter> &list) {
  out += "(";
  for (size_t i = 0; i < list.size(); ++i) {
    out += i ? ", " : "";
    out += list[i].name.text;
    if (list[i].type) {
      out += ": ";
      expr(*list[i].type);
    }
    if (list[i].defaultValue) {
      out += " = ";
      expr(*list[i].defaultValue);
    }
  }
  out += ")";
}

void Printer::arguments(const std::vector<Argument> &list) {
  out += "(";
  for (size_t i = 0; i < list.size(); ++i) {
    out += i ? ", " : "";
    if (!list[i].name.empty())
      out += list[i].name.text + " = ";
    expr(*list[i].value);
  }
  out += ")";
}

void Printer::items(const std::vector<IndexItem> &list) {
  out += "[";
  for (size_t i = 0; i < list.size(); ++i) {
    const IndexItem &item = list[i];
    out += i ? ", " : "";
    if (!item.name.empty())
      out += item.name.text + " = ";
    if (item.kind == IndexItem::Ellipsis) {
      out += "...";
    } else if (item.kind == IndexItem::Value) {
      expr(*item.value);
    } else {
      if (item.start)
        expr(*item.start);
      out += ":";
      if (item.stop)
        expr(*item.stop);
      if (item.step) {
        out += ":";
        expr(*item.step);
      }
    }
  }
  out += "]";
}

void Printer::statement(const Stmt &s) {
  if (s.kind == Stmt::Let) {
    out += "let ";
    pattern(s.pattern);
    if (s.annotation) {
      out += ": ";
      expr(*s.annotation);
    }
    out += " = ";
  } else if (s.kind == Stmt::Assert) {
    out += "assert ";
  }
  expr(*s.value);
  if (s.message) {
    out += ", ";
    expr(*s.message);
  }
}

void Printer::block(const BlockExpr &b) {
  out += "{ ";
  for (size_t i = 0; i < b.statements.size(); ++i) {
    out += i ? "; " : "";
    statement(b.statements[i]);
  }
  out += " }";
}

void Printer::inner(const Expr &e) {
  if (auto *x = e.as<IntegerExpr>()) {
    out += std::to_string(x->value);
  } else if (auto *x = e.as<FloatExpr>()) {
    out += number(x->value);
  } else if (auto *x = e.as<BoolExpr>()) {
    out += x->value ? "true" : "false";
  } else if (auto *x = e.as<StringExpr>()) {
    out += quoted(x->value);
  } else if (auto *x = e.as<NameExpr>()) {
    out += x->name;
  } else if (auto *x = e.as<UnaryExpr>()) {
    out += x->op == UnaryOp::Not ? "not " : "-";
    expr(*x->operand, x->op == UnaryOp::Not ? negation : sign);
  } else if (auto *x = e.as<BinaryExpr>()) {
    Precedence own = precedenceOf(e);
    bool right = x->op == BinaryOp::Pow;
    auto tighter = static_cast<Precedence>(own + 1);
    expr(*x->lhs, right || own == comparison ? tighter : own);
    out += std::string(" ") + spelling(x->op) + " ";
    expr(*x->rhs, right ? sign : tighter);
  } else if (auto *x = e.as<CallExpr>()) {
    expr(*x->callee, postfix);
    arguments(x->arguments);
    if (x->with) {
      auto &with = static_cast<const LambdaExpr &>(*x->with);
      out += " with ";
      parameters(with.parameters);
      out += " ";
      block(*with.body);
    }
  } else if (auto *x = e.as<IndexExpr>()) {
    expr(*x->base, postfix);
    items(x->items);
  } else if (auto *x = e.as<FieldExpr>()) {
    expr(*x->base, postfix);
    out += "." + x->name.text;
  } else if (auto *x = e.as<TypeApplyExpr>()) {
    expr(*x->base, postfix);
    out += "<";
    for (size_t i = 0; i < x->arguments.size(); ++i) {
      out += i ? ", " : "";
      expr(*x->arguments[i]);
    }
    out += ">";
  } else if (auto *x = e.as<StackTypeExpr>()) {
    out += "[";
    expr(*x->element);
    out += "; ";
    expr(*x->count);
    out += "]";
  } else if (auto *x = e.as<TupleExpr>()) {
    out += "(";
    for (size_t i = 0; i < x->items.size(); ++i) {
      out += i ? ", " : "";
      expr(*x->items[i]);
    }
    out += x->items.size() == 1 ? ",)" : ")";
  } else if (auto *x = e.as<StructLiteralExpr>()) {
    expr(*x->type, postfix);
    out += " { ";
    for (size_t i = 0; i < x->fields.size(); ++i) {
      out += (i ? ", " : "") + x->fields[i].name.text;
      if (x->fields[i].value) {
        out += ": ";
        expr(*x->fields[i].value);
      }
    }
    out += " }";
  } else if (auto *x = e.as<BlockExpr>()) {
    block(*x);
  } else if (auto *x = e.as<IfExpr>()) {
    out += "if ";
    expr(*x->condition);
    out += " ";
    block(*x->then);
    if (x->otherwise) {
      out += " else ";
      expr(*x->otherwise);
    }
  } else if (auto *x = e.as<ForExpr>()) {
    out += "for ";
    pattern(x->pattern);
    out += " in ";
    expr(*x->iterable);
    if (x->hasCarry) {
      out += " carry ";
      pattern(x->carry);
      if (x->init) {
        out += " = ";
        expr(*x->init);
      }
    }
    out += x->collect ? " collect " : " ";
    block(*x->body);
  } else if (auto *x = e.as<LambdaExpr>()) {
    out += "fn ";
    parameters(x->parameters);
    out += " ";
    block(*x->body);
  } else {
    out += "<error>";
  }
}

/// Writes the tree: one node a line, children indented, statements and expressions as text at the leaves.
class TreePrinter {
public:
  explicit TreePrinter(const Module &module) : module(module) {}

  std::string run() {
    line("module");
    ++depth;
    for (ItemRef item : module.order) {
      switch (item.kind) {
      case ItemKind::Import: {
        const ImportItem &i = *module.imports[item.index];
        line("import " + (i.isPath ? quoted(i.target) : i.target), i.span);
        break;
      }
      case ItemKind::Const: {
        const ConstItem &c = *module.consts[item.index];
        line("const " + c.name.text, c.span);
        child("type", c.annotation.get());
        child("value", c.value.get());
        break;
      }
      case ItemKind::Struct:
        structure(*module.structs[item.index]);
        break;
      case ItemKind::Fn:
        function(*module.functions[item.index]);
        break;
      }
    }
    return std::move(out);
  }

private:
  void line(const std::string &text) { out += std::string(2 * depth, ' ') + text + "\n"; }
  void line(const std::string &text, Span span) {
    LineColumn at = module.source->position(span.begin);
    line(text + "  @" + std::to_string(at.line) + ":" + std::to_string(at.column));
  }
  void child(const std::string &label, const Expr *expr) {
    if (!expr)
      return;
    ++depth;
    tree(label + " ", *expr);
    --depth;
  }
  void head(std::string text, const std::vector<TypeParameter> &types, const std::vector<DimParameter> &dims,
            Span span) {
    for (size_t i = 0; i < types.size(); ++i)
      text += (i ? ", " : "<") + types[i].name.text + (types[i].isFloat ? ": float" : "");
    text += types.empty() ? "" : ">";
    for (size_t i = 0; i < dims.size(); ++i)
      text += (i ? ", " : "[") + dims[i].name.text +
              (dims[i].defaultValue ? " = " + print(*dims[i].defaultValue) : "");
    text += dims.empty() ? "" : "]";
    line(text, span);
  }
  void structure(const StructItem &s) {
    head("struct " + s.name.text, s.typeParameters, s.dims, s.span);
    ++depth;
    for (const FieldDecl &f : s.fields)
      line("field " + f.name.text + ": " + print(*f.type), f.name.span);
    --depth;
  }
  void function(const FnItem &f) {
    for (const Attribute &a : f.attributes) {
      std::string text = "@" + a.name.text;
      for (size_t i = 0; i < a.arguments.size(); ++i)
        text += (i ? ", " : "(") + (a.arguments[i].name.empty() ? "" : a.arguments[i].name.text + " = ") +
                print(*a.arguments[i].value);
      line(text + (a.arguments.empty() ? "" : ")"), a.span);
    }
    head("fn " + f.name.text, f.typeParameters, f.dims, f.span);
    ++depth;
    for (const Parameter &p : f.parameters) {
      line("parameter " + p.name.text + (p.type ? ": " + print(*p.type) : ""), p.span);
      child("default", p.defaultValue.get());
    }
    if (f.result)
      line("result " + print(*f.result), f.result->span);
    if (f.body)
      tree("body ", *f.body);
    --depth;
  }
  void statements(const BlockExpr &block) {
    ++depth;
    for (const Stmt &s : block.statements) {
      Printer p;
      if (s.kind == Stmt::Let) {
        p.pattern(s.pattern);
        line("let " + p.out + (s.annotation ? ": " + print(*s.annotation) : ""), s.span);
        ++depth;
        tree("", *s.value);
        --depth;
      } else if (s.kind == Stmt::Assert) {
        line("assert", s.span);
        child("condition", s.value.get());
        child("message", s.message.get());
      } else {
        tree("value ", *s.value);
      }
    }
    --depth;
  }
  void tree(const std::string &label, const Expr &e) {
    Printer p;
    if (auto *block = e.as<BlockExpr>()) {
      line(label + "block", e.span);
      statements(*block);
    } else if (auto *x = e.as<IfExpr>()) {
      line(label + "if", e.span);
      child("condition", x->condition.get());
      child("then", x->then.get());
      child("else", x->otherwise.get());
    } else if (auto *x = e.as<ForExpr>()) {
      p.pattern(x->pattern);
      line(label + "for " + p.out + (x->collect ? " (collect)" : ""), e.span);
      child("in", x->iterable.get());
      if (x->hasCarry) {
        Printer c;
        c.pattern(x->carry);
        ++depth;
        line("carry " + c.out, x->carry.span);
        child("init", x->init.get());
        --depth;
      }
      child("body", x->body.get());
    } else if (auto *x = e.as<LambdaExpr>()) {
      p.parameters(x->parameters);
      line(label + "fn " + p.out, e.span);
      child("body", x->body.get());
    } else if (auto *x = e.as<CallExpr>()) {
      line(label + "call " + print(*x->callee), e.span);
      for (const Argument &a : x->arguments)
        child(a.name.empty() ? "argument" : a.name.text + " =", a.value.get());
      child("with", x->with.get());
    } else if (auto *x = e.as<BinaryExpr>()) {
      line(label + "binary " + spelling(x->op), e.span);
      child("left", x->lhs.get());
      child("right", x->rhs.get());
    } else if (auto *x = e.as<UnaryExpr>()) {
      line(label + "unary " + spelling(x->op), e.span);
      child("operand", x->operand.get());
    } else if (auto *x = e.as<TupleExpr>()) {
      line(label + "tuple", e.span);
      for (const ExprPtr &item : x->items)
        child("item", item.get());
    } else if (auto *x = e.as<StructLiteralExpr>()) {
      line(label + "struct " + print(*x->type), e.span);
      for (const FieldInit &f : x->fields) {
        if (f.value)
          child(f.name.text + ":", f.value.get());
        else {
          ++depth;
          line(f.name.text, f.name.span);
          --depth;
        }
      }
    } else {
      line(label + print(e), e.span);
    }
  }

  const Module &module;
  std::string out;
  unsigned depth = 0;
};

} // namespace

std::string print(const Expr &expr) {
  Printer printer;
  printer.expr(expr);
  return printer.out;
}

std::string print(const Module &module) { return TreePrinter(module).run(); }

} // namespace heddle::frontend::ast
