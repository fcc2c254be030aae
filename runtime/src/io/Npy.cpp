// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// NumPy's .npy: magic, version, header length, a Python dictionary literal, the elements.

#include "core/Tensor.h"
#include "io/Elements.h"
#include "io/File.h"

#include <array>
#include <bit>
#include <cctype>
#include <cstring>
#include <vector>

using namespace heddle::runtime;

static_assert(std::endian::native == std::endian::little,
              "files are little-endian and written without conversion");

namespace {
constexpr char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
/// Far more than any header of one of our types needs; NumPy itself stops at 10000.
constexpr int64_t maxHeaderBytes = 65536;

struct NpyType {
  const char *code; ///< without the byte order
  heddle_dtype_t dtype;
};
constexpr NpyType types[] = {{"f8", HEDDLE_F64}, {"f4", HEDDLE_F32}, {"f2", HEDDLE_F16}, {"i8", HEDDLE_I64},
                             {"i4", HEDDLE_I32}, {"i1", HEDDLE_I8},  {"b1", HEDDLE_BOOL}};

struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// Reads the dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }: its three keys in any
/// order.
class HeaderParser {
public:
  HeaderParser(const InputFile &file, const std::string &text) : file(file), text(text) {}

  Header parse() {
    Header header;
    bool seen[3] = {};
    expect('{');
    while (!take('}')) {
      const std::string key = string();
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0)
        fail("the key '" + key + "' is unknown");
      if (seen[which])
        fail("the key '" + key + "' appears twice");
      seen[which] = true;
      expect(':');
      if (which == 0)
        header.descr = description();
      else if (which == 1)
        header.fortranOrder = boolean();
      else
        header.shape = tuple();
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skipSpace();
    if (at != text.size())
      fail("something follows the dictionary");
    constexpr const char *keys[3] = {"descr", "fortran_order", "shape"};
    for (int i = 0; i < 3; ++i)
      if (!seen[i])
        fail("the key '" + std::string(keys[i]) + "' is missing");
    return header;
  }

private:
  [[noreturn]] void fail(const std::string &what) const {
    file.bad("malformed .npy header at its byte " + std::to_string(at) + ": " + what);
  }
  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r'))
      ++at;
  }
  char peek() {
    skipSpace();
    return at < text.size() ? text[at] : '\0';
  }
  bool take(char c) {
    if (peek() != c)
      return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!take(c))
      fail(std::string("expected '") + c + "'");
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"')
      fail("expected a string");
    const size_t begin = ++at;
    while (at < text.size() && text[at] != quote) {
      // Also keeps control characters and foreign bytes out of our messages.
      if (text[at] < ' ' || text[at] > '~' || text[at] == '\\')
        fail("unexpected character in a string");
      if (++at - begin > 100)
        fail("a string is longer than 100 characters");
    }
    if (at >= text.size())
      fail("a string does not end");
    return text.substr(begin, at++ - begin);
  }
  std::string description() {
    if (peek() == '[')
      file.unsupported("its elements are records with named fields",
                       "save each field as an array of its own: numpy.save(path, array['field'])");
    return string();
  }
  bool boolean() {
    skipSpace();
    for (bool value : {false, true}) {
      const std::string word = value ? "True" : "False";
      if (text.compare(at, word.size(), word) == 0) {
        at += word.size();
        return value;
      }
    }
    fail("expected True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> shape;
    expect('(');
    while (!take(')')) {
      if (shape.size() == HEDDLE_MAX_RANK)
        file.unsupported("it has more than " + std::to_string(HEDDLE_MAX_RANK) + " dimensions");
      shape.push_back(integer());
      if (!take(',')) {
        expect(')');
        // (3) is a number in Python, not a tuple.
        if (shape.size() == 1)
          fail("expected ',' after the only dimension");
        break;
      }
    }
    return shape;
  }
  int64_t integer() {
    if (!std::isdigit(static_cast<unsigned char>(peek())))
      fail("expected an extent of 0 or more");
    int64_t value = 0;
    for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); ++at)
      if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, text[at] - '0', &value))
        fail("an extent is larger than 64 bits can hold");
    if (at < text.size() && text[at] == 'L') // written by Python 2
      ++at;
    return value;
  }

  const InputFile &file;
  const std::string &text;
  size_t at = 0;
};

/// The element type of a description such as "<f4"; `swapped` tells big-endian elements.
heddle_dtype_t elementType(const InputFile &file, const std::string &descr, bool &swapped) {
  std::string code = descr;
  char order = '=';
  if (!code.empty() && std::strchr("<>|=", code[0])) {
    order = code[0];
    code.erase(0, 1);
  }
  if (code == "?")
    code = "b1";
  swapped = order == '>';
  for (const NpyType &type : types)
    if (code == type.code)
      return type.dtype;
  std::string hint =
      "convert it first: numpy.save(path, array.astype('float32')), or to float64, float16, int64, int32, "
      "int8, bool";
  if (code == "V2")
    hint = "this may be bf16, which NumPy does not have: save it widened to float32";
  else if (!code.empty() && code[0] == 'O')
    hint = "it holds Python objects: convert it with array.astype to a type of numbers";
  file.unsupported("Heddle has no element type '" + descr + "'", hint);
}

void swapBytes(char *data, int64_t count, int64_t elementSize) {
  auto swapAll = [&]<typename T>(T, auto swap) {
    for (int64_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, data + i * elementSize, sizeof(T));
      value = swap(value);
      std::memcpy(data + i * elementSize, &value, sizeof(T));
    }
  };
  if (elementSize == 2)
    swapAll(uint16_t(), [](uint16_t v) { return __builtin_bswap16(v); });
  else if (elementSize == 4)
    swapAll(uint32_t(), [](uint32_t v) { return __builtin_bswap32(v); });
  else if (elementSize == 8)
    swapAll(uint64_t(), [](uint64_t v) { return __builtin_bswap64(v); });
}

