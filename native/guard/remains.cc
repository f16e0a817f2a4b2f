#include "remains.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "owned.h"

namespace memprobe::guard {
namespace {

constexpr int kReservation = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

void* at(uintptr_t address) { return reinterpret_cast<void*>(address); }

// Where there is no memory even for this note, the addresses stay reserved, or the block retired, for good.
void leave(uintptr_t start, uintptr_t end, Remains::Of of) noexcept {
  try {
    books().holds.expect(start, end);  // once there are remains, every stale view must get its share of them
    books().holds.leave(start, end, std::make_shared<const Remains>(start, end, of));
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

Remains::~Remains() {
  if (of_ != Of::Block) {
    munmap(at(start_), end_ - start_);
    return;
  }
  blocks::remove(at(start_));  // first: once it is freed another thread may get, and record, the same block
  std::free(at(start_));
}

int unmap(void* addr, size_t length) {
  const auto start = reinterpret_cast<uintptr_t>(addr);
  const blocks::Extent range = pages(addr, length);
  Lock lock(books().lock);
  if (start != range.start || length == 0 || !books().holds.stale_in(range.start, range.end)) {
    lock.unlock();
    return munmap(addr, length);
  }
  // Replaced in one step: between an munmap and a reservation another thread could map something there.
  if (mmap(addr, range.end - range.start, PROT_NONE, kReservation | MAP_FIXED, -1, 0) == MAP_FAILED) return -1;
  leave(range.start, range.end, Remains::Of::Mapping);
  return 0;
}

void reserve(uintptr_t start, uintptr_t end, Remains::Of of) {
  if (start >= end || !books().holds.stale_in(start, end)) return;
  void* reserved = mmap(at(start), end - start, PROT_NONE, kReservation | MAP_FIXED_NOREPLACE, -1, 0);
  if (reserved == MAP_FAILED) return;
  if (reserved == at(start)) leave(start, end, of);
  else munmap(reserved, end - start);  // before Linux 4.17 the address is a hint
}

void bury(void* block) {
  const auto start = reinterpret_cast<uintptr_t>(block);
  const uintptr_t end = start + malloc_usable_size(block);
  const uintptr_t first = round_up(start, page_size());
  const uintptr_t last = end & ~(page_size() - 1);
  if (first < last) madvise(at(first), last - first, MADV_DONTNEED);
  const Lock lock(books().lock);
  leave(start, end, Remains::Of::Block);
}

}  // namespace memprobe::guard
