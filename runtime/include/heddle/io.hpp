// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Reading and writing tensors.
#ifndef HEDDLE_IO_HPP
#define HEDDLE_IO_HPP

#include <heddle/struct.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace heddle {

/// Writes a file, whole or not at all; a device or a pipe in place.
inline void save_file(const std::string &path, const std::string &content) {
  check(heddle_file_save(path.c_str(), content.data(), static_cast<int64_t>(content.size())));
}

/// Reads a .npy file; throws Error as heddle_npy_load reports.
inline Tensor load_npy(const std::string &path) {
  DLManagedTensor *tensor = nullptr;
  check(heddle_npy_load(path.c_str(), &tensor));
  return Tensor::fromDLPack(tensor);
}

/// Writes a .npy file, whole or not at all. bf16 is refused.
inline void save_npy(const std::string &path, const Tensor &tensor) {
  check(heddle_npy_save(path.c_str(), &tensor.view()));
}

/// What NumPy can hold of a tensor: bf16 widened to f32, which keeps every value, other types shared as they
/// are.
inline Tensor widened(const Tensor &tensor) {
  return tensor.dtype() == DType::bf16 ? tensor.cast(DType::f32) : tensor;
}

/// Pairs of strings in a .safetensors file.
using Metadata = std::vector<std::pair<std::string, std::string>>;

namespace detail {
struct FreeArchive {
  void operator()(heddle_archive_t *archive) const { heddle_archive_free(archive); }
};
using ArchivePointer = std::unique_ptr<heddle_archive_t, FreeArchive>;
} // namespace detail

/// Reads a .safetensors file; the leaves are in the order of its header. `metadata`, if given, receives its
/// strings.
inline Struct load_safetensors(const std::string &path, Metadata *metadata = nullptr) {
  heddle_archive_t *loaded = nullptr;
  check(heddle_archive_load(path.c_str(), &loaded));
  const detail::ArchivePointer archive(loaded);
  std::vector<Struct::Leaf> leaves;
  for (int64_t i = 0, n = heddle_archive_size(loaded); i < n; ++i) {
    DLManagedTensor *tensor = nullptr;
    check(heddle_archive_get(loaded, i, &tensor));
    leaves.emplace_back(heddle_archive_name(loaded, i), Tensor::fromDLPack(tensor));
  }
  if (metadata) {
    metadata->clear();
    for (int64_t i = 0, n = heddle_archive_metadata_size(loaded); i < n; ++i)
      metadata->emplace_back(heddle_archive_metadata_key(loaded, i),
                             heddle_archive_metadata_value(loaded, i));
  }
  return Struct::fromLeaves(std::move(leaves));
}

/// Writes a .safetensors file, whole or not at all, in the struct's order.
inline void save_safetensors(const std::string &path, const Struct &tensors, const Metadata &metadata = {}) {
  heddle_archive_t *made = nullptr;
  check(heddle_archive_create(&made));
  const detail::ArchivePointer archive(made);
  for (const auto &[name, tensor] : tensors) {
    DLManagedTensor *shared = tensor.toDLPack();
    if (heddle_status_t status = heddle_archive_add(made, name.c_str(), shared); status != HEDDLE_OK) {
      heddle_tensor_release(shared);
      throw Error(status, heddle_last_error());
    }
  }
  for (const auto &[key, value] : metadata)
    check(heddle_archive_metadata_set(made, key.c_str(), value.c_str()));
  check(heddle_archive_save(made, path.c_str()));
}

} // namespace heddle

#endif
