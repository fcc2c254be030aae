// Attention of a token over a cache, against its formula.

#include "DeviceAttention.h"

#include "compiler/conversion/SparseKToGPU/CacheAttention.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;

namespace {

struct CacheSizes {
  int64_t batch, queryHeads, heads, tokens, keyWidth, valueWidth, topk, window;
  int64_t slots() const { return topk + window; }
};

std::string appendText(const CacheSizes &s, const std::string &element) {
  auto tensor = [](std::initializer_list<int64_t> shape, const std::string &type) {
    std::string text = "tensor<";
    for (int64_t extent : shape)
      text += std::to_string(extent) + "x";
    return text + type + ">";
  };
  const int64_t b = s.batch, h = s.heads;
  const std::string token[] = {
      tensor({b, s.queryHeads, s.tokens, s.keyWidth}, element), tensor({b, h, s.tokens, s.keyWidth}, element),
      tensor({b, h, s.tokens, s.valueWidth}, element), tensor({b, h, s.tokens}, "f32"), tensor({b}, "i32")};
  const std::string state[] = {tensor({b, h, s.slots(), s.keyWidth}, element),
                               tensor({b, h, s.slots(), s.valueWidth}, element),
                               tensor({b, h, s.slots()}, "f32"),
                               tensor({b, h, s.slots()}, "i32"),
                               tensor({b, h, 4096}, "f32"),
                               tensor({b, h}, "i32"),
                               tensor({b, h}, "f32"),
                               tensor({b, h}, "f32"),
                               tensor({b}, "i32")};
  const std::string options[] = {tensor({b}, "f64"), tensor({b}, "i32"), tensor({b}, "i32")};
  std::string arguments, names, types, results = tensor({b, s.queryHeads, s.tokens, s.valueWidth}, element);
  int number = 0;
  auto add = [&](const std::string &type, const std::string &before) {
    const std::string name = "%a" + std::to_string(number++);
    arguments += (number > 1 ? ", " : "") + name + ": " + type;
    names += before + name;
    types += (number > 1 ? ", " : "") + type;
  };
  for (const std::string &type : token)
    add(type, number ? ", " : "");
  for (const std::string &type : state) {
    add(type, number == 5 ? " onto (" : ", ");
    results += ", " + type;
  }
  for (const std::string &type : options)
    add(type, ", ");
  return "func.func @append(" + arguments + ") {\n  %r:10 = sparsek.append " + names + ") topk " +
         std::to_string(s.topk) + " window " + std::to_string(s.window) + " : (" + types + ") -> (" +
         results + ")\n  return\n}\n";
}

/// Attends with one token over a random cache and compares.
template <cpu::MatmulElement Element>
void check(const CacheSizes &s, int64_t token, const std::vector<int32_t> &lengths,
           const std::vector<int32_t> &positions, const std::vector<int32_t> &gates,
           const std::vector<int32_t> &estimators, double tolerance) {
  using T = typename Stored<Element>::Type;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  auto noise = [&]<typename X>(std::vector<X> &values, int64_t size) {
    for (int64_t i = 0; i < size; ++i)
      values.push_back(X(normal(random)));
  };
  const int64_t rows = s.batch * s.heads, group = s.queryHeads / s.heads;
  std::vector<T> q, keys, values;
  std::vector<float> score, hi, lo;
  noise(q, s.batch * s.queryHeads * s.tokens * s.keyWidth);
  noise(keys, rows * s.slots() * s.keyWidth);
  noise(values, rows * s.slots() * s.valueWidth);
  noise(score, rows * s.slots());
  noise(hi, rows);
  lo.assign(size_t(rows), -0.5f);
  hi[0] = -INFINITY;
  const std::vector<double> scales(size_t(s.batch), 0.3);

  test::DeviceHarness device;
  ParsedOperation parsed(device, appendText(s, elementName(Element)));
  gpu::StepBuilder builder(device.module(), device.loc(), "test");
  gpu::CacheAttention attention(builder, mlir::cast<sparsek::AppendOp>(parsed.op));
  attention.attend(token);
  std::vector<test::DeviceBuffer> operands(17), results(10);
  operands[0] = device.put(q);
  operands[4] = device.put(lengths);
  operands[14] = device.put(scales);
  operands[15] = device.put(gates);
  operands[16] = device.put(estimators);
  results[0] = device.fresh<T>(size_t(s.batch * s.queryHeads * s.tokens * s.valueWidth));
  results[1] = device.put(keys);
  results[2] = device.put(values);
  results[3] = device.put(score);
  results[7] = device.put(hi);
  results[8] = device.put(lo);
  results[9] = device.put(positions);
  runProgram(device, builder.program, operands, results);
  const std::vector<T> o = device.get<T>(results[0]);

  std::vector<double> got, expected;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.queryHeads; ++h) {
      const int64_t row = b * s.heads + h / group, query = (b * s.queryHeads + h) * s.tokens + token;
      const int64_t first = s.tokens - lengths[size_t(b)], p = positions[size_t(b)] + token - first;
      std::vector<double> out(size_t(s.valueWidth), 0);
      double sum = 0;
      for (int64_t slot = 0; slot < s.slots() && token >= first; ++slot) {
        const bool selected = slot < s.topk;
        if (selected ? slot >= std::min(p + 1 - s.window, s.topk)
                     : slot - s.topk >= std::min(p + 1, s.window))
          continue;
        double gate = 1, product = 0;
        const size_t at = size_t(row * s.slots() + slot);
        if (selected && !std::isinf(hi[size_t(row)]))
          gate = std::clamp((score[at] - hi[size_t(row)]) - lo[size_t(row)], 0.0f, 1.0f);
        for (int64_t e = 0; e < s.keyWidth; ++e)
          product +=
              double(q[size_t(query * s.keyWidth + e)]) * double(keys[at * size_t(s.keyWidth) + size_t(e)]);
        const bool soft = estimators[size_t(b)] == 0;
        const double weight = std::exp(0.3 * product * (soft && gates[size_t(b)] == 0 ? gate : 1));
        sum += weight;
        for (int64_t c = 0; c < s.valueWidth; ++c)
          out[size_t(c)] += weight * (soft && gates[size_t(b)] <= 1 ? gate : 1) *
                            double(values[at * size_t(s.valueWidth) + size_t(c)]);
      }
      for (int64_t c = 0; c < s.valueWidth; ++c) {
        expected.push_back(sum > 0 ? out[size_t(c)] / sum : 0);
        got.push_back(double(o[size_t(query * s.valueWidth + c)]));
      }
    }
  CHECK(distance(got, expected) <= tolerance);
}

} // namespace

TEST_CASE("a token attends over a cache on a device", "[device][cache]") {
  const CacheSizes s{3, 4, 2, 2, 24, 20, 70, 16};
  for (int64_t token : {0, 1}) {
    check<cpu::MatmulElement::F32>(s, token, {2, 1, 0}, {200, 30, 5}, {0, 1, 0}, {0, 0, 0}, 2e-6);
    check<cpu::MatmulElement::F32>(s, token, {2, 2, 2}, {0, 30, 5}, {2, 0, 0}, {0, 1, 0}, 2e-6);
  }
  check<cpu::MatmulElement::BF16>({1, 18, 1, 1, 64, 64, 40, 30}, 0, {1}, {100}, {0}, {0}, 1e-2);
  check<cpu::MatmulElement::F32>({1, 2, 2, 1, 8, 8, 0, 30}, 0, {1}, {100}, {0}, {0}, 2e-6);
}
