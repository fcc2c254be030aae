//===- main.cpp - The heddle command --------------------------------------===//

#include "tools/heddle/Commands.h"

#include "compiler/conversion/GPUToPTX/Chip.h"
#include "compiler/jit/Target.h"
#include "tools/heddle/Values.h"

#include <heddle/heddle.hpp>

#include "compiler/frontend/Diagnostics.h"
#include "compiler/jit/Excerpts.h"
#include "compiler/pipelines/Pipelines.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <unistd.h>

using namespace heddle::tool;

static void addEntry(CLI::App &command, EntryOptions &options) {
  command.add_option("FILE", options.file, "the program")->required();
  command.add_option("ENTRY", options.entry, "the function")->required();
  command.add_option("--dim", options.dims, "NAME=NUMBER: a dimension that no value binds; may be repeated")
      ->type_name("NAME=NUMBER")
      ->allow_extra_args(false);
}

/// Accepts one of the words; the message names them.
static CLI::Validator oneOf(std::vector<std::string> words) {
  std::string list;
  for (const std::string &word : words)
    list += (list.empty() ? "" : ", ") + word;
  return CLI::Validator(
      [=](const std::string &text) -> std::string {
        if (std::find(words.begin(), words.end(), text) != words.end())
          return "";
        std::string near = heddle::frontend::nearest(text, words);
        return "'" + text + "' is not one of " + list +
               (near.empty() ? "" : "; did you mean '" + near + "'?");
      },
      "{" + list + "}");
}

static void addValues(CLI::App &command, std::vector<std::string> &values) {
  command.add_option("VALUE", values,
                     "NAME=VALUE: FILE.npy, FILE.safetensors or FILE.safetensors:PREFIX, a literal such as "
                     "[[1.0, 2.0]], zeros, ones, normal:SEED, uniform:SEED or randint:SEED:HIGH");
}

static void addCpu(CLI::App &command, std::string &cpu) {
  command.add_option("--cpu", cpu, "the processor that code is generated for")
      ->check(oneOf(heddle::jit::CpuTarget::names()))
      ->capture_default_str();
}

static void addTF32(CLI::App &command, bool &tf32) {
  command.add_flag("--tf32", tf32, "on GPUs, round the factors of f32 products to 11 bits, which is faster");
}

static CLI::Validator wholeNumber(int64_t least) {
  return CLI::Validator(
      [least](std::string &text) -> std::string {
        int64_t value = 0;
        auto [used, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        bool fine = error == std::errc() && used == text.data() + text.size() && value >= least;
        return fine ? ""
                    : "'" + text + "' is not a whole number from " + std::to_string(least) +
                          " to 9223372036854775807";
      },
      "");
}

/// What the parser of the command line found wrong, in the form of the other messages.
static UsageError usageError(const CLI::App &app, const CLI::ParseError &error) {
  std::string text = error.what();
  // "The following arguments were not expected: --x": as the other messages, without a capital.
  if (text.size() > 1 && std::isupper(static_cast<unsigned char>(text[0])) &&
      !std::isupper(static_cast<unsigned char>(text[1])))
    text[0] = char(std::tolower(static_cast<unsigned char>(text[0])));
  std::string command = "heddle";
  for (const CLI::App *chosen : app.get_subcommands())
    command += " " + chosen->get_name();
  return UsageError(text + "\nhint: see '" + command + " --help'");
}

/// What runs a function: `cuda` may have a number, `cuda:1`.
static CLI::Validator deviceName() {
  CLI::Validator words = oneOf({"cpu", "cuda", "interp"});
  return CLI::Validator(
      [words](std::string &text) {
        const std::string number = text.rfind("cuda:", 0) == 0 ? text.substr(5) : "";
        const bool numbered = !number.empty() && number.size() < 5 &&
                              number.find_first_not_of("0123456789") == std::string::npos;
        return numbered ? std::string() : words(text);
      },
      "{cpu, cuda, cuda:1, interp}");
}

static void addTarget(CLI::App &command, std::string &target, std::string &chip) {
  command.add_option("--target", target, "what to compile for")
      ->check(oneOf({"cpu", "cuda"}))
      ->capture_default_str();
  command.add_option("--chip", chip, "the GPU that kernels are generated for, with --target cuda")
      ->check(oneOf(heddle::gpu::Chip::names()))
      ->capture_default_str();
}

/// HEDDLE_DEVICE, or what `--device` is by default.
static std::string deviceFromEnvironment(const std::string &otherwise) {
  const char *text = std::getenv("HEDDLE_DEVICE");
  if (!text || !*text)
    return otherwise;
  if (std::string wrong = deviceName()(std::string(text)); !wrong.empty())
    throw UsageError("the environment variable HEDDLE_DEVICE: " + wrong);
  return text;
}

/// Refuses allocations beyond the memory of the machine or the container: the system would grant them, and
/// end the process once they are used.
static void limitMemory() {
  int64_t limit = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char *file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    int64_t bytes = 0;
    if (std::ifstream(file) >> bytes && bytes > 0)
      limit = std::min(limit, bytes);
  }
  if (limit > 0)
    heddle_memory_set_limit(limit);
}

