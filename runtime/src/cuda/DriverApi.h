// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// What is used of the CUDA driver's interface, declared here so that nothing of CUDA is needed to build.
// Names, layouts and numbers are those of CUDA 12 and 13, which keep them; HEDDLE_CUDA_SYMBOLS is the one
// list of functions, from which the loader, the stub driver of the tests and the emulator are made.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heddle::runtime::cuda {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st *;
using CUmodule = struct CUmod_st *;
using CUfunction = struct CUfunc_st *;
using CUstream = struct CUstream_st *;
using CUevent = struct CUevent_st *;
using CUmemoryPool = struct CUmemPoolHandle_st *;
using CUgraph = struct CUgraph_st *;
using CUgraphNode = struct CUgraphNode_st *;
using CUgraphExec = struct CUgraphExec_st *;

/// Results that are told apart.
enum : CUresult {
  CUDA_SUCCESS = 0,
  CUDA_ERROR_INVALID_VALUE = 1,
  CUDA_ERROR_OUT_OF_MEMORY = 2,
  CUDA_ERROR_NOT_INITIALIZED = 3,
  CUDA_ERROR_STUB_LIBRARY = 34,
  CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
  CUDA_ERROR_NO_DEVICE = 100,
  CUDA_ERROR_INVALID_DEVICE = 101,
  CUDA_ERROR_INVALID_IMAGE = 200,
  CUDA_ERROR_INVALID_CONTEXT = 201,
  CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
  CUDA_ERROR_INVALID_PTX = 218,
  CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221,
  CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_ERROR_JIT_COMPILATION_DISABLED = 223,
  CUDA_ERROR_OPERATING_SYSTEM = 304,
  CUDA_ERROR_INVALID_HANDLE = 400,
  CUDA_ERROR_NOT_FOUND = 500,
  CUDA_ERROR_NOT_READY = 600,
  CUDA_ERROR_ILLEGAL_ADDRESS = 700,
  CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
  CUDA_ERROR_LAUNCH_TIMEOUT = 702,
  CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
  CUDA_ERROR_MISALIGNED_ADDRESS = 716,
  CUDA_ERROR_LAUNCH_FAILED = 719,
  CUDA_ERROR_NOT_SUPPORTED = 801,
  CUDA_ERROR_SYSTEM_NOT_READY = 802,
  CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803,
  CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE = 804,
  CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
  CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
  CUDA_ERROR_STREAM_CAPTURE_UNJOINED = 904,
  CUDA_ERROR_STREAM_CAPTURE_ISOLATION = 905,
  CUDA_ERROR_CAPTURED_EVENT = 907,
  CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE = 910,
  CUDA_ERROR_UNKNOWN = 999,
};

enum CUdevice_attribute : int {
  CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
  CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
  CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR = 81,
  CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
  CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED = 115,
};

enum CUfunction_attribute : int { CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8 };
enum CUmemPool_attribute : int { CU_MEMPOOL_ATTR_RELEASE_THRESHOLD = 4 }; ///< uint64_t
enum CUjit_option : int { CU_JIT_ERROR_LOG_BUFFER = 5, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6 };
enum CUstreamCaptureMode : int { CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1 };
enum CUstreamCaptureStatus : int {
  CU_STREAM_CAPTURE_STATUS_NONE = 0,
  CU_STREAM_CAPTURE_STATUS_ACTIVE = 1,
  CU_STREAM_CAPTURE_STATUS_INVALIDATED = 2,
};
enum : unsigned { CU_STREAM_DEFAULT = 0, CU_STREAM_NON_BLOCKING = 1 };
enum : unsigned { CU_EVENT_DEFAULT = 0, CU_EVENT_DISABLE_TIMING = 2 };
/// Of cuEventRecordWithFlags. An external record is a node of the graph that is captured, and is not allowed
/// outside of captures; any other record during a capture only orders its nodes.
enum : unsigned { CU_EVENT_RECORD_DEFAULT = 0, CU_EVENT_RECORD_EXTERNAL = 1 };

struct CUDA_KERNEL_NODE_PARAMS { ///< CUDA's _v2
  CUfunction func;
  unsigned gridDimX, gridDimY, gridDimZ;
  unsigned blockDimX, blockDimY, blockDimZ;
  unsigned sharedMemBytes;
  void **kernelParams;
  void **extra;
  void *kern;
  CUcontext ctx;
};
static_assert(sizeof(CUDA_KERNEL_NODE_PARAMS) == 72);

struct CUgraphExecUpdateResultInfo {
  int result;
  CUgraphNode errorNode, errorFromNode;
};
static_assert(sizeof(CUgraphExecUpdateResultInfo) == 24);

