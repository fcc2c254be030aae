//===- DeviceTarget.cpp - The GPU that code is generated for --------------===//

#include "compiler/jit/DeviceProgram.h"

#include <heddle/error.hpp>

namespace heddle::jit {

DeviceTarget DeviceTarget::of(int index) {
  heddle_cuda_device_t device;
  check(heddle_cuda_device(index, &device));
  DeviceTarget target;
  target.name = device.name;
  target.major = device.major;
  target.minor = device.minor;
  target.driverVersion = device.driver_version;
  target.multiprocessors = device.multiprocessors;
  target.sharedBytes = device.shared_bytes;
  target.l2Bytes = device.l2_bytes;
  target.emulated = device.emulated != 0;
  target.hasMatmul = device.has_matmul != 0;
  return target;
}

} // namespace heddle::jit
