// Finds glibc's arenas in another process: malloc keeps no list that could be read from outside, but its
// structures have shapes that nothing else has. Written after malloc/arena.c and malloc/malloc.c of
// glibc 2.26 to 2.42; the offsets that changed between these are found, not assumed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "heap_memory.h"

namespace memprobe::procfs {

// One piece of an arena's memory.
struct HeapPiece {
  Range range = {};
  uint64_t first = 0;  // its first chunk
  uint64_t limit = 0;  // where the chunks end; malloc may keep writable, discarded pages behind it
};

struct Arena {
  bool main = false;
  uint64_t address = 0;
  uint64_t bins = 0;  // the array of list heads inside the arena, by which the other fields are found
  uint64_t system_bytes = 0;
  std::vector<HeapPiece> pieces = {};

  uint64_t top_field() const { return bins - 16; }
};

// What is mapped, as far as it matters here.
struct AddressSpace {
  std::vector<Range> data = {};  // private, writable mappings of files: where the main arena's structure is
  std::vector<Range> anonymous = {};  // private, writable memory without a name; neighbours are one range
  Range brk = {};                     // [heap]

  int read(pid_t pid);  // 0 or an errno

 private:
  void add(const std::string& line);
};

struct MainArena {
  Arena arena = {};
  // Whether some of it may be outside of [heap], because the break could not be moved.
  bool scattered = false;
  // From malloc's parameters, where they were found: where its part of [heap] begins, and what it counts as
  // memory in blocks of their own (mmap).
  std::optional<uint64_t> base = {};
  std::optional<uint64_t> mmapped_bytes = {};
};

std::optional<MainArena> find_main_arena(const Process& process, const AddressSpace& space);
std::vector<Arena> find_thread_arenas(const Process& process, std::span<const Range> anonymous,
                                      std::span<const Residency> residency);

}  // namespace memprobe::procfs
