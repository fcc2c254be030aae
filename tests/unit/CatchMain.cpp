// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <cstdlib>

int main(int argc, char **argv) {
  // Nothing that an earlier run compiled; tests of the cache name folders of their own.
  setenv("HEDDLE_CACHE", "off", 1);
  unsetenv("HEDDLE_CACHE_LIMIT");
  return Catch::Session().run(argc, argv);
}
