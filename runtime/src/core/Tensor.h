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

/// A view whose pointer, type, shape and strides make sense.
struct View {
  heddle_dtype_t dtype;
  int64_t elementSize;
  std::span<const int64_t> shape;
  const int64_t *strides; ///< null when row-major without gaps
  int64_t count;
  int64_t bytes;
  char *data; ///< the first element
};

/// Checks a view given by the user. With `dense`, strides other than row-major are refused.
View inspect(const DLTensor *tensor, bool dense);

/// A new row-major tensor with uninitialised elements.
OwnedTensor newTensor(heddle_dtype_t dtype, std::span<const int64_t> shape);

/// Copies `count` elements of a strided view to dense memory; strides count elements and may be null.
void gatherStrided(const char *from, const int64_t *strides, std::span<const int64_t> shape,
                   int64_t elementSize, char *to);

} // namespace heddle::runtime
