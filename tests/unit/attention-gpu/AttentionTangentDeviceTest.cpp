// Forward mode on a device is the transpose of the backward pass; both with cotangents of lse.

#include "DeviceAttention.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {

template <typename X, typename Y>
double dot(const std::vector<X> &x, const std::vector<Y> &y) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i)
    sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum;
}

/// Compares <dout, o'> + <dlse, lse'> with what the cotangents of the operands give, for all tangents
/// together and each alone.
template <MatmulElement Element>
void checkTranspose(const AttentionSpec &s, double tolerance, const std::vector<int32_t> &offsets = {}) {
  INFO(describe(s));
  AttentionCase<Element> c(s, 0.5, 1, offsets);
  using Score = typename AttentionCase<Element>::Score;
  c.reference.run();
  c.allocate();
  c.takeOutputs();
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  auto noise = [&](auto &values, size_t size) {
    for (size_t i = 0; i < size; ++i)
      values.emplace_back(static_cast<std::decay_t<decltype(values[0])>>(normal(random)));
  };
  DeviceAttention<Element> device(c);
  noise(device.dlse, c.lse.size());
  device.backward();
  typename DeviceAttention<Element>::Tangents all;
  noise(all.q, c.q.size());
  noise(all.k, c.k.size());
  noise(all.v, c.v.size());
  noise(all.u, c.u.size());
  noise(all.tau, c.u.size());
  for (int given : {31, 1, 2, 4, 8, 16}) {
    INFO("tangents " << given);
    typename DeviceAttention<Element>::Tangents in;
    double expected = 0;
    auto give = [&](int bit, auto &to, const auto &from, const auto &cotangent) {
      if (!(given & bit))
        return;
      to = from;
      expected += dot(from, cotangent);
    };
    give(1, in.q, all.q, c.dq);
    give(2, in.k, all.k, c.dk);
    give(4, in.v, all.v, c.dv);
    give(8, in.u, all.u, c.du);
    give(16, in.tau, all.tau, c.dtau);
    auto [o, lse] = device.tangent(in);
    const std::vector<Score> dlse(device.dlse.begin(), device.dlse.end());
    const double got = dot(c.dout, o) + dot(dlse, lse);
    const double size =
        std::sqrt(dot(c.dout, c.dout) * dot(o, o)) + std::sqrt(dot(dlse, dlse) * dot(lse, lse));
    CHECK(std::abs(got - expected) <= tolerance * size);
  }
}

} // namespace

TEST_CASE("tangents on a device are the transpose of cotangents", "[device][tangent]") {
  checkTranspose<MatmulElement::F32>(attentionSpec(1, 4, 2, 100, 20, 12, 12, 16), 2e-6);
  checkTranspose<MatmulElement::F32>(attentionSpec(1, 2, 1, 90, 8, 8, 0, 20), 2e-6);
  checkTranspose<MatmulElement::F32>(attentionSpec(1, 1, 1, 90, 8, 8, 9, 0), 2e-6);
  checkTranspose<MatmulElement::BF16>(attentionSpec(1, 2, 1, 100, 16, 16, 12, 16), 1e-2);
  AttentionSpec gated = attentionSpec(1, 2, 1, 100, 16, 16, 12, 16);
  gated.gate = cpu::AttentionGate::Value;
  checkTranspose<MatmulElement::F32>(gated, 2e-6);
  gated.straightThrough = true;
  checkTranspose<MatmulElement::F32>(gated, 2e-6);
}

TEST_CASE("tangents of packed sequences on a device", "[device][tangent]") {
  checkTranspose<MatmulElement::F32>(attentionSpec(1, 2, 1, 150, 16, 16, 10, 40), 2e-6,
                                     {0, 30, 30, 117, 150});
}
