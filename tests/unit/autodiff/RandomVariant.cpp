#include "RandomVariant.h"

static std::string tensor(const std::vector<int64_t> &shape, const std::string &element) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element + ">";
}

std::string RandomVariant::line(const std::string &operation) {
  std::string name = "%x" + std::to_string(names++);
  block += "    " + name + " = " + operation + "\n";
  return name;
}

std::string RandomVariant::integer(int64_t value) {
  return line("heddle.constant dense<" + std::to_string(value) + "> : tensor<i32>");
}

std::string RandomVariant::number() {
  const char *unary[] = {"tanh", "sin", "cos", "sigmoid", "abs", "neg"};
  const char *binary[] = {"add", "sub", "mul", "max", "min"};
  switch (pick(0, 4)) {
  case 0:
    return line("heddle.cast " + any(positions) + " : tensor<i32> -> tensor<f64>");
  case 1:
    return line(std::string("heddle.") + unary[pick(0, 5)] + " " + any(numbers) + " : tensor<f64>");
  case 2: {
    std::string bounded = line("heddle.tanh " + any(numbers) + " : tensor<f64>");
    return line("heddle.exp " + bounded + " : tensor<f64>");
  }
  case 3: {
    std::string chosen = condition();
    return line("heddle.select " + chosen + ", " + any(numbers) + ", " + any(numbers) +
                " : tensor<i1>, tensor<f64>");
  }
  default:
    return line(std::string("heddle.") + binary[pick(0, 4)] + " " + any(numbers) + ", " + any(numbers) +
                " : tensor<f64>");
  }
}

std::string RandomVariant::condition() {
  const char *predicates[] = {"eq", "ne", "lt", "le", "gt", "ge"};
  std::string other = pick(0, 1) ? any(positions) : integer(pick(-1, 4));
  return line(std::string("heddle.compare ") + predicates[pick(0, 5)] + " " + any(positions) + ", " + other +
              " : tensor<i32>");
}

RandomVariant::RandomVariant(uint32_t seed) : random(seed) {
  batches = pick(1, 2), heads = pick(1, 2), queryHeads = heads * pick(1, 2), queries = pick(1, 6);
  keys = pick(1, 6), range = pick(1, 4);
  std::string distance = line("heddle.sub %i, %j : tensor<i32>");
  std::string far = line("heddle.abs " + distance + " : tensor<i32>");
  std::string size = integer(range);
  std::string bucket = line("heddle.rem " + far + ", " + size + " : tensor<i32>");
  std::string looked = line("sparsek.read %table_[%i] : " + tensor({queries}, "i32"));
  std::string group = integer(queryHeads / heads);
  std::string head = line("heddle.div %h, " + group + " : tensor<i32>");
  std::string biases = tensor({queryHeads, range}, "f64");
  numbers = {"%s", line("sparsek.read %bias_[%h, " + bucket + "] : " + biases),
             line("sparsek.read %bias_[%h, " + looked + "] : " + biases),
             line("sparsek.read %u_[%b, " + head + ", %j] : " + tensor({batches, heads, keys}, "f64")),
             line("sparsek.read %c_[] : tensor<f64>")};
  positions = {"%b", "%h", "%i", "%j", distance, looked};
  for (int i = 0, n = int(pick(1, 10)); i < n; ++i)
    numbers.push_back(number());
  std::string score = line("heddle.tanh " + numbers.back() + " : tensor<f64>");
  std::string gate = any(numbers);
  std::string visible = condition();
  for (int i = 0, n = int(pick(0, 2)); i < n; ++i)
    visible = line(std::string("heddle.") + (pick(0, 2) ? "and " : "or ") + visible + ", " + condition() +
                   " : tensor<i1>");
  if (pick(0, 1)) { // The root of a negative distance, where the pair is not visible.
    std::string zero = integer(0);
    std::string past = line("heddle.compare ge " + distance + ", " + zero + " : tensor<i32>");
    visible = line("heddle.and " + visible + ", " + past + " : tensor<i1>");
    std::string one = line("heddle.constant dense<1.0> : tensor<f64>");
    std::string real = line("heddle.cast " + distance + " : tensor<i32> -> tensor<f64>");
    std::string next = line("heddle.add " + real + ", " + one + " : tensor<f64>");
    std::string half = line("heddle.constant dense<-0.5> : tensor<f64>");
    std::string power = line("heddle.add " + next + ", " + half + " : tensor<f64>");
    std::string root = line("heddle.sqrt " + power + " : tensor<f64>");
    std::string scaled = line("heddle.mul " + root + ", " + any(numbers) + " : tensor<f64>");
    std::string bounded = line("heddle.sin " + scaled + " : tensor<f64>");
    score = line("heddle.add " + score + ", " + bounded + " : tensor<f64>");
  }
  std::string q = tensor({batches, queryHeads, queries, 3}, "f64"),
              k = tensor({batches, heads, keys, 3}, "f64"), v = tensor({batches, heads, keys, 2}, "f64"),
              u = tensor({batches, heads, keys}, "f64"), table = tensor({queries}, "i32"),
              o = tensor({batches, queryHeads, queries, 2}, "f64"),
              lse = tensor({batches, queryHeads, queries}, "f64");
  std::string captures = biases + ", " + u + ", tensor<f64>, " + table;
  program = "func.func @f(%q: " + q + ", %k: " + k + ", %v: " + v + ", %bias: " + biases + ", %u: " + u +
            ", %c: tensor<f64>, %table: " + table + ") -> (" + o + ", " + lse + ") {\n" +
            "  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%bias, %u, %c, %table) scale 0.7\n" +
            "      : (" + q + ", " + k + ", " + v + ", " + captures + ") -> (" + o + ", " + lse + ") {\n" +
            "  ^bb0(%s: tensor<f64>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, " +
            "%bias_: " + biases + ", %u_: " + u + ", %c_: tensor<f64>, %table_: " + table + "):\n" + block +
            "    sparsek.yield " + score + ", " + gate + ", " + visible + " : tensor<f64>\n  }\n" +
            "  return %o, %lse : " + o + ", " + lse + "\n}\n";
}
