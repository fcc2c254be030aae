//===- Mask.cpp - heddle mask ---------------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"
#include "tools/heddle/MaskPicture.h"
#include "tools/heddle/Values.h"

#include "compiler/interpreter/Attended.h"
#include "compiler/interpreter/Interpreter.h"
#include "compiler/jit/Excerpts.h"
#include "compiler/jit/Stages.h"
#include "dialects/sparsek/IR/SparseK.h"

#include <heddle/io.hpp>

#include <cmath>
#include <cstdio>

namespace heddle::tool {

namespace {

std::string endingOf(const std::string &path) {
  const size_t dot = path.find_last_of("./");
  return dot == std::string::npos || path[dot] == '/' ? "" : path.substr(dot);
}

/// "1 layer", "3 layers".
std::string counted(int64_t count, const char *what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

/// What every head of one attention attends to, for one row of the batch.
std::vector<Mask> masksOf(sparsek::AttentionOp op, llvm::ArrayRef<interp::Array> operands, int64_t layer,
                          int64_t batch) {
  const interp::Array &q = operands[0], &k = operands[1];
  const int64_t heads = k.extent(1), group = q.extent(1) / heads;
  if (batch >= q.extent(0))
    throw Error(HEDDLE_INVALID_ARGUMENT,
                "there is no batch row " + std::to_string(batch) + ": layer " + std::to_string(layer) +
                    " has " + counted(q.extent(0), "row"),
                "rows count from 0");
  std::vector<Mask> masks;
  for (int64_t head = 0; head < heads; ++head) {
    Mask mask{layer, batch, head, int64_t(op.getTopk()), int64_t(op.getWindow()), {}};
    for (int64_t query = 0; query < q.extent(2); ++query) {
      mask.queries.emplace_back();
      for (const interp::Attended &at : interp::attendedKeys(op, operands, batch, head * group, query)) {
        if (std::isnan(at.gate))
          throw Error(HEDDLE_PROGRAM_ERROR, "the scores of layer " + std::to_string(layer) + ", head " +
                                                std::to_string(head) + " hold NaN before query " +
                                                std::to_string(query));
        mask.queries.back().push_back({at.key, at.selected, at.valueGate});
      }
    }
    masks.push_back(std::move(mask));
  }
  return masks;
}

/// Runs the entry; the heads of every SPARSEK attention on the way, in order.
std::vector<std::vector<Mask>> recordMasks(const Entry &entry, const MaskOptions &options,
                                           const frontend::EntryArguments &types,
                                           const std::vector<Tensor> &arguments) {
  std::vector<std::vector<Mask>> layers;
  const jit::Excerpts excerpts(entry.program());
  try {
    jit::OwnedModule owned = jit::elaborate(entry.program(), options.entry, types);
    jit::runPipeline(*owned.module, pipelines::Stage::Grad, {});
    std::vector<interp::Array> values;
    for (const Tensor &argument : arguments)
      values.push_back(interp::Array::fromBuffer(static_cast<interp::Element>(argument.dtype()),
                                                 argument.shape(), argument.raw()));
    interp::Options run;
    run.observe = [&](mlir::Operation *op, llvm::ArrayRef<interp::Array> operands) {
      if (auto attention = mlir::dyn_cast<sparsek::AttentionOp>(op))
        layers.push_back(masksOf(attention, operands, int64_t(layers.size()), options.batch));
    };
    auto computed = interp::interpret(*owned.module, options.entry, std::move(values), run);
    if (!computed)
      throw Error(HEDDLE_PROGRAM_ERROR, llvm::toString(computed.takeError()));
  } catch (const Error &error) {
    throw Error(error.status(), excerpts.show(error.what()));
  }
  return layers;
}

void printTable(const std::vector<std::vector<Mask>> &layers) {
  std::printf("layer  head  topk  window  positions  selected pairs  mean gate\n");
  for (const std::vector<Mask> &heads : layers)
    for (const Mask &mask : heads) {
      char gate[32] = "-";
      if (mask.selectedPairs() > 0)
        std::snprintf(gate, sizeof gate, "%.4f", mask.meanGate());
      std::printf("%5lld  %4lld  %4lld  %6lld  %9zu  %14lld  %9s\n", static_cast<long long>(mask.layer),
                  static_cast<long long>(mask.head), static_cast<long long>(mask.topk),
                  static_cast<long long>(mask.window), mask.queries.size(),
                  static_cast<long long>(mask.selectedPairs()), gate);
    }
}

} // namespace

int mask(const MaskOptions &options) {
  for (const std::string &out : options.outs)
    if (endingOf(out) != ".svg" && endingOf(out) != ".png")
      throw UsageError("-o '" + out + "' ends in neither .svg nor .png");
  std::map<std::string, int64_t> dims = parseDims(options.dims);
  std::vector<NamedValue> values;
  for (const std::string &text : options.values)
    values.push_back(parseNamedValue(text));

  Entry entry(options.file, options.entry);
  std::vector<Tensor> arguments;
  frontend::EntryArguments types = entry.bind(values, dims, arguments);
  const std::vector<std::vector<Mask>> layers = recordMasks(entry, options, types, arguments);
  if (layers.empty())
    throw Error(HEDDLE_PROGRAM_ERROR, "'" + options.entry + "' runs no SPARSEK attention",
                "choose a function that calls sparsek_attention");
  if (options.layer >= int64_t(layers.size()))
    throw Error(HEDDLE_INVALID_ARGUMENT,
                "there is no layer " + std::to_string(options.layer) + ": '" + options.entry + "' runs " +
                    counted(int64_t(layers.size()), "SPARSEK attention"),
                "layers count from 0");
  const std::vector<Mask> &heads = layers[size_t(options.layer)];
  if (options.head >= int64_t(heads.size()))
    throw Error(HEDDLE_INVALID_ARGUMENT,
                "there is no head " + std::to_string(options.head) + ": layer " +
                    std::to_string(options.layer) + " has " +
                    counted(int64_t(heads.size()), "key-value head"),
                "heads count from 0");

  const Mask &chosen = heads[size_t(options.head)];
  if (!options.outs.empty() && chosen.queries.empty())
    throw Error(HEDDLE_INVALID_ARGUMENT, "there is nothing to draw: the sequence is empty");
  std::vector<std::string> files;
  for (const std::string &out : options.outs) {
    files.emplace_back();
    drawMask(chosen, endingOf(out) == ".svg" ? makeSvgCanvas : makePngCanvas, files.back());
  }
  for (size_t i = 0; i < files.size(); ++i)
    save_file(options.outs[i], files[i]);
  printTable(layers);
  for (const std::string &out : options.outs)
    std::printf("wrote %s: layer %lld, head %lld\n", out.c_str(), static_cast<long long>(options.layer),
                static_cast<long long>(options.head));
  return 0;
}

} // namespace heddle::tool