/// symbol(name, parameters): every function returns CUresult. All of them are in drivers for CUDA 12.0 and
/// later. One a line: clang-format would nest each in the one before.
// clang-format off
#define HEDDLE_CUDA_SYMBOLS(symbol)                                                                          \
  symbol(cuGetErrorName, (CUresult error, const char **text))                                                \
  symbol(cuGetErrorString, (CUresult error, const char **text))                                              \
  symbol(cuInit, (unsigned flags))                                                                           \
  symbol(cuDriverGetVersion, (int *version))                                                                 \
  symbol(cuDeviceGetCount, (int *count))                                                                     \
  symbol(cuDeviceGet, (CUdevice *device, int ordinal))                                                       \
  symbol(cuDeviceGetName, (char *name, int size, CUdevice device))                                           \
  symbol(cuDeviceGetAttribute, (int *value, CUdevice_attribute attribute, CUdevice device))                  \
  symbol(cuDeviceTotalMem_v2, (size_t *bytes, CUdevice device))                                              \
  symbol(cuDeviceGetDefaultMemPool, (CUmemoryPool *pool, CUdevice device))                                   \
  symbol(cuDevicePrimaryCtxRetain, (CUcontext *context, CUdevice device))                                    \
  symbol(cuDevicePrimaryCtxRelease_v2, (CUdevice device))                                                    \
  symbol(cuCtxPushCurrent_v2, (CUcontext context))                                                           \
  symbol(cuCtxPopCurrent_v2, (CUcontext *context))                                                           \
  symbol(cuStreamCreate, (CUstream *stream, unsigned flags))                                                 \
  symbol(cuStreamDestroy_v2, (CUstream stream))                                                              \
  symbol(cuStreamSynchronize, (CUstream stream))                                                             \
  symbol(cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned flags))                                \
  symbol(cuStreamBeginCapture_v2, (CUstream stream, CUstreamCaptureMode mode))                               \
  symbol(cuStreamEndCapture, (CUstream stream, CUgraph *graph))                                              \
  symbol(cuStreamGetCaptureInfo_v2, (CUstream stream, CUstreamCaptureStatus *status, uint64_t *id,           \
                                     CUgraph *graph, const CUgraphNode **dependencies, size_t *count))       \
  symbol(cuEventCreate, (CUevent *event, unsigned flags))                                                    \
  symbol(cuEventDestroy_v2, (CUevent event))                                                                 \
  symbol(cuEventRecord, (CUevent event, CUstream stream))                                                    \
  symbol(cuEventRecordWithFlags, (CUevent event, CUstream stream, unsigned flags))                           \
  symbol(cuEventQuery, (CUevent event))                                                                      \
  symbol(cuEventElapsedTime, (float *milliseconds, CUevent from, CUevent to))                                \
  symbol(cuEventSynchronize, (CUevent event))                                                                \
  symbol(cuMemPoolSetAttribute, (CUmemoryPool pool, CUmemPool_attribute attribute, void *value))             \
  symbol(cuMemPoolTrimTo, (CUmemoryPool pool, size_t bytes))                                                 \
  symbol(cuMemAllocAsync, (CUdeviceptr *pointer, size_t bytes, CUstream stream))                             \
  symbol(cuMemFreeAsync, (CUdeviceptr pointer, CUstream stream))                                             \
  symbol(cuMemGetInfo_v2, (size_t *free, size_t *total))                                                     \
  symbol(cuMemHostAlloc, (void **pointer, size_t bytes, unsigned flags))                                     \
  symbol(cuMemFreeHost, (void *pointer))                                                                     \
  symbol(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))            \
  symbol(cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream))                  \
  symbol(cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream))            \
  symbol(cuMemcpyPeerAsync, (CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext,   \
                             size_t bytes, CUstream stream))                                                 \
  symbol(cuMemsetD8Async, (CUdeviceptr to, unsigned char value, size_t count, CUstream stream))              \
  symbol(cuMemsetD32Async, (CUdeviceptr to, unsigned value, size_t count, CUstream stream))                  \
  symbol(cuModuleLoadDataEx, (CUmodule *module, const void *image, unsigned count, CUjit_option *options,    \
                              void **values))                                                                \
  symbol(cuModuleUnload, (CUmodule module))                                                                  \
  symbol(cuModuleGetFunction, (CUfunction *function, CUmodule module, const char *name))                     \
  symbol(cuFuncSetAttribute, (CUfunction function, CUfunction_attribute attribute, int value))               \
  symbol(cuLaunchKernel, (CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ,               \
                          unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,           \
                          CUstream stream, void **arguments, void **extra))                                  \
  symbol(cuGraphInstantiateWithFlags, (CUgraphExec *exec, CUgraph graph, unsigned long long flags))          \
  symbol(cuGraphLaunch, (CUgraphExec exec, CUstream stream))                                                 \
  symbol(cuGraphExecKernelNodeSetParams_v2, (CUgraphExec exec, CUgraphNode node,                             \
                                             const CUDA_KERNEL_NODE_PARAMS *parameters))                     \
  symbol(cuGraphExecUpdate_v2, (CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *result))       \
  symbol(cuGraphExecDestroy, (CUgraphExec exec))                                                             \
  symbol(cuGraphDestroy, (CUgraph graph))
// clang-format on

} // namespace heddle::runtime::cuda
