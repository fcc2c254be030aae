// Tensors on a GPU, with the stub driver.

#include "StubDriver.h"
#include "Support.h"

#include <heddle/cache.hpp>
#include <heddle/io.hpp>

#include <catch2/catch.hpp>

using namespace heddle;
using namespace testing;

namespace {

const Device gpu = Device::cuda(0);

Tensor ramp(const Shape &shape) {
  Tensor tensor = Tensor::empty(shape, DType::f32);
  for (int64_t i = 0; i < tensor.count(); ++i)
    tensor.data<float>()[i] = static_cast<float>(i);
  return tensor;
}

std::vector<float> elements(const Tensor &tensor) {
  const Tensor here = tensor.to(Device::cpu());
  return {here.values<float>().begin(), here.values<float>().end()};
}

heddle_memory_stats_t stats(int device = 0) {
  heddle_memory_stats_t result;
  check(heddle_cuda_memory_stats(device, &result));
  return result;
}

} // namespace

TEST_CASE("devices are written and read as text", "[cuda]") {
  CHECK(Device::cpu().str() == "cpu");
  CHECK(Device::parse("cuda") == Device::cuda(0));
  CHECK(Device::parse("cuda:3") == Device::cuda(3));
  CHECK(Device::parse("cpu").isCpu());
  CHECK(Device::cuda(3).str() == "cuda:3");
  for (const char *text : {"gpu", "cuda:", "cuda:-1", "cuda:1x", "cuda:99999999999"})
    CHECK(failureOf([&] { Device::parse(text); }).message ==
          "'" + std::string(text) +
              "' is no device\nhint: devices are cpu, cuda (which is cuda:0), cuda:1 and so on");
}

TEST_CASE("the device describes itself", "[cuda]") {
  heddle_cuda_device_t info;
  REQUIRE(heddle_cuda_device(0, &info) == HEDDLE_OK);
  CHECK(std::string(info.name) == "Stub GPU");
  CHECK(info.major == 9);
  CHECK(info.driver_version == 12040);
  CHECK(info.multiprocessors == 4);
  CHECK(info.shared_bytes == 232448);
  CHECK(info.memory_bytes == 1 << 30);
  CHECK(info.emulated == 0);
  CHECK(heddle_cuda_device(-1, &info) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) ==
        "there is no device cuda:-1: this process may use 2 GPUs, cuda:0 to cuda:1");
}

TEST_CASE("tensors go to a GPU and come back", "[cuda]") {
  const int64_t before = stats().live_allocations;
  {
    const Tensor host = ramp({3, 5}), there = host.to(gpu);
    CHECK(there.device() == gpu);
    CHECK(there.str() == "f32[3, 5]");
    CHECK(there.raw() != host.raw());
    CHECK(stats().live_allocations == before + 1);
    CHECK(elements(there) == elements(host));
    // Where it lies already it is shared.
    CHECK(there.to(gpu).isSame(there));
    CHECK(host.to(Device::cpu()).isSame(host));
    const Tensor copy = there.clone();
    CHECK(copy.device() == gpu);
    CHECK(copy.raw() != there.raw());
    CHECK(elements(copy) == elements(host));
    CHECK(there.ownsElements());
    const Tensor shaped = there.reshape({15});
    CHECK(shaped.device() == gpu);
    CHECK(!shaped.ownsElements());
    CHECK(shaped.raw() == there.raw());
    CHECK(elements(shaped)[14] == 14);
    // The other GPU.
    const Tensor other = there.to(Device::cuda(1));
    CHECK(other.device() == Device::cuda(1));
    CHECK(elements(other) == elements(host));
    CHECK(stats(1).current_bytes == 60);
  }
  CHECK(stats().live_allocations == before);
  CHECK(stats(1).current_bytes == 0);
}

TEST_CASE("tensors without elements and scalars", "[cuda]") {
  const Tensor none = Tensor::empty({0, 3}, DType::f32).to(gpu);
  CHECK(none.device() == gpu);
  CHECK(none.to(Device::cpu()).count() == 0);
  const Tensor one = Tensor::scalar(2.5f).to(gpu);
  CHECK(one.item<float>() == 2.5f);
  CHECK(one.item<double>() == 2.5);
}

