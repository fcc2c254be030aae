// The folder of the cache: what is kept, what is refused, what is removed, and other processes.
#include "CacheFolder.h"

#include "compiler/cache/Bytes.h"
#include "compiler/cache/Identity.h"
#include "compiler/cache/Store.h"

#include <heddle/error.hpp>

#include <chrono>
#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace heddle;
using cache::Store;
namespace fs = std::filesystem;

static constexpr int64_t head = 17 + 64; ///< bytes of a file before its content

static fs::path fileOf(const CacheFolder &folder, const std::string &key) {
  return folder.path / (key + Store::programSuffix);
}

static void overwrite(const fs::path &file, const std::string &content) {
  std::ofstream(file, std::ios::binary) << content;
  chmod(file.c_str(), 0600);
}

TEST_CASE("numbers and texts come back from bytes") {
  cache::ByteWriter writer;
  writer.add(int64_t(-3));
  writer.add("text");
  writer.add(std::vector<std::string>{"", std::string("a\0b", 3)});
  writer.add(std::vector<int32_t>{1, 2});
  writer.add(true);
  auto read = [](std::string_view bytes, auto check) {
    cache::ByteReader reader(bytes);
    int64_t number = 0;
    std::string text;
    std::vector<std::string> texts;
    std::vector<int32_t> numbers;
    bool truth = false;
    reader.read(number), reader.read(text), reader.read(texts), reader.read(numbers), reader.read(truth);
    check(reader, number, text, texts, numbers, truth);
  };
  read(writer.bytes, [](auto &reader, int64_t number, auto &text, auto &texts, auto &numbers, bool truth) {
    CHECK(reader.complete());
    CHECK(number == -3);
    CHECK(text == "text");
    CHECK(texts == std::vector<std::string>{"", std::string("a\0b", 3)});
    CHECK(numbers == std::vector<int32_t>{1, 2});
    CHECK(truth);
  });
  for (size_t size = 0; size < writer.bytes.size(); ++size)
    read(std::string_view(writer.bytes).substr(0, size), [](auto &reader, auto &&...) {
      CHECK_FALSE(reader.good());
      CHECK_FALSE(reader.complete());
    });
  read(writer.bytes + "x", [](auto &reader, auto &&...) {
    CHECK(reader.good());
    CHECK_FALSE(reader.complete());
  });
}

TEST_CASE("keys tell all parts apart, and hashes are SHA-256") {
  CHECK(cache::sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(cache::keyOf({"ab", "c"}) != cache::keyOf({"a", "bc"}));
  CHECK(cache::keyOf({"ab", ""}) != cache::keyOf({"ab"}));
  CHECK(cache::keyOf({"ab", "c"}) == cache::keyOf({"ab", "c"}));
  CHECK(cache::compilerIdentity().size() >= 20);
}

TEST_CASE("a store gives back what it was given") {
  CacheFolder folder;
  Store store(folder.path, 1 << 20);
  const std::string key = cache::keyOf({"one"}), content("a\0b", 3);
  CHECK(store.read(key) == std::nullopt);
  CHECK_FALSE(fs::exists(folder.path)); // reading makes nothing
  CHECK(complaints([&] { store.write(key, content); }) == "");
  CHECK(store.read(key) == content);
  store.write(key, "other");
  CHECK(store.read(key) == "other");
  CHECK(fs::file_size(fileOf(folder, key)) == head + 5);

  struct stat information{};
  REQUIRE(stat(folder.path.c_str(), &information) == 0);
  CHECK((information.st_mode & 0777) == 0700);
  REQUIRE(stat(fileOf(folder, key).c_str(), &information) == 0);
  CHECK((information.st_mode & 0777) == 0600);
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1); // no temporary file is left
}

