// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The exception of the C++ interface.
#ifndef HEDDLE_ERROR_HPP
#define HEDDLE_ERROR_HPP

#include <heddle/runtime.h>

#include <stdexcept>
#include <string>

namespace heddle {

/// What every failing function of the C++ interface throws: a status and a message (one line, or diagnostics
/// of a program; possibly a last line "hint: ...").
class Error : public std::runtime_error {
public:
  Error(heddle_status_t status, const std::string &message) : std::runtime_error(message), code(status) {}
  Error(heddle_status_t status, const std::string &message, const std::string &hint)
      : Error(status, message + "\nhint: " + hint) {}

  heddle_status_t status() const noexcept { return code; }

private:
  heddle_status_t code;
};

/// Throws what a function of the C interface reported, unless it is HEDDLE_OK.
inline void check(heddle_status_t status) {
  if (status != HEDDLE_OK)
    throw Error(status, heddle_last_error());
}

} // namespace heddle

#endif