TEST_CASE("the host is told how to read elements of a GPU", "[cuda]") {
  const Tensor there = ramp({2}).to(gpu);
  const std::string hint = "\nhint: copy them with .to(Device::cpu())";
  CHECK(failureOf([&] { there.data<float>(); }).message ==
        "the elements of f32[2] lie on cuda:0, where the host cannot read them" + hint);
  CHECK(failureOf([&] { there.values<float>(); }).message ==
        "the elements of f32[2] lie on cuda:0, where the host cannot read them" + hint);
}

TEST_CASE("a cast on a GPU stays there", "[cuda]") {
  const Tensor there = ramp({4}).to(gpu).cast(DType::i64);
  CHECK(there.device() == gpu);
  CHECK(there.str() == "i64[4]");
  CHECK(there.to(Device::cpu()).values<int64_t>()[3] == 3);
}

TEST_CASE("DLPack tensors of a GPU come in and go out without copies", "[cuda]") {
  const Tensor there = ramp({2, 3}).to(gpu);
  DLManagedTensor *shared = there.toDLPack();
  CHECK(shared->dl_tensor.device.device_type == kDLCUDA);
  CHECK(shared->dl_tensor.device.device_id == 0);
  const Tensor back = Tensor::fromDLPack(shared);
  CHECK(back.raw() == there.raw());
  CHECK(back.device() == gpu);
  CHECK(!back.ownsElements());
  CHECK(there.holders() == 2);
  const Tensor borrowed = Tensor::borrow(there.raw(), {6}, DType::f32, nullptr, gpu);
  CHECK(elements(borrowed) == elements(there));
}

TEST_CASE("strided views of a GPU are copied row-major", "[cuda]") {
  const Tensor there = ramp({2, 3}).to(gpu);
  int64_t shape[2] = {3, 2}, strides[2] = {1, 3};
  DLTensor view = there.view();
  view.shape = shape;
  view.strides = strides;
  CHECK(heddle_tensor_check(&view) == HEDDLE_UNSUPPORTED);
  CHECK(heddle_tensor_count(&view) == 6);
  const std::vector<float> transposed = {0, 3, 1, 4, 2, 5};
  for (DLDevice device : {DLDevice{kDLCPU, 0}, DLDevice{kDLCUDA, 0}, DLDevice{kDLCUDA, 1}}) {
    DLManagedTensor *copy = nullptr;
    REQUIRE(heddle_tensor_to(&view, device, &copy) == HEDDLE_OK);
    const Tensor tensor = Tensor::fromDLPack(copy);
    CHECK(tensor.device() == Device::fromDLPack(device));
    CHECK(elements(tensor) == transposed);
  }
  // Backwards, and cast.
  strides[0] = -1;
  view.byte_offset = 8;
  DLManagedTensor *cast = nullptr;
  REQUIRE(heddle_tensor_cast(&view, HEDDLE_F64, &cast) == HEDDLE_OK);
  const Tensor tensor = Tensor::fromDLPack(cast);
  CHECK(tensor.device() == gpu);
  CHECK(elements(tensor.cast(DType::f32)) == std::vector<float>{2, 5, 1, 4, 0, 3});
}

TEST_CASE("elements are copied between views on all devices", "[cuda]") {
  const Tensor host = ramp({2, 2}), a = Tensor::empty({2, 2}, DType::f32, gpu),
               b = Tensor::empty({2, 2}, DType::f32, Device::cuda(1)),
               back = Tensor::zeros({2, 2}, DType::f32);
  REQUIRE(heddle_tensor_copy(&host.view(), &a.view()) == HEDDLE_OK);
  REQUIRE(heddle_tensor_copy(&a.view(), &b.view()) == HEDDLE_OK);
  REQUIRE(heddle_tensor_copy(&b.view(), &back.view()) == HEDDLE_OK);
  CHECK(elements(back) == elements(host));
  int64_t strides[2] = {1, 2};
  DLTensor turned = host.view();
  turned.strides = strides;
  REQUIRE(heddle_tensor_copy(&turned, &a.view()) == HEDDLE_OK);
  CHECK(elements(a) == std::vector<float>{0, 2, 1, 3});
  DLTensor there = a.view();
  there.strides = strides;
  REQUIRE(heddle_tensor_copy(&there, &back.view()) == HEDDLE_OK);
  CHECK(elements(back) == elements(host));
  CHECK(heddle_tensor_copy(&host.view(), &there) == HEDDLE_UNSUPPORTED);
  CHECK(std::string(heddle_last_error()) == "cannot copy into a view on cuda:0 that is not row-major");
}

