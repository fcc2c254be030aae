//===- Array.h - The values of the interpreter ------------------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_INTERPRETER_ARRAY_H
#define HEDDLE_COMPILER_INTERPRETER_ARRAY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace heddle::interp {

/// The element types of the language. The numbers are those of the runtime's `heddle_dtype_t`.
enum class Element : uint8_t { f64, f32, bf16, f16, i64, i32, i8, boolean };

inline bool isFloat(Element element) { return element <= Element::f16; }

/// The name in the language: `f32`, `bool`.
llvm::StringRef elementName(Element element);

/// Bytes of one element in a buffer; bool takes one.
int64_t elementBytes(Element element);

/// The nearest value of a floating-point type, ties to even; NaN and infinities stay.
double roundTo(Element element, double value);

/// The value modulo 2^bits of an integer type; for bool the lowest bit.
int64_t wrapTo(Element element, int64_t value);

/// The nearest value of a floating-point type to an integer, rounded once.
double realFromInteger(Element element, int64_t value);

/// Cut toward zero, out-of-range values to the nearest end, NaN to 0. For bool: whether it is not 0.
int64_t integerFromReal(Element element, double value);

using Shape = llvm::SmallVector<int64_t, 6>;

/// The product of the extents, or -1 where it does not fit 63 bits.
int64_t elementCount(llvm::ArrayRef<int64_t> shape);

/// Row-major strides in elements.
Shape rowMajorStrides(llvm::ArrayRef<int64_t> shape);

/// One element: `real` in arrays of a floating-point type, else `integer` (0 or 1 in arrays of bool).
union Cell {
  double real;
  int64_t integer;
};

/// A row-major array. Elements are always values of the element type, held in 64 bits: f32 ones as doubles
/// that an f32 can represent. Copies share their elements until one is changed.
class Array {
public:
  /// A scalar f64 0.
  Array() : Array(Element::f64, {}) {}

  /// Zeros. The number of elements must be representable (`elementCount`) and is up to the caller to bound.
  Array(Element element, llvm::ArrayRef<int64_t> shape);

  /// A scalar, rounded or wrapped to the element type.
  static Array scalar(Element element, double value);

  /// Copies contiguous row-major elements; bool is one byte, any but 0 is true.
  static Array fromBuffer(Element element, llvm::ArrayRef<int64_t> shape, const void *data);

  /// Writes `count() * elementBytes(element())` bytes, row-major; bool as 0 or 1.
  void toBuffer(void *out) const;

  /// The same values in another type, by the rules of `heddle.cast`.
  Array cast(Element element) const;

  /// The same elements under another shape of the same count.
  Array reshaped(llvm::ArrayRef<int64_t> shape) const;

  Element element() const { return type; }
  bool isFloat() const { return interp::isFloat(type); }
  llvm::ArrayRef<int64_t> shape() const { return extents; }
  int64_t rank() const { return static_cast<int64_t>(extents.size()); }
  int64_t extent(int64_t axis) const { return extents[axis]; }
  int64_t count() const { return static_cast<int64_t>(storage->cells.size()); }

  llvm::ArrayRef<Cell> cells() const { return storage->cells; }
  double real(int64_t i) const { return storage->cells[i].real; }
  int64_t integer(int64_t i) const { return storage->cells[i].integer; }

  /// The elements of all arrays of this process, shared ones counted once.
  static int64_t liveElements();

  /// The elements for writing; they are copied first where another array shares them. What is written must be
  /// a value of the element type.
  llvm::MutableArrayRef<Cell> edit();

  /// `f32[2, 3]`.
  std::string typeString() const;

  /// The values nested in brackets, at most `limit` of them.
  std::string str(int64_t limit = 64) const;

private:
  /// Elements that count as live.
  struct Storage {
    std::vector<Cell> cells;
    explicit Storage(std::vector<Cell> cells);
    ~Storage();
  };

  Element type;
  Shape extents;
  std::shared_ptr<Storage> storage;
};

} // namespace heddle::interp

#endif // HEDDLE_COMPILER_INTERPRETER_ARRAY_H
