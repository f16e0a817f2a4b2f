// A bulk reader for /proc/PID/smaps (and maps, its subset): text in, columns out. It parses each piece of the
// file while it is still in the cache, so that a process with tens of thousands of mappings costs little more
// than the kernel's own work. Plain C++ without global state: it may run on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace memprobe::procfs {

inline constexpr uint32_t kAbsent = UINT32_MAX;

enum Perms : uint8_t { kExec = 1, kWrite = 2, kRead = 4, kShared = 8 };

// One numeric field under its kernel name: bytes where the kernel says kB, else the bare number; NaN where the
// mapping does not have the field. Most fields are 0 everywhere: columns that are one value throughout share it.
struct NumberColumn {
  std::string name;
  std::shared_ptr<std::vector<double>> values = std::make_shared<std::vector<double>>();
};

// One textual field (VmFlags): `index` points into `strings`, kAbsent where the mapping does not have the
// field.
struct TextColumn {
  std::string name;
  std::vector<uint32_t> index = {};
  std::vector<std::string> strings = {};
};

struct Smaps {
  std::vector<uint64_t> start = {};
  std::vector<uint64_t> end = {};
  std::vector<uint64_t> offset = {};
  std::vector<uint64_t> inode = {};
  std::vector<uint32_t> dev = {};  // major << 20 | minor, the kernel's own layout
  std::vector<uint8_t> perms = {};
  std::vector<uint32_t> path = {};  // points into `paths`
  std::vector<std::string> paths = {};
  std::vector<NumberColumn> numbers = {};
  std::vector<TextColumn> texts = {};

  // The first line that is not what a kernel writes: its number (0: there is none) and text.
  size_t bad_line = 0;
  std::string bad_text = {};

  // The process went away half-way: the kernel then ends the file early without an error.
  bool truncated = false;
};

// Reads and parses the whole file. Returns 0, or the errno of open(2) or read(2).
int read_smaps(const char* file, Smaps& out);

}  // namespace memprobe::procfs
