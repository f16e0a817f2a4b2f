// The books against each other and against the kernel's own.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace memprobe::guard {

struct Counts {
  size_t ranges = 0;
  size_t mapped = 0;   // bytes in ranges
  size_t blocks = 0;   // of malloc's, alive
  size_t retired = 0;  // given back, kept for stale views
  size_t pins = 0;
  size_t views = 0;
  size_t stale = 0;
  size_t shares = 0;
  size_t orphans = 0;  // shares without a holder
};
Counts counts();

// What does not hold; nothing in a healthy process. Meant for moments when no other thread allocates or frees by the
// guard: blocks are in no lock's books.
std::vector<std::string> check();

}  // namespace memprobe::guard
