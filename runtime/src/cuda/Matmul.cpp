// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Finding cuBLASLt, and dense products with it. The library thinks in columns: a row-major out = a b is its
// column-major outᵀ = bᵀ aᵀ, so the factors change places and nothing is transposed.

#include "cuda/Matmul.h"
#include "cuda/MatmulApi.h"

#include <cstdlib>
#include <dlfcn.h>
#include <glob.h>
#include <map>
#include <mutex>

using namespace heddle::runtime;
using namespace heddle::runtime::cuda;

namespace {

struct Library {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define HEDDLE_CUBLASLT_MEMBER(result, name, parameters) result(*name) parameters = nullptr;
  HEDDLE_CUBLASLT_SYMBOLS(HEDDLE_CUBLASLT_MEMBER)
#undef HEDDLE_CUBLASLT_MEMBER

  void require(cublasStatus_t status, const char *what) const {
    if (status != CUBLAS_STATUS_SUCCESS) [[unlikely]]
      throw Failure(HEDDLE_INTERNAL,
                    "cuBLASLt cannot " + std::string(what) + ": " + cublasLtGetStatusString(status));
  }
};

/// cuBLASLt on one device.
struct Handle {
  std::shared_ptr<const Library> library;
  cublasLtHandle_t handle = nullptr;
};

std::vector<std::string> matches(const std::string &pattern) {
  std::vector<std::string> paths;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return paths;
}

/// Where the library may be, the first choice first: where the loader looks, in CUDA's toolkit, in packages
/// of Python.
std::vector<std::string> candidates(int driverVersion) {
  std::vector<std::string> folders, python;
  for (const char *pattern : {"/usr/local/cuda/lib64/", "/usr/local/cuda/lib/", "/opt/cuda/lib64/",
                              "/usr/local/cuda-1*/lib64/", "/usr/local/cuda-1*/lib/"})
    for (const std::string &folder : matches(pattern))
      folders.push_back(folder);
  for (const char *variable : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const char *root = std::getenv(variable))
      python.push_back(std::string(root) + "/lib/python3*/site-packages");
  if (const char *home = std::getenv("HOME"))
    python.push_back(std::string(home) + "/.local/lib/python3*/site-packages");
  for (const char *pattern :
       {"/usr/local/lib/python3*/dist-packages", "/usr/local/lib/python3*/site-packages",
        "/usr/lib/python3*/dist-packages", "/opt/conda/lib/python3*/site-packages"})
    python.push_back(pattern);
  for (const std::string &pattern : python)
    for (const char *package : {"/nvidia/cu13/lib/", "/nvidia/cublas/lib/"})
      for (const std::string &folder : matches(pattern + package))
        folders.push_back(folder);
  std::vector<std::string> paths;
  // A library for a later CUDA than the driver's does not start.
  for (int major = driverVersion / 1000; major >= 12; --major)
    if (major <= 13) {
      const std::string file = "libcublasLt.so." + std::to_string(major);
      paths.push_back(file);
      for (const std::string &folder : folders)
        paths.push_back(folder + file);
    }
  return paths;
}

/// The library in a file, null with a reason where it cannot be used; that there is no such file is only a
/// reason where it was asked for.
std::shared_ptr<const Library> load(const std::string &path, bool asked, std::string &reason) {
  void *file = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!file) {
    if (asked)
      reason = dlerror();
    return nullptr;
  }
  auto library = std::make_shared<Library>();
  auto find = [&](const char *name) {
    void *symbol = dlsym(file, name);
    if (!symbol)
      reason = path + " has no " + name;
    return symbol;
  };
#define HEDDLE_CUBLASLT_FIND(result, name, parameters)                                                       \
  library->name = reinterpret_cast<decltype(library->name)>(find(#name));                                    \
  if (!library->name)                                                                                        \
    return nullptr;
  HEDDLE_CUBLASLT_SYMBOLS(HEDDLE_CUBLASLT_FIND)
#undef HEDDLE_CUBLASLT_FIND
  return library;
}

Handle open(Device &device) {
  std::vector<std::string> paths;
  const char *named = std::getenv("HEDDLE_CUBLASLT");
  if (named && *named)
    paths = {named};
  else if (!device.info.emulated)
    paths = candidates(device.driver.version);
  Device::Scope scope(device);
  std::string reason = "libcublasLt.so.12 or .13 was not found";
  for (const std::string &path : paths) {
    Handle handle{load(path, named && *named, reason)};
    if (!handle.library)
      continue;
    cublasStatus_t status = handle.library->cublasLtCreate(&handle.handle);
    if (status == CUBLAS_STATUS_SUCCESS)
      return handle;
    reason = path + " does not start: " + handle.library->cublasLtGetStatusString(status);
  }
  throw Failure(HEDDLE_UNSUPPORTED, "cuBLASLt cannot be used: " + reason,
                "install CUDA's library package (libcublas) or Python's nvidia-cublas, or name the file in "
                "HEDDLE_CUBLASLT");
}

/// cuBLASLt on a device, opened at the first call and kept. Throws Failure.
const Handle &handleOf(Device &device) {
  static std::mutex mutex;
  static auto &known = *new std::map<int, Handle>;
  std::lock_guard lock(mutex);
  auto found = known.find(device.index);
  if (found == known.end())
    found = known.emplace(device.index, open(device)).first;
  return found->second;
}

cudaDataType_t typeOf(int32_t dtype) {
  switch (dtype) {
  case HEDDLE_F64:
    return CUDA_R_64F;
  case HEDDLE_F32:
    return CUDA_R_32F;
  case HEDDLE_BF16:
    return CUDA_R_16BF;
  case HEDDLE_F16:
    return CUDA_R_16F;
  default:
    throw Failure(HEDDLE_INTERNAL, "cuBLASLt is not used for " +
                                       std::string(heddle_dtype_name(static_cast<heddle_dtype_t>(dtype))));
  }
}

class LtProduct : public Product {
public:
  LtProduct(const Handle &handle, const heddle_cuda_matmul_t &problem)
      : Product(problem), library(*handle.library), handle(handle.handle), problem(problem) {
    try {
      describe();
      choose();
    } catch (...) {
      destroy();
      throw;
    }
  }
  ~LtProduct() override { destroy(); }

  void enqueue(const Operands &operands, CUstream stream) const override {
    if (problem.has_bias)
      library.require(library.cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                             static_cast<const void *>(&operands.bias),
                                                             sizeof operands.bias),
                      "take a bias");
    const float one32 = 1, beta32 = problem.beta;
    const double one64 = 1, beta64 = problem.beta;
    const bool wide = problem.type == HEDDLE_F64;
    const void *one = wide ? static_cast<const void *>(&one64) : &one32,
               *beta = wide ? static_cast<const void *>(&beta64) : &beta32;
    const bool added = problem.beta != 0;
    library.require(library.cublasLtMatmul(handle, description, one, operands.b, b, operands.a, a, beta,
                                           added ? operands.c : operands.out, added ? c : out, operands.out,
                                           out, &algorithm, operands.workspace, workspaceBytes, stream),
                    "compute a product");
  }

private:
  cublasLtMatrixLayout_t layout(int32_t dtype, int64_t rows, int64_t columns, int64_t row, int64_t offset) {
    // Stored rows × columns, row-major, is columns × rows for the library.
    cublasLtMatrixLayout_t made = nullptr;
    library.require(library.cublasLtMatrixLayoutCreate(&made, typeOf(dtype), static_cast<uint64_t>(columns),
                                                       static_cast<uint64_t>(rows), row),
                    "describe a matrix");
    layouts.push_back(made);
    const auto count = static_cast<int32_t>(problem.batch);
    library.require(library.cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                                             sizeof count),
                    "describe a batch");
    library.require(library.cublasLtMatrixLayoutSetAttribute(
                        made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &offset, sizeof offset),
                    "describe a batch");
    return made;
  }

