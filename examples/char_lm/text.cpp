#include "text.h"

#include <heddle/error.hpp>

#include <array>
#include <cmath>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

namespace char_lm {

Corpus readCorpus(const std::string &path, int64_t context) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw heddle::Error(HEDDLE_NOT_FOUND, "cannot read the text '" + path + "'",
                        "tools/dev demo prepares one; any file of 100 kB or more will do");
  std::ostringstream content;
  content << file.rdbuf();
  std::string text = content.str();
  size_t valid = text.size() / 20;
  if (static_cast<int64_t>(valid) < context + 1)
    throw heddle::Error(HEDDLE_INVALID_ARGUMENT,
                        "the text '" + path + "' has " + std::to_string(text.size()) +
                            " bytes; a context of " + std::to_string(context) + " needs " +
                            std::to_string(20 * (context + 1)),
                        "take a longer text or a smaller --context");
  return {text.substr(0, text.size() - valid), text.substr(text.size() - valid)};
}

heddle::Tensor drawBatch(const std::string &text, int64_t rows, int64_t context, uint64_t seed,
                         uint64_t step) {
  std::mt19937_64 engine(seed * 0x9e3779b97f4a7c15ull + step);
  uint64_t places = text.size() - static_cast<size_t>(context);
  heddle::Tensor batch = heddle::Tensor::empty({rows, context + 1}, heddle::DType::i32);
  int32_t *to = batch.data<int32_t>();
  for (int64_t row = 0; row < rows; ++row) {
    size_t start = engine() % places;
    for (int64_t i = 0; i <= context; ++i)
      *to++ = static_cast<unsigned char>(text[start + static_cast<size_t>(i)]);
  }
  return batch;
}

double bigramBitsPerByte(const Corpus &corpus) {
  auto pairs = std::make_unique<std::array<std::array<double, 256>, 256>>();
  std::array<double, 256> totals{};
  auto at = [](const std::string &text, size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i + 1 < corpus.train.size(); ++i) {
    (*pairs)[at(corpus.train, i)][at(corpus.train, i + 1)] += 1;
    totals[at(corpus.train, i)] += 1;
  }
  double bits = 0;
  for (size_t i = 0; i + 1 < corpus.valid.size(); ++i) {
    unsigned char a = at(corpus.valid, i), b = at(corpus.valid, i + 1);
    bits -= std::log2(((*pairs)[a][b] + 1) / (totals[a] + 256));
  }
  return bits / static_cast<double>(corpus.valid.size() - 1);
}

} // namespace char_lm
