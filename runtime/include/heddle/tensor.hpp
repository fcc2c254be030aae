// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Dense tensors with shared ownership, on the CPU or a GPU.
#ifndef HEDDLE_TENSOR_HPP
#define HEDDLE_TENSOR_HPP

#include <heddle/device.hpp>
#include <heddle/dtype.hpp>

#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace heddle {

using Shape = std::vector<int64_t>;

/// "f32[2, 3]", or "f32" for a scalar.
inline std::string typeText(DType type, std::span<const int64_t> shape) {
  std::string text = name(type);
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "[") + std::to_string(shape[i]);
  return shape.empty() ? text : text + "]";
}

/// A row-major tensor without gaps. Copying a Tensor shares its elements; clone() copies them. A default-made
/// Tensor is empty: it has no type and only defined() may be asked. Failures throw Error.
///
/// Elements on a GPU are read after `.to(Device::cpu())`. All work on one GPU happens in the order in which
/// it was asked for, so a tensor may be used while it is still computed.
class Tensor {
public:
  Tensor() = default;

  /// Uninitialised elements.
  static Tensor empty(const Shape &shape, DType type, Device device = Device::cpu()) {
    DLManagedTensor *made = nullptr;
    check(heddle_tensor_create_on(toC(type), static_cast<int32_t>(shape.size()), shape.data(),
                                  device.toDLPack(), &made));
    return Tensor(made);
  }
  static Tensor zeros(const Shape &shape, DType type) {
    Tensor tensor = empty(shape, type);
    if (tensor.bytes() > 0)
      std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.bytes()));
    return tensor;
  }
  /// Every element is `value`, converted to `type`.
  template <typename T>
  static Tensor full(const Shape &shape, T value, DType type) {
    const Tensor one = scalar(value, type);
    Tensor tensor = empty(shape, type);
    const auto step = static_cast<size_t>(size(type));
    char *to = static_cast<char *>(tensor.raw());
    for (int64_t i = 0; i < tensor.count(); ++i)
      std::memcpy(to + static_cast<size_t>(i) * step, one.raw(), step);
    return tensor;
  }
  /// The values in row-major order; their number must be the shape's. T gives the element type.
  template <typename T>
  static Tensor from(const std::vector<T> &values, const Shape &shape) {
    Tensor tensor = empty(shape, dtypeOf<T>());
    if (tensor.count() != static_cast<int64_t>(values.size()))
      throw Error(HEDDLE_INVALID_ARGUMENT, std::to_string(values.size()) + " values were given for " +
                                               tensor.str() + " of " + std::to_string(tensor.count()));
    T *to = tensor.data<T>();
    for (size_t i = 0; i < values.size(); ++i)
      to[i] = values[i];
    return tensor;
  }
  /// The same for a list of one dimension.
  template <typename T>
  static Tensor from(const std::vector<T> &values) {
    return from(values, {static_cast<int64_t>(values.size())});
  }
  /// A rank-0 tensor of the value's own type.
  template <typename T>
  static Tensor scalar(T value) {
    Tensor tensor = empty({}, dtypeOf<T>());
    *tensor.data<T>() = value;
    return tensor;
  }
  template <typename T>
  static Tensor scalar(T value, DType type) {
    return scalar(value).cast(type);
  }

  /// Takes over a DLPack tensor without copying; it must be dense, on the CPU or a GPU (heddle_tensor_check).
  /// What fills a tensor on a GPU must be done, or be on the legacy default stream. On failure the caller
  /// still owns it.
  static Tensor fromDLPack(DLManagedTensor *tensor) {
    if (!tensor)
      throw Error(HEDDLE_INVALID_ARGUMENT, "the DLPack tensor is a null pointer");
    check(heddle_tensor_check(&tensor->dl_tensor));
    return Tensor(tensor);
  }
  /// Uses memory of the host, or of a GPU, without copying; `keepAlive` is held as long as the elements are
  /// used.
  static Tensor borrow(void *data, const Shape &shape, DType type, std::shared_ptr<void> keepAlive = nullptr,
                       Device device = Device::cpu()) {
    auto view = std::make_shared<Borrowed>();
    view->shape = shape;
    view->keepAlive = std::move(keepAlive);
    view->managed.dl_tensor = {data,
                               device.toDLPack(),
                               static_cast<int>(shape.size()),
                               heddle_dtype_to_dlpack(toC(type)),
                               view->shape.data(),
                               nullptr,
                               0};
    check(heddle_tensor_check(&view->managed.dl_tensor));
    Tensor tensor;
    tensor.owner = std::shared_ptr<DLManagedTensor>(view, &view->managed);
    return tensor;
  }

  bool defined() const { return owner != nullptr; }
  /// Whether the elements were allocated by the runtime for this tensor, and are not a host's, a file's or
  /// those of the tensor that this one is a view of.
  bool ownsElements() const { return heddle_tensor_owns(required().get()) != 0; }
  /// How many tensors, views and DLPack exports hold this tensor's elements, itself included.
  int64_t holders() const { return owner.use_count(); }
  /// Whether both are handles of one tensor.
  bool isSame(const Tensor &other) const { return owner == other.owner; }

  /// A new DLPack tensor that shares the elements; its holder calls its deleter once. On a GPU, work on the
  /// legacy default stream sees finished elements; other streams wait for heddle_cuda_stream or
  /// Device::synchronize first.
  DLManagedTensor *toDLPack() const {
    auto shared = std::make_unique<Exported>();
    shared->owner = required();
    shared->managed.dl_tensor = view();
    shared->managed.manager_ctx = shared.get();
    shared->managed.deleter = [](DLManagedTensor *self) {
      delete static_cast<Exported *>(self->manager_ctx);
    };
    return &shared.release()->managed;
  }
  /// The DLPack view, valid as long as this tensor.
  const DLTensor &view() const { return required()->dl_tensor; }

  DType dtype() const {
    heddle_dtype_t type;
    check(heddle_dtype_from_dlpack(view().dtype, &type));
    return static_cast<DType>(type);
  }
  Device device() const { return Device::fromDLPack(view().device); }
  int64_t rank() const { return view().ndim; }
  /// Valid as long as this tensor, so not for a temporary.
  std::span<const int64_t> shape() const & { return {view().shape, static_cast<size_t>(view().ndim)}; }
  std::span<const int64_t> shape() const && = delete;
  /// The extent of a dimension; negative numbers count from the last.
  int64_t dim(int64_t axis) const {
    const int64_t at = axis < 0 ? axis + rank() : axis;
    if (at < 0 || at >= rank())
      throw Error(HEDDLE_INVALID_ARGUMENT, "there is no dimension " + std::to_string(axis) + " in " + str());
    return view().shape[at];
  }
  int64_t count() const {
    int64_t product = 1;
    for (int64_t extent : shape())
      product *= extent;
    return product;
  }
  int64_t bytes() const { return count() * size(dtype()); }
  /// "f32[2, 3]".
  std::string str() const { return typeText(dtype(), shape()); }

  /// The address of the first element, on whatever device it lies.
  void *raw() const { return static_cast<char *>(view().data) + view().byte_offset; }
  /// The elements; T must be how dtype() is stored: double, float, BF16, F16, int64_t, int32_t, int8_t or
  /// bool.
  template <typename T>
  T *data() const {
    if (dtypeOf<T>() != dtype())
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "the elements of " + str() + " cannot be read as " + name(dtypeOf<T>()),
                  "convert them with cast");
    if (device().isCuda())
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "the elements of " + str() + " lie on " + device().str() +
                      ", where the host cannot read them",
                  "copy them with .to(Device::cpu())");
    return static_cast<T *>(raw());
  }
  /// The elements as a range.
  template <typename T>
  std::span<T> values() const {
    return {data<T>(), static_cast<size_t>(count())};
  }

  /// This tensor where it already lies on the device, else a copy there. A copy to the CPU waits for what
  /// computes the elements.
  Tensor to(Device target) const {
    if (device() == target)
      return *this;
    DLManagedTensor *made = nullptr;
    check(heddle_tensor_to(&view(), target.toDLPack(), &made));
    return Tensor(made);
  }
  /// A copy on the same device.
  Tensor clone() const { return cast(dtype()); }
  /// A new tensor on the same device with the elements converted as heddle_tensor_cast says.
  Tensor cast(DType type) const {
    DLManagedTensor *made = nullptr;
    check(heddle_tensor_cast(&view(), toC(type), &made));
    return Tensor(made);
  }
  /// The same elements, shared, under another shape of equal count.
  Tensor reshape(const Shape &shape) const {
    Tensor tensor = borrow(raw(), shape, dtype(), owner, device());
    if (tensor.count() != count())
      throw Error(HEDDLE_INVALID_ARGUMENT, str() + " cannot take the shape of " + tensor.str());
    return tensor;
  }
  /// The only element, converted to T; it is copied from a GPU.
  template <typename T>
  T item() const {
    if (count() != 1)
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  str() + " has " + std::to_string(count()) + " elements, expected one");
    const Tensor here = to(Device::cpu());
    return dtypeOf<T>() == dtype() ? *here.data<T>() : *here.cast(dtypeOf<T>()).template data<T>();
  }

private:
  struct Borrowed {
    DLManagedTensor managed{};
    Shape shape;
    std::shared_ptr<void> keepAlive;
  };
  struct Exported {
    DLManagedTensor managed{};
    std::shared_ptr<DLManagedTensor> owner;
  };

  explicit Tensor(DLManagedTensor *tensor) : owner(tensor, heddle_tensor_release) {}
  const std::shared_ptr<DLManagedTensor> &required() const {
    if (!owner)
      throw Error(HEDDLE_INVALID_ARGUMENT,
                  "the tensor is empty: nothing was assigned to it, or it was donated to a call");
    return owner;
  }

  std::shared_ptr<DLManagedTensor> owner;
};

} // namespace heddle

#endif
