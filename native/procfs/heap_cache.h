// The freed blocks that look like blocks in use: those in threads' caches (tcache) and in fastbins.
#pragma once

#include <cstdint>
#include <vector>

#include "heap_memory.h"

namespace memprobe::procfs {

struct FreeBlock {
  uint64_t chunk = 0;
  uint64_t size = 0;
};

// What the block at `chunk`, whose size is one of kCacheChunks, holds if it is a thread's cache; empty if
// not. All of it must fit together: the counts, the lists, the size of each block in them.
std::vector<FreeBlock> read_cache(const Process& process, uint64_t chunk, uint64_t size);

// What is in the fastbins of the arena whose bins are at `bins`.
std::vector<FreeBlock> read_fastbins(const Process& process, uint64_t bins);

}  // namespace memprobe::procfs
