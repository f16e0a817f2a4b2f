#include "log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
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

// A few lines are read before the first of them is applied: what that needs is fetched into the cache meanwhile.
void Log::parse(const char* at, const char* end) {
  std::array<Line, 32> batch;
  size_t read = 0;
  const auto apply_all = [&] {
    for (size_t i = 0; i < read; i++) apply(batch[i]);
    read = 0;
  };
  while (at < end) {
    Line& line = batch[read];
    line.number = ++counts_.lines;
    const char* next = read_line(at, end, sites_, line);
    if (next != nullptr) {
      live_.prefetch(line.address);
      if (++read == batch.size()) apply_all();
    } else {
      counts_.malformed++;
      next = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at))) + 1;
    }
    at = next;
  }
  apply_all();
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
