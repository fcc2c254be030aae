// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.

#include "io/SafetensorsHeader.h"

#include "io/Archive.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_set>

using namespace heddle::runtime;

namespace {
/// Receives the JSON piece by piece, so that repeated keys are seen and wrong structure stops the parser at
/// once.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
public:
  explicit HeaderReader(const InputFile &file) : file(file) {}
  SafetensorsHeader header;

  bool start_object(std::size_t) override {
    if (place == Place::start)
      place = Place::root;
    else if (place == Place::root && currentName == metadataKey)
      place = Place::metadata;
    else if (place == Place::root) {
      place = Place::tensor;
      header.tensors.push_back({currentName, "", {}, {}});
      seenFields = 0;
    } else
      wrong("an object");
    return true;
  }

  bool end_object() override {
    if (place == Place::tensor) {
      constexpr const char *fields[3] = {"dtype", "shape", "data_offsets"};
      for (unsigned i = 0; i < 3; ++i)
        if (!(seenFields & 1u << i))
          file.bad(where() + "the field '" + fields[i] + "' is missing");
    }
    place = place == Place::root ? Place::end : Place::root;
    return true;
  }

  bool key(std::string &text) override {
    if (text.find('\0') != std::string::npos)
      file.bad("a name in its header contains the character zero");
    if (place == Place::root) {
      currentName = text;
      if (!names.insert(text).second)
        file.bad("the name '" + printable(text) + "' appears twice in its header");
    } else if (place == Place::metadata) {
      if (!metadataKeys.insert(text).second)
        file.bad("the metadata key '" + printable(text) + "' appears twice");
      header.metadata.emplace_back(text, "");
    } else {
      field = text == "dtype" ? 0 : text == "shape" ? 1 : text == "data_offsets" ? 2 : 3;
      if (field == 3)
        file.bad(where() + "the field '" + printable(text) + "' is unknown");
      if (seenFields & 1u << field)
        file.bad(where() + "the field '" + text + "' appears twice");
      seenFields |= 1u << field;
    }
    return true;
  }

  bool string(std::string &text) override {
    if (text.find('\0') != std::string::npos)
      file.bad("a string in its header contains the character zero");
    if (place == Place::metadata)
      header.metadata.back().second = text;
    else if (place == Place::tensor && field == 0)
      header.tensors.back().dtype = text;
    else
      wrong("a string");
    return true;
  }

  bool start_array(std::size_t) override {
    if (place != Place::tensor || field == 0)
      wrong("an array");
    place = Place::array;
    return true;
  }

  bool end_array() override {
    place = Place::tensor;
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place != Place::array)
      wrong("a number");
    TensorEntry &tensor = header.tensors.back();
    if (value > static_cast<std::uint64_t>(INT64_MAX))
      file.bad(where() + std::to_string(value) + " is larger than 63 bits can hold");
    std::vector<int64_t> &list = field == 1 ? tensor.shape : tensor.offsets;
    if (field == 1 && list.size() == HEDDLE_MAX_RANK)
      file.unsupported(where() + "it has more than " + std::to_string(HEDDLE_MAX_RANK) + " dimensions");
    if (field == 2 && list.size() == 2)
      file.bad(where() + "'data_offsets' has more than two numbers");
    list.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool number_integer(std::int64_t value) override {
    if (place == Place::array)
      file.bad(where() + "the number " + std::to_string(value) + " is negative");
    wrong("a number");
  }
  bool number_float(double, const std::string &text) override {
    if (place == Place::array)
      file.bad(where() + "'" + printable(text) + "' is no integer that 63 bits can hold");
    wrong("a number");
  }
  bool null() override { wrong("null"); }
  bool boolean(bool) override { wrong("a truth value"); }
  bool binary(nlohmann::json::binary_t &) override { wrong("binary data"); }

  bool parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &) override {
    file.bad("its header is no valid JSON at byte " + std::to_string(position));
  }

private:
  enum class Place { start, root, metadata, tensor, array, end };

  std::string where() const { return "tensor '" + printable(currentName) + "': "; }

  [[noreturn]] void wrong(const char *what) const {
    switch (place) {
    case Place::start:
      file.bad(std::string("its header is ") + what + ", expected an object");
    case Place::metadata:
      file.bad(std::string("its metadata contain ") + what + ", expected strings only");
    case Place::root:
      file.bad("the header has " + std::string(what) + " for the name '" + printable(currentName) +
               "', expected an object");
    case Place::array:
      file.bad(where() + "'" + (field == 1 ? "shape" : "data_offsets") + "' contains " + what +
               ", expected integers only");
    default:
      file.bad(where() + "'" +
               (field == 0   ? "dtype"
                : field == 1 ? "shape"
                             : "data_offsets") +
               "' is " + what + ", expected " + (field == 0 ? "a string" : "an array"));
    }
  }

  const InputFile &file;
  Place place = Place::start;
  std::string currentName;
  std::unordered_set<std::string> names, metadataKeys;
  unsigned field = 0; ///< 0 dtype, 1 shape, 2 data_offsets
  unsigned seenFields = 0;
};
} // namespace

std::string heddle::runtime::printable(const std::string &text) {
  size_t size = std::min<size_t>(text.size(), 100);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
    --size;
  std::string result = text.substr(0, size);
  for (char &c : result)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F)
      c = '?';
  return size < text.size() ? result + "..." : result;
}

SafetensorsHeader heddle::runtime::parseSafetensorsHeader(const InputFile &file, const std::string &text) {
  HeaderReader reader(file);
  nlohmann::json::sax_parse(text, &reader);
  return std::move(reader.header);
}
