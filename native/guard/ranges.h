// Which address ranges this package mapped: an interval map. Its caller holds the guard's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "../bind/shared.h"

namespace memprobe::guard {

enum class Origin { Mmap, Break };

// A numa_alloc* call's result and the size that was asked of it: what numa_free wants. Parts of it remember the whole.
struct NumaBlock {
  uintptr_t start = 0;
  size_t size = 0;
};

struct MEMPROBE_SHARED Range {
  uintptr_t start = 0;
  uintptr_t end = 0;
  int prot = 0;
  Origin origin = Origin::Mmap;
  size_t unit = 0;       // the size of its pages, which the kernel rounds to
  bool file = false;     // a descriptor stands behind it, so it can be truncated
  bool guarded = false;  // MADV_GUARD_INSTALL: an access is a signal, whatever prot says
  NumaBlock numa = {};
  bool faulted = false;  // pages of it were missing (SIGBUS), and zeroes stand there now
  uint64_t share = 0;    // the Share that owns it: shares.h

  unsigned mended = 0;   // how often zeroes were put in place of what was missing

  bool accessible() const;
  // Others can take its pages away: an access is SIGBUS then.
  bool can_fault() const;
};

struct Gap {
  uintptr_t start = 0;
  uintptr_t end = 0;
};

class MEMPROBE_SHARED Ranges {
 public:
  // Every byte of [start, end) is ours.
  bool covers(uintptr_t start, uintptr_t end) const;
  // The parts of ours inside [start, end), cut to it.
  std::vector<Range> within(uintptr_t start, uintptr_t end) const;
  bool faulted_in(uintptr_t start, uintptr_t end) const;
  // The page size of the range that holds this address; 0 where none does.
  size_t unit_at(uintptr_t address) const;
  // An access to this address found no memory there. Returns the addresses that need zeroes now: its page, or once there
  // were many such, everything from there on; nothing where no range holds it. Allocates nothing.
  Gap mark_faulted(uintptr_t address);
  // The ranges inside [start, end), which none reaches across, are inaccessible. Allocates nothing.
  void close(uintptr_t start, uintptr_t end);
  // What was known of these addresses is replaced. Of parts that `within` yields after `cut` it allocates nothing.
  void assign(const Range& range);
  // No range reaches across either end from here on.
  void cut(uintptr_t start, uintptr_t end);
  void erase(uintptr_t start, uintptr_t end);
  template <class Visit>
  void each(Visit visit) const {
    for (const auto& [start, range] : by_start_) visit(start, range);
  }

 private:
  void split(uintptr_t at);
  std::map<uintptr_t, Range> by_start_;
};

}  // namespace memprobe::guard
