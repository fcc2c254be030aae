//===- Identity.cpp - Which build of the compiler this is -----------------===//

#include "compiler/cache/Identity.h"

#include <elf.h>
#include <link.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace {

struct Search {
  std::string own, others;
};

std::string_view buildId(const dl_phdr_info &object) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = object.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE)
      continue;
    const char *at = reinterpret_cast<const char *>(object.dlpi_addr + segment.p_vaddr); // NOLINT
    const char *end = at + segment.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char *name = at + sizeof note, *content = name + (note.n_namesz + 3) / 4 * 4;
      if (note.n_type == NT_GNU_BUILD_ID &&
          std::string_view(name, note.n_namesz) == std::string_view("GNU", 4))
        return {content, note.n_descsz};
      at = content + (note.n_descsz + 3) / 4 * 4;
    }
  }
  return {};
}

bool holds(const dl_phdr_info &object, uintptr_t address) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = object.dlpi_phdr[i];
    const uintptr_t begin = object.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && begin <= address && address < begin + segment.p_memsz)
      return true;
  }
  return false;
}

int visit(dl_phdr_info *object, size_t, void *data) {
  auto &search = *static_cast<Search *>(data);
  std::string_view path = object->dlpi_name;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (holds(*object, reinterpret_cast<uintptr_t>(&visit)))
    search.own = buildId(*object);
  else if (name.starts_with("libLLVM") || name.starts_with("libMLIR") || name.starts_with("libheddle"))
    search.others += buildId(*object);
  return 0;
}

} // namespace

const std::string &heddle::cache::compilerIdentity() {
  static const std::string identity = [] {
    Search search;
    dl_iterate_phdr(&visit, &search);
    return search.own.empty() ? "" : search.own + search.others;
  }();
  return identity;
}
