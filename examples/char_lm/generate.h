// Text from a trained model, byte by byte.
#pragma once

#include <heddle/heddle.hpp>

#include <cstdint>
#include <string>

namespace char_lm {

/// The functions of the model that generation calls.
struct Generator {
  heddle::Function prefill, decode;
  double temperature; ///< of the softmax that bytes are drawn from; 0 takes the likeliest
  uint64_t seed;

  struct Text {
    std::string text;
    double bytesPerSecond = 0; ///< without the prompt and without compiling
  };
  /// Continues a prompt to `length` bytes. The caches are donated to each call and so updated in place.
  Text operator()(const heddle::Struct &model, const std::string &prompt, int64_t length);
};

} // namespace char_lm
