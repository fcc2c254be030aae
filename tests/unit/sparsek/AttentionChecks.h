// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// What passes of attention gave against the formulas in double.
#pragma once

#include "AttentionCase.h"

#include <catch2/catch.hpp>

namespace heddle::tests {

template <cpu::MatmulElement Element>
void checkOutputs(const AttentionCase<Element> &c, double tolerance, double ofLse) {
  CHECK(distance(c.exact(c.o), c.reference.o) <= tolerance);
  CHECK(distance(c.exact(c.lse), c.reference.lse) <= ofLse);
}

template <cpu::MatmulElement Element>
void checkGradients(const AttentionCase<Element> &c, double tolerance) {
  CHECK(distance(c.exact(c.dq), c.reference.dq) <= tolerance);
  CHECK(distance(c.exact(c.dk), c.reference.dk) <= tolerance);
  CHECK(distance(c.exact(c.dv), c.reference.dv) <= tolerance);
  CHECK(distance(c.exact(c.du), c.reference.du) <= tolerance);
  CHECK(distance(c.exact(c.dtau), c.reference.dtau) <= tolerance);
}

} // namespace heddle::tests
