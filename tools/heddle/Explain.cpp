//===- Explain.cpp - heddle explain ---------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"

namespace heddle::tool {

int explain(const EntryOptions &) { return 1; }

} // namespace heddle::tool
