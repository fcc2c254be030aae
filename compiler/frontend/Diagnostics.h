// Errors for people: collected while a program is read and checked, printed in source order.
#pragma once
#include "compiler/frontend/Source.h"

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace heddle::frontend {

/// One place and what is said about it.
struct Remark {
  Span span;
  std::string message;
};

/// An error with its notes (other places involved) and hints (what would fix it).
class Diagnostic {
public:
  Diagnostic(Span span, std::string message) : main{span, std::move(message)} {}

  Diagnostic &note(Span span, std::string message) {
    notes.push_back({span, std::move(message)});
    return *this;
  }
  Diagnostic &hint(std::string message) {
    hints.push_back(std::move(message));
    return *this;
  }

  Remark main;
  std::vector<Remark> notes;
  /// The instantiations that led here, innermost first; printed after the notes.
  std::vector<Remark> contexts;
  std::vector<std::string> hints;
};

/// Collects diagnostics. References returned by `error` stay valid until the next call of `error`.
class Diagnostics {
public:
  /// Adds an error. The messages start lower case and have no final period.
  Diagnostic &error(Span span, std::string message);

  bool hasErrors() const { return !list.empty(); }
  size_t errorCount() const { return list.size(); }
  /// The diagnostics sorted by file and position, exact repetitions removed.
  std::vector<Diagnostic> sorted() const;

  /// Prints every diagnostic, at most `limit`, then how many were left out.
  void print(std::ostream &out, bool colour = false, size_t limit = 50) const;
  std::string str(size_t limit = 50) const;
  void clear() { list.clear(); }

  /// Notes that are added to every error raised while they are in force: "in `f` with N = 32, called here".
  void pushContext(Span span, std::string message) { contexts.push_back({span, std::move(message)}); }
  void popContext() { contexts.pop_back(); }
  /// Replaces the contexts in force; returns those that were.
  std::vector<Remark> swapContexts(std::vector<Remark> others) {
    std::swap(contexts, others);
    return others;
  }

  /// While silent, errors are counted in `silencedErrors` and otherwise dropped: used to try a reading.
  void setSilent(bool on) { silent = on; }
  bool isSilent() const { return silent; }
  size_t silencedErrors = 0;

private:
  std::vector<Diagnostic> list;
  std::vector<Remark> contexts;
  Diagnostic dropped{Span(), ""};
  bool silent = false;
};

/// Whether to colour what is written to this file descriptor: a terminal, and NO_COLOR is not set.
bool wantsColour(int fileDescriptor);

/// Edit distance where a transposition of neighbours counts one.
unsigned editDistance(std::string_view a, std::string_view b);

/// The candidate nearest to `name`, or an empty string when none is near enough to be a likely slip.
std::string nearest(std::string_view name, const std::vector<std::string> &candidates);

} // namespace heddle::frontend
