// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Loading a compiled entry, putting its calls on the stream, and telling how they went.

#include "cuda/Function.h"

#include <algorithm>

using namespace heddle::runtime;
using namespace heddle::runtime::cuda;

namespace {
/// Fewer steps are launched as fast as a graph of them.
constexpr size_t leastSteps = 4;
/// Graphs of one function, each for other addresses of its buffers. Results of a step that feed the next one
/// alternate between two places.
constexpr size_t mostGraphs = 4;
} // namespace

Function::Function(Device &device, const heddle_cuda_program_t &program)
    : device(device), name(program.name ? program.name : ""), entry(program.entry),
      bufferCount(static_cast<size_t>(program.buffer_count)), arenaBytes(program.arena_bytes),
      canBeCaptured(program.can_be_captured != 0), capturable(canBeCaptured) {
  requirePointer(reinterpret_cast<const void *>(program.entry), "the entry");
  requirePointer(program.image, "the image");
  Device::Scope scope(device);
  device.addArenaUser(arenaBytes);
  try {
    load(program);
  } catch (...) {
    unload();
    throw;
  }
}

Function::~Function() {
  // Nobody can be told here what goes wrong; at the end of the process the driver may be gone.
  CUcontext before;
  const bool current = device.driver.cuCtxPushCurrent_v2(device.context) == CUDA_SUCCESS;
  if (current)
    device.driver.cuStreamSynchronize(device.stream);
  unload();
  if (current)
    device.driver.cuCtxPopCurrent_v2(&before);
}

void Function::unload() noexcept {
  graphs.clear();
  products.clear();
  device.release(errorRecord, sizeof *errorRecord);
  if (module)
    device.driver.cuModuleUnload(module);
  device.removeArenaUser(arenaBytes);
}

/// Why the driver does not take the code of `program`.
static Failure imageFailure(const Device &device, CUresult result, const std::string &name, const char *log) {
  const Driver &driver = device.driver;
  const std::string gpu = device.name() + " (" + device.info.name + ", compute capability " +
                          std::to_string(device.info.major) + "." + std::to_string(device.info.minor) + ")";
  switch (result) {
  case CUDA_ERROR_NO_BINARY_FOR_GPU:
    return Failure(HEDDLE_UNSUPPORTED, "'" + name + "' was compiled for another GPU than " + gpu,
                   "compile it for this one");
  case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
    return Failure(HEDDLE_UNSUPPORTED,
                   "the NVIDIA driver, which is for CUDA " + versionText(driver.version) +
                       ", is too old for the code of '" + name + "'",
                   "update the driver");
  case CUDA_ERROR_JIT_COMPILER_NOT_FOUND:
  case CUDA_ERROR_JIT_COMPILATION_DISABLED:
    return Failure(
        HEDDLE_UNSUPPORTED, "cannot load '" + name + "' on " + gpu + ": " + driver.describe(result),
        "the driver compiles PTX with libnvidia-ptxjitcompiler.so.1, which belongs to it: install the "
        "whole driver, and see that CUDA_DISABLE_PTX_JIT is not set");
  case CUDA_ERROR_OUT_OF_MEMORY:
    return driver.failure(result, "load '" + name + "' on " + gpu);
  default:
    return Failure(HEDDLE_INTERNAL, "cannot load '" + name + "' on " + gpu + ": " + driver.describe(result) +
                                        (*log ? "\n" + std::string(log) : ""));
  }
}

void Function::load(const heddle_cuda_program_t &program) {
  const Driver &driver = device.driver;
  char log[4096] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {
      log, reinterpret_cast<void *>(sizeof log)}; // NOLINT(performance-no-int-to-ptr): the driver's way
  if (CUresult result = driver.cuModuleLoadDataEx(&module, program.image, 2, options, values)) {
    log[sizeof log - 1] = '\0';
    throw imageFailure(device, result, name, log);
  }
  bool canFail = false;
  for (int32_t i = 0; i < program.kernel_count; ++i) {
    const heddle_cuda_kernel_t &given = program.kernels[i];
    Kernel kernel{given.name,
                  std::vector<int32_t>(given.argument_bytes, given.argument_bytes + given.arguments),
                  given.can_fail != 0};
    canFail |= kernel.canFail;
    if (CUresult result = driver.cuModuleGetFunction(&kernel.handle, module, given.name))
      throw driver.failure(result, "find kernel '" + kernel.name + "'");
    if (given.shared_bytes > device.info.shared_bytes)
      throw Failure(HEDDLE_UNSUPPORTED, "kernel '" + kernel.name + "' needs " +
                                            std::to_string(given.shared_bytes) +
                                            " bytes of shared memory, but a "
                                            "block on " +
                                            device.name() + " (" + device.info.name + ") can have " +
                                            std::to_string(device.info.shared_bytes));
    constexpr int32_t withoutAsking = 48 << 10;
    if (given.shared_bytes > withoutAsking)
      if (CUresult result = driver.cuFuncSetAttribute(
              kernel.handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, given.shared_bytes))
        throw driver.failure(result, "give kernel '" + kernel.name + "' " +
                                         std::to_string(given.shared_bytes) + " bytes of shared memory");
    kernels.push_back(std::move(kernel));
  }
  for (int32_t i = 0; i < program.message_count; ++i)
    messages.push_back({program.messages[i].text, program.messages[i].status});
  for (int32_t i = 0; i < program.product_count; ++i)
    products.push_back(Product::create(device, program.products[i]));
  if (canFail)
    errorRecord = static_cast<heddle_cuda_error_t *>(device.allocate(sizeof *errorRecord));
}

