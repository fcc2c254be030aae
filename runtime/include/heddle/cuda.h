/* Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
 *
 * Programs on NVIDIA GPUs. The driver (libcuda.so.1, or the library that the environment variable
 * HEDDLE_CUDA_DRIVER names) and cuBLASLt are opened at the first use, so a program that links the runtime
 * starts on a machine without either; every function then says what is missing and what to do.
 *
 * Work on one device is ordered: each device has one stream, on which copies, calls and allocations happen in
 * the order in which the host asks for them; steps within a call may run beside each other. The stream waits
 * for the legacy default stream and the other way round, so tensors may be exchanged with libraries that use
 * it (PyTorch does) without further ado. */
#ifndef HEDDLE_CUDA_H
#define HEDDLE_CUDA_H

#include <heddle/runtime.h>

#if defined(__cplusplus)
extern "C" {
#endif

/* ---- Devices ---- */

typedef struct heddle_cuda_device {
  char name[128];
  int32_t major, minor;   /* compute capability: 9, 0 for H100 */
  int32_t driver_version; /* of CUDA that the driver is for: 12040 for 12.4 */
  int32_t multiprocessors;
  int32_t shared_bytes;                /* the most dynamic shared memory that one block can ask for */
  int32_t multiprocessor_shared_bytes; /* what the blocks on one multiprocessor share */
  int64_t memory_bytes;
  int64_t l2_bytes;
  int32_t emulated;   /* 1 for the emulated device of the tests, which runs code for this processor */
  int32_t has_matmul; /* heddle_cuda_matmul works here */
} heddle_cuda_device_t;
HEDDLE_STATIC_ASSERT(sizeof(heddle_cuda_device_t) == 176, "heddle_cuda_device_t is part of the ABI");

/* How many devices there are. HEDDLE_UNSUPPORTED without a driver, or with one that is too old. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_device_count(int32_t *out);

HEDDLE_EXPORT heddle_status_t heddle_cuda_device(int32_t device, heddle_cuda_device_t *out);

/* 1 where cuBLASLt can be opened for the device, else 0: the compiler then makes kernels for dense products.
 */
HEDDLE_EXPORT int32_t heddle_cuda_has_matmul(int32_t device);

/* The device's stream, a CUstream, for libraries that put their work on it. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_stream(int32_t device, void **out);

/* Waits until all work on the device's stream is done, and reports what went wrong there. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_synchronize(int32_t device);

/* Copies to the device in the order of its stream. Memory of the host may be used again at once, unless it is
 * page-locked: then once the stream has come this far. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_upload(int32_t device, void *to, const void *from, int64_t bytes);

/* Gives unused memory of the device's pool back to the system. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_trim(int32_t device);

/* What heddle_memory_stats says for the host: bytes of tensors and working memory of this process. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_memory_stats(int32_t device, heddle_memory_stats_t *out);
HEDDLE_EXPORT heddle_status_t heddle_cuda_memory_reset_peak(int32_t device);

/* ---- Dense products ---- */

/* One product of a compiled entry, row-major, for each of `batch` matrices:
 *   out = activation(op(a) op(b) + bias + beta c)
 * op(a) is m × k, op(b) is k × n, c and out are m × n. Sums are computed in f32, for f64 in f64. */
typedef struct heddle_cuda_matmul {
  int64_t m, n, k;
  int64_t batch;
  int64_t row_a, row_b, row_c, row_out; /* elements from one stored row to the next */
  int64_t batch_a, batch_b, batch_c,
      batch_out;           /* elements from one matrix to the next; 0: the same for all */
  int64_t workspace_bytes; /* of the workspace that calls pass; 0 is possible */
  int32_t type;            /* heddle_dtype_t of a and b: f64, f32, bf16, f16 */
  int32_t out_type;        /* of c and out: the same, or f32 */
  int32_t transpose_a;     /* 1: a is stored as k × m */
  int32_t transpose_b;     /* 1: b is stored as n × k */
  int32_t tf32;            /* 1: f32 factors may be rounded to TF32 */
  int32_t has_bias;        /* 1: `bias` has n elements of out_type, added to every row */
  int32_t activation;      /* heddle_cuda_activation_t; not together with c */
  float beta;              /* 0: c is not read */
} heddle_cuda_matmul_t;
HEDDLE_STATIC_ASSERT(sizeof(heddle_cuda_matmul_t) == 136, "heddle_cuda_matmul_t is part of the ABI");

enum heddle_cuda_activation HEDDLE_ENUM_BASE {
  HEDDLE_CUDA_NO_ACTIVATION = 0,
  HEDDLE_CUDA_RELU = 1,
  HEDDLE_CUDA_GELU_TANH = 2 /* the approximation by tanh */
};

/* ---- Compiled entries ---- */

/* Bytes that the addresses of all buffers of a call are multiples of, those within the arena included.
 * Kernels may read, and do not use, what follows a buffer within its last so many bytes. */
#define HEDDLE_CUDA_ALIGNMENT 16

typedef struct heddle_cuda_kernel {
  const char *name;
  const int32_t *argument_bytes; /* of each argument that launches pass, the error record left out */
  int32_t arguments;
  int32_t shared_bytes; /* the most dynamic shared memory that a launch asks for */
  int32_t can_fail;     /* 1: the kernel has one more argument, the address of the error record */
  int32_t reserved;
} heddle_cuda_kernel_t;

/* What a kernel that can fail writes: it claims the record with an atomic compare-and-swap of `claimed` from
 * 0 to 1, and the one thread that won writes the rest. */
typedef struct heddle_cuda_error {
  int32_t claimed;
  int32_t message; /* its number among the entry's messages */
  int64_t first, second;
} heddle_cuda_error_t;
HEDDLE_STATIC_ASSERT(sizeof(heddle_cuda_error_t) == 24, "heddle_cuda_error_t is written by generated code");

typedef struct heddle_cuda_message {
  const char *text; /* with up to two "{}" or "{g}" for the integers, as heddle_fail_values takes them */
  int32_t status;   /* heddle_status_t */
  int32_t reserved;
} heddle_cuda_message_t;

/* A compiled entry: the code of the host, which launches, and the code of the device. */
typedef struct heddle_cuda_program {
  const char *name;  /* of the entry, for messages */
  const void *image; /* PTX as text with a final zero, or a cubin */
  int64_t image_bytes;
  const heddle_cuda_kernel_t *kernels;
  const heddle_cuda_message_t *messages;
  const heddle_cuda_matmul_t *products;
  int32_t kernel_count, message_count, product_count;
  int32_t buffer_count; /* inputs and results of the entry; the arena comes after them */
  int64_t arena_bytes;
  int32_t can_be_captured; /* 0: the entry calls heddle_cuda_read */
  int32_t reserved;
  int32_t (*entry)(heddle_call_t *call, void **buffers);
} heddle_cuda_program_t;

/* An entry loaded on one device. Opaque. */
typedef struct heddle_cuda_function heddle_cuda_function_t;

/* Loads a program; everything in it but the code of `entry` is copied. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_function_create(int32_t device,
                                                          const heddle_cuda_program_t *program,
                                                          heddle_cuda_function_t **out);
/* Waits for its calls. Null does nothing. */
HEDDLE_EXPORT void heddle_cuda_function_free(heddle_cuda_function_t *function);

/* A call that was started. Opaque. */
typedef struct heddle_cuda_run heddle_cuda_run_t;

/* Puts one call on the device's stream and returns at once (an entry that cannot be captured may wait in
 * between). `buffers` are device addresses of all inputs and results; memory that is freed to the device's
 * stream afterwards, as tensors of the runtime are, stays valid for the call. The first call of a function
 * launches kernels one by one; later calls replay a graph. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_function_start(heddle_cuda_function_t *function,
                                                         void *const *buffers, heddle_cuda_run_t **out);

/* Waits for the call and reports how it went; may be asked again. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_run_wait(heddle_cuda_run_t *run);
/* 1 once the call is finished, without waiting. */
HEDDLE_EXPORT int32_t heddle_cuda_run_done(heddle_cuda_run_t *run);
/* Forgets the call, which goes on; what it reports is lost. Null does nothing. */
HEDDLE_EXPORT void heddle_cuda_run_free(heddle_cuda_run_t *run);

/* Makes the same call `calls` times after three that do not count, waits for all, and gives the median of the
 * microseconds that the device took for one, between two events. What calls report is not looked at. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_function_measure(heddle_cuda_function_t *function,
                                                           void *const *buffers, int32_t calls,
                                                           double *microseconds);

/* What the steps of one name take: the launches of a kernel, named as in the program; copies ("copy"), fills
 * ("fill") and reads by the host ("read"); products by cuBLASLt of one shape and type of factors
 * ("cuBLASLt_8x64x16_over_32_f32" for a batch of 8, m = 64, n = 16, k = 32). Or what the steps of a group
 * take; each run of adjacent ones counts as one launch. */
typedef struct heddle_cuda_step_time {
  const char *name;
  int64_t launches;           /* in a call; in the median of the calls where they differ */
  double launch_microseconds; /* of one launch: the median of all launches in all calls */
  double call_microseconds;   /* of all launches of a call together: the median of the calls */
} heddle_cuda_step_time_t;
HEDDLE_STATIC_ASSERT(sizeof(heddle_cuda_step_time_t) == 32, "heddle_cuda_step_time_t is part of the ABI");

/* Where the time of a call goes. It and what it points to belong to the caller until
 * heddle_cuda_profile_free, and may outlive the function. */
typedef struct heddle_cuda_profile {
  const heddle_cuda_step_time_t *steps; /* what takes most of a call first */
  int64_t count;
} heddle_cuda_profile_t;

/* What a call overwrites and the next one needs again, such as an argument that results are made in. */
typedef struct heddle_cuda_refill {
  void *to;         /* on the device, in a buffer of the call */
  const void *from; /* on the host */
  int64_t bytes;
} heddle_cuda_refill_t;

/* Steps that a profile is to time together where they are adjacent: all in whose names, as above, the regular
 * expression (of ECMAScript) matches anywhere. A step belongs to the first of several groups that match;
 * groups of one name are one. */
typedef struct heddle_cuda_group {
  const char *name;       /* in place of the steps' own, not empty */
  const char *expression; /* of up to 4096 bytes */
} heddle_cuda_group_t;
HEDDLE_STATIC_ASSERT(sizeof(heddle_cuda_group_t) == 16, "heddle_cuda_group_t is part of the ABI");

/* HEDDLE_INVALID_ARGUMENT, and what is wrong, for a group that heddle_cuda_function_profile would not take.
 * Needs no device. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_group_check(const heddle_cuda_group_t *group);

/* Makes the same call `calls` times and once or twice more, waits for each, and tells what its steps take on
 * the device, by events between them. Before each call `refills` are copied to the device. Calls are replayed
 * as a graph, in which a small kernel does not wait for the host, also where heddle_cuda_function_start would
 * launch one by one; entries that read from the GPU, and products that cannot be captured, are launched with
 * events around each step. A time includes what the device needs to go on to the next step, and for the event
 * between the two, about two microseconds. So adjacent steps of one of the `groups`, which have no event
 * between them, take less than what they take alone; where each is launched with events of its own, theirs is
 * the sum. Fails as calls do, with HEDDLE_INVALID_ARGUMENT where a group is wrong, and with
 * HEDDLE_UNSUPPORTED where a call has more than 32768 steps. */
HEDDLE_EXPORT heddle_status_t heddle_cuda_function_profile(
    heddle_cuda_function_t *function, void *const *buffers, const heddle_cuda_refill_t *refills,
    int32_t refill_count, const heddle_cuda_group_t *groups, int32_t group_count, int64_t calls,
    heddle_cuda_profile_t **out);
/* Null does nothing. */
HEDDLE_EXPORT void heddle_cuda_profile_free(heddle_cuda_profile_t *profile);

/* ---- What the host code of a compiled entry calls ---- */

/* `call->reserved` points to the state of the running call. After a failure of `call` these do nothing. */

/* Launches kernel number `kernel` of the program; `arguments` points to a pointer to each argument. A grid
 * without blocks is no launch. */
HEDDLE_EXPORT void heddle_cuda_launch(heddle_call_t *call, int32_t kernel, int64_t grid_x, int64_t grid_y,
                                      int64_t grid_z, int32_t block, int32_t shared, void **arguments);
/* Copies between buffers of the device. */
HEDDLE_EXPORT void heddle_cuda_copy(heddle_call_t *call, void *to, const void *from, int64_t bytes);
/* Sets 32-bit words. */
HEDDLE_EXPORT void heddle_cuda_fill(heddle_call_t *call, void *to, int32_t word, int64_t words);
/* Copies to the host and waits for it, and for all that the call has asked for before. */
HEDDLE_EXPORT void heddle_cuda_read(heddle_call_t *call, void *host, const void *device, int64_t bytes);
/* Computes product number `product` of the program. `c` and `bias` may be null where they are not used. */
HEDDLE_EXPORT void heddle_cuda_matmul(heddle_call_t *call, int32_t product, const void *a, const void *b,
                                      const void *c, const void *bias, void *out, void *workspace);

/* Sections of a call are steps that it puts aside, where they run beside what its main stream does. They do
 * not nest. A call ends, also in a failure, when all of its sections have ended. A profile, which times
 * single steps, runs all of them in the order in which they are asked for. */

/* What follows goes aside: it runs after all that the call has asked for so far, and beside what it asks for
 * after heddle_cuda_return. */
HEDDLE_EXPORT void heddle_cuda_aside(heddle_call_t *call);
/* What follows goes to the main stream again. What was put aside since heddle_cuda_aside is section
 * `section`, a small number >= 0 that names a place in the code: where a loop comes to it again, the section
 * is what was put aside last. */
HEDDLE_EXPORT void heddle_cuda_return(heddle_call_t *call, int32_t section);
/* What follows on the main stream runs after that section, and after the sections before it. */
HEDDLE_EXPORT void heddle_cuda_join(heddle_call_t *call, int32_t section);

#if defined(__cplusplus)
} // extern "C"
#endif

#endif /* HEDDLE_CUDA_H */
