// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The CUDA driver as a table of functions, opened at the first use.
#pragma once

#include "core/Failure.h"
#include "cuda/DriverApi.h"

#include <string>

namespace heddle::runtime::cuda {

struct Driver {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define HEDDLE_CUDA_MEMBER(name, parameters) CUresult(*name) parameters = nullptr;
  HEDDLE_CUDA_SYMBOLS(HEDDLE_CUDA_MEMBER)
#undef HEDDLE_CUDA_MEMBER

  int version = 0; ///< of CUDA: 12040 for 12.4
  int devices = 0;

  /// The driver, initialised, with at least one device. Throws Failure with what is missing; the next call
  /// tries again.
  static const Driver &get();
  /// The driver if it was opened before, else null.
  static const Driver *opened() noexcept;

  /// "CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)".
  std::string describe(CUresult result) const;
  /// What a failing call becomes. `what` completes "cannot …": "copy to cuda:0".
  Failure failure(CUresult result, const std::string &what) const;

  void require(CUresult result, const char *what) const {
    if (result != CUDA_SUCCESS) [[unlikely]]
      throw failure(result, what);
  }
};

/// The oldest CUDA whose driver will do.
constexpr int oldestDriver = 12000;
/// "12.4" for 12040.
std::string versionText(int version);
/// What a user without a GPU can do.
constexpr const char *useCpu = "or run on the CPU: Device::cpu(), --device cpu";

} // namespace heddle::runtime::cuda
