// Walks the chunks of one piece of a malloc arena, from the first to the last, and adds up what they are.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "heap_memory.h"

namespace memprobe::procfs {

struct Tally {
  uint64_t chunks = 0;
  uint64_t bytes = 0;      // of address space
  uint64_t resident = 0;   // of which are in memory
  uint64_t trimmable = 0;  // of which malloc_trim(0) gives back

  void add(uint64_t count, uint64_t size, uint64_t in_memory, uint64_t can_go = 0);
  void take(uint64_t count, uint64_t size, uint64_t in_memory);
  Tally& operator+=(const Tally& other);
};

// Every byte of an arena is in exactly one of these; so is every resident byte.
struct Totals {
  Tally live = {};      // blocks in use, without their headers
  Tally free = {};      // in the arena's bins
  Tally top = {};       // the unused end of a piece, from which new blocks are cut
  Tally cached = {};    // freed blocks that threads keep in their tcache
  Tally fast = {};      // freed blocks in the arena's fastbins
  Tally overhead = {};  // headers of blocks, and malloc's own structures
  Tally unwalked = {};  // not malloc's, or not to be told

  Totals& operator+=(const Totals& other);
};

// How many blocks in use there are of each size. Sizes are of whole chunks.
class SizeCounts {
 public:
  struct Row {
    uint64_t from;  // usable bytes of the smallest and of the largest block
    uint64_t to;
    uint64_t chunks;
    uint64_t bytes;  // usable, together
  };
  void add(uint64_t size) {
    if (size < kExact) [[likely]] {
      exact_[size / 16]++;
    } else {
      larger_[size]++;
    }
  }
  void take(uint64_t size);
  // One row for each size up to 4 KiB, then one for each power of two.
  std::vector<Row> rows() const;

 private:
  static constexpr uint64_t kExact = 4096 + 16;
  std::array<uint64_t, kExact / 16> exact_ = {};
  std::map<uint64_t, uint64_t> larger_ = {};
};

inline constexpr uint64_t kHeaderBytes = 8;
inline constexpr uint64_t kMinChunk = 32;
// What holds a thread's cache is a block of one of these sizes: glibc 2.26, 2.30, 2.42.
inline constexpr std::array<uint64_t, 3> kCacheChunks = {0x250, 0x290, 0x300};

struct Findings {
  Totals totals = {};
  std::vector<uint64_t> cache_candidates = {};
};

// The arena that a chain belongs to, as far as its chunks show it.
struct Owner {
  bool main = false;
  uint64_t top_field = 0;  // where the arena keeps the address of its top chunk
};

class Chain {
 public:
  Chain(const Process& process, const Residency& residency, Range range, Owner owner);
  // Accounts for everything from `first` to the end of the range.
  void walk(uint64_t first, Findings& findings, SizeCounts& sizes);
  // Follows the chain without accounting for anything: the end of the piece that starts at `first`, or 0 if
  // this does not end the way a piece of the main arena ends, in the top chunk or in a fence.
  uint64_t piece_end(uint64_t first);

 private:
  enum class Step { Ok, Broken, Absent };

  Step step();
  uint64_t fence_end(uint64_t at, const Header& header);
  bool is_top(uint64_t at, const Header& header);
  bool plausible(uint64_t at, const Header& header) const;
  bool agree(const Header& chunk, const Header& next) const;
  void recover(Step why);
  uint64_t resynchronize(uint64_t from);
  bool credible(uint64_t at);
  void count_live(uint64_t size);
  void count_free(uint64_t size);
  void count_top(uint64_t size);
  void count_fence(uint64_t end);
  uint64_t resident(uint64_t start, uint64_t end) const { return residency_.bytes(start, end); }

  const Process& process_;
  const Residency& residency_;
  Range range_;
  Owner owner_;
  Window window_;
  uint64_t top_ = 0;
  uint64_t at_ = 0;
  Findings* findings_ = nullptr;
  SizeCounts* sizes_ = nullptr;
};

}  // namespace memprobe::procfs
