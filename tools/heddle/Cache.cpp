//===- Cache.cpp - heddle cache -------------------------------------------===//

#include "tools/heddle/Commands.h"

#include "compiler/cache/Identity.h"
#include "compiler/cache/Store.h"

#include <heddle/error.hpp>

#include <cstdio>
#include <cstdlib>

namespace heddle::tool {

static std::string counted(int64_t number, const char *one) {
  return std::to_string(number) + " " + one + (number == 1 ? "" : "s");
}

static std::string mebibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

int cache(const CacheOptions &options) {
  const std::optional<heddle::cache::Store> store = heddle::cache::Store::fromEnvironment();
  if (!store) {
    const char *named = std::getenv("HEDDLE_CACHE");
    std::printf("off: %s\n", named && *named
                                 ? "HEDDLE_CACHE is 'off'"
                                 : "none of HEDDLE_CACHE, XDG_CACHE_HOME and HOME names a folder");
    return 0;
  }
  if (const std::optional<heddle::cache::Problem> problem = store->problem())
    throw Error(HEDDLE_IO_ERROR, problem->what, problem->hint);
  const heddle::cache::Usage usage = store->usage();
  if (options.clear) {
    store->clear();
    std::printf("removed %s and plans of %s, %s\n", counted(usage.programs, "program").c_str(),
                counted(usage.plans, "device").c_str(),
                mebibytes(usage.programBytes + usage.planBytes).c_str());
    return 0;
  }
  std::printf("%s\n%s, %s of at most %s; measured plans of %s\n", store->folder().c_str(),
              counted(usage.programs, "program").c_str(), mebibytes(usage.programBytes).c_str(),
              mebibytes(store->mostBytes()).c_str(), counted(usage.plans, "device").c_str());
  if (heddle::cache::compilerIdentity().empty())
    std::printf("programs are not kept: this build was linked without --build-id\n");
  return 0;
}

} // namespace heddle::tool
