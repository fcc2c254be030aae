// The functions of the CUDA driver's interface that the runtime uses: devices, contexts, memory, modules,
// launches.

#include "Driver.h"

#include <cstring>

using namespace heddle::emulator;

namespace heddle::emulator {

static thread_local std::vector<CUcontext> contexts;

bool hasContext() { return !contexts.empty(); }

} // namespace heddle::emulator

//===----------------------------------------------------------------------===//
// Errors, devices, contexts
//===----------------------------------------------------------------------===//

namespace {
struct ErrorText {
  CUresult result;
  const char *name, *text;
};
constexpr ErrorText errorTexts[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
     "too many resources requested for launch"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED",
     "capturing stream has unjoined work"},
    {CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION",
     "dependency created on uncaptured work in another stream"},
    {CUDA_ERROR_CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT",
     "operation not permitted on an event last recorded in a capturing stream"},
    {CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE",
     "the graph update was not performed because it included changes which violated constraints"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
} // namespace

CUresult cuGetErrorName(CUresult error, const char **text) {
  for (const ErrorText &known : errorTexts)
    if (known.result == error) {
      *text = known.name;
      return CUDA_SUCCESS;
    }
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
  for (const ErrorText &known : errorTexts)
    if (known.result == error) {
      *text = known.text;
      return CUDA_SUCCESS;
    }
  *text = nullptr;
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuInit(unsigned flags) {
  auto &machine = Machine::get();
  std::lock_guard lock(machine.mutex);
  machine.initialise();
  if (CUresult failed = machine.enter(__func__))
    return failed;
  return flags ? CUDA_ERROR_INVALID_VALUE : machine.devices ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

CUresult cuDriverGetVersion(int *version) {
  *version = 12040;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  HEDDLE_EMULATED_ENTER();
  *count = machine.devices;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  HEDDLE_EMULATED_ENTER();
  if (ordinal < 0 || ordinal >= machine.devices)
    return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int size, CUdevice) {
  HEDDLE_EMULATED_ENTER();
  std::snprintf(name, size, "Heddle emulated device");
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice) {
  HEDDLE_EMULATED_ENTER();
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = 4;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
    *value = 4 << 20;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = 8;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = 0;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
    *value = mostShared + 1024;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    *value = mostShared;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
    *value = 1;
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice) {
  HEDDLE_EMULATED_ENTER();
  *bytes = machine.memory->totalBytes();
  return CUDA_SUCCESS;
}

/// Handles of what has no state are addresses of numbers.
static char deviceHandles[64];

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device) {
  HEDDLE_EMULATED_ENTER();
  *pool = reinterpret_cast<CUmemoryPool>(&deviceHandles[device]);
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  HEDDLE_EMULATED_ENTER();
  *context = reinterpret_cast<CUcontext>(&deviceHandles[device]);
  machine.retain();
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  HEDDLE_EMULATED_ENTER();
  machine.release();
  return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(CUcontext context) {
  HEDDLE_EMULATED_ENTER();
  contexts.push_back(context);
  return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext *context) {
  HEDDLE_EMULATED_ENTER();
  if (contexts.empty())
    return CUDA_ERROR_INVALID_CONTEXT;
  if (context)
    *context = contexts.back();
  contexts.pop_back();
  return CUDA_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static void *pointerOf(CUdeviceptr address) { return reinterpret_cast<void *>(address); }

CUresult cuMemPoolSetAttribute(CUmemoryPool, CUmemPool_attribute, void *) {
  HEDDLE_EMULATED_ENTER();
  return CUDA_SUCCESS;
}

CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) {
  HEDDLE_EMULATED_ENTER();
  return CUDA_SUCCESS;
}

CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  void *memory = machine.memory->allocate(bytes);
  if (!memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *pointer = reinterpret_cast<CUdeviceptr>(memory);
  return CUDA_SUCCESS;
}

CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  return put(stream, [pointer, &machine]() -> CUresult {
    bool overwritten = false;
    if (!machine.memory->release(pointerOf(pointer), overwritten))
      return CUDA_ERROR_INVALID_VALUE;
    if (!overwritten)
      return CUDA_SUCCESS;
    machine.failure = "something wrote behind the end of freed memory";
    std::fprintf(stderr, "Heddle emulated device: %s\n", machine.failure.c_str());
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  });
}

CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  HEDDLE_EMULATED_ENTER();
  *free = machine.memory->freeBytes();
  *total = machine.memory->totalBytes();
  return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  HEDDLE_EMULATED_ENTER();
  char *memory = new (std::nothrow) char[bytes];
  if (!memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  machine.pinned[memory] = bytes;
  *pointer = memory;
  return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *pointer) {
  HEDDLE_EMULATED_ENTER();
  auto found = machine.pinned.find(static_cast<const char *>(pointer));
  if (found == machine.pinned.end())
    return CUDA_ERROR_INVALID_VALUE;
  CUresult result = machine.finish();
  machine.pinned.erase(found);
  delete[] static_cast<char *>(pointer);
  return result;
}

/// Page-locked memory is read and written when the stream comes to it, other memory before the call returns.
static bool isPinned(const Machine &machine, const void *pointer) {
  auto after = machine.pinned.upper_bound(static_cast<const char *>(pointer));
  if (after == machine.pinned.begin())
    return false;
  const auto &[start, bytes] = *std::prev(after);
  return pointer < start + bytes;
}

static CUresult transfer(const Machine &machine, void *to, bool toDevice, const void *from, bool fromDevice,
                         size_t bytes) {
  if ((toDevice && !machine.memory->holds(to, bytes)) || (fromDevice && !machine.memory->holds(from, bytes)))
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  std::memmove(to, from, bytes);
  return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (isPinned(machine, from))
    return put(stream, [=, &machine] { return transfer(machine, pointerOf(to), true, from, false, bytes); });
  auto copy = std::make_shared<std::vector<char>>(static_cast<const char *>(from),
                                                  static_cast<const char *>(from) + bytes);
  return put(stream,
             [=, &machine] { return transfer(machine, pointerOf(to), true, copy->data(), false, bytes); });
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  const bool pinned = isPinned(machine, to);
  if (!pinned && isCapturing(stream))
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  CUresult result =
      put(stream, [=, &machine] { return transfer(machine, to, false, pointerOf(from), true, bytes); });
  return pinned ? result : finish(stream);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  return put(stream,
             [=, &machine] { return transfer(machine, pointerOf(to), true, pointerOf(from), true, bytes); });
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t bytes,
                           CUstream stream) {
  return cuMemcpyDtoDAsync_v2(to, from, bytes, stream);
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  return put(stream, [=, &machine]() -> CUresult {
    if (!machine.memory->holds(pointerOf(to), count))
      return CUDA_ERROR_ILLEGAL_ADDRESS;
    std::memset(pointerOf(to), value, count);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  return put(stream, [=, &machine]() -> CUresult {
    if (!machine.memory->holds(pointerOf(to), count * 4))
      return CUDA_ERROR_ILLEGAL_ADDRESS;
    std::fill_n(static_cast<unsigned *>(pointerOf(to)), count, value);
    return CUDA_SUCCESS;
  });
}

//===----------------------------------------------------------------------===//
// Modules and launches
//===----------------------------------------------------------------------===//

struct heddle::runtime::cuda::CUmod_st {
  std::map<std::string, Function> functions;
};

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned, CUjit_option *, void **) {
  HEDDLE_EMULATED_ENTER();
  heddle_emulated_image header;
  if (std::strncmp(static_cast<const char *>(image), HEDDLE_EMULATED_MAGIC, sizeof HEDDLE_EMULATED_MAGIC) !=
      0)
    return CUDA_ERROR_INVALID_IMAGE;
  std::memcpy(&header, image, sizeof header);
  auto *loaded = new CUmod_st;
  for (int64_t i = 0; i < header.count; ++i)
    loaded->functions[header.kernels[i].name].kernel = header.kernels[i];
  *module = loaded;
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  HEDDLE_EMULATED_ENTER();
  CUresult result = machine.finish();
  delete module;
  return result;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  HEDDLE_EMULATED_ENTER();
  auto found = module->functions.find(name);
  if (found == module->functions.end())
    return CUDA_ERROR_NOT_FOUND;
  *function = reinterpret_cast<CUfunction>(&found->second);
  return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  HEDDLE_EMULATED_ENTER();
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 || value > mostShared)
    return CUDA_ERROR_INVALID_VALUE;
  reinterpret_cast<Function *>(function)->mostShared = value;
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                        unsigned blockY, unsigned blockZ, unsigned sharedBytes, CUstream stream,
                        void **arguments, void **extra) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  Work work;
  if (CUresult failed = describeLaunch(work, function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ},
                                       sharedBytes, arguments))
    return failed;
  return extra ? CUDA_ERROR_NOT_SUPPORTED : put(stream, std::move(work));
}

