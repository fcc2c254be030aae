// A folder for one test, and what the process says on stderr meanwhile.
#pragma once

#include <catch2/catch.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

/// A folder that does not exist yet, and is gone after the test.
struct CacheFolder {
  CacheFolder() {
    static int number = 0;
    path = std::filesystem::absolute("cache-" + std::to_string(getpid()) + "-" + std::to_string(++number));
    std::filesystem::remove_all(path);
  }
  ~CacheFolder() { std::filesystem::remove_all(path); }

  std::filesystem::path path;
};

inline std::string contentOf(const std::filesystem::path &file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// What `action` writes to stderr.
template <typename Action>
std::string complaints(Action action) {
  const std::string file = "complaints-" + std::to_string(getpid());
  std::fflush(stderr);
  const int before = dup(2);
  REQUIRE(std::freopen(file.c_str(), "w", stderr));
  action();
  std::fflush(stderr);
  dup2(before, 2);
  close(before);
  std::string text = contentOf(file);
  std::filesystem::remove(file);
  return text;
}
