// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// .safetensors: round trips, the exact bytes, and the message for each way a file is wrong.

#include "Support.h"

#include <heddle/io.hpp>

#include <catch2/catch.hpp>

#include <cstring>

using namespace heddle;
using testing::failureOf;
using testing::Folder;
using testing::readFile;
using testing::writeFile;

namespace {
std::string file(const std::string &header, const std::string &data, int64_t headerBytes = -1) {
  const auto size =
      static_cast<uint64_t>(headerBytes < 0 ? static_cast<int64_t>(header.size()) : headerBytes);
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  return bytes + header + data;
}

/// A header entry of a tensor.
std::string entry(const std::string &name, const std::string &dtype, const std::string &shape,
                  const std::string &offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}";
}

/// The message for a file of these bytes, without "cannot read 'FILE': ".
std::string refusal(const std::string &bytes, heddle_status_t status = HEDDLE_BAD_FILE) {
  return testing::refusalOf([](const std::string &path) { load_safetensors(path); }, "a.safetensors", bytes,
                            status);
}

std::string headerRefusal(const std::string &header, const std::string &data = "") {
  return refusal(file(header, data));
}
} // namespace

TEST_CASE("tensors of every type, their order and metadata come back", "[safetensors]") {
  Folder folder;
  Struct saved;
  for (int i = HEDDLE_DTYPE_COUNT - 1; i >= 0; --i) {
    Tensor tensor = Tensor::zeros({2, 3}, static_cast<DType>(i));
    auto *bytes = static_cast<unsigned char *>(tensor.raw());
    for (int64_t b = 0; b < tensor.bytes(); ++b)
      bytes[b] = static_cast<unsigned char>(tensor.dtype() == DType::boolean ? b % 2 : 31 * b + i);
    saved.add("layer." + std::to_string(i), tensor);
  }
  saved.add("scalar \"é\\", Tensor::scalar(2.5));
  saved.add("none", Tensor::zeros({0, 4}, DType::i8));
  saved.add("", Tensor::scalar(int8_t(1)));
  const Metadata metadata = {{"step", "12"}, {"note", "two\nlines, \"quoted\""}, {"", ""}};
  save_safetensors(folder / "t.safetensors", saved, metadata);

  Metadata loadedMetadata = {{"old", "gone"}};
  const Struct loaded = load_safetensors(folder / "t.safetensors", &loadedMetadata);
  CHECK(loadedMetadata == metadata);
  REQUIRE(loaded.size() == saved.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    CHECK(loaded.leaf(i).first == saved.leaf(i).first);
    const Tensor &a = saved.leaf(i).second, &b = loaded.leaf(i).second;
    CHECK(b.str() == a.str());
    CHECK(std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0);
  }
  CHECK(folder.names() == std::vector<std::string>{"t.safetensors"});
}

TEST_CASE("the bytes are those of the format, wide elements first", "[safetensors]") {
  Folder folder;
  const std::string path = folder / "t.safetensors";
  save_safetensors(path, {{"a", Tensor::scalar(int8_t(5))}, {"b", Tensor::from<float>({1}, {1})}},
                   {{"k", "v"}});
  const std::string header = R"({"__metadata__":{"k":"v"},)" + entry("a", "I8", "[]", "[4,5]") + "," +
                             entry("b", "F32", "[1]", "[0,4]") + "}";
  CHECK(readFile(path) ==
        file(header + std::string((8 - header.size() % 8) % 8, ' '), {"\0\0\x80\x3F\5", 5}));
  save_safetensors(path, {});
  CHECK(readFile(path) == file("{}      ", ""));
  CHECK(load_safetensors(path).empty());
}

TEST_CASE("a file made by others is read", "[safetensors]") {
  Folder folder;
  const std::string path = folder / "t.safetensors";
  // Data in another order than the header, spaces, metadata last, padding after the object.
  writeFile(path, file("{ \"x\" : {\"shape\":[2], \"data_offsets\":[1,3], \"dtype\":\"I8\"}, " +
                           entry("y", "BOOL", "[1,1]", "[0,1]") + ", \"__metadata__\":{}}   ",
                       "\1\7\x09"));
  const Struct loaded = load_safetensors(path);
  CHECK(loaded.leaf(0).first == "x");
  CHECK(loaded["x"].data<int8_t>()[1] == 9);
  CHECK(loaded["y"].item<bool>());
}

