#include "blocks.h"

#include <linux/membarrier.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <thread>
#include <utility>

namespace memprobe::guard::blocks {
std::array<std::atomic<Cell*>, kLeaves> leaves;

std::atomic<bool> alone = false;
std::atomic<bool> claiming = false;

namespace {
std::atomic<int> environments = 0;

bool has_barrier() {
  const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL) != 0;
}
}  // namespace

void join() {
  if (environments.fetch_add(1) == 0) {
    alone.store(has_barrier());
  } else if (alone.exchange(false)) {
    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    while (claiming.load(std::memory_order_acquire)) std::this_thread::yield();
  }
}

namespace {

struct Unmap {
  void operator()(Cell* leaf) const { munmap(leaf, kLeafBytes); }
};
using Leaf = std::unique_ptr<Cell, Unmap>;

thread_local Leaf spare;

Leaf map_leaf() {
  void* fresh =
      mmap(nullptr, kLeafBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED) return nullptr;
  madvise(fresh, kLeafBytes, MADV_NOHUGEPAGE);  // one byte in 2 MiB must not cost 2 MiB
  return Leaf(static_cast<Cell*>(fresh));
}

}  // namespace

Cell* make_leaf(uintptr_t address) {
  const size_t index = address >> kLeafBits;
  if (index >= kLeaves) return nullptr;
  Leaf fresh = map_leaf();
  if (fresh == nullptr) fresh = std::move(spare);
  if (fresh == nullptr) return nullptr;
  Cell* expected = nullptr;
  return leaves[index].compare_exchange_strong(expected, fresh.get()) ? fresh.release() : expected;
}

bool have_spare() {
  if (spare == nullptr) [[unlikely]] spare = map_leaf();
  return spare != nullptr;
}

namespace {

// Eight cells at a time, aligned. Others may store into them meanwhile.
uint64_t eight(const Cell* cells) {
  using Word [[gnu::may_alias]] = uint64_t;
  return __atomic_load_n(reinterpret_cast<const Word*>(cells), __ATOMIC_RELAXED);
}

// The highest marked cell at or below `address`, or 0.
uintptr_t last_block_at_or_below(uintptr_t address) {
  if (address >> kAddressBits != 0) return 0;
  for (size_t index = address >> kLeafBits, slots = slot_of(address) + 1;; index--, slots = kLeafBytes) {
    const Cell* leaf = leaves[index].load(std::memory_order_acquire);
    for (size_t i = leaf == nullptr ? 0 : slots; i-- > 0;) {
      while (i % 8 == 7 && i > 8 && eight(leaf + i - 7) == 0) i -= 8;  // the way back through a large block is long
      if (leaf[i].load(std::memory_order_acquire) != kNone) return (index << kLeafBits) + i * kAlignment;
    }
    if (index == 0) return 0;
  }
}

}  // namespace

void remove(void* block) {
  if (Cell* cell = cell_of(block)) cell->store(kNone, std::memory_order_release);
}

void reinstate(void* block) {
  Cell* cell = block == nullptr ? nullptr : cell_of(block);
  if (cell != nullptr) cell->store(kAttended, std::memory_order_release);
}

bool known(void* block) {
  const Cell* cell = cell_of(block);
  const uint8_t mark = cell == nullptr ? uint8_t{kNone} : cell->load(std::memory_order_acquire);
  return mark == kLive || mark == kAttended;
}

void retire(void* block) {
  if (Cell* cell = cell_of(block)) cell->store(kRetired, std::memory_order_release);
}

bool retired(const void* block) {
  const Cell* cell = cell_of(block);
  return cell != nullptr && cell->load(std::memory_order_acquire) == kRetired;
}

bool attend(const void* block) {
  Cell* cell = cell_of(block);
  uint8_t expected = kLive;
  return cell != nullptr && (cell->compare_exchange_strong(expected, kAttended) || expected == kAttended);
}

Extent attend(uintptr_t start, size_t length) {
  const uintptr_t block = last_block_at_or_below(start);
  if (block == 0 || !attend(reinterpret_cast<void*>(block))) return {};
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
