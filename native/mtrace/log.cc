#include "log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace memprobe::mtrace {

int Log::read(int fd, size_t length) {
  while (length > 0) {
    const ssize_t got = ::read(fd, buffer_.data() + used_, std::min(kCapacity - used_, length));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return finish(), 0;
    length -= static_cast<size_t>(got);
    take(static_cast<size_t>(got));
  }
  return 0;
}

std::vector<std::string> Log::take_sites() {
  std::vector<std::string> out;
  for (; sites_told_ < sites_.count(); sites_told_++) out.push_back(sites_.text(sites_told_));
  return out;
}

// Parses the whole lines, and keeps what there is of the next one.
void Log::take(size_t length) {
  counts_.bytes += length;
  char* const fresh = buffer_.data() + used_;
  const size_t used = used_ + length;
  const auto* newline = static_cast<const char*>(::memrchr(fresh, '\n', length));
  if (newline == nullptr) return keep(0, used);
  const char* start = buffer_.data();
  if (skipping_) {
    start = static_cast<const char*>(std::memchr(start, '\n', used)) + 1;
    counts_.lines++;
    counts_.malformed++;
    skipping_ = false;
  }
  parse(start, newline + 1);
  keep(static_cast<size_t>(newline + 1 - buffer_.data()), used);
}

void Log::keep(size_t from, size_t to) {
  skipping_ = skipping_ || to - from > kLongestLine;
  used_ = skipping_ ? 0 : to - from;
  std::memmove(buffer_.data(), buffer_.data() + from, used_);
}

// An editor may have taken the last newline away.
void Log::finish() {
  counts_.at_end = true;
  const bool is_end = std::string_view(buffer_.data(), used_) == kEnd;
  if (is_end) {
    counts_.lines++;
    counts_.ended = true;
  }
  counts_.cut = !is_end && (skipping_ || used_ > 0);
}

void Log::parse(const char* at, const char* end) {
  Line line;
  while (at < end) {
    line.number = ++counts_.lines;
    if (const char* next = read_line(at, end, sites_, line)) {
      apply(line);
      at = next;
    } else {
      counts_.malformed++;
      at = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at))) + 1;
    }
  }
}

// The same rules as those of glibc's mtrace script, so that all come to the same result.
void Log::apply(const Line& line) {
  const auto [number, operation, site, address, size] = line;
  if (operation == 'S' || operation == 'E') {
    counts_.started = counts_.started || operation == 'S';
    counts_.ended = operation == 'E';
    return;
  }
  counts_.operations++;
  if (operation == '-' || operation == '<') {
    if (live_.remove(address)) return;
    counts_.unknown_frees++;
  } else {
    if (operation == '!' || address == 0) return static_cast<void>(counts_.failed++);
    if (live_.add(address, {.size = size, .line = number, .site = site})) return;
    counts_.duplicates++;
  }
  if (oddities_wanted_ == 0) return;
  oddities_wanted_--;
  oddities_.push_back({.operation = operation, .address = address, .line = number, .site = site});
}

}  // namespace memprobe::mtrace
