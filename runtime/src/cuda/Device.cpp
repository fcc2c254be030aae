// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Opening a GPU, its memory and copies.

#include "cuda/Device.h"

#include <algorithm>
#include <cstring>
#include <memory>

using namespace heddle::runtime;
using namespace heddle::runtime::cuda;

namespace {

CUdeviceptr address(const void *pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

constexpr int64_t mebibyte = int64_t(1) << 20, gibibyte = int64_t(1) << 30;

/// "512 MiB", "79 GiB", for messages.
std::string sizeText(int64_t bytes) {
  if (bytes >= 10 * gibibyte)
    return std::to_string(bytes / gibibyte) + " GiB";
  return bytes >= 10 * mebibyte ? std::to_string(bytes / mebibyte) + " MiB"
                                : std::to_string(bytes) + " bytes";
}

} // namespace

Device &Device::get(int index) {
  const Driver &driver = Driver::get();
  if (index < 0 || index >= driver.devices)
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  "there is no device cuda:" + std::to_string(index) + ": this process may use " +
                      (driver.devices == 1 ? "one GPU, cuda:0"
                                           : std::to_string(driver.devices) + " GPUs, cuda:0 to cuda:" +
                                                 std::to_string(driver.devices - 1)));
  static std::mutex mutex;
  // Never freed: tensors of static storage are released after everything else.
  static auto &devices = *new std::vector<std::unique_ptr<Device>>;
  std::lock_guard lock(mutex);
  if (devices.empty())
    devices.resize(static_cast<size_t>(driver.devices));
  std::unique_ptr<Device> &device = devices[static_cast<size_t>(index)];
  if (!device)
    device.reset(new Device(driver, index));
  return *device;
}

Device::Device(const Driver &driver, int index) : driver(driver), index(index) {
  driver.require(driver.cuDeviceGet(&device, index), "get the GPU");
  driver.require(driver.cuDeviceGetName(info.name, sizeof info.name, device), "read the GPU's name");
  auto attribute = [&](CUdevice_attribute which) {
    int value = 0;
    driver.require(driver.cuDeviceGetAttribute(&value, which, device), "read the GPU's properties");
    return value;
  };
  info.major = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  info.minor = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  info.driver_version = driver.version;
  info.multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  info.shared_bytes = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  info.multiprocessor_shared_bytes = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  info.l2_bytes = attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  size_t total = 0;
  driver.require(driver.cuDeviceTotalMem_v2(&total, device), "read the GPU's memory size");
  info.memory_bytes = static_cast<int64_t>(total);
  info.emulated = std::strcmp(info.name, "Heddle emulated device") == 0;
  if (info.major < 8)
    throw Failure(HEDDLE_UNSUPPORTED,
                  name() + " (" + info.name + ") has compute capability " + std::to_string(info.major) + "." +
                      std::to_string(info.minor) + ": Heddle needs 8.0 (Ampere) or later",
                  std::string("choose another GPU, ") + useCpu);
  if (!attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED))
    throw Failure(HEDDLE_UNSUPPORTED, name() + " (" + info.name + ") has no memory pools",
                  std::string("update the driver or change the mode of the virtual GPU, ") + useCpu);

  driver.require(driver.cuDevicePrimaryCtxRetain(&context, device), "make a context on the GPU");
  Scope scope(*this);
  driver.require(driver.cuStreamCreate(&stream, CU_STREAM_DEFAULT), "make a stream");
  for (CUstream *other : {&asideStream, &captureStream, &captureAsideStream})
    driver.require(driver.cuStreamCreate(other, CU_STREAM_NON_BLOCKING), "make a stream");
  driver.require(driver.cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING), "make an event");
  driver.require(driver.cuDeviceGetDefaultMemPool(&pool, device), "use the GPU's memory pool");
  // Freed memory stays in the pool for the next allocation instead of going back at each synchronisation.
  uint64_t threshold = UINT64_MAX;
  driver.require(driver.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold),
                 "set up the GPU's memory pool");
}

std::string Device::name() const { return "cuda:" + std::to_string(index); }

