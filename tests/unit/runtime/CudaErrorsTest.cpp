// What a user reads where there is no GPU that will do. A driver that failed is tried again at the next use,
// so every case gets its own; none of them opens one.

#include "StubDriver.h"
#include "Support.h"

#include <heddle/tensor.hpp>

#include <catch2/catch.hpp>

using namespace heddle;
using namespace testing;
using namespace heddle::runtime::cuda;

namespace {

/// The message of opening the driver `path` (an empty one: the system's), after `prepare`.
Failed opening(const std::string &path) {
  setenv("HEDDLE_CUDA_DRIVER", path.c_str(), 1);
  return failureOf([] {
    int32_t count = 0;
    check(heddle_cuda_device_count(&count));
  });
}

/// The same with the stub.
std::string openingStub(const char *symbol, int result) {
  stub::Control &control = heddle_stub_control;
  control = {};
  control.failing = symbol;
  control.result = result;
  const Failed failed = opening(HEDDLE_STUB_DRIVER);
  CHECK(failed.status == HEDDLE_UNSUPPORTED);
  return failed.message;
}

} // namespace

TEST_CASE("without a driver the message says what to install", "[cuda]") {
  const Failed failed = opening("");
  if (failed.status == HEDDLE_OK || failed.message.find("there is no NVIDIA driver") != 0) {
    WARN("skipped: this machine has an NVIDIA driver");
    return;
  }
  CHECK(failed.status == HEDDLE_UNSUPPORTED);
  CHECK(failed.message ==
        "there is no NVIDIA driver: libcuda.so.1: cannot open shared object file: No such file or directory\n"
        "hint: install the driver, or start the container with its GPUs (docker run --gpus all); or run on "
        "the CPU: "
        "Device::cpu(), --device cpu");
  CHECK(Device::cudaCount() == 0);
  CHECK(failureOf([] { Tensor::scalar(1.0f).to(Device::cuda()); }).message == failed.message);
  CHECK(failureOf([] { Tensor::empty({2}, DType::f32, Device::cuda()); }).message == failed.message);
}

TEST_CASE("a driver that is named must be there and be one", "[cuda]") {
  CHECK(opening("/nowhere/libcuda.so").message == "cannot open the CUDA driver that HEDDLE_CUDA_DRIVER "
                                                  "names: /nowhere/libcuda.so: cannot open shared object "
                                                  "file: No such file or directory");
  CHECK(opening(HEDDLE_NO_DRIVER).message ==
        "the NVIDIA driver is too old: it has no cuGetErrorName\n"
        "hint: update it: Heddle needs a driver for CUDA 12.0 or later, which is version 525 or later");
}

TEST_CASE("an old driver is told apart by its version", "[cuda]") {
  heddle_stub_control = {};
  heddle_stub_control.version = 11040;
  const Failed failed = opening(HEDDLE_STUB_DRIVER);
  CHECK(failed.status == HEDDLE_UNSUPPORTED);
  CHECK(failed.message ==
        "the NVIDIA driver is for CUDA 11.4\n"
        "hint: update it: Heddle needs a driver for CUDA 12.0 or later, which is version 525 or "
        "later");
}

TEST_CASE("what keeps the driver from starting is explained", "[cuda]") {
  const std::string none =
      "there is no NVIDIA GPU that this process may use\n"
      "hint: see what nvidia-smi lists and whether CUDA_VISIBLE_DEVICES hides it; or run on the "
      "CPU: Device::cpu(), --device cpu";
  CHECK(openingStub("cuInit", CUDA_ERROR_NO_DEVICE) == none);
  heddle_stub_control = {};
  heddle_stub_control.devices = 0;
  CHECK(opening(HEDDLE_STUB_DRIVER).message == none);
  CHECK(openingStub("cuDriverGetVersion", CUDA_ERROR_STUB_LIBRARY) ==
        "the libcuda.so.1 that was found is the stub of the CUDA toolkit, not a driver\n"
        "hint: take the folder 'stubs' out of LD_LIBRARY_PATH");
  CHECK(openingStub("cuInit", CUDA_ERROR_SYSTEM_DRIVER_MISMATCH) ==
        "the NVIDIA driver's library and its kernel module differ in version\n"
        "hint: restart the machine, or take the library of the host into the container");
  CHECK(openingStub("cuInit", CUDA_ERROR_SYSTEM_NOT_READY) ==
        "the NVIDIA driver is not ready\n"
        "hint: see whether nvidia-fabricmanager runs, which machines with NVSwitch need");
  CHECK(openingStub("cuInit", CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE) ==
        "the CUDA compatibility package in front of the driver does not support this GPU\n"
        "hint: take its folder out of LD_LIBRARY_PATH, or update the driver");
}

TEST_CASE("a failure without a name of its own has its number", "[cuda]") {
  heddle_stub_control = {};
  heddle_stub_control.failing = "cuInit";
  heddle_stub_control.result = CUDA_ERROR_UNKNOWN;
  CHECK(opening(HEDDLE_STUB_DRIVER).message ==
        "cannot initialise the NVIDIA driver: CUDA_ERROR_UNKNOWN (stub)");
  heddle_stub_control.result = 12345;
  const Failed failed = opening(HEDDLE_STUB_DRIVER);
  CHECK(failed.message == "cannot initialise the NVIDIA driver: error 12345");
  CHECK(failed.status == HEDDLE_INTERNAL);
}

// The last case: from here on the driver stays open.
TEST_CASE("a GPU that will not do is refused, others are named", "[cuda]") {
  heddle_stub_control = {};
  heddle_stub_control.major = 7;
  heddle_stub_control.minor = 5;
  setenv("HEDDLE_CUDA_DRIVER", HEDDLE_STUB_DRIVER, 1);
  auto message = [] { return failureOf([] { Tensor::scalar(1.0f).to(Device::cuda(1)); }).message; };
  CHECK(message() == "cuda:1 (Stub GPU) has compute capability 7.5: Heddle needs 8.0 (Ampere) or later\n"
                     "hint: choose another GPU, or run on the CPU: Device::cpu(), --device cpu");
  heddle_stub_control.major = 8;
  heddle_stub_control.memoryPools = 0;
  CHECK(message() == "cuda:1 (Stub GPU) has no memory pools\n"
                     "hint: update the driver or change the mode of the virtual GPU, or run on the CPU: "
                     "Device::cpu(), --device cpu");
  heddle_stub_control.memoryPools = 1;
  CHECK(message() == "(nothing was thrown)");
  CHECK(failureOf([] { Tensor::scalar(1.0f).to(Device::cuda(2)); }).message ==
        "there is no device cuda:2: this process may use 2 GPUs, cuda:0 to cuda:1");
  CHECK(Device::cudaCount() == 2);
}
