// Dense products through cuBLASLt's interface, against row-major sums, with the stubs of both libraries.

#include "StubDriver.h"
#include "Support.h"

#include <heddle/tensor.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace heddle;
using namespace testing;

namespace {

const Device gpu = Device::cuda(0);

/// buffers: a, b, c, bias, out; the arena is the workspace.
int32_t multiply(heddle_call_t *call, void **buffers) {
  heddle_cuda_matmul(call, 0, buffers[0], buffers[1], buffers[2], buffers[3], buffers[4], buffers[5]);
  return call->status;
}

stub::Image noKernels;

heddle_cuda_function_t *load(const heddle_cuda_matmul_t &problem) {
  heddle_cuda_program_t program{};
  program.name = "product";
  program.image = &noKernels;
  program.products = &problem;
  program.product_count = 1;
  program.buffer_count = 5;
  program.arena_bytes = problem.workspace_bytes;
  program.can_be_captured = 1;
  program.entry = multiply;
  heddle_cuda_function_t *function = nullptr;
  check(heddle_cuda_function_create(0, &program, &function));
  return function;
}

/// Values whose products are exact in every type.
Tensor numbers(const Shape &shape, uint32_t seed) {
  Tensor tensor = Tensor::empty(shape, DType::f64);
  for (double &x : tensor.values<double>())
    x = static_cast<double>((seed = seed * 1664525u + 1013904223u) >> 29) - 3;
  return tensor;
}

/// Rows with two elements of padding, and a matrix more than the batch has.
struct Operand {
  int64_t rows, columns, row, batch;
  Tensor values, there;

  Operand(int64_t count, int64_t rows, int64_t columns, DType type, uint32_t seed, bool shared = false)
      : rows(rows), columns(columns), row(columns + 2), batch(shared ? 0 : rows * row + 3),
        values(numbers({(count + 1) * (rows * row + 3)}, seed)), there(values.cast(type).to(gpu)) {}
  double at(int64_t b, int64_t i, int64_t j) const { return values.data<double>()[b * batch + i * row + j]; }
};

struct Case {
  DType type, outType;
  bool transposeA = false, transposeB = false, bias = false, shared = false;
  float beta = 0;
  int32_t activation = HEDDLE_CUDA_NO_ACTIVATION;
  bool tf32 = false;
};

void checkCase(const Case &given) {
  const int64_t m = 5, n = 7, k = 6, batch = 3;
  Operand a(batch, given.transposeA ? k : m, given.transposeA ? m : k, given.type, 1),
      b(batch, given.transposeB ? n : k, given.transposeB ? k : n, given.type, 2, given.shared),
      c(batch, m, n, given.outType, 3), out(batch, m, n, given.outType, 4), bias(0, 1, n, given.outType, 5);
  heddle_cuda_matmul_t problem{};
  problem.m = m;
  problem.n = n;
  problem.k = k;
  problem.batch = batch;
  problem.row_a = a.row;
  problem.row_b = b.row;
  problem.row_c = c.row;
  problem.row_out = out.row;
  problem.batch_a = a.batch;
  problem.batch_b = b.batch;
  problem.batch_c = c.batch;
  problem.batch_out = out.batch;
  problem.workspace_bytes = 64;
  problem.type = toC(given.type);
  problem.out_type = toC(given.outType);
  problem.transpose_a = given.transposeA;
  problem.transpose_b = given.transposeB;
  problem.has_bias = given.bias;
  problem.activation = given.activation;
  problem.beta = given.beta;
  problem.tf32 = given.tf32;
  heddle_cuda_function_t *function = load(problem);
  void *buffers[] = {a.there.raw(), b.there.raw(), c.there.raw(), bias.there.raw(), out.there.raw()};
  heddle_cuda_run_t *run = nullptr;
  REQUIRE(heddle_cuda_function_start(function, buffers, &run) == HEDDLE_OK);
  REQUIRE(heddle_cuda_run_wait(run) == HEDDLE_OK);
  heddle_cuda_run_free(run);
  heddle_cuda_function_free(function);

  const Tensor results = out.there.to(Device::cpu()).cast(DType::f64);
  std::vector<double> expected(out.values.values<double>().begin(), out.values.values<double>().end());
  for (int64_t at = 0; at < batch; ++at)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = given.bias ? bias.at(0, 0, j) : 0;
        for (int64_t p = 0; p < k; ++p)
          sum += (given.transposeA ? a.at(at, p, i) : a.at(at, i, p)) *
                 (given.transposeB ? b.at(at, j, p) : b.at(at, p, j));
        sum += given.beta * c.at(at, i, j);
        if (given.activation == HEDDLE_CUDA_RELU)
          sum = std::max(sum, 0.0);
        else if (given.activation == HEDDLE_CUDA_GELU_TANH)
          sum = 0.5 * sum * (1 + std::tanh(std::sqrt(2 / M_PI) * (sum + 0.044715 * sum * sum * sum)));
        expected[static_cast<size_t>(at * out.batch + i * out.row + j)] = sum;
      }
  double worst = 0;
  for (int64_t i = 0; i < results.count(); ++i)
    worst = std::max(worst, std::abs(results.data<double>()[i] - expected[static_cast<size_t>(i)]) /
                                (1 + std::abs(expected[static_cast<size_t>(i)])));
  CHECK(worst <= (given.activation == HEDDLE_CUDA_GELU_TANH ? 1e-6 : 0));
}

} // namespace

