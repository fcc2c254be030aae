// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Writing whole or not at all, and paths that are no files.

#include "Support.h"

#include <heddle/io.hpp>

#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

using namespace heddle;
using testing::failureOf;
using testing::Folder;
using testing::readFile;
using testing::writeFile;

namespace {
/// Lets this process write at most so many bytes into a file, as on a full disk, until the end of the test.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit now{bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before); }

private:
  rlimit before;
};

mode_t modeOf(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}
} // namespace

TEST_CASE("bytes are written as they are", "[files]") {
  Folder folder;
  const std::string path = folder / "a.bin", bytes("a\0b\n", 4);
  save_file(path, bytes);
  CHECK(readFile(path) == bytes);
  save_file(path, "");
  CHECK(readFile(path).empty());
  const auto failed = failureOf([&] { save_file(folder / "none/a.bin", bytes); }, folder / "none/a.bin");
  CHECK(failed.status == HEDDLE_NOT_FOUND);
  CHECK(failed.message == "cannot write 'FILE': No such file or directory\nhint: its folder does not exist");
  save_file("/dev/null", bytes);
  CHECK(failureOf([&] { save_file("/dev/full", bytes); }).message ==
        "cannot write '/dev/full': No space left on device");
  CHECK(heddle_file_save(path.c_str(), nullptr, 3) == HEDDLE_INVALID_ARGUMENT);
  CHECK(heddle_file_save(path.c_str(), bytes.data(), -1) == HEDDLE_INVALID_ARGUMENT);
}

TEST_CASE("a write that fails midway leaves the old file and nothing else", "[files]") {
  Folder folder;
  const std::string npy = folder / "a.npy", safetensors = folder / "a.safetensors";
  save_npy(npy, Tensor::scalar(1.0f));
  save_safetensors(safetensors, {{"a", Tensor::scalar(1.0f)}});
  const std::string oldNpy = readFile(npy), oldSafetensors = readFile(safetensors);
  const Tensor large = Tensor::zeros({100000}, DType::f32);
  {
    FileSizeLimit limit(4096); // the header fits, the elements do not
    const auto failed = failureOf([&] { save_npy(npy, large); }, npy);
    CHECK(failed.status == HEDDLE_IO_ERROR);
    CHECK(failed.message == "cannot write 'FILE': File too large");
    CHECK(failureOf([&] { save_safetensors(safetensors, {{"a", large}}); }, safetensors).message ==
          "cannot write 'FILE': File too large");
    CHECK(failureOf([&] { save_npy(folder / "new.npy", large); }).status == HEDDLE_IO_ERROR);
    CHECK(failureOf([&] { save_file(npy, std::string(5000, 'x')); }).status == HEDDLE_IO_ERROR);
  }
  CHECK(readFile(npy) == oldNpy);
  CHECK(readFile(safetensors) == oldSafetensors);
  CHECK(folder.names().size() == 2);
}

TEST_CASE("a file is replaced with its mode kept, through a link", "[files]") {
  Folder folder;
  const std::string real = folder / "real.npy", link = folder / "link.npy";
  save_npy(real, Tensor::scalar(1.0f));
  chmod(real.c_str(), 0640);
  std::filesystem::create_symlink("real.npy", link);
  save_npy(link, Tensor::scalar(2.0f));
  CHECK(std::filesystem::is_symlink(link));
  CHECK(load_npy(real).item<float>() == 2);
  CHECK(modeOf(real) == 0640);
  CHECK(folder.names().size() == 2);
}

TEST_CASE("a new file has the mode that the process gives to files", "[files]") {
  Folder folder;
  const mode_t before = umask(027);
  save_npy(folder / "a.npy", Tensor::scalar(1.0f));
  umask(before);
  CHECK(modeOf(folder / "a.npy") == 0640);
}

TEST_CASE("paths in the working folder need no folder name", "[files]") {
  save_npy("here.npy", Tensor::scalar(3.0f));
  CHECK(load_npy("here.npy").item<float>() == 3);
  std::filesystem::remove("here.npy");
}

TEST_CASE("places that cannot be written are refused", "[files]") {
  Folder folder;
  const Tensor one = Tensor::scalar(1.0f);
  const std::string absent = folder / "no/such/a.npy";
  auto failed = failureOf([&] { save_npy(absent, one); }, absent);
  CHECK(failed.status == HEDDLE_NOT_FOUND);
  CHECK(failed.message == "cannot write 'FILE': No such file or directory\nhint: its folder does not exist");
  const std::string directory = folder / "";
  CHECK(failureOf([&] { save_npy(directory, one); }, directory).message ==
        "cannot write 'FILE': it is a directory");
  CHECK(failureOf([&] { save_npy("/dev/null", one); }).message ==
        "cannot write '/dev/null': it is not a regular file");
  CHECK(failureOf([&] { save_safetensors("", {{"a", one}}); }).status != HEDDLE_OK);
}

TEST_CASE("paths that are no regular files are refused on reading", "[files]") {
  Folder folder;
  const std::string directory = folder / "", pipe = folder / "pipe", absent = folder / "absent";
  CHECK(failureOf([&] { load_npy(directory); }, directory).message ==
        "cannot read 'FILE': it is a directory");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(failureOf([&] { load_npy(pipe); }, pipe).message == "cannot read 'FILE': it is not a regular file");
  CHECK(failureOf([&] { load_safetensors("/dev/zero"); }).message ==
        "cannot read '/dev/zero': it is not a regular file");
  const auto failed = failureOf([&] { load_safetensors(absent); }, absent);
  CHECK(failed.status == HEDDLE_NOT_FOUND);
  CHECK(failed.message == "cannot open 'FILE': No such file or directory");
}

TEST_CASE("memory that a file needs and the limit refuses is an error", "[files]") {
  Folder folder;
  save_npy(folder / "a.npy", Tensor::zeros({1000}, DType::f64));
  heddle_memory_stats_t stats;
  heddle_memory_stats(&stats);
  heddle_memory_set_limit(stats.current_bytes + 4000);
  const auto failed = failureOf([&] { load_npy(folder / "a.npy"); });
  heddle_memory_set_limit(0);
  CHECK(failed.status == HEDDLE_OUT_OF_MEMORY);
}
