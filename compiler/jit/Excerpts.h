//===- Excerpts.h - Source lines for messages of passes and runs -*- C++ -*-===//
#pragma once

#include "compiler/frontend/Program.h"

#include <map>
#include <string>

namespace heddle::jit {

/// The texts of a program's files: what shows the place of a message once the program itself is gone.
class Excerpts {
public:
  explicit Excerpts(const frontend::Program &program);

  /// A message that begins with `file:line:col: ` as the front end prints its own: with `error: ` and, under
  /// its first line, the source line and a caret. Any other message as it is.
  std::string show(const std::string &message) const;

private:
  std::map<std::string, std::string> texts;
};

/// Whether a message begins with a place in a file, and so needs no name of a command before it.
bool hasPlace(const std::string &message);

} // namespace heddle::jit
