/* Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
 *
 * The runtime from pure C: the header is C11, and one round through every group of functions works. Built
 * twice: with the system's DLPack header and with our declarations. */

#include <heddle/cuda.h>
#include <heddle/runtime.h>

#include <stdio.h>
#include <string.h>

static int failures = 0;

static void expect(int condition, const char *what, int line) {
  if (!condition) {
    printf("line %d: %s does not hold (last error: %s)\n", line, what, heddle_last_error());
    ++failures;
  }
}
#define EXPECT(condition) expect((condition) != 0, #condition, __LINE__)

/* The layout that other libraries were compiled with. */
_Static_assert(sizeof(DLTensor) == 48, "DLTensor");
_Static_assert(sizeof(DLManagedTensor) == 64, "DLManagedTensor");
_Static_assert(offsetof(DLTensor, shape) == 24, "DLTensor::shape");
_Static_assert(sizeof(DLDataType) == 4, "DLDataType");

static void addRange(void *args, int64_t begin, int64_t end) {
  float *data = args;
  for (int64_t i = begin; i < end; ++i)
    data[i] = (float)i;
}

static void failOnSeven(void *args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    if (i == 7)
      heddle_fail_values(args, HEDDLE_OUT_OF_RANGE, "index {} is outside a dimension of {}", i, 7);
}

int main(void) {
  EXPECT(heddle_runtime_version() == HEDDLE_RUNTIME_API_VERSION);
  EXPECT(strcmp(heddle_last_error(), "") == 0);

  heddle_memory_stats_t before, after;
  heddle_memory_stats(&before);

  const int64_t shape[2] = {3, 5};
  DLManagedTensor *tensor = NULL;
  EXPECT(heddle_tensor_create(HEDDLE_F32, 2, shape, &tensor) == HEDDLE_OK);
  EXPECT(heddle_tensor_check(&tensor->dl_tensor) == HEDDLE_OK);
  EXPECT(heddle_tensor_count(&tensor->dl_tensor) == 15);
  EXPECT(heddle_tensor_bytes(&tensor->dl_tensor) == 60);
  EXPECT(tensor->dl_tensor.dtype.code == kDLFloat && tensor->dl_tensor.dtype.bits == 32);
  EXPECT((uintptr_t)tensor->dl_tensor.data % HEDDLE_ALIGNMENT == 0);
  heddle_parallel_for(addRange, tensor->dl_tensor.data, 15, 4);

  EXPECT(heddle_npy_save("abi.npy", &tensor->dl_tensor) == HEDDLE_OK);
  DLManagedTensor *loaded = NULL;
  EXPECT(heddle_npy_load("abi.npy", &loaded) == HEDDLE_OK);
  EXPECT(memcmp(loaded->dl_tensor.data, tensor->dl_tensor.data, 60) == 0);

  heddle_archive_t *archive = NULL;
  EXPECT(heddle_archive_create(&archive) == HEDDLE_OK);
  EXPECT(heddle_archive_add(archive, "w", tensor) == HEDDLE_OK);
  EXPECT(heddle_archive_add(archive, "w", loaded) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(strcmp(heddle_last_error(), "the archive already has a tensor 'w'") == 0);
  heddle_tensor_release(loaded); /* still ours */
  EXPECT(heddle_archive_metadata_set(archive, "step", "12") == HEDDLE_OK);
  EXPECT(heddle_archive_save(archive, "abi.safetensors") == HEDDLE_OK);
  heddle_archive_free(archive);

  EXPECT(heddle_archive_load("abi.safetensors", &archive) == HEDDLE_OK);
  EXPECT(heddle_archive_size(archive) == 1);
  EXPECT(strcmp(heddle_archive_name(archive, 0), "w") == 0);
  EXPECT(heddle_archive_name(archive, 1) == NULL);
  EXPECT(heddle_archive_find(archive, "w") == 0);
  EXPECT(heddle_archive_find(archive, "v") == -1);
  EXPECT(strcmp(heddle_archive_metadata_key(archive, 0), "step") == 0);
  EXPECT(strcmp(heddle_archive_metadata_value(archive, 0), "12") == 0);
  DLManagedTensor *kept = NULL;
  EXPECT(heddle_archive_get(archive, 0, &kept) == HEDDLE_OK);
  EXPECT(heddle_archive_get(archive, 1, &kept) == HEDDLE_INVALID_ARGUMENT);
  heddle_archive_free(archive);
  EXPECT(((float *)kept->dl_tensor.data)[14] == 14.0f); /* outlives the archive */
  heddle_tensor_release(kept);

  EXPECT(heddle_npy_load("absent.npy", &loaded) == HEDDLE_NOT_FOUND);
  EXPECT(strcmp(heddle_last_error(), "cannot open 'absent.npy': No such file or directory") == 0);

  heddle_call_t call;
  heddle_call_init(&call);
  heddle_parallel_for(failOnSeven, &call, 20, 3);
  EXPECT(heddle_call_result(&call) == HEDDLE_OUT_OF_RANGE);
  EXPECT(strcmp(heddle_last_error(), "index 7 is outside a dimension of 7") == 0);

  heddle_memory_stats(&after);
  EXPECT(after.current_bytes == before.current_bytes);
  EXPECT(after.live_allocations == before.live_allocations);

  /* GPUs: a machine without one says so. */
  int32_t devices = -1;
  const heddle_status_t found = heddle_cuda_device_count(&devices);
  EXPECT(found == HEDDLE_OK ? devices > 0 : strlen(heddle_last_error()) > 0);
  const DLDevice gpu = {kDLCUDA, devices + 1};
  DLManagedTensor *there = NULL;
  EXPECT(heddle_tensor_create_on(HEDDLE_F32, 2, shape, gpu, &there) != HEDDLE_OK);

  /* Null pointers are errors, not crashes. */
  EXPECT(heddle_cuda_device_count(NULL) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(heddle_tensor_to(NULL, gpu, &there) == HEDDLE_INVALID_ARGUMENT);
  heddle_cuda_launch(NULL, 0, 1, 1, 1, 1, 0, NULL);
  heddle_cuda_aside(NULL);
  heddle_cuda_return(NULL, 0);
  heddle_cuda_join(NULL, 0);
  const heddle_cuda_group_t group = {"lists", NULL};
  EXPECT(heddle_cuda_group_check(&group) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(heddle_cuda_function_profile(NULL, NULL, NULL, 0, &group, 1, 1, NULL) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(heddle_tensor_create(HEDDLE_F32, 2, NULL, &tensor) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(strcmp(heddle_last_error(), "the shape is a null pointer") == 0);
  EXPECT(heddle_tensor_check(NULL) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(heddle_tensor_count(NULL) == -1);
  EXPECT(heddle_npy_save(NULL, NULL) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(heddle_npy_load("abi.npy", NULL) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(heddle_archive_load(NULL, &archive) == HEDDLE_INVALID_ARGUMENT);
  EXPECT(heddle_archive_size(NULL) == 0);
  EXPECT(heddle_call_result(NULL) == HEDDLE_INVALID_ARGUMENT);
  heddle_archive_free(NULL);
  heddle_tensor_release(NULL);
  heddle_call_init(NULL);
  heddle_fail(NULL, HEDDLE_ASSERTION, "nowhere");

  remove("abi.npy");
  remove("abi.safetensors");
  if (failures == 0)
    printf("all expectations hold\n");
  return failures != 0;
}
