// Kernels run on arrays, in a few lines of a test.
//
//   DeviceHarness device;
//   {
//     KernelCode k = device.kernel("axpy", {device.global, device.global, device.i32}, 256);
//     Scalar i = k.block() * 256 + k.thread();
//     k.when(i < k.argument(2), [&] {
//       Pointer x = k.pointer(0, device.f32), y = k.pointer(1, device.f32);
//       k.store(2.0 * k.load(x, i) + k.load(y, i), y, i);
//     });
//     k.finish();
//   }
//   auto x = device.put<float>({1, 2, 3}), y = device.put<float>({10, 20, 30});
//   device.run("axpy", {1}, x, y, 3);
//   CHECK(device.get<float>(y) == std::vector<float>{12, 24, 36});
//
// The device is the emulated one, or, where HEDDLE_CUDA_DRIVER names a real driver, a GPU. All kernels are
// written before the first run. Failures throw std::runtime_error with what the device or compiler said.
//
// On the emulated device
//  - each run happens twice, threads and blocks in ascending and then in descending order, and buffers must
//  end up with
//    equal bytes: a missing barrier shows as "results depend on the order of threads". Kernels whose results
//    may depend on it (places in a list handed out by an atomic counter) set `anyOrder`.
//  - fresh buffers and shared memory are full of NaN (-1 for integers); accesses behind a buffer's end or the
//  launch's
//    shared memory, deadlocks and lanes that miss a collective operation fail with the kernel, block and
//    thread.
#pragma once

#include "compiler/conversion/GPU/KernelCode.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace heddle::test {

/// Memory of the harness's device.
struct DeviceBuffer {
  uint64_t address = 0;
  size_t bytes = 0;
};

/// A grid of blocks. A braced number is enough.
struct Grid {
  std::array<unsigned, 3> blocks{1, 1, 1};
  Grid(unsigned x = 1, unsigned y = 1, unsigned z = 1) : blocks{x, y, z} {}
};

class DeviceHarness {
public:
  DeviceHarness();
  ~DeviceHarness();
  DeviceHarness(const DeviceHarness &) = delete;

  // ---- Writing kernels ----
  mlir::MLIRContext &context();
  mlir::gpu::GPUModuleOp module(); ///< of this harness; other kernels may be added to it
  mlir::Location loc();
  gpu::KernelCode kernel(llvm::StringRef name, llvm::ArrayRef<mlir::Type> parameters, int64_t blockThreads);
  mlir::Type global; ///< !llvm.ptr<1>, the type of a buffer
  mlir::Type f64, f32, bf16, f16, i64, i32, i16, i8, i1;

  // ---- Buffers ----
  DeviceBuffer allocate(size_t bytes);
  template <typename T>
  DeviceBuffer put(const std::vector<T> &values) {
    DeviceBuffer buffer = allocate(values.size() * sizeof(T));
    write(buffer, values.data());
    return buffer;
  }
  /// `count` elements that nothing has written.
  template <typename T>
  DeviceBuffer fresh(size_t count) {
    return allocate(count * sizeof(T));
  }
  template <typename T>
  std::vector<T> get(DeviceBuffer buffer) {
    std::vector<T> values(buffer.bytes / sizeof(T));
    read(buffer, values.data());
    return values;
  }
  void write(DeviceBuffer buffer, const void *from);
  void read(DeviceBuffer buffer, void *to);

  // ---- Running ----
  /// Runs a kernel with its block size and shared memory. Arguments: buffers, int32_t, int64_t, float,
  /// double.
  template <typename... Arguments>
  void run(const std::string &name, Grid grid, const Arguments &...arguments) {
    std::vector<uint64_t> values{word(arguments)...};
    launch(name, grid, values);
  }
  /// The same, of arguments as words.
  void launch(const std::string &name, Grid grid, std::vector<uint64_t> &values);
  /// Results may depend on the order of threads: each run happens once.
  bool anyOrder = false;
  /// Bytes of shared memory beyond what the kernel asks for.
  int64_t moreShared = 0;

  /// Whether the device is the emulated one.
  bool emulated() const;
  /// Its compute capability, 90 for 9.0.
  int capability() const;
  /// PTX of all kernels for a chip, "sm_80"; assembled as well where ptxas is installed.
  std::string ptx(llvm::StringRef chip);

private:
  static uint64_t word(DeviceBuffer buffer) { return buffer.address; }
  template <typename T>
  static uint64_t word(T value) {
    static_assert(sizeof(T) <= 8);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  void launchOnce(const std::string &name, Grid grid, std::vector<uint64_t> &values);
  void load();
  mlir::OwningOpRef<mlir::ModuleOp> lowered();

  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

} // namespace heddle::test
