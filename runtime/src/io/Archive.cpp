// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The C interface of archives.

#include "io/Archive.h"

using namespace heddle::runtime;

namespace {
/// A tensor handed out by an archive: a view of its own with a share in the elements.
struct Shared {
  DLManagedTensor managed;
  std::shared_ptr<DLManagedTensor> owner;
};

bool inRange(int64_t index, size_t size) { return index >= 0 && index < static_cast<int64_t>(size); }

void requireUtf8(const std::string &text, const char *what) {
  if (!isUtf8(text))
    throw Failure(HEDDLE_INVALID_ARGUMENT, std::string(what) + " is not UTF-8");
}
} // namespace

bool heddle::runtime::isUtf8(const std::string &text) {
  const auto *at = reinterpret_cast<const unsigned char *>(text.data());
  const auto *end = at + text.size();
  while (at < end) {
    const unsigned char lead = *at++;
    if (lead < 0x80)
      continue;
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || end - at < more)
      return false;
    // The second byte excludes longer forms than needed, surrogates, and what lies above U+10FFFF.
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (at[0] < low || at[0] > high)
      return false;
    for (int i = 1; i < more; ++i)
      if ((at[i] & 0xC0) != 0x80)
        return false;
    at += more;
  }
  return true;
}

heddle_status_t heddle_archive_create(heddle_archive_t **out) {
  return guard([&] {
    requireResult(out);
    *out = new heddle_archive;
  });
}

void heddle_archive_free(heddle_archive_t *archive) { delete archive; }

heddle_status_t heddle_archive_load(const char *path, heddle_archive_t **out) {
  return guard([&] {
    requirePointer(path, "the path");
    requireResult(out);
    *out = loadSafetensors(path).release();
  });
}

heddle_status_t heddle_archive_save(const heddle_archive_t *archive, const char *path) {
  return guard([&] {
    requirePointer(archive, "the archive");
    requirePointer(path, "the path");
    saveSafetensors(*archive, path);
  });
}

int64_t heddle_archive_size(const heddle_archive_t *archive) {
  return archive ? static_cast<int64_t>(archive->items.size()) : 0;
}

const char *heddle_archive_name(const heddle_archive_t *archive, int64_t index) {
  return archive && inRange(index, archive->items.size()) ? archive->items[index].name.c_str() : nullptr;
}

int64_t heddle_archive_find(const heddle_archive_t *archive, const char *name) {
  int64_t position = -1;
  guard([&] {
    if (!archive || !name)
      return;
    auto found = archive->positions.find(name);
    position = found == archive->positions.end() ? -1 : found->second;
  });
  return position;
}

heddle_status_t heddle_archive_get(const heddle_archive_t *archive, int64_t index, DLManagedTensor **out) {
  return guard([&] {
    requirePointer(archive, "the archive");
    requireResult(out);
    if (!inRange(index, archive->items.size()))
      throw Failure(HEDDLE_INVALID_ARGUMENT, "there is no tensor " + std::to_string(index) +
                                                 " in an archive of " +
                                                 std::to_string(archive->items.size()));
    auto shared = std::make_unique<Shared>();
    shared->owner = archive->items[index].tensor;
    shared->managed.dl_tensor = shared->owner->dl_tensor;
    shared->managed.manager_ctx = shared.get();
    shared->managed.deleter = [](DLManagedTensor *self) { delete static_cast<Shared *>(self->manager_ctx); };
    *out = &shared.release()->managed;
  });
}

heddle_status_t heddle_archive_add(heddle_archive_t *archive, const char *name, DLManagedTensor *tensor) {
  return guard([&] {
    requirePointer(archive, "the archive");
    requirePointer(name, "the name");
    requirePointer(tensor, "the tensor");
    const std::string text = name;
    requireUtf8(text, "the tensor's name");
    if (text == metadataKey)
      throw Failure(HEDDLE_INVALID_ARGUMENT, "a tensor cannot have the name '" + text + "'");
    if (archive->positions.count(text))
      throw Failure(HEDDLE_INVALID_ARGUMENT, "the archive already has a tensor '" + text + "'");
    OwnedTensor copied;
    onHost(&tensor->dl_tensor, /*dense=*/true, copied);
    // The archive owns the tensor once nothing can fail any more: until then `held` is null.
    std::shared_ptr<DLManagedTensor *> held(new DLManagedTensor *(nullptr), [](DLManagedTensor **slot) {
      heddle_tensor_release(*slot);
      delete slot;
    });
    DLManagedTensor *kept = copied ? copied.get() : tensor;
    archive->items.push_back({text, std::shared_ptr<DLManagedTensor>(held, kept)});
    try {
      archive->positions.emplace(text, static_cast<int64_t>(archive->items.size()) - 1);
    } catch (...) {
      archive->items.pop_back();
      throw;
    }
    *held = kept;
    if (copied.release())
      heddle_tensor_release(tensor);
  });
}

int64_t heddle_archive_metadata_size(const heddle_archive_t *archive) {
  return archive ? static_cast<int64_t>(archive->metadata.size()) : 0;
}

const char *heddle_archive_metadata_key(const heddle_archive_t *archive, int64_t index) {
  return archive && inRange(index, archive->metadata.size()) ? archive->metadata[index].first.c_str()
                                                             : nullptr;
}

const char *heddle_archive_metadata_value(const heddle_archive_t *archive, int64_t index) {
  return archive && inRange(index, archive->metadata.size()) ? archive->metadata[index].second.c_str()
                                                             : nullptr;
}

heddle_status_t heddle_archive_metadata_set(heddle_archive_t *archive, const char *key, const char *value) {
  return guard([&] {
    requirePointer(archive, "the archive");
    requirePointer(key, "the key");
    requirePointer(value, "the value");
    requireUtf8(key, "the metadata's key");
    requireUtf8(value, "the metadata's value");
    for (auto &[known, text] : archive->metadata)
      if (known == key) {
        text = value;
        return;
      }
    archive->metadata.emplace_back(key, value);
  });
}
