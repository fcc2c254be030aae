#include "compiler/frontend/Diagnostics.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <ostream>
#include <set>
#include <sstream>
#include <tuple>
#include <unistd.h>

namespace heddle::frontend {

// A runaway elaboration must not fill memory with messages that nobody will read.
static constexpr size_t keptErrors = 1000;
static constexpr size_t keptContexts = 8;

Diagnostic &Diagnostics::error(Span span, std::string message) {
  if (silent || list.size() >= keptErrors) {
    ++silencedErrors;
    dropped = Diagnostic(span, std::move(message));
    return dropped;
  }
  list.emplace_back(span, std::move(message));
  // The innermost instantiation is the nearest cause, so it comes first.
  std::vector<Remark> &kept = list.back().contexts;
  for (auto context = contexts.rbegin(); context != contexts.rend(); ++context)
    if (kept.empty() || !(kept.back().span == context->span && kept.back().message == context->message))
      kept.push_back(*context);
  // Of a long chain the ends matter: what went wrong, and where it began.
  if (kept.size() > keptContexts)
    kept.erase(kept.begin() + keptContexts / 2, kept.end() - keptContexts / 2);
  return list.back();
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  // The position in the list breaks ties, so the order of reporting is kept.
  using Key = std::tuple<std::string_view, uint32_t, size_t>;
  std::vector<Key> keys;
  for (size_t i = 0; i < list.size(); ++i) {
    Span span = list[i].main.span;
    keys.emplace_back(span.source ? std::string_view(span.source->name()) : std::string_view(), span.begin,
                      i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<Diagnostic> result;
  for (const Key &key : keys)
    result.push_back(list[std::get<2>(key)]);
  // The body of a function is checked once per instance; the same words at the same place are one error.
  std::set<std::tuple<const Source *, uint32_t, std::string>> seen;
  std::erase_if(result, [&](const Diagnostic &d) {
    return !seen.emplace(d.main.span.source, d.main.span.begin, d.main.message).second;
  });
  return result;
}

namespace {
struct Style {
  const char *error = "", *note = "", *hint = "", *bold = "", *caret = "", *reset = "";
};

void printPlace(std::ostream &out, const Style &style, Span span) {
  if (!span.valid())
    return;
  LineColumn at = span.source->position(span.begin);
  out << style.bold << span.source->name() << ":" << at.line << ":" << at.column << ": " << style.reset;
}

// Control characters and broken UTF-8 in the line must not reach the terminal.
std::string printable(std::string_view line) {
  std::string result;
  for (size_t i = 0; i < line.size();) {
    unsigned char byte = static_cast<unsigned char>(line[i]);
    if (byte == '\t') {
      result += '\t';
      ++i;
    } else if (byte < 0x20 || byte == 0x7F) {
      result += '?';
      ++i;
    } else if (byte < 0x80) {
      result += line[i++];
    } else {
      size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
      Source piece("", std::string(line.substr(i, length)));
      if (length == 1 || piece.invalidByte() != piece.size()) {
        result += '?';
        ++i;
      } else {
        result += line.substr(i, length);
        i += length;
      }
    }
  }
  return result;
}

unsigned codePoints(std::string_view text) {
  unsigned count = 0;
  for (char c : text)
    count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

void printExcerpt(std::ostream &out, const Style &style, Span span) {
  if (!span.valid())
    return;
  std::string_view line = span.source->lineAt(span.begin);
  uint32_t start = span.source->lineStart(span.begin);
  size_t from = std::min<size_t>(span.begin - start, line.size());
  size_t to = std::clamp<size_t>(span.end - start, from, line.size());
  // Keep minified or hostile lines readable: show a window around the caret.
  constexpr size_t width = 200;
  std::string_view before = line.substr(0, from);
  std::string lead;
  if (before.size() > width / 2) {
    size_t cut = before.size() - width / 2;
    while (cut < before.size() && (static_cast<unsigned char>(before[cut]) & 0xC0) == 0x80)
      ++cut;
    before = before.substr(cut);
    lead = "...";
  }
  std::string_view shown = line.substr(from, std::max(width, size_t(1)));
  out << "  " << lead << printable(before) << printable(shown)
      << (shown.size() < line.size() - from ? "..." : "") << "\n  " << std::string(lead.size(), ' ');
  for (size_t i = 0; i < before.size(); ++i)
    if ((static_cast<unsigned char>(before[i]) & 0xC0) != 0x80)
      out << (before[i] == '\t' ? '\t' : ' ');
  unsigned marks = std::max(1u, codePoints(line.substr(from, std::min(to - from, width))));
  out << style.caret << "^" << std::string(marks - 1, '~') << style.reset << "\n";
}
} // namespace

void Diagnostics::print(std::ostream &out, bool colour, size_t limit) const {
  Style style;
  if (colour)
    style = {"\033[1;31m", "\033[1;36m", "\033[1;32m", "\033[1m", "\033[1;32m", "\033[0m"};
  std::vector<Diagnostic> all = sorted();
  size_t shown = std::min(limit, all.size());
  for (size_t i = 0; i < shown; ++i) {
    const Diagnostic &d = all[i];
    printPlace(out, style, d.main.span);
    out << style.error << "error: " << style.reset << style.bold << d.main.message << style.reset << "\n";
    printExcerpt(out, style, d.main.span);
    for (const std::vector<Remark> *remarks : {&d.notes, &d.contexts}) {
      for (const Remark &note : *remarks) {
        printPlace(out, style, note.span);
        out << style.note << "note: " << style.reset << note.message << "\n";
        printExcerpt(out, style, note.span);
      }
    }
    for (const std::string &hint : d.hints)
      out << style.hint << "hint: " << style.reset << hint << "\n";
  }
  if (shown < all.size())
    out << "and " << all.size() - shown << " more errors\n";
}

std::string Diagnostics::str(size_t limit) const {
  std::ostringstream out;
  print(out, false, limit);
  return out.str();
}

bool wantsColour(int fileDescriptor) {
  const char *refused = std::getenv("NO_COLOR");
  return isatty(fileDescriptor) && !(refused && *refused);
}

unsigned editDistance(std::string_view a, std::string_view b) {
  std::vector<unsigned> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    last[j] = static_cast<unsigned>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<unsigned>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      unsigned change = last[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string nearest(std::string_view name, const std::vector<std::string> &candidates) {
  std::string best;
  // Names beyond this length are not slips of one another, and the distance is quadratic.
  if (name.size() > 64)
    return best;
  unsigned bound = name.size() <= 2 ? 1 : name.size() <= 5 ? 2 : 3;
  unsigned bestDistance = bound + 1;
  for (const std::string &candidate : candidates) {
    if (candidate == name || candidate.size() > 64)
      continue;
    unsigned distance = editDistance(name, candidate);
    // A short name may not be changed altogether: `x` is not a slip of `y`.
    bool sameLetters = std::equal(name.begin(), name.end(), candidate.begin(), candidate.end(),
                                  [](char x, char y) { return std::tolower(x) == std::tolower(y); });
    if (sameLetters)
      distance = 0;
    else if (distance >= name.size() || distance >= candidate.size())
      continue;
    if (distance < bestDistance || (distance == bestDistance && !best.empty() && candidate < best)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

} // namespace heddle::frontend
