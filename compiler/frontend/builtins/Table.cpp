//===- Table.cpp - The table of builtins ------------------------------------===//
#include "compiler/frontend/builtins/Call.h"
#include "compiler/frontend/builtins/Variant.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

namespace heddle::frontend {

Value Builtin::evaluate(CallContext &context) const {
  if (context.evaluator.pairs && !allowedInPairBlock(context))
    return Value::error();
  std::optional<Call> call = Call::bind(context, signature);
  if (!call)
    return Value::error();
  Value result = implementation(*call).withSpan(context.span);
  return context.evaluator.pairs && !allowedInPairBlock(context, result) ? Value::error() : result;
}

namespace {
struct Table {
  llvm::StringMap<const Builtin *> byName;
  std::vector<llvm::StringRef> names;

  Table() {
    for (llvm::ArrayRef<Builtin> family :
         {elementwiseBuiltins(), negationBuiltins(), activationBuiltins(), reductionBuiltins(),
          linearBuiltins(), shapeBuiltins(), rearrangeBuiltins(), makeBuiltins(), gatherBuiltins(),
          networkBuiltins(), attentionBuiltins(), cacheBuiltins(), treeBuiltins(), differentiateBuiltins()})
      add(family, true);
    add(operatorBuiltins(), false);
    add(matmulBuiltins(), false);
    llvm::sort(names);
  }

  void add(llvm::ArrayRef<Builtin> family, bool listed) {
    for (const Builtin &builtin : family) {
      byName[builtin.name] = &builtin;
      if (listed)
        names.push_back(builtin.name);
    }
  }
};
} // namespace

static const Table &table() {
  static const Table instance;
  return instance;
}

const Builtin *lookupBuiltin(llvm::StringRef name) { return table().byName.lookup(name); }

llvm::ArrayRef<llvm::StringRef> allBuiltinNames() { return table().names; }

} // namespace heddle::frontend
