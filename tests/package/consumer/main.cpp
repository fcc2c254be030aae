// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// What a program does that has nothing of Heddle but the installed runtime: tensors, a file, a parallel loop.

#include <heddle/io.hpp>

#include <cstdio>

int main() {
  heddle::Tensor w = heddle::Tensor::zeros({2, 2}, heddle::DType::f32);
  heddle_parallel_for(
      [](void *args, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          static_cast<float *>(args)[i] = static_cast<float>(i);
      },
      w.raw(), w.count(), 1);
  heddle::save_safetensors("consumer.safetensors", {{"w", w}});
  const heddle::Struct loaded = heddle::load_safetensors("consumer.safetensors");
  float sum = 0;
  for (float value : loaded["w"].values<float>())
    sum += value;
  std::printf("w %s sums to %g\n", loaded["w"].str().c_str(), sum);
}
