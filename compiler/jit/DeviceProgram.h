//===- DeviceProgram.h - What an entry compiled for a GPU consists of -----===//
//
// The seam between the compiler, which makes a DeviceProgram for a DeviceTarget, and the runtime, which loads
// it (heddle_cuda_program_t).
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_JIT_DEVICEPROGRAM_H
#define HEDDLE_COMPILER_JIT_DEVICEPROGRAM_H

#include "compiler/conversion/HeddleToGPU/HeddleToGPU.h"

#include <heddle/cuda.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
}

namespace heddle::jit {

/// A GPU that code is generated for: one of this machine, or one that is asked for by name.
struct DeviceTarget {
  std::string name; ///< of a device of this machine, "NVIDIA H200"
  int major = 9, minor = 0;
  bool architectureSpecific = true; ///< sm_90a rather than sm_90: code that runs on this generation alone
  int driverVersion = 12030;        ///< of CUDA; bounds the version of PTX
  int multiprocessors = 132;
  int64_t sharedBytes = 232448; ///< the most that one block may have
  int64_t l2Bytes = 50ll << 20;
  bool emulated = false; ///< x86 code for the emulated device of the tests
  bool hasMatmul = true; ///< products may be left to cuBLASLt (heddle_cuda_matmul)

  /// Device `index` of this machine. Throws Error with what is missing where there is none.
  static DeviceTarget of(int index);

  /// What the passes want to know of it.
  gpu::GpuOptions options() const;
};

struct DeviceKernel {
  std::string name;
  std::vector<int32_t> argumentBytes; ///< of each argument that launches pass, the error record left out
  int32_t sharedBytes = 0;            ///< the most dynamic shared memory that a launch asks for
  /// The kernel has one more argument after those, the error record, which heddle_cuda_launch adds: launches
  /// do not pass it.
  bool canFail = false;
};

struct DeviceMessage {
  int32_t status; ///< heddle_status_t
  std::string text;
};

struct DeviceProgram {
  std::string image;                 ///< PTX text, a cubin, or code for the emulated device
  bool emulated = false;             ///< the last; loadDeviceFunction links it
  std::vector<DeviceKernel> kernels; ///< by the numbers that heddle_cuda_launch gets
  std::vector<DeviceMessage> messages;
  std::vector<heddle_cuda_matmul_t> products; ///< by the numbers that heddle_cuda_matmul gets
  bool canBeCaptured = true;                  ///< the entry does not call heddle_cuda_read
};

/// Takes the device's part out of a module at the stage `lowered` for CUDA and compiles it. What is left is
/// the host's part: the entry, which the LLVM pipeline and the engine compile as for the CPU. Throws Error.
DeviceProgram compileDevice(mlir::ModuleOp module, const std::string &entry, const DeviceTarget &target);

/// Turns PTX into machine code where the toolkit's assembler is installed, side by side on all processors,
/// and the driver is new enough to load what it writes. Otherwise the driver assembles PTX when it loads it.
/// False where the assembler failed, as it may for a full disk: what an attempt gives then is not always the
/// same.
bool assemble(DeviceProgram &program, const DeviceTarget &target);

} // namespace heddle::jit

#endif // HEDDLE_COMPILER_JIT_DEVICEPROGRAM_H
