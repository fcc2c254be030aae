//===- Commands.h - The subcommands of heddle -------------------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace heddle::tool {

/// What several subcommands take. Every command returns an exit status: 0 fine; 1 the program, an input or
/// the run is wrong; it throws UsageError (exit status 2) where the command line is.
struct EntryOptions {
  std::string file, entry;
  std::vector<std::string> dims; ///< `NAME=NUMBER`, or several with commas between
};

struct RunOptions : EntryOptions {
  std::vector<std::string> values;   ///< `NAME=VALUE`
  std::vector<std::string> donated;  ///< names of parameters
  std::vector<std::string> together; ///< `NAME=EXPRESSION`
  std::string out, device = "cpu", precision = "native", cpu = "native";
  int64_t repeat = 1;
  bool decompose = false, tf32 = false, tune = false, kernels = false;
};

struct CompileOptions : EntryOptions {
  std::string stage, out, cpu = "native", target = "cpu", chip = "sm_90a";
  bool decompose = false, tf32 = false;
};

struct ExplainOptions : EntryOptions {
  std::string target = "cpu", chip = "sm_90a";
  std::string device; ///< a GPU of this machine, whose kernels are shown in place of a chip's
};

struct MaskOptions : EntryOptions {
  std::vector<std::string> values, outs;
  int64_t layer = 0, batch = 0, head = 0;
};

struct CacheOptions {
  bool clear = false;
};

int cache(const CacheOptions &options);
int check(const std::vector<std::string> &files);
int run(const RunOptions &options);
int compile(const CompileOptions &options);
int explain(const ExplainOptions &options);
int mask(const MaskOptions &options);

/// Prints an error: a program's message begins with its place, any other with the name of the command.
void complain(std::string message);

/// The numbers of `--dim` options. Throws UsageError.
std::map<std::string, int64_t> parseDims(const std::vector<std::string> &texts);

} // namespace heddle::tool
