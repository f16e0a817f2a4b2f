// Where the memory of glibc's malloc is, block by block, read from outside: no lock is taken, nobody is
// stopped. Plain C++ without global state: it may run on any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "heap_chain.h"
#include "heap_memory.h"
#include "heap_mmapped.h"

namespace memprobe::procfs {

struct PieceReport {
  Range range = {};
  uint64_t resident = 0;
};

struct ArenaReport {
  uint64_t address = 0;
  bool main = false;
  uint64_t system_bytes = 0;
  std::vector<PieceReport> pieces = {};
  Totals totals = {};
};

struct HeapReport {
  std::vector<ArenaReport> arenas = {};
  std::vector<MmappedBlock> mmapped = {};
  std::vector<MmappedBlock> abseil = {};
  std::optional<uint64_t> mmapped_bytes = {};  // as malloc itself counts them
  std::vector<SizeCounts::Row> sizes = {};
};

// Returns 0 or an errno: ESRCH (no such process, or it went away), EACCES or EPERM (not ours to read).
int walk_heap(pid_t pid, HeapReport& out);

}  // namespace memprobe::procfs
