// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The oracle itself: against vectors that another implementation made, and its forward mode against its
// reverse.

#include "Configuration.h"

#include <heddle/io.hpp>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <rapidcheck/catch.h>

using namespace heddle;
using namespace heddle::laws;

TEST_CASE("The oracle agrees with the vectors of tests/data/sparsek", "[oracle]") {
  int files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(HEDDLE_SPARSEK_VECTORS)) {
    if (entry.path().extension() != ".safetensors")
      continue;
    ++files;
    INFO(entry.path().filename().string());
    Metadata metadata;
    const Struct c = load_safetensors(entry.path().string(), &metadata);
    std::map<std::string, std::string> attributes(metadata.begin(), metadata.end());
    Attention a;
    const Tensor &q = c["q"], &k = c["k"], &v = c["v"];
    a.sizes = {q.dim(0),
               k.dim(1),
               q.dim(1) / k.dim(1),
               q.dim(2),
               q.dim(3),
               v.dim(3),
               std::stoll(attributes["topk"]),
               std::stoll(attributes["window"])};
    a.scale = std::stod(attributes["scale"]);
    a.gate = attributes["gate"] == "both"    ? Gate::Both
             : attributes["gate"] == "value" ? Gate::Value
                                             : Gate::None;
    a.straightThrough = attributes["estimator"] == "straight_through";
    a.q = numbersOf(q), a.k = numbersOf(k), a.v = numbersOf(v), a.u = numbersOf(c["u"]);
    a.cotangent = numbersOf(c["do"]);
    a.dotQ = a.q, a.dotK = a.k, a.dotV = a.v, a.dotU.assign(a.u.size(), 0.5);
    a.run();
    for (const auto &[result, name] : {std::pair(&a.o, "o"), std::pair(&a.dq, "dq"), std::pair(&a.dk, "dk"),
                                       std::pair(&a.dv, "dv"), std::pair(&a.du, "du")}) {
      INFO(name);
      CHECK(distance(numbersOf(c[name]), *result).excess(1e-9, 1e-14) <= 0);
    }
    Numbers tau, count, end;
    for (const Selection &s : a.selections) {
      tau.insert(tau.end(), s.tau.begin(), s.tau.end());
      count.insert(count.end(), s.count.begin(), s.count.end());
      end.insert(end.end(), s.end.begin(), s.end.end());
    }
    CHECK(count == numbersOf(c["count"].cast(DType::f64)));
    CHECK(end == numbersOf(c["end"].cast(DType::f64)));
    const Numbers expected = numbersOf(c["tau"]);
    for (size_t i = 0; i < tau.size(); ++i)
      CHECK((tau[i] == expected[i] ||
             std::abs(tau[i] - expected[i]) <= 1e-9 * std::max(1.0, std::abs(tau[i]))));
  }
  CHECK(files == 23);
}

TEST_CASE("The oracle's forward mode is the transpose of its reverse mode", "[oracle]") {
  rc::prop("on random configurations", [] {
    const Configuration c = *Configuration::any();
    if (c.holdsNaN())
      return;
    Attention a = c.attention();
    a.run();
    double scale = 0;
    const double forward = inner(a.cotangent, a.dotO.value, scale);
    const double reverse = inner(a.dq.value, a.dotQ, scale) + inner(a.dk.value, a.dotK, scale) +
                           inner(a.dv.value, a.dotV, scale) + inner(a.du.value, a.dotU, scale);
    RC_ASSERT(std::abs(forward - reverse) <= 1e-12 * scale);
  });
}
