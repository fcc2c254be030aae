// Arguments to parameters, dimensions and types from arguments.
#include "compiler/frontend/Elaborator.h"

namespace heddle::frontend {

Value Elaborator::instantiateFunction(const ast::IndexExpr &index, const FnCallable &fn, ScopePtr scope) {
  auto result = std::make_shared<FnCallable>(*this, fn.fn);
  result->dims = fn.dims;
  const auto &declared = fn.fn.item->dims;
  size_t next = 0;
  bool ok = true;
  bool named = false;
  for (const ast::IndexItem &item : index.items) {
    if (item.kind != ast::IndexItem::Value) {
      diagnostics.error(item.span, "expected a dimension, found a slice")
          .note(fn.fn.item->name.span,
                "'" + fn.fn.name() + "' is a function; the brackets give its dimensions");
      return Value::error();
    }
    std::string name = item.name.text;
    if (!name.empty()) {
      named = true;
      std::vector<std::string> names;
      for (const ast::Name &dim : fn.fn.dims)
        names.push_back(dim.text);
      if (!llvm::is_contained(names, name)) {
        Diagnostic &error =
            diagnostics.error(item.name.span, "'" + fn.fn.name() + "' has no dimension '" + name + "'");
        error.note(fn.fn.item->name.span, "it is declared here");
        if (std::string near = nearest(name, names); !near.empty())
          error.hint("did you mean '" + near + "'?");
        ok = false;
        continue;
      }
    } else {
      if (named) {
        diagnostics.error(item.span, "a dimension without a name follows one with a name")
            .hint("put those without names first");
        return Value::error();
      }
      if (next >= declared.size()) {
        diagnostics
            .error(item.span, "'" + fn.fn.name() + "' takes " + std::to_string(declared.size()) +
                                  (declared.size() == 1 ? " dimension" : " dimensions") +
                                  " in brackets, got " + std::to_string(index.items.size()))
            .note(fn.fn.item->name.span, "it is declared here");
        return Value::error();
      }
      name = declared[next++].name.text;
    }
    if (auto given = result->dims.find(name); given != result->dims.end()) {
      diagnostics.error(item.span, "the dimension '" + name + "' is given twice")
          .note(given->second.span, "it was given here");
      ok = false;
      continue;
    }
    std::optional<Dim> value = resolveDim(*item.value, *scope);
    if (value && value->isConstant() && value->value() < 0) {
      diagnostics.error(item.span, "dimension " + name + " = " + value->str() + " is negative");
      value.reset();
    }
    ok &= value.has_value();
    if (value)
      result->dims[name] = {*value, item.span};
  }
  return ok ? Value::function(result, index.span) : Value::error();
}

std::optional<std::vector<std::optional<Argument>>>
Elaborator::order(const std::string &what, llvm::ArrayRef<ast::Parameter> parameters,
                  llvm::ArrayRef<Argument> args, Span span, Span declared) {
  std::vector<std::optional<Argument>> result(parameters.size());
  size_t next = 0;
  bool named = false;
  bool ok = true;
  size_t positional = 0;
  for (const Argument &arg : args)
    positional += arg.name.empty();
  for (const Argument &arg : args) {
    size_t at = 0;
    if (arg.name.empty()) {
      if (named) {
        diagnostics.error(arg.span, "an argument without a name follows one with a name")
            .hint("put those without names first");
        return std::nullopt;
      }
      if (next >= parameters.size()) {
        Diagnostic &error =
            diagnostics.error(arg.span, what + " takes " + std::to_string(parameters.size()) +
                                            (parameters.size() == 1 ? " argument" : " arguments") + ", got " +
                                            std::to_string(positional));
        error.note(declared, "it is declared here");
        return std::nullopt;
      }
      at = next++;
    } else {
      named = true;
      while (at < parameters.size() && parameters[at].name.text != arg.name)
        ++at;
      if (at == parameters.size()) {
        std::vector<std::string> names;
        std::string list;
        for (const ast::Parameter &parameter : parameters) {
          names.push_back(parameter.name.text);
          list += (list.empty() ? "'" : ", '") + parameter.name.text + "'";
        }
        Diagnostic &error = diagnostics.error(arg.nameSpan.valid() ? arg.nameSpan : arg.span,
                                              what + " has no parameter '" + arg.name + "'");
        error.note(declared, "it is declared here");
        std::string near = nearest(arg.name, names);
        error.hint(near.empty() ? "its parameters are " + list : "did you mean '" + near + "'?");
        ok = false;
        continue;
      }
    }
    if (result[at]) {
      diagnostics.error(arg.span, "the argument '" + parameters[at].name.text + "' is given twice")
          .note(result[at]->span, "it was given here");
      ok = false;
      continue;
    }
    result[at] = arg;
  }
  std::string missing;
  size_t count = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (result[i] || parameters[i].defaultValue)
      continue;
    missing += (missing.empty() ? "'" : ", '") + parameters[i].name.text + "'";
    ++count;
  }
  if (count && ok) {
    diagnostics
        .error(span, (count == 1 ? "the argument " : "the arguments ") + missing + " of " + what +
                         (count == 1 ? " is missing" : " are missing"))
        .note(declared, "it is declared here");
    ok = false;
  }
  if (!ok)
    return std::nullopt;
  return result;
}

