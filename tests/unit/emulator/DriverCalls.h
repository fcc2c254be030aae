// The functions of the emulated driver, for tests that call them.
#pragma once

#include "compiler/conversion/GPUToPTX/EmulatedDevice.h"
#include "runtime/src/cuda/DriverApi.h"

using namespace heddle::runtime::cuda;

#define HEDDLE_TEST_DECLARE(name, parameters) extern "C" CUresult name parameters;
HEDDLE_CUDA_SYMBOLS(HEDDLE_TEST_DECLARE)
