// Trains a byte-level language model with SPARSEK attention and samples from it. The model is char_lm.heddle;
// this program only holds tensors and calls its functions.
#include "generate.h"
#include "options.h"
#include "report.h"
#include "text.h"

#include <heddle/heddle.hpp>
#include <heddle/io.hpp>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>

using char_lm::Options;
using heddle::Device;
using heddle::Struct;
using heddle::Tensor;

namespace {

volatile std::sig_atomic_t interrupted = 0;

/// Mean loss in nats over the same windows of the validation text at every call.
double validate(heddle::Function &loss, const Struct &model, const char_lm::Corpus &corpus,
                const Options &options) {
  const int64_t rows = options.tokensPerBatch / options.context, rounds = 4;
  double total = 0;
  for (int64_t round = 0; round < rounds; ++round)
    total += loss({model, char_lm::drawBatch(corpus.valid, rows, options.context, 7, round)})[0]
                 .tensor()
                 .item<float>();
  return total / rounds;
}

/// Warm-up, long enough that roundings of the first steps are not blown up, then a cosine down to a tenth.
float learningRate(const Options &options, int64_t step) {
  const double warm = std::min(1.0, static_cast<double>(step + 1) / 100);
  const double phase = static_cast<double>(step) / static_cast<double>(std::max<int64_t>(options.steps, 1));
  return static_cast<float>(options.rate * warm * (0.55 + 0.45 * std::cos(phase * std::acos(-1.0))));
}

void saveCheckpoint(const std::string &path, const Struct &model, const Struct &state,
                    const std::vector<float> &losses, const char_lm::SelectionLog &selections) {
  Struct all;
  all.add("model", model);
  all.add("state", state);
  all.add("losses", Tensor::from(losses));
  std::vector<float> rows;
  for (const auto &[step, look] : selections)
    rows.insert(rows.end(), {static_cast<float>(step), look.gate, look.dead, look.turnover});
  all.add("selections", Tensor::from(rows));
  heddle::save_safetensors(path, all, {{"program", "char_lm"}});
}

int run(const Options &options) {
  const char_lm::Corpus corpus = char_lm::readCorpus(options.text, options.context);
  std::filesystem::create_directories(options.out);
  const std::string checkpoint = options.out + "/checkpoint.safetensors";

  const Device device = Device::parse(options.device);
  heddle::Program program = heddle::Program::load(options.program);
  const heddle::FunctionOptions sizes{.dims = {{"V", 256},
                                               {"D", options.width},
                                               {"Hq", options.width / 32},
                                               {"H", options.width / 64},
                                               {"E", 32},
                                               {"M", 3 * options.width},
                                               {"L", options.layers}},
                                      .device = device};
  const heddle::FunctionOptions attention{
      .dims = {{"K", options.topk}, {"W", options.window}}, .device = device, .decompose = options.decompose};
  heddle::FunctionOptions stepOptions = attention;
  stepOptions.dims["R"] = options.checkpoint;
  heddle::Function init = program.function("init", sizes), initState = program.function("init_state", sizes),
                   step = program.function(options.dtype == "bf16" ? "train_step_bf16" : "train_step",
                                           stepOptions),
                   loss = program.function("loss", attention),
                   selectionLog = program.function("selection_log", attention);
  char_lm::Generator generate{program.function("prefill", {.dims = attention.dims, .device = device}),
                              program.function("decode", {.dims = attention.dims, .device = device}),
                              options.temperature, options.seed};

  Struct model, state;
  std::vector<float> losses;
  char_lm::SelectionLog selections;
  if (options.resume.empty()) {
    model = init({static_cast<int64_t>(options.seed)})[0];
    state = initState({})[0];
  } else {
    Struct all = heddle::load_safetensors(options.resume);
    // Their own memory instead of a part of the file's, so that they can be donated.
    model = all.below("model").clone().to(device);
    state = all.below("state").clone().to(device);
    auto values = all["losses"].values<float>();
    losses.assign(values.begin(), values.end());
    auto rows = all["selections"].values<float>();
    for (size_t i = 0; i + 3 < rows.size(); i += 4)
      selections[static_cast<int64_t>(rows[i])] = {rows[i + 1], rows[i + 2], rows[i + 3]};
    std::printf("resumed after step %zu from %s\n", losses.size(), options.resume.c_str());
  }

  const double bigram = char_lm::bigramBitsPerByte(corpus), bits = 1 / std::log(2.0);
  const double before = validate(loss, model, corpus, options);
  const int64_t rows = options.tokensPerBatch / options.context, first = static_cast<int64_t>(losses.size());
  step.specialise({donate(model), donate(state),
                   char_lm::drawBatch(corpus.train, rows, options.context, options.seed, 0), 0.0f});
  char_lm::Progress progress(first, options.steps, rows * options.context);
  const int64_t last = options.stop > 0 ? std::min(options.stop, options.steps) : options.steps;
  for (int64_t i = first; i < last && !interrupted; ++i) {
    Tensor batch = char_lm::drawBatch(corpus.train, rows, options.context, options.seed, i);
    std::vector<Struct> results = step({donate(model), donate(state), batch, learningRate(options, i)});
    losses.push_back(results[0].tensor().item<float>());
    model = std::move(results[2]);
    state = std::move(results[3]);
    progress.update(i + 1, losses.back());
    if (options.logEvery > 0 && options.topk > 0 && ((i + 1) % options.logEvery == 0 || i + 1 == last)) {
      const Struct look = selectionLog({model, batch})[0];
      selections[i + 1] = {look["gate"].item<float>(), look["dead"].item<float>(),
                           look["turnover"].item<float>()};
      progress.note(i + 1, selections[i + 1]);
    }
  }
  progress.finish();
  saveCheckpoint(checkpoint, model, state, losses, selections);
  char_lm::writeCsv(options.out + "/loss.csv", losses, selections);
  char_lm::writeSvg(options.out + "/loss.svg", losses, bigram);
  if (interrupted) {
    std::printf("interrupted after step %zu; continue with --resume %s\n", losses.size(), checkpoint.c_str());
    return 130;
  }

  const double after = validate(loss, model, corpus, options) * bits;
  std::printf("validation: %.3f bits/byte before, %.3f after; bigram model %.3f; ratio %.3f\n", before * bits,
              after, bigram, after / bigram);
  char_lm::Generator::Text sample;
  if (options.sample > 0)
    sample = generate(model, "And God said", options.sample);
  std::printf("compile time: %.1f s (%.1f s of it the training step); peak memory: %.0f MiB\n",
              init.stats().compileSeconds + initState.stats().compileSeconds + step.stats().compileSeconds +
                  loss.stats().compileSeconds + selectionLog.stats().compileSeconds +
                  generate.prefill.stats().compileSeconds + generate.decode.stats().compileSeconds,
              step.stats().compileSeconds, char_lm::peakMemoryMiB());
  if (options.sample > 0)
    std::printf("generation: %.0f bytes/s\nsample:\n%s\n", sample.bytesPerSecond,
                char_lm::printable(sample.text).c_str());
  std::printf("wrote %s, loss.csv and loss.svg\n", checkpoint.c_str());
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  if (std::optional<int> status = char_lm::parseOptions(argc, argv, options))
    return *status;
  std::signal(SIGINT, [](int) { interrupted = 1; });
  try {
    return run(options);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "char_lm: error: %s\n", error.what());
    return 1;
  }
}
