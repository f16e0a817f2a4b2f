// Finds the blocks that malloc mapped one by one, pieces of the main arena outside of [heap], and the regions of another
// allocator that Node brings: Abseil's LowLevelAlloc.
#pragma once

#include <cstdint>
#include <vector>

#include "heap_chain.h"
#include "heap_memory.h"

namespace memprobe::procfs {

struct MmappedBlock {
  Range range = {};
  uint64_t resident = 0;
};

struct MmapFindings {
  std::vector<MmappedBlock> blocks = {};
  std::vector<MmappedBlock> abseil = {};
  std::vector<Range> main_pieces = {};
};

// Looks at the start of each resident page of `space`, one range of anonymous memory, outside of `taken`
// (ascending). `main` is given where the main arena may have pieces here.
void find_mmapped(const Process& process, Range space, const Residency& residency,
                  std::span<const Range> taken, const Owner* main, MmapFindings& findings);

}  // namespace memprobe::procfs
