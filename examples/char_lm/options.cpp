#include "options.h"

#include <CLI/CLI.hpp>

namespace char_lm {

std::optional<int> parseOptions(int argc, char **argv, Options &options) {
  CLI::App app("Trains a byte-level language model with SPARSEK attention and samples from it");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--text", options.text, "the text to learn")->required();
  app.add_option("--out", options.out, "where the checkpoint and the loss curve go")->capture_default_str();
  app.add_option("--program", options.program, "the model")->capture_default_str();
  app.add_option("--resume", options.resume, "a checkpoint to continue from");
  app.add_option("--device", options.device, "what computes: cpu, cuda, cuda:1")->capture_default_str();
  app.add_option("--dtype", options.dtype, "what a training step computes in; parameters stay in f32")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--steps", options.steps, "training steps")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--stop", options.stop, "stop and write the checkpoint after this step of the schedule");
  app.add_option("--context", options.context, "bytes in a row of a batch")
      ->capture_default_str()
      ->check(CLI::Range(2, 1 << 24));
  app.add_option("--tokens", options.tokensPerBatch, "bytes in a batch, a multiple of the context")
      ->capture_default_str();
  app.add_option("--topk", options.topk, "learned keys of each query")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--window", options.window, "recent keys of each query")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--log-every", options.logEvery,
                 "steps between two looks at the selection; 0: never, as with --topk 0")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--layers", options.layers, "transformer blocks")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--width", options.width, "width of the model, a multiple of 64")->capture_default_str();
  app.add_option("--rate", options.rate, "highest learning rate")->capture_default_str();
  app.add_option("--seed", options.seed, "seed of parameters, batches and samples")->capture_default_str();
  app.add_option("--sample", options.sample, "bytes of text to generate at the end")->capture_default_str();
  app.add_option("--temperature", options.temperature, "of the sampling; 0 takes the likeliest byte")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--checkpoint", options.checkpoint,
               "compute blocks again in the backward pass, which takes less memory and more time");
  app.add_flag("--dense", options.decompose,
               "use the dense decomposition of SPARSEK, O(N^2): for comparison");
  try {
    app.parse(argc, argv);
    if (options.tokensPerBatch < options.context || options.tokensPerBatch % options.context)
      throw CLI::ValidationError("--tokens", std::to_string(options.tokensPerBatch) +
                                                 " is not a multiple of --context " +
                                                 std::to_string(options.context));
    if (options.width < 64 || options.width % 64)
      throw CLI::ValidationError("--width", std::to_string(options.width) + " is not a multiple of 64");
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

} // namespace char_lm