TEST_CASE("a damaged file is removed with a warning") {
  CacheFolder folder;
  Store store(folder.path, 1 << 20);
  const std::string key = cache::keyOf({"one"}), other = cache::keyOf({"two"});
  store.write(key, "the content");
  const std::string whole = contentOf(fileOf(folder, key));
  std::vector<std::string> damaged = {"", whole.substr(0, 10), whole.substr(0, head),
                                      whole.substr(0, whole.size() - 1), whole + "x"};
  for (size_t at : {size_t(0), size_t(20), whole.size() - 1}) {
    damaged.push_back(whole);
    damaged.back()[at] ^= 1;
  }
  for (const std::string &content : damaged) {
    overwrite(fileOf(folder, key), content);
    std::optional<std::string> read;
    CHECK(complaints([&] { read = store.read(key); }) ==
          "heddle: warning: '" + fileOf(folder, key).string() + "' is damaged, and is made again\n");
    CHECK(read == std::nullopt);
    CHECK_FALSE(fs::exists(fileOf(folder, key)));
  }
  // A file under another name than its own is not what the name says.
  overwrite(fileOf(folder, other), whole);
  CHECK(complaints([&] { CHECK(store.read(other) == std::nullopt); }) ==
        "heddle: warning: '" + fileOf(folder, other).string() + "' is damaged, and is made again\n");
  store.write(key, "the content");
  CHECK(store.read(key) == "the content");
}

