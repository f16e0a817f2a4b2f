// The smallest of test frameworks: facts, told one a line, and how many of them do not hold.
#pragma once

#include <atomic>
#include <cstdio>
#include <source_location>

namespace check {

inline std::atomic<int> failures = 0;

inline void that(bool holds, const std::source_location at = std::source_location::current()) {
  if (holds) return;
  failures++;
  std::fprintf(stderr, "%s:%u: does not hold\n", at.file_name(), at.line());
}

inline void fact(const char* name, void (*test)()) {
  const int before = failures;
  test();
  std::printf("%s - %s\n", failures == before ? "ok" : "not ok", name);
}

}  // namespace check