CUresult Device::tryAllocate(CUdeviceptr &pointer, int64_t bytes) {
  // Kernels may read the rest of the aligned words that a tensor ends in.
  const auto size = static_cast<size_t>((bytes + HEDDLE_CUDA_ALIGNMENT - 1) / HEDDLE_CUDA_ALIGNMENT *
                                        HEDDLE_CUDA_ALIGNMENT);
  CUresult result = driver.cuMemAllocAsync(&pointer, size, stream);
  if (result != CUDA_ERROR_OUT_OF_MEMORY)
    return result;
  // What is freed on the stream but not yet reached, and what lies in pieces, may be enough.
  if (driver.cuStreamSynchronize(stream) == CUDA_SUCCESS && driver.cuMemPoolTrimTo(pool, 0) == CUDA_SUCCESS)
    result = driver.cuMemAllocAsync(&pointer, size, stream);
  return result;
}

void *Device::allocate(int64_t bytes) {
  if (bytes <= 0)
    return nullptr;
  Scope scope(*this);
  CUdeviceptr pointer = 0;
  CUresult result = tryAllocate(pointer, bytes);
  if (result == CUDA_ERROR_OUT_OF_MEMORY) {
    size_t free = 0, total = 0;
    driver.cuMemGetInfo_v2(&free, &total);
    throw Failure(HEDDLE_OUT_OF_MEMORY,
                  "cannot allocate " + sizeText(bytes) + " on " + name() + ": " +
                      sizeText(static_cast<int64_t>(free)) + " of " + sizeText(static_cast<int64_t>(total)) +
                      " are free, and tensors of this process take " + sizeText(currentBytes),
                  "let go of tensors on the GPU, or make the problem smaller");
  }
  if (result != CUDA_SUCCESS)
    throw driver.failure(result, "allocate " + sizeText(bytes) + " on " + name());
  const int64_t current = currentBytes += bytes;
  for (int64_t peak = peakBytes; peak < current && !peakBytes.compare_exchange_weak(peak, current);) {
  }
  ++allocations;
  ++liveAllocations;
  return reinterpret_cast<void *>(pointer); // NOLINT(performance-no-int-to-ptr): CUdeviceptr is an integer
}

void Device::release(void *pointer, int64_t bytes) noexcept {
  if (!pointer)
    return;
  currentBytes -= bytes;
  --liveAllocations;
  // At the end of the process the driver may be gone before the last tensor; then there is nothing to free.
  CUcontext before;
  if (driver.cuCtxPushCurrent_v2(context) != CUDA_SUCCESS)
    return;
  driver.cuMemFreeAsync(address(pointer), stream);
  driver.cuCtxPopCurrent_v2(&before);
}

void Device::synchronize(const char *what) {
  Scope scope(*this);
  driver.require(driver.cuStreamSynchronize(stream), what);
}

void Device::trim() {
  Scope scope(*this);
  driver.require(driver.cuStreamSynchronize(stream), "finish the work on the GPU");
  driver.require(driver.cuMemPoolTrimTo(pool, 0), "give memory back to the GPU");
}

void Device::copyFromHost(void *to, const void *from, int64_t bytes) {
  if (bytes <= 0)
    return;
  Scope scope(*this);
  driver.require(driver.cuMemcpyHtoDAsync_v2(address(to), from, static_cast<size_t>(bytes), stream),
                 "copy to the GPU");
}

void Device::copyWithin(void *to, const void *from, int64_t bytes) {
  if (bytes <= 0)
    return;
  Scope scope(*this);
  driver.require(driver.cuMemcpyDtoDAsync_v2(address(to), address(from), static_cast<size_t>(bytes), stream),
                 "copy on the GPU");
}

void Device::copyToHost(void *to, const void *from, int64_t bytes) {
  if (bytes <= 0)
    return;
  Scope scope(*this);
  driver.require(driver.cuMemcpyDtoHAsync_v2(to, address(from), static_cast<size_t>(bytes), stream),
                 "copy from the GPU");
  driver.require(driver.cuStreamSynchronize(stream), "copy from the GPU");
}

void *Device::arena() {
  const int64_t bytes = arenaUsers.empty() ? 0 : *arenaUsers.rbegin();
  if (bytes > arenaBytes) {
    release(arenaMemory, arenaBytes);
    arenaMemory = nullptr;
    arenaBytes = 0;
    try {
      arenaMemory = allocate(bytes);
    } catch (const Failure &failure) {
      throw Failure(failure.status, "working memory: " + failure.message);
    }
    arenaBytes = bytes;
  }
  return arenaMemory;
}

void Device::addArenaUser(int64_t bytes) {
  std::lock_guard lock(ordering);
  arenaUsers.insert(bytes);
}

void Device::removeArenaUser(int64_t bytes) noexcept {
  std::lock_guard lock(ordering);
  arenaUsers.erase(arenaUsers.find(bytes));
  if (arenaUsers.empty() || *arenaUsers.rbegin() < arenaBytes) {
    release(arenaMemory, arenaBytes);
    arenaMemory = nullptr;
    arenaBytes = 0;
  }
}

