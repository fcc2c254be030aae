// Random functions of heddle operations, as IR text.

#include "RandomFunction.h"

#include <algorithm>

namespace {

const std::vector<std::string> realTypes = {"f32", "f32", "f32", "f64", "bf16", "f16"};

bool isReal(const std::string &element) { return element[0] == 'f' || element[0] == 'b'; }

std::string list(const std::vector<int64_t> &numbers) {
  std::string text = "[";
  for (size_t i = 0; i < numbers.size(); ++i)
    text += (i ? ", " : "") + std::to_string(numbers[i]);
  return text + "]";
}

int64_t product(const std::vector<int64_t> &shape) {
  int64_t n = 1;
  for (int64_t extent : shape)
    n *= extent;
  return n;
}

} // namespace

std::string TensorType::str() const {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element + ">";
}

RandomFunction::RandomFunction(uint32_t seed, int size, bool signedZeros)
    : random(seed), signedZeros(signedZeros) {
  std::string header;
  for (int i = 0; i < 5; ++i) {
    TensorType type{i < 3 ? oneOf(realTypes) : i == 3 ? "i32" : "i1", randomShape()};
    std::string name = "%a" + std::to_string(i);
    values.push_back({name, type});
    argumentTypes.push_back(type);
    header += (i ? ", " : "") + name + ": " + type.str();
  }
  for (int i = 0; i < size; ++i)
    step(2);
  // The last value and some others.
  std::string names = values.back().name, types = values.back().type.str();
  for (size_t i = 5; i + 1 < values.size(); ++i)
    if (below(4) == 0) {
      names += ", " + values[i].name;
      types += ", " + values[i].type.str();
    }
  program = "func.func @f(" + header + ") -> (" + types + ") {\n" + body + "  return " + names + " : " +
            types + "\n}\n";
}

std::vector<int64_t> RandomFunction::randomShape() {
  static const std::vector<std::vector<int64_t>> shapes = {{},     {1},    {3},       {4},      {1, 4},
                                                           {3, 4}, {4, 1}, {3, 1, 4}, {2, 3, 4}};
  return oneOf(shapes);
}

const RandomFunction::Value &RandomFunction::any() {
  // Later values with more likelihood, so that operations meet.
  int n = static_cast<int>(values.size()), at = below(2) ? below(n) : n - 1 - below(std::min(n, 4));
  return values[at];
}

RandomFunction::Value RandomFunction::emit(const std::string &operation, const TensorType &result,
                                           const std::string &types) {
  Value value{"%v" + std::to_string(next++), result};
  body += "  " + value.name + " = heddle." + operation + " : " + types + "\n";
  values.push_back(value);
  return value;
}

RandomFunction::Value RandomFunction::constant(const TensorType &type) {
  auto number = [&]() -> std::string {
    if (type.element == "i1")
      return below(2) ? "true" : "false";
    if (!isReal(type.element))
      return oneOf(std::vector<std::string>{"0", "1", "-1", "2", "7", "-128"});
    return oneOf(
        std::vector<std::string>{"0.0", "-0.0", "1.0", "-1.0", "2.0", "0.5", "-8.0", "0.3", "1.0e-3"});
  };
  std::string dense;
  if (below(4) || product(type.shape) > 12) {
    dense = number();
  } else {
    // Nested brackets around the elements in turn.
    auto nest = [&](auto &self, size_t axis) -> std::string {
      if (axis == type.shape.size())
        return number();
      std::string text = "[";
      for (int64_t i = 0; i < type.shape[axis]; ++i)
        text += (i ? ", " : "") + self(self, axis + 1);
      return text + "]";
    };
    dense = nest(nest, 0);
  }
  Value value{"%v" + std::to_string(next++), type};
  body += "  " + value.name + " = heddle.constant dense<" + dense + "> : " + type.str() + "\n";
  values.push_back(value);
  return value;
}

RandomFunction::Value RandomFunction::like(const TensorType &type) {
  std::vector<Value> fitting;
  std::copy_if(values.begin(), values.end(), std::back_inserter(fitting),
               [&](const Value &v) { return v.type == type; });
  return fitting.empty() || below(4) == 0 ? constant(type) : oneOf(fitting);
}

RandomFunction::Value RandomFunction::withElement(const std::string &element) {
  std::vector<Value> fitting;
  std::copy_if(values.begin(), values.end(), std::back_inserter(fitting),
               [&](const Value &v) { return v.type.element == element; });
  return fitting.empty() ? constant({element, randomShape()}) : oneOf(fitting);
}

