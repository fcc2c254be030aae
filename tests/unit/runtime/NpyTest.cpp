// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// .npy: every type there and back, what NumPy's other layouts become, and the message for each way a file is
// wrong.

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
/// A file of version `major` with this dictionary, padded as NumPy does.
std::string npy(const std::string &dictionary, const std::string &data, int major = 1) {
  const size_t start = major == 1 ? 10 : 12;
  std::string header = dictionary;
  header.append((64 - (start + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(major);
  bytes += '\0';
  for (size_t i = 0; i < start - 8; ++i)
    bytes += static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

std::string dictionary(const std::string &descr, const std::string &shape,
                       const std::string &fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

template <typename T>
std::string bytesOf(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> elements(const Tensor &tensor) {
  return {tensor.values<T>().begin(), tensor.values<T>().end()};
}

Tensor loadBytes(const std::string &bytes) {
  Folder folder;
  writeFile(folder / "a.npy", bytes);
  return load_npy(folder / "a.npy");
}

/// The message for a file of these bytes, without "cannot read 'FILE': ".
std::string refusal(const std::string &bytes, heddle_status_t status = HEDDLE_BAD_FILE) {
  return testing::refusalOf([](const std::string &path) { load_npy(path); }, "a.npy", bytes, status);
}

std::string headerRefusal(const std::string &text) {
  const std::string prefix = "malformed .npy header at its byte ", message = refusal(npy(text, ""));
  return message.rfind(prefix, 0) == 0 ? message.substr(prefix.size()) : "?? " + message;
}
} // namespace

TEST_CASE("every type but bf16 goes there and back", "[npy]") {
  Folder folder;
  for (DType type : {DType::f64, DType::f32, DType::f16, DType::i64, DType::i32, DType::i8, DType::boolean})
    for (const Shape &shape : {Shape{}, Shape{3}, Shape{2, 3}, Shape{0}, Shape{2, 0, 3}, Shape{1, 2, 3, 1}}) {
      Tensor tensor = Tensor::zeros(shape, type);
      auto *bytes = static_cast<unsigned char *>(tensor.raw());
      for (int64_t i = 0; i < tensor.bytes(); ++i)
        bytes[i] = static_cast<unsigned char>(type == DType::boolean ? i % 2 : 17 * i + 3);
      INFO(tensor.str());
      save_npy(folder / "t.npy", tensor);
      const Tensor back = load_npy(folder / "t.npy");
      CHECK(back.str() == tensor.str());
      CHECK(std::memcmp(back.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes())) == 0);
    }
  CHECK(folder.names() == std::vector<std::string>{"t.npy"});
}

TEST_CASE("files are written as NumPy writes them", "[npy]") {
  Folder folder;
  save_npy(folder / "a.npy", Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}));
  CHECK(readFile(folder / "a.npy") == npy(dictionary("<f4", "(2, 3)"), bytesOf<float>({1, 2, 3, 4, 5, 6})));
  save_npy(folder / "a.npy", Tensor::from<bool>({true}));
  CHECK(readFile(folder / "a.npy") == npy(dictionary("|b1", "(1,)"), "\x01"));
  save_npy(folder / "a.npy", Tensor::scalar(int64_t(7)));
  CHECK(readFile(folder / "a.npy") == npy(dictionary("<i8", "()"), bytesOf<int64_t>({7})));
}

TEST_CASE("strided views are written in row-major order", "[npy]") {
  Folder folder;
  float data[6] = {0, 1, 2, 3, 4, 5};
  int64_t shape[2] = {3, 2}, strides[2] = {1, 3};
  const DLTensor view = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, strides, 0};
  REQUIRE(heddle_npy_save((folder / "a.npy").c_str(), &view) == HEDDLE_OK);
  CHECK(elements<float>(load_npy(folder / "a.npy")) == std::vector<float>{0, 3, 1, 4, 2, 5});
}

TEST_CASE("bf16 is refused on writing and can be widened", "[npy]") {
  Folder folder;
  const std::string path = folder / "a.npy";
  const Tensor tensor = Tensor::full({2}, 1.25, DType::bf16);
  const auto failed = failureOf([&] { save_npy(path, tensor); }, path);
  CHECK(failed.status == HEDDLE_UNSUPPORTED);
  CHECK(failed.message ==
        "cannot write 'FILE': NumPy has no bf16\n"
        "hint: cast the tensor to f32 first, which keeps every value, or write a .safetensors file");
  CHECK(folder.names().empty());
  save_npy(path, widened(tensor));
  CHECK(elements<float>(load_npy(path)) == std::vector<float>{1.25, 1.25});
}

TEST_CASE("versions 1, 2 and 3 are read", "[npy]") {
  for (int major : {1, 2, 3})
    CHECK(elements<int32_t>(loadBytes(npy(dictionary("<i4", "(2,)"), bytesOf<int32_t>({5, -6}), major))) ==
          std::vector<int32_t>{5, -6});
}

TEST_CASE("big-endian and column-major files are converted", "[npy]") {
  CHECK(elements<int32_t>(loadBytes(npy(dictionary(">i4", "(2,)"), {"\0\0\0\1\0\0\1\0", 8}))) ==
        std::vector<int32_t>{1, 256});
  CHECK(elements<double>(loadBytes(npy(dictionary(">f8", "(1,)"), {"\x3F\xF8\0\0\0\0\0\0", 8}))) ==
        std::vector<double>{1.5});
  CHECK(loadBytes(npy(dictionary(">f2", "()"), {"\x3C\0", 2})).item<float>() == 1);
  // 2 by 3 in columns: 1 4 2 5 3 6.
  CHECK(elements<float>(
            loadBytes(npy(dictionary("<f4", "(2, 3)", "True"), bytesOf<float>({1, 4, 2, 5, 3, 6})))) ==
        std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(elements<int32_t>(
            loadBytes(npy(dictionary(">i4", "(2, 2)", "True"), {"\0\0\0\1\0\0\0\3\0\0\0\2\0\0\0\4", 16}))) ==
        std::vector<int32_t>{1, 2, 3, 4});
  CHECK(loadBytes(npy(dictionary("<f4", "(0, 3)", "True"), "")).str() == "f32[0, 3]");
}

TEST_CASE("headers may be spelled differently", "[npy]") {
  const std::string data = bytesOf<float>({1, 2});
  for (const char *text : {"{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f4\"}",
                           "{ 'shape' : ( 2L , ) , 'descr' : '=f4' , "
                           "'fortran_order' : True }",
                           "{'descr':'f4','fortran_order':False,'shape':(1,2)}",
                           "{'descr':'<f4','fortran_order':False,'shape':(1,2,)}"})
    CHECK(elements<float>(loadBytes(npy(text, data))) == std::vector<float>{1, 2});
  CHECK(loadBytes(npy(dictionary("|i1", "(1,)"), "\x05")).item<int32_t>() == 5);
  CHECK(loadBytes(npy(dictionary("?", "(1,)"), "\x01")).str() == "bool[1]");
}

TEST_CASE("types that Heddle lacks are refused with the way out", "[npy]") {
  const std::string convert =
      "\nhint: convert it first: numpy.save(path, array.astype('float32')), or to float64, "
      "float16, int64, int32, int8, bool";
  for (const char *descr : {"<u2", "|u1", "<i2", "<c8", "|S5", "<f16", "<M8[ns]", "", "<"})
    CHECK(refusal(npy(dictionary(descr, "(1,)"), "12345678"), HEDDLE_UNSUPPORTED) ==
          "Heddle has no element type '" + std::string(descr) + "'" + convert);
  CHECK(refusal(npy(dictionary("<V2", "(1,)"), "12"), HEDDLE_UNSUPPORTED) ==
        "Heddle has no element type '<V2'\n"
        "hint: this may be bf16, which NumPy does not have: save it widened to float32");
  CHECK(refusal(npy(dictionary("|O", "(1,)"), "12"), HEDDLE_UNSUPPORTED) ==
        "Heddle has no element type '|O'\n"
        "hint: it holds Python objects: convert it with array.astype to a type of numbers");
  CHECK(refusal(npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234"),
                HEDDLE_UNSUPPORTED) ==
        "its elements are records with named fields\n"
        "hint: save each field as an array of its own: numpy.save(path, array['field'])");
}

TEST_CASE("sizes that disagree are refused", "[npy]") {
  const std::string good = npy(dictionary("<f4", "(2, 3)"), std::string(24, 'x'));
  CHECK(refusal(good.substr(0, good.size() - 1)) ==
        "shape [2, 3] of f32 needs 24 bytes, the file holds 23 after its header");
  CHECK(refusal(good + "y") == "shape [2, 3] of f32 needs 24 bytes, the file holds 25 after its header");
  CHECK(refusal(npy(dictionary("<f8", "(1152921504606846976,)"), "")) ==
        "a tensor of shape [1152921504606846976] is too large to address");
  CHECK(refusal(npy(dictionary("<f8", "(4294967296, 4294967296)"), "")) ==
        "a tensor of shape [4294967296, 4294967296] is too large to address");
  CHECK(refusal(npy(dictionary("|i1", "(1000000000000,)"), "abc")) ==
        "shape [1000000000000] of i8 needs 1000000000000 bytes, the file holds 3 after its header");
  CHECK(refusal(npy(dictionary("<f8", "(0, 4294967296, 4294967296)"), "")) ==
        "a tensor of shape [0, 4294967296, 4294967296] is too large to address");
}

TEST_CASE("a size that lies costs no memory", "[npy]") {
  heddle_memory_stats_t stats;
  heddle_memory_reset_peak();
  heddle_memory_stats(&stats);
  const int64_t before = stats.current_bytes;
  refusal(npy(dictionary("<f8", "(1000000000,)"), "few"));
  heddle_memory_stats(&stats);
  CHECK(stats.peak_bytes == before);
}

TEST_CASE("every truncation is refused", "[npy]") {
  const std::string good = npy(dictionary("<f4", "(3,)"), std::string(12, 'x'));
  for (size_t size = 0; size < good.size(); ++size) {
    const std::string message = refusal(good.substr(0, size));
    INFO(size);
    if (size < 10)
      CHECK(message == "it is no .npy file: it does not start with the format's magic bytes");
    else if (size < 128)
      CHECK(message ==
            "its header of 118 bytes does not fit into the file of " + std::to_string(size) + " bytes");
    else
      CHECK(message == "shape [3] of f32 needs 12 bytes, the file holds " + std::to_string(size - 128) +
                           " after its header");
  }
}

TEST_CASE("foreign and hostile files are refused", "[npy]") {
  CHECK(refusal("PK\3\4 this is a zip file") ==
        "it is no .npy file: it does not start with the format's magic bytes");
  CHECK(refusal(npy(dictionary("<f4", "()"), "1234", 4), HEDDLE_UNSUPPORTED) ==
        "it is a .npy file of version 4.0, Heddle reads 1.0, 2.0 and 3.0");
  CHECK(refusal(std::string("\x93NUMPY\2\0\xFF\xFF\xFF\xFF", 12)) ==
        "its header of 4294967295 bytes does not fit into the file of 12 bytes");
  CHECK(refusal(std::string("\x93NUMPY\2\0\1\0", 10)) ==
        "its header of 1 bytes does not fit into the file of 10 bytes");
  CHECK(refusal(npy(std::string(70000, ' '), "", 2), HEDDLE_UNSUPPORTED) ==
        "its header takes 70004 bytes, Heddle reads up to 65536");
}

TEST_CASE("malformed headers are refused with the place", "[npy]") {
  CHECK(headerRefusal("") == "54: expected '{'");
  CHECK(headerRefusal("{'descr' '<f4'}") == "9: expected ':'");
  CHECK(headerRefusal("{'descr': '<f4', }") == "54: the key 'fortran_order' is missing");
  CHECK(headerRefusal("{'descr': '<f4', 'descr': '<f4'}") == "24: the key 'descr' appears twice");
  CHECK(headerRefusal("{'order': 'C'}") == "8: the key 'order' is unknown");
  CHECK(headerRefusal("{'descr': 4}") == "10: expected a string");
  CHECK(headerRefusal("{'descr': '<f4\\x00'}") == "14: unexpected character in a string");
  CHECK(headerRefusal("{'" + std::string(200, 'k') + "': 1}") ==
        "103: a string is longer than 100 characters");
  CHECK(headerRefusal("{'fortran_order': None}") == "18: expected True or False");
  CHECK(headerRefusal("{'shape': (3)}") == "13: expected ',' after the only dimension");
  CHECK(headerRefusal("{'shape': [3]}") == "10: expected '('");
  CHECK(headerRefusal("{'shape': (-3,)}") == "11: expected an extent of 0 or more");
  CHECK(headerRefusal("{'shape': (3 4)}") == "13: expected ')'");
  CHECK(headerRefusal("{'shape': (9223372036854775808,)}") ==
        "29: an extent is larger than 64 bits can hold");
  CHECK(headerRefusal("{'shape': (2,), 'descr': 'f4', 'fortran_order': False} x") ==
        "55: something follows the dictionary");
  std::string ones;
  for (int i = 0; i < 33; ++i)
    ones += "1, ";
  CHECK(refusal(npy(dictionary("<f4", "(" + ones + ")"), "1234"), HEDDLE_UNSUPPORTED) ==
        "it has more than 32 dimensions");
}

TEST_CASE("bool bytes other than 0 and 1 are refused", "[npy]") {
  CHECK(refusal(npy(dictionary("|b1", "(3,)"), {"\1\0\2", 3})) ==
        "element 2 of a bool tensor is the byte 2, expected 0 or 1");
}