TEST_CASE("what was not used for longest is removed beyond the limit") {
  CacheFolder folder;
  const std::string content(1000, 'x');
  Store store(folder.path, 3 * (1000 + head));
  auto key = [](int number) { return cache::keyOf({std::to_string(number)}); };
  auto age = [&](int number, int hours) {
    fs::last_write_time(fileOf(folder, key(number)),
                        fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  for (int i = 0; i < 3; ++i)
    store.write(key(i), content);
  age(0, 3), age(1, 2), age(2, 1);
  CHECK(store.usage().programs == 3);
  CHECK(store.usage().programBytes == 3 * (1000 + head));
  CHECK(store.read(key(0)) == content); // 1 is the oldest from here on
  overwrite(folder.path / ".part-abandoned", "x");
  overwrite(folder.path / ".part-young", "x");
  for (const char *name : {"notes", "theirs.program", "My.plans"})
    overwrite(folder.path / name, "x");
  for (const char *name : {"theirs.program", "notes"}) // the oldest of all
    fs::last_write_time(folder.path / name, fs::file_time_type::clock::now() - std::chrono::hours(9));
  fs::last_write_time(folder.path / ".part-abandoned",
                      fs::file_time_type::clock::now() - std::chrono::hours(2));
  store.write(key(3), content);
  CHECK(store.read(key(0)) == content);
  CHECK(store.read(key(1)) == std::nullopt);
  CHECK(store.read(key(2)) == content);
  CHECK(store.read(key(3)) == content);
  CHECK_FALSE(fs::exists(folder.path / ".part-abandoned"));
  CHECK(fs::exists(folder.path / ".part-young"));

  // What alone is above the limit is not kept, and removes nothing.
  store.write(key(4), std::string(4000, 'x'));
  CHECK(store.read(key(4)) == std::nullopt);
  CHECK(store.usage().programs == 3);

  store.changePlans("gpu", [](const std::optional<std::string> &) { return std::string("plans"); });
  CHECK(store.usage().plans == 1);
  CHECK(store.usage().planBytes == 5);
  store.clear();
  CHECK(store.usage().programs == 0);
  CHECK(store.usage().plans == 0);
  for (const char *name : {"notes", "theirs.program", "My.plans"})
    CHECK(contentOf(folder.path / name) == "x"); // of somebody else
}

TEST_CASE("a folder that cannot be used costs a warning") {
  CacheFolder folder;
  overwrite(folder.path, "a file");
  Store store(folder.path / "below", 1 << 20);
  const std::string key = cache::keyOf({"one"});
  CHECK(complaints([&] {
          store.write(key, "x");
          store.write(key, "x");
          CHECK(store.read(key) == std::nullopt);
        }) == "heddle: warning: the cache '" + (folder.path / "below").string() +
                  "' is not used: Not a directory; HEDDLE_CACHE names another folder, or 'off'\n");
  CHECK(store.usage().programs == 0);

  Store named(folder.path, 1 << 20);
  CHECK(complaints([&] {
          named.write(key, "x");
          CHECK(named.read(key) == std::nullopt);
          CHECK(named.readPlans("gpu") == std::nullopt);
          named.changePlans("gpu", [](const std::optional<std::string> &) { return std::string("x"); });
        }) == "heddle: warning: the cache '" + folder.path.string() +
                  "' is a file, not a folder; HEDDLE_CACHE names another folder, or 'off'\n");
  CHECK(contentOf(folder.path) == "a file");

  CHECK(complaints([&] {
          Store("/proc/heddle", 1 << 20).write(key, "x");
          Store("/proc/heddle", 1 << 20).write(key, "x");
        }) == "heddle: warning: cannot create the folder of the cache '/proc/heddle': No such file or "
              "directory; HEDDLE_CACHE names another one, or 'off'\n");
}

TEST_CASE("a disk that is full costs one warning") {
  CacheFolder folder;
  Store store(folder.path, 1 << 20);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const std::string text = complaints([&] {
    rlimit full = before;
    full.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &full);
    for (const char *name : {"one", "two"})
      store.write(cache::keyOf({name}), std::string(100'000, 'x'));
    setrlimit(RLIMIT_FSIZE, &before);
  });
  std::signal(SIGXFSZ, handler);
  CHECK(text ==
        "heddle: warning: cannot write into the cache '" + folder.path.string() + "': File too large\n");
  CHECK(fs::is_empty(folder.path));
}

TEST_CASE("what others may write is not used") {
  CacheFolder folder;
  Store store(folder.path, 1 << 20);
  const std::string key = cache::keyOf({"one"}),
                    named = "heddle: warning: the cache '" + folder.path.string();
  store.write(key, "x");
  store.changePlans("gpu", [](const std::optional<std::string> &) { return std::string("plans"); });
  auto isUsed = [&] { return store.read(key).has_value() || store.readPlans("gpu").has_value(); };
  for (mode_t mode : {0777, 0720, 01702}) {
    chmod(folder.path.c_str(), mode);
    char text[8];
    std::snprintf(text, sizeof text, "%04o", mode);
    CHECK(complaints([&] {
            CHECK_FALSE(isUsed());
            store.write(cache::keyOf({"two"}), "x");
            store.changePlans("other", [](const std::optional<std::string> &) { return std::string("x"); });
          }) == named + "' is not used: others may write to it (mode " + text + "); chmod 700 '" +
                    folder.path.string() + "', or HEDDLE_CACHE names another folder, or 'off'\n");
    CHECK(store.usage().programs == 1);
    CHECK(store.usage().plans == 1);
  }
  chmod(folder.path.c_str(), 0755);
  CHECK_FALSE(store.problem());
  CHECK(complaints([&] { CHECK(isUsed()); }) == "");

  // A file of the folder.
  const std::string file = "heddle: warning: '" + fileOf(folder, key).string();
  chmod(fileOf(folder, key).c_str(), 0666);
  CHECK(complaints([&] {
          CHECK(store.read(key) == std::nullopt);
          CHECK(store.read(key) == std::nullopt);
        }) == file + "' is not used: others may write to it (mode 0666)\n");
  store.write(key, "y");
  CHECK(store.read(key) == "y");
  fs::rename(fileOf(folder, key), folder.path / "elsewhere");
  fs::create_symlink("elsewhere", fileOf(folder, key));
  CHECK(complaints([&] { CHECK(store.read(key) == std::nullopt); }) ==
        file + "' is not used: it is a symbolic link\n");
  store.write(key, "z");
  CHECK(store.read(key) == "z");

  // A link of one's own leads to the folder that counts.
  const fs::path link = folder.path.string() + "-link";
  fs::create_directory_symlink(folder.path, link);
  CHECK(Store(link, 1 << 20).read(key) == "z");
  chmod(folder.path.c_str(), 0777);
  CHECK(Store(link, 1 << 20).problem()->what ==
        "the cache '" + link.string() + "' is not used: others may write to it (mode 0777)");
  fs::remove(link);

  if (geteuid() == 0) { // others can give nothing away
    chmod(folder.path.c_str(), 0700);
    REQUIRE(chown(folder.path.c_str(), 12345, gid_t(-1)) == 0);
    CHECK(complaints([&] { CHECK_FALSE(isUsed()); }) ==
          named +
              "' is not used: it belongs to user 12345, not to user 0; HEDDLE_CACHE names another folder, "
              "or 'off'\n");
    REQUIRE(chown(folder.path.c_str(), 0, gid_t(-1)) == 0);
    REQUIRE(chown(fileOf(folder, key).c_str(), 12345, gid_t(-1)) == 0);
    CHECK(complaints([&] { CHECK(store.read(key) == std::nullopt); }) ==
          file + "' is not used: it belongs to user 12345, not to user 0\n");
  }
}

TEST_CASE("a folder may be named with '/' at its end") {
  CacheFolder folder;
  for (const char *end : {"/", "//"}) {
    Store store(folder.path.string() + end, 1 << 20);
    CHECK(store.folder() == folder.path);
    store.write(cache::keyOf({"one"}), "x");
    struct stat information{};
    REQUIRE(stat(folder.path.c_str(), &information) == 0);
    CHECK((information.st_mode & 0777) == 0700);
    fs::remove_all(folder.path);
  }
}

TEST_CASE("processes write and read the same entries at once") {
  CacheFolder folder;
  const std::string a(20000, 'a'), b(30000, 'b'), key = cache::keyOf({"shared"});
  constexpr int processes = 4, rounds = 200;
  for (int number = 0; number < processes; ++number)
    if (fork() == 0) {
      Store store(folder.path, 40000); // each write may remove what another reads
      bool fine = true;
      for (int i = 0; i < rounds; ++i) {
        store.write(key, (i + number) % 2 ? a : b);
        store.write(cache::keyOf({std::to_string(number)}), a);
        std::optional<std::string> read = store.read(key);
        fine &= !read || *read == a || *read == b;
        store.changePlans("gpu", [](const std::optional<std::string> &text) {
          return std::to_string((text ? std::stoi(*text) : 0) + 1);
        });
      }
      _exit(fine ? 0 : 1);
    }
  for (int number = 0; number < processes; ++number) {
    int status = 0;
    wait(&status);
    CHECK(status == 0);
  }
  CHECK(Store(folder.path, 0).readPlans("gpu") == std::to_string(processes * rounds));
}

TEST_CASE("the environment names the folder and the limit") {
  auto set = [](const char *name, const char *value) { value ? setenv(name, value, 1) : unsetenv(name); };
  const std::string home = std::getenv("HOME") ? std::getenv("HOME") : "";
  set("HEDDLE_CACHE", "off");
  CHECK_FALSE(Store::fromEnvironment());
  set("HEDDLE_CACHE", "/somewhere");
  CHECK(Store::fromEnvironment()->folder() == "/somewhere");
  CHECK(Store::fromEnvironment()->mostBytes() == 1 << 30);
  set("HEDDLE_CACHE", "");
  set("XDG_CACHE_HOME", "/caches");
  CHECK(Store::fromEnvironment()->folder() == "/caches/heddle");
  set("XDG_CACHE_HOME", nullptr);
  set("HOME", "/home/me");
  CHECK(Store::fromEnvironment()->folder() == "/home/me/.cache/heddle");
  set("HOME", nullptr);
  CHECK_FALSE(Store::fromEnvironment());
  set("HOME", home.c_str());
  for (auto [text, bytes] : {std::pair<const char *, int64_t>{"100", 100},
                             {"2K", 2048},
                             {"3M", 3 << 20},
                             {"4G", int64_t(4) << 30},
                             {"0", 0},
                             {"", 1 << 30}}) {
    set("HEDDLE_CACHE_LIMIT", text);
    CHECK(Store::fromEnvironment()->mostBytes() == bytes);
  }
  for (const char *text : {"x", "-1", "1.5G", "1T", "K", "1GB", "9223372036854775807K"}) {
    set("HEDDLE_CACHE_LIMIT", text);
    std::string message;
    try {
      Store::fromEnvironment();
    } catch (const Error &error) {
      message = error.what();
    }
    CHECK(message ==
          "the environment variable HEDDLE_CACHE_LIMIT: '" + std::string(text) +
              "' is not a size\nhint: write a number of bytes, or one with K, M or G behind it, such "
              "as 256M");
  }
  set("HEDDLE_CACHE_LIMIT", nullptr);
  set("HEDDLE_CACHE", "off");
}