void RandomFunction::elementwise() {
  static const std::vector<std::string> unary = {"neg",     "neg",   "abs",  "sign",  "exp", "sqrt", "rsqrt",
                                                 "sigmoid", "floor", "ceil", "round", "log", "tanh", "sin"},
                                        integerUnary = {"neg", "abs", "sign"},
                                        binary = {"add", "sub", "mul", "mul", "div", "rem", "max", "min"},
                                        predicates = {"eq", "ne", "lt", "le", "gt", "ge"},
                                        casts = {"f32", "f64", "bf16", "f16", "i64", "i32", "i8", "i1"};
  Value x = any();
  std::string type = x.type.str();
  bool real = isReal(x.type.element), truth = x.type.element == "i1";
  switch (below(7)) {
  case 0: {
    if (truth)
      return void(emit("not " + x.name, x.type, type));
    std::string name = oneOf(real ? unary : integerUnary);
    if (!signedZeros && name == "rsqrt")
      name = "sqrt";
    return void(emit(name + " " + x.name, x.type, type));
  }
  case 1:
  case 2: {
    Value y = like(x.type);
    if (below(2))
      std::swap(x, y);
    std::string name = truth ? (below(2) ? "and" : "or") : oneOf(binary);
    if (signedZeros && real && (name == "max" || name == "min"))
      name = "sub";
    if (!signedZeros && real && name == "div")
      name = "mul";
    emit(name + " " + x.name + ", " + y.name, x.type, type);
    return;
  }
  case 3: {
    Value y = like(x.type);
    emit("compare " + oneOf(predicates) + " " + x.name + ", " + y.name, {"i1", x.type.shape}, type);
    return;
  }
  case 4: {
    Value c = like({"i1", x.type.shape}), y = like(x.type);
    emit("select " + c.name + ", " + x.name + ", " + y.name, x.type, c.type.str() + ", " + type);
    return;
  }
  case 5: {
    TensorType to{oneOf(casts), x.type.shape};
    emit("cast " + x.name, to, type + " -> " + to.str());
    return;
  }
  default: {
    if (!real)
      return;
    // A constant exponent. In f64 the library's pow is not rounded as products are; in smaller types it is.
    static const std::vector<std::string> exact = {"0.0", "1.0", "-0.0", "1.5"},
                                          rounded = {"0.0", "1.0", "2.0", "-1.0", "0.5", "1.5"};
    std::string exponent = oneOf(x.type.element == "f64" ? exact : rounded);
    if (!signedZeros && exponent == "-1.0")
      exponent = "2.0";
    Value e{"%v" + std::to_string(next++), {x.type.element, {}}};
    body += "  " + e.name + " = heddle.constant dense<" + exponent + "> : " + e.type.str() + "\n";
    Value wide = emit("broadcast " + e.name + " axes []", x.type, e.type.str() + " -> " + type);
    emit("pow " + x.name + ", " + wide.name, x.type, type);
  }
  }
}

