// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Opening the CUDA driver, and what its errors mean to a user.

#include "cuda/Driver.h"

#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <memory>
#include <mutex>

using namespace heddle::runtime;
using namespace heddle::runtime::cuda;

namespace {

constexpr const char *updateDriver =
    "update it: Heddle needs a driver for CUDA 12.0 or later, which is version "
    "525 or later";

/// The library's functions; nothing is called yet.
std::unique_ptr<Driver> load() {
  const char *named = std::getenv("HEDDLE_CUDA_DRIVER");
  if (named && !*named)
    named = nullptr;
  void *library = dlopen(named ? named : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    if (named)
      throw Failure(HEDDLE_UNSUPPORTED,
                    std::string("cannot open the CUDA driver that HEDDLE_CUDA_DRIVER names: ") + reason);
    throw Failure(
        HEDDLE_UNSUPPORTED, std::string("there is no NVIDIA driver: ") + reason,
        std::string("install the driver, or start the container with its GPUs (docker run --gpus all); ") +
            useCpu);
  }
  auto driver = std::make_unique<Driver>();
  auto find = [&](const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol) {
      dlclose(library);
      throw Failure(HEDDLE_UNSUPPORTED, std::string("the NVIDIA driver is too old: it has no ") + name,
                    updateDriver);
    }
    return symbol;
  };
#define HEDDLE_CUDA_FIND(name, parameters)                                                                   \
  driver->name = reinterpret_cast<decltype(driver->name)>(find(#name));
  HEDDLE_CUDA_SYMBOLS(HEDDLE_CUDA_FIND)
#undef HEDDLE_CUDA_FIND
  return driver;
}

/// What cuInit says where there is no GPU to use.
Failure initFailure(const Driver &driver, CUresult result) {
  switch (result) {
  case CUDA_ERROR_NO_DEVICE:
    return Failure(HEDDLE_UNSUPPORTED, "there is no NVIDIA GPU that this process may use",
                   std::string("see what nvidia-smi lists and whether CUDA_VISIBLE_DEVICES hides it; ") +
                       useCpu);
  case CUDA_ERROR_STUB_LIBRARY:
    return Failure(HEDDLE_UNSUPPORTED,
                   "the libcuda.so.1 that was found is the stub of the CUDA toolkit, not a driver",
                   "take the folder 'stubs' out of LD_LIBRARY_PATH");
  case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH:
    return Failure(HEDDLE_UNSUPPORTED, "the NVIDIA driver's library and its kernel module differ in version",
                   "restart the machine, or take the library of the host into the container");
  case CUDA_ERROR_SYSTEM_NOT_READY:
    return Failure(HEDDLE_UNSUPPORTED, "the NVIDIA driver is not ready",
                   "see whether nvidia-fabricmanager runs, which machines with NVSwitch need");
  case CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE:
    return Failure(HEDDLE_UNSUPPORTED,
                   "the CUDA compatibility package in front of the driver does not support this GPU",
                   "take its folder out of LD_LIBRARY_PATH, or update the driver");
  default:
    return driver.failure(result, "initialise the NVIDIA driver");
  }
}

std::unique_ptr<Driver> open() {
  std::unique_ptr<Driver> driver = load();
  // The version can be asked before cuInit, which fails in its own ways on an old driver.
  if (CUresult result = driver->cuDriverGetVersion(&driver->version))
    throw initFailure(*driver, result);
  if (driver->version < oldestDriver)
    throw Failure(HEDDLE_UNSUPPORTED, "the NVIDIA driver is for CUDA " + versionText(driver->version),
                  updateDriver);
  CUresult result = driver->cuInit(0);
  if (result == CUDA_SUCCESS)
    result = driver->cuDeviceGetCount(&driver->devices);
  if (result == CUDA_SUCCESS && driver->devices == 0)
    result = CUDA_ERROR_NO_DEVICE;
  if (result != CUDA_SUCCESS)
    throw initFailure(*driver, result);
  return driver;
}

std::atomic<const Driver *> known{nullptr};

} // namespace

const Driver *Driver::opened() noexcept { return known.load(std::memory_order_acquire); }

const Driver &Driver::get() {
  if (const Driver *driver = opened())
    return *driver;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (!opened()) // Never freed: tensors of static storage are released after everything else.
    known.store(open().release(), std::memory_order_release);
  return *opened();
}

std::string Driver::describe(CUresult result) const {
  const char *name = nullptr, *text = nullptr;
  if (cuGetErrorName(result, &name) != CUDA_SUCCESS || !name)
    return "error " + std::to_string(result);
  if (cuGetErrorString(result, &text) != CUDA_SUCCESS || !text)
    return name;
  return std::string(name) + " (" + text + ")";
}

Failure Driver::failure(CUresult result, const std::string &what) const {
  const std::string message = "cannot " + what + ": " + describe(result);
  switch (result) {
  case CUDA_ERROR_OUT_OF_MEMORY:
    return Failure(HEDDLE_OUT_OF_MEMORY, message,
                   "let go of tensors on the GPU, or make the problem smaller");
  case CUDA_ERROR_DEVICE_UNAVAILABLE:
    return Failure(HEDDLE_UNSUPPORTED, message,
                   "another process has the GPU for itself, or it failed: see nvidia-smi");
  case CUDA_ERROR_ILLEGAL_ADDRESS:
  case CUDA_ERROR_ILLEGAL_INSTRUCTION:
  case CUDA_ERROR_MISALIGNED_ADDRESS:
  case CUDA_ERROR_LAUNCH_FAILED:
    return Failure(
        HEDDLE_INTERNAL, message,
        "a kernel failed, and this process cannot use the GPU any more; this is a defect of Heddle: please "
        "report it with the program");
  case CUDA_ERROR_LAUNCH_TIMEOUT:
    return Failure(
        HEDDLE_UNSUPPORTED, message,
        "the system stops kernels that run for seconds on a GPU that drives a screen: use another GPU, or "
        "make the problem smaller");
  default:
    return Failure(HEDDLE_INTERNAL, message);
  }
}

std::string heddle::runtime::cuda::versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}
