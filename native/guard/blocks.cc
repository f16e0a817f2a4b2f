#include "blocks.h"

#include <malloc.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstring>

namespace memprobe::guard::blocks {
namespace {

// A leaf of 16 MiB (touched by the page only) covers 256 MiB of addresses; 2^20 leaves cover 48 bits.
constexpr unsigned kLeafBits = 28;
constexpr unsigned kAddressBits = 48;
constexpr size_t kLeafBytes = (size_t{1} << kLeafBits) / kAlignment;
constexpr size_t kLeaves = size_t{1} << (kAddressBits - kLeafBits);

enum Mark : uint8_t { kNone, kLive, kAttended };

using Cell = std::atomic<uint8_t>;
static_assert(sizeof(Cell) == 1 && Cell::is_always_lock_free);

// Zero-initialised, so only the pages in use exist.
std::array<std::atomic<Cell*>, kLeaves> leaves;

Cell* leaf_of(uintptr_t address) {
  const size_t index = address >> kLeafBits;
  return index < kLeaves ? leaves[index].load(std::memory_order_acquire) : nullptr;
}

Cell* make_leaf(uintptr_t address) {
  const size_t index = address >> kLeafBits;
  if (index >= kLeaves) return nullptr;
  void* fresh =
      mmap(nullptr, kLeafBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED) return nullptr;
  madvise(fresh, kLeafBytes, MADV_NOHUGEPAGE);  // one byte in 2 MiB must not cost 2 MiB
  Cell* expected = nullptr;
  if (leaves[index].compare_exchange_strong(expected, static_cast<Cell*>(fresh))) return static_cast<Cell*>(fresh);
  munmap(fresh, kLeafBytes);
  return expected;
}

size_t slot_of(uintptr_t address) { return (address & ((uintptr_t{1} << kLeafBits) - 1)) / kAlignment; }

Cell* cell_of(void* block) {
  const auto address = reinterpret_cast<uintptr_t>(block);
  if (address % kAlignment != 0) return nullptr;
  Cell* leaf = leaf_of(address);
  return leaf == nullptr ? nullptr : leaf + slot_of(address);
}

// The highest marked cell at or below `address`, or 0.
uintptr_t last_block_at_or_below(uintptr_t address) {
  if (address >> kAddressBits != 0) return 0;
  for (size_t index = address >> kLeafBits, slots = slot_of(address) + 1;; index--, slots = kLeafBytes) {
    const Cell* leaf = leaves[index].load(std::memory_order_acquire);
    for (size_t i = leaf == nullptr ? 0 : slots; i-- > 0;) {
      // Eight empty cells at a time: the way back through a large block is long.
      uint64_t eight = 0;
      while (i >= 8 && (std::memcpy(&eight, leaf + i - 7, sizeof eight), eight == 0)) i -= 8;
      if (leaf[i].load(std::memory_order_acquire) != kNone) return (index << kLeafBits) + i * kAlignment;
    }
    if (index == 0) return 0;
  }
}

}  // namespace

bool add(void* block) {
  const auto address = reinterpret_cast<uintptr_t>(block);
  Cell* leaf = leaf_of(address);
  if (leaf == nullptr) leaf = make_leaf(address);
  if (leaf == nullptr) return false;
  leaf[slot_of(address)].store(kLive, std::memory_order_release);
  return true;
}

Claim claim(void* block) {
  Cell* cell = cell_of(block);
  uint8_t expected = kLive;
  if (cell == nullptr) return Claim::Unknown;
  if (cell->compare_exchange_strong(expected, kNone, std::memory_order_acq_rel)) return Claim::Taken;
  return expected == kAttended ? Claim::Attended : Claim::Unknown;
}

void remove(void* block) {
  if (Cell* cell = cell_of(block)) cell->store(kNone, std::memory_order_release);
}

bool known(void* block) {
  const Cell* cell = cell_of(block);
  return cell != nullptr && cell->load(std::memory_order_acquire) != kNone;
}

Extent attend(uintptr_t start, size_t length) {
  const uintptr_t block = last_block_at_or_below(start);
  if (block == 0) return {};
  Cell* cell = leaf_of(block) + slot_of(block);
  uint8_t expected = kLive;
  if (!cell->compare_exchange_strong(expected, kAttended) && expected != kAttended) return {};
  const uintptr_t end = block + malloc_usable_size(reinterpret_cast<void*>(block));
  if (start > end || length > end - start) return {};
  return {block, end};
}

std::vector<Extent> shadows() {
  std::vector<Extent> found;
  for (auto& leaf : leaves) {
    const auto start = reinterpret_cast<uintptr_t>(leaf.load(std::memory_order_acquire));
    if (start != 0) found.push_back({start, start + kLeafBytes});
  }
  return found;
}

}  // namespace memprobe::guard::blocks
