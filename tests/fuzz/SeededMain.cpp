// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// fuzz-files-seeded [SEED [CASES]] changes good files at random and gives them to the readers. A failing case
// is written to fuzz-failure-SEED.bin.

#include "FilesHarness.h"

#include <heddle/io.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

using namespace heddle;

namespace {
std::string contents(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Good files of both formats, as the library writes them, and .npy headers that it only reads.
std::vector<std::string> goodFiles() {
  char path[] = "/tmp/heddle-seed-XXXXXX";
  close(mkstemp(path));
  std::vector<std::string> files;
  const std::vector<Tensor> tensors = {
      Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}), Tensor::scalar(int64_t(-1)),
      Tensor::from<bool>({true, false, true}),         Tensor::zeros({0, 4}, DType::f64),
      Tensor::full({2, 1, 2}, 0.5, DType::f16),        Tensor::from<int8_t>({1, 2, 3, 4}, {4, 1}),
  };
  Struct all;
  for (const Tensor &tensor : tensors) {
    save_npy(path, tensor);
    files.push_back(contents(path));
    all.add("layers." + std::to_string(all.size()), tensor);
    save_safetensors(path, all, {{"step", std::to_string(all.size())}});
    files.push_back(contents(path));
  }
  unlink(path);
  for (const auto &[from, to] : std::vector<std::pair<std::string, std::string>>{
           {"'<f4'", "'>f4'"}, {"False", "True "}, {"'fortran_order': False", "'fortran_order': True "}}) {
    std::string file = files[0];
    file.replace(file.find(from), from.size(), to);
    files.push_back(file);
  }
  return files;
}

/// Pieces with a meaning in one of the formats.
const std::vector<std::string> tokens = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         "(",
                                         ")",
                                         ",",
                                         ":",
                                         "'",
                                         "\"",
                                         "0",
                                         "-1",
                                         "9223372036854775807",
                                         "18446744073709551616",
                                         "1e9",
                                         "\\u0000",
                                         "\\ud800",
                                         "True",
                                         "null",
                                         "'shape'",
                                         "\"shape\"",
                                         "\"dtype\"",
                                         "\"data_offsets\"",
                                         "\"__metadata__\"",
                                         "'descr'",
                                         "'<f8'",
                                         "'>i4'",
                                         "'|b1'",
                                         "\"BF16\"",
                                         "\"BOOL\"",
                                         "\"I8\"",
                                         "(0,)",
                                         "[0,0]",
                                         "\xFF",
                                         "\xC0\x80",
                                         std::string(1, '\0'),
                                         std::string(4, '\xFF'),
                                         std::string(8, '\0')};

class Mutator {
public:
  explicit Mutator(uint32_t seed) : random(seed), good(goodFiles()) {}

  std::string next() {
    std::string file = pick(good);
    for (uint32_t n = 1 + below(4); n > 0; --n)
      change(file);
    return file;
  }

private:
  uint32_t below(size_t bound) { return static_cast<uint32_t>(random() % bound); }
  const std::string &pick(const std::vector<std::string> &list) { return list[below(list.size())]; }

  void change(std::string &file) {
    const size_t at = below(file.size() + 1);
    const size_t length = std::min<size_t>(1 + below(12), file.size() - at);
    switch (below(8)) {
    case 0: // a bit
      if (at < file.size())
        file[at] = static_cast<char>(file[at] ^ 1 << below(8));
      return;
    case 1: // a byte
      if (at < file.size())
        file[at] = static_cast<char>(random());
      return;
    case 2: // a digit becomes another
      for (size_t i = at; i < file.size(); ++i)
        if (file[i] >= '0' && file[i] <= '9') {
          file[i] = static_cast<char>('0' + below(10));
          return;
        }
      return;
    case 3: // cut off
      file.resize(at);
      return;
    case 4: // remove, the rest moves up
      file.erase(at, length);
      return;
    case 5: // put in
      file.insert(at, pick(tokens));
      return;
    case 6: { // write over, sizes stay
      const std::string &token = pick(tokens);
      file.replace(at, std::min(token.size(), file.size() - at), token);
      return;
    }
    default: { // a piece of another file
      const std::string &other = pick(good);
      const size_t from = below(other.size());
      file.replace(at, length, other.substr(from, 1 + below(40)));
    }
    }
  }

  std::mt19937 random;
  std::vector<std::string> good;
};
} // namespace

int main(int argc, char **argv) {
  const auto seed = static_cast<uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20240217);
  const long cases = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 60000;
  std::printf("seed %u, %ld cases\n", seed, cases);
  Mutator mutator(seed);
  long npy = 0, archives = 0;
  for (long i = 0; i < cases; ++i) {
    const std::string file = mutator.next();
    const fuzz::Outcome outcome =
        fuzz::checkReaders(reinterpret_cast<const uint8_t *>(file.data()), file.size());
    npy += outcome.npyLoaded;
    archives += outcome.archiveLoaded;
    if (!outcome.broken.empty()) {
      const std::string path = "fuzz-failure-" + std::to_string(seed) + ".bin";
      std::ofstream(path, std::ios::binary) << file;
      std::printf("case %ld, written to %s: %s\n", i, path.c_str(), outcome.broken.c_str());
      return 1;
    }
  }
  std::printf("%ld were read as .npy and %ld as .safetensors, the others refused\n", npy, archives);
  // Changes that never leave a file readable, or always do, test nothing.
  const long few = cases / 100;
  if (cases >= 1000 && (npy < few || archives < few || npy + archives > cases - few)) {
    std::printf("the mutations are too wild or too tame\n");
    return 1;
  }
  return 0;
}
