// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// What the host code of a compiled entry calls: launches, copies, fills and products, which are put on a
// stream, captured, or compared with a captured call; and in which order they happen.

#include "cuda/Function.h"

#include <algorithm>
#include <array>

using namespace heddle::runtime;
using namespace heddle::runtime::cuda;

namespace {

CUdeviceptr address(const void *pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

/// Runs `body` with the state of the call unless it has failed; what is thrown becomes its failure.
template <typename Body>
void within(heddle_call_t *call, Body &&body) noexcept {
  if (!call || call->status != HEDDLE_OK)
    return;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the field is an integer
  const heddle_status_t status = guard([&] { body(*reinterpret_cast<CallState *>(call->reserved)); });
  if (status != HEDDLE_OK)
    heddle_fail(call, status, heddle_last_error());
}

/// The node that was captured last, on the current stream.
CUgraphNode lastNode(const CallState &state) {
  const Driver &driver = state.function.device.driver;
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  const CUgraphNode *nodes = nullptr;
  size_t count = 0;
  driver.require(driver.cuStreamGetCaptureInfo_v2(state.stream(), &status, nullptr, nullptr, &nodes, &count),
                 "capture a call");
  return count == 1 ? nodes[0] : nullptr;
}

/// Does one step as the mode says. `state.bytes` are its arguments; `enqueue` puts it on a stream, `update`
/// gives the node of a captured step the new arguments, or says that it cannot.
template <typename Enqueue, typename Update>
void perform(CallState &state, const Step &step, Enqueue &&enqueue, Update &&update) {
  const size_t at = state.asked++;
  if (!step.onlyOrders())
    ++state.steps;
  if (state.timeline) {
    state.timeline->begin(step, state.stream());
    enqueue();
    return state.timeline->end(state.stream());
  }
  switch (state.mode) {
  case CallState::Mode::Direct:
    return enqueue();
  case CallState::Mode::Capture:
    enqueue();
    return state.recording.add(step, step.kind == Step::Kind::Launch ? lastNode(state) : nullptr,
                               state.bytes);
  case CallState::Mode::Patch:
    Recording &known = state.graph->recording;
    if (state.differs || at >= known.size() || !(known.step(at) == step)) {
      state.differs = true;
    } else if (!known.sameArguments(at, state.bytes)) {
      if (update(known.node(at)))
        known.setArguments(at, state.bytes);
      else
        state.differs = true;
    }
  }
}

constexpr auto cannotUpdate = [](CUgraphNode) { return false; };

template <typename... Values>
void setBytes(CallState &state, Values... values) {
  state.bytes.clear();
  if (state.mode != CallState::Mode::Direct)
    (state.bytes.insert(state.bytes.end(), reinterpret_cast<const char *>(&values),
                        reinterpret_cast<const char *>(&values) + sizeof values),
     ...);
}

/// Does with the sections of the call what orders its steps.
template <typename Body>
void order(heddle_call_t *call, Step::Kind kind, int32_t section, Body &&body) noexcept {
  within(call, [&](CallState &state) {
    // A profile times steps one after the other.
    if (state.timeline)
      return;
    body(state.sections);
    state.bytes.clear();
    perform(state, Step{kind, section}, [] {}, cannotUpdate);
  });
}

/// The number of an entry in a list of the program; generated code that names no such entry is a defect.
template <typename List>
auto &numbered(List &list, int32_t number, const char *what) {
  if (number < 0 || static_cast<size_t>(number) >= list.size())
    throw Failure(HEDDLE_INTERNAL, "the program has no " + std::string(what) + " " + std::to_string(number));
  return list[static_cast<size_t>(number)];
}

} // namespace

void heddle_cuda_launch(heddle_call_t *call, int32_t kernel, int64_t gridX, int64_t gridY, int64_t gridZ,
                        int32_t block, int32_t shared, void **arguments) {
  within(call, [&](CallState &state) {
    Function &function = state.function;
    const Kernel &target = numbered(function.kernels, kernel, "kernel");
    if (gridX <= 0 || gridY <= 0 || gridZ <= 0)
      return;
    if (gridX > INT32_MAX || gridY > 65535 || gridZ > 65535)
      throw Failure(HEDDLE_UNSUPPORTED, "kernel '" + target.name + "' would need a grid of " +
                                            std::to_string(gridX) + " x " + std::to_string(gridY) + " x " +
                                            std::to_string(gridZ) +
                                            " blocks, which is more than a GPU takes");
    const Step step{Step::Kind::Launch,           kernel,
                    static_cast<unsigned>(gridX), static_cast<unsigned>(gridY),
                    static_cast<unsigned>(gridZ), static_cast<unsigned>(block),
                    static_cast<unsigned>(shared)};
    state.bytes.clear();
    if (state.mode != CallState::Mode::Direct)
      for (size_t i = 0; i < target.argumentBytes.size(); ++i) {
        const char *from = static_cast<const char *>(arguments[i]);
        state.bytes.insert(state.bytes.end(), from, from + target.argumentBytes[i]);
      }
    // The error record follows the arguments of a kernel that can fail.
    std::array<void *, 32> few;
    std::vector<void *> many;
    void **all = arguments;
    void *record = function.errorRecord;
    if (target.canFail) {
      const size_t count = target.argumentBytes.size();
      if (count >= few.size())
        many.resize(count + 1);
      all = count < few.size() ? few.data() : many.data();
      std::copy_n(arguments, count, all);
      all[count] = static_cast<void *>(&record);
    }
    const Driver &driver = function.device.driver;
    auto require = [&](CUresult result) {
      if (result != CUDA_SUCCESS) [[unlikely]]
        throw driver.failure(result, "launch kernel '" + target.name + "'");
    };
    perform(
        state, step,
        [&] {
          require(driver.cuLaunchKernel(target.handle, step.gridX, step.gridY, step.gridZ, step.block, 1, 1,
                                        step.sharedBytes, state.stream(), all, nullptr));
        },
        [&](CUgraphNode node) {
          if (!node)
            return false;
          const CUDA_KERNEL_NODE_PARAMS parameters{target.handle, step.gridX, step.gridY, step.gridZ,
                                                   step.block,    1,          1,          step.sharedBytes,
                                                   all,           nullptr,    nullptr,    nullptr};
          return driver.cuGraphExecKernelNodeSetParams_v2(state.graph->executable(), node, &parameters) ==
                 CUDA_SUCCESS;
        });
  });
}

void heddle_cuda_copy(heddle_call_t *call, void *to, const void *from, int64_t bytes) {
  within(call, [&](CallState &state) {
    if (bytes <= 0)
      return;
    const Driver &driver = state.function.device.driver;
    setBytes(state, to, from, bytes);
    perform(
        state, Step{Step::Kind::Copy},
        [&] {
          driver.require(driver.cuMemcpyDtoDAsync_v2(address(to), address(from), static_cast<size_t>(bytes),
                                                     state.stream()),
                         "copy on the GPU");
        },
        cannotUpdate);
  });
}

void heddle_cuda_fill(heddle_call_t *call, void *to, int32_t word, int64_t words) {
  within(call, [&](CallState &state) {
    if (words <= 0)
      return;
    const Driver &driver = state.function.device.driver;
    setBytes(state, to, words, word);
    perform(
        state, Step{Step::Kind::Fill},
        [&] {
          driver.require(driver.cuMemsetD32Async(address(to), static_cast<unsigned>(word),
                                                 static_cast<size_t>(words), state.stream()),
                         "fill memory of the GPU");
        },
        cannotUpdate);
  });
}

void heddle_cuda_read(heddle_call_t *call, void *host, const void *device, int64_t bytes) {
  within(call, [&](CallState &state) {
    Function &function = state.function;
    const Driver &driver = function.device.driver;
    if (state.mode != CallState::Mode::Direct)
      throw Failure(HEDDLE_INTERNAL, "a call that reads from the GPU was captured");
    auto read = [&](void *to, const void *from, size_t size) {
      driver.require(driver.cuMemcpyDtoHAsync_v2(to, address(from), size, state.stream()),
                     "copy from the GPU");
    };
    // The error record is complete once all kernels before are done.
    state.sections.gather();
    if (state.timeline)
      state.timeline->begin({Step::Kind::Read}, state.stream());
    heddle_cuda_error_t record{};
    if (function.errorRecord)
      read(&record, function.errorRecord, sizeof record);
    if (bytes > 0)
      read(host, device, static_cast<size_t>(bytes));
    if (state.timeline)
      state.timeline->end(state.stream());
    driver.require(driver.cuStreamSynchronize(state.stream()), "run kernels on the GPU");
    // The host is not to decide on what a kernel that failed left behind.
    function.check(record);
  });
}

void heddle_cuda_matmul(heddle_call_t *call, int32_t product, const void *a, const void *b, const void *c,
                        const void *bias, void *out, void *workspace) {
  within(call, [&](CallState &state) {
    const std::unique_ptr<Product> &target = numbered(state.function.products, product, "product");
    setBytes(state, a, b, c, bias, out, workspace);
    perform(
        state, Step{Step::Kind::Product, product},
        [&] { target->enqueue({a, b, c, bias, out, workspace}, state.stream()); }, cannotUpdate);
  });
}

void heddle_cuda_aside(heddle_call_t *call) {
  order(call, Step::Kind::Aside, 0, [](Sections &sections) { sections.begin(); });
}

void heddle_cuda_return(heddle_call_t *call, int32_t section) {
  order(call, Step::Kind::Return, section, [=](Sections &sections) { sections.end(section); });
}

void heddle_cuda_join(heddle_call_t *call, int32_t section) {
  order(call, Step::Kind::Join, section, [=](Sections &sections) { sections.join(section); });
}
