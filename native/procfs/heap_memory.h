// Another process's memory, seen from outside: which pages are resident, and what stands in them. Nothing
// here stops the process, and nothing touches a page that was not resident, for that would make it so.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace memprobe::procfs {

struct Range {
  uint64_t start = 0;
  uint64_t end = 0;

  uint64_t size() const { return end - start; }
  bool contains(uint64_t address) const { return address >= start && address < end; }
};

uint64_t page_size();
inline uint64_t align_down(uint64_t value, uint64_t unit) { return value & ~(unit - 1); }
inline uint64_t align_up(uint64_t value, uint64_t unit) { return (value + unit - 1) & ~(unit - 1); }

// The resident part of a range: runs of pages in ascending order. Lookups remember where the last one was,
// since they nearly always move forward; hence one thread at a time.
class Residency {
 public:
  void add(Range run);
  uint64_t bytes(uint64_t start, uint64_t end) const;
  uint64_t total() const { return runs_.empty() ? 0 : before_.back() + runs_.back().size(); }
  bool present(uint64_t address) const { return bytes(address, address + 1) == 1; }
  std::span<const Range> runs() const { return runs_; }
  // The index of the first run that ends above `address`.
  size_t find(uint64_t address) const;

 private:
  uint64_t below(uint64_t address) const;

  std::vector<Range> runs_ = {};
  std::vector<uint64_t> before_ = {};  // resident bytes before each run
  mutable size_t last_ = 0;
};

// The two words that begin a malloc chunk.
struct Header {
  uint64_t prev_size = 0;
  uint64_t field = 0;

  uint64_t size() const { return field & ~uint64_t{7}; }
  bool prev_in_use() const { return (field & 1) != 0; }
  bool mmapped() const { return (field & 2) != 0; }
  bool non_main() const { return (field & 4) != 0; }
};

class Process {
 public:
  explicit Process(pid_t pid) : pid_(pid) {}
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int open();  // 0 or an errno
  Residency residency(Range range) const;
  bool read(uint64_t address, void* into, size_t length) const;
  // Reads the header at each address up to the first that cannot be read; returns how many.
  size_t gather(std::span<const uint64_t> addresses, Header* into) const;
  // Reads the resident pages of a range that is a whole number of pages; `valid` says, page by page, which it
  // got.
  void read_pages(Range range, const Residency& residency, uint8_t* into, uint8_t* valid) const;
  // What made every read fail: EPERM or ESRCH, else 0.
  int error() const { return error_; }

 private:
  ssize_t transfer(const iovec* into, size_t parts, const iovec* from, size_t pieces) const;
  bool scan(Range range, Residency& out) const;
  void read_pagemap(Range range, Residency& out) const;

  pid_t pid_;
  int pagemap_ = -1;
  mutable int error_ = 0;
};

// A block of a range, copied at once and looked at in detail.
class Window {
 public:
  Window(const Process& process, const Residency& residency, Range range);

  // The header at an address that is a multiple of 16; moves the window there.
  bool header(uint64_t at, Header& out) {
    if (at - base_ >= length_ && !load(at)) return false;
    return copy(at, out);
  }
  // The same, without moving the window.
  bool peek(uint64_t at, Header& out) const;
  void forget() { length_ = 0; }

 private:
  static constexpr uint64_t kBlock = 1 << 20;

  bool load(uint64_t at);
  bool copy(uint64_t at, Header& out) const {
    const uint64_t offset = at - base_;
    if (valid_[offset >> page_shift_] == 0) return false;
    out = *reinterpret_cast<const Header*>(bytes_.get() + offset);
    return true;
  }

  const Process& process_;
  const Residency& residency_;
  Range range_;
  unsigned page_shift_;
  uint64_t base_ = 0;
  uint64_t length_ = 0;
  std::unique_ptr<uint8_t[]> bytes_;
  std::vector<uint8_t> valid_;
};

}  // namespace memprobe::procfs
