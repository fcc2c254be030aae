// The sparsek operations against the vectors of tests/data/sparsek, which an independent implementation made.

#include "Program.h"

#include <heddle/io.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <map>

using heddle::interp::Array;
using heddle::interp::Element;

namespace {

struct Case {
  std::map<std::string, Array> arrays;
  std::map<std::string, std::string> attributes;
};

Case load(const std::filesystem::path &path) {
  heddle::Metadata metadata;
  Case result;
  for (const auto &[name, tensor] : heddle::load_safetensors(path.string(), &metadata)) {
    auto shape = tensor.shape();
    result.arrays.emplace(name, Array::fromBuffer(static_cast<Element>(tensor.dtype()),
                                                  llvm::ArrayRef<int64_t>(shape.data(), shape.size()),
                                                  tensor.raw()));
  }
  for (const auto &[key, value] : metadata)
    result.attributes.emplace(key, value);
  return result;
}

/// `tensor<1x2x3xf32>`.
std::string typeOf(const Array &array, const std::string &element) {
  std::string text = "tensor<";
  for (int64_t extent : array.shape())
    text += std::to_string(extent) + "x";
  return text + element + ">";
}

/// Forward and backward of one attention, as @f(q, k, v, u, do) -> (o, hi, lo, count, end, dq, dk, dv, du).
std::string programOf(const Case &c) {
  auto type = [&](const char *name) { return typeOf(c.arrays.at(name), "f32"); };
  auto attribute = [&](const char *name) { return c.attributes.at(name); };
  const Array &q = c.arrays.at("q");
  std::string Q = type("q"), K = type("k"), V = type("v"), U = type("u"), O = type("o"),
              I = typeOf(c.arrays.at("u"), "i32"),
              L = typeOf(Array(Element::f32, q.shape().drop_back()), "f32"),
              budget = " topk " + attribute("topk") + " window " + attribute("window"),
              options = budget + " scale " + attribute("scale") + " gate " + attribute("gate") +
                        " estimator " + attribute("estimator"),
              operands = Q + ", " + K + ", " + V + ", " + U + ", " + U + ", " + U + ", " + I;
  return "func.func @f(%q: " + Q + ", %k: " + K + ", %v: " + V + ", %u: " + U + ", %do: " + O + ") -> (" + O +
         ", " + U + ", " + U + ", " + I + ", " + I + ", " + Q + ", " + K + ", " + V + ", " + U + ") {\n" +
         "%hi, %lo, %count, %end = sparsek.threshold %u" + budget + " : " + U + " -> " + U + ", " + U + ", " +
         I + ", " + I + "\n%o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end" + options + " : (" +
         operands + ") -> (" + O + ", " + L + ")\n" +
         "%dq, %dk, %dv, %direct, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, "
         "%lse, %do" +
         options + " : (" + operands + ", " + O + ", " + L + ", " + O + ") -> (" + Q + ", " + K + ", " + V +
         ", " + U + ", " + U +
         ")\n%through = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window " +
         attribute("window") + " : " + U + ", " + U + ", " + U + ", " + I + ", " + U + " -> " + U +
         "\n%du = heddle.add %direct, %through : " + U +
         "\nreturn %o, %hi, %lo, %count, %end, %dq, %dk, %dv, %du : " + O + ", " + U + ", " + U + ", " + I +
         ", " + I + ", " + Q + ", " + K + ", " + V + ", " + U + "\n}";
}

/// ||a - b|| / ||b||, or ||a - b|| where b is 0 up to the rounding of whoever made it.
double distance(const Array &a, const Array &b) {
  REQUIRE(a.shape() == b.shape());
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    difference += (a.real(i) - b.real(i)) * (a.real(i) - b.real(i));
    norm += b.real(i) * b.real(i);
  }
  return std::sqrt(difference) / (norm > 1e-18 ? std::sqrt(norm) : 1);
}

void compare(const Case &c, bool f64, double tolerance) {
  Program::Arrays args;
  for (const char *name : {"q", "k", "v", "u", "do"})
    args.push_back(c.arrays.at(name));
  auto results = Program(programOf(c)).run(args, f64);

  const Array &tau = c.arrays.at("tau"), &hi = results[1], &lo = results[2];
  for (int64_t i = 0; i < tau.count(); ++i) {
    INFO("tau " << i);
    double sum = hi.real(i) + lo.real(i);
    CHECK((sum == tau.real(i) ||
           std::fabs(sum - tau.real(i)) <= tolerance * std::max(1.0, std::fabs(tau.real(i)))));
    CHECK((lo.real(i) >= -1 && lo.real(i) <= 0));
  }
  for (auto [name, at] : {std::pair{"count", 3}, std::pair{"end", 4}})
    for (int64_t i = 0; i < tau.count(); ++i) {
      INFO(name << " " << i);
      CHECK(results[at].integer(i) == c.arrays.at(name).integer(i));
    }
  for (auto [name, at] :
       {std::pair{"o", 0}, std::pair{"dq", 5}, std::pair{"dk", 6}, std::pair{"dv", 7}, std::pair{"du", 8}}) {
    INFO(name);
    CHECK(distance(results[at], c.arrays.at(name)) <= tolerance);
  }
}

} // namespace

TEST_CASE("sparsek operations agree with the vectors", "[sparsek]") {
  int cases = 0;
  for (const auto &entry : std::filesystem::directory_iterator(HEDDLE_TEST_DATA "/sparsek")) {
    if (entry.path().extension() != ".safetensors")
      continue;
    ++cases;
    INFO(entry.path().filename());
    Case c = load(entry.path());
    {
      INFO("in f64");
      compare(c, true, 1e-9);
    }
    {
      INFO("in f32");
      compare(c, false, 1e-5);
    }
  }
  CHECK(cases >= 23);
}
