#include "line.h"

#include <array>
#include <cstring>

namespace memprobe::mtrace {
namespace {

// Room for a return address, which is never as small as `[0xfff]`.
constexpr size_t kShortestSite = 8;
// What stands around the site in a line is shorter than the difference.
constexpr size_t kLongestSite = kLongestLine - 64;

// The value of each hexadecimal digit; -1 for everything else.
constexpr std::array<int8_t, 256> digits = [] {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 10; i++) values[static_cast<size_t>('0' + i)] = static_cast<int8_t>(i);
  for (int i = 0; i < 6; i++) {
    values[static_cast<size_t>('a' + i)] = values[static_cast<size_t>('A' + i)] = static_cast<int8_t>(10 + i);
  }
  return values;
}();

int digit(char c) { return digits[static_cast<uint8_t>(c)]; }

bool is_operation(char c) { return c == '+' || c == '-' || c == '<' || c == '>' || c == '!'; }

// What reads something below takes the place where it begins, and returns the place behind it: nullptr where it is
// not there.

const char* skip(const char* at, std::string_view word) {
  return at != nullptr && std::memcmp(at, word.data(), word.size()) == 0 ? at + word.size() : nullptr;
}

const char* hexadecimal(const char* first, uint64_t& out) {
  const char* at = first;
  uint64_t value = 0;
  for (int next = digit(*at); next >= 0; next = digit(*++at)) value = value << 4 | static_cast<uint64_t>(next);
  out = value;
  return at > first && at - first <= 16 ? at : nullptr;
}

// `0x10`, or what printf makes of NULL.
const char* address(const char* at, uint64_t& out) {
  out = 0;
  if (const char* number = skip(at, "0x")) return hexadecimal(number, out);
  return skip(at, "(nil)");
}

// ` 0x10`, or ` 0`.
const char* size(const char* at, uint64_t& out) {
  if (at == nullptr || *at != ' ') return nullptr;
  const char* number = skip(at + 1, "0x");
  return hexadecimal(number != nullptr ? number : at + 1, out);
}

// A carriage return is forgiven.
const char* line_end(const char* at) {
  if (at == nullptr) return nullptr;
  at += *at == '\r';
  return *at == '\n' ? at + 1 : nullptr;
}

// A path may have spaces and brackets, and stranger things: `] `, an operation and its address end a site.
bool ends_site(const char* at) {
  return at[0] == ' ' && is_operation(at[1]) && at[2] == ' ' && (at[3] == '0' || at[3] == '(');
}

const char* new_site(const char* start, const char* end, Sites& sites, uint32_t& out) {
  const auto find = [](const char* from, const char* to, char wanted) {
    return static_cast<const char*>(std::memchr(from, wanted, static_cast<size_t>(to - from)));
  };
  end = find(start, end, '\n');
  const char* bracket = find(start, end, ']');
  while (bracket != nullptr && !ends_site(bracket + 1)) bracket = find(bracket + 1, end, ']');
  if (bracket == nullptr) return nullptr;
  const std::string_view site(start, static_cast<size_t>(bracket + 1 - start));
  if (site.size() < kShortestSite || site.size() > kLongestSite || site.find('\0') != site.npos) return nullptr;
  out = sites.find(site);
  return bracket + 2;
}

// `@ SITE `, or nothing at all.
const char* caller(const char* at, const char* end, Sites& sites, uint32_t& out) {
  out = kNoSite;
  if (at[0] != '@' || at[1] != ' ') return at;
  at += 2;
  const uint32_t guess = sites.guess({at, static_cast<size_t>(end - at)});
  const char* behind = at + sites.text(guess).size();
  if (guess == kNoSite || !ends_site(behind)) return new_site(at, end, sites, out);
  out = guess;
  return behind + 1;
}

const char* mark(const char* at, Line& out) {
  const char* start = skip(at, kStart);
  out.operation = start != nullptr ? 'S' : 'E';
  return line_end(start != nullptr ? start : skip(at, kEnd));
}

const char* call(const char* at, const char* end, Sites& sites, Line& out) {
  at = caller(at, end, sites, out.site);
  if (at == nullptr || !is_operation(at[0]) || at[1] != ' ') return nullptr;
  out.operation = at[0];
  at = address(at + 2, out.address);
  const bool sized = out.operation != '-' && out.operation != '<';
  return line_end(sized ? size(at, out.size) : at);
}

}  // namespace

const char* read_line(const char* at, const char* end, Sites& sites, Line& out) {
  return *at == '=' ? mark(at, out) : call(at, end, sites, out);
}

}  // namespace memprobe::mtrace
