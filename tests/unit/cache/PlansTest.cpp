// Measured plans of a device, as text that people can read.
#include "CacheFolder.h"

#include "compiler/cache/Plans.h"

using namespace heddle;
using cache::MeasuredPlan;
using cache::MeasuredPlans;

TEST_CASE("plans are kept by device and operation") {
  CacheFolder folder;
  cache::Store store(folder.path, 0);
  CHECK(cache::readPlans(store, "Some GPU").empty());
  cache::addPlans(store, "Some GPU", {{"product", {"tile=64", "tile=128", 10.5, 12}}});
  CHECK(contentOf(folder.path / "some-gpu.plans") == R"({
  "device": "Some GPU",
  "operations": {
    "product": {
      "microseconds": 10.5,
      "model": "tile=128",
      "model_microseconds": 12,
      "plan": "tile=64"
    }
  }
}
)");
  cache::addPlans(store, "Some GPU", {{"attention", {"block=96", "block=96", 3, 3}}});
  cache::addPlans(store, "Some GPU", {{"product", {"tile=32", "tile=128", 9, 12}}});
  cache::addPlans(store, "Other", {{"product", {"tile=16", "tile=16", 1, 1}}});
  const MeasuredPlans plans = cache::readPlans(store, "Some GPU");
  REQUIRE(plans.size() == 2);
  CHECK(plans.at("product") == MeasuredPlan{"tile=32", "tile=128", 9, 12});
  CHECK(plans.at("attention") == MeasuredPlan{"block=96", "block=96", 3, 3});
  CHECK(cache::readPlans(store, "Other").at("product").plan == "tile=16");
}

TEST_CASE("a damaged file of plans counts as none") {
  CacheFolder folder;
  cache::Store store(folder.path, 0);
  for (const char *text :
       {"", "{", "[]", R"({"operations": 3})", R"({"operations": {"a": {"plan": "x"}}})"}) {
    store.changePlans("gpu", [&](const std::optional<std::string> &) { return std::string(text); });
    MeasuredPlans plans;
    CHECK(complaints([&] { plans = cache::readPlans(store, "GPU"); }) ==
          "heddle: warning: '" + (folder.path / "gpu.plans").string() +
              "' is damaged: plans are chosen by models until it is measured again\n");
    CHECK(plans.empty());
  }
  cache::addPlans(store, "GPU", {{"a", {"x", "y", 1, 2}}});
  CHECK(cache::readPlans(store, "GPU").at("a") == MeasuredPlan{"x", "y", 1, 2});
}
