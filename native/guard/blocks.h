// Which heap blocks this package allocated: a shadow byte for each 16 bytes of address space, without a lock.
// malloc stores a byte, free swaps it back; a double free finds the byte already taken. A hash table would cost more
// than malloc itself.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace memprobe::guard::blocks {

inline constexpr size_t kAlignment = 16;  // glibc's MALLOC_ALIGNMENT on 64-bit machines

enum class Claim {
  Unknown,   // not ours, or already freed
  Taken,     // it was ours, and is nobody's now
  Attended,  // it is ours, and views or pins may lie on it: ask holds first
};

struct Extent {
  uintptr_t start = 0;
  uintptr_t end = 0;  // start of an unknown block: 0
};

// --- the shadow ---------------------------------------------------------------------------------------------------
// A leaf of 16 MiB (touched by the page only) covers 256 MiB of addresses; 2^20 leaves cover 48 bits. It lies open
// here because malloc and free must find their way through it without a call.

inline constexpr unsigned kLeafBits = 28;
inline constexpr unsigned kAddressBits = 48;
inline constexpr size_t kLeafCells = (size_t{1} << kLeafBits) / kAlignment;
inline constexpr size_t kLeaves = size_t{1} << (kAddressBits - kLeafBits);
// Behind the cells one more for each page of them, a tract: whether it ever had a mark. Who looks for the block around
// an address would read megabytes of nothing otherwise.
inline constexpr size_t kTractCells = 4096;
inline constexpr size_t kLeafBytes = kLeafCells + kLeafCells / kTractCells;

enum Mark : uint8_t { kNone, kLive, kAttended, kRetired };

using Cell = std::atomic<uint8_t>;
static_assert(sizeof(Cell) == 1 && Cell::is_always_lock_free);

// Zero-initialised, so only the pages in use exist.
extern std::array<std::atomic<Cell*>, kLeaves> leaves;

inline Cell* leaf_of(uintptr_t address) {
  const size_t index = address >> kLeafBits;
  return index < kLeaves ? leaves[index].load(std::memory_order_acquire) : nullptr;
}

inline size_t slot_of(uintptr_t address) { return (address & ((uintptr_t{1} << kLeafBits) - 1)) / kAlignment; }

inline Cell* cell_of(const void* block) {
  const auto address = reinterpret_cast<uintptr_t>(block);
  Cell* leaf = address % kAlignment == 0 ? leaf_of(address) : nullptr;
  return leaf == nullptr ? nullptr : leaf + slot_of(address);
}

// Takes this thread's spare leaf where there is no memory for a new one.
Cell* make_leaf(uintptr_t address);

// This thread has a spare leaf: its next add() succeeds, wherever the block lies. False: there is no memory for one.
bool have_spare();

// --- the books ----------------------------------------------------------------------------------------------------

// Records a new block. False: there is no memory for the shadow.
inline bool add(void* block) {
  const auto address = reinterpret_cast<uintptr_t>(block);
  Cell* leaf = leaf_of(address);
  if (leaf == nullptr) [[unlikely]] leaf = make_leaf(address);
  if (leaf == nullptr) [[unlikely]] return false;
  const size_t slot = slot_of(address);
  leaf[kLeafCells + slot / kTractCells].store(kLive, std::memory_order_relaxed);
  leaf[slot].store(kLive, std::memory_order_release);
  return true;
}

// An environment loads the addon: from the second on, blocks are claimed atomically.
void join();

// A locked instruction is a tenth of what free costs. As long as one thread alone runs JavaScript nobody can claim the
// same block meanwhile, and a plain store does; join() waits for a claim that is on its way.
extern std::atomic<bool> alone;
extern std::atomic<bool> claiming;

inline Claim swap_live(Cell& cell) {
  uint8_t expected = kLive;
  if (cell.compare_exchange_strong(expected, kNone, std::memory_order_acq_rel)) return Claim::Taken;
  return expected == kAttended ? Claim::Attended : Claim::Unknown;
}

inline Claim swap_live_alone(Cell& cell) {
  const uint8_t mark = cell.load(std::memory_order_relaxed);
  if (mark != kLive) [[unlikely]] return mark == kAttended ? Claim::Attended : Claim::Unknown;
  cell.store(kNone, std::memory_order_relaxed);
  return Claim::Taken;
}

// Takes a block out of the books, if nobody attends to it.
inline Claim claim(void* block) {
  Cell* cell = cell_of(block);
  if (cell == nullptr) [[unlikely]] return Claim::Unknown;
  if (!alone.load(std::memory_order_relaxed)) return swap_live(*cell);
  claiming.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // join() has the barrier for both: membarrier(2)
  const bool still = alone.load(std::memory_order_relaxed);
  const Claim result = still ? swap_live_alone(*cell) : Claim::Unknown;
  claiming.store(false, std::memory_order_release);
  return still ? result : swap_live(*cell);
}

// Takes an attended block out, after its views are gone. The caller holds the lock of holds.
void remove(void* block);

// It was taken out for a call that has failed: it is ours again, and as views may lie on it, attended to.
void reinstate(void* block);

bool known(void* block);

// The highest block at or below this address, whether it reaches there or not; 0 where there is none.
uintptr_t last_at_or_below(uintptr_t address);

// It is nobody's any more, and yet not freed: remains.h. The caller holds the lock of holds.
void retire(void* block);
bool retired(const void* block);

// Marks the block as attended to, so that it can't be freed unasked. False: it is not a known block. The caller holds
// the lock of holds.
bool attend(const void* block);

// The known block that holds all of [start, start + length), marked likewise. An extent of
// zeroes when there is none.
Extent attend(uintptr_t start, size_t length);

// The shadow's own mappings.
std::vector<Extent> shadows();

}  // namespace memprobe::guard::blocks
