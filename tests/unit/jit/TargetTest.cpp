// The processors that code is generated for: names, and what a machine may lack.
#include "compiler/jit/Target.h"
#include <catch2/catch.hpp>

using heddle::jit::CpuTarget;
using Names = std::vector<std::string>;

namespace {
/// A machine with these features.
llvm::StringMap<bool> machine(const Names &names) {
  llvm::StringMap<bool> features;
  for (const std::string &name : names)
    features[name] = true;
  return features;
}

const Names second = {"cx16", "popcnt", "sahf", "sse3", "ssse3", "sse4.1", "sse4.2"};
const Names third = {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"};
} // namespace

TEST_CASE("every name is a target and comes back") {
  CHECK(CpuTarget::names() == Names{"native", "x86-64-v2", "x86-64-v3", "x86-64-v4"});
  for (const std::string &name : CpuTarget::names())
    CHECK(CpuTarget::named(name).value().name() == name);
  CHECK(CpuTarget::named("x86-64-v3").value().level == 3);
  for (const char *name : {"", "x86-64-v1", "x86-64-v5", "x86-64", "Native", "haswell"})
    CHECK_FALSE(CpuTarget::named(name).has_value());
}

TEST_CASE("what a machine lacks is named") {
  CHECK(CpuTarget{2}.missing(machine(second)).empty());
  CHECK(CpuTarget{2}.missing(machine({"cx16", "popcnt", "sahf", "sse3", "ssse3"})) ==
        Names{"sse4.1", "sse4.2"});
  CHECK(CpuTarget{3}.missing(machine(second)) == third);
  Names both = second;
  both.insert(both.end(), third.begin(), third.end());
  CHECK(CpuTarget{3}.missing(machine(both)).empty());
  llvm::StringMap<bool> withoutFma = machine(both);
  withoutFma["fma"] = false;
  CHECK(CpuTarget{3}.missing(withoutFma) == Names{"fma"});
  CHECK(CpuTarget{4}.missing(machine(both)) ==
        Names{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
}

TEST_CASE("this machine runs its own code") {
  CHECK(CpuTarget{}.missingHere().empty());
  CHECK(CpuTarget{0}.missing({}).empty());
}
