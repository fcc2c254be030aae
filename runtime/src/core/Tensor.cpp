// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Creating, checking and copying tensors.

#include "core/Tensor.h"
#include "cuda/Device.h"

#include <array>
#include <cstring>
#include <vector>

using namespace heddle::runtime;

namespace {
/// A tensor of ours: the DLPack structure with the storage of its shape and strides.
struct Block {
  DLManagedTensor managed;
  std::vector<int64_t> extents; ///< shape, then strides
  int64_t bytes;
};

void deleteBlock(DLManagedTensor *tensor) {
  auto *block = static_cast<Block *>(tensor->manager_ctx);
  const DLTensor &view = tensor->dl_tensor;
  if (isHost(view.device))
    heddle_free(view.data);
  else
    cuda::Device::get(view.device.device_id).release(view.data, block->bytes);
  delete block;
}

/// Whether strides are those of a row-major tensor without gaps; extents of one may have any stride.
bool isDense(std::span<const int64_t> shape, const int64_t *strides, int64_t count, size_t *where,
             int64_t *expected) {
  if (!strides || count == 0)
    return true;
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != step) {
      *where = i;
      *expected = step;
      return false;
    }
    step *= shape[i];
  }
  return true;
}

/// Walks two strided views of one shape and copies elements of type T.
template <typename T>
void copyStrided(const char *from, const int64_t *fromStrides, char *to, const int64_t *toStrides,
                 std::span<const int64_t> shape) {
  if (shape.empty()) {
    std::memcpy(to, from, sizeof(T));
    return;
  }
  const int64_t extent = shape[0], fromStep = fromStrides[0], toStep = toStrides[0];
  constexpr int64_t size = sizeof(T);
  if (shape.size() > 1) {
    for (int64_t i = 0; i < extent; ++i)
      copyStrided<T>(from + i * fromStep * size, fromStrides + 1, to + i * toStep * size, toStrides + 1,
                     shape.subspan(1));
    return;
  }
  if (fromStep == 1 && toStep == 1) {
    std::memcpy(to, from, static_cast<size_t>(extent * size));
    return;
  }
  for (int64_t i = 0; i < extent; ++i)
    std::memcpy(to + i * toStep * size, from + i * fromStep * size, sizeof(T));
}

void copyStrided(int64_t elementSize, const char *from, const int64_t *fromStrides, char *to,
                 const int64_t *toStrides, std::span<const int64_t> shape) {
  for (int64_t extent : shape)
    if (extent == 0)
      return;
  switch (elementSize) {
  case 1:
    return copyStrided<uint8_t>(from, fromStrides, to, toStrides, shape);
  case 2:
    return copyStrided<uint16_t>(from, fromStrides, to, toStrides, shape);
  case 4:
    return copyStrided<uint32_t>(from, fromStrides, to, toStrides, shape);
  default:
    return copyStrided<uint64_t>(from, fromStrides, to, toStrides, shape);
  }
}

using Strides = std::array<int64_t, HEDDLE_MAX_RANK>;

Strides denseStrides(std::span<const int64_t> shape) {
  Strides strides{};
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i] > 0 ? shape[i] : 1;
  }
  return strides;
}
} // namespace

std::string heddle::runtime::shapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

int64_t heddle::runtime::denseBytes(std::span<const int64_t> shape, int64_t elementSize, int64_t &count) {
  if (shape.size() > HEDDLE_MAX_RANK)
    throw Failure(HEDDLE_INVALID_ARGUMENT, "the rank is " + std::to_string(shape.size()) + ", at most " +
                                               std::to_string(HEDDLE_MAX_RANK) + " is possible");
  constexpr int64_t most = int64_t(1) << 62;
  int64_t bytes = elementSize;
  bool empty = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0)
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "dimension " + std::to_string(i) + " of shape " + shapeText(shape) + " is negative");
    empty |= shape[i] == 0;
    if (shape[i] > 0 && (__builtin_mul_overflow(bytes, shape[i], &bytes) || bytes > most))
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "a tensor of shape " + shapeText(shape) + " is too large to address");
  }
  count = empty ? 0 : bytes / elementSize;
  return empty ? 0 : bytes;
}

std::string heddle::runtime::deviceText(DLDevice device) {
  return isHost(device) ? "cpu" : "cuda:" + std::to_string(device.device_id);
}

