#include "heap_chain.h"

#include <algorithm>
#include <bit>

namespace memprobe::procfs {
namespace {

// A place is taken for the start of a chunk if this many chunks follow from it: the chains of wrong places
// either break sooner or have met the right chain by then.
constexpr int kCredibleSteps = 32;
// The first of them may not be larger: a wrong size may well meet the right chain, but behind much that it
// passed over.
constexpr uint64_t kCredibleFirst = 64 * 1024;
// How often a block is read again where a chain breaks.
constexpr int kRetries = 3;
constexpr uint64_t kHugeAddress = uint64_t{1} << 47;
constexpr uint64_t kChunkStruct = 48;  // sizeof(struct malloc_chunk), which malloc_trim leaves alone

bool may_hold_cache(uint64_t size) {
  return size == kCacheChunks[0] || size == kCacheChunks[1] || size == kCacheChunks[2];
}

}  // namespace

void Tally::add(uint64_t count, uint64_t size, uint64_t in_memory, uint64_t can_go) {
  chunks += count;
  bytes += size;
  resident += in_memory;
  trimmable += can_go;
}

void Tally::take(uint64_t count, uint64_t size, uint64_t in_memory) {
  chunks -= count;
  bytes -= size;
  resident -= in_memory;
}

Tally& Tally::operator+=(const Tally& other) {
  add(other.chunks, other.bytes, other.resident, other.trimmable);
  return *this;
}

Totals& Totals::operator+=(const Totals& other) {
  for (Tally Totals::* part : {&Totals::live, &Totals::free, &Totals::top, &Totals::cached, &Totals::fast,
                               &Totals::overhead, &Totals::unwalked}) {
    this->*part += other.*part;
  }
  return *this;
}

// --- SizeCounts ---------------------------------------------------------------------

void SizeCounts::take(uint64_t size) {
  if (size < kExact) {
    exact_[size / 16] -= exact_[size / 16] != 0;
  } else if (const auto row = larger_.find(size); row != larger_.end() && --row->second == 0) {
    larger_.erase(row);
  }
}

std::vector<SizeCounts::Row> SizeCounts::rows() const {
  std::vector<Row> out;
  for (size_t i = 0; i < exact_.size(); i++) {
    const uint64_t usable = i * 16 - kHeaderBytes;
    if (exact_[i] != 0) out.push_back({usable, usable, exact_[i], exact_[i] * usable});
  }
  auto magnitude = std::bit_width(uint64_t{0});
  for (const auto& [size, chunks] : larger_) {
    const uint64_t usable = size - kHeaderBytes;
    if (std::bit_width(size) != magnitude) out.push_back({usable, usable, 0, 0});
    magnitude = std::bit_width(size);
    out.back().to = usable;
    out.back().chunks += chunks;
    out.back().bytes += chunks * usable;
  }
  return out;
}

// --- Chain ---------------------------------------------------------------------

Chain::Chain(const Process& process, const Residency& residency, Range range, Owner owner)
    : process_(process),
      residency_(residency),
      range_(range),
      owner_(owner),
      window_(process, residency, range) {
  process_.read(owner_.top_field, &top_, sizeof top_);
}

void Chain::walk(uint64_t first, Findings& findings, SizeCounts& sizes) {
  findings_ = &findings;
  sizes_ = &sizes;
  at_ = first;
  while (at_ < range_.end) {
    const Step result = step();
    if (result != Step::Ok) recover(result);
  }
}

// Accounts for the chunk at at_. Only the next chunk's header says whether it is in use.
Chain::Step Chain::step() {
  Header chunk;
  if (!window_.header(at_, chunk)) return Step::Absent;
  if (const uint64_t end = fence_end(at_, chunk); end != 0) return count_fence(end), Step::Ok;
  if (is_top(at_, chunk)) return count_top(chunk.size()), Step::Ok;
  if (!plausible(at_, chunk)) return Step::Broken;
  Header next;
  if (!window_.header(at_ + chunk.size(), next)) return Step::Absent;
  if (!agree(chunk, next)) return Step::Broken;
  if (next.prev_in_use()) {
    count_live(chunk.size());
  } else {
    count_free(chunk.size());
  }
  at_ += chunk.size();
  return Step::Ok;
}

// Where malloc had to go on elsewhere, it ends a piece with a fence of chunks that can't be used. Returns the
// end of one that begins here, or 0. In the main arena: two chunks of 16 bytes, or three; in a thread's: one
// of 16 or 32 bytes and one of 0.
uint64_t Chain::fence_end(uint64_t at, const Header& header) {
  Header next = header;
  if (!owner_.main) {
    const uint64_t size = header.size();
    const bool last = (size == 16 || size == 32) && at + size + 16 == range_.end;
    return last && window_.header(at + size, next) && next.size() == 0 ? range_.end : 0;
  }
  uint64_t end = at;
  while (next.size() == 16) {
    end += 16;
    if (end == range_.end || !window_.header(end, next)) break;
  }
  return end - at >= 32 ? end : 0;
}

// The top moves while its program allocates: what was top a moment ago is asked for again before it ends the
// walk.
bool Chain::is_top(uint64_t at, const Header& header) {
  if (header.size() < kMinChunk || header.size() > kHugeAddress || !header.prev_in_use()) return false;
  if (at + header.size() == range_.end) return true;
  if (at != top_) return false;
  return process_.read(owner_.top_field, &top_, sizeof top_) && at == top_;
}

bool Chain::plausible(uint64_t at, const Header& header) const {
  const uint64_t size = header.size();
  return size >= kMinChunk && size % 16 == 0 && size < range_.end - at && !header.mmapped();
}

bool Chain::agree(const Header& chunk, const Header& next) const {
  return next.prev_in_use() ? chunk.non_main() != owner_.main : next.prev_size == chunk.size();
}

void Chain::count_live(uint64_t size) {
  const uint64_t in_memory = resident(at_, at_ + size);
  findings_->totals.live.add(1, size - kHeaderBytes, in_memory - kHeaderBytes);
  findings_->totals.overhead.add(0, kHeaderBytes, kHeaderBytes);
  sizes_->add(size);
  if (may_hold_cache(size)) [[unlikely]]
    findings_->cache_candidates.push_back(at_);
}

// malloc_trim gives back the whole pages behind a free chunk's own structure.
void Chain::count_free(uint64_t size) {
  const uint64_t from = align_up(at_ + kChunkStruct, page_size());
  const uint64_t to = align_down(at_ + size, page_size());
  findings_->totals.free.add(1, size, resident(at_, at_ + size), resident(from, std::max(from, to)));
}

// Of the top, malloc_trim gives back whole pages at the end of the break: the main arena's alone.
void Chain::count_top(uint64_t size) {
  const uint64_t end = std::min(at_ + size, range_.end);
  const uint64_t give = owner_.main && end == range_.end ? align_down(size - kMinChunk - 1, page_size()) : 0;
  findings_->totals.top.add(1, end - at_, resident(at_, end), resident(end - std::min(give, end - at_), end));
  at_ = end;
}

void Chain::count_fence(uint64_t end) {
  findings_->totals.overhead.add(0, end - at_, resident(at_, end));
  at_ = end;
}

// The chain broke: the program changed it since the block was read, or here lies memory of someone else (a
// foreign sbrk), or pages that are not resident.
void Chain::recover(Step why) {
  const uint64_t from = at_;
  for (int i = 0; why == Step::Broken && i < kRetries; i++) {
    window_.forget();
    process_.read(owner_.top_field, &top_, sizeof top_);
    why = step();
    if (why == Step::Ok) return;
  }
  Header chunk;
  const bool skip = why == Step::Absent && window_.header(at_, chunk) && plausible(at_, chunk);
  at_ = resynchronize(from + (skip ? chunk.size() : 16));
  findings_->totals.unwalked.add(0, at_ - from, resident(from, at_));
}

uint64_t Chain::resynchronize(uint64_t from) {
  for (uint64_t at = from; at < range_.end; at += 16) {
    if (!residency_.present(at)) {
      const size_t run = residency_.find(at);
      if (run == residency_.runs().size()) break;
      at = residency_.runs()[run].start;
      if (at >= range_.end) break;
    }
    if (credible(at)) return at;
  }
  return range_.end;
}

bool Chain::credible(uint64_t at) {
  Header chunk;
  if (!window_.header(at, chunk)) return false;
  for (int i = 0; i < kCredibleSteps; i++) {
    if (is_top(at, chunk)) return true;
    if (i == 0 && chunk.size() > kCredibleFirst) return false;
    if (!plausible(at, chunk)) return i > 0 && fence_end(at, chunk) != 0;
    Header next;
    if (!window_.peek(at + chunk.size(), next) || !agree(chunk, next)) return false;
    at += chunk.size();
    chunk = next;
  }
  return true;
}

uint64_t Chain::piece_end(uint64_t first) {
  Header chunk;
  uint64_t at = first;
  while (window_.header(at, chunk)) {
    if (at == top_) return at + chunk.size() <= range_.end ? at + chunk.size() : 0;
    if (const uint64_t end = fence_end(at, chunk); end != 0) return end;
    Header next;
    if (!plausible(at, chunk) || !window_.header(at + chunk.size(), next) || !agree(chunk, next)) return 0;
    at += chunk.size();
  }
  return 0;
}

}  // namespace memprobe::procfs
