// Runs the cases of the suites named on the command line, or all; exits 1 if a check failed or none ran.
#include <cstring>

#include "check.hpp"

int main(int argc, char** argv) {
  using namespace factorec::testing;
  int run = 0;
  for (const Case& test : cases()) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; ++i) wanted = wanted || std::strcmp(argv[i], test.suite) == 0;
    if (!wanted) continue;
    ++run;
    const int before = failures();
    try {
      test.run();
    } catch (const std::exception& error) {
      fail(test.suite, 0, std::string("uncaught: ") + error.what());
    }
    std::printf("%s %s.%s\n", failures() == before ? "ok    " : "FAILED", test.suite, test.name);
  }
  std::printf("%d cases, %d failed checks\n", run, failures());
  return failures() == 0 && run > 0 ? 0 : 1;
}
