// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Where tensors lie and functions run.
#ifndef HEDDLE_DEVICE_HPP
#define HEDDLE_DEVICE_HPP

#include <heddle/cuda.h>
#include <heddle/error.hpp>

#include <charconv>
#include <string>

namespace heddle {

/// The processor, or one NVIDIA GPU by its number.
class Device {
public:
  static Device cpu() { return Device(false, 0); }
  /// GPU `index` of those that the process may use (CUDA_VISIBLE_DEVICES). Whether it is there shows at its
  /// first use.
  static Device cuda(int index = 0) { return Device(true, index); }
  /// "cpu", "cuda" or "cuda:1".
  static Device parse(const std::string &text) {
    if (text == "cpu")
      return cpu();
    if (text == "cuda")
      return cuda();
    int index = 0;
    const char *end = text.data() + text.size();
    if (text.rfind("cuda:", 0) == 0)
      if (auto [used, error] = std::from_chars(text.data() + 5, end, index);
          error == std::errc() && used == end && index >= 0)
        return cuda(index);
    throw Error(HEDDLE_INVALID_ARGUMENT, "'" + text + "' is no device",
                "devices are cpu, cuda (which is cuda:0), cuda:1 and so on");
  }

  /// How many GPUs the process may use; 0 where there is no driver or none that will do.
  static int cudaCount() {
    int32_t count = 0;
    return heddle_cuda_device_count(&count) == HEDDLE_OK ? count : 0;
  }

  bool isCpu() const { return !gpu; }
  bool isCuda() const { return gpu; }
  /// The number of a GPU.
  int index() const { return number; }
  std::string str() const { return gpu ? "cuda:" + std::to_string(number) : "cpu"; }
  bool operator==(const Device &) const = default;

  DLDevice toDLPack() const { return {gpu ? kDLCUDA : kDLCPU, number}; }
  /// The device of a tensor that heddle_tensor_check accepts: page-locked memory counts as the CPU's.
  static Device fromDLPack(DLDevice device) {
    return device.device_type == kDLCUDA ? cuda(device.device_id) : cpu();
  }

  /// Waits until a GPU has done all that was asked of it, and throws what went wrong there.
  void synchronize() const {
    if (gpu)
      check(heddle_cuda_synchronize(number));
  }

private:
  Device(bool gpu, int number) : gpu(gpu), number(number) {}

  bool gpu;
  int number;
};

} // namespace heddle

#endif
