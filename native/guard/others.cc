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

}  // namespace

bool manage(uintptr_t start, uintptr_t end) {
  const std::unique_ptr<FILE, int (*)(FILE*)> maps(std::fopen("/proc/self/maps", "re"), std::fclose);
  std::array<char, 4352> line{};  // a path and what stands before it
  while (maps && std::fgets(line.data(), line.size(), maps.get()) != nullptr) {
    uintptr_t from = 0;
    uintptr_t to = 0;
    if (std::sscanf(line.data(), "%" SCNxPTR "-%" SCNxPTR, &from, &to) != 2) continue;
    from = std::max(from, start);
    to = std::min(to, end);
    if (from < to && is_anonymous(line.data()) && !books().ranges.covers(from, to)) return true;
  }
  return maps == nullptr;
}

}  // namespace memprobe::guard::others
