//===- WarpgroupCode.cpp - Products of warpgroups and their pipelines -----===//
//
// The dialect's operations for products have no operand A in registers, and its wait orders nothing, so both
// are assembly. `heddle.emulated` says which function of the emulated device (EmulatedDevice.h) does the
// same.

#include "compiler/conversion/GPU/WarpgroupCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace heddle::gpu;
namespace heddle_gpu = heddle::gpu;

//===----------------------------------------------------------------------===//
// Addresses and barriers
//===----------------------------------------------------------------------===//

Scalar heddle_gpu::sharedAddress(KernelCode &k, Pointer pointer) {
  return k.wrap(LLVM::PtrToIntOp::create(k.b, k.i32Type(), pointer.base));
}
Pointer heddle_gpu::atShared(KernelCode &k, Scalar address, Type element) {
  Type shared = LLVM::LLVMPointerType::get(k.b.getContext(), 3);
  return {&k, LLVM::IntToPtrOp::create(k.b, shared, address.value), element};
}
static Value pointerTo(KernelCode &k, Scalar address) { return atShared(k, address, k.b.getI8Type()).base; }
Scalar heddle_gpu::panelOffset(Scalar row, Scalar piece) {
  return row * panelRowBytes + ((piece ^ (row & 7)) << 4);
}

void heddle_gpu::initialiseBarrier(KernelCode &k, Scalar barrier, int64_t arrivals) {
  NVVM::MBarrierInitOp::create(k.b, pointerTo(k, barrier), k.i32(arrivals).value, Value());
}
void heddle_gpu::publishBarriers(KernelCode &k) { NVVM::FenceMbarrierInitOp::create(k.b); }
void heddle_gpu::arrive(KernelCode &k, Scalar barrier) {
  NVVM::MBarrierArriveOp::create(k.b, k.i64Type(), pointerTo(k, barrier), Value());
}
void heddle_gpu::arriveAfterCopies(KernelCode &k, Scalar barrier) {
  NVVM::CpAsyncMBarrierArriveOp::create(k.b, pointerTo(k, barrier), /*noinc=*/true);
}
void heddle_gpu::waitForPhase(KernelCode &k, Scalar barrier, Scalar parity) {
  constexpr int64_t nanoseconds = 10'000'000; // of sleep between looks
  NVVM::MBarrierTryWaitParityOp::create(k.b, pointerTo(k, barrier), parity.value, k.i32(nanoseconds).value);
}
void heddle_gpu::showToProducts(KernelCode &k) {
  MLIRContext *context = k.b.getContext();
  NVVM::FenceProxyOp::create(k.b, NVVM::ProxyKindAttr::get(context, NVVM::ProxyKind::async_shared),
                             NVVM::SharedSpaceAttr::get(context, NVVM::SharedSpace::shared_cta));
}