TEST_CASE("files take tensors of a GPU", "[cuda]") {
  Folder folder;
  const Tensor there = ramp({2, 3}).to(gpu);
  save_npy(folder / "x.npy", there);
  CHECK(elements(load_npy(folder / "x.npy")) == elements(there));
  save_safetensors(folder / "x.safetensors", {{"x", there}, {"y", Tensor::scalar(1.0f)}});
  const Struct loaded = load_safetensors(folder / "x.safetensors");
  CHECK(elements(loaded["x"]) == elements(there));
  CHECK(there.holders() == 1);
  CHECK(loaded.to(gpu)["y"].device() == gpu);
}

TEST_CASE("a cache on a GPU grows there", "[cuda]") {
  Struct cache = {{"live", ramp({2, 2})}, {"count", Tensor::from<int32_t>({2, 1})}};
  cache = cache.to(gpu);
  CHECK(cache_room(cache) == 0);
  CHECK(reserve_cache(cache, 1));
  CHECK(cache["live"].device() == gpu);
  CHECK(elements(cache["live"]) == std::vector<float>{0, 1, 0, 0, 2, 3, 0, 0});
}

TEST_CASE("memory of a GPU runs out with a message, and comes back", "[cuda]") {
  stub::Control &control = heddle_stub_control;
  const int64_t used = control.usedMemory;
  control.memory = 64 << 20;
  const Tensor some = Tensor::empty({24 << 20}, DType::i8, gpu);
  const Failed failed = failureOf([] { Tensor::empty({11 << 20}, DType::f32, gpu); });
  CHECK(failed.status == HEDDLE_OUT_OF_MEMORY);
  CHECK(failed.message ==
        "cannot allocate 44 MiB on cuda:0: 40 MiB of 64 MiB are free, and tensors of this process "
        "take 24 MiB\n"
        "hint: let go of tensors on the GPU, or make the problem smaller");
  control.memory = 1 << 30;
  CHECK(stats().current_bytes == 24 << 20);
  CHECK(control.usedMemory == used + (24 << 20));
  REQUIRE(heddle_cuda_memory_reset_peak(0) == HEDDLE_OK);
  Tensor::empty({1 << 20}, DType::i8, gpu);
  CHECK(stats().peak_bytes == 25 << 20);
  CHECK(heddle_cuda_trim(0) == HEDDLE_OK);
}

TEST_CASE("what fails on the way is reported", "[cuda]") {
  stub::Control &control = heddle_stub_control;
  control.failing = "cuMemcpyHtoDAsync_v2";
  control.result = runtime::cuda::CUDA_ERROR_UNKNOWN;
  const int64_t before = stats().live_allocations;
  CHECK(failureOf([] { ramp({2}).to(gpu); }).message == "cannot copy to the GPU: CUDA_ERROR_UNKNOWN (stub)");
  CHECK(stats().live_allocations == before);
  control.failing = "cuStreamSynchronize";
  control.result = runtime::cuda::CUDA_ERROR_ILLEGAL_ADDRESS;
  CHECK(failureOf([] { gpu.synchronize(); }).message ==
        "cannot finish the work on the GPU: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was "
        "encountered)\n"
        "hint: a kernel failed, and this process cannot use the GPU any more; this is a defect of Heddle: "
        "please "
        "report it with the program");
  control.failing = nullptr;
  gpu.synchronize();
  Device::cpu().synchronize();
}
