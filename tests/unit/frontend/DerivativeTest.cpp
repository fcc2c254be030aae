// grad and its relatives, and the functions over leaves, on function values.
#include "BuiltinHarness.h"
#include <catch2/catch.hpp>

using namespace heddle::frontend;

namespace {

constexpr ElementType f32 = ElementType::F32, bf16 = ElementType::BF16, i32 = ElementType::I32;

Argument pos(const Value &value) { return {"", value, {0, 4, 5}, {}}; }

Value call(CallContext &context, const char *name, std::vector<Value> operands) {
  std::vector<Argument> args;
  for (const Value &operand : operands)
    args.push_back(pos(operand));
  CallContext inner(name, context.callee, context.span, args, context.diagnostics, context.emit,
                    context.evaluator);
  return lookupBuiltin(name)->evaluate(inner);
}

/// loss(p, ids) = mean(p.w * p.w) for a struct with a float and an integer leaf.
Value loss() {
  return Value::function(std::make_shared<TestFunction>(std::vector<std::string>{"p", "ids"},
                                                        [](CallContext &context) {
                                                          Value w = context.args[0].value.field(0, {});
                                                          return call(context, "mean",
                                                                      {call(context, "*", {w, w})});
                                                        }),
                         {});
}

Value square() {
  return Value::function(std::make_shared<TestFunction>(std::vector<std::string>{"x"},
                                                        [](CallContext &context) {
                                                          const Value &x = context.args[0].value;
                                                          return call(context, "*", {x, x});
                                                        }),
                         {});
}

Type parameters(ElementType element, const Dim &width) {
  return Type::structure(nullptr, "P", {Type::tensor(element)}, {width},
                         {{"w", Type::tensor(element, width)}, {"steps", Type::tensor(i32)}});
}

} // namespace

TEST_CASE("derivatives have the type of what is differentiated") {
  for (bool known : {false, true}) {
    Dim width = known ? Dim(8) : Dim::variable("D");
    std::string p = known ? "P<f32>[8]" : "P<f32>[D]";
    for (auto [mode, expected] :
         {std::pair<const char *, std::string>{"grad", p}, {"value_and_grad", "(f32, " + p + ")"}}) {
      Harness harness(known);
      Value derivative = harness.call(mode, {pos(loss())});
      Value result = harness.apply(
          derivative,
          {pos(harness.input(parameters(f32, width))), pos(harness.input(Type::tensor(i32, width)))}, {});
      CHECK(harness.firstError() == "");
      CHECK(result.getType().str() == expected);
      if (known) {
        CHECK(harness.finish(result) == "");
        CHECK(harness.ir().find("wrt [0]") != std::string::npos);
      }
    }
    Harness harness(known);
    Value x = harness.input(Type::tensor(f32, width));
    Value pulled = harness.apply(harness.call("vjp", {pos(square())}), {pos(x), pos(x)}, {});
    Value pushed = harness.apply(harness.call("jvp", {pos(square())}), {pos(x), pos(x)}, {});
    std::string row = known ? "f32[8]" : "f32[D]";
    CHECK(pulled.getType().str() == "(" + row + ", " + row + ")");
    CHECK(pushed.getType().str() == "(" + row + ", " + row + ")");
    Value twice = harness.call("grad", {pos(harness.call("grad", {pos(square())}))});
    Value second = harness.apply(twice, {pos(Value::floatLiteral(2.0, {}))}, {});
    CHECK(second.getType().str() == "f32");
    CHECK(harness.firstError() == "");
    if (known)
      CHECK(harness.finish(Value::tuple({pulled, pushed, second}, {})) == "");
  }
}

