// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// A host process that brings another copy of LLVM's OpenMP runtime, as PyTorch does, is not ended by ours:
// unit-runtime-second-openmp COPY_OF_LIBOMP. A program of its own, since the runtimes look for each other
// only when they start.

#include <heddle/runtime.h>

#include <atomic>
#include <cstdio>
#include <dlfcn.h>

int main(int argc, char **argv) {
  void *copy = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!copy) {
    std::printf("cannot open the copy: %s\n", argc == 2 ? dlerror() : "no path was given");
    return 1;
  }
  auto maxThreads = reinterpret_cast<int (*)()>(dlsym(copy, "omp_get_max_threads"));
  auto setThreads = reinterpret_cast<void (*)(int)>(dlsym(copy, "omp_set_num_threads"));
  if (!maxThreads || !setThreads) {
    std::printf("the copy has no OpenMP functions\n");
    return 1;
  }
  // The call starts the copy; its setting must not reach ours, or they would be one library and prove
  // nothing.
  setThreads(3);
  heddle_set_num_threads(2);
  std::atomic<int> sum{0};
  heddle_parallel_for([](void *args, int64_t begin,
                         int64_t end) { *static_cast<std::atomic<int> *>(args) += int(end - begin); },
                      &sum, 100, 7);
  heddle_set_num_threads(0);
  std::printf("the copy uses %d threads, ours %d, the sum is %d\n", maxThreads(), heddle_num_threads(),
              sum.load());
  return maxThreads() == 3 && sum == 100 ? 0 : 1;
}
