#include "heap_mmapped.h"

#include <algorithm>
#include <array>

namespace memprobe::procfs {
namespace {

constexpr size_t kBatch = 512;
constexpr uint64_t kMinMainPiece = 1 << 17;  // M_TOP_PAD
constexpr uint64_t kAbseilInUse = 0x4c833e95;  // kMagicAllocated of its low_level_alloc.cc

class Scan {
 public:
  Scan(const Process& process, Range space, const Residency& residency, std::span<const Range> taken,
       const Owner* main, MmapFindings& findings)
      : process_(process),
        space_(space),
        residency_(residency),
        taken_(taken),
        main_(main),
        findings_(findings) {}

  void run() {
    for (uint64_t at = next_page(space_.start); at < space_.end;) at = look(at);
  }

 private:
  uint64_t next_page(uint64_t at) const;
  uint64_t look(uint64_t at);
  uint64_t block_end(uint64_t at, const Header& header) const;
  uint64_t main_piece_end(uint64_t at, const Header& header) const;
  uint64_t abseil_end(uint64_t at, Header header) const;

  const Process& process_;
  Range space_;
  const Residency& residency_;
  std::span<const Range> taken_;
  const Owner* main_;
  MmapFindings& findings_;
};

// The first page from `at` on that is resident and nobody else's; the end of the space if there is none.
uint64_t Scan::next_page(uint64_t at) const {
  const auto above = [](uint64_t wanted, const Range& range) { return wanted < range.end; };
  while (at < space_.end) {
    const size_t run = residency_.find(at);
    if (run == residency_.runs().size()) return space_.end;
    at = std::max(at, residency_.runs()[run].start);
    const auto range = std::upper_bound(taken_.begin(), taken_.end(), at, above);
    if (range == taken_.end() || at < range->start) return at;
    at = range->end;
  }
  return space_.end;
}

// Looks at a batch of pages up to the first find; returns where to go on.
uint64_t Scan::look(uint64_t at) {
  std::array<uint64_t, kBatch> pages{};
  std::array<Header, kBatch> headers{};
  size_t count = 0;
  for (; count < kBatch && at < space_.end; at = next_page(at + page_size())) pages[count++] = at;
  const size_t got = process_.gather(std::span(pages).first(count), headers.data());
  for (size_t i = 0; i < got; i++) {
    if (const uint64_t end = block_end(pages[i], headers[i]); end != 0) {
      findings_.blocks.push_back({{pages[i], end}, residency_.bytes(pages[i], end)});
      return next_page(end);
    }
    if (const uint64_t end = main_piece_end(pages[i], headers[i]); end != 0) {
      findings_.main_pieces.push_back({pages[i], end});
      return next_page(end);
    }
    if (const uint64_t end = abseil_end(pages[i], headers[i]); end != 0) {
      findings_.abseil.push_back({{pages[i], end}, residency_.bytes(pages[i], end)});
      return next_page(end);
    }
  }
  return got == count ? at : next_page(pages[got] + page_size());
}

// A mapped block starts with 0 and its size, a whole number of pages (less 16 bytes since glibc 2.43), marked
// as mapped and nothing else. Blocks with an alignment keep this first header in front of their own.
uint64_t Scan::block_end(uint64_t at, const Header& header) const {
  if (header.prev_size != 0 || (header.field & 7) != 2) return 0;
  const uint64_t size = header.size();
  if (size < page_size() - 16 || size > space_.end - at) return 0;
  const uint64_t rest = size % page_size();
  if (rest != 0 && rest != page_size() - 16) return 0;
  const uint64_t end = at + align_up(size, page_size());
  return end <= space_.end ? end : 0;
}

uint64_t Scan::main_piece_end(uint64_t at, const Header& header) const {
  if (main_ == nullptr || (header.field & 7) != 1 || header.size() < kMinChunk) return 0;
  const uint64_t end = Chain(process_, residency_, {at, space_.end}, *main_).piece_end(at);
  return end >= at + kMinMainPiece && end % page_size() == 0 ? end : 0;
}

// Its blocks follow one another, each with its size and a number that is xor-ed with its address.
uint64_t Scan::abseil_end(uint64_t at, Header header) const {
  const uint64_t start = at;
  const auto is_block = [&] {
    const uint64_t magic = header.field ^ at;
    const uint64_t size = header.prev_size;
    return (magic == kAbseilInUse || magic == ~kAbseilInUse) && size != 0 && size % 16 == 0 && size <= space_.end - at;
  };
  while (is_block()) {
    at += header.prev_size;
    if (at == space_.end || !process_.read(at, &header, sizeof header)) break;
  }
  return at == start ? 0 : align_up(at, page_size());
}

}  // namespace

void find_mmapped(const Process& process, Range space, const Residency& residency,
                  std::span<const Range> taken, const Owner* main, MmapFindings& findings) {
  Scan(process, space, residency, taken, main, findings).run();
}

}  // namespace memprobe::procfs
