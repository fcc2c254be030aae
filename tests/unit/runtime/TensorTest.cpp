// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// heddle::Tensor and heddle::Struct, and DLPack in both directions.

#include "Support.h"

#include <heddle/struct.hpp>

#include <catch2/catch.hpp>

using namespace heddle;
using testing::failureOf;

TEST_CASE("dtypes have the names and sizes of the language", "[dtype]") {
  const std::vector<std::pair<std::string, int64_t>> expected = {
      {"f64", 8}, {"f32", 4}, {"bf16", 2}, {"f16", 2}, {"i64", 8}, {"i32", 4}, {"i8", 1}, {"bool", 1}};
  for (int i = 0; i < HEDDLE_DTYPE_COUNT; ++i) {
    const auto type = static_cast<DType>(i);
    CHECK(name(type) == expected[i].first);
    CHECK(size(type) == expected[i].second);
    CHECK(parseDType(expected[i].first) == type);
    heddle_dtype_t back;
    CHECK(heddle_dtype_from_dlpack(heddle_dtype_to_dlpack(toC(type)), &back) == HEDDLE_OK);
    CHECK(back == toC(type));
  }
  CHECK(heddle_dtype_size(static_cast<heddle_dtype_t>(8)) == 0);
  CHECK(std::string(heddle_dtype_name(static_cast<heddle_dtype_t>(-1))) == "?");
  CHECK(failureOf([] { parseDType("f8"); }).message ==
        "'f8' is no element type\nhint: the types are f64, f32, bf16, f16, i64, i32, i8 and bool");
}

TEST_CASE("foreign DLPack types are refused by name", "[dtype]") {
  auto message = [](uint8_t code, uint8_t bits, uint16_t lanes) {
    heddle_dtype_t type;
    CHECK(heddle_dtype_from_dlpack(DLDataType{code, bits, lanes}, &type) == HEDDLE_UNSUPPORTED);
    const std::string text = heddle_last_error();
    return text.substr(0, text.find('\n'));
  };
  CHECK(message(kDLUInt, 8, 1) == "Heddle has no element type u8");
  CHECK(message(kDLInt, 16, 1) == "Heddle has no element type i16");
  CHECK(message(kDLFloat, 32, 4) == "Heddle has no element type f32x4");
  CHECK(message(5, 64, 1) == "Heddle has no element type complex64");
  CHECK(message(9, 8, 1) == "Heddle has no element type code9_8");
  heddle_dtype_t type;
  CHECK(heddle_dtype_from_dlpack(DLDataType{kDLUInt, 1, 1}, &type) == HEDDLE_OK);
  CHECK(type == HEDDLE_BOOL);
}

TEST_CASE("tensors are made from shapes and values", "[tensor]") {
  const Tensor t = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(t.str() == "f32[2, 3]");
  CHECK(t.rank() == 2);
  CHECK(t.dim(1) == 3);
  CHECK(t.dim(-2) == 2);
  CHECK(t.count() == 6);
  CHECK(t.bytes() == 24);
  CHECK(t.data<float>()[5] == 6);
  CHECK(reinterpret_cast<uintptr_t>(t.raw()) % HEDDLE_ALIGNMENT == 0);

  const Tensor zeros = Tensor::zeros({3}, DType::f32), full = Tensor::full({5}, 1.5, DType::bf16);
  for (float value : zeros.values<float>())
    CHECK(value == 0);
  for (BF16 value : full.values<BF16>())
    CHECK(static_cast<float>(value) == 1.5f);
  CHECK(Tensor::full({2}, true, DType::boolean).values<bool>()[1]);
  CHECK(Tensor::scalar(int64_t(-3)).str() == "i64");
  CHECK(Tensor::zeros({0, 7}, DType::i8).count() == 0);
  CHECK(Tensor::from<bool>({true, false}).str() == "bool[2]");
}

TEST_CASE("copies share, clones do not", "[tensor]") {
  Tensor a = Tensor::from<int32_t>({1, 2});
  Tensor shared = a, cloned = a.clone();
  a.data<int32_t>()[0] = 9;
  CHECK(shared.data<int32_t>()[0] == 9);
  CHECK(cloned.data<int32_t>()[0] == 1);
  Tensor reshaped = a.reshape({2, 1});
  a = Tensor();
  shared = Tensor();
  CHECK(reshaped.str() == "i32[2, 1]");
  CHECK(reshaped.data<int32_t>()[0] == 9);
}

TEST_CASE("items convert", "[tensor]") {
  CHECK(Tensor::scalar(2.75).item<double>() == 2.75);
  CHECK(Tensor::scalar(2.75).item<int32_t>() == 2);
  CHECK(Tensor::full({1, 1}, 0.5, DType::f16).item<float>() == 0.5f);
  CHECK(Tensor::scalar(true).item<double>() == 1.0);
}

