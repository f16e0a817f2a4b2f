#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "heap.h"
#include "heap_arena.h"
#include "heap_cache.h"

namespace memprobe::procfs {
namespace {

class Walk {
 public:
  Walk(const Process& process, const AddressSpace& space, HeapReport& out)
      : process_(process), space_(space), out_(out) {}
  void run();

 private:
  // A piece of an arena, remembered for the blocks that turn out to be free after all.
  struct Walked {
    Range range;
    size_t arena;
    Residency residency;
  };

  MmapFindings scan(std::span<const Residency> residency, std::span<const Range> taken,
                    const std::optional<MainArena>& main) const;
  Arena complete(MainArena main, std::span<const Range> elsewhere) const;
  std::vector<Range> taken_by(std::span<const Arena> arenas) const;
  void walk_arena(const Arena& arena);
  void walk_piece(const Arena& arena, const HeapPiece& piece);
  void reclassify_caches();
  void reclassify_fastbins(std::span<const Arena> arenas);
  bool take_live(const FreeBlock& block, Tally Totals::* into);
  const Walked* find(uint64_t address) const;

  const Process& process_;
  const AddressSpace& space_;
  HeapReport& out_;
  SizeCounts sizes_ = {};
  std::vector<uint64_t> cache_candidates_ = {};
  std::vector<Walked> walked_ = {};
};

void Walk::run() {
  std::vector<Residency> residency;
  for (const Range& range : space_.anonymous) residency.push_back(process_.residency(range));
  auto main = find_main_arena(process_, space_);
  std::vector<Arena> arenas = find_thread_arenas(process_, space_.anonymous, residency);
  MmapFindings mapped = scan(residency, taken_by(arenas), main);
  if (main) {
    out_.mmapped_bytes = main->mmapped_bytes;
    arenas.insert(arenas.begin(), complete(std::move(*main), mapped.main_pieces));
  }
  out_.mmapped = std::move(mapped.blocks);
  out_.abseil = std::move(mapped.abseil);
  for (const Arena& arena : arenas) walk_arena(arena);
  std::sort(walked_.begin(), walked_.end(),
            [](const Walked& a, const Walked& b) { return a.range.start < b.range.start; });
  reclassify_caches();
  reclassify_fastbins(arenas);
  out_.sizes = sizes_.rows();
}

MmapFindings Walk::scan(std::span<const Residency> residency, std::span<const Range> taken,
                        const std::optional<MainArena>& main) const {
  MmapFindings out;
  const Owner owner{.main = true, .top_field = main ? main->arena.top_field() : 0};
  const Owner* scattered = main && main->scattered ? &owner : nullptr;
  for (size_t i = 0; i < residency.size(); i++) {
    find_mmapped(process_, space_.anonymous[i], residency[i], taken, scattered, out);
  }
  return out;
}

Arena Walk::complete(MainArena main, std::span<const Range> elsewhere) const {
  const Range& brk = space_.brk;
  const uint64_t first = main.base && brk.contains(*main.base) ? *main.base : brk.start;
  if (brk.size() != 0) main.arena.pieces.push_back({brk, first, brk.end});
  for (const Range& piece : elsewhere) main.arena.pieces.push_back({piece, piece.start, piece.end});
  return std::move(main.arena);
}

std::vector<Range> Walk::taken_by(std::span<const Arena> arenas) const {
  std::vector<Range> out;
  for (const Arena& arena : arenas) {
    for (const HeapPiece& piece : arena.pieces) out.push_back(piece.range);
  }
  std::sort(out.begin(), out.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  return out;
}

void Walk::walk_arena(const Arena& arena) {
  out_.arenas.push_back({.address = arena.address, .main = arena.main, .system_bytes = arena.system_bytes});
  for (const HeapPiece& piece : arena.pieces) walk_piece(arena, piece);
}

// In front of the first chunk lie malloc's own structures (in [heap]: what others took from it before),
// behind the last one pages that it keeps for later.
void Walk::walk_piece(const Arena& arena, const HeapPiece& piece) {
  ArenaReport& report = out_.arenas.back();
  Residency residency = process_.residency(piece.range);
  report.pieces.push_back({piece.range, residency.total()});
  Findings findings;
  const auto count = [&](Tally& tally, Range range) {
    tally.add(0, range.size(), residency.bytes(range.start, range.end));
  };
  count(arena.main ? findings.totals.unwalked : findings.totals.overhead, {piece.range.start, piece.first});
  Chain(process_, residency, {piece.range.start, piece.limit}, {arena.main, arena.top_field()})
      .walk(piece.first, findings, sizes_);
  count(findings.totals.overhead, {piece.limit, piece.range.end});
  report.totals += findings.totals;
  cache_candidates_.insert(cache_candidates_.end(), findings.cache_candidates.begin(),
                           findings.cache_candidates.end());
  walked_.push_back({piece.range, out_.arenas.size() - 1, std::move(residency)});
}

// A cache is overhead itself, and what it holds is free.
void Walk::reclassify_caches() {
  for (const uint64_t chunk : cache_candidates_) {
    Header header;
    if (!process_.read(chunk, &header, sizeof header)) continue;
    const std::vector<FreeBlock> blocks = read_cache(process_, chunk, header.size());
    if (blocks.empty() || !take_live({chunk, header.size()}, &Totals::overhead)) continue;
    for (const FreeBlock& block : blocks) take_live(block, &Totals::cached);
  }
}

void Walk::reclassify_fastbins(std::span<const Arena> arenas) {
  for (const Arena& arena : arenas) {
    for (const FreeBlock& block : read_fastbins(process_, arena.bins)) take_live(block, &Totals::fast);
  }
}

const Walk::Walked* Walk::find(uint64_t address) const {
  const auto above = [](uint64_t wanted, const Walked& piece) { return wanted < piece.range.end; };
  const auto piece = std::upper_bound(walked_.begin(), walked_.end(), address, above);
  return piece != walked_.end() && piece->range.contains(address) ? &*piece : nullptr;
}

// Moves a block that was counted as live. In a program that runs on, it may have been something else when the
// walk came by; then what is there to be moved decides.
bool Walk::take_live(const FreeBlock& block, Tally Totals::* into) {
  const Walked* piece = find(block.chunk);
  if (piece == nullptr || block.chunk + block.size > piece->range.end) return false;
  Totals& totals = out_.arenas[piece->arena].totals;
  const uint64_t in_memory = piece->residency.bytes(block.chunk, block.chunk + block.size);
  const uint64_t usable = block.size - kHeaderBytes;
  if (in_memory < kHeaderBytes || totals.live.chunks == 0 || totals.live.bytes < usable ||
      totals.live.resident < in_memory - kHeaderBytes) {
    return false;
  }
  totals.live.take(1, usable, in_memory - kHeaderBytes);
  totals.overhead.take(0, kHeaderBytes, kHeaderBytes);
  (totals.*into).add(into == &Totals::overhead ? 0 : 1, block.size, in_memory);
  sizes_.take(block.size);
  return true;
}

}  // namespace

int walk_heap(pid_t pid, HeapReport& out) {
  Process process(pid);
  AddressSpace space;
  if (const int error = process.open(); error != 0) return error;
  if (const int error = space.read(pid); error != 0) return error;
  Walk(process, space, out).run();
  return process.error();
}

}  // namespace memprobe::procfs