View heddle::runtime::inspect(const DLTensor *tensor, bool dense, Place place) {
  requirePointer(tensor, "the tensor");
  View view;
  view.device = tensor->device;
  if (tensor->device.device_type == kDLCUDA ? place == Place::Host : !isHost(tensor->device)) {
    if (tensor->device.device_type == kDLCUDA)
      throw Failure(HEDDLE_UNSUPPORTED,
                    "the tensor lies on " + deviceText(tensor->device) + ", expected the CPU",
                    "copy it with .to(Device::cpu()), or heddle_tensor_to in C");
    throw Failure(HEDDLE_UNSUPPORTED,
                  "the tensor lies on DLPack device " + std::to_string(tensor->device.device_type) +
                      ", expected the CPU (1)" + (place == Place::Anywhere ? " or CUDA (2)" : ""),
                  "copy it to the CPU first");
  }
  if (heddle_status_t status = heddle_dtype_from_dlpack(tensor->dtype, &view.dtype); status != HEDDLE_OK)
    throw Failure(status, heddle_last_error());
  view.elementSize = heddle_dtype_size(view.dtype);
  if (tensor->ndim < 0 || tensor->ndim > HEDDLE_MAX_RANK)
    throw Failure(HEDDLE_INVALID_ARGUMENT, "the rank is " + std::to_string(tensor->ndim) +
                                               ", expected 0 to " + std::to_string(HEDDLE_MAX_RANK));
  if (tensor->ndim > 0)
    requirePointer(tensor->shape, "the tensor's shape");
  view.shape = {tensor->shape, static_cast<size_t>(tensor->ndim)};
  view.bytes = denseBytes(view.shape, view.elementSize, view.count);

  size_t where = 0;
  int64_t expected = 0;
  view.strides =
      isDense(view.shape, tensor->strides, view.count, &where, &expected) ? nullptr : tensor->strides;
  if (dense && view.strides)
    throw Failure(HEDDLE_UNSUPPORTED,
                  "the view of shape " + shapeText(view.shape) + " is not row-major: dimension " +
                      std::to_string(where) + " has stride " + std::to_string(view.strides[where]) +
                      ", expected " + std::to_string(expected),
                  "copy it with heddle_tensor_cast to its own element type");
  if (view.count > 0)
    requirePointer(tensor->data, "the tensor's data");
  // An empty tensor may have a null pointer, which takes no offset.
  view.data = view.count > 0 ? static_cast<char *>(tensor->data) + tensor->byte_offset : nullptr;
  if (reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(view.elementSize) != 0)
    throw Failure(HEDDLE_INVALID_ARGUMENT, "the data of the " + std::string(heddle_dtype_name(view.dtype)) +
                                               " tensor are not aligned to " +
                                               std::to_string(view.elementSize) + " bytes");
  return view;
}

OwnedTensor heddle::runtime::newTensor(heddle_dtype_t dtype, std::span<const int64_t> shape,
                                       DLDevice device) {
  if (heddle_dtype_size(dtype) == 0)
    throw Failure(HEDDLE_INVALID_ARGUMENT, std::to_string(static_cast<int>(dtype)) + " is no heddle_dtype_t");
  int64_t count = 0;
  const int64_t bytes = denseBytes(shape, heddle_dtype_size(dtype), count);
  const Strides strides = denseStrides(shape);
  auto block = std::make_unique<Block>();
  block->extents.assign(shape.begin(), shape.end());
  block->extents.insert(block->extents.end(), strides.begin(), strides.begin() + shape.size());

  block->bytes = bytes;

  DLTensor &tensor = block->managed.dl_tensor;
  tensor.device = device;
  tensor.ndim = static_cast<int>(shape.size());
  tensor.dtype = heddle_dtype_to_dlpack(dtype);
  tensor.shape = block->extents.data();
  tensor.strides = block->extents.data() + shape.size();
  tensor.byte_offset = 0;
  if (device.device_type == kDLCUDA)
    tensor.data = cuda::Device::get(device.device_id).allocate(bytes);
  else if (device.device_type != kDLCPU)
    throw Failure(HEDDLE_UNSUPPORTED, "cannot allocate on DLPack device " +
                                          std::to_string(device.device_type) +
                                          ", expected the CPU (1) or CUDA (2)");
  else if (heddle_status_t status = heddle_allocate(bytes, &tensor.data); status != HEDDLE_OK)
    throw Failure(status, heddle_last_error());
  block->managed.manager_ctx = block.get();
  block->managed.deleter = deleteBlock;
  return OwnedTensor(&block.release()->managed);
}

void heddle::runtime::gatherStrided(const char *from, const int64_t *strides, std::span<const int64_t> shape,
                                    int64_t elementSize, char *to) {
  const Strides dense = denseStrides(shape);
  copyStrided(elementSize, from, strides ? strides : dense.data(), to, dense.data(), shape);
}

