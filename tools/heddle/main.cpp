//===- main.cpp - The heddle command --------------------------------------===//

#include "tools/heddle/Commands.h"

#include "compiler/jit/Target.h"
#include "tools/heddle/Values.h"

#include <heddle/heddle.hpp>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <new>

using namespace heddle::tool;

static void addEntry(CLI::App &command, EntryOptions &options) {
  command.add_option("FILE", options.file, "the program")->required();
  command.add_option("ENTRY", options.entry, "the function")->required();
  command.add_option("--dim", options.dims, "NAME=NUMBER: a dimension that no value binds; may be repeated")
      ->type_name("NAME=NUMBER")
      ->allow_extra_args(false);
}

static void addCpu(CLI::App &command, std::string &cpu) {
  command.add_option("--cpu", cpu, "the processor that code is generated for")
      ->check(CLI::IsMember(heddle::jit::CpuTarget::names()))
      ->capture_default_str();
}

/// Parses and runs; throws what the commands throw.
static int dispatch(int argc, char **argv) {
  CLI::App app("Heddle: a tensor language for attention models\n");
  app.set_version_flag("--version", "heddle " + heddle::version());
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  app.footer(
      "Exit status: 0 fine; 1 the program, an input or the run is wrong; 2 the command is used wrongly.");

  std::vector<std::string> checkFiles;
  CLI::App *checkCommand = app.add_subcommand("check", "parse and check; prints nothing when all is fine");
  checkCommand->add_option("FILE", checkFiles, "programs")->required();

  RunOptions runOptions;
  CLI::App *runCommand =
      app.add_subcommand("run", "compile a function, run it, print a table of its results");
  addEntry(*runCommand, runOptions);
  runCommand->add_option(
      "VALUE", runOptions.values,
      "NAME=VALUE: FILE.npy, FILE.safetensors, a literal such as [[1.0, 2.0]], zeros, ones, normal:SEED, "
      "uniform:SEED or randint:SEED:HIGH");
  runCommand->add_option("--out", runOptions.out, "write each result as .npy into this folder");
  runCommand->add_option("--device", runOptions.device, "what runs it; also read from HEDDLE_DEVICE")
      ->envname("HEDDLE_DEVICE")
      ->check(CLI::IsMember({"cpu", "interp"}))
      ->capture_default_str();
  addCpu(*runCommand, runOptions.cpu);
  runCommand
      ->add_option("--precision", runOptions.precision,
                   "f64: the interpreter evaluates every float type in f64")
      ->check(CLI::IsMember({"native", "f64"}))
      ->capture_default_str();
  runCommand->add_option("--repeat", runOptions.repeat, "run this many times and print the times")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  runCommand->add_flag("--decompose", runOptions.decompose,
                       "replace fused SPARSEK operations by dense ones, for comparison");

  CompileOptions compileOptions;
  CLI::App *compileCommand = app.add_subcommand("compile", "write a function at any stage of the pipeline");
  addEntry(*compileCommand, compileOptions);
  compileCommand->add_option("--emit", compileOptions.stage, "the stage")
      ->required()
      ->check(CLI::IsMember({"ast", "heddle", "grad", "fused", "lowered", "llvm", "obj"}));
  compileCommand->add_option("-o", compileOptions.out, "the file to write; - is standard output")
      ->capture_default_str();
  compileCommand->add_option("--target", "what to compile for")
      ->check(CLI::IsMember({"cpu"}))
      ->default_str("cpu");
  addCpu(*compileCommand, compileOptions.cpu);
  compileCommand->add_flag("--decompose", compileOptions.decompose,
                           "replace fused SPARSEK operations by dense ones");

  EntryOptions explainOptions;
  CLI::App *explainCommand = app.add_subcommand("explain", "show where time and memory go");
  addEntry(*explainCommand, explainOptions);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (*checkCommand)
    return check(checkFiles);
  if (*runCommand)
    return run(runOptions);
  if (*compileCommand)
    return compile(compileOptions);
  return explain(explainOptions);
}

int main(int argc, char **argv) {
  try {
    return dispatch(argc, argv);
  } catch (const UsageError &error) {
    std::fprintf(stderr, "heddle: error: %s\n", error.what());
    return 2;
  } catch (const heddle::Error &error) {
    // A program's diagnostics are complete lines with positions; other messages get the command's name.
    const char *name = error.status() == HEDDLE_PROGRAM_ERROR ? "" : "heddle: error: ";
    std::fprintf(stderr, "%s%s\n", name, error.what());
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "heddle: error: out of memory\n");
  } catch (const std::exception &error) {
    std::fprintf(stderr, "heddle: error: %s\n", error.what());
  }
  return 1;
}
