#include "ranges.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>

#include "owned.h"

namespace memprobe::guard {
namespace {

// Each page of zeroes may cost two mappings, of which a process has 65,530 in all: V8 ends it when it gets no more.
constexpr unsigned kMended = 64;

}  // namespace

bool Range::accessible() const {
  return (prot & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE) && !guarded;
}

bool Range::can_fault() const { return file || unit > page_size(); }

std::vector<Range> Ranges::within(uintptr_t start, uintptr_t end) const {
  std::vector<Range> found;
  auto it = by_start_.upper_bound(start);
  if (it != by_start_.begin()) --it;
  for (; it != by_start_.end() && it->first < end; ++it) {
    Range range = it->second;
    range.start = std::max(range.start, start);
    range.end = std::min(range.end, end);
    if (range.start < range.end) found.push_back(range);
  }
  return found;
}

bool Ranges::covers(uintptr_t start, uintptr_t end) const {
  uintptr_t reached = start;
  for (const Range& range : within(start, end)) {
    if (range.start != reached) return false;
    reached = range.end;
  }
  return start < end && reached == end;
}

bool Ranges::faulted_in(uintptr_t start, uintptr_t end) const {
  const std::vector<Range> parts = within(start, end);
  return std::any_of(parts.begin(), parts.end(), [](const Range& part) { return part.faulted; });
}

size_t Ranges::unit_at(uintptr_t address) const {
  auto it = by_start_.upper_bound(address);
  if (it == by_start_.begin() || (--it)->second.end <= address) return 0;
  return it->second.unit;
}

Gap Ranges::mark_faulted(uintptr_t address) {
  auto it = by_start_.upper_bound(address);
  if (it == by_start_.begin() || (--it)->second.end <= address) return {};
  Range& range = it->second;
  range.faulted = true;
  const uintptr_t start = address & ~(range.unit - 1);
  return {start, ++range.mended > kMended ? range.end : start + range.unit};
}

void Ranges::close(uintptr_t start, uintptr_t end) {
  for (auto it = by_start_.lower_bound(start); it != by_start_.lower_bound(end); ++it) it->second.prot = PROT_NONE;
}

void Ranges::split(uintptr_t at) {
  auto it = by_start_.upper_bound(at);
  if (it == by_start_.begin()) return;
  Range& left = std::prev(it)->second;
  if (left.start == at || left.end <= at) return;
  Range right = left;
  right.start = at;
  by_start_.emplace(at, right);
  left.end = at;  // afterwards: where there is no memory for the right part, the whole stays
}

void Ranges::cut(uintptr_t start, uintptr_t end) {
  split(start);
  split(end);
}

void Ranges::erase(uintptr_t start, uintptr_t end) {
  cut(start, end);
  by_start_.erase(by_start_.lower_bound(start), by_start_.lower_bound(end));
}

void Ranges::assign(const Range& range) {
  if (range.start >= range.end) return;
  cut(range.start, range.end);
  const auto [place, made] = by_start_.try_emplace(range.start, range);
  if (!made) place->second = range;
  by_start_.erase(std::next(place), by_start_.lower_bound(range.end));
}

}  // namespace memprobe::guard
