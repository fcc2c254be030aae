// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