void RandomFunction::move() {
  Value x = any();
  std::vector<int64_t> shape = x.type.shape;
  size_t rank = shape.size();
  std::string from = x.type.str();
  auto to = [&](std::vector<int64_t> shape) { return TensorType{x.type.element, std::move(shape)}; };
  auto give = [&](const std::string &operation, const TensorType &result) {
    emit(operation, result, from + " -> " + result.str());
  };
  switch (below(8)) {
  case 0: { // reshape: units come and go, or everything in one axis
    std::vector<int64_t> other;
    for (int64_t extent : shape)
      if (extent != 1)
        other.push_back(extent);
    if (below(4) == 0)
      other = {product(shape)};
    for (int i = below(3); i > 0; --i)
      other.insert(other.begin() + below(static_cast<int>(other.size()) + 1), 1);
    return give("reshape " + x.name, to(other));
  }
  case 1: {
    std::vector<int64_t> permutation(rank), other;
    for (size_t i = 0; i < rank; ++i)
      permutation[i] = static_cast<int64_t>(i);
    std::shuffle(permutation.begin(), permutation.end(), random);
    for (int64_t axis : permutation)
      other.push_back(shape[axis]);
    return give("transpose " + x.name + " permutation " + list(permutation), to(other));
  }
  case 2: {
    if (rank >= 4)
      return;
    std::vector<int64_t> axes, other;
    for (size_t i = 0; i <= rank; ++i) {
      if (below(2) && other.size() < 4)
        other.push_back(oneOf(std::vector<int64_t>{1, 2, 3, 4}));
      if (i < rank) {
        axes.push_back(static_cast<int64_t>(other.size()));
        other.push_back(shape[i]);
      }
    }
    return give("broadcast " + x.name + " axes " + list(axes), to(other));
  }
  case 3: {
    std::vector<int64_t> starts, sizes, strides;
    for (int64_t extent : shape) {
      starts.push_back(below(static_cast<int>(extent)));
      strides.push_back(1 + below(2));
      int64_t most = (extent - 1 - starts.back()) / strides.back() + 1;
      sizes.push_back(below(3) ? most : 1 + below(static_cast<int>(most)));
    }
    return give("slice " + x.name + " starts " + list(starts) + " sizes " + list(sizes) + " strides " +
                    list(strides),
                to(sizes));
  }
  case 4: {
    if (x.type.element == "i1" || product(shape) > 200)
      return;
    Value value = like(to({}));
    std::vector<int64_t> low, high, interior, other;
    for (int64_t extent : shape) {
      low.push_back(below(2));
      high.push_back(below(2));
      interior.push_back(below(4) == 0);
      other.push_back(low.back() + extent + (extent - 1) * interior.back() + high.back());
    }
    TensorType result = to(other);
    emit("pad " + x.name + ", " + value.name + " low " + list(low) + " high " + list(high) + " interior " +
             list(interior),
         result, from + ", " + value.type.str() + " -> " + result.str());
    return;
  }
  case 5: {
    if (rank == 0 || product(shape) > 200)
      return;
    Value y = like(x.type);
    int axis = below(static_cast<int>(rank));
    shape[axis] *= 2;
    TensorType result = to(shape);
    emit("concat " + x.name + ", " + y.name + " axis " + std::to_string(axis), result,
         "(" + from + ", " + from + ") -> " + result.str());
    return;
  }
  case 6: {
    std::vector<int64_t> axes;
    for (size_t i = 0; i < rank; ++i)
      if (below(2))
        axes.push_back(static_cast<int64_t>(i));
    emit("reverse " + x.name + " axes " + list(axes), x.type, from);
    return;
  }
  default: {
    if (rank == 0)
      return;
    TensorType type{below(2) ? "i32" : "f32", shape};
    emit("iota axis " + std::to_string(below(static_cast<int>(rank))), type, type.str());
  }
  }
}

void RandomFunction::reduceOrMultiply() {
  Value x = any();
  int64_t rank = static_cast<int64_t>(x.type.shape.size());
  if (below(3) == 0 && isReal(x.type.element) && rank > 0) {
    // One axis is summed over, so that the order of its sum is known.
    Value y = like(x.type);
    bool turned = rank == 2;
    if (turned)
      y = emit("transpose " + y.name + " permutation [1, 0]",
               {y.type.element, {y.type.shape[1], y.type.shape[0]}},
               y.type.str() + " -> " + TensorType{y.type.element, {y.type.shape[1], y.type.shape[0]}}.str());
    std::string labels = std::string("abcdefgh").substr(0, rank);
    std::string equation = turned ? "ab,bc->ac" : labels + "," + labels + "->" + labels.substr(1);
    TensorType result{x.type.element,
                      turned ? std::vector<int64_t>{x.type.shape[0], x.type.shape[0]}
                             : std::vector<int64_t>(x.type.shape.begin() + 1, x.type.shape.end())};
    emit("einsum \"" + equation + "\" " + x.name + ", " + y.name, result,
         "(" + x.type.str() + ", " + y.type.str() + ") -> " + result.str());
    return;
  }
  std::vector<int64_t> axes, kept;
  for (int64_t d = 0; d < rank; ++d) {
    if (below(2))
      axes.push_back(d);
    else
      kept.push_back(x.type.shape[d]);
  }
  std::string kind = x.type.element == "i1" ? (below(2) ? "any" : "all")
                                            : oneOf(std::vector<std::string>{"sum", "prod", "max", "min"});
  if (signedZeros && isReal(x.type.element))
    kind = "prod";
  TensorType result{x.type.element, kept};
  emit("reduce " + kind + " " + x.name + " axes " + list(axes), result, x.type.str() + " -> " + result.str());
}

