//===- Run.cpp - heddle run -----------------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"
#include "tools/heddle/Values.h"

#include <heddle/cuda.h>
#include <heddle/io.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace heddle::tool {

namespace {

/// Least, mean and greatest element; NaN where there is one.
struct Summary {
  double min = std::numeric_limits<double>::infinity(), mean = 0,
         max = -std::numeric_limits<double>::infinity();
};

Summary summarise(const Tensor &tensor) {
  Summary result;
  Tensor numbers = tensor.cast(DType::f64);
  for (double x : numbers.values<double>()) {
    result.min = std::isnan(x) ? x : std::min(x, result.min);
    result.max = std::isnan(x) ? x : std::max(x, result.max);
    result.mean += x / double(numbers.count());
  }
  if (std::isnan(result.mean))
    result.min = result.max = result.mean;
  return result;
}

std::string number(double value) {
  if (std::isnan(value))
    return "nan"; // whatever its sign
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

using Rows = std::vector<std::vector<std::string>>;

/// In columns, of which so many are aligned on the left and the others on the right.
void printRows(const Rows &rows, size_t left) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto &row : rows)
    for (size_t c = 0; c < row.size(); ++c)
      widths[c] = std::max(widths[c], row[c].size());
  for (const auto &row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      std::string pad(widths[c] - row[c].size(), ' ');
      line += (c ? "  " : "") + (c < left ? row[c] + pad : pad + row[c]);
    }
    std::printf("%s\n", line.substr(0, line.find_last_not_of(' ') + 1).c_str());
  }
}

void printTable(const std::vector<jit::LeafType> &types, const std::vector<Tensor> &results) {
  Rows rows = {{"name", "type", "min", "mean", "max"}};
  for (size_t i = 0; i < results.size(); ++i) {
    std::vector<std::string> row = {types[i].name, results[i].str(), "-", "-", "-"};
    if (results[i].count() > 0) {
      Summary summary = summarise(results[i]);
      row = {types[i].name, results[i].str(), number(summary.min), number(summary.mean), number(summary.max)};
    }
    rows.push_back(row);
  }
  printRows(rows, 2);
}

/// Of `--together` options.
std::vector<jit::StepGroup> groupsOf(const RunOptions &options) {
  std::vector<jit::StepGroup> groups;
  for (const std::string &text : options.together) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      throw UsageError("--together '" + text +
                       "' is not of the form NAME=EXPRESSION\nhint: write --together lists=keys_");
    if (!options.kernels)
      throw UsageError("--together '" + text +
                       "' needs --kernels\nhint: it makes one row of several in what --kernels prints");
    groups.push_back({text.substr(0, equals), text.substr(equals + 1)});
    const heddle_cuda_group_t group{groups.back().name.c_str(), groups.back().expression.c_str()};
    if (heddle_cuda_group_check(&group) != HEDDLE_OK)
      throw UsageError("--together: " + std::string(heddle_last_error()));
  }
  return groups;
}

void printKernels(const std::vector<jit::StepTime> &steps, const std::vector<jit::StepGroup> &groups,
                  int64_t calls) {
  auto fixed = [](double value, int digits, const char *unit = "") {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f%s", digits, value, unit);
    return std::string(text);
  };
  double sum = 0;
  int64_t launches = 0;
  for (const jit::StepTime &step : steps) {
    sum += step.callMicroseconds;
    launches += step.launches;
  }
  Rows rows = {{"kernel", "launches", "median us", "us a call", "share"}};
  for (const jit::StepTime &step : steps)
    rows.push_back({step.name, std::to_string(step.launches), fixed(step.launchMicroseconds, 2),
                    fixed(step.callMicroseconds, 2),
                    fixed(sum > 0 ? 100 * step.callMicroseconds / sum : 0, 1, " %")});
  std::printf("\n");
  printRows(rows, 1);
  std::printf("\n%lld launches in a call%s, %.2f us on the GPU: medians of %lld calls\n",
              static_cast<long long>(launches), groups.empty() ? "" : ", those timed together as one", sum,
              static_cast<long long>(calls));
  for (const jit::StepGroup &group : groups)
    if (std::none_of(steps.begin(), steps.end(),
                     [&](const jit::StepTime &step) { return step.name == group.name; }))
      std::printf("nothing is in --together '%s=%s'\n", group.name.c_str(), group.expression.c_str());
}

/// Writes every result, or none: into a folder beside the target first, then one by one by renaming.
void writeResults(const std::string &folder, const std::vector<jit::LeafType> &types,
                  const std::vector<Tensor> &results) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Error(HEDDLE_IO_ERROR, "cannot create the folder '" + folder + "': " + error.message());
  fs::path part = fs::path(folder) / ".part";
  fs::create_directories(part, error);
  try {
    for (size_t i = 0; i < results.size(); ++i)
      save_npy((part / (types[i].name + ".npy")).string(), widened(results[i]));
    for (const jit::LeafType &type : types)
      fs::rename(part / (type.name + ".npy"), fs::path(folder) / (type.name + ".npy"));
  } catch (const fs::filesystem_error &failure) {
    fs::remove_all(part, error);
    throw Error(HEDDLE_IO_ERROR, "cannot write into '" + folder + "': " + failure.code().message());
  } catch (...) {
    fs::remove_all(part, error);
    throw;
  }
  fs::remove_all(part, error);
}

