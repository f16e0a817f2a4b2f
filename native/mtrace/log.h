// A log of mtrace(3) that is read piece by piece: what it says so far, and the blocks that live at that point.
// The same rules as lib/mtrace/parser.ts, and so the same answers; test/mtrace/ compares them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "line.h"
#include "live.h"
#include "sites.h"

namespace memprobe::mtrace {

// As parser.ts has them.
struct Counts {
  uint64_t lines = 0;
  uint64_t bytes = 0;
  uint64_t operations = 0;
  uint64_t failed = 0;
  uint64_t malformed = 0;
  uint64_t unknown_frees = 0;
  uint64_t duplicates = 0;
  bool started = false;
  bool ended = false;
  bool cut = false;
  bool at_end = false;  // the file has been read to its end
};

// A free of what was not allocated, or an allocation where a block still is: the operation tells.
struct Oddity {
  char operation;
  uint64_t address;
  uint64_t line;
  uint32_t site;
};

class Log {
 public:
  // Of the oddities only so many are told one by one.
  explicit Log(size_t oddities) : oddities_wanted_(oddities) {}

  // Reads on, so many bytes or up to the file's end. Returns 0 or the errno of read(2).
  int read(int fd, size_t length);

  const Counts& counts() const { return counts_; }
  const LiveBlocks& live() const { return live_; }
  // What came up since the last time that it was asked for.
  std::vector<Oddity> take_oddities() { return std::exchange(oddities_, {}); }
  std::vector<std::string> take_sites();

 private:
  static constexpr size_t kCapacity = 1 << 18;  // stays in the processor's cache

  void take(size_t length);
  void keep(size_t from, size_t to);
  void finish();
  void parse(const char* at, const char* end);
  void apply(const Line& line);

  // What was read: the beginning of a line, and then the next piece.
  std::vector<char> buffer_ = std::vector<char>(kCapacity + kSlack);
  size_t used_ = 0;
  bool skipping_ = false;  // a line that is too long
  Counts counts_ = {};
  Sites sites_ = {};
  uint32_t sites_told_ = 0;
  LiveBlocks live_ = {};
  size_t oddities_wanted_;
  std::vector<Oddity> oddities_ = {};
};

}  // namespace memprobe::mtrace
