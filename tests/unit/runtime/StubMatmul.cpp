// A cuBLASLt in host memory: column-major products by the definition, as NVIDIA's documentation has it. It
// computes at once, when all that was put on the stream before is done, so it cannot be captured.

#include "cuda/MatmulApi.h"

#include <heddle/dtype.hpp>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <vector>

using namespace heddle::runtime::cuda;

namespace {

struct Attributes {
  std::map<int, std::vector<char>> values;

  template <typename T>
  T get(int attribute, T otherwise) const {
    auto found = values.find(attribute);
    if (found == values.end())
      return otherwise;
    T value{};
    std::memcpy(&value, found->second.data(), std::min(sizeof value, found->second.size()));
    return value;
  }
};
struct Description : Attributes {
  cublasComputeType_t compute;
  cudaDataType_t scale;
};
struct Layout : Attributes {
  cudaDataType_t type;
  int64_t rows, columns, leading;
};

double load(cudaDataType_t type, const void *from, int64_t at) {
  switch (type) {
  case CUDA_R_64F:
    return static_cast<const double *>(from)[at];
  case CUDA_R_32F:
    return static_cast<const float *>(from)[at];
  case CUDA_R_16F:
    return static_cast<const heddle::F16 *>(from)[at];
  default:
    return static_cast<const heddle::BF16 *>(from)[at];
  }
}

void store(cudaDataType_t type, void *to, int64_t at, double value) {
  switch (type) {
  case CUDA_R_64F:
    static_cast<double *>(to)[at] = value;
    break;
  case CUDA_R_32F:
    static_cast<float *>(to)[at] = static_cast<float>(value);
    break;
  case CUDA_R_16F:
    static_cast<heddle::F16 *>(to)[at] = heddle::F16(value);
    break;
  default:
    static_cast<heddle::BF16 *>(to)[at] = heddle::BF16(value);
  }
}

/// An element of a matrix, as stored or transposed.
double element(const Layout &layout, const void *data, int64_t batch, bool transposed, int64_t row,
               int64_t column) {
  if (transposed)
    std::swap(row, column);
  const int64_t stride = layout.get<int64_t>(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, 0);
  return load(layout.type, data, batch * stride + column * layout.leading + row);
}

/// A factor's element as it is multiplied.
double factor(const Description &what, double x) {
  if (what.compute != CUBLAS_COMPUTE_32F_FAST_TF32)
    return x;
  return std::bit_cast<float>((std::bit_cast<uint32_t>(static_cast<float>(x)) + 0x1000) & ~0x1fffu);
}

/// Waits for a stream of the driver that the runtime uses; false while it is captured.
bool wait(CUstream stream) {
  const char *path = std::getenv("HEDDLE_CUDA_DRIVER");
  void *driver = path ? dlopen(path, RTLD_NOW) : nullptr;
  auto synchronize =
      driver ? reinterpret_cast<CUresult (*)(CUstream)>(dlsym(driver, "cuStreamSynchronize")) : nullptr;
  return synchronize && synchronize(stream) == CUDA_SUCCESS;
}

cublasStatus_t keep(Attributes *attributes, int attribute, const void *value, size_t bytes) {
  attributes->values[attribute].assign(static_cast<const char *>(value),
                                       static_cast<const char *>(value) + bytes);
  return CUBLAS_STATUS_SUCCESS;
}

} // namespace

#define STUB extern "C" __attribute__((visibility("default")))