void RandomFunction::loop(int depth) {
  int64_t count = oneOf(std::vector<int64_t>{0, 1, 2, 3, 3});
  // Operands: carries, and what has as many leading elements as there are steps.
  std::vector<Value> inits = {any(), any(), any()}, scanned;
  for (const Value &value : values)
    if (!value.type.shape.empty() && value.type.shape[0] == count && scanned.size() < 3 && below(2))
      scanned.push_back(value);
  if (!scanned.empty() && below(2))
    scanned.push_back(scanned.front());

  size_t outside = values.size();
  std::string saved = std::move(body), block = "  ^bb0(";
  body.clear();
  std::string id = std::to_string(next++), scans, starts, operandTypes;
  auto argument = [&](const std::string &name, const TensorType &type) {
    block += (values.size() == outside ? "" : ", ") + name + ": " + type.str();
    values.push_back({name, type});
  };
  argument("%step" + id, {"i32", {}});
  for (size_t i = 0; i < scanned.size(); ++i) {
    const TensorType &type = scanned[i].type;
    argument("%x" + id + "_" + std::to_string(i), {type.element, {type.shape.begin() + 1, type.shape.end()}});
    scans += (i ? ", " : "") + scanned[i].name;
    operandTypes += (operandTypes.empty() ? "" : ", ") + type.str();
  }
  size_t firstCarry = values.size();
  for (size_t i = 0; i < inits.size(); ++i) {
    argument("%c" + id + "_" + std::to_string(i), inits[i].type);
    starts += (i ? ", " : "") + inits[i].name;
    operandTypes += (operandTypes.empty() ? "" : ", ") + inits[i].type.str();
  }
  for (int i = 1 + below(6); i > 0; --i)
    step(depth - 1);
  // Carries that change, that do not, and that are another's start.
  std::vector<Value> yields;
  std::vector<TensorType> results;
  for (size_t i = 0; i < inits.size(); ++i) {
    yields.push_back(below(3) == 0 ? values[firstCarry + i] : like(inits[i].type));
    results.push_back(inits[i].type);
  }
  if (count)
    for (int i = below(4); i > 0; --i) {
      yields.push_back(any());
      std::vector<int64_t> shape = yields.back().type.shape;
      shape.insert(shape.begin(), count);
      results.push_back({yields.back().type.element, shape});
    }
  std::string yielded, yieldTypes, resultTypes;
  for (size_t i = 0; i < yields.size(); ++i) {
    yielded += (i ? ", " : "") + yields[i].name;
    yieldTypes += (i ? ", " : "") + yields[i].type.str();
    resultTypes += (i ? ", " : "") + results[i].str();
  }
  std::string name = "%r" + id;
  body = saved + "  " + name + ":" + std::to_string(results.size()) + " = heddle.for " +
         std::to_string(count) + (below(2) ? " reverse" : "") + " scan(" + scans + ") init(" + starts +
         ") : (" + operandTypes + ") -> (" + resultTypes + ") {\n" + block + "):\n" + body +
         "  heddle.yield " + yielded + " : " + yieldTypes + "\n  }\n";
  values.resize(outside);
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i].shape.size() <= 4 && below(3))
      values.push_back({name + "#" + std::to_string(i), results[i]});
}

void RandomFunction::condition(int depth) {
  Value c = like({"i1", {}});
  TensorType types[2] = {any().type, any().type};
  std::string name = "%r" + std::to_string(next++), saved = std::move(body), regions[2];
  size_t outside = values.size();
  for (std::string &region : regions) {
    body.clear();
    for (int i = below(4); i > 0; --i)
      step(depth - 1);
    Value a = like(types[0]), b = like(types[1]);
    region = body + "  heddle.yield " + a.name + ", " + b.name + " : " + types[0].str() + ", " +
             types[1].str() + "\n";
    values.resize(outside);
  }
  body = saved + "  " + name + ":2 = heddle.if " + c.name + " : (tensor<i1>) -> (" + types[0].str() + ", " +
         types[1].str() + ") {\n" + regions[0] + "  } else {\n" + regions[1] + "  }\n";
  for (int i = 0; i < 2; ++i)
    values.push_back({name + "#" + std::to_string(i), types[i]});
}

void RandomFunction::step(int depth) {
  int choice = below(16);
  if (choice == 0 && depth > 0)
    return loop(depth);
  if (choice == 1 && depth > 0)
    return condition(depth);
  if (choice < 3)
    return reduceOrMultiply();
  if (choice < 10)
    return move();
  elementwise();
}