CUevent Device::sectionEvent(int32_t section) {
  CUevent &event = sectionEvents[section];
  if (!event)
    driver.require(driver.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING), "make an event");
  return event;
}

Report Device::takeReport() {
  std::lock_guard lock(reportMutex);
  if (idleReports.empty()) {
    Scope scope(*this);
    // Page-locked memory comes in pages.
    constexpr size_t stride = 64, count = 32;
    void *block = nullptr;
    driver.require(driver.cuMemHostAlloc(&block, stride * count, 0), "allocate page-locked memory");
    for (size_t i = 0; i < count; ++i) {
      CUevent event = nullptr;
      driver.require(driver.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING), "make an event");
      idleReports.push_back(
          {reinterpret_cast<heddle_cuda_error_t *>(static_cast<char *>(block) + i * stride), event});
    }
  }
  Report report = idleReports.back();
  idleReports.pop_back();
  *report.record = {};
  return report;
}

void Device::giveReport(Report report) noexcept {
  std::lock_guard lock(reportMutex);
  idleReports.push_back(report);
}

void Device::memoryStats(heddle_memory_stats_t *out) const {
  *out = {currentBytes, peakBytes, allocations, liveAllocations};
}

void Device::resetPeak() { peakBytes = currentBytes.load(); }

void heddle::runtime::cuda::copyBetween(DLDevice toDevice, void *to, DLDevice fromDevice, const void *from,
                                        int64_t bytes) {
  if (bytes <= 0)
    return;
  const bool toGpu = toDevice.device_type == kDLCUDA, fromGpu = fromDevice.device_type == kDLCUDA;
  if (!toGpu && !fromGpu) {
    std::memcpy(to, from, static_cast<size_t>(bytes));
  } else if (!fromGpu) {
    Device &device = Device::get(toDevice.device_id);
    device.copyFromHost(to, from, bytes);
    device.synchronize("copy to the GPU"); // page-locked memory is read later than the call returns
  } else if (!toGpu) {
    Device::get(fromDevice.device_id).copyToHost(to, from, bytes);
  } else if (toDevice.device_id == fromDevice.device_id) {
    Device::get(toDevice.device_id).copyWithin(to, from, bytes);
  } else {
    Device &source = Device::get(fromDevice.device_id), &target = Device::get(toDevice.device_id);
    source.synchronize("copy between GPUs");
    Device::Scope scope(target);
    target.driver.require(target.driver.cuMemcpyPeerAsync(address(to), target.context, address(from),
                                                          source.context, static_cast<size_t>(bytes),
                                                          target.stream),
                          "copy between GPUs");
    target.driver.require(target.driver.cuStreamSynchronize(target.stream), "copy between GPUs");
  }
}

//===----------------------------------------------------------------------===//
// The C interface
//===----------------------------------------------------------------------===//

heddle_status_t heddle_cuda_device_count(int32_t *out) {
  return guard([&] {
    requireResult(out);
    *out = Driver::get().devices;
  });
}

heddle_status_t heddle_cuda_device(int32_t device, heddle_cuda_device_t *out) {
  return guard([&] {
    requireResult(out);
    *out = Device::get(device).info;
    out->has_matmul = heddle_cuda_has_matmul(device);
  });
}

heddle_status_t heddle_cuda_stream(int32_t device, void **out) {
  return guard([&] {
    requireResult(out);
    *out = Device::get(device).stream;
  });
}

heddle_status_t heddle_cuda_synchronize(int32_t device) {
  return guard([&] { Device::get(device).synchronize("finish the work on the GPU"); });
}

heddle_status_t heddle_cuda_upload(int32_t device, void *to, const void *from, int64_t bytes) {
  return guard([&] {
    if (bytes > 0) {
      requirePointer(to, "the target");
      requirePointer(from, "the source");
    }
    Device::get(device).copyFromHost(to, from, bytes);
  });
}

heddle_status_t heddle_cuda_trim(int32_t device) {
  return guard([&] { Device::get(device).trim(); });
}

heddle_status_t heddle_cuda_memory_stats(int32_t device, heddle_memory_stats_t *out) {
  return guard([&] {
    requireResult(out);
    Device::get(device).memoryStats(out);
  });
}

heddle_status_t heddle_cuda_memory_reset_peak(int32_t device) {
  return guard([&] { Device::get(device).resetPeak(); });
}
