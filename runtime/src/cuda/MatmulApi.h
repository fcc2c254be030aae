// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// What is used of cuBLASLt's interface, declared here so that nothing of CUDA is needed to build. Names,
// layouts and numbers are those of cuBLAS 12 and 13.
#pragma once

#include "cuda/DriverApi.h"

namespace heddle::runtime::cuda {

using cublasStatus_t = int;
using cublasLtHandle_t = struct cublasLtContext *;
using cublasLtMatmulDesc_t = struct cublasLtMatmulDescOpaque *;
using cublasLtMatrixLayout_t = struct cublasLtMatrixLayoutOpaque *;
using cublasLtMatmulPreference_t = struct cublasLtMatmulPreferenceOpaque *;

enum : cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_NOT_SUPPORTED = 15 };
enum cublasComputeType_t : int {
  CUBLAS_COMPUTE_32F = 68,
  CUBLAS_COMPUTE_64F = 70,
  CUBLAS_COMPUTE_32F_FAST_TF32 = 77,
};
enum cudaDataType_t : int { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_R_16F = 2, CUDA_R_16BF = 14 };
enum cublasOperation_t : int { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasLtMatrixLayoutAttribute_t : int {
  CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5,          ///< int32_t
  CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6, ///< int64_t
};
enum cublasLtMatmulDescAttributes_t : int {
  CUBLASLT_MATMUL_DESC_TRANSA = 3,       ///< int32_t
  CUBLASLT_MATMUL_DESC_TRANSB = 4,       ///< int32_t
  CUBLASLT_MATMUL_DESC_EPILOGUE = 7,     ///< uint32_t
  CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8, ///< const void *
};
enum cublasLtEpilogue_t : unsigned {
  CUBLASLT_EPILOGUE_DEFAULT = 1,
  CUBLASLT_EPILOGUE_RELU = 2,
  CUBLASLT_EPILOGUE_BIAS = 4,
  CUBLASLT_EPILOGUE_GELU = 32,
};
enum cublasLtMatmulPreferenceAttributes_t : int {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,   ///< uint64_t
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3, ///< uint32_t
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5, ///< uint32_t
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8,
};
/// Partial sums in the type of computation, in the workspace.
enum : unsigned { CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2 };

struct cublasLtMatmulAlgo_t {
  uint64_t data[8];
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
};
static_assert(sizeof(cublasLtMatmulHeuristicResult_t) == 96);

/// symbol(result, name, parameters).
#define HEDDLE_CUBLASLT_SYMBOLS(symbol)                                                                      \
  symbol(const char *, cublasLtGetStatusString, (cublasStatus_t status)) symbol(                             \
      cublasStatus_t, cublasLtCreate,                                                                        \
      (cublasLtHandle_t * handle)) symbol(cublasStatus_t, cublasLtMatmulDescCreate,                          \
                                          (cublasLtMatmulDesc_t * description, cublasComputeType_t compute,  \
                                           cudaDataType_t scale))                                            \
      symbol(cublasStatus_t, cublasLtMatmulDescDestroy, (cublasLtMatmulDesc_t description)) symbol(          \
          cublasStatus_t, cublasLtMatmulDescSetAttribute,                                                    \
          (cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attribute, const void *value,    \
           size_t bytes)) symbol(cublasStatus_t, cublasLtMatrixLayoutCreate,                                 \
                                 (cublasLtMatrixLayout_t * layout, cudaDataType_t type, uint64_t rows,       \
                                  uint64_t columns, int64_t leading))                                        \
          symbol(cublasStatus_t, cublasLtMatrixLayoutDestroy, (cublasLtMatrixLayout_t layout)) symbol(       \
              cublasStatus_t, cublasLtMatrixLayoutSetAttribute,                                              \
              (cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, const void *value,  \
               size_t bytes)) symbol(cublasStatus_t, cublasLtMatmulPreferenceCreate,                         \
                                     (cublasLtMatmulPreference_t * preference))                              \
              symbol(cublasStatus_t, cublasLtMatmulPreferenceDestroy,                                        \
                     (cublasLtMatmulPreference_t preference))                                                \
                  symbol(cublasStatus_t, cublasLtMatmulPreferenceSetAttribute,                               \
                         (cublasLtMatmulPreference_t preference,                                             \
                          cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t bytes))  \
                      symbol(cublasStatus_t, cublasLtMatmulAlgoGetHeuristic,                                 \
                             (cublasLtHandle_t handle, cublasLtMatmulDesc_t description,                     \
                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,  \
                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference, int wanted,   \
                              cublasLtMatmulHeuristicResult_t *results, int *found))                         \
                          symbol(cublasStatus_t, cublasLtMatmul,                                             \
                                 (cublasLtHandle_t handle, cublasLtMatmulDesc_t description,                 \
                                  const void *alpha, const void *a, cublasLtMatrixLayout_t aLayout,          \
                                  const void *b, cublasLtMatrixLayout_t bLayout, const void *beta,           \
                                  const void *c, cublasLtMatrixLayout_t cLayout, void *d,                    \
                                  cublasLtMatrixLayout_t dLayout, const cublasLtMatmulAlgo_t *algorithm,     \
                                  void *workspace, size_t workspaceBytes, CUstream stream))

} // namespace heddle::runtime::cuda
