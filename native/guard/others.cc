#include "others.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>

#include "owned.h"

namespace memprobe::guard::others {
namespace {

constexpr int kColumnsBeforePath = 5;

// Newer V8s name theirs: [anon:v8].
bool is_anonymous(const char* line) {
  for (int column = 0; column < kColumnsBeforePath; column++) {
    line += std::strspn(line, " ");
    line += std::strcspn(line, " \n");
  }
  line += std::strspn(line, " ");
  return *line == '\n' || *line == '\0' || std::strncmp(line, "[anon", 5) == 0;
}

// visit(start, end, line) for the mappings that overlap, while it returns true; false where they can't be read.
template <class Visit>
bool each_mapping(uintptr_t start, uintptr_t end, Visit visit) {
  const std::unique_ptr<FILE, int (*)(FILE*)> maps(std::fopen("/proc/self/maps", "re"), std::fclose);
  std::array<char, 4352> line{};  // a path and what stands before it
  while (maps && std::fgets(line.data(), line.size(), maps.get()) != nullptr) {
    uintptr_t from = 0;
    uintptr_t to = 0;
    if (std::sscanf(line.data(), "%" SCNxPTR "-%" SCNxPTR, &from, &to) != 2) continue;
    from = std::max(from, start);
    to = std::min(to, end);
    if (from < to && !visit(from, to, line.data())) break;
  }
  return maps != nullptr;
}

}  // namespace

bool manage(uintptr_t start, uintptr_t end) {
  bool found = false;
  const bool read = each_mapping(start, end, [&](uintptr_t from, uintptr_t to, const char* line) {
    found = is_anonymous(line) && !books().ranges.covers(from, to);
    return !found;
  });
  return found || !read;
}

bool accessible(uintptr_t start, uintptr_t end) {
  uintptr_t reached = start;
  each_mapping(start, end, [&](uintptr_t from, uintptr_t to, const char* line) {
    const bool goes_on = from == reached && std::strncmp(std::strchr(line, ' '), " rw", 3) == 0;
    if (goes_on) reached = to;
    return goes_on;
  });
  return reached == end;
}

}  // namespace memprobe::guard::others
