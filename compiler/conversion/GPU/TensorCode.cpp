//===- TensorCode.cpp - Tensor cores and copies in the background ---------===//

#include "compiler/conversion/GPU/TensorCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace heddle::gpu;
namespace heddle_gpu = heddle::gpu;

/// `used` bytes are read, the others are zero; all of them where it is null.
static void copy(KernelCode &k, Pointer to, Scalar toAt, Pointer from, Scalar fromAt, int64_t bytes,
                 Value used) {
  // Only copies of 16 bytes may pass by the first cache.
  const auto cache = bytes == 16 ? NVVM::LoadCacheModifierKind::CG : NVVM::LoadCacheModifierKind::CA;
  NVVM::CpAsyncOp::create(k.b, k.offset(to, toAt).base, k.offset(from, fromAt).base,
                          static_cast<uint32_t>(bytes), cache, used);
}
void heddle_gpu::copyInBackground(KernelCode &k, Pointer to, Scalar toAt, Pointer from, Scalar fromAt,
                                  int64_t bytes, Scalar valid) {
  copy(k, to, toAt, from, fromAt, bytes, k.select(valid, k.i32(bytes), k.i32(0)));
}
void heddle_gpu::copyInBackground(KernelCode &k, Pointer to, Scalar toAt, Pointer from, Scalar fromAt,
                                  int64_t bytes) {
  copy(k, to, toAt, from, fromAt, bytes, Value());
}
void heddle_gpu::commitCopies(KernelCode &k) { NVVM::CpAsyncCommitGroupOp::create(k.b); }
void heddle_gpu::prefetchRow(KernelCode &k, Pointer from, Scalar row, int64_t width, int64_t bytes) {
  constexpr int64_t line = 128;
  auto level = NVVM::PrefetchCacheLevelAttr::get(k.b.getContext(), NVVM::PrefetchCacheLevel::L2);
  for (int64_t column = 0; column < width; column += line / bytes)
    NVVM::PrefetchOp::create(k.b, level, NVVM::CacheEvictionPriorityAttr(),
                             k.offset(from, row * width + column).base, Value(), UnitAttr(), UnitAttr(),
                             UnitAttr());
}
void heddle_gpu::waitForCopies(KernelCode &k, int64_t pending) {
  NVVM::CpAsyncWaitGroupOp::create(k.b, static_cast<uint32_t>(pending));
}

std::array<Scalar, 4> heddle_gpu::loadMatrices(KernelCode &k, Pointer row, Scalar at, bool transposed) {
  Type words = LLVM::LLVMStructType::getLiteral(k.b.getContext(), SmallVector<Type>(4, k.i32Type()));
  Value loaded = NVVM::LdMatrixOp::create(
      k.b, words, k.offset(row, at).base, 4u, transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(k.b.getContext(), 8, 8), NVVM::LdStMatrixEltType::B16);
  std::array<Scalar, 4> result;
  for (int64_t i = 0; i < 4; ++i)
    result[size_t(i)] = k.wrap(LLVM::ExtractValueOp::create(k.b, loaded, ArrayRef<int64_t>{i}));
  return result;
}

Scalar heddle_gpu::packPair(KernelCode &k, Scalar low, Scalar high, Type narrow) {
  Value pair = k.vectorOf({low, high});
  Value rounded = arith::TruncFOp::create(k.b, VectorType::get({2}, narrow), pair);
  return k.wrap(LLVM::BitcastOp::create(k.b, k.i32Type(), rounded));
}

Scalar heddle_gpu::roundToTF32(KernelCode &k, Scalar x) {
  return k.wrap(NVVM::ConvertFloatToTF32Op::create(k.b, k.i32Type(), x.value, NVVM::FPRoundingMode::RNA));
}

std::array<Scalar, 4> heddle_gpu::multiplyFragments(KernelCode &k, Type element, std::array<Scalar, 4> a,
                                                    std::array<Scalar, 2> b, std::array<Scalar, 4> c) {
  // f16 operands are pairs, bf16 operands words.
  auto operand = [&](Scalar word) -> Value {
    if (element.isF16())
      return LLVM::BitcastOp::create(k.b, VectorType::get({2}, element), word.value);
    return word.value;
  };
  SmallVector<Value, 4> aValues, bValues, cValues;
  for (Scalar word : a)
    aValues.push_back(operand(word));
  for (Scalar word : b)
    bValues.push_back(operand(word));
  for (Scalar x : c)
    cValues.push_back(x.value);
  const NVVM::MMATypes type = element.isF32()   ? NVVM::MMATypes::tf32
                              : element.isF16() ? NVVM::MMATypes::f16
                                                : NVVM::MMATypes::bf16;
  const int64_t depth = element.isF32() ? 8 : 16;
  Type results = LLVM::LLVMStructType::getLiteral(k.b.getContext(), SmallVector<Type>(4, k.f32Type()));
  Value product =
      NVVM::MmaOp::create(k.b, results, aValues, bValues, cValues, ArrayRef<int64_t>{16, 8, depth},
                          std::nullopt, std::nullopt, std::array<NVVM::MMATypes, 2>{type, type},
                          std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
  std::array<Scalar, 4> result;
  for (int64_t i = 0; i < 4; ++i)
    result[size_t(i)] = k.wrap(LLVM::ExtractValueOp::create(k.b, product, ArrayRef<int64_t>{i}));
  return result;
}
