// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// HEDDLE_HOT before a function compiles it twice, for plain x86-64 and for x86-64-v3 (AVX2, FMA, F16C); the
// loader picks one. The library as a whole stays at the baseline. Not for templates or inline functions; what
// the function calls must be inlined into it (HEDDLE_INLINE) to profit.
#pragma once

#if defined(__x86_64__) && defined(__clang__) && !__has_feature(address_sanitizer)
#define HEDDLE_HOT __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define HEDDLE_HOT
#endif
#define HEDDLE_INLINE inline __attribute__((always_inline))
