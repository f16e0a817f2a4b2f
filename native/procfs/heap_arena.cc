#include "heap_arena.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

namespace memprobe::procfs {
namespace {

// struct malloc_state ends in: top, last_remainder, bins[254], binmap[4] (of int), next, next_free,
// attached_threads, system_mem, max_system_mem.
constexpr size_t kBins = 127;
constexpr uint64_t kBinsBytes = kBins * 16;
constexpr uint64_t kSystemMem = kBinsBytes + 16 + 24;
constexpr uint64_t kStateEnd = kSystemMem + 16;
constexpr uint64_t kMaxBinsOffset = 128;  // of `bins` in the structure: 112 with fastbins, 24 without

// A thread's heap begins at a multiple of 64 MiB, or of four huge pages where malloc was told to use these.
constexpr uint64_t kHeapAlign = uint64_t{8} << 20;
constexpr uint64_t kMaxHeap = uint64_t{4} << 30;

using Bins = std::array<uint64_t, 2 * kBins>;

bool inside(std::span<const Range> ranges, uint64_t address) {
  const auto above = [](uint64_t wanted, const Range& range) { return wanted < range.end; };
  const auto range = std::upper_bound(ranges.begin(), ranges.end(), address, above);
  return range != ranges.end() && range->contains(address);
}

// Each bin is a list through its free chunks; an empty one points to itself, as if it were a chunk 16 bytes
// below. The two pointers in front of the bins (top, last_remainder) may look like one more: the last match
// is the right one.
template <class IsChunk>
bool are_bins(const uint64_t* bins, uint64_t address, IsChunk is_chunk) {
  size_t empty = 0;
  for (size_t i = 0; i < kBins; i++) {
    const uint64_t self = address + i * 16 - 16;
    const uint64_t forward = bins[2 * i];
    const uint64_t back = bins[2 * i + 1];
    if ((forward == self) != (back == self)) return false;
    if (forward == self) {
      empty++;
    } else if (forward % 16 != 0 || back % 16 != 0 || !is_chunk(forward) || !is_chunk(back)) {
      return false;
    }
  }
  return empty != 0;
}

// --- the main arena ---------------------------------------------------------------------

// Private, writable data of a file, as one array of words; pages that are not resident are left zero.
std::vector<uint64_t> read_words(const Process& process, Range range) {
  std::vector<uint64_t> words(range.size() / 8);
  std::vector<uint8_t> valid(range.size() / page_size());
  process.read_pages(range, process.residency(range), reinterpret_cast<uint8_t*>(words.data()), valid.data());
  return words;
}

struct MainSearch {
  const AddressSpace& space;
  Range range;
  std::vector<uint64_t> words;

