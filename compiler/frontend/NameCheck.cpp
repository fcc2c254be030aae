// Names in functions over any type: their bodies mean something only for given types, but their names can be
// looked up without.
#include "compiler/frontend/Elaborator.h"

namespace heddle::frontend {
namespace {

class NameCheck {
public:
  NameCheck(Elaborator &elaborator, const FnDecl &fn) : elaborator(elaborator) {
    auto frame = elaborator.symbolicFrame(fn);
    for (const ast::TypeParameter &type : fn.item->typeParameters)
      frame->types[type.name.text] = Type::variable(type.name.text);
    scope = elaborator.root(frame);
    for (const ast::Parameter &parameter : fn.item->parameters)
      scope->values[parameter.name.text] = Value::error();
    block(*fn.item->body);
  }

private:
  /// Opens a scope for as long as it lives.
  struct Inner {
    explicit Inner(NameCheck &check) : check(check), outer(check.scope) {
      check.scope = check.elaborator.child(outer);
    }
    ~Inner() { check.scope = outer; }
    NameCheck &check;
    ScopePtr outer;
  };

  void bind(const ast::Pattern &pattern) {
    for (const ast::Pattern &item : pattern.items)
      bind(item);
    if (!pattern.isTuple)
      scope->values[pattern.name.text] = Value::error();
  }

  void block(const ast::BlockExpr &body) {
    Inner inner(*this);
    for (const ast::Stmt &statement : body.statements) {
      visit(statement.annotation);
      visit(statement.value);
      visit(statement.message);
      if (statement.kind == ast::Stmt::Let)
        bind(statement.pattern);
    }
  }

  void name(const ast::NameExpr &use) {
    const Frame &frame = *scope->frame;
    if (scope->find(use.name) || frame.dims.count(use.name) || frame.types.count(use.name) ||
        !frame.module->lookup(use.name).empty() || elementTypeNamed(use.name) || lookupBuiltin(use.name))
      return;
    elaborator.lookup(use, scope); // reports it
  }

  void visit(const ast::ExprPtr &e) {
    if (e)
      visit(*e);
  }
  void visit(const ast::Expr &e);

  Elaborator &elaborator;
  ScopePtr scope;
};

void NameCheck::visit(const ast::Expr &e) {
  if (auto *x = e.as<ast::NameExpr>()) {
    name(*x);
  } else if (auto *x = e.as<ast::UnaryExpr>()) {
    visit(x->operand);
  } else if (auto *x = e.as<ast::BinaryExpr>()) {
    visit(x->lhs);
    visit(x->rhs);
  } else if (auto *x = e.as<ast::CallExpr>()) {
    visit(x->callee);
    for (const ast::Argument &argument : x->arguments)
      if (argument.name.text != "wrt")
        visit(argument.value);
    visit(x->with);
  } else if (auto *x = e.as<ast::IndexExpr>()) {
    visit(x->base);
    for (const ast::IndexItem &item : x->items) {
      visit(item.value);
      visit(item.start);
      visit(item.stop);
      visit(item.step);
    }
  } else if (auto *x = e.as<ast::FieldExpr>()) {
    visit(x->base);
  } else if (auto *x = e.as<ast::TypeApplyExpr>()) {
    visit(x->base);
    for (const ast::ExprPtr &argument : x->arguments)
      visit(argument);
  } else if (auto *x = e.as<ast::StackTypeExpr>()) {
    visit(x->element);
    visit(x->count);
  } else if (auto *x = e.as<ast::TupleExpr>()) {
    for (const ast::ExprPtr &item : x->items)
      visit(item);
  } else if (auto *x = e.as<ast::StructLiteralExpr>()) {
    visit(x->type);
    for (const ast::FieldInit &field : x->fields)
      visit(field.value);
  } else if (auto *x = e.as<ast::BlockExpr>()) {
    block(*x);
  } else if (auto *x = e.as<ast::IfExpr>()) {
    visit(x->condition);
    block(*x->then);
    visit(x->otherwise);
  } else if (auto *x = e.as<ast::ForExpr>()) {
    visit(x->iterable);
    visit(x->init);
    Inner inner(*this);
    bind(x->pattern);
    if (x->hasCarry)
      bind(x->carry);
    block(*x->body);
  } else if (auto *x = e.as<ast::LambdaExpr>()) {
    Inner inner(*this);
    for (const ast::Parameter &parameter : x->parameters) {
      visit(parameter.type);
      visit(parameter.defaultValue);
      scope->values[parameter.name.text] = Value::error();
    }
    block(*x->body);
  }
}

} // namespace

void Elaborator::checkNames(const FnDecl &fn) {
  if (fn.item->body)
    NameCheck(*this, fn);
}

} // namespace heddle::frontend