static Sections sectionsOf(Device &device, CallState::Mode mode) {
  switch (mode) {
  case CallState::Mode::Direct:
    return {device, device.stream, device.asideStream};
  case CallState::Mode::Capture:
    return {device, device.captureStream, device.captureAsideStream};
  case CallState::Mode::Patch:
    break;
  }
  return {device, nullptr, nullptr};
}

CallState::CallState(Function &function, Mode mode, Graph *graph)
    : function(function), mode(mode), graph(graph), sections(sectionsOf(function.device, mode)) {}

void Function::run(CallState &state, std::vector<void *> &addresses) {
  heddle_call_t call;
  heddle_call_init(&call);
  call.reserved = reinterpret_cast<uint64_t>(&state);
  entry(&call, addresses.data());
  try {
    // Memory may be freed behind the call, and a capture ends on one stream, whatever the entry did.
    state.sections.joinAll();
  } catch (const Failure &) {
    if (call.status == HEDDLE_OK)
      throw;
  }
  if (heddle_status_t status = heddle_call_result(&call); status != HEDDLE_OK)
    throw Failure(status, heddle_last_error());
}

void Function::runDirectly(std::vector<void *> &addresses) {
  CallState state(*this, CallState::Mode::Direct);
  run(state, addresses);
  if (state.steps < leastSteps || state.steps > mostSteps)
    capturable = false;
}