  bool in_heap(uint64_t address) const {
    return space.brk.contains(address) || inside(space.anonymous, address);
  }
  std::optional<size_t> find_bins() const;
  std::optional<size_t> find_base() const;
};

std::optional<size_t> MainSearch::find_bins() const {
  const auto is_chunk = [&](uint64_t address) { return in_heap(address); };
  std::optional<size_t> last;
  for (size_t i = 16; i + kStateEnd / 8 <= words.size(); i++) {
    const uint64_t top = words[i - 2];
    if (top != 0 && top % 16 == 0 && in_heap(top) && are_bins(&words[i], range.start + i * 8, is_chunk))
      last = i;
    if (last && i == *last + 2) break;
  }
  return last;
}

// struct malloc_par has: mmapped_mem, max_mmapped_mem, sbrk_base, the number of tcache bins,
// tcache_max_bytes.
std::optional<size_t> MainSearch::find_base() const {
  for (size_t i = 2; i + 2 < words.size(); i++) {
    const uint64_t bytes = words[i - 2];
    const bool is_base = words[i] % 16 == 0 && in_heap(words[i]);
    if (is_base && bytes % page_size() == 0 && bytes <= words[i - 1] && words[i + 1] - 1 < 76 &&
        words[i + 2] < kMaxHeap) {
      return i;
    }
  }
  return {};
}

// --- threads' arenas ---------------------------------------------------------------------

struct HeapInfo {
  uint64_t arena;
  uint64_t prev;
  uint64_t size;
  uint64_t writable;  // mprotect_size
};

struct FoundHeap {
  uint64_t start;
  HeapInfo info;
};

bool is_heap(const FoundHeap& heap, uint64_t space_end) {
  const HeapInfo& info = heap.info;
  const uint64_t unit = page_size();
  return info.arena % 16 == 0 && info.arena != 0 && info.prev % kHeapAlign == 0 && info.size >= unit &&
         info.size % unit == 0 && info.size <= info.writable && info.writable % unit == 0 &&
         info.writable <= kMaxHeap && heap.start + info.writable <= space_end;
}

std::vector<FoundHeap> find_heaps(const Process& process, std::span<const Range> anonymous,
                                  std::span<const Residency> residency) {
  std::vector<FoundHeap> out;
  for (size_t i = 0; i < anonymous.size(); i++) {
    for (const Range& run : residency[i].runs()) {
      for (uint64_t at = align_up(run.start, kHeapAlign); at < run.end; at += kHeapAlign) {
        FoundHeap heap{.start = at, .info = {}};
        if (process.read(at, &heap.info, sizeof heap.info) && is_heap(heap, anonymous[i].end))
          out.push_back(heap);
      }
    }
  }
  return out;
}

// The first heap of an arena holds the arena itself, right behind the heap's own structure.
std::optional<Arena> as_arena(const Process& process, const FoundHeap& heap,
                              std::span<const Range> anonymous) {
  const uint64_t info_bytes = heap.info.arena - heap.start;
  if (heap.info.prev != 0 || (info_bytes != 32 && info_bytes != 48)) return {};
  std::array<uint64_t, (kMaxBinsOffset + kStateEnd) / 8> words{};
  if (!process.read(heap.info.arena, words.data(), sizeof words)) return {};
  const auto is_chunk = [&](uint64_t address) { return inside(anonymous, address); };
  for (uint64_t offset = kMaxBinsOffset; offset >= 24; offset -= 8) {
    const uint64_t bins = heap.info.arena + offset;
    if (!are_bins(&words[offset / 8], bins, is_chunk)) continue;
    return Arena{.address = heap.info.arena, .bins = bins, .system_bytes = words[(offset + kSystemMem) / 8]};
  }
  return {};
}

HeapPiece as_piece(const FoundHeap& heap, const Arena& arena) {
  const uint64_t state_end = align_up(arena.bins + kStateEnd, 16);
  const uint64_t info_bytes = arena.address % page_size();  // the first heap is page-aligned
  return {.range = {heap.start, heap.start + heap.info.writable},
          .first = heap.info.prev == 0 ? state_end : heap.start + info_bytes,
          .limit = heap.start + heap.info.size};
}

}  // namespace

int AddressSpace::read(pid_t pid) {
  errno = 0;
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  if (!maps) return errno == 0 || errno == ENOENT ? ESRCH : errno;
  bool any = false;
  for (std::string line; std::getline(maps, line); any = true) add(line);
  return any ? 0 : ESRCH;  // a process that is going away has no memory any more
}

// "start-end perms offset dev inode   path"
void AddressSpace::add(const std::string& line) {
  Range range;
  char perms[5] = {};
  uint64_t inode = 0;
  int length = 0;
  const int fields = std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64 " %n",
                                 &range.start, &range.end, perms, &inode, &length);
  if (fields != 4 || std::string_view(perms).substr(0, 2) != "rw" || perms[3] != 'p') return;
  const std::string_view path = std::string_view(line).substr(static_cast<size_t>(length));
  if (path == "[heap]") {
    brk = {brk.end == range.start ? brk.start : range.start, range.end};
  } else if (inode != 0) {
    data.push_back(range);
  } else if (path.empty() || path.starts_with("[anon:")) {
    const bool follows = !anonymous.empty() && anonymous.back().end == range.start;
    if (!follows) anonymous.push_back(range);
    anonymous.back().end = range.end;
  }
}

std::optional<MainArena> find_main_arena(const Process& process, const AddressSpace& space) {
  for (const Range& range : space.data) {
    const MainSearch search{space, range, read_words(process, range)};
    const auto found = search.find_bins();
    if (!found) continue;
    const uint64_t bins = range.start + *found * 8;
    const uint64_t top = search.words[*found - 2];
    const uint64_t system_bytes = search.words[*found + kSystemMem / 8];
    MainArena main{.arena = {.main = true, .address = bins - 112, .bins = bins, .system_bytes = system_bytes},
                   .scattered = !space.brk.contains(top)};
    if (const auto base = search.find_base()) {
      main.base = search.words[*base];
      main.mmapped_bytes = search.words[*base - 2];
    }
    return main;
  }
  return {};
}

std::vector<Arena> find_thread_arenas(const Process& process, std::span<const Range> anonymous,
                                      std::span<const Residency> residency) {
  const std::vector<FoundHeap> heaps = find_heaps(process, anonymous, residency);
  std::vector<Arena> out;
  for (const FoundHeap& heap : heaps) {
    if (auto arena = as_arena(process, heap, anonymous)) out.push_back(std::move(*arena));
  }
  for (const FoundHeap& heap : heaps) {
    const auto arena =
        std::find_if(out.begin(), out.end(), [&](const Arena& it) { return it.address == heap.info.arena; });
    if (arena != out.end()) arena->pieces.push_back(as_piece(heap, *arena));
  }
  return out;
}

}  // namespace memprobe::procfs