bool Elaborator::addDefaultDims(const FnDecl &fn, Frame &frame, std::vector<std::string> &added) {
  bool missing = false;
  for (const ast::DimParameter &dim : fn.item->dims) {
    if (frame.dims.count(dim.name.text))
      continue;
    if (!dim.defaultValue) {
      missing = true;
      continue;
    }
    bool wasSilent = diagnostics.isSilent();
    diagnostics.setSilent(wasSilent || missing);
    std::optional<Dim> value = resolveDim(*dim.defaultValue, *root(std::make_shared<Frame>(frame)));
    diagnostics.setSilent(wasSilent);
    if (!value && !missing)
      return false;
    if (value) {
      frame.dims[dim.name.text] = *value;
      added.push_back(dim.name.text);
    }
  }
  return true;
}

std::optional<BoundCall> Elaborator::bindCall(const FnCallable &callable, llvm::ArrayRef<Argument> args,
                                              Span span) {
  const FnDecl &fn = callable.fn;
  const ast::FnItem &item = *fn.item;
  auto ordered = order("'" + fn.name() + "'", item.parameters, args, span, item.name.span);
  if (!ordered)
    return std::nullopt;
  auto frame = std::make_shared<Frame>();
  frame->module = fn.module;
  frame->fn = &fn;
  Inference inference(*this, root(frame));
  for (const ast::Name &dim : fn.dims)
    inference.addDim(dim.text);
  for (const ast::TypeParameter &type : item.typeParameters)
    inference.addType(type.name.text, type.isFloat);
  for (const auto &[name, given] : callable.dims)
    inference.give(name, given.value, given.span, "here");

  bool ok = true;
  auto report = [&](const Inference::Mismatch &failure, Span place, const ast::Parameter *parameter) {
    ok = false;
    if (failure.message.empty())
      return;
    Diagnostic &error = diagnostics.error(place, failure.message);
    for (const Remark &note : failure.notes)
      error.note(note.span, note.message);
    if (parameter)
      error.note(parameter->span, "the parameter is declared here");
    if (!failure.hint.empty())
      error.hint(failure.hint);
  };
  // Literals adapt to the others, so they come last.
  for (bool literals : {false, true}) {
    for (size_t i = 0; i < item.parameters.size(); ++i) {
      const ast::Parameter &parameter = item.parameters[i];
      const std::optional<Argument> &arg = (*ordered)[i];
      if (!arg || !parameter.type || arg->value.getType().isLiteral() != literals)
        continue;
      Type type = arg->value.getType();
      auto *name = parameter.type->as<ast::NameExpr>();
      if (literals && name && inference.types.count(name->name)) {
        auto &slot = inference.types[name->name];
        if (slot.value)
          continue; // coercion below reports what does not fit
        type = withDefaultType(emit, arg->value).getType();
      }
      if (auto failure = inference.unify(*parameter.type, type, arg->span,
                                         "argument '" + parameter.name.text + "' of '" + fn.name() + "'"))
        report(*failure, arg->span, &parameter);
    }
  }
  if (!ok)
    return std::nullopt;
  if (auto failure = inference.settle()) {
    report(*failure, span, nullptr);
    return std::nullopt;
  }
  auto fill = [&] {
    for (const auto &[name, slot] : inference.dims)
      if (slot.value)
        frame->dims[name] = *slot.value;
    for (const auto &[name, slot] : inference.types)
      if (slot.value)
        frame->types[name] = *slot.value;
  };
  fill();
  std::vector<std::string> added;
  if (!addDefaultDims(fn, *frame, added))
    return std::nullopt;
  for (const std::string &name : added)
    inference.give(name, frame->dims.find(name)->second, item.name.span, "its default");
  if (auto failure = inference.finish()) {
    report(*failure, span, nullptr);
    return std::nullopt;
  }
  fill();
  for (const ast::Name &dim : fn.dims) {
    if (frame->dims.count(dim.text))
      continue;
    Diagnostic &error =
        diagnostics.error(span, "the dimension '" + dim.text + "' of '" + fn.name() + "' is not given");
    error.note(dim.span, "it is declared here");
    error.hint("write '" + fn.name() + "[" + dim.text + " = …](…)'");
    return std::nullopt;
  }
  for (const ast::TypeParameter &type : item.typeParameters) {
    if (frame->types.count(type.name.text))
      continue;
    diagnostics
        .error(span,
               "the type '" + type.name.text + "' of '" + fn.name() + "' cannot be told from the arguments")
        .note(type.name.span, "it is declared here");
    return std::nullopt;
  }

  BoundCall bound;
  bound.frame = frame;
  ScopePtr scope = root(frame);
  diagnostics.pushContext(span, "in this call of '" + fn.name() + "'");
  for (size_t i = 0; i < item.parameters.size() && ok; ++i) {
    const ast::Parameter &parameter = item.parameters[i];
    if (!parameter.type) {
      ok = false;
      break;
    }
    Type type = resolveType(*parameter.type, *scope);
    const std::optional<Argument> &arg = (*ordered)[i];
    Value value = arg ? arg->value : expr(*parameter.defaultValue, scope);
    if (type.isError() || value.isError()) {
      ok = false;
      break;
    }
    std::optional<Value> fitted = coerce(emit, value, type);
    if (!fitted) {
      Diagnostic &error = diagnostics.error(arg ? arg->span : parameter.defaultValue->span,
                                            (arg ? "argument '" : "the default of '") + parameter.name.text +
                                                "' of '" + fn.name() + "' has type " + value.getType().str() +
                                                ", expected " + type.str());
      error.note(parameter.span, "the parameter is declared here");
      if (value.getType().isTensor() && type.isTensor() && llvm::equal(value.getType().dims(), type.dims()))
        error.hint("convert it with 'cast(…, " + spelling(type.element()).str() + ")'");
      ok = false;
      break;
    }
    bound.values.push_back(*fitted);
  }
  diagnostics.popContext();
  if (!ok)
    return std::nullopt;
  return bound;
}

} // namespace heddle::frontend
