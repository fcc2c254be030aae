// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The entry point that libFuzzer calls.

#include "FilesHarness.h"

#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const heddle::fuzz::Outcome outcome = heddle::fuzz::checkReaders(data, size);
  if (!outcome.broken.empty()) {
    std::fprintf(stderr, "%s\n", outcome.broken.c_str());
    std::abort();
  }
  return 0;
}
