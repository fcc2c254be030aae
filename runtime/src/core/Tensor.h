// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Tensors inside the library: a checked description of a DLPack view, and new tensors.
#pragma once

#include "core/Failure.h"

#include <memory>
#include <span>
#include <string>

namespace heddle::runtime {

struct Release {
  void operator()(DLManagedTensor *tensor) const { heddle_tensor_release(tensor); }
};
using OwnedTensor = std::unique_ptr<DLManagedTensor, Release>;

/// "[2, 3]".
std::string shapeText(std::span<const int64_t> shape);

/// "u16", "complex64", "f32x4": any DLPack type for a message.
std::string typeText(DLDataType type);

/// Bytes of a dense tensor and, through `count`, its elements; fails when an extent is negative or the size
/// (with extents of zero left out, so that strides cannot overflow either) passes 2^62 bytes.
int64_t denseBytes(std::span<const int64_t> shape, int64_t elementSize, int64_t &count);

/// "cpu", "cuda:0".
std::string deviceText(DLDevice device);

/// Whether the device's memory can be read by this processor.
inline bool isHost(DLDevice device) {
  return device.device_type == kDLCPU || device.device_type == kDLCUDAHost;
}

/// A view whose pointer, type, shape and strides make sense.
struct View {
  heddle_dtype_t dtype;
  int64_t elementSize;
  std::span<const int64_t> shape;
  const int64_t *strides; ///< null when row-major without gaps
  int64_t count;
  int64_t bytes;
  DLDevice device;
  char *data; ///< the first element
};

/// Where a view may lie.
enum class Place { Host, Anywhere };

/// Checks a view given by the user. With `dense`, strides other than row-major are refused.
View inspect(const DLTensor *tensor, bool dense, Place place = Place::Host);

/// A new row-major tensor with uninitialised elements.
OwnedTensor newTensor(heddle_dtype_t dtype, std::span<const int64_t> shape, DLDevice device = {kDLCPU, 0});

/// A new row-major tensor with the elements of a view, which may have any strides, on a device.
OwnedTensor copyTo(const View &view, DLDevice device);

/// What reads elements can go on with: the view itself where it lies on the host, or a copy that `keep` then
/// holds.
View onHost(const DLTensor *tensor, bool dense, OwnedTensor &keep);

/// Copies `count` elements of a strided view to dense memory; strides count elements and may be null.
void gatherStrided(const char *from, const int64_t *strides, std::span<const int64_t> shape,
                   int64_t elementSize, char *to);

} // namespace heddle::runtime
