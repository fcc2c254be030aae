#include "generate.h"

#include <heddle/cache.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

using heddle::Struct;
using heddle::Tensor;

namespace char_lm {

static int32_t draw(std::span<const float> logits, double temperature, std::mt19937_64 &engine) {
  const auto top = std::max_element(logits.begin(), logits.end());
  if (temperature == 0)
    return static_cast<int32_t>(top - logits.begin());
  std::vector<double> weights;
  for (float logit : logits)
    weights.push_back(std::exp((logit - *top) / temperature));
  return std::discrete_distribution<int32_t>(weights.begin(), weights.end())(engine);
}

Generator::Text Generator::operator()(const Struct &model, const std::string &prompt, int64_t length) {
  using Clock = std::chrono::steady_clock;
  std::mt19937_64 engine(seed);
  Text result{prompt};
  const heddle::Argument parameters = model;
  Tensor read = Tensor::empty({1, static_cast<int64_t>(prompt.size())}, heddle::DType::i32);
  std::copy_n(reinterpret_cast<const unsigned char *>(prompt.data()), prompt.size(), read.data<int32_t>());
  std::vector<Struct> results = prefill({parameters, read});
  Struct caches = std::move(results[1]);
  Tensor byte = Tensor::empty({1}, heddle::DType::i32);
  decode.specialise({parameters, byte, donate(caches)});

  const auto start = Clock::now();
  const double compiling = decode.stats().compileSeconds;
  while (static_cast<int64_t>(result.text.size()) < length) {
    const Tensor logits = results[0].tensor().to(heddle::Device::cpu());
    byte.data<int32_t>()[0] = draw(logits.values<float>(), temperature, engine);
    result.text += static_cast<char>(byte.data<int32_t>()[0]);
    heddle::reserve_cache(caches, 1);
    results = decode({parameters, byte, donate(caches)});
    caches = std::move(results[1]);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count() -
                         (decode.stats().compileSeconds - compiling);
  result.bytesPerSecond = static_cast<double>(result.text.size() - prompt.size()) / std::max(seconds, 1e-9);
  return result;
}

} // namespace char_lm