CUresult heddle::emulator::describeLaunch(Work &work, CUfunction handle, std::array<uint32_t, 3> grid,
                                          std::array<uint32_t, 3> block, uint32_t sharedBytes,
                                          void **arguments) {
  auto *function = reinterpret_cast<Function *>(handle);
  const uint64_t threads = uint64_t(block[0]) * block[1] * block[2];
  const uint64_t most[3] = {0x7fffffff, 65535, 65535};
  for (int axis = 0; axis < 3; ++axis)
    if (grid[axis] == 0 || grid[axis] > most[axis] || block[axis] == 0)
      return CUDA_ERROR_INVALID_VALUE;
  const auto known = static_cast<uint64_t>(function->kernel.block_threads);
  if (threads > mostThreads || sharedBytes > static_cast<uint32_t>(function->mostShared) ||
      (known && threads > known))
    return CUDA_ERROR_INVALID_VALUE;
  work.function = function;
  work.grid = grid;
  work.block = block;
  work.sharedBytes = sharedBytes;
  work.setArguments(arguments);
  return CUDA_SUCCESS;
}

//===----------------------------------------------------------------------===//
// For tests
//===----------------------------------------------------------------------===//

HEDDLE_EMULATED_EXPORT void heddle_emulated_set_order(int32_t order) {
  std::lock_guard lock(Machine::get().mutex);
  Machine::get().order = order;
}

HEDDLE_EMULATED_EXPORT const char *heddle_emulated_failure() { return Machine::get().failure.c_str(); }
