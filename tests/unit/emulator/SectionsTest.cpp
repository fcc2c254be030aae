// Steps that calls of the runtime put aside, on the emulated device: launches one by one, graphs and patched
// graphs, in both orders.

#include "DriverCalls.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <heddle/cuda.h>
#include <string>

namespace {

/// number[0] = number[0] * 10 + digit
void append(void **arguments) {
  auto *number = *static_cast<int32_t **>(arguments[0]);
  number[0] = number[0] * 10 + *static_cast<int32_t *>(arguments[1]);
}
const int32_t appendBytes[] = {8, 4};
/// to[0] = from[0]
void copy(void **arguments) {
  **static_cast<int32_t **>(arguments[0]) = **static_cast<int32_t **>(arguments[1]);
}
const int32_t copyBytes[] = {8, 8};
const heddle_emulated_kernel emulated[] = {{"append", append, appendBytes, 2, 1},
                                           {"copy", copy, copyBytes, 2, 1}};

void launch(heddle_call_t *call, void *number, int32_t digit) {
  void *arguments[] = {&number, &digit};
  heddle_cuda_launch(call, 0, 1, 1, 1, 1, 0, arguments);
}

/// Appends 1 to the number, then 2 and 3 aside and 4 beside them, and copies it.
template <bool Joins>
int32_t entry(heddle_call_t *call, void **buffers) {
  void *number = buffers[0], *copied = buffers[1];
  heddle_cuda_fill(call, number, 0, 1);
  launch(call, number, 1);
  heddle_cuda_aside(call);
  launch(call, number, 2);
  launch(call, number, 3);
  heddle_cuda_return(call, 0);
  launch(call, number, 4);
  if (Joins)
    heddle_cuda_join(call, 0);
  void *arguments[] = {&copied, &number};
  heddle_cuda_launch(call, 1, 1, 1, 1, 1, 0, arguments); // not a copy, which could not be patched
  return call->status;
}

class Loaded {
public:
  Loaded(int32_t (*entry)(heddle_call_t *, void **), CUstream stream) : stream(stream) {
    const heddle_emulated_image image = {HEDDLE_EMULATED_MAGIC, 2, emulated};
    const heddle_cuda_kernel_t kernels[] = {{"append", appendBytes, 2, 0, 0, 0},
                                            {"copy", copyBytes, 2, 0, 0, 0}};
    heddle_cuda_program_t program = {};
    program.name = "sections";
    program.image = &image;
    program.image_bytes = sizeof image;
    program.kernels = kernels;
    program.kernel_count = 2;
    program.buffer_count = 2;
    program.can_be_captured = 1;
    program.entry = entry;
    REQUIRE(heddle_cuda_function_create(0, &program, &function) == HEDDLE_OK);
    for (CUdeviceptr &buffer : buffers)
      REQUIRE(cuMemAllocAsync(&buffer, 4, stream) == CUDA_SUCCESS);
  }
  ~Loaded() {
    for (CUdeviceptr buffer : buffers)
      cuMemFreeAsync(buffer, stream);
    heddle_cuda_function_free(function);
  }

  int32_t get(int buffer) const {
    int32_t value = 0;
    REQUIRE(cuMemcpyDtoHAsync_v2(&value, buffers[buffer], 4, stream) == CUDA_SUCCESS);
    return value;
  }
  /// "the number, what was copied of it" after a call with these buffers.
  std::string operator()(int number, int copied) {
    void *pointers[] = {reinterpret_cast<void *>(buffers[number]), reinterpret_cast<void *>(buffers[copied])};
    heddle_cuda_run_t *run = nullptr;
    REQUIRE(heddle_cuda_function_start(function, pointers, &run) == HEDDLE_OK);
    CHECK(heddle_cuda_run_wait(run) == HEDDLE_OK);
    heddle_cuda_run_free(run);
    return std::to_string(get(number)) + ", " + std::to_string(get(copied));
  }

private:
  CUstream stream;
  heddle_cuda_function_t *function = nullptr;
  CUdeviceptr buffers[7] = {};
};

} // namespace

TEST_CASE("sections are joined where the entry says, at the latest by the end", "[emulator]") {
  setenv("HEDDLE_CUDA_DRIVER", HEDDLE_EMULATED_CUDA, 1);
  void *stream = nullptr;
  REQUIRE(heddle_cuda_stream(0, &stream) == HEDDLE_OK);
  CUcontext context;
  REQUIRE(cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS);
  REQUIRE(cuCtxPushCurrent_v2(context) == CUDA_SUCCESS);
  for (const int32_t order : {0, 1}) {
    heddle_emulated_set_order(order);
    Loaded joins(entry<true>, static_cast<CUstream>(stream)),
        forgets(entry<false>, static_cast<CUstream>(stream));
    // The first call launches, others make graphs for their buffers or use them, the last two patch one. With
    // another number the fill differs, and a graph is updated as a whole.
    for (const int copied : {1, 1, 1, 2, 3, 4, 5, 6}) {
      CHECK(joins(0, copied) == (order ? "1234, 1234" : "1423, 1423"));
      CHECK(forgets(0, copied) == (order ? "1234, 1234" : "1423, 14"));
    }
    for (const int number : {5, 6}) {
      CHECK(joins(number, 0) == (order ? "1234, 1234" : "1423, 1423"));
      CHECK(forgets(number, 0) == (order ? "1234, 1234" : "1423, 14"));
    }
  }
  heddle_emulated_set_order(0);
  CUcontext before;
  cuCtxPopCurrent_v2(&before);
}
