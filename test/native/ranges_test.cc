#include "../../native/guard/ranges.h"

#include <sys/mman.h>

#include <array>
#include <random>

#include "check.h"

using memprobe::guard::Range;
using memprobe::guard::Ranges;

namespace {

Range range(uintptr_t start, uintptr_t end, int prot = PROT_READ | PROT_WRITE) {
  return {.start = start, .end = end, .prot = prot, .unit = 1};
}

void neighbours() {
  Ranges ranges;
  ranges.assign(range(10, 20));
  ranges.assign(range(20, 30));
  check::that(ranges.covers(10, 30) && ranges.covers(15, 25));
  check::that(!ranges.covers(9, 30) && !ranges.covers(10, 31) && !ranges.covers(15, 15));
}

void holes() {
  Ranges ranges;
  ranges.assign(range(10, 40));
  ranges.erase(20, 30);
  check::that(ranges.covers(10, 20) && ranges.covers(30, 40) && !ranges.covers(10, 40));
  const auto parts = ranges.within(15, 35);
  check::that(parts.size() == 2 && parts[0].start == 15 && parts[0].end == 20);
  check::that(parts.size() == 2 && parts[1].start == 30 && parts[1].end == 35);
}

void replaced() {
  Ranges ranges;
  ranges.assign(range(10, 40));
  ranges.assign(range(20, 30, PROT_NONE));
  const auto parts = ranges.within(0, UINTPTR_MAX);
  check::that(parts.size() == 3 && parts[0].accessible() && !parts[1].accessible() && parts[2].accessible());
  check::that(ranges.unit_at(25) == 1 && ranges.unit_at(9) == 0 && ranges.unit_at(40) == 0);
}

void empty() {
  Ranges ranges;
  ranges.assign(range(30, 30));
  ranges.assign(range(30, 20));
  check::that(ranges.within(0, UINTPTR_MAX).empty());
}

void guarded() {
  Range guarded = range(10, 20);
  check::that(guarded.accessible());
  guarded.guarded = true;
  check::that(!guarded.accessible() && !range(10, 20, PROT_READ).accessible());
}

void missing() {
  Ranges ranges;
  ranges.assign(range(10, 1000));
  check::that(ranges.mark_faulted(9).end == 0 && !ranges.faulted_in(0, 1000));
  bool single = true;
  for (uintptr_t i = 0; i < 64; i++) single = single && ranges.mark_faulted(10 + 2 * i).end == 11 + 2 * i;
  const memprobe::guard::Gap rest = ranges.mark_faulted(500);
  check::that(single && rest.start == 500 && rest.end == 1000 && ranges.faulted_in(900, 901));
}

// Against the simplest of all models: a byte for each address.
void model() {
  std::mt19937 random(42);
  constexpr uintptr_t kTop = 64;
  std::array<bool, kTop> known{};
  Ranges ranges;
  for (int round = 0; round < 20'000; round++) {
    uintptr_t start = random() % kTop;
    uintptr_t end = random() % (kTop + 1);
    const bool adds = random() % 2 == 0;
    if (start >= end) continue;
    if (adds) ranges.assign(range(start, end));
    else ranges.erase(start, end);
    for (uintptr_t i = start; i < end; i++) known[i] = adds;
    start = random() % kTop;
    end = start + 1 + random() % (kTop - start);
    bool all = true;
    size_t bytes = 0;
    for (uintptr_t i = start; i < end; i++) all = all && known[i];
    for (uintptr_t i = start; i < end; i++) bytes += known[i];
    for (const Range& part : ranges.within(start, end)) bytes -= part.end - part.start;
    check::that(ranges.covers(start, end) == all && bytes == 0);
  }
}

}  // namespace

void ranges_tests() {
  check::fact("ranges side by side are one", neighbours);
  check::fact("what is erased in the middle leaves both ends", holes);
  check::fact("what is assigned replaces what was known", replaced);
  check::fact("a range of nothing is nothing", empty);
  check::fact("guarded and protected memory is not accessible", guarded);
  check::fact("the first pages that are missing are mended one by one, then the rest at once", missing);
  check::fact("20,000 random changes agree with a byte for each address", model);
}
