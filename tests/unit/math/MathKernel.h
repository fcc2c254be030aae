// A loop over one elementary function, compiled for this process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace heddle::test {

/// What a kernel computes: out[i] = op(x[i]), or op(x[i], y[i]) for powf.
struct MathKernelSpec {
  std::string op;              ///< of the math dialect, `exp`
  std::string element = "f32"; ///< f32, f64, bf16
  int64_t lanes = 0;          ///< 0: scalars in a loop, as the compiler writes kernels; else explicit vectors
  bool expand = true;         ///< false: the C library's functions, for comparison
  bool fused = true;          ///< false: without fused multiply-add
  std::string cpu = "native"; ///< a name of CpuTarget's, which runs here if the kernel is run
};

class MathKernel {
public:
  static constexpr int64_t elements = 8192; ///< of one call; divisible by `lanes`

  /// Throws std::runtime_error when a stage refuses the kernel.
  explicit MathKernel(const MathKernelSpec &spec);
  ~MathKernel();

  /// Buffers of `elements` numbers. `y` is read by functions of two operands.
  void run(const void *x, const void *y, void *out) const;

  const std::string &llvmIR() const; ///< optimised
  const std::string &assembly() const;

private:
  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

/// All of `x` (and `y`) through the kernel, whose element type is T.
template <typename T>
std::vector<T> evaluate(const MathKernel &kernel, std::vector<T> x, std::vector<T> y = {}) {
  size_t count = x.size(), block = MathKernel::elements, padded = (count + block - 1) / block * block;
  x.resize(padded, T(1));
  y.resize(padded, T(1));
  std::vector<T> out(padded);
  for (size_t at = 0; at < padded; at += block)
    kernel.run(x.data() + at, y.data() + at, out.data() + at);
  out.resize(count);
  return out;
}

} // namespace heddle::test
