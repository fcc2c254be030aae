// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The table of element types.

#include "core/Tensor.h"

#include <cstring>

using namespace heddle::runtime;

namespace {
struct Entry {
  const char *name;
  uint8_t bytes;
  uint8_t dlpackCode;
};
constexpr Entry table[HEDDLE_DTYPE_COUNT] = {
    {"f64", 8, kDLFloat}, {"f32", 4, kDLFloat}, {"bf16", 2, kDLBfloat}, {"f16", 2, kDLFloat},
    {"i64", 8, kDLInt},   {"i32", 4, kDLInt},   {"i8", 1, kDLInt},      {"bool", 1, HEDDLE_DLPACK_BOOL},
};
const Entry *lookup(heddle_dtype_t dtype) {
  const auto index = static_cast<unsigned>(dtype);
  return index < HEDDLE_DTYPE_COUNT ? &table[index] : nullptr;
}
} // namespace

int64_t heddle_dtype_size(heddle_dtype_t dtype) {
  const Entry *entry = lookup(dtype);
  return entry ? entry->bytes : 0;
}

const char *heddle_dtype_name(heddle_dtype_t dtype) {
  const Entry *entry = lookup(dtype);
  return entry ? entry->name : "?";
}

heddle_status_t heddle_dtype_from_name(const char *name, heddle_dtype_t *out) {
  return guard([&] {
    requirePointer(name, "the name");
    requireResult(out);
    for (int i = 0; i < HEDDLE_DTYPE_COUNT; ++i)
      if (std::strcmp(table[i].name, name) == 0) {
        *out = static_cast<heddle_dtype_t>(i);
        return;
      }
    throw Failure(HEDDLE_INVALID_ARGUMENT, "'" + std::string(name) + "' is no element type",
                  "the types are f64, f32, bf16, f16, i64, i32, i8 and bool");
  });
}

DLDataType heddle_dtype_to_dlpack(heddle_dtype_t dtype) {
  const Entry *entry = lookup(dtype);
  if (!entry)
    return DLDataType{0, 0, 0};
  return DLDataType{entry->dlpackCode, static_cast<uint8_t>(entry->bytes * 8), 1};
}

heddle_status_t heddle_dtype_from_dlpack(DLDataType type, heddle_dtype_t *out) {
  return guard([&] {
    requireResult(out);
    if (type.lanes == 1)
      for (int i = 0; i < HEDDLE_DTYPE_COUNT; ++i)
        if (table[i].dlpackCode == type.code && table[i].bytes * 8 == type.bits) {
          *out = static_cast<heddle_dtype_t>(i);
          return;
        }
    if (type.code == kDLUInt && type.bits == 1 && type.lanes == 1) {
      *out = HEDDLE_BOOL;
      return;
    }
    throw Failure(HEDDLE_UNSUPPORTED, "Heddle has no element type " + typeText(type),
                  "the types are f64, f32, bf16, f16, i64, i32, i8 and bool: convert the tensor before "
                  "handing it over");
  });
}

std::string heddle::runtime::typeText(DLDataType type) {
  std::string text;
  switch (type.code) {
  case kDLInt:
    text = "i";
    break;
  case kDLUInt:
    text = "u";
    break;
  case kDLFloat:
    text = "f";
    break;
  case kDLBfloat:
    text = "bf";
    break;
  case 5: // complex, absent from the older headers
    text = "complex";
    break;
  case HEDDLE_DLPACK_BOOL:
    text = "bool";
    break;
  default:
    text = "code" + std::to_string(type.code) + "_";
  }
  text += std::to_string(type.bits);
  if (type.lanes != 1)
    text += "x" + std::to_string(type.lanes);
  return text;
}