TEST_CASE("wrong derivatives are explained") {
  Harness harness(false);
  Dim D = Dim::variable("D");
  Value p = harness.input(parameters(f32, D)), ids = harness.input(Type::tensor(i32, D)),
        x = harness.input(Type::tensor(f32, D));
  auto errorOf = [&](const Value &function, std::vector<Argument> args) {
    harness.diagnostics.clear();
    if (!function.isError())
      harness.apply(function, args, {});
    return harness.firstError();
  };
  CHECK(errorOf(harness.call("grad", {pos(square())}), {pos(x)}) ==
        "grad needs a function with one floating-point scalar as its result, but function 'test' gives "
        "f32[D] | sum or mean "
        "makes a scalar of it; vjp takes a cotangent of any shape");
  CHECK(errorOf(harness.call("grad", {pos(loss()), {"wrt", Value::string("ids", {}), {}, {}}}),
                {pos(p), pos(ids)}) == "grad differentiates in parameter 'ids', but integers have no "
                                       "derivative: it is i32[D] | wrt = names another "
                                       "parameter");
  CHECK(errorOf(harness.call("grad", {pos(loss()), {"wrt", Value::string("idx", {}), {}, {}}}),
                {pos(p), pos(ids)}) ==
        "function 'test' has no parameter 'idx' to differentiate in | did you mean 'ids'?");
  CHECK(errorOf(harness.call("grad", {pos(loss()), {"wrt", Value::intLiteral(2, {}), {}, {}}}),
                {pos(p), pos(ids)}) == "wrt = 2, but function 'test' has 2 parameters");
  CHECK(errorOf(harness.call("vjp", {pos(square())}), {pos(x), pos(ids)}) ==
        "vjp(function 'test') needs a cotangent of type f32[D], but it is i32[D]");
  harness.diagnostics.clear();
  CHECK(harness.call("grad", {pos(x)}).isError());
  CHECK(harness.firstError() == "grad needs a function, not f32[D] | write for example grad(loss)(p, batch)");
}

TEST_CASE("map_leaves keeps the struct, or changes its element type") {
  for (bool known : {false, true}) {
    Dim width = known ? Dim(8) : Dim::variable("D");
    Harness harness(known);
    static int declaration; // only its address matters
    auto made = [&](ElementType element) {
      return Type::structure(reinterpret_cast<const StructDecl *>(&declaration), "P", {Type::tensor(element)},
                             {width}, {{"w", Type::tensor(element, width)}, {"b", Type::tensor(element)}});
    };
    harness.instantiator = [&](llvm::ArrayRef<Type> types, llvm::ArrayRef<Dim>) {
      return made(types[0].element());
    };
    auto function = [](std::function<Value(CallContext &)> body) {
      return pos(
          Value::function(std::make_shared<TestFunction>(std::vector<std::string>{}, std::move(body)), {}));
    };
    Value weights = harness.input(made(bf16)), masters = harness.input(made(f32));
    Value wide = harness.call("map_leaves",
                              {function([](CallContext &context) {
                                 return call(context, "cast",
                                             {context.args[0].value, Value::type(Type::tensor(f32), {})});
                               }),
                               pos(weights)});
    CHECK(wide.getType() == made(f32));
    Value both =
        harness.call("map_leaves", {function([](CallContext &context) {
                                      return Value::tuple({context.args[0].value, context.args[1].value}, {});
                                    }),
                                    pos(weights), pos(masters)});
    CHECK(both.getType().str() == (known ? "(P<bf16>[8], P<f32>[8])" : "(P<bf16>[D], P<f32>[D])"));
    Value norm = harness.call(
        "reduce_leaves",
        {function([](CallContext &context) {
           return call(context, "+", {context.args[0].value, call(context, "sum", {context.args[1].value})});
         }),
         pos(Value::floatLiteral(0, {})), pos(masters)});
    CHECK(norm.getType().str() == "f32");
    CHECK(harness.firstError() == "");
    if (known)
      CHECK(harness.finish(Value::tuple({wide, both, norm}, {})) == "");

    Value summed = harness.call("map_leaves", {function([](CallContext &context) {
                                                 return call(context, "sum", {context.args[0].value});
                                               }),
                                               pos(masters)});
    CHECK(summed.isError());
    CHECK(harness.firstError() == std::string("map_leaves' function turns leaf 'w', ") +
                                      (known ? "f32[8]" : "f32[D]") + ", into f32; a leaf's shape must stay");
  }
}