  void describe() {
    const bool wide = problem.type == HEDDLE_F64;
    library.require(library.cublasLtMatmulDescCreate(&description,
                                                     wide           ? CUBLAS_COMPUTE_64F
                                                     : problem.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                    : CUBLAS_COMPUTE_32F,
                                                     wide ? CUDA_R_64F : CUDA_R_32F),
                    "describe a product");
    auto set = [&](cublasLtMatmulDescAttributes_t attribute, auto value) {
      library.require(library.cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value),
                      "describe a product");
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, int32_t(problem.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N));
    set(CUBLASLT_MATMUL_DESC_TRANSB, int32_t(problem.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N));
    uint32_t epilogue = 0;
    if (problem.has_bias)
      epilogue |= CUBLASLT_EPILOGUE_BIAS;
    if (problem.activation == HEDDLE_CUDA_RELU)
      epilogue |= CUBLASLT_EPILOGUE_RELU;
    else if (problem.activation == HEDDLE_CUDA_GELU_TANH)
      epilogue |= CUBLASLT_EPILOGUE_GELU;
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue ? epilogue : uint32_t(CUBLASLT_EPILOGUE_DEFAULT));
    a = problem.transpose_a ? layout(problem.type, problem.k, problem.m, problem.row_a, problem.batch_a)
                            : layout(problem.type, problem.m, problem.k, problem.row_a, problem.batch_a);
    b = problem.transpose_b ? layout(problem.type, problem.n, problem.k, problem.row_b, problem.batch_b)
                            : layout(problem.type, problem.k, problem.n, problem.row_b, problem.batch_b);
    out = layout(problem.out_type, problem.m, problem.n, problem.row_out, problem.batch_out);
    c = problem.beta != 0 ? layout(problem.out_type, problem.m, problem.n, problem.row_c, problem.batch_c)
                          : out;
  }

  void choose() {
    cublasLtMatmulPreference_t preference = nullptr;
    library.require(library.cublasLtMatmulPreferenceCreate(&preference), "choose an algorithm");
    struct Destroy {
      const Library &library;
      cublasLtMatmulPreference_t preference;
      ~Destroy() { library.cublasLtMatmulPreferenceDestroy(preference); }
    } destroy{library, preference};
    auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      library.require(
          library.cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
          "choose an algorithm");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(problem.workspace_bytes));
    // Sums in parts are added up in f32, never in a narrow result.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    for (auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      prefer(attribute, uint32_t(HEDDLE_CUDA_ALIGNMENT));
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    cublasStatus_t status = library.cublasLtMatmulAlgoGetHeuristic(handle, description, b, a, c, out,
                                                                   preference, 1, &result, &found);
    if (status == CUBLAS_STATUS_SUCCESS)
      status = found ? result.state : CUBLAS_STATUS_NOT_SUPPORTED;
    library.require(status, ("multiply " + text()).c_str());
    algorithm = result.algo;
    workspaceBytes = result.workspaceSize;
  }

  /// "f32[64, 32] by f32[32, 16], 8 times".
  std::string text() const {
    const std::string type = heddle_dtype_name(static_cast<heddle_dtype_t>(problem.type));
    auto matrix = [&](int64_t rows, int64_t columns) {
      return type + "[" + std::to_string(rows) + ", " + std::to_string(columns) + "]";
    };
    return matrix(problem.m, problem.k) + " by " + matrix(problem.k, problem.n) +
           (problem.batch != 1 ? ", " + std::to_string(problem.batch) + " times" : "");
  }

  void destroy() noexcept {
    for (cublasLtMatrixLayout_t made : layouts)
      library.cublasLtMatrixLayoutDestroy(made);
    if (description)
      library.cublasLtMatmulDescDestroy(description);
  }

  const Library &library;
  cublasLtHandle_t handle;
  const heddle_cuda_matmul_t problem;
  cublasLtMatmulDesc_t description = nullptr;
  std::vector<cublasLtMatrixLayout_t> layouts;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, c = nullptr, out = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  size_t workspaceBytes = 0;
};

/// A product without elements.
class NoProduct : public Product {
public:
  explicit NoProduct(const heddle_cuda_matmul_t &problem) : Product(problem) {}

private:
  void enqueue(const Operands &, CUstream) const override {}
};

} // namespace

Product::Product(const heddle_cuda_matmul_t &problem)
    : name("cuBLASLt_" + std::to_string(problem.batch) + "x" + std::to_string(problem.m) + "x" +
           std::to_string(problem.n) + "_over_" + std::to_string(problem.k) + "_" +
           heddle_dtype_name(static_cast<heddle_dtype_t>(problem.type))) {}

std::unique_ptr<Product> Product::create(Device &device, const heddle_cuda_matmul_t &problem) {
  if (problem.m == 0 || problem.n == 0 || problem.batch == 0)
    return std::make_unique<NoProduct>(problem);
  return std::make_unique<LtProduct>(handleOf(device), problem);
}

int32_t heddle_cuda_has_matmul(int32_t device) {
  return guard([&] { handleOf(Device::get(device)); }) == HEDDLE_OK;
}
