// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// .safetensors: 8 bytes of header length, a JSON header, the elements of all tensors without gaps.

#include "io/Archive.h"
#include "io/Elements.h"
#include "io/File.h"
#include "io/SafetensorsHeader.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <tuple>

using namespace heddle::runtime;

static_assert(std::endian::native == std::endian::little,
              "files are little-endian and written without conversion");

namespace {
/// The format's own bound.
constexpr int64_t maxHeaderBytes = 100'000'000;

constexpr const char *typeNames[HEDDLE_DTYPE_COUNT] = {"F64", "F32", "BF16", "F16",
                                                       "I64", "I32", "I8",   "BOOL"};

heddle_dtype_t elementType(const InputFile &file, const TensorEntry &entry) {
  for (int i = 0; i < HEDDLE_DTYPE_COUNT; ++i)
    if (entry.dtype == typeNames[i])
      return static_cast<heddle_dtype_t>(i);
  file.unsupported(
      "tensor '" + printable(entry.name) + "': Heddle has no element type '" + printable(entry.dtype) + "'",
      "it reads F64, F32, BF16, F16, I64, I32, I8 and BOOL: convert the tensor before saving it");
}

/// A tensor of the file whose type, shape, size and offsets agree.
struct Planned {
  const TensorEntry *entry;
  heddle_dtype_t dtype;
  int64_t count, begin, end;
};

Planned planTensor(const InputFile &file, const TensorEntry &entry, int64_t dataBytes) {
  const std::string where = "tensor '" + printable(entry.name) + "': ";
  Planned tensor{&entry, elementType(file, entry), 0, 0, 0};
  int64_t bytes = 0;
  try {
    bytes = denseBytes(entry.shape, heddle_dtype_size(tensor.dtype), tensor.count);
  } catch (const Failure &failure) {
    file.bad(where + failure.message);
  }
  if (entry.offsets.size() != 2)
    file.bad(where + "'data_offsets' has " + std::to_string(entry.offsets.size()) + " numbers, expected 2");
  tensor.begin = entry.offsets[0];
  tensor.end = entry.offsets[1];
  const std::string range = "[" + std::to_string(tensor.begin) + ", " + std::to_string(tensor.end) + "]";
  if (tensor.begin > tensor.end || tensor.end > dataBytes)
    file.bad(where + "its offsets " + range + " do not lie in the " + std::to_string(dataBytes) +
             " bytes of data that the file holds");
  if (tensor.end - tensor.begin != bytes)
    file.bad(where + "shape " + shapeText(entry.shape) + " of " + heddle_dtype_name(tensor.dtype) +
             " needs " + std::to_string(bytes) + " bytes, its offsets " + range + " span " +
             std::to_string(tensor.end - tensor.begin));
  return tensor;
}

std::vector<Planned> plan(const InputFile &file, const SafetensorsHeader &header, int64_t dataBytes) {
  std::vector<Planned> tensors;
  tensors.reserve(header.tensors.size());
  for (const TensorEntry &entry : header.tensors)
    tensors.push_back(planTensor(file, entry, dataBytes));

  // Together they must cover the data: no byte twice, none left over.
  std::vector<const Planned *> order;
  order.reserve(tensors.size());
  for (const Planned &tensor : tensors)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const Planned *a, const Planned *b) {
    return std::tuple(a->begin, a->end, a) < std::tuple(b->begin, b->end, b);
  });
  int64_t reached = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i]->begin < reached)
      file.bad("the tensors '" + printable(order[i - 1]->entry->name) + "' and '" +
               printable(order[i]->entry->name) + "' overlap at byte " + std::to_string(order[i]->begin) +
               " of the data");
    if (order[i]->begin > reached)
      break;
    reached = order[i]->end;
  }
  if (reached != dataBytes)
    file.bad("the data at byte " + std::to_string(reached) + " of " + std::to_string(dataBytes) +
             " belong to no tensor");
  return tensors;
}
} // namespace