TEST_CASE("names that the format cannot hold are refused on writing", "[safetensors]") {
  Folder folder;
  const Tensor one = Tensor::scalar(1.0f);
  auto message = [&](const std::string &name, const Metadata &metadata = {}) {
    return failureOf([&] { save_safetensors(folder / "a", Struct{{name, one}}, metadata); }).message;
  };
  CHECK(message("__metadata__") == "a tensor cannot have the name '__metadata__'");
  CHECK(message("\xC0\x80") == "the tensor's name is not UTF-8");
  CHECK(message("\xED\xA0\x80") == "the tensor's name is not UTF-8");
  CHECK(message("cut \xE2\x82") == "the tensor's name is not UTF-8");
  CHECK(message("a", {{"k\xFF", ""}}) == "the metadata's key is not UTF-8");
  CHECK(message("a", {{"k", "\xF4\x90\x80\x80"}}) == "the metadata's value is not UTF-8");
  CHECK(folder.names().empty());
  save_safetensors(folder / "a", Struct{{"\xF0\x9F\xA7\xB5 \xE2\x82\xAC", one}});
  CHECK(load_safetensors(folder / "a").contains("\xF0\x9F\xA7\xB5 \xE2\x82\xAC"));
}

TEST_CASE("sizes of the header are checked", "[safetensors]") {
  CHECK(refusal("1234567") == "a file of 7 bytes is too short for a .safetensors file");
  CHECK(refusal(file("{}", "", 3)) == "its header of 3 bytes does not fit into the file of 10 bytes");
  CHECK(refusal(file("{}", "", 100000001)) ==
        "its header takes 100000001 bytes, the format allows 100000000\nhint: is it a .safetensors file?");
  CHECK(refusal(std::string(16, '\xFF')) ==
        "its header takes 18446744073709551615 bytes, the format allows 100000000\n"
        "hint: is it a .safetensors file?");
  CHECK(refusal(file("", "")) == "its header does not start with '{'\nhint: is it a .safetensors file?");
  CHECK(refusal(file(" {}", "")) == "its header does not start with '{'\nhint: is it a .safetensors file?");
}

TEST_CASE("what is no JSON is refused with the place", "[safetensors]") {
  CHECK(headerRefusal("{") == "its header is no valid JSON at byte 2");
  CHECK(headerRefusal("{}x") == "its header is no valid JSON at byte 3");
  CHECK(headerRefusal("{\"a\xFF\":1}") == "its header is no valid JSON at byte 4");
  CHECK(headerRefusal("{\"a\":{\"shape\":[1e999]}}") == "its header is no valid JSON at byte 20");
  CHECK(headerRefusal("{\"a\\u0000b\":{}}") == "a name in its header contains the character zero");
}

TEST_CASE("the header's structure is checked", "[safetensors]") {
  CHECK(headerRefusal(R"({"a":3})") == "the header has a number for the name 'a', expected an object");
  CHECK(headerRefusal(R"({"a":[]})") == "the header has an array for the name 'a', expected an object");
  CHECK(headerRefusal(R"({"a":null})") == "the header has null for the name 'a', expected an object");
  CHECK(headerRefusal(R"({"a":{}})") == "tensor 'a': the field 'dtype' is missing");
  CHECK(headerRefusal(R"({"a":{"dtype":"F32","shape":[]}})") ==
        "tensor 'a': the field 'data_offsets' is missing");
  CHECK(headerRefusal(R"({"a":{"dtype":4}})") == "tensor 'a': 'dtype' is a number, expected a string");
  CHECK(headerRefusal(R"({"a":{"shape":"2"}})") == "tensor 'a': 'shape' is a string, expected an array");
  CHECK(headerRefusal(R"({"a":{"shape":{}}})") == "tensor 'a': 'shape' is an object, expected an array");
  CHECK(headerRefusal(R"({"a":{"shape":[[1]]}})") ==
        "tensor 'a': 'shape' contains an array, expected integers only");
  CHECK(headerRefusal(R"({"a":{"shape":[true]}})") ==
        "tensor 'a': 'shape' contains a truth value, expected integers only");
  CHECK(headerRefusal(R"({"a":{"shape":[-1]}})") == "tensor 'a': the number -1 is negative");
  CHECK(headerRefusal(R"({"a":{"shape":[1.5]}})") == "tensor 'a': '1.5' is no integer that 63 bits can hold");
  CHECK(headerRefusal(R"({"a":{"shape":[99999999999999999999]}})") ==
        "tensor 'a': '99999999999999999999' is no integer that 63 bits can hold");
  CHECK(headerRefusal(R"({"a":{"shape":[9223372036854775808]}})") ==
        "tensor 'a': 9223372036854775808 is larger than 63 bits can hold");
  CHECK(headerRefusal(R"({"a":{"size":1}})") == "tensor 'a': the field 'size' is unknown");
  CHECK(headerRefusal(R"({"a":{"dtype":"F32","dtype":"F32"}})") ==
        "tensor 'a': the field 'dtype' appears twice");
  CHECK(headerRefusal(R"({"a":{"data_offsets":[0,1,2]}})") ==
        "tensor 'a': 'data_offsets' has more than two numbers");
  CHECK(headerRefusal("{" + entry("a", "I8", "[]", "[0]") + "}") ==
        "tensor 'a': 'data_offsets' has 1 numbers, expected 2");
  CHECK(headerRefusal("{" + entry("a", "I8", "[]", "[0,1]") + "," + entry("a", "I8", "[]", "[1,2]") + "}",
                      "12") == "the name 'a' appears twice in its header");
  CHECK(headerRefusal(R"({"__metadata__":{"k":1}})") ==
        "its metadata contain a number, expected strings only");
  CHECK(headerRefusal(R"({"__metadata__":{"k":"a","k":"b"}})") == "the metadata key 'k' appears twice");
  CHECK(headerRefusal(R"({"__metadata__":{},"__metadata__":{}})") ==
        "the name '__metadata__' appears twice in its header");
  // Deep nesting ends at the first wrong level.
  CHECK(headerRefusal("{\"a\":" + std::string(100000, '[')) ==
        "the header has an array for the name 'a', expected an object");
}

