//===- Array.cpp - The values of the interpreter --------------------------===//

#include "compiler/interpreter/Array.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <atomic>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

using namespace heddle::interp;

llvm::StringRef heddle::interp::elementName(Element element) {
  static constexpr const char *names[] = {"f64", "f32", "bf16", "f16", "i64", "i32", "i8", "bool"};
  return names[static_cast<int>(element)];
}

int64_t heddle::interp::elementBytes(Element element) {
  static constexpr int64_t bytes[] = {8, 4, 2, 2, 8, 4, 1, 1};
  return bytes[static_cast<int>(element)];
}

//===----------------------------------------------------------------------===//
// Numbers of each type
//===----------------------------------------------------------------------===//

/// Rounds to `precision` significant bits with the least normal exponent `minExponent`; above `largest` is
/// infinity.
static double roundToBits(double value, int precision, int minExponent, double largest) {
  if (value == 0 || !std::isfinite(value))
    return value;
  int quantum = std::max(std::ilogb(value), minExponent) - (precision - 1);
  double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -quantum)), quantum);
  return std::fabs(rounded) > largest ? std::copysign(std::numeric_limits<double>::infinity(), value)
                                      : rounded;
}

double heddle::interp::roundTo(Element element, double value) {
  switch (element) {
  case Element::f32:
    return static_cast<float>(value);
  case Element::bf16:
    return roundToBits(value, 8, -126, 0x1.FEp127);
  case Element::f16:
    return roundToBits(value, 11, -14, 65504.0);
  default:
    return value;
  }
}

int64_t heddle::interp::wrapTo(Element element, int64_t value) {
  switch (element) {
  case Element::i32:
    return static_cast<int32_t>(value);
  case Element::i8:
    return static_cast<int8_t>(value);
  case Element::boolean:
    return value & 1;
  default:
    return value;
  }
}

double heddle::interp::realFromInteger(Element element, int64_t value) {
  if (element == Element::f32)
    return static_cast<float>(value);
  if (element == Element::f64)
    return static_cast<double>(value);
  // A double holds 53 bits: fold the bits below into the last one, which cannot change a rounding to 11 bits
  // or fewer.
  uint64_t magnitude = value < 0 ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  if (magnitude >> 53)
    magnitude = ((magnitude >> 11) | ((magnitude & 0x7ff) != 0)) << 11;
  double real = static_cast<double>(magnitude);
  return roundTo(element, value < 0 ? -real : real);
}

int64_t heddle::interp::integerFromReal(Element element, double value) {
  if (element == Element::boolean)
    return value != 0;
  if (std::isnan(value))
    return 0;
  int bits = static_cast<int>(8 * elementBytes(element));
  int64_t most = static_cast<int64_t>(~uint64_t(0) >> (65 - bits));
  double bound = std::ldexp(1.0, bits - 1);
  if (value >= bound)
    return most;
  if (value <= -bound)
    return -most - 1;
  return static_cast<int64_t>(value);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

int64_t heddle::interp::elementCount(llvm::ArrayRef<int64_t> shape) {
  if (llvm::is_contained(shape, 0))
    return 0;
  int64_t count = 1;
  for (int64_t extent : shape)
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count))
      return -1;
  return count;
}

Shape heddle::interp::rowMajorStrides(llvm::ArrayRef<int64_t> shape) {
  Shape strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;)
    strides[d - 1] = strides[d] * shape[d];
  return strides;
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

static std::atomic<int64_t> live = 0;

Array::Storage::Storage(std::vector<Cell> elements) : cells(std::move(elements)) {
  live += static_cast<int64_t>(cells.size());
}

Array::Storage::~Storage() { live -= static_cast<int64_t>(cells.size()); }

int64_t Array::liveElements() { return live; }

Array::Array(Element element, llvm::ArrayRef<int64_t> shape) : type(element), extents(shape) {
  int64_t count = elementCount(shape);
  assert(count >= 0 && "the shape does not fit the address space");
  // All bits zero is both 0.0 and the integer 0.
  storage = std::make_shared<Storage>(std::vector<Cell>(count, Cell{.integer = 0}));
}

Array Array::scalar(Element element, double value) {
  Array result(element, {});
  if (result.isFloat())
    result.edit()[0].real = roundTo(element, value);
  else
    result.edit()[0].integer = integerFromReal(element, value);
  return result;
}

llvm::MutableArrayRef<Cell> Array::edit() {
  if (storage.use_count() > 1)
    storage = std::make_shared<Storage>(storage->cells);
  return storage->cells;
}

Array Array::reshaped(llvm::ArrayRef<int64_t> shape) const {
  assert(elementCount(shape) == count() && "a reshape keeps the number of elements");
  Array result = *this;
  result.extents.assign(shape.begin(), shape.end());
  return result;
}