OwnedTensor load(const InputFile &file) {
  unsigned char start[12] = {};
  const int64_t available = std::min<int64_t>(file.size(), sizeof(start));
  file.read(0, start, available);
  if (available < 10 || std::memcmp(start, magic, sizeof(magic)) != 0)
    file.bad("it is no .npy file: it does not start with the format's magic bytes");
  const int major = start[6], minor = start[7];
  if (major < 1 || major > 3 || minor != 0)
    file.unsupported("it is a .npy file of version " + std::to_string(major) + "." + std::to_string(minor) +
                     ", Heddle reads 1.0, 2.0 and 3.0");
  int64_t headerBytes = start[8] | start[9] << 8;
  const int64_t headerAt = major == 1 ? 10 : 12;
  if (major > 1)
    headerBytes |= static_cast<int64_t>(start[10]) << 16 | static_cast<int64_t>(start[11]) << 24;
  if (available < headerAt || headerBytes > file.size() - headerAt)
    file.bad("its header of " + std::to_string(headerBytes) + " bytes does not fit into the file of " +
             std::to_string(file.size()) + " bytes");
  if (headerBytes > maxHeaderBytes)
    file.unsupported("its header takes " + std::to_string(headerBytes) + " bytes, Heddle reads up to " +
                     std::to_string(maxHeaderBytes));
  std::string text(static_cast<size_t>(headerBytes), '\0');
  file.read(headerAt, text.data(), headerBytes);

  const Header header = HeaderParser(file, text).parse();
  bool swapped = false;
  const heddle_dtype_t dtype = elementType(file, header.descr, swapped);
  const int64_t elementSize = heddle_dtype_size(dtype);
  int64_t count = 0, bytes = 0;
  try {
    bytes = denseBytes(header.shape, elementSize, count);
  } catch (const Failure &failure) {
    file.bad(failure.message);
  }
  const int64_t present = file.size() - headerAt - headerBytes;
  if (present != bytes)
    file.bad("shape " + shapeText(header.shape) + " of " + heddle_dtype_name(dtype) + " needs " +
             std::to_string(bytes) + " bytes, the file holds " + std::to_string(present) +
             " after its header");

  OwnedTensor result = newTensor(dtype, header.shape);
  char *data = static_cast<char *>(result->dl_tensor.data);
  file.read(headerAt + headerBytes, data, bytes);
  if (swapped)
    swapBytes(data, count, elementSize);
  checkElements(file, "", dtype, data, count);
  if (header.fortranOrder && header.shape.size() > 1) {
    std::array<int64_t, HEDDLE_MAX_RANK> strides{};
    int64_t step = 1;
    for (size_t i = 0; i < header.shape.size(); ++i) {
      strides[i] = step;
      step *= std::max<int64_t>(header.shape[i], 1);
    }
    OwnedTensor rows = newTensor(dtype, header.shape);
    gatherStrided(data, strides.data(), header.shape, elementSize, static_cast<char *>(rows->dl_tensor.data));
    result = std::move(rows);
  }
  return result;
}

std::string headerText(const View &view) {
  const char *code = nullptr;
  for (const NpyType &type : types)
    if (type.dtype == view.dtype)
      code = type.code;
  std::string text = "{'descr': '" + std::string(view.elementSize == 1 ? "|" : "<") + code +
                     "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < view.shape.size(); ++i)
    text += std::to_string(view.shape[i]) + (view.shape.size() == 1      ? ","
                                             : i + 1 < view.shape.size() ? ", "
                                                                         : "");
  text += "), }";
  // The elements start at a multiple of 64 bytes; 10 come before the text and a line end closes it.
  text.append((64 - (10 + text.size() + 1) % 64) % 64, ' ');
  return text + '\n';
}
} // namespace

heddle_status_t heddle_npy_load(const char *path, DLManagedTensor **out) {
  return guard([&] {
    requirePointer(path, "the path");
    requireResult(out);
    *out = load(InputFile(path)).release();
  });
}

heddle_status_t heddle_npy_save(const char *path, const DLTensor *tensor) {
  return guard([&] {
    requirePointer(path, "the path");
    OwnedTensor copied;
    View view = onHost(tensor, /*dense=*/false, copied);
    if (view.dtype == HEDDLE_BF16)
      throw Failure(HEDDLE_UNSUPPORTED, "cannot write '" + std::string(path) + "': NumPy has no bf16",
                    "cast the tensor to f32 first, which keeps every value, or write a .safetensors file");
    OwnedTensor dense;
    if (view.strides) {
      dense = newTensor(view.dtype, view.shape);
      gatherStrided(view.data, view.strides, view.shape, view.elementSize,
                    static_cast<char *>(dense->dl_tensor.data));
      view = inspect(&dense->dl_tensor, /*dense=*/true);
    }
    const std::string text = headerText(view);
    OutputFile file(path);
    const unsigned char start[10] = {static_cast<unsigned char>(magic[0]),
                                     'N',
                                     'U',
                                     'M',
                                     'P',
                                     'Y',
                                     1,
                                     0,
                                     static_cast<unsigned char>(text.size() & 0xFF),
                                     static_cast<unsigned char>(text.size() >> 8)};
    file.write(start, sizeof(start));
    file.write(text.data(), static_cast<int64_t>(text.size()));
    file.write(view.data, view.bytes);
    file.commit();
  });
}