TEST_CASE("wrong uses of tensors say what is wrong", "[tensor]") {
  const Tensor t = Tensor::zeros({2, 3}, DType::f32);
  CHECK(failureOf([&] { t.data<double>(); }).message ==
        "the elements of f32[2, 3] cannot be read as f64\nhint: convert them with cast");
  CHECK(failureOf([&] { t.item<float>(); }).message == "f32[2, 3] has 6 elements, expected one");
  CHECK(failureOf([&] { t.dim(2); }).message == "there is no dimension 2 in f32[2, 3]");
  CHECK(failureOf([&] { t.dim(-3); }).message == "there is no dimension -3 in f32[2, 3]");
  CHECK(failureOf([&] { t.reshape({4}); }).message == "f32[2, 3] cannot take the shape of f32[4]");
  CHECK(failureOf([&] { Tensor().count(); }).message ==
        "the tensor is empty: nothing was assigned to it, or it was donated to a call");
  CHECK(failureOf([&] { Tensor::from<float>({1, 2}, {3}); }).message ==
        "2 values were given for f32[3] of 3");
  CHECK(failureOf([&] { Tensor::zeros({4, -1}, DType::f32); }).message ==
        "dimension 1 of shape [4, -1] is negative");
  CHECK(failureOf([&] { Tensor::zeros(Shape(33, 1), DType::f32); }).message ==
        "the rank is 33, expected 0 to 32");
  CHECK(failureOf([&] { Tensor::zeros({int64_t(1) << 40, int64_t(1) << 40}, DType::i8); }).message ==
        "a tensor of shape [1099511627776, 1099511627776] is too large to address");
  // The other extents may not overflow even where one is zero.
  CHECK(failureOf([&] { Tensor::zeros({0, INT64_MAX, 2}, DType::i8); }).status == HEDDLE_INVALID_ARGUMENT);
}

TEST_CASE("DLPack goes out and in without copies", "[dlpack]") {
  heddle_memory_stats_t before, after;
  heddle_memory_stats(&before);
  {
    Tensor a = Tensor::from<float>({1, 2, 3});
    DLManagedTensor *exported = a.toDLPack();
    float *address = a.data<float>();
    a = Tensor();
    Tensor b = Tensor::fromDLPack(exported);
    CHECK(b.data<float>() == address);
    CHECK(b.data<float>()[2] == 3);
  }
  heddle_memory_stats(&after);
  CHECK(after.current_bytes == before.current_bytes);
}

namespace {
/// A foreign tensor on the stack whose deleter counts.
struct Foreign {
  float data[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  int64_t shape[2] = {2, 2};
  int64_t strides[2] = {2, 1};
  int deleted = 0;
  DLManagedTensor managed{};
  Foreign() {
    managed.dl_tensor = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, strides, 4};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor *self) { ++static_cast<Foreign *>(self->manager_ctx)->deleted; };
  }
};
} // namespace

TEST_CASE("foreign tensors are used in place and deleted once", "[dlpack]") {
  Foreign foreign;
  {
    Tensor t = Tensor::fromDLPack(&foreign.managed);
    CHECK(t.data<float>() == foreign.data + 1); // the byte offset counts
    Tensor other = t;
    CHECK(foreign.deleted == 0);
  }
  CHECK(foreign.deleted == 1);
}

TEST_CASE("foreign tensors that an entry cannot use are refused and stay the caller's", "[dlpack]") {
  Foreign foreign;
  auto message = [&] { return failureOf([&] { Tensor::fromDLPack(&foreign.managed); }).message; };
  foreign.strides[0] = 3;
  CHECK(message() == "the view of shape [2, 2] is not row-major: dimension 0 has stride 3, expected 2\n"
                     "hint: copy it with heddle_tensor_cast to its own element type");
  foreign.strides[0] = 2;
  foreign.managed.dl_tensor.byte_offset = 2;
  CHECK(message() == "the data of the f32 tensor are not aligned to 4 bytes");
  foreign.managed.dl_tensor.byte_offset = 0;
  foreign.managed.dl_tensor.device.device_type = kDLVulkan;
  CHECK(message() == "the tensor lies on DLPack device 7, expected the CPU (1) or CUDA (2)\n"
                     "hint: copy it to the CPU first");
  foreign.managed.dl_tensor.device.device_type = kDLCPU;
  foreign.managed.dl_tensor.ndim = -1;
  CHECK(message() == "the rank is -1, expected 0 to 32");
  foreign.managed.dl_tensor.ndim = 2;
  foreign.managed.dl_tensor.data = nullptr;
  CHECK(message() == "the tensor's data is a null pointer");
  foreign.managed.dl_tensor.data = foreign.data;
  foreign.managed.dl_tensor.shape = nullptr;
  CHECK(message() == "the tensor's shape is a null pointer");
  CHECK(failureOf([] { Tensor::fromDLPack(nullptr); }).message == "the DLPack tensor is a null pointer");
  CHECK(foreign.deleted == 0);
}