Array Array::cast(Element to) const {
  if (to == type)
    return *this;
  Array result(to, extents);
  llvm::MutableArrayRef<Cell> out = result.edit();
  for (int64_t i = 0, n = count(); i < n; ++i) {
    if (isFloat() && result.isFloat())
      out[i].real = roundTo(to, real(i));
    else if (isFloat())
      out[i].integer = integerFromReal(to, real(i));
    else if (result.isFloat())
      out[i].real = realFromInteger(to, integer(i));
    else
      out[i].integer = to == Element::boolean ? integer(i) != 0 : wrapTo(to, integer(i));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

template <typename T>
static T load(const void *data, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char *>(data) + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
static void store(void *data, int64_t i, T value) {
  std::memcpy(static_cast<char *>(data) + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

static double realFromF16(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double magnitude = exponent == 0    ? std::ldexp(fraction, -24)
                     : exponent == 31 ? (fraction ? std::numeric_limits<double>::quiet_NaN()
                                                  : std::numeric_limits<double>::infinity())
                                      : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

/// The bits of a double that is an f16 value.
static uint16_t f16FromReal(double value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double magnitude = std::fabs(value);
  if (std::isnan(value))
    return sign | 0x7e00;
  if (std::isinf(value))
    return sign | 0x7c00;
  if (magnitude < 0x1p-14)
    return sign | static_cast<uint16_t>(std::ldexp(magnitude, 24));
  int exponent = std::ilogb(magnitude);
  return sign | static_cast<uint16_t>(((exponent + 15) << 10) +
                                      (static_cast<int>(std::ldexp(magnitude, 10 - exponent)) & 1023));
}

/// The bits of a double that is a bf16 value. A NaN keeps a set fraction bit.
static uint16_t bf16FromReal(double value) {
  if (std::isnan(value))
    return std::signbit(value) ? 0xffc0 : 0x7fc0;
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(value)) >> 16);
}

Array Array::fromBuffer(Element element, llvm::ArrayRef<int64_t> shape, const void *data) {
  Array result(element, shape);
  llvm::MutableArrayRef<Cell> out = result.edit();
  for (int64_t i = 0, n = result.count(); i < n; ++i) {
    switch (element) {
    case Element::f64:
      out[i].real = load<double>(data, i);
      break;
    case Element::f32:
      out[i].real = load<float>(data, i);
      break;
    case Element::bf16:
      out[i].real = std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(data, i)) << 16);
      break;
    case Element::f16:
      out[i].real = realFromF16(load<uint16_t>(data, i));
      break;
    case Element::i64:
      out[i].integer = load<int64_t>(data, i);
      break;
    case Element::i32:
      out[i].integer = load<int32_t>(data, i);
      break;
    case Element::i8:
      out[i].integer = load<int8_t>(data, i);
      break;
    case Element::boolean:
      out[i].integer = load<uint8_t>(data, i) != 0;
      break;
    }
  }
  return result;
}

void Array::toBuffer(void *data) const {
  for (int64_t i = 0, n = count(); i < n; ++i) {
    switch (type) {
    case Element::f64:
      store(data, i, real(i));
      break;
    case Element::f32:
      store(data, i, static_cast<float>(real(i)));
      break;
    case Element::bf16:
      store(data, i, bf16FromReal(real(i)));
      break;
    case Element::f16:
      store(data, i, f16FromReal(real(i)));
      break;
    case Element::i64:
      store(data, i, integer(i));
      break;
    case Element::i32:
      store(data, i, static_cast<int32_t>(integer(i)));
      break;
    case Element::i8:
      store(data, i, static_cast<int8_t>(integer(i)));
      break;
    case Element::boolean:
      store(data, i, static_cast<uint8_t>(integer(i)));
      break;
    }
  }
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

std::string Array::typeString() const {
  std::string text = elementName(type).str();
  if (extents.empty())
    return text;
  text += '[';
  for (size_t d = 0; d < extents.size(); ++d)
    text += (d ? ", " : "") + std::to_string(extents[d]);
  return text + ']';
}

static void printCell(llvm::raw_ostream &os, const Array &array, int64_t i) {
  if (array.element() == Element::boolean)
    os << (array.integer(i) ? "true" : "false");
  else if (array.isFloat())
    os << llvm::format(array.element() == Element::f64 ? "%.17g" : "%.9g", array.real(i));
  else
    os << array.integer(i);
}

static void printAxis(llvm::raw_ostream &os, const Array &array, int64_t axis, int64_t offset,
                      int64_t &left) {
  if (axis == array.rank()) {
    printCell(os, array, offset);
    --left;
    return;
  }
  int64_t stride = rowMajorStrides(array.shape())[axis];
  os << '[';
  for (int64_t i = 0; i < array.extent(axis); ++i) {
    if (i)
      os << ", ";
    if (left <= 0) {
      os << "...";
      break;
    }
    printAxis(os, array, axis + 1, offset + i * stride, left);
  }
  os << ']';
}

std::string Array::str(int64_t limit) const {
  std::string text;
  llvm::raw_string_ostream os(text);
  printAxis(os, *this, 0, 0, limit);
  return text;
}
