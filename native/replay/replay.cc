#include "replay.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace memprobe::replay {
namespace {

constexpr size_t kPage = 4096;

size_t bytes_of(int32_t size) { return static_cast<size_t>(std::abs(static_cast<int64_t>(size))); }

void touch(void* block, size_t size) {
  auto* bytes = static_cast<volatile char*>(block);
  for (size_t at = 0; at < size; at += kPage) bytes[at] = 1;
}

}  // namespace

Faults faults() {
  rusage used{};
  getrusage(RUSAGE_THREAD, &used);
  return {static_cast<size_t>(used.ru_minflt), static_cast<size_t>(used.ru_majflt)};
}

Replay::~Replay() {
  for (void* block : blocks_) free(block);
}

bool Replay::has_slots_for(Operations operations) const {
  return std::ranges::all_of(operations, [&](const Operation& operation) {
    return operation.slot >= 0 && static_cast<size_t>(operation.slot) < blocks_.size();
  });
}

void Replay::run(Operations operations) {
  void** blocks = blocks_.data();
  for (const auto& [slot, size] : operations) {
    void*& block = blocks[slot];
    if (size < 0) {
      block = realloc(block, bytes_of(size));
    } else {
      if (block != nullptr) free(block);
      block = size == 0 ? nullptr : malloc(static_cast<size_t>(size));
    }
  }
}

void Replay::walk(Operations operations, uintptr_t start, size_t samples) {
  reach_.resident.reserve(reach_.resident.size() + samples);
  for (size_t i = 1, done = 0; i <= samples; i++) {
    const size_t end = operations.size() * i / samples;
    const Faults before = faults();
    for (const Operation& operation : operations.subspan(done, end - done)) step(operation, start);
    const Faults after = faults();
    reach_.faults.minor += after.minor - before.minor;
    reach_.faults.major += after.major - before.major;
    reach_.resident.push_back(resident(start));
    done = end;
  }
}

void Replay::step(const Operation& operation, uintptr_t start) {
  const auto slot = static_cast<size_t>(operation.slot);
  void* block = request(slot, operation.size);
  if (operation.size == 0) return;
  if (block == nullptr) {
    reach_.failed++;
    return;
  }
  touch(block, bytes_of(operation.size));
  note(slot, start);
}

// The slot's new block; a realloc that fails leaves the old one there.
void* Replay::request(size_t slot, int32_t size) {
  if (size < 0) {
    void* block = realloc(blocks_[slot], bytes_of(size));
    if (block != nullptr) blocks_[slot] = block;
    return block;
  }
  free(blocks_[slot]);
  set_outside(slot, 0);
  return blocks_[slot] = size == 0 ? nullptr : malloc(static_cast<size_t>(size));
}

void Replay::note(size_t slot, uintptr_t start) {
  const auto block = reinterpret_cast<uintptr_t>(blocks_[slot]);
  const bool inside = block >= start && block < reinterpret_cast<uintptr_t>(sbrk(0));
  const size_t usable = malloc_usable_size(blocks_[slot]);
  set_outside(slot, inside ? 0 : usable);
  if (inside) end_ = std::max(end_, block + usable - start);
  reach_.peak = std::max(reach_.peak, end_ + all_outside_);
}

void Replay::set_outside(size_t slot, size_t bytes) {
  all_outside_ += bytes - outside_[slot];
  outside_[slot] = bytes;
}

std::vector<double> Replay::cells(uintptr_t start, size_t cell_bytes) const {
  std::vector<double> cells(end_ / cell_bytes + 1);
  for (size_t slot = 0; slot < blocks_.size(); slot++) {
    const auto block = reinterpret_cast<uintptr_t>(blocks_[slot]);
    if (block < start || outside_[slot] != 0) continue;
    const size_t end = block - start + malloc_usable_size(blocks_[slot]);
    for (size_t at = block - start; at < end;) {
      const size_t next = std::min(end, (at / cell_bytes + 1) * cell_bytes);
      cells[at / cell_bytes] += static_cast<double>(next - at) / static_cast<double>(cell_bytes);
      at = next;
    }
  }
  return cells;
}

// Blocks outside the heap were written to as a whole. Allocates nothing: the heap is what is looked at.
double Replay::resident(uintptr_t start) const {
  std::array<unsigned char, 1024> pages{};
  const auto top = reinterpret_cast<uintptr_t>(sbrk(0));
  size_t count = 0;
  for (uintptr_t at = start / kPage * kPage; at < top; at += pages.size() * kPage) {
    const size_t part = std::min(pages.size(), (top - at + kPage - 1) / kPage);
    if (mincore(reinterpret_cast<void*>(at), part * kPage, pages.data()) != 0) break;
    for (size_t i = 0; i < part; i++) count += pages[i] & 1;
  }
  return static_cast<double>(count * kPage + all_outside_);
}

}  // namespace memprobe::replay
