// A test runner in one header: cases register themselves, a failed CHECK is counted and the case goes on.
#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace factorec::testing {

struct Case {
  const char* suite;
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* suite, const char* name, void (*run)()) { cases().push_back({suite, name, run}); }
};

inline void fail(const char* file, int line, const std::string& what) {
  ++failures();
  std::printf("%s:%d: %s\n", file, line, what.c_str());
}

template <class A, class B>
void check_equal(const A& a, const B& b, const char* text, const char* file, int line) {
  if (a == b) return;
  std::ostringstream message;
  message.precision(17);
  message << text << ": " << a << " is not " << b;
  fail(file, line, message.str());
}

inline void check_near(double a, double b, double tolerance, const char* text, const char* file, int line) {
  if (std::fabs(a - b) <= tolerance) return;
  std::ostringstream message;
  message.precision(17);
  message << text << ": " << a << " is not within " << tolerance << " of " << b;
  fail(file, line, message.str());
}

// Runs `action`; it must throw an Error whose text contains `part`.
template <class Error, class Action>
void check_throws(Action&& action, const std::string& part, const char* file, int line) {
  try {
    action();
  } catch (const Error& error) {
    if (std::string(error.what()).find(part) == std::string::npos)
      fail(file, line, "the error says '" + std::string(error.what()) + "', not '" + part + "'");
    return;
  }
  fail(file, line, "nothing was thrown; expected an error with '" + part + "'");
}

}  // namespace factorec::testing

#define FACTOREC_TEST(suite, name)                                                                     \
  static void suite##_##name();                                                                        \
  static const factorec::testing::Register suite##_##name##_registered(#suite, #name, suite##_##name); \
  static void suite##_##name()

#define CHECK(condition) \
  ((condition) ? void() : factorec::testing::fail(__FILE__, __LINE__, "not true: " #condition))
#define CHECK_EQUAL(a, b) factorec::testing::check_equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define CHECK_NEAR(a, b, tolerance) factorec::testing::check_near((a), (b), (tolerance), #a, __FILE__, __LINE__)
#define CHECK_THROWS(Error, expression, part) \
  factorec::testing::check_throws<Error>([&] { (void)(expression); }, (part), __FILE__, __LINE__)
