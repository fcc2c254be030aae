//===- CompiledEntry.cpp - A specialisation as machine code ---------------===//

#include "compiler/jit/CompiledEntry.h"

#include "compiler/cache/Bytes.h"
#include "compiler/cache/Identity.h"
#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/Matmul/Matmul.h"

#include "mlir/Bytecode/BytecodeWriter.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/TargetParser/Host.h"

namespace heddle::jit {

namespace {

/// Passes the fields of a program to a writer or a reader.
template <typename Stream, typename Program>
void visit(Stream &&field, Program &program) {
  field(program.image);
  field(program.emulated);
  field(program.messages);
  field(program.kernels);
  field(program.products);
  field(program.canBeCaptured);
}

struct Write {
  cache::ByteWriter &to;
  template <typename T>
  void operator()(const T &value) {
    to.add(value);
  }
  void operator()(const std::vector<DeviceMessage> &messages) {
    to.add(messages.size());
    for (const DeviceMessage &message : messages) {
      to.add(message.status);
      to.add(message.text);
    }
  }
  void operator()(const std::vector<DeviceKernel> &kernels) {
    to.add(kernels.size());
    for (const DeviceKernel &kernel : kernels) {
      to.add(kernel.name);
      to.add(kernel.argumentBytes);
      to.add(kernel.sharedBytes);
      to.add(kernel.canFail);
    }
  }
};

struct Read {
  cache::ByteReader &from;
  template <typename T>
  void operator()(T &value) {
    from.read(value);
  }
  void operator()(std::vector<DeviceMessage> &messages) {
    for (size_t i = 0, count = size(); i < count && from.good(); ++i) {
      DeviceMessage &message = messages.emplace_back();
      from.read(message.status);
      from.read(message.text);
    }
  }
  void operator()(std::vector<DeviceKernel> &kernels) {
    for (size_t i = 0, count = size(); i < count && from.good(); ++i) {
      DeviceKernel &kernel = kernels.emplace_back();
      from.read(kernel.name);
      from.read(kernel.argumentBytes);
      from.read(kernel.sharedBytes);
      from.read(kernel.canFail);
    }
  }
  size_t size() {
    size_t count = 0;
    from.read(count);
    return count;
  }
};

} // namespace

std::string CompiledEntry::serialise() const {
  cache::ByteWriter writer;
  writer.add(objects);
  writer.add(arenaBytes);
  writer.add(donors);
  writer.add(device.has_value());
  if (device)
    visit(Write{writer}, *device);
  return std::move(writer.bytes);
}

std::optional<CompiledEntry> CompiledEntry::deserialise(std::string_view bytes) {
  cache::ByteReader reader(bytes);
  CompiledEntry entry;
  bool hasDevice = false;
  reader.read(entry.objects);
  reader.read(entry.arenaBytes);
  reader.read(entry.donors);
  reader.read(hasDevice);
  if (hasDevice)
    visit(Read{reader}, entry.device.emplace());
  return reader.complete() ? std::optional(std::move(entry)) : std::nullopt;
}

/// The processor that `native` means; a level names its code itself.
static std::string describe(const CpuTarget &host) {
  if (host.level != 0)
    return host.name();
  std::string text = llvm::sys::getHostCPUName().str();
  std::vector<std::string> features;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    features.push_back((feature.second ? " +" : " -") + feature.first().str());
  std::sort(features.begin(), features.end());
  for (const std::string &feature : features)
    text += feature;
  // Blocks of products fit into the caches.
  const cpu::MatmulTarget core = cpu::MatmulTarget::host();
  return text + " " + std::to_string(core.l1Bytes) + " " + std::to_string(core.l2Bytes);
}

std::string cacheKey(mlir::ModuleOp module, const std::string &entry, const CpuTarget &host,
                     const std::string &settings) {
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  // Positions included: messages of compiled code name them.
  if (failed(mlir::writeBytecodeToFile(module, stream)))
    return "";
  return cache::keyOf(
      {cache::compilerIdentity(), LLVM_VERSION_STRING, bytes, entry, describe(host), settings});
}

std::string describeForCache(const DeviceTarget &target) {
  std::string text = "cuda";
  for (int64_t value :
       {int64_t(target.major), int64_t(target.minor), int64_t(target.architectureSpecific),
        int64_t(target.driverVersion), int64_t(target.multiprocessors), target.sharedBytes, target.l2Bytes,
        int64_t(target.emulated), int64_t(target.hasMatmul), int64_t(gpu::assemblerVersion())})
    text += " " + std::to_string(value);
  return text;
}

} // namespace heddle::jit