STUB const char *cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED" : "stub";
}
STUB cublasStatus_t cublasLtCreate(cublasLtHandle_t *) { return CUBLAS_STATUS_SUCCESS; }
STUB cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *made, cublasComputeType_t compute,
                                             cudaDataType_t scale) {
  auto *description = new Description;
  description->compute = compute;
  description->scale = scale;
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(description);
  return CUBLAS_STATUS_SUCCESS;
}
STUB cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete reinterpret_cast<Description *>(description);
  return CUBLAS_STATUS_SUCCESS;
}
STUB cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                                   cublasLtMatmulDescAttributes_t attribute,
                                                   const void *value, size_t bytes) {
  return keep(reinterpret_cast<Description *>(description), attribute, value, bytes);
}
STUB cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *made, cudaDataType_t type,
                                               uint64_t rows, uint64_t columns, int64_t leading) {
  auto *layout = new Layout;
  layout->type = type;
  layout->rows = static_cast<int64_t>(rows);
  layout->columns = static_cast<int64_t>(columns);
  layout->leading = leading;
  *made = reinterpret_cast<cublasLtMatrixLayout_t>(layout);
  return leading < layout->rows ? 7 : CUBLAS_STATUS_SUCCESS;
}
STUB cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete reinterpret_cast<Layout *>(layout);
  return CUBLAS_STATUS_SUCCESS;
}
STUB cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                     cublasLtMatrixLayoutAttribute_t attribute,
                                                     const void *value, size_t bytes) {
  return keep(reinterpret_cast<Layout *>(layout), attribute, value, bytes);
}
STUB cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *made) {
  *made = reinterpret_cast<cublasLtMatmulPreference_t>(new Attributes);
  return CUBLAS_STATUS_SUCCESS;
}
STUB cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete reinterpret_cast<Attributes *>(preference);
  return CUBLAS_STATUS_SUCCESS;
}
STUB cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                         cublasLtMatmulPreferenceAttributes_t attribute,
                                                         const void *value, size_t bytes) {
  return keep(reinterpret_cast<Attributes *>(preference), attribute, value, bytes);
}
STUB cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                                   cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t,
                                                   cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                                   cublasLtMatmulPreference_t preference, int,
                                                   cublasLtMatmulHeuristicResult_t *results, int *found) {
  // A size that this library knows no algorithm for.
  *found = reinterpret_cast<Layout *>(a)->rows == 777 ? 0 : 1;
  *results = {};
  results->algo.data[0] = 42;
  results->workspaceSize =
      reinterpret_cast<Attributes *>(preference)->get<uint64_t>(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, 0);
  return CUBLAS_STATUS_SUCCESS;
}
STUB cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void *alpha,
                                   const void *a, cublasLtMatrixLayout_t aLayout, const void *b,
                                   cublasLtMatrixLayout_t bLayout, const void *beta, const void *c,
                                   cublasLtMatrixLayout_t cLayout, void *d, cublasLtMatrixLayout_t dLayout,
                                   const cublasLtMatmulAlgo_t *algorithm, void *workspace,
                                   size_t workspaceBytes, CUstream stream) {
  if (!wait(stream))
    return 14;
  const auto &what = *reinterpret_cast<Description *>(description);
  const auto &A = *reinterpret_cast<Layout *>(aLayout), &B = *reinterpret_cast<Layout *>(bLayout),
             &C = *reinterpret_cast<Layout *>(cLayout), &D = *reinterpret_cast<Layout *>(dLayout);
  if (algorithm->data[0] != 42 || (workspaceBytes && !workspace))
    return 7;
  const bool turnA = what.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSA, 0) == CUBLAS_OP_T,
             turnB = what.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSB, 0) == CUBLAS_OP_T;
  const int64_t inner = turnA ? A.rows : A.columns;
  if ((turnA ? A.columns : A.rows) != D.rows || (turnB ? B.rows : B.columns) != D.columns ||
      (turnB ? B.columns : B.rows) != inner || C.rows != D.rows || C.columns != D.columns)
    return 7;
  const auto epilogue = what.get<uint32_t>(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT);
  const void *bias = what.get<const void *>(CUBLASLT_MATMUL_DESC_BIAS_POINTER, nullptr);
  const bool wide = what.scale == CUDA_R_64F;
  const double scaleProduct = wide ? *static_cast<const double *>(alpha) : *static_cast<const float *>(alpha),
               scaleC = wide ? *static_cast<const double *>(beta) : *static_cast<const float *>(beta);
  const auto batches = D.get<int32_t>(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 1);
  for (int32_t batch = 0; batch < batches; ++batch)
    for (int64_t column = 0; column < D.columns; ++column)
      for (int64_t row = 0; row < D.rows; ++row) {
        double sum = 0;
        for (int64_t k = 0; k < inner; ++k)
          sum += factor(what, element(A, a, batch, turnA, row, k)) *
                 factor(what, element(B, b, batch, turnB, k, column));
        sum *= scaleProduct;
        if (scaleC != 0)
          sum += scaleC * element(C, c, batch, false, row, column);
        if (epilogue & CUBLASLT_EPILOGUE_BIAS)
          sum += load(D.type, bias, row);
        if (epilogue & CUBLASLT_EPILOGUE_RELU)
          sum = std::max(sum, 0.0);
        if (epilogue & CUBLASLT_EPILOGUE_GELU)
          sum = 0.5 * sum * (1 + std::tanh(0.7978845608028654 * (sum + 0.044715 * sum * sum * sum)));
        store(D.type, d,
              batch * D.get<int64_t>(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, 0) + column * D.leading +
                  row,
              sum);
      }
  return CUBLAS_STATUS_SUCCESS;
}
