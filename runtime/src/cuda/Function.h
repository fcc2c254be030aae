// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// A compiled entry on one GPU, and its calls.
#pragma once

#include "cuda/Graph.h"
#include "cuda/Matmul.h"
#include "cuda/Profile.h"
#include "cuda/Sections.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace heddle::runtime::cuda {

struct Kernel {
  std::string name;
  std::vector<int32_t> argumentBytes;
  bool canFail;
  CUfunction handle = nullptr;
};

struct Message {
  std::string text;
  int32_t status;
};

class Function {
public:
  Function(Device &device, const heddle_cuda_program_t &program);
  ~Function();
  Function(const Function &) = delete;
  Function &operator=(const Function &) = delete;

  /// Puts one call on the device's stream. What goes wrong there is thrown, what goes wrong later is in the
  /// report.
  void start(void *const *buffers, const Report &report);

  /// The median of the microseconds that the device takes for a call.
  double measure(void *const *buffers, int calls);

  /// What the steps of a call take, what takes most first. Each of the calls finds what `refills` say.
  /// Adjacent steps of a group are timed together.
  std::vector<StepTimes> profile(void *const *buffers, std::span<const heddle_cuda_refill_t> refills,
                                 std::span<const heddle_cuda_group_t> together, int64_t calls);

  /// What a finished call has to say; throws Failure.
  void check(const heddle_cuda_error_t &record) const;

  Device &device;
  const std::string name;
  std::vector<Kernel> kernels;
  std::vector<Message> messages;
  std::vector<std::unique_ptr<Product>> products;
  heddle_cuda_error_t *errorRecord = nullptr; ///< on the device; null where no kernel can fail

private:
  void load(const heddle_cuda_program_t &program);
  void enqueue(std::vector<void *> addresses);
  void runDirectly(std::vector<void *> &addresses);
  /// With a timeline, steps and events, and no recording.
  void capture(Graph &graph, std::vector<void *> &addresses, Timeline *timeline = nullptr);
  /// Whether only arguments of kernels differed.
  bool patch(Graph &graph, std::vector<void *> &addresses);
  void run(struct CallState &state, std::vector<void *> &addresses);
  void unload() noexcept;
  /// Of the buffers of a call and the working memory.
  std::vector<void *> addressesOf(void *const *buffers);
  /// Clears the record of failures, lets `enqueue` put a call on the device's stream, and copies the record
  /// after it to `into`.
  template <typename Enqueue>
  void withRecord(heddle_cuda_error_t *into, Enqueue &&enqueue) {
    const Driver &driver = device.driver;
    const auto record = reinterpret_cast<CUdeviceptr>(errorRecord);
    if (errorRecord)
      driver.require(driver.cuMemsetD8Async(record, 0, sizeof *errorRecord, device.stream), "start a call");
    enqueue();
    if (errorRecord)
      driver.require(driver.cuMemcpyDtoHAsync_v2(into, record, sizeof *errorRecord, device.stream),
                     "start a call");
  }
  /// As profiles call a step that belongs to no group.
  std::string nameOf(const Step &step) const;

  int32_t (*const entry)(heddle_call_t *, void **);
  const size_t bufferCount;
  const int64_t arenaBytes;
  const bool canBeCaptured; ///< as the program says
  bool capturable;          ///< and worth it, as far as is known

  CUmodule module = nullptr;
  int64_t calls = 0;
  std::vector<std::unique_ptr<Graph>> graphs;
};

/// What heddle_call_t.reserved points to while an entry runs.
struct CallState {
  enum class Mode { Direct, Capture, Patch };

  CallState(Function &function, Mode mode, Graph *graph = nullptr);
  CUstream stream() const { return sections.stream(); }

  Function &function;
  const Mode mode;
  Graph *const graph; ///< that is patched
  Sections sections;
  Timeline *timeline = nullptr; ///< of a profile, in which all steps are on one stream
  Recording recording;          ///< of a capture
  size_t asked = 0;             ///< entries of a recording so far
  size_t steps = 0;             ///< those among them that do something
  bool differs = false;         ///< a step cannot be patched
  std::vector<char> bytes;      ///< of the arguments of a step
};

} // namespace heddle::runtime::cuda

struct heddle_cuda_function {
  std::shared_ptr<heddle::runtime::cuda::Function> function;
};
