#include "blocks.h"

#include <linux/membarrier.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
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

// Which leaves there are, in the form of a leaf.
alignas(uint64_t) std::array<Cell, kLeaves + kLeaves / kTractCells> present;

}  // namespace

Cell* make_leaf(uintptr_t address) {
  const size_t index = address >> kLeafBits;
  if (index >= kLeaves) return nullptr;
  Leaf fresh = map_leaf();
  if (fresh == nullptr) fresh = std::move(spare);
  if (fresh == nullptr) return nullptr;
  // Before the leaf is there: whoever finds another thread's leaf finds its mark, too.
  present[kLeaves + index / kTractCells].store(kLive);
  present[index].store(kLive);
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

constexpr size_t kNowhere = SIZE_MAX;

// The last marked one of the first `count` cells, or kNowhere.
size_t last_marked(const Cell* cells, size_t count) {
  for (size_t i = count; i-- > 0;) {
    while (i % 8 == 7 && i > 8 && eight(cells + i - 7) == 0) i -= 8;
    if (cells[i].load(std::memory_order_acquire) != kNone) return i;
  }
  return kNowhere;
}

// The same where tracts lie behind all cells.
size_t last_marked(const Cell* cells, size_t all, size_t count) {
  for (size_t end = count;;) {
    const size_t tract = last_marked(cells + all, (end + kTractCells - 1) / kTractCells);
    if (tract == kNowhere) return kNowhere;
    const size_t start = tract * kTractCells;
    const size_t found = last_marked(cells + start, std::min(end - start, kTractCells));
    if (found != kNowhere) return start + found;
    end = start;
  }
}

}  // namespace

uintptr_t last_at_or_below(uintptr_t address) {
  if (address >> kAddressBits != 0) return 0;
  const size_t own = address >> kLeafBits;
  for (size_t end = own + 1;;) {
    const size_t index = last_marked(present.data(), kLeaves, end);
    if (index == kNowhere) return 0;
    const Cell* leaf = leaves[index].load(std::memory_order_acquire);
    const size_t count = index == own ? slot_of(address) + 1 : kLeafCells;
    const size_t slot = leaf == nullptr ? kNowhere : last_marked(leaf, kLeafCells, count);
    if (slot != kNowhere) return (index << kLeafBits) + slot * kAlignment;
    end = index;
  }
}

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
  const uintptr_t block = last_at_or_below(start);
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