std::unique_ptr<heddle_archive> heddle::runtime::loadSafetensors(const std::string &path) {
  const InputFile file(path);
  unsigned char prefix[8] = {};
  if (file.size() < 8)
    file.bad("a file of " + std::to_string(file.size()) + " bytes is too short for a .safetensors file");
  file.read(0, prefix, 8);
  uint64_t headerBytes = 0;
  for (int i = 0; i < 8; ++i)
    headerBytes |= static_cast<uint64_t>(prefix[i]) << (8 * i);
  if (headerBytes > static_cast<uint64_t>(maxHeaderBytes))
    file.bad("its header takes " + std::to_string(headerBytes) + " bytes, the format allows " +
                 std::to_string(maxHeaderBytes),
             "is it a .safetensors file?");
  const auto headerSize = static_cast<int64_t>(headerBytes);
  if (headerSize > file.size() - 8)
    file.bad("its header of " + std::to_string(headerSize) + " bytes does not fit into the file of " +
             std::to_string(file.size()) + " bytes");
  std::string text(static_cast<size_t>(headerSize), '\0');
  file.read(8, text.data(), headerSize);
  if (text.empty() || text[0] != '{')
    file.bad("its header does not start with '{'", "is it a .safetensors file?");

  const SafetensorsHeader header = parseSafetensorsHeader(file, text);
  const int64_t dataAt = 8 + headerSize;
  const std::vector<Planned> tensors = plan(file, header, file.size() - dataAt);

  auto archive = std::make_unique<heddle_archive>();
  archive->metadata = header.metadata;
  for (const Planned &tensor : tensors) {
    OwnedTensor owned = newTensor(tensor.dtype, tensor.entry->shape);
    char *data = static_cast<char *>(owned->dl_tensor.data);
    file.read(dataAt + tensor.begin, data, tensor.end - tensor.begin);
    checkElements(file, "tensor '" + printable(tensor.entry->name) + "': ", tensor.dtype, data, tensor.count);
    archive->positions.emplace(tensor.entry->name, static_cast<int64_t>(archive->items.size()));
    archive->items.push_back(
        {tensor.entry->name, std::shared_ptr<DLManagedTensor>(owned.release(), heddle_tensor_release)});
  }
  return archive;
}

void heddle::runtime::saveSafetensors(const heddle_archive &archive, const std::string &path) {
  std::vector<View> views;
  std::vector<size_t> order;
  for (const heddle_archive::Item &item : archive.items) {
    views.push_back(inspect(&item.tensor->dl_tensor, /*dense=*/true));
    order.push_back(order.size());
  }
  // Wide elements first, so that every tensor is aligned to its element: readers that map the file need it.
  // The header keeps the archive's order.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tuple(-views[a].elementSize, a) < std::tuple(-views[b].elementSize, b);
  });
  std::vector<int64_t> begins(views.size());
  int64_t end = 0;
  for (size_t i : order) {
    begins[i] = end;
    end += views[i].bytes;
  }

  auto quoted = [](const std::string &text) { return nlohmann::json(text).dump(); };
  std::string header = "{";
  if (!archive.metadata.empty()) {
    header += quoted(metadataKey) + ":{";
    for (const auto &[key, value] : archive.metadata)
      header += quoted(key) + ":" + quoted(value) + ",";
    header.back() = '}';
    header += ',';
  }
  for (size_t i = 0; i < views.size(); ++i) {
    header += quoted(archive.items[i].name) + ":{\"dtype\":\"" + typeNames[views[i].dtype] + "\",\"shape\":[";
    for (size_t d = 0; d < views[i].shape.size(); ++d)
      header += (d ? "," : "") + std::to_string(views[i].shape[d]);
    header += "],\"data_offsets\":[" + std::to_string(begins[i]) + "," +
              std::to_string(begins[i] + views[i].bytes) + "]},";
  }
  if (header.size() > 1)
    header.pop_back();
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  if (static_cast<int64_t>(header.size()) > maxHeaderBytes)
    throw Failure(HEDDLE_UNSUPPORTED, "cannot write '" + path + "': its header would take " +
                                          std::to_string(header.size()) + " bytes, the format allows " +
                                          std::to_string(maxHeaderBytes));

  OutputFile file(path);
  unsigned char prefix[8];
  for (int i = 0; i < 8; ++i)
    prefix[i] = static_cast<unsigned char>(header.size() >> (8 * i));
  file.write(prefix, 8);
  file.write(header.data(), static_cast<int64_t>(header.size()));
  for (size_t i : order)
    file.write(views[i].data, views[i].bytes);
  file.commit();
}
