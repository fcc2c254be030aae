// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Conversion between element types.

#include "core/Hot.h"
#include "core/Tensor.h"

#include <heddle/dtype.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace heddle;
using namespace heddle::runtime;

namespace {
/// bool as it is stored; reading other bytes than 0 and 1 as a C++ bool would be undefined.
struct Truth {
  uint8_t byte;
};

template <typename T>
constexpr bool isNarrow = std::is_same_v<T, BF16> || std::is_same_v<T, F16>;

/// A 64-bit integer as a double whose last bit tells that something was cut off, see detail::roundToOdd.
HEDDLE_INLINE double oddDouble(int64_t value) {
  const double nearest = static_cast<double>(value);
  // 2^63 itself is no int64_t; it arises by rounding up, away from zero.
  const bool over = nearest >= 0x1p63;
  if (!over && static_cast<int64_t>(nearest) == value)
    return nearest;
  const bool away =
      over || (value < 0 ? static_cast<int64_t>(nearest) < value : static_cast<int64_t>(nearest) > value);
  const uint64_t bits = std::bit_cast<uint64_t>(nearest);
  return std::bit_cast<double>((away ? bits - 1 : bits) | 1u);
}

template <typename To>
HEDDLE_INLINE To saturate(double value) {
  if (value != value)
    return 0;
  constexpr double low = static_cast<double>(std::numeric_limits<To>::min());
  constexpr double beyond = -low; // one more than the largest
  if (value <= low)
    return std::numeric_limits<To>::min();
  if (value >= beyond)
    return std::numeric_limits<To>::max();
  return static_cast<To>(value);
}

template <typename To, typename From>
HEDDLE_INLINE To convert(From value) {
  if constexpr (std::is_same_v<From, Truth>)
    return convert<To>(static_cast<int32_t>(value.byte != 0));
  else if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (isNarrow<From>)
    return convert<To>(static_cast<float>(value));
  else if constexpr (std::is_same_v<To, Truth>)
    return Truth{static_cast<uint8_t>(value != 0)};
  else if constexpr (isNarrow<To> && std::is_same_v<From, int64_t>)
    return To(oddDouble(value));
  else if constexpr (isNarrow<To> && std::is_integral_v<From>)
    return To(static_cast<double>(value));
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>)
    return saturate<To>(static_cast<double>(value));
  else
    return static_cast<To>(value);
}

template <typename To, typename From>
void castLoop(const void *from, void *to, int64_t count) {
  const auto *source = static_cast<const From *>(from);
  auto *target = static_cast<To *>(to);
  for (int64_t i = 0; i < count; ++i)
    target[i] = convert<To>(source[i]);
}

// The two conversions of training checkpoints and mixed precision.
HEDDLE_HOT void narrowToBF16(const float *from, BF16 *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i].bits = detail::toBF16(from[i]);
}
HEDDLE_HOT void widenFromBF16(const BF16 *from, float *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = detail::fromBF16(from[i].bits);
}

/// Calls `use` with a null pointer of the stored type.
template <typename Use>
void dispatch(heddle_dtype_t dtype, Use &&use) {
  switch (dtype) {
  case HEDDLE_F64:
    return use(static_cast<double *>(nullptr));
  case HEDDLE_F32:
    return use(static_cast<float *>(nullptr));
  case HEDDLE_BF16:
    return use(static_cast<BF16 *>(nullptr));
  case HEDDLE_F16:
    return use(static_cast<F16 *>(nullptr));
  case HEDDLE_I64:
    return use(static_cast<int64_t *>(nullptr));
  case HEDDLE_I32:
    return use(static_cast<int32_t *>(nullptr));
  case HEDDLE_I8:
    return use(static_cast<int8_t *>(nullptr));
  case HEDDLE_BOOL:
    return use(static_cast<Truth *>(nullptr));
  }
}

void castDense(heddle_dtype_t fromType, const void *from, heddle_dtype_t toType, void *to, int64_t count) {
  if (fromType == HEDDLE_F32 && toType == HEDDLE_BF16)
    return narrowToBF16(static_cast<const float *>(from), static_cast<BF16 *>(to), count);
  if (fromType == HEDDLE_BF16 && toType == HEDDLE_F32)
    return widenFromBF16(static_cast<const BF16 *>(from), static_cast<float *>(to), count);
  dispatch(fromType, [&](auto *source) {
    dispatch(toType, [&](auto *target) {
      castLoop<std::remove_pointer_t<decltype(target)>, std::remove_pointer_t<decltype(source)>>(from, to,
                                                                                                 count);
    });
  });
}
} // namespace

heddle_status_t heddle_tensor_cast(const DLTensor *tensor, heddle_dtype_t dtype, DLManagedTensor **out) {
  return guard([&] {
    requireResult(out);
    OwnedTensor copied;
    const View given = inspect(tensor, /*dense=*/false, Place::Anywhere);
    if (!isHost(given.device) && given.dtype == dtype) {
      *out = copyTo(given, given.device).release();
      return;
    }
    // Elements of a GPU are converted here.
    const View view = onHost(tensor, /*dense=*/false, copied);
    OwnedTensor result = newTensor(dtype, view.shape);
    OwnedTensor gathered;
    const char *source = view.data;
    if (view.strides) {
      // Same type: gather straight into the result. Otherwise through a dense copy.
      if (dtype != view.dtype)
        gathered = newTensor(view.dtype, view.shape);
      char *to = static_cast<char *>((gathered ? gathered : result)->dl_tensor.data);
      gatherStrided(view.data, view.strides, view.shape, view.elementSize, to);
      source = to;
    }
    char *target = static_cast<char *>(result->dl_tensor.data);
    if (dtype != view.dtype)
      castDense(view.dtype, source, dtype, target, view.count);
    else if (source != target && view.bytes > 0)
      std::memcpy(target, source, static_cast<size_t>(view.bytes));
    if (!isHost(given.device))
      result = copyTo(inspect(&result->dl_tensor, /*dense=*/true), given.device);
    *out = result.release();
  });
}
