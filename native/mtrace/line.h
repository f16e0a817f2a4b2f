// One line of the log. lib/mtrace/parser.ts shows what they look like, lib/mtrace/line.ts reads them the same way.
#pragma once

#include <cstdint>
#include <string_view>

#include "sites.h"

namespace memprobe::mtrace {

// A longer line is none of mtrace's.
inline constexpr size_t kLongestLine = 1 << 16;
// So many bytes behind the lines may be looked at.
inline constexpr size_t kSlack = 16;

inline constexpr std::string_view kStart = "= Start";
inline constexpr std::string_view kEnd = "= End";

struct Line {
  uint64_t number = 0;  // counted from 1
  // '+', '-', '<', '>' and '!' stand for a call, 'S' and 'E' for the lines `= Start` and `= End`.
  char operation = 0;
  uint32_t site = kNoSite;
  uint64_t address = 0;
  uint64_t size = 0;  // of operations that have one
};

// Reads the line at `at`; where the next one begins, or nullptr where it is none of mtrace's. A newline stands right
// before `end`.
const char* read_line(const char* at, const char* end, Sites& sites, Line& out);

}  // namespace memprobe::mtrace