TEST_CASE("strides of extents of one and of empty tensors do not matter", "[dlpack]") {
  Foreign foreign;
  foreign.shape[0] = 1;
  foreign.strides[0] = 99;
  CHECK(heddle_tensor_check(&foreign.managed.dl_tensor) == HEDDLE_OK);
  foreign.shape[0] = 2;
  foreign.shape[1] = 0;
  foreign.managed.dl_tensor.data = nullptr;
  CHECK(heddle_tensor_check(&foreign.managed.dl_tensor) == HEDDLE_OK);
}

TEST_CASE("strided views are copied element by element", "[dlpack]") {
  Foreign foreign; // elements 1.. with the byte offset; a transposed, then a reversed view
  foreign.strides[0] = 1;
  foreign.strides[1] = 2;
  DLManagedTensor *made = nullptr;
  REQUIRE(heddle_tensor_cast(&foreign.managed.dl_tensor, HEDDLE_F32, &made) == HEDDLE_OK);
  Tensor transposed = Tensor::fromDLPack(made);
  CHECK(std::vector<float>(transposed.values<float>().begin(), transposed.values<float>().end()) ==
        std::vector<float>{1, 3, 2, 4});

  foreign.managed.dl_tensor.byte_offset = 7 * sizeof(float);
  foreign.strides[0] = -4;
  foreign.strides[1] = -1;
  Tensor target = Tensor::zeros({2, 2}, DType::f32);
  REQUIRE(heddle_tensor_copy(&foreign.managed.dl_tensor, &target.view()) == HEDDLE_OK);
  CHECK(std::vector<float>(target.values<float>().begin(), target.values<float>().end()) ==
        std::vector<float>{7, 6, 3, 2});

  Tensor other = Tensor::zeros({4}, DType::f32);
  CHECK(heddle_tensor_copy(&target.view(), &other.view()) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "cannot copy shape [2, 2] to shape [4]");
  Tensor doubles = Tensor::zeros({2, 2}, DType::f64);
  CHECK(heddle_tensor_copy(&target.view(), &doubles.view()) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) ==
        "cannot copy f32 elements to a tensor of f64\nhint: convert them with heddle_tensor_cast");
}

TEST_CASE("host memory is borrowed and kept alive", "[tensor]") {
  auto values = std::make_shared<std::vector<double>>(std::vector<double>{1, 2, 3});
  Tensor t = Tensor::borrow(values->data(), {3}, DType::f64, values);
  CHECK(values.use_count() == 2);
  t.data<double>()[1] = 5;
  CHECK((*values)[1] == 5);
  t = Tensor();
  CHECK(values.use_count() == 1);
}

TEST_CASE("structs keep order and names", "[struct]") {
  const Tensor a = Tensor::scalar(1.0f), b = Tensor::scalar(2.0f);
  Struct p{{"wq", a}, {"layers.w", b}};
  CHECK(p.size() == 2);
  CHECK(p.leaf(1).first == "layers.w");
  CHECK(p["layers.w"].item<float>() == 2);
  CHECK(p.contains("wq"));
  CHECK_FALSE(p.contains("w"));
  CHECK(failureOf([&] { p["wk"]; }).message ==
        "there is no tensor 'wk'\nhint: the struct has 'wq', 'layers.w'");
  CHECK(failureOf([&] { p["wk"]; }).status == HEDDLE_NOT_FOUND);
  CHECK(failureOf([&] { p.leaf(2); }).message == "there is no leaf 2 in a struct of 2");
  CHECK(failureOf([&] { p.add("wq", b); }).message == "the struct already has a tensor 'wq'");
  CHECK(failureOf([&] { Struct::fromLeaves({{"x", a}, {"x", b}}); }).message ==
        "the struct already has a tensor 'x'");
  CHECK(failureOf([&] { p.tensor(); }).message ==
        "a struct of 2 tensors was used as one tensor\n"
        "hint: choose one by its name: the struct has 'wq', 'layers.w'");

  Struct file;
  file.add("params", p);
  file.add("rate", Struct(b));
  CHECK(file.leaf(1).first == "params.layers.w");
  CHECK(file.leaf(2).first == "rate");
  CHECK(file.below("params").leaf(1).first == "layers.w");
  CHECK(file.below("rate").tensor().item<float>() == 2);
  CHECK(file.below("param").empty());

  file.set("rate", a);
  CHECK(file["rate"].item<float>() == 1);
  Struct cloned = p.clone();
  *cloned["wq"].data<float>() = 7;
  CHECK(a.item<float>() == 1);
}

TEST_CASE("a tensor is a struct of one leaf", "[struct]") {
  const std::vector<Struct> arguments = {Tensor::scalar(3.0), Struct{{"w", Tensor::scalar(4.0)}}};
  CHECK(arguments[0].leaf(0).first == "");
  const Tensor t = arguments[0];
  CHECK(t.item<double>() == 3);
  CHECK(arguments[1].tensor().item<double>() == 4);
}
