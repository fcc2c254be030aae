// The command line of char_lm.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace char_lm {

/// What the command line sets.
struct Options {
  std::string text, out = "out/char_lm", program = CHAR_LM_PROGRAM, resume, device = "cpu", dtype = "f32";
  int64_t steps = 600, stop = 0, context = 256, tokensPerBatch = 4096, topk = 32, window = 32, layers = 4,
          width = 128;
  int64_t sample = 400, logEvery = 50;
  uint64_t seed = 1;
  double rate = 3e-3, temperature = 0.8;
  bool decompose = false, checkpoint = false;
};

/// Reads the command line into `options`. An exit status when the program should end at once: 0 after
/// `--help`, 2 after a wrong option, which is explained on stderr.
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace char_lm
