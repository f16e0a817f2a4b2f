// numa(3): strings to masks. What does not parse is null, and the reason a warning.
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "topics.h"

extern "C" int numa_parse_bitmap(char* line, bitmask* mask);  // exported and documented, in no header

namespace memprobe::numa {
namespace {

// libnuma up to 2.0.19 counts up to the end of a range, in 64 bits what it looks up in 32: 0-4294967296 takes minutes
// and 0-18446744069414584320 has no end.
bool has_huge_number(const char* text) {
  while (*text != '\0') {
    char* end = nullptr;
    if (std::isdigit(static_cast<unsigned char>(*text)) == 0) {
      text++;
      continue;
    }
    if (std::strtoul(text, &end, 0) > INT32_MAX) return true;
    text = end;
  }
  return false;
}

// For a warning, which has no room for more.
std::string quoted(std::string_view text) {
  constexpr size_t most = 80;
  return "'" + std::string(text.substr(0, most)) + (text.size() > most ? "...'" : "'");
}

template <auto Parse>
Parsed parse(const char* text) {
  ::bitmask* mask = has_huge_number(text) ? nullptr : Parse(text);
  if (mask == nullptr && !complaints().warned()) complaints().warn((quoted(text) + " does not parse").c_str());
  return {mask};
}

// Groups of eight hexadecimal digits with commas between, the first may be shorter. Of other text libnuma makes what it
// likes.
bool is_bitmap(std::string_view line) {
  size_t group = 0;
  for (size_t i = line.size(); i-- > 0; group = line[i] == ',' ? 0 : group + 1) {
    if (line[i] == ',' ? group != 8 : std::isxdigit(static_cast<unsigned char>(line[i])) == 0 || group == 8) return false;
  }
  return group != 0;
}

// A cpumap of sysfs. libnuma writes into the line, and wants its newline. The bits that it does not say stay in the mask.
Parsed parse_bitmap(const char* text) {
  std::string line(text);
  if (!line.empty() && line.back() == '\n') line.pop_back();
  const bool good = is_bitmap(line);
  const std::string wrong = quoted(line);
  line += '\n';
  ::bitmask* mask = ::numa_allocate_cpumask();
  if (good && ::numa_parse_bitmap(line.data(), mask) == 0) return {mask};
  complaints().warn((wrong + " is no bitmap of at most " + std::to_string(mask->size) + " bits").c_str());
  numa_bitmask_free(mask);
  return {};
}

constexpr bind::Entry table[] = {
    LIBNUMA_SHAPE(numa_parse_nodestring, Never, "text", [](const char* text) { return parse<::numa_parse_nodestring>(text); }),
    LIBNUMA_SHAPE(numa_parse_nodestring_all, Never, "text",
                  [](const char* text) { return parse<::numa_parse_nodestring_all>(text); }),
    LIBNUMA_SHAPE(numa_parse_cpustring, Never, "text", [](const char* text) { return parse<::numa_parse_cpustring>(text); }),
    LIBNUMA_SHAPE(numa_parse_cpustring_all, Never, "text",
                  [](const char* text) { return parse<::numa_parse_cpustring_all>(text); }),
    LIBNUMA_SHAPE(numa_parse_bitmap, Never, "line", [](const char* line) { return parse_bitmap(line); }),
};

}  // namespace

const bind::Topic topic::parse{"parse", "numa.h", table};

}  // namespace memprobe::numa
