//===- DeviceCost.cpp - What a function launches on a GPU -----------------===//

#include "compiler/jit/DeviceCost.h"

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace heddle::jit {

static Launch describe(ir::LaunchDeviceOp op, ModuleOp module) {
  Launch launch;
  launch.kernel = op.getKernel().getLeafReference().str();
  auto extent = [](Value blocks) { return getConstantIntValue(blocks).value_or(0); };
  launch.grid = {extent(op.getX()), extent(op.getY()), extent(op.getZ())};
  launch.block = op.getBlock();
  launch.sharedBytes = op.getShared();
  Operation *kernel = SymbolTable::lookupSymbolIn(module, op.getKernel());
  launch.operations = kernel->getAttrOfType<StringAttr>("heddle.operations").str();
  launch.bytes = kernel->getAttrOfType<IntegerAttr>("heddle.bytes").getInt();
  if (auto plan = kernel->getAttrOfType<StringAttr>("heddle.plan")) {
    launch.plan = plan.str();
    launch.measured = kernel->getAttrOfType<BoolAttr>("heddle.measured").getValue();
  }
  return launch;
}

static Launch describe(ir::RuntimeCallOp call, ArrayAttr products) {
  auto product = cast<DictionaryAttr>(products[*getConstantIntValue(call->getOperand(1))]);
  auto field = [&](StringRef name) { return product.getAs<IntegerAttr>(name).getInt(); };
  const int64_t m = field("m"), n = field("n"), k = field("k"), batch = field("batch");
  Launch launch;
  launch.kernel = "cuBLASLt";
  launch.operations = "matmul " + std::to_string(batch) + "x" + std::to_string(m) + "x" + std::to_string(n) +
                      " over " + std::to_string(k);
  for (unsigned matrix : {2, 3, 6}) // behind the call and the number
    if (auto type = dyn_cast<MemRefType>(call->getOperand(matrix).getType()))
      launch.bytes += type.getNumElements() * type.getElementTypeBitWidth() / 8;
  return launch;
}

static void visit(Block &block, int64_t times, ArrayAttr products, std::vector<Launch> &launches) {
  auto add = [&](Launch launch) {
    launch.times = times;
    launches.push_back(std::move(launch));
  };
  for (Operation &op : block) {
    if (auto launch = dyn_cast<ir::LaunchDeviceOp>(op))
      add(describe(launch, op.getParentOfType<ModuleOp>()));
    else if (auto call = dyn_cast<ir::RuntimeCallOp>(op); call && call.getCallee() == "heddle_cuda_matmul")
      add(describe(call, products));
    int64_t trips = 1;
    if (auto loop = dyn_cast<scf::ForOp>(op))
      if (auto count = loop.getStaticTripCount())
        trips = count->getSExtValue();
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        visit(inner, times * trips, products, launches);
  }
}

std::vector<Launch> countLaunches(ModuleOp lowered, const std::string &entry) {
  std::vector<Launch> launches;
  auto function = lowered.lookupSymbol<func::FuncOp>(entry);
  visit(function.front(), 1, function->getAttrOfType<ArrayAttr>("heddle.products"), launches);
  return launches;
}

double occupancy(const Launch &launch, const gpu::KernelResources &resources, const gpu::Chip &chip) {
  // Registers are handed out to warps in pieces of 256, and the system takes 1 KiB of shared memory a block.
  constexpr int64_t mostThreads = 2048, mostBlocks = 32, registers = 65536, warp = 32;
  const int64_t warps = (launch.block + warp - 1) / warp;
  const int64_t registersOfWarp = (resources.registers * warp + 255) / 256 * 256;
  int64_t blocks = std::min(mostBlocks, mostThreads / (warps * warp));
  if (registersOfWarp)
    blocks = std::min(blocks, registers / (registersOfWarp * warps));
  blocks = std::min(blocks, chip.sharedBytes() / (launch.sharedBytes + 1024));
  return double(blocks * warps * warp) / mostThreads;
}

} // namespace heddle::jit
