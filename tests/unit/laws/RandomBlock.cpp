#include "RandomBlock.h"

namespace heddle::laws {

std::string RandomBlock::let(const std::string &expression) {
  std::string name = "x" + std::to_string(count++);
  block += "    let " + name + " = " + expression + "\n";
  return name;
}

std::string RandomBlock::number() {
  const char *bounded[] = {"tanh", "sin", "cos", "sigmoid", "erf"};
  const std::string a = any(numbers), b = any(numbers);
  switch (pick(0, 9)) {
  case 0:
    return let("cast(" + any(whole) + ", T) / " + std::to_string(std::max(queries, keys)) + ".0");
  case 1:
    return let(std::string(bounded[pick(0, 4)]) + "(" + a + ")");
  case 2:
    return let("exp(-abs(" + a + "))");
  case 3:
    return let("where(" + condition() + ", " + a + ", " + b + ")");
  case 4:
    return let("tanh(" + a + ") * " + b);
  case 5:
    return let("mix(" + a + ", " + b + ")");
  case 6:
    return let(std::string(chance(50) ? "max" : "min") + "(" + a + ", " + b + ")");
  case 7:
    return let("sqrt(1.0 + " + a + " ** 2.0)");
  case 8:
    return let("log(1.5 + sin(" + a + "))");
  default:
    return let("0.5 * (" + a + (chance(50) ? " + " : " - ") + b + ")");
  }
}

std::string RandomBlock::condition() {
  const char *predicates[] = {"==", "!=", "<", "<=", ">", ">="};
  const std::string a = any(whole), b = chance(50) ? any(whole) : std::to_string(pick(0, 9));
  return let((chance(30) ? a + " % " + std::to_string(pick(2, 5)) : a) + " " + predicates[pick(0, 5)] + " " +
             b);
}

/// Bounds that leave out pairs which are not looked at, joined by conditions that hide others.
std::string RandomBlock::visibility() {
  const std::string far = std::to_string(pick(1, keys)), first = "first[i]", last = "last[b, g, j]";
  const std::string bounds[] = {"true",          "j <= i",      "i - j < " + far, "abs(i - j) < " + far,
                                "j >= " + first, "i < " + last, "j < " + far,     "part[b, i] == part[b, j]"};
  std::string visible = bounds[pick(0, square ? 7 : 6)];
  for (int64_t i = pick(0, 2); i > 0; --i) {
    const std::string next = chance(60) ? bounds[pick(0, square ? 7 : 6)] : condition();
    visible = "(" + visible + ")" + (chance(70) ? " and " : " or ") + "(" + next + ")";
  }
  return visible;
}

RandomBlock::RandomBlock(uint32_t seed, DType type) : random(seed), type(type) {
  // Lengths of one tile of queries and of several; the interpreter evaluates every pair.
  auto length = [&] { return chance(60) ? pick(1, 20) : pick(21, 70); };
  batches = chance(70) ? 1 : 2, heads = pick(1, 2), group = chance(50) ? 1 : pick(2, 3);
  queries = length();
  square = chance(70);
  keys = square ? queries : length();
  width = pick(1, 40), valueWidth = pick(1, 40);
  if (square && chance(50)) {
    options = ", causal = true";
    if (chance(50))
      options += ", window = " + std::to_string(pick(1, queries + 2));
  }
  if (chance(50))
    options += ", scale = 0.4";
  const int64_t range = pick(1, 12), queryHeads = heads * group, distances = queries + keys - 1;
  const std::string m = square ? "N" : "M";
  parameters = {{"q", "[B, Hq, N, E]", {batches, queryHeads, queries, width}},
                {"k", "[B, H, " + m + ", E]", {batches, heads, keys, width}},
                {"v", "[B, H, " + m + ", V]", {batches, heads, keys, valueWidth}},
                {"row", "[Hq, N]", {queryHeads, queries}},
                {"column", "[H, " + m + "]", {heads, keys}},
                {"own", "[B, H, " + m + "]", {batches, heads, keys}},
                {"along", "[A]", {distances}},
                {"bias", "[Hq, R]", {queryHeads, range}},
                {"c", "", {}},
                {"table", "[N]", {queries}, int32_t(range)},
                {"bucket", "[A]", {distances}, int32_t(range)},
                {"first", "[N]", {queries}, int32_t(keys)},
                {"last", "[B, H, " + m + "]", {batches, heads, keys}, int32_t(queries + 1)},
                {"part", "[B, N]", {batches, queries}, 3}};
  block = "    let g = h / (Hq / H)\n    let away = abs(i - j)\n";
  numbers = {"s", "s", "c"};
  whole = {"b", "h", "i", "j", "i - j", "away", "table[i]"};
  const std::string reads[] = {"row[h, i]",
                               "column[g, j]",
                               "own[b, g, j]",
                               "along[i - j + " + m + " - 1]",
                               "along[away]",
                               "bias[h, min(away, R - 1)]",
                               "bias[h, table[i]]",
                               "bias[h, bucket[away]]",
                               "bias[h, bucket[i - j + " + m + " - 1]]"};
  for (const std::string &read : reads)
    if (chance(60))
      numbers.insert(numbers.end(), static_cast<size_t>(pick(1, 2)), let(read));
  for (int64_t i = pick(2, 9); i > 0; --i)
    numbers.push_back(number());
  const std::string score =
      let("s + 2.0 * tanh(" + numbers.back() + ") + 0.5 * " + any(numbers) + " + 0.3 * " + any(numbers));
  const std::string gate = chance(25) ? "1.0" : any(numbers);
  block += "    (" + score + ", " + gate + ", " + visibility() + ")\n";
  write();
}

void RandomBlock::write() {
  const std::string element = type == DType::f64 ? "f64" : "f32";
  std::string declared, all, floats;
  names = {"o"};
  for (const Parameter &p : parameters) {
    declared += p.name + ": " + (p.bound ? "i32" : element) + p.dims + ", ";
    all += p.name + ", ";
    if (!p.bound) {
      floats += (floats.empty() ? "" : ", ") + p.name;
      names.push_back("d" + p.name);
    }
  }
  const std::string o = element + "[B, Hq, N, V]";
  text = "fn mix<T: float>(a: T, b: T) -> T { a + 0.25 * (b - a) }\n\nfn value(" +
         declared.substr(0, declared.size() - 2) + ") -> " + o + " {\n  attention(q, k, v" + options +
         ") with (s, b, h, i, j) {\n" + block + "  }\n}\n\nfn both(" + declared + "cotangent: " + o +
         ") {\n  vjp(value, wrt = (" + floats + "))(" + all + "cotangent)\n}\n";
  for (size_t at = text.find(", T)"); at != std::string::npos; at = text.find(", T)"))
    text.replace(at + 2, 1, element);
}

std::vector<Argument> RandomBlock::arguments() const {
  std::mt19937 draw(random);
  std::normal_distribution<double> normal;
  auto floats = [&](const Shape &shape) {
    Tensor tensor = Tensor::empty(shape, DType::f64);
    for (double &x : tensor.values<double>())
      x = static_cast<float>(normal(draw)); // the same number in every type
    return tensor.cast(type);
  };
  std::vector<Argument> result;
  for (const Parameter &p : parameters)
    if (p.bound) {
      Tensor tensor = Tensor::empty(p.shape, DType::i32);
      for (int32_t &x : tensor.values<int32_t>())
        x = static_cast<int32_t>(draw() % static_cast<uint32_t>(p.bound));
      result.emplace_back(tensor);
    } else {
      result.emplace_back(floats(p.shape));
    }
  result.emplace_back(floats({batches, heads * group, queries, valueWidth}));
  return result;
}

} // namespace heddle::laws
