// The target of tests of products of warpgroups. Part of Heddle's tests.
#pragma once

#include "DeviceAttention.h"

namespace heddle::tests {

/// Few blocks of threads, so that each has several tiles. Nothing where the device has no such products.
inline std::optional<gpu::Target> warpgroupTarget(int64_t multiprocessors = 3) {
  test::DeviceHarness device;
  if (!device.emulated() && device.capability() != 90)
    return std::nullopt;
  gpu::Target target;
  target.sharedBytes = device.emulated() ? 163 << 10 : 232448;
  target.warpgroupProducts = true;
  target.multiprocessors = multiprocessors;
  return target;
}

} // namespace heddle::tests