TEST_CASE("products in every type and orientation", "[cuda]") {
  for (DType type : {DType::f64, DType::f32, DType::bf16, DType::f16})
    for (bool transposeA : {false, true})
      for (bool transposeB : {false, true})
        checkCase({type, type == DType::f64 ? DType::f64 : DType::f32, transposeA, transposeB});
  checkCase({DType::bf16, DType::bf16});
  checkCase({DType::f16, DType::f16, true, true});
}

TEST_CASE("products with a bias, an activation, a residual and a shared factor", "[cuda]") {
  const DType f32 = DType::f32;
  for (bool transposeB : {false, true}) {
    checkCase({f32, f32, false, transposeB, true});
    checkCase({f32, f32, false, transposeB, true, true});
    checkCase({f32, f32, true, transposeB, true, false, 0, HEDDLE_CUDA_RELU});
    checkCase({f32, f32, false, transposeB, false, false, 0, HEDDLE_CUDA_GELU_TANH});
    checkCase({f32, f32, false, transposeB, false, true, 0.5f});
  }
}

TEST_CASE("products that round their factors to TF32", "[cuda]") {
  checkCase({.type = DType::f32, .outType = DType::f32, .tf32 = true}); // small whole numbers are exact
}

TEST_CASE("what cuBLASLt has no algorithm for is refused when the program is loaded", "[cuda]") {
  heddle_cuda_matmul_t problem{};
  problem.m = problem.k = problem.row_a = 4;
  problem.n = problem.row_b = problem.row_out = 777;
  problem.batch = 2;
  problem.type = problem.out_type = HEDDLE_F32;
  const Failed failed = failureOf([&] { load(problem); });
  CHECK(failed.status == HEDDLE_INTERNAL);
  CHECK(failed.message ==
        "cuBLASLt cannot multiply f32[4, 4] by f32[4, 777], 2 times: CUBLAS_STATUS_NOT_SUPPORTED");
  problem.type = HEDDLE_I32;
  CHECK(failureOf([&] { load(problem); }).message == "cuBLASLt is not used for i32");
  // Without elements there is nothing to choose.
  problem.m = 0;
  heddle_cuda_function_free(load(problem));
}

TEST_CASE("cuBLASLt is found, or the reason is told", "[cuda]") {
  CHECK(heddle_cuda_has_matmul(0) == 1);
  heddle_cuda_device_t info;
  REQUIRE(heddle_cuda_device(0, &info) == HEDDLE_OK);
  CHECK(info.has_matmul == 1);
  setenv("HEDDLE_CUBLASLT", "/nowhere/libcublasLt.so.13", 1);
  CHECK(heddle_cuda_has_matmul(1) == 0);
  CHECK(
      std::string(heddle_last_error()) ==
      "cuBLASLt cannot be used: /nowhere/libcublasLt.so.13: cannot open shared object file: No such file or "
      "directory\n"
      "hint: install CUDA's library package (libcublas) or Python's nvidia-cublas, or name the file in "
      "HEDDLE_CUBLASLT");
}
