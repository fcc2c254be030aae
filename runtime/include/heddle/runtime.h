/* Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
 *
 * The C interface of Heddle's runtime: what generated code calls, and what a host program needs to hand
 * tensors to it. The library links neither LLVM nor CUDA.
 *
 * Conventions
 *  - A function that can fail returns a heddle_status_t; HEDDLE_OK is zero. heddle_last_error() has the
 *    reason, a text of the calling thread, valid until that thread's next failing call. It starts in lower
 *    case, has no final period, and may have a second line "hint: ...".
 *  - Results come through pointers that are written on success only.
 *  - No function throws, aborts or exits, whatever the user's data.
 *  - Sizes, extents and counts are int64_t. Extents and strides count elements; sizes say "bytes".
 *  - A function may be called from any thread; one object is not to be changed from two threads at once.
 *
 * Generated code depends on the signatures and layouts below: a change of any of them raises
 * HEDDLE_RUNTIME_API_VERSION and must be followed by the lowering (compiler/conversion, compiler/jit). */
#ifndef HEDDLE_RUNTIME_H
#define HEDDLE_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include <heddle/dlpack.h>

#define HEDDLE_RUNTIME_API_VERSION 2

#if defined(__GNUC__) || defined(__clang__)
#define HEDDLE_EXPORT __attribute__((visibility("default")))
#else
#define HEDDLE_EXPORT
#endif

#if defined(__cplusplus)
#define HEDDLE_STATIC_ASSERT static_assert
/* Enumerations have 32 bits and may hold any number, since a caller may be of another version. C names such a
 * type by a plain integer. */