/// The most memory that tensors and working memory have taken at once where the function ran.
int64_t peakBytes(Device device) {
  heddle_memory_stats_t memory{};
  if (device.isCpu())
    heddle_memory_stats(&memory);
  else
    heddle::check(heddle_cuda_memory_stats(device.index(), &memory));
  return memory.peak_bytes;
}

/// Calls that a profile is made of at least.
constexpr int64_t leastProfiled = 10;

} // namespace

int run(const RunOptions &options) {
  if (options.precision == "f64" && options.device != "interp")
    throw UsageError(
        "--precision f64 needs --device interp\nhint: compiled code computes in the types of the program");
  if (options.tune && options.device.rfind("cuda", 0) != 0)
    throw UsageError("--tune needs --device cuda\nhint: only kernels of GPUs have plans that are measured");
  if (options.kernels && options.device.rfind("cuda", 0) != 0)
    throw UsageError(
        "--kernels needs --device cuda\nhint: only kernels of GPUs are timed one by one; 'heddle "
        "explain' shows the steps on a CPU");
  const std::vector<jit::StepGroup> groups = groupsOf(options);
  if (options.cpu != "native" && options.device == "interp")
    throw UsageError("--cpu " + options.cpu +
                     " needs --device cpu or cuda\nhint: the interpreter generates no code");
  if (!options.donated.empty() && options.device == "interp")
    throw UsageError("--donate needs --device cpu or cuda\nhint: the interpreter makes every result anew");
  std::map<std::string, int64_t> dims = parseDims(options.dims);
  std::vector<NamedValue> values;
  values.reserve(options.values.size());
  for (const std::string &text : options.values)
    values.push_back(parseNamedValue(text));

  Entry entry(options.file, options.entry);
  std::vector<Tensor> arguments;
  frontend::EntryArguments types = entry.bind(values, dims, arguments);

  const std::vector<bool> donated = entry.donated(options.donated, types);
  std::vector<Tensor> given(arguments.size()); // what runs overwrite, for the profile
  for (size_t i = 0; options.kernels && i < arguments.size(); ++i)
    if (donated[i])
      given[i] = arguments[i];

  FunctionOptions specialise;
  if (options.device != "interp")
    specialise.device = Device::parse(options.device);
  for (Tensor &argument : arguments)
    argument = argument.to(specialise.device);
  specialise.backend = options.device == "interp" ? Backend::Interpreter : Backend::Compiled;
  specialise.doublePrecision = options.precision == "f64";
  specialise.decompose = options.decompose;
  specialise.cpu = options.cpu;
  specialise.allowTF32 = options.tf32;
  specialise.tune = options.tune;
  std::unique_ptr<jit::Specialisation> function =
      jit::Specialisation::create(entry.program(), options.entry, types, specialise, donated);

  std::vector<Tensor> results;
  std::vector<double> milliseconds;
  for (int64_t i = 0; i < options.repeat; ++i) {
    results.clear(); // their memory is the next results'
    auto start = std::chrono::steady_clock::now();
    results = function->run(arguments); // what was donated has the elements of a result then
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  const int64_t peak = peakBytes(specialise.device);
  for (Tensor &result : results)
    result = result.to(Device::cpu());
  if (!options.out.empty())
    writeResults(options.out, function->outputs, results);
  printTable(function->outputs, results);
  for (const std::string &line : function->tuned)
    std::printf("tuned %s\n", line.c_str());
  if (options.repeat > 1) {
    std::sort(milliseconds.begin(), milliseconds.end());
    auto at = [&](double share) { return milliseconds[size_t(share * double(milliseconds.size() - 1))]; };
    std::printf(
        "compile %.0f ms%s; run median %.3f ms, p10 %.3f, p90 %.3f, %lld runs; peak memory %.1f MiB\n",
        function->compileSeconds * 1e3, function->fromCache ? " (cached)" : "", at(0.5), at(0.1), at(0.9),
        static_cast<long long>(options.repeat), static_cast<double>(peak) / (1 << 20));
  }
  if (options.kernels) {
    // On its own copies of what runs overwrite; the memory of theirs is free again.
    for (size_t i = 0; i < arguments.size(); ++i)
      if (donated[i])
        arguments[i] = given[i];
    const int64_t calls = std::max<int64_t>(options.repeat, leastProfiled);
    printKernels(function->profile(arguments, calls, groups), groups, calls);
  }
  return 0;
}

} // namespace heddle::tool