OwnedTensor heddle::runtime::copyTo(const View &view, DLDevice device) {
  if (!view.strides) {
    OwnedTensor copy = newTensor(view.dtype, view.shape, device);
    cuda::copyBetween(device, copy->dl_tensor.data, view.device, view.data, view.bytes);
    return copy;
  }
  OwnedTensor dense = newTensor(view.dtype, view.shape);
  if (isHost(view.device)) {
    gatherStrided(view.data, view.strides, view.shape, view.elementSize,
                  static_cast<char *>(dense->dl_tensor.data));
  } else {
    // The stretch of memory that the view spans comes to the host and is gathered there.
    int64_t first = 0, last = 0;
    for (size_t i = 0; i < view.shape.size(); ++i)
      (view.strides[i] < 0 ? first : last) += (view.shape[i] - 1) * view.strides[i];
    std::vector<char> stretch(static_cast<size_t>((last - first + 1) * view.elementSize));
    cuda::copyBetween({kDLCPU, 0}, stretch.data(), view.device, view.data + first * view.elementSize,
                      static_cast<int64_t>(stretch.size()));
    gatherStrided(stretch.data() - first * view.elementSize, view.strides, view.shape, view.elementSize,
                  static_cast<char *>(dense->dl_tensor.data));
  }
  return isHost(device) ? std::move(dense) : copyTo(inspect(&dense->dl_tensor, /*dense=*/true), device);
}

View heddle::runtime::onHost(const DLTensor *tensor, bool dense, OwnedTensor &keep) {
  const View view = inspect(tensor, dense, Place::Anywhere);
  if (isHost(view.device))
    return view;
  keep = copyTo(view, {kDLCPU, 0});
  return inspect(&keep->dl_tensor, dense);
}

heddle_status_t heddle_tensor_create(heddle_dtype_t dtype, int32_t rank, const int64_t *shape,
                                     DLManagedTensor **out) {
  return heddle_tensor_create_on(dtype, rank, shape, {kDLCPU, 0}, out);
}

heddle_status_t heddle_tensor_create_on(heddle_dtype_t dtype, int32_t rank, const int64_t *shape,
                                        DLDevice device, DLManagedTensor **out) {
  return guard([&] {
    requireResult(out);
    if (rank < 0 || rank > HEDDLE_MAX_RANK)
      throw Failure(HEDDLE_INVALID_ARGUMENT, "the rank is " + std::to_string(rank) + ", expected 0 to " +
                                                 std::to_string(HEDDLE_MAX_RANK));
    if (rank > 0)
      requirePointer(shape, "the shape");
    *out = newTensor(dtype, {shape, static_cast<size_t>(rank)}, device).release();
  });
}

heddle_status_t heddle_tensor_to(const DLTensor *tensor, DLDevice device, DLManagedTensor **out) {
  return guard([&] {
    requireResult(out);
    *out = copyTo(inspect(tensor, /*dense=*/false, Place::Anywhere), device).release();
  });
}

void heddle_tensor_release(DLManagedTensor *tensor) {
  if (tensor && tensor->deleter)
    tensor->deleter(tensor);
}

int32_t heddle_tensor_owns(const DLManagedTensor *tensor) {
  return tensor && tensor->deleter == deleteBlock ? 1 : 0;
}

heddle_status_t heddle_tensor_check(const DLTensor *tensor) {
  return guard([&] { inspect(tensor, /*dense=*/true, Place::Anywhere); });
}

int64_t heddle_tensor_count(const DLTensor *tensor) {
  int64_t count = -1;
  return guard([&] { count = inspect(tensor, /*dense=*/false, Place::Anywhere).count; }) == HEDDLE_OK ? count
                                                                                                      : -1;
}

int64_t heddle_tensor_bytes(const DLTensor *tensor) {
  int64_t bytes = -1;
  return guard([&] { bytes = inspect(tensor, /*dense=*/false, Place::Anywhere).bytes; }) == HEDDLE_OK ? bytes
                                                                                                      : -1;
}

heddle_status_t heddle_tensor_copy(const DLTensor *from, const DLTensor *to) {
  return guard([&] {
    const View source = inspect(from, /*dense=*/false, Place::Anywhere),
               target = inspect(to, /*dense=*/false, Place::Anywhere);
    if (source.dtype != target.dtype)
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "cannot copy " + std::string(heddle_dtype_name(source.dtype)) +
                        " elements to a tensor of " + heddle_dtype_name(target.dtype),
                    "convert them with heddle_tensor_cast");
    if (!std::equal(source.shape.begin(), source.shape.end(), target.shape.begin(), target.shape.end()))
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "cannot copy shape " + shapeText(source.shape) + " to shape " + shapeText(target.shape));
    if (!source.strides && !target.strides) {
      cuda::copyBetween(target.device, target.data, source.device, source.data, source.bytes);
      return;
    }
    if (!isHost(target.device) && target.strides)
      throw Failure(HEDDLE_UNSUPPORTED,
                    "cannot copy into a view on " + deviceText(target.device) + " that is not row-major");
    if (!isHost(source.device) || !isHost(target.device)) {
      OwnedTensor dense = copyTo(source, target.device);
      if (heddle_status_t status = heddle_tensor_copy(&dense->dl_tensor, to); status != HEDDLE_OK)
        throw Failure(status, heddle_last_error());
      return;
    }
    const Strides dense = denseStrides(source.shape);
    copyStrided(source.elementSize, source.data, source.strides ? source.strides : dense.data(), target.data,
                target.strides ? target.strides : dense.data(), source.shape);
  });
}
