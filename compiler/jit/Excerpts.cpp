//===- Excerpts.cpp - Source lines for messages of passes and runs --------===//

#include "compiler/jit/Excerpts.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace heddle::jit {

namespace {

struct Place {
  std::string file;
  size_t line = 0, column = 0, end = 0; ///< `end`: where the message goes on after `file:line:col: `
};

/// The number that ends before `end` and follows a colon; `end` moves to the colon.
std::optional<size_t> numberBefore(const std::string &text, size_t &end) {
  size_t colon = end == 0 ? std::string::npos : text.rfind(':', end - 1);
  size_t value = 0;
  if (colon == std::string::npos || colon + 1 == end)
    return std::nullopt;
  auto [used, error] = std::from_chars(text.data() + colon + 1, text.data() + end, value);
  if (error != std::errc() || used != text.data() + end)
    return std::nullopt;
  end = colon;
  return value;
}

/// A place at the beginning of the first line; names of files may hold colons.
std::optional<Place> placeOf(const std::string &message) {
  size_t lineEnd = std::min(message.find('\n'), message.size());
  for (size_t at = message.find(": "); at < lineEnd; at = message.find(": ", at + 1)) {
    Place place;
    size_t end = at;
    std::optional<size_t> column = numberBefore(message, end);
    std::optional<size_t> line = column ? numberBefore(message, end) : std::nullopt;
    if (!line || end == 0)
      continue;
    return Place{message.substr(0, end), *line, *column, at + 2};
  }
  return std::nullopt;
}

bool startsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

} // namespace

Excerpts::Excerpts(const frontend::Program &program) {
  for (const auto &module : program.modules)
    if (module->source)
      texts.emplace(module->source->name(), module->source->text());
}

std::string Excerpts::show(const std::string &message) const {
  std::optional<Place> place = placeOf(message);
  if (!place)
    return message;
  size_t lineEnd = std::min(message.find('\n'), message.size());
  std::string shown = message.substr(0, place->end);
  if (message.compare(place->end, 7, "error: ") != 0)
    shown += "error: ";
  shown += message.substr(place->end, lineEnd - place->end);
  auto text = texts.find(place->file);
  if (text == texts.end())
    return shown + message.substr(lineEnd);
  frontend::Source source(place->file, text->second);
  size_t begin = 0;
  for (size_t line = 1; line < place->line && begin < text->second.size(); ++line)
    begin = std::min(text->second.find('\n', begin), text->second.size() - 1) + 1;
  std::string_view line = source.lineAt(static_cast<uint32_t>(std::min(begin, text->second.size())));
  size_t at = 0;
  for (size_t column = 1; column < place->column && at < line.size(); ++column)
    do
      ++at;
    while (at < line.size() && !startsCharacter(line[at]));
  frontend::Diagnostics excerpt;
  uint32_t offset = static_cast<uint32_t>(begin + at);
  excerpt.error({&source, offset, offset + 1}, "");
  std::string lines = excerpt.str();
  while (!lines.empty() && lines.back() == '\n')
    lines.pop_back();
  return shown + lines.substr(lines.find('\n')) + message.substr(lineEnd);
}

bool hasPlace(const std::string &message) { return placeOf(message).has_value(); }

} // namespace heddle::jit