void Function::capture(Graph &graph, std::vector<void *> &addresses, Timeline *timeline) {
  const Driver &driver = device.driver;
  driver.require(driver.cuStreamBeginCapture_v2(device.captureStream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                 "capture a call");
  CallState state(*this, CallState::Mode::Capture);
  state.timeline = timeline;
  CUgraph captured = nullptr;
  try {
    run(state, addresses);
    if (timeline)
      timeline->finish(device.captureStream);
  } catch (...) {
    // The stream must not go on capturing.
    if (driver.cuStreamEndCapture(device.captureStream, &captured) == CUDA_SUCCESS && captured)
      driver.cuGraphDestroy(captured);
    throw;
  }
  driver.require(driver.cuStreamEndCapture(device.captureStream, &captured), "capture a call");
  graph.adopt(captured, std::move(state.recording));
  graph.buffers = addresses;
}

bool Function::patch(Graph &graph, std::vector<void *> &addresses) {
  CallState state(*this, CallState::Mode::Patch, &graph);
  // Until it is known that all steps have their new arguments, the graph serves no addresses.
  graph.buffers.clear();
  run(state, addresses);
  if (state.differs || state.asked != graph.recording.size())
    return false;
  graph.buffers = addresses;
  return true;
}

void Function::enqueue(std::vector<void *> addresses) {
  ++calls;
  // The first call also lets the driver and cuBLASLt load what a capture must not.
  if (!capturable || calls == 1)
    return runDirectly(addresses);
  auto found = std::find_if(graphs.begin(), graphs.end(),
                            [&](const std::unique_ptr<Graph> &graph) { return graph->buffers == addresses; });
  if (found == graphs.end()) {
    try {
      if (graphs.size() < mostGraphs) {
        auto graph = std::make_unique<Graph>(device);
        capture(*graph, addresses);
        graphs.push_back(std::move(graph));
        found = std::prev(graphs.end());
      } else {
        found = std::min_element(graphs.begin(), graphs.end(),
                                 [](const auto &a, const auto &b) { return a->lastUse < b->lastUse; });
        if (!patch(**found, addresses))
          capture(**found, addresses);
      }
    } catch (const Failure &) {
      // What cannot be captured can be launched, or says again what is wrong.
      capturable = false;
      graphs.clear();
      return runDirectly(addresses);
    }
  }
  (*found)->lastUse = static_cast<uint64_t>(calls);
  (*found)->launch(device.stream);
}

std::vector<void *> Function::addressesOf(void *const *buffers) {
  std::vector<void *> addresses(buffers, buffers + bufferCount);
  addresses.push_back(device.arena());
  return addresses;
}

void Function::start(void *const *buffers, const Report &report) {
  const Driver &driver = device.driver;
  std::lock_guard ordered(device.ordering);
  Device::Scope scope(device);
  std::vector<void *> addresses = addressesOf(buffers);
  withRecord(report.record, [&] { enqueue(std::move(addresses)); });
  driver.require(driver.cuEventRecord(report.finished, device.stream), "start a call");
}

double Function::measure(void *const *buffers, int calls) {
  constexpr int unmeasured = 3; // a direct one, a capture, and one that finds the device at work
  const Driver &driver = device.driver;
  std::lock_guard ordered(device.ordering);
  Device::Scope scope(device);
  const std::vector<void *> addresses = addressesOf(buffers);
  std::vector<std::unique_ptr<Event>> events;
  auto record = [&] {
    events.push_back(std::make_unique<Event>(driver, "measure calls"));
    events.back()->record(device.stream);
  };
  for (int i = 0; i < unmeasured; ++i)
    enqueue(addresses);
  for (int i = 0; i < calls; ++i) {
    record();
    enqueue(addresses);
    record();
  }
  driver.require(driver.cuStreamSynchronize(device.stream), "measure calls");
  std::vector<double> microseconds;
  for (size_t i = 0; i < events.size(); i += 2)
    microseconds.push_back(events[i]->microsecondsTo(*events[i + 1]));
  return median(std::move(microseconds));
}

void Function::check(const heddle_cuda_error_t &record) const {
  if (!record.claimed)
    return;
  if (record.message < 0 || static_cast<size_t>(record.message) >= messages.size())
    throw Failure(HEDDLE_INTERNAL, "a kernel of '" + name + "' reported message " +
                                       std::to_string(record.message) + ", which there is not");
  const Message &message = messages[static_cast<size_t>(record.message)];
  heddle_call_t call;
  heddle_call_init(&call);
  heddle_fail_values(&call, message.status, message.text.c_str(), record.first, record.second);
  throw Failure(static_cast<heddle_status_t>(call.status), call.message);
}

//===----------------------------------------------------------------------===//
// The C interface
//===----------------------------------------------------------------------===//

struct heddle_cuda_run {
  std::shared_ptr<Function> function;
  Report report;
  std::mutex mutex;
  bool finished = false;
  heddle_status_t status = HEDDLE_OK;
  std::string message; ///< of a failure, once it is finished
};

heddle_status_t heddle_cuda_function_create(int32_t device, const heddle_cuda_program_t *program,
                                            heddle_cuda_function_t **out) {
  return guard([&] {
    requirePointer(program, "the program");
    requireResult(out);
    *out = new heddle_cuda_function{std::make_shared<Function>(Device::get(device), *program)};
  });
}

void heddle_cuda_function_free(heddle_cuda_function_t *function) { delete function; }

heddle_status_t heddle_cuda_function_start(heddle_cuda_function_t *function, void *const *buffers,
                                           heddle_cuda_run_t **out) {
  return guard([&] {
    requirePointer(function, "the function");
    requirePointer(static_cast<const void *>(buffers), "the list of buffers");
    requireResult(out);
    Device &device = function->function->device;
    auto run = std::make_unique<heddle_cuda_run>();
    run->function = function->function;
    run->report = device.takeReport();
    try {
      function->function->start(buffers, run->report);
    } catch (...) {
      device.giveReport(run->report);
      throw;
    }
    *out = run.release();
  });
}

heddle_status_t heddle_cuda_function_measure(heddle_cuda_function_t *function, void *const *buffers,
                                             int32_t calls, double *microseconds) {
  return guard([&] {
    requirePointer(function, "the function");
    requirePointer(static_cast<const void *>(buffers), "the list of buffers");
    requireResult(microseconds);
    if (calls < 1)
      throw Failure(HEDDLE_INVALID_ARGUMENT,
                    "the number of calls is " + std::to_string(calls) + ", not positive");
    *microseconds = function->function->measure(buffers, calls);
  });
}

heddle_status_t heddle_cuda_run_wait(heddle_cuda_run_t *run) {
  if (!run)
    return heddle_set_last_error(HEDDLE_INVALID_ARGUMENT, "the call is a null pointer");
  std::lock_guard lock(run->mutex);
  if (!run->finished) {
    Device &device = run->function->device;
    run->status = guard([&] {
      Device::Scope scope(device);
      device.driver.require(device.driver.cuEventSynchronize(run->report.finished), "run kernels on the GPU");
      if (run->function->errorRecord)
        run->function->check(*run->report.record);
    });
    run->message = run->status == HEDDLE_OK ? "" : heddle_last_error();
    run->finished = true;
  }
  return run->status == HEDDLE_OK ? HEDDLE_OK : heddle_set_last_error(run->status, run->message.c_str());
}

int32_t heddle_cuda_run_done(heddle_cuda_run_t *run) {
  if (!run)
    return 1;
  std::lock_guard lock(run->mutex);
  Device &device = run->function->device;
  return run->finished || device.driver.cuEventQuery(run->report.finished) != CUDA_ERROR_NOT_READY;
}

void heddle_cuda_run_free(heddle_cuda_run_t *run) {
  if (!run)
    return;
  run->function->device.giveReport(run->report);
  delete run;
}