/// Parses and runs; throws what the commands throw.
static int dispatch(int argc, char **argv) {
  CLI::App app("Heddle: a tensor language for attention models\n");
  app.set_version_flag("--version", "heddle " + heddle::version());
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 fine; 1 the program, an input or the run is wrong; 2 the command is used wrongly.");

  std::vector<std::string> checkFiles;
  CLI::App *checkCommand = app.add_subcommand("check", "parse and check; prints nothing when all is fine");
  checkCommand->add_option("FILE", checkFiles, "programs")->required();

  RunOptions runOptions;
  CLI::App *runCommand =
      app.add_subcommand("run", "compile a function, run it, print a table of its results");
  addEntry(*runCommand, runOptions);
  addValues(*runCommand, runOptions.values);
  runCommand->add_option("--out", runOptions.out, "write each result as .npy into this folder");
  CLI::Option *device =
      runCommand->add_option("--device", runOptions.device, "what runs it; also read from HEDDLE_DEVICE")
          ->check(deviceName())
          ->capture_default_str();
  addCpu(*runCommand, runOptions.cpu);
  runCommand
      ->add_option("--precision", runOptions.precision,
                   "f64: the interpreter evaluates every float type in f64")
      ->check(oneOf({"native", "f64"}))
      ->capture_default_str();
  runCommand
      ->add_option("--repeat", runOptions.repeat, "run this many times, print the times and the most memory")
      ->check(wholeNumber(1))
      ->capture_default_str();
  runCommand
      ->add_option(
          "--donate", runOptions.donated,
          "let results take the memory of these arguments, which the next of several runs begins with")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  runCommand->add_flag("--decompose", runOptions.decompose,
                       "replace fused SPARSEK operations by dense ones, for comparison");

  addTF32(*runCommand, runOptions.tf32);
  runCommand->add_flag("--tune", runOptions.tune,
                       "on GPUs, measure plans of attention and products first; the cache keeps the fastest");
  runCommand->add_flag("--kernels", runOptions.kernels,
                       "on GPUs, also print which kernels a call spends its time in: medians of --repeat "
                       "calls, or of 10 where that is less");
  runCommand
      ->add_option(
          "--together", runOptions.together,
          "NAME=EXPRESSION: with --kernels, time adjacent kernels together and call them NAME if the "
          "regular expression matches in their names; may be repeated, and the first that matches counts")
      ->type_name("NAME=EXPRESSION")
      ->allow_extra_args(false);

  CompileOptions compileOptions;
  CLI::App *compileCommand = app.add_subcommand("compile", "write a function at any stage of the pipeline");
  addEntry(*compileCommand, compileOptions);
  std::vector<std::string> stageNames;
  std::string stageHelp = "the stage";
  for (const heddle::pipelines::StageInfo &stage : heddle::pipelines::stages()) {
    stageNames.push_back(stage.name.str());
    stageHelp += "\n" + stage.name.str() + ": " + stage.description.str();
  }
  compileCommand->add_option("--emit", compileOptions.stage, stageHelp)->required()->check(oneOf(stageNames));
  compileCommand->add_option("-o", compileOptions.out, "the file to write; - is standard output")->required();
  addTarget(*compileCommand, compileOptions.target, compileOptions.chip);
  addCpu(*compileCommand, compileOptions.cpu);
  compileCommand->add_flag("--decompose", compileOptions.decompose,
                           "replace fused SPARSEK operations by dense ones");
  addTF32(*compileCommand, compileOptions.tf32);

  ExplainOptions explainOptions;
  CLI::App *explainCommand = app.add_subcommand("explain", "show where time and memory go");
  addEntry(*explainCommand, explainOptions);
  addTarget(*explainCommand, explainOptions.target, explainOptions.chip);
  explainCommand
      ->add_option("--device", explainOptions.device,
                   "a GPU of this machine: what runs there, with the plans that were measured on it")
      ->check(deviceName());

  MaskOptions maskOptions;
  CLI::App *maskCommand =
      app.add_subcommand("mask", "draw which keys each query attends to, and print how selection behaves");
  addEntry(*maskCommand, maskOptions);
  addValues(*maskCommand, maskOptions.values);
  maskCommand->add_option("--layer", maskOptions.layer, "which SPARSEK attention of the run, from 0")
      ->check(wholeNumber(0))
      ->capture_default_str();
  maskCommand->add_option("--batch", maskOptions.batch, "which row of the batch, from 0")
      ->check(wholeNumber(0))
      ->capture_default_str();
  maskCommand->add_option("--head", maskOptions.head, "which key-value head, from 0")
      ->check(wholeNumber(0))
      ->capture_default_str();
  maskCommand->add_option("-o", maskOptions.outs, "the picture, .svg or .png; may be repeated")
      ->allow_extra_args(false);

  CacheOptions cacheOptions;
  CLI::App *cacheCommand = app.add_subcommand(
      "cache", "say what is kept of compiled programs and measured plans, and where (HEDDLE_CACHE)");
  cacheCommand->add_flag("--clear", cacheOptions.clear, "remove all of it");

  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> commands;
    for (const CLI::App *command : app.get_subcommands({}))
      commands.push_back(command->get_name());
    if (std::string wrong = oneOf(commands)(std::string(argv[1])); !wrong.empty())
      throw UsageError("unknown subcommand: " + wrong);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError &error) {
    if (argc <= 1)
      std::fprintf(stderr, "%s\n", app.help().c_str());
    throw usageError(app, error);
  }
  limitMemory();
  if (*checkCommand)
    return check(checkFiles);
  if (*runCommand) {
    if (device->count() == 0)
      runOptions.device = deviceFromEnvironment(runOptions.device);
    return run(runOptions);
  }
  if (*compileCommand)
    return compile(compileOptions);
  if (*cacheCommand)
    return cache(cacheOptions);
  if (*maskCommand)
    return mask(maskOptions);
  return explain(explainOptions);
}

void heddle::tool::complain(std::string message) {
  message.erase(message.find_last_not_of('\n') + 1);
  bool placeless = message.rfind("error: ", 0) == 0;
  const char *name = placeless ? "heddle: " : heddle::jit::hasPlace(message) ? "" : "heddle: error: ";
  std::fprintf(stderr, "%s%s\n", name, message.c_str());
}

int main(int argc, char **argv) {
  try {
    int status = dispatch(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      throw heddle::Error(HEDDLE_IO_ERROR, "cannot write to standard output");
    return status;
  } catch (const UsageError &error) {
    complain(error.what());
    return 2;
  } catch (const heddle::Error &error) {
    complain(error.what());
  } catch (const std::bad_alloc &) {
    complain("out of memory");
  } catch (const std::exception &error) {
    complain(error.what());
  }
  return 1;
}
