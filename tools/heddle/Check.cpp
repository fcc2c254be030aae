//===- Check.cpp - heddle check -------------------------------------------===//

#include "tools/heddle/Commands.h"
#include "tools/heddle/Entry.h"

#include <cstdio>

namespace heddle::tool {

int check(const std::vector<std::string> &files) {
  int status = 0;
  for (const std::string &file : files) {
    try {
      loadChecked(file);
    } catch (const Error &error) {
      complain(error.what());
      status = 1;
    }
  }
  return status;
}

} // namespace heddle::tool