void heddle_gpu::joinBarrier(KernelCode &k, Scalar number, int64_t threads) {
  NVVM::BarrierOp::create(k.b, Type(), number.value, k.i32(threads).value, NVVM::BarrierReductionAttr(),
                          Value());
}
void heddle_gpu::arriveAtBarrier(KernelCode &k, Scalar number, int64_t threads) {
  NVVM::BarrierArriveOp::create(k.b, number.value, k.i32(threads).value);
}
void heddle_gpu::setRegisters(KernelCode &k, int64_t count, bool more) {
  NVVM::SetMaxRegisterOp::create(k.b, static_cast<uint32_t>(count),
                                 more ? NVVM::SetMaxRegisterAction::increase
                                      : NVVM::SetMaxRegisterAction::decrease);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Scalar heddle_gpu::describeMatrix(KernelCode &k, Scalar address, bool across, int64_t panelBytes) {
  const int64_t leading = across ? panelBytes : 16; // from one panel to the next; not used along rows
  return ((address >> 4) & 0x3fff) | ((leading >> 4) << 16);
}
Scalar heddle_gpu::advance(Scalar matrix, int64_t bytes) { return bytes ? matrix + (bytes >> 4) : matrix; }

namespace {

/// Assembly with the constraints of its results and operands; the first operands may be tied to the results.
class Assembly {
public:
  Assembly(KernelCode &k, int64_t results, Type type) : k(k), results(results), type(type) {
    for (int64_t i = 0; i < results; ++i)
      constrain(type.isF32() ? "=f" : "=r");
  }

  void tie(llvm::ArrayRef<Scalar> values) {
    for (size_t i = 0; i < values.size(); ++i)
      add(values[i], std::to_string(i));
  }
  void add(Scalar value, std::string constraint) {
    operands.push_back(value.value);
    constrain(std::move(constraint));
  }
  void add(Scalar value) { add(value, value.type().isF32() ? "f" : value.type().isInteger(64) ? "l" : "r"); }
  /// The number of the next operand.
  int64_t next() const { return results + int64_t(operands.size()); }

  Scalars emit(llvm::StringRef text, llvm::StringRef function, llvm::ArrayRef<int64_t> settings) {
    OpBuilder &b = k.b;
    Type result = results == 1 ? type
                               : LLVM::LLVMStructType::getLiteral(b.getContext(),
                                                                  SmallVector<Type>(size_t(results), type));
    auto op = LLVM::InlineAsmOp::create(k.b, result, operands, text, constraints, /*has_side_effects=*/true,
                                        /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                        LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
                                        ArrayAttr());
    op->setAttr("heddle.emulated", b.getStringAttr(function));
    op->setAttr("heddle.settings", b.getDenseI64ArrayAttr(settings));
    Scalars values;
    if (results == 1)
      return {k.wrap(op.getRes())};
    for (int64_t i = 0; i < results; ++i)
      values.push_back(k.wrap(LLVM::ExtractValueOp::create(k.b, op.getRes(), ArrayRef<int64_t>{i})));
    return values;
  }

private:
  void constrain(std::string constraint) {
    constraints += (constraints.empty() ? "" : ",") + std::move(constraint);
  }

  KernelCode &k;
  const int64_t results;
  const Type type;
  SmallVector<Value> operands;
  std::string constraints;
};

/// {$first,…,$(first + count - 1)}
std::string registers(int64_t first, int64_t count) {
  std::string text = "{";
  for (int64_t i = 0; i < count; ++i)
    text += (i ? ",$" : "$") + std::to_string(first + i);
  return text + "}";
}

/// The whole description: the upper half is the same for all matrices.
Scalar described(KernelCode &k, Scalar matrix) {
  constexpr int64_t swizzle = int64_t(1) << 62, rowsOf8 = 8 * panelRowBytes;
  return k.extendUnsigned(matrix, k.i64Type()) | k.i64((rowsOf8 >> 4) << 32 | swizzle);
}

Sums multiply(KernelCode &k, Type element, const Sums &sums, llvm::ArrayRef<Scalar> a, Scalar b, int64_t n,
              bool across) {
  const bool shared = a.size() == 1;
  Assembly assembly(k, n / 2, k.f32Type());
  assembly.tie(sums);
  const int64_t first = assembly.next();
  for (Scalar word : a)
    assembly.add(word);
  assembly.add(b);
  const std::string name = element.isF16() ? "f16" : "bf16";
  const std::string left = shared ? "$" + std::to_string(first) : registers(first, 4);
  const std::string text = "{ .reg .pred p; setp.ne.b32 p, " + std::to_string(sums.empty() ? 0 : 1) +
                           ", 0; wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) + "k16.f32." + name +
                           "." + name + " " + registers(0, n / 2) + ", " + left + ", $" +
                           std::to_string(first + int64_t(a.size())) + ", p, 1, 1" + (shared ? ", 0" : "") +
                           (across ? ", 1; }" : ", 0; }");
  return assembly.emit(text, "warpgroup_product", {element.isF16(), n, shared, across, !sums.empty()});
}

} // namespace

void heddle_gpu::beginProducts(KernelCode &k) { NVVM::WgmmaFenceAlignedOp::create(k.b); }
void heddle_gpu::endProducts(KernelCode &k) { NVVM::WgmmaGroupSyncAlignedOp::create(k.b); }

Sums heddle_gpu::multiplyShared(KernelCode &k, Type element, const Sums &sums, Scalar a, Scalar b,
                                int64_t n) {
  return multiply(k, element, sums, described(k, a), described(k, b), n, /*across=*/false);
}
Sums heddle_gpu::multiplyRegisters(KernelCode &k, Type element, const Sums &sums, ArrayRef<Scalar> a,
                                   Scalar b, int64_t n) {
  return multiply(k, element, sums, a, described(k, b), n, /*across=*/true);
}

Sums heddle_gpu::waitForProducts(KernelCode &k, int64_t pending, const Sums &sums) {
  Assembly assembly(k, int64_t(sums.size()), k.f32Type());
  assembly.tie(sums);
  return assembly.emit("wgmma.wait_group.sync.aligned " + std::to_string(pending) + ";", "pass", {});
}

Scalar heddle_gpu::computeHere(KernelCode &k, Scalar x) {
  Assembly assembly(k, 1, k.i32Type());
  assembly.tie(x);
  return assembly.emit("", "pass", {}).front();
}

Scalar heddle_gpu::packInPlace(KernelCode &k, Scalar low, Scalar high, Type narrow) {
  Assembly assembly(k, 1, k.i32Type());
  assembly.add(low);
  assembly.add(high);
  const char *text = narrow.isF16() ? "cvt.rn.f16x2.f32 $0, $2, $1;" : "cvt.rn.bf16x2.f32 $0, $2, $1;";
  return assembly.emit(text, "pack_pair", {narrow.isF16()}).front();
}

Scalar heddle_gpu::multiplyAddWithin(KernelCode &k, Scalar x, Scalar y, Scalar sum, Scalar gate) {
  Assembly assembly(k, 1, k.f32Type());
  assembly.tie(sum);
  for (Scalar operand : {x, y, gate})
    assembly.add(operand);
  return assembly
      .emit("{ .reg .pred p; setp.gt.f32 p, $4, 0f00000000; setp.lt.and.f32 p, $4, 0f3F800000, p; "
            "@p fma.rn.f32 $0, $2, $3, $0; }",
            "multiply_add_within", {})
      .front();
}