#define HEDDLE_ENUM_BASE : int32_t
extern "C" {
#else
#define HEDDLE_STATIC_ASSERT _Static_assert
#define HEDDLE_ENUM_BASE
#endif

/* ---- Version ---- */

/* The HEDDLE_RUNTIME_API_VERSION that the loaded library was built with. Compare before the first call. */
HEDDLE_EXPORT uint32_t heddle_runtime_version(void);

/* The product's version as text, "0.1.0". */
HEDDLE_EXPORT const char *heddle_runtime_version_string(void);

/* ---- Status ---- */

enum heddle_status HEDDLE_ENUM_BASE {
  HEDDLE_OK = 0,
  HEDDLE_INVALID_ARGUMENT = 1, /* the caller passed a wrong value, shape, type or pointer */
  HEDDLE_OUT_OF_MEMORY = 2,    /* an allocation failed or would pass the limit that was set */
  HEDDLE_NOT_FOUND = 3,        /* no such file, tensor name, entry or symbol */
  HEDDLE_IO_ERROR = 4,         /* the system refused to read or write: permissions, full disk, a directory */
  HEDDLE_BAD_FILE = 5,         /* a file was read but its contents break the format */
  HEDDLE_UNSUPPORTED = 6,      /* well-formed, but outside Heddle: u16, a strided view, bf16 in a .npy */
  HEDDLE_OUT_OF_RANGE = 7,     /* an index computed at run time lies outside its dimension */
  HEDDLE_ASSERTION = 8,        /* an assertion written in the program failed */
  HEDDLE_PROGRAM_ERROR = 9,    /* a .heddle program is wrong; the message holds the diagnostics */
  HEDDLE_INTERNAL = 10         /* a defect of Heddle: please report it */
};
#if defined(__cplusplus)
typedef enum heddle_status heddle_status_t;
#else
typedef int32_t heddle_status_t;
#endif

/* The name of a status, "out of memory"; "unknown status" for a number that is none. Never null. */
HEDDLE_EXPORT const char *heddle_status_name(heddle_status_t status);

/* The message of this thread's last failing call, "" if none failed. Never null. */
HEDDLE_EXPORT const char *heddle_last_error(void);

/* Sets this thread's message, for libraries built on the runtime; returns `status`. Null means "". */
HEDDLE_EXPORT heddle_status_t heddle_set_last_error(heddle_status_t status, const char *message);

/* ---- One call of a compiled entry ---- */

#define HEDDLE_CALL_MESSAGE_SIZE 496

/* Collects the failure of one call of a compiled entry: kernels running on many threads report into it, and
 * the first report wins. Zero it with heddle_call_init before the call. `status` is set after the message is
 * complete. */
typedef struct heddle_call {
  int32_t status; /* a heddle_status_t; HEDDLE_OK while nothing failed. Generated code loads it at offset 0 */
  int32_t claimed; /* internal: 1 once a thread has won the right to report */
  uint64_t reserved;
  char message[HEDDLE_CALL_MESSAGE_SIZE]; /* terminated; longer messages are cut at a character's boundary */
} heddle_call_t;
HEDDLE_STATIC_ASSERT(sizeof(heddle_call_t) == 512, "heddle_call_t is part of the ABI of generated code");
HEDDLE_STATIC_ASSERT(offsetof(heddle_call_t, status) == 0, "generated code loads the status at offset 0");
HEDDLE_STATIC_ASSERT(offsetof(heddle_call_t, message) == 16,
                     "heddle_call_t is part of the ABI of generated code");

HEDDLE_EXPORT void heddle_call_init(heddle_call_t *call);

/* Reports a failure: `code` is a heddle_status_t other than HEDDLE_OK (a zero is recorded as
 * HEDDLE_INTERNAL). Later reports are ignored. Thread-safe and without allocation. */
HEDDLE_EXPORT void heddle_fail(heddle_call_t *call, int32_t code, const char *message);

/* The same with two integers, which replace the first and second "{}" of the message:
 * heddle_fail_values(call, HEDDLE_OUT_OF_RANGE, "index {} is outside a dimension of {}", 7, 5). For "{g}" the
 * integer holds the bits of a double. */
HEDDLE_EXPORT void heddle_fail_values(heddle_call_t *call, int32_t code, const char *message, int64_t first,
                                      int64_t second);

/* Turns what a call reported into a status with its message in heddle_last_error(). */
HEDDLE_EXPORT heddle_status_t heddle_call_result(const heddle_call_t *call);

/* ---- Threads ---- */

/* Calls body(args, begin, end) for the chunks [0, grain), [grain, 2 grain), … of [0, count), the last one
 * shorter. The chunks depend on count and grain alone, so a body whose chunks write separate results gives
 * equal bits for any number of threads. Chunks run in any order and at the same time; a call from within a
 * body runs its chunks one after the other on that thread. Returns when all are done. count <= 0 does
 * nothing; grain < 1 counts as 1. */
HEDDLE_EXPORT void heddle_parallel_for(void (*body)(void *args, int64_t begin, int64_t end), void *args,
                                       int64_t count, int64_t grain);

/* How many threads heddle_parallel_for uses at most. At first OMP_NUM_THREADS, or the processors this process
 * may run on. Process-wide. */
HEDDLE_EXPORT int32_t heddle_num_threads(void);

/* Sets it; 0 goes back to the default. HEDDLE_INVALID_ARGUMENT outside 0..HEDDLE_MAX_THREADS. */
#define HEDDLE_MAX_THREADS 4096
HEDDLE_EXPORT heddle_status_t heddle_set_num_threads(int32_t threads);

/* ---- Memory ---- */

#define HEDDLE_ALIGNMENT 64

/* Uninitialised memory aligned to HEDDLE_ALIGNMENT bytes; 0 bytes give a pointer that may be freed but not
 * read. */
HEDDLE_EXPORT heddle_status_t heddle_allocate(int64_t bytes, void **out);

/* Frees what heddle_allocate gave. Null does nothing. */
HEDDLE_EXPORT void heddle_free(void *pointer);

/* Bytes as requested, without padding. Process-wide. */
typedef struct heddle_memory_stats {
  int64_t current_bytes;
  int64_t peak_bytes;       /* the most at once since the start or the last reset */
  int64_t allocations;      /* how many heddle_allocate calls succeeded since the start */
  int64_t live_allocations; /* how many of them are not freed */
} heddle_memory_stats_t;
HEDDLE_STATIC_ASSERT(sizeof(heddle_memory_stats_t) == 32, "heddle_memory_stats_t is part of the ABI");

HEDDLE_EXPORT void heddle_memory_stats(heddle_memory_stats_t *out);

/* Sets the peak to the current bytes, to measure one phase of a program. */
HEDDLE_EXPORT void heddle_memory_reset_peak(void);

/* Allocations that would take the current bytes above `bytes` fail with HEDDLE_OUT_OF_MEMORY; 0 removes the
 * limit. */
HEDDLE_EXPORT heddle_status_t heddle_memory_set_limit(int64_t bytes);

/* ---- Element types ---- */

/* The element types of the language. bool takes one byte, 0 or 1. */
enum heddle_dtype HEDDLE_ENUM_BASE {
  HEDDLE_F64 = 0,
  HEDDLE_F32 = 1,
  HEDDLE_BF16 = 2,
  HEDDLE_F16 = 3,
  HEDDLE_I64 = 4,
  HEDDLE_I32 = 5,
  HEDDLE_I8 = 6,
  HEDDLE_BOOL = 7
};
#if defined(__cplusplus)
typedef enum heddle_dtype heddle_dtype_t;
#else
typedef int32_t heddle_dtype_t;
#endif
#define HEDDLE_DTYPE_COUNT 8

/* Bytes of one element, 0 for a number that is no dtype. */
HEDDLE_EXPORT int64_t heddle_dtype_size(heddle_dtype_t dtype);

/* The name in the language, "f32"; "?" for a number that is no dtype. */
HEDDLE_EXPORT const char *heddle_dtype_name(heddle_dtype_t dtype);

/* The dtype of a name of the language. */
HEDDLE_EXPORT heddle_status_t heddle_dtype_from_name(const char *name, heddle_dtype_t *out);

/* DLPack's description. bool has the code 6 and 8 bits that DLPack has given it since 0.8; 1-bit unsigned
 * integers, the older convention for it, are read as bool too. Other types give HEDDLE_UNSUPPORTED. */
#define HEDDLE_DLPACK_BOOL 6
HEDDLE_EXPORT DLDataType heddle_dtype_to_dlpack(heddle_dtype_t dtype);
HEDDLE_EXPORT heddle_status_t heddle_dtype_from_dlpack(DLDataType type, heddle_dtype_t *out);

/* ---- Tensors: DLPack views and owners ---- */

#define HEDDLE_MAX_RANK 32

/* A new row-major tensor on the CPU with uninitialised elements. The caller owns it: call its deleter once.
 */
HEDDLE_EXPORT heddle_status_t heddle_tensor_create(heddle_dtype_t dtype, int32_t rank, const int64_t *shape,
                                                   DLManagedTensor **out);

/* The same on a device: {kDLCPU, 0}, or {kDLCUDA, index} for a GPU, whose memory takes part in the order of
 * its stream (heddle/cuda.h). */
HEDDLE_EXPORT heddle_status_t heddle_tensor_create_on(heddle_dtype_t dtype, int32_t rank,
                                                      const int64_t *shape, DLDevice device,
                                                      DLManagedTensor **out);

/* A new row-major tensor on a device with the elements of a view, which may lie on another one and have any
 * strides. Copies to the CPU wait until the elements are there. */
HEDDLE_EXPORT heddle_status_t heddle_tensor_to(const DLTensor *tensor, DLDevice device,
                                               DLManagedTensor **out);

/* Calls the tensor's deleter. Null does nothing. */
HEDDLE_EXPORT void heddle_tensor_release(DLManagedTensor *tensor);

/* 1 if the tensor's elements were allocated for it alone by this library, so that whoever holds its last
 * reference may write over them; 0 for a tensor of another producer, a view or a part of a file. */
HEDDLE_EXPORT int32_t heddle_tensor_owns(const DLManagedTensor *tensor);

/* Checks that a compiled entry can use the view as it is: on the CPU or a GPU, a type of the language, rank,
 * extents and total size in range, row-major without gaps, pointer set and aligned to its element. The
 * message names what is wrong. */
HEDDLE_EXPORT heddle_status_t heddle_tensor_check(const DLTensor *tensor);

/* Elements of the view (1 for rank 0), bytes of its elements; -1 if a shape or type is out of range. */
HEDDLE_EXPORT int64_t heddle_tensor_count(const DLTensor *tensor);
HEDDLE_EXPORT int64_t heddle_tensor_bytes(const DLTensor *tensor);

/* A new row-major tensor with the elements of a view of any strides, converted to `dtype`. Floats are rounded
 * to the nearest, ties to even, NaN stays NaN; floats go to integers by cutting toward zero, out-of-range
 * values to the nearest end and NaN to 0; integers wrap; to bool is "not equal to zero". The result lies
 * where the view does; elements on a GPU come to the CPU to be converted. */
HEDDLE_EXPORT heddle_status_t heddle_tensor_cast(const DLTensor *tensor, heddle_dtype_t dtype,
                                                 DLManagedTensor **out);

/* Copies elements between two views of the same type and shape, any strides, on any devices; a view on a GPU
 * that is copied to must be row-major. They must not overlap. */
HEDDLE_EXPORT heddle_status_t heddle_tensor_copy(const DLTensor *from, const DLTensor *to);

/* ---- Files ---- */

/* Writes bytes, whole or not at all: into a temporary in the same folder that is renamed once it is on the
 * disk. The other writers below do the same. A device or a pipe is written in place. */
HEDDLE_EXPORT heddle_status_t heddle_file_save(const char *path, const void *data, int64_t size);

/* Reads a NumPy .npy file, version 1 to 3. Big-endian and column-major files are converted. */
HEDDLE_EXPORT heddle_status_t heddle_npy_load(const char *path, DLManagedTensor **out);

/* Writes one, whole or not at all. bf16 is refused, since NumPy has no such type: cast it to f32 first.
 * Elements on a GPU are copied from there, here and in archives. */
HEDDLE_EXPORT heddle_status_t heddle_npy_save(const char *path, const DLTensor *tensor);

/* An ordered list of named tensors with string metadata: the contents of a .safetensors file. Opaque. */
typedef struct heddle_archive heddle_archive_t;

HEDDLE_EXPORT heddle_status_t heddle_archive_create(heddle_archive_t **out);
HEDDLE_EXPORT void heddle_archive_free(heddle_archive_t *archive);

/* Reads and writes .safetensors; tensors keep their order. Writing is whole or not at all. */
HEDDLE_EXPORT heddle_status_t heddle_archive_load(const char *path, heddle_archive_t **out);
HEDDLE_EXPORT heddle_status_t heddle_archive_save(const heddle_archive_t *archive, const char *path);

HEDDLE_EXPORT int64_t heddle_archive_size(const heddle_archive_t *archive);

/* The name of tensor `index`, null outside 0..size-1. It lives as long as the archive. */
HEDDLE_EXPORT const char *heddle_archive_name(const heddle_archive_t *archive, int64_t index);

/* The position of a name, -1 if there is none. */
HEDDLE_EXPORT int64_t heddle_archive_find(const heddle_archive_t *archive, const char *name);

/* Tensor `index`; the caller owns one more reference to the same elements, nothing is copied. */
HEDDLE_EXPORT heddle_status_t heddle_archive_get(const heddle_archive_t *archive, int64_t index,
                                                 DLManagedTensor **out);

/* Appends a tensor. On success the archive owns it and calls its deleter; on failure the caller still does.
 * Elements on the CPU are not copied. Refused: a name that is already there, "__metadata__", a name that is
 * not UTF-8, a tensor that heddle_tensor_check refuses. */
HEDDLE_EXPORT heddle_status_t heddle_archive_add(heddle_archive_t *archive, const char *name,
                                                 DLManagedTensor *tensor);

/* Metadata: pairs of strings in order. Setting a key again replaces its value. */
HEDDLE_EXPORT int64_t heddle_archive_metadata_size(const heddle_archive_t *archive);
HEDDLE_EXPORT const char *heddle_archive_metadata_key(const heddle_archive_t *archive, int64_t index);
HEDDLE_EXPORT const char *heddle_archive_metadata_value(const heddle_archive_t *archive, int64_t index);
HEDDLE_EXPORT heddle_status_t heddle_archive_metadata_set(heddle_archive_t *archive, const char *key,
                                                          const char *value);

#if defined(__cplusplus)
} // extern "C"
#endif

#endif /* HEDDLE_RUNTIME_H */
