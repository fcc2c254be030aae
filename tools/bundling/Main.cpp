// The programs of the bundle as one: which of them runs is the name that it is called by.

#include <cstdio>
#include <filesystem>
#include <string>

int heddle_main(int argc, char **argv);
int char_lm_main(int argc, char **argv);
int gpu_tests_main(int argc, char **argv);
int heddle_compare_main(int argc, char **argv);

static constexpr struct {
  const char *name;
  int (*main)(int, char **);
} programs[] = {
    {"heddle", heddle_main},
    {"char_lm", char_lm_main},
    {"gpu_tests", gpu_tests_main},
    {"heddle-compare", heddle_compare_main},
};

int main(int argc, char **argv) {
  const std::string called = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "";
  for (const auto &program : programs)
    if (called == program.name)
      return program.main(argc, argv);
  if (argc == 2 && std::string(argv[1]) == "--names") {
    for (const auto &program : programs)
      std::printf("%s\n", program.name);
    return 0;
  }
  std::fprintf(stderr, "this is several programs: call it through a link named");
  for (const auto &program : programs)
    std::fprintf(stderr, " %s", program.name);
  std::fprintf(stderr, "\n");
  return 2;
}
