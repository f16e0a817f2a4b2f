// One mapping by its address, through the PROCMAP_QUERY ioctl on /proc/PID/maps (Linux 6.11): no text, no
// walk. Plain C++ without global state: it may run on any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace memprobe::procfs {

struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;
  uint64_t inode = 0;
  uint32_t dev = 0;   // major << 20 | minor
  uint8_t perms = 0;  // execute 1, write 2, read 4, shared 8
  std::string path = {};
};

// Looks `address` up in `file`. Returns 0 with an empty `out` when nothing is mapped there, else the errno of
// open(2) or ioctl(2): ENOTTY where the kernel is older.
int query_mapping(const char* file, uint64_t address, std::optional<Mapping>& out);

}  // namespace memprobe::procfs