TEST_CASE("types, shapes, sizes and offsets must agree", "[safetensors]") {
  CHECK(refusal(file("{" + entry("a", "U16", "[1]", "[0,2]") + "}", "12"), HEDDLE_UNSUPPORTED) ==
        "tensor 'a': Heddle has no element type 'U16'\n"
        "hint: it reads F64, F32, BF16, F16, I64, I32, I8 and BOOL: convert the tensor before saving it");
  CHECK(headerRefusal("{" + entry("a", "F32", "[2]", "[0,4]") + "}", "1234") ==
        "tensor 'a': shape [2] of f32 needs 8 bytes, its offsets [0, 4] span 4");
  CHECK(headerRefusal("{" + entry("a", "F32", "[1]", "[0,4]") + "}", "123") ==
        "tensor 'a': its offsets [0, 4] do not lie in the 3 bytes of data that the file holds");
  CHECK(headerRefusal("{" + entry("a", "I8", "[0]", "[3,2]") + "}", "123") ==
        "tensor 'a': its offsets [3, 2] do not lie in the 3 bytes of data that the file holds");
  CHECK(headerRefusal("{" + entry("a", "F64", "[4294967296,4294967296]", "[0,0]") + "}") ==
        "tensor 'a': a tensor of shape [4294967296, 4294967296] is too large to address");
  CHECK(headerRefusal("{" + entry("a", "I8", "[2]", "[0,2]") + "," + entry("b", "I8", "[2]", "[1,3]") + "}",
                      "123") == "the tensors 'a' and 'b' overlap at byte 1 of the data");
  CHECK(headerRefusal("{" + entry("a", "I8", "[1]", "[0,1]") + "," + entry("b", "I8", "[1]", "[2,3]") + "}",
                      "123") == "the data at byte 1 of 3 belong to no tensor");
  CHECK(headerRefusal("{" + entry("a", "I8", "[1]", "[1,2]") + "}", "12") ==
        "the data at byte 0 of 2 belong to no tensor");
  CHECK(headerRefusal("{}", "12") == "the data at byte 0 of 2 belong to no tensor");
  CHECK(headerRefusal("{" + entry("m", "BOOL", "[2]", "[0,2]") + "}", "\1\xFF") ==
        "tensor 'm': element 1 of a bool tensor is the byte 255, expected 0 or 1");
  std::string ones = "[1";
  for (int i = 0; i < 32; ++i)
    ones += ",1";
  CHECK(refusal(file("{" + entry("a", "I8", ones + "]", "[0,1]") + "}", "1"), HEDDLE_UNSUPPORTED) ==
        "tensor 'a': it has more than 32 dimensions");
}

TEST_CASE("hostile names are shortened and made printable", "[safetensors]") {
  CHECK(headerRefusal("{\"" + std::string(5000, 'n') + "\":1}") ==
        "the header has a number for the name '" + std::string(100, 'n') + "...', expected an object");
  CHECK(headerRefusal(R"({"a\u001b[31m\n":1})") ==
        "the header has a number for the name 'a?[31m?', expected an object");
}

TEST_CASE("every truncation of a file is refused and leaks nothing", "[safetensors]") {
  Folder folder;
  const std::string path = folder / "t.safetensors";
  save_safetensors(path, {{"a", Tensor::from<float>({1, 2})}, {"b", Tensor::from<bool>({true})}},
                   {{"k", "v"}});
  const std::string good = readFile(path);
  heddle_memory_stats_t before, after;
  heddle_memory_stats(&before);
  for (size_t size = 0; size < good.size(); ++size) {
    writeFile(path, good.substr(0, size));
    INFO(size);
    CHECK(failureOf([&] { load_safetensors(path); }).status == HEDDLE_BAD_FILE);
  }
  heddle_memory_stats(&after);
  CHECK(after.current_bytes == before.current_bytes);
}
