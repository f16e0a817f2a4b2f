#include "heap_memory.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <string>

namespace memprobe::procfs {
namespace {

// <linux/fs.h> has these since Linux 6.7.
struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct PageScan {
  uint64_t size = sizeof(PageScan);
  uint64_t flags = 0;
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t walk_end = 0;
  uint64_t vec = 0;
  uint64_t vec_len = 0;
  uint64_t max_pages = 0;
  uint64_t category_inverted = 0;
  uint64_t category_mask = 0;
  uint64_t category_anyof_mask = 0;
  uint64_t return_mask = 0;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, PageScan);
constexpr uint64_t kScanPresent = 1 << 3;
constexpr uint64_t kScanZeroPage = 1 << 5;

constexpr uint64_t kEntryPresent = uint64_t{1} << 63;

constexpr size_t kMaxPieces = 1024;  // IOV_MAX

iovec remote(uint64_t address, size_t length) {
  return {.iov_base = reinterpret_cast<void*>(static_cast<uintptr_t>(address)), .iov_len = length};
}

}  // namespace

uint64_t page_size() {
  static const auto size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// --- Residency ---------------------------------------------------------------------

void Residency::add(Range run) {
  if (!runs_.empty() && runs_.back().end == run.start) {
    runs_.back().end = run.end;
    return;
  }
  const uint64_t before = total();
  runs_.push_back(run);
  before_.push_back(before);
}

size_t Residency::find(uint64_t address) const {
  const auto above = [](uint64_t wanted, const Range& run) { return wanted < run.end; };
  return static_cast<size_t>(std::upper_bound(runs_.begin(), runs_.end(), address, above) - runs_.begin());
}

uint64_t Residency::below(uint64_t address) const {
  last_ = find(address);
  if (last_ == runs_.size()) return total();
  const Range& run = runs_[last_];
  return before_[last_] + (address > run.start ? address - run.start : 0);
}

uint64_t Residency::bytes(uint64_t start, uint64_t end) const {
  if (start >= end) return 0;
  if (last_ < runs_.size() && start >= runs_[last_].start && end <= runs_[last_].end) return end - start;
  const uint64_t from = below(start);
  return below(end) - from;
}

// --- Process ---------------------------------------------------------------------

Process::~Process() {
  if (pagemap_ != -1) close(pagemap_);
}

int Process::open() {
  const std::string file = "/proc/" + std::to_string(pid_) + "/pagemap";
  pagemap_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (pagemap_ != -1) return 0;
  return errno == ENOENT ? ESRCH : errno;
}

Residency Process::residency(Range range) const {
  Residency out;
  if (!scan(range, out)) {
    out = {};
    read_pagemap(range, out);
  }
  return out;
}

// PAGEMAP_SCAN (Linux 6.7) tells the shared page of zeros apart, which the kernel does not count as resident.
bool Process::scan(Range range, Residency& out) const {
  std::array<PageRegion, 512> regions{};
  PageScan request{.start = range.start, .end = range.end};
  request.vec = reinterpret_cast<uintptr_t>(regions.data());
  request.vec_len = regions.size();
  request.category_inverted = kScanZeroPage;
  request.category_mask = kScanPresent | kScanZeroPage;
  request.return_mask = kScanPresent;
  while (request.start < request.end) {
    const int count = ioctl(pagemap_, kPagemapScan, &request);
    if (count < 0) return false;
    for (const PageRegion& region : std::span(regions).first(static_cast<size_t>(count))) {
      out.add({region.start, region.end});
    }
    if (request.walk_end <= request.start) return false;
    request.start = request.walk_end;
  }
  return true;
}

void Process::read_pagemap(Range range, Residency& out) const {
  const uint64_t page = page_size();
  std::vector<uint64_t> entries(32 * 1024);
  for (uint64_t at = range.start; at < range.end;) {
    const uint64_t wanted = std::min<uint64_t>((range.end - at) / page, entries.size());
    const ssize_t got = pread(pagemap_, entries.data(), wanted * 8, static_cast<off_t>(at / page * 8));
    if (got < 8) return;
    for (const uint64_t entry : std::span(entries).first(static_cast<size_t>(got) / 8)) {
      if ((entry & kEntryPresent) != 0) out.add({at, at + page});
      at += page;
    }
  }
}

ssize_t Process::transfer(const iovec* into, size_t parts, const iovec* from, size_t pieces) const {
  const ssize_t got = process_vm_readv(pid_, into, parts, from, pieces, 0);
  if (got == -1 && (errno == EPERM || errno == ESRCH || errno == ENOSYS)) error_ = errno;
  return got;
}

bool Process::read(uint64_t address, void* into, size_t length) const {
  const iovec local{.iov_base = into, .iov_len = length};
  const iovec there = remote(address, length);
  return transfer(&local, 1, &there, 1) == static_cast<ssize_t>(length);
}

size_t Process::gather(std::span<const uint64_t> addresses, Header* into) const {
  std::array<iovec, kMaxPieces> pieces{};
  const size_t count = std::min(addresses.size(), pieces.size());
  for (size_t i = 0; i < count; i++) pieces[i] = remote(addresses[i], sizeof(Header));
  const iovec local{.iov_base = into, .iov_len = count * sizeof(Header)};
  const ssize_t got = transfer(&local, 1, pieces.data(), count);
  return got < 0 ? 0 : static_cast<size_t>(got) / sizeof(Header);
}

void Process::read_pages(Range range, const Residency& residency, uint8_t* into, uint8_t* valid) const {
  const uint64_t page = page_size();
  std::fill_n(valid, range.size() / page, uint8_t{0});
  const auto runs = residency.runs();
  for (size_t i = residency.find(range.start); i < runs.size() && runs[i].start < range.end; i++) {
    const Range part{std::max(range.start, runs[i].start), std::min(range.end, runs[i].end)};
    const uint64_t offset = part.start - range.start;
    const iovec local{.iov_base = into + offset, .iov_len = part.size()};
    const iovec there = remote(part.start, part.size());
    const ssize_t got = transfer(&local, 1, &there, 1);
    if (got > 0) std::fill_n(valid + offset / page, static_cast<uint64_t>(got) / page, uint8_t{1});
  }
}

// --- Window ---------------------------------------------------------------------

Window::Window(const Process& process, const Residency& residency, Range range)
    : process_(process),
      residency_(residency),
      range_(range),
      page_shift_(static_cast<unsigned>(std::countr_zero(page_size()))),
      bytes_(std::make_unique_for_overwrite<uint8_t[]>(kBlock)),
      valid_(kBlock >> page_shift_) {}

bool Window::load(uint64_t at) {
  if (!range_.contains(at)) return false;
  base_ = align_down(at, kBlock);
  if (base_ < range_.start) base_ = range_.start;
  const uint64_t end = std::min(align_down(at, kBlock) + kBlock, range_.end);
  length_ = end - base_;
  process_.read_pages({base_, end}, residency_, bytes_.get(), valid_.data());
  return true;
}

bool Window::peek(uint64_t at, Header& out) const {
  if (at - base_ < length_) return copy(at, out);
  return range_.contains(at) && residency_.present(at) && process_.read(at, &out, sizeof out);
}

}  // namespace memprobe::procfs
