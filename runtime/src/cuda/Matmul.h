// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Dense products by cuBLASLt, which is opened at the first use.
#pragma once

#include "cuda/Device.h"

#include <memory>

namespace heddle::runtime::cuda {

/// One product with its algorithm, chosen when it is made: calls allocate nothing and may be captured.
class Product {
public:
  /// Throws Failure where cuBLASLt is missing or refuses the product.
  static std::unique_ptr<Product> create(Device &device, const heddle_cuda_matmul_t &problem);
  virtual ~Product() = default;

  /// For profiles: "cuBLASLt_8x64x16_over_32_f32", eight products of 64 x 32 by 32 x 16.
  const std::string name;

  struct Operands {
    const void *a, *b, *c, *bias;
    void *out, *workspace;
  };
  virtual void enqueue(const Operands &operands, CUstream stream) const = 0;

protected:
  explicit Product(const heddle_cuda_matmul_t &problem);
};

} // namespace heddle::runtime::cuda
