#include "check.h"

#include <malloc.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "owned.h"
#include "shares.h"

#ifdef __SANITIZE_ADDRESS__
extern "C" int __sanitizer_get_ownership(const void* block);  // in its runtime; gcc has no header for it
#endif

namespace memprobe::guard {
namespace {

std::string hex(uintptr_t start, uintptr_t end) {
  char text[48];
  std::snprintf(text, sizeof text, "0x%" PRIxPTR "-0x%" PRIxPTR, start, end);
  return text;
}

// What the kernel has mapped.
class Maps {
 public:
  Maps() {
    std::ifstream file("/proc/self/maps");
    for (std::string line; std::getline(file, line);) {
      uintptr_t start = 0;
      uintptr_t end = 0;
      char perms[5] = "";
      if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, perms) != 3) continue;
      by_start_[start] = {end, perms[0] == 'r' && perms[1] == 'w'};
    }
  }

  // All of [start, end) is mapped, readable and writable too if `open`.
  bool covers(uintptr_t start, uintptr_t end, bool open) const {
    auto it = by_start_.upper_bound(start);
    if (it == by_start_.begin()) return false;
    for (--it; it != by_start_.end() && it->first <= start; ++it) {
      const auto [stop, accessible] = it->second;
      if (stop <= start || (open && !accessible)) return false;
      if (stop >= end) return true;
      start = stop;
    }
    return false;
  }

 private:
  std::map<uintptr_t, std::pair<uintptr_t, bool>> by_start_;
};

bool read_word(uintptr_t address, size_t& word) {
  const iovec here{&word, sizeof word};
  const iovec there{reinterpret_cast<void*>(address), sizeof word};
  return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == static_cast<ssize_t>(sizeof word);
}

#ifdef __SANITIZE_ADDRESS__
bool is_measurable(uintptr_t block) {
  return __sanitizer_get_ownership(reinterpret_cast<void*>(block)) != 0;
}
#else
// malloc_usable_size looks into the next chunk, wherever the size in front of the block says that is, unless the block is
// a mapping of its own (bit 1). Of a block that was freed behind our back that may be anywhere, and the memory may go
// with what the check itself frees: asked at the last moment, through the kernel.
bool is_measurable(uintptr_t block) {
  size_t size = 0;
  size_t next = 0;
  if (!read_word(block - sizeof size, size)) return false;
  return (size & 2) != 0 || read_word(block - sizeof size + (size & ~size_t{7}), next);
}
#endif

bool any_marked(const blocks::Cell* line) {
  std::array<uint64_t, 8> words{};
  std::memcpy(words.data(), line, sizeof words);
  uint64_t all = 0;
  for (const uint64_t word : words) all |= word;
  return all != 0;
}

template <class Visit>
void each_block(Visit visit) {
  constexpr size_t line = 64;  // cells; nearly all of them are empty
  for (size_t leaf = 0; leaf < blocks::kLeaves; leaf++) {
    const blocks::Cell* cells = blocks::leaves[leaf].load(std::memory_order_acquire);
    for (size_t start = 0; cells != nullptr && start < blocks::kLeafCells; start += line) {
      if (!any_marked(cells + start)) continue;
      for (size_t i = start; i < start + line; i++) {
        const uint8_t mark = cells[i].load(std::memory_order_acquire);
        if (mark != blocks::kNone) visit((leaf << blocks::kLeafBits) + i * blocks::kAlignment, mark);
      }
    }
  }
}

class Check {
 public:
  std::vector<std::string> run() {
    check_ranges();
    check_blocks();
    check_holds();
    return std::move(problems_);
  }

 private:
  void expect(bool holds, const char* what, uintptr_t start, uintptr_t end) {
    if (!holds) problems_.push_back(std::string(what) + ": " + hex(start, end));
  }

  void check_ranges() {
    uintptr_t reached = 0;
    books().ranges.each([&](uintptr_t key, const Range& range) {
      expect(key == range.start && range.start < range.end, "a range is filed wrongly or empty", range.start, range.end);
      expect(range.start >= reached, "ranges overlap", range.start, range.end);
      expect(maps_.covers(range.start, range.end, range.accessible()),
             "a range is not mapped as the books say", range.start, range.end);
      reached = range.end;
    });
  }

  void check_blocks() {
    uintptr_t reached = 0;
    each_block([&](uintptr_t block, uint8_t mark) {
      expect(block >= reached, "a block lies inside the one before", block, reached);
      const bool there = maps_.covers(block - sizeof(size_t), block, true) && is_measurable(block);
      expect(there, "a block is not mapped", block, block);
      if (!there) return;
      reached = block + malloc_usable_size(reinterpret_cast<void*>(block));
      expect(reached > block && maps_.covers(block, reached, true), "a block is not all there", block, reached);
      if (mark == blocks::kRetired) retired_.insert(block);
    });
  }

  void check_holds() {
    std::set<uintptr_t> kept;
    books().holds.each([&](const Hold& hold) {
      expect(hold.start <= hold.end && hold.listed, "a hold is filed wrongly", hold.start, hold.end);
      expect(hold.env == nullptr || hold.stale || owns(hold.start, hold.end - hold.start),
             "a view reaches beyond what is owned", hold.start, hold.end);
      for (const auto& remains : hold.remains) {
        expect(hold.stale, "remains without a stale view", hold.start, hold.end);
        if (remains->block()) kept.insert(remains->start());
      }
    });
    expect(kept == retired_, "retired blocks and those that stale views keep differ", kept.size(), retired_.size());
  }

  const Maps maps_;
  std::set<uintptr_t> retired_;
  std::vector<std::string> problems_;
};

}  // namespace

Counts counts() {
  const Lock lock(books().lock);
  Counts counts;
  books().ranges.each([&](uintptr_t, const Range& range) {
    counts.ranges++;
    counts.mapped += range.end - range.start;
  });
  each_block([&](uintptr_t, uint8_t mark) { (mark == blocks::kRetired ? counts.retired : counts.blocks)++; });
  const HoldCounts holds = books().holds.counts();
  counts.pins = holds.pins;
  counts.views = holds.views;
  counts.stale = holds.stale;
  const shares::Counts all = shares::counts();
  counts.shares = all.shares;
  counts.orphans = all.orphans;
  return counts;
}

std::vector<std::string> check() {
  const Lock lock(books().lock);
  return Check().run();
}

}  // namespace memprobe::guard
