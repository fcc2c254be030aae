// IR from text, to be interpreted. Keeps MLIR's headers out of the tests.
#ifndef HEDDLE_TESTS_UNIT_INTERPRETER_PROGRAM_H
#define HEDDLE_TESTS_UNIT_INTERPRETER_PROGRAM_H

#include "compiler/interpreter/Array.h"

#include <memory>
#include <string>
#include <vector>

class Program {
public:
  using Arrays = std::vector<heddle::interp::Array>;

  /// Parses and verifies; a mistake fails the test.
  explicit Program(const std::string &text);
  ~Program();

  /// What @f returns; an error fails the test.
  Arrays run(Arrays args, bool f64 = false, int64_t maxElements = int64_t(1) << 29);

  /// The error that @f gives, as `line:column: message`; success fails the test.
  std::string error(Arrays args, const std::string &function = "f", bool f64 = false,
                    int64_t maxElements = int64_t(1) << 29);

private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed;
};

#endif
