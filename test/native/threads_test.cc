// Eight threads at the same books. What they do wrong the thread sanitizer tells; what must hold at the end, this does.
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../../native/guard/needs.h"
#include "check.h"
#include "fake_napi.h"
#include "memory.h"

using namespace memprobe::guard;

namespace {

constexpr int kThreads = 8;
constexpr int kRounds = 500;

void together(void (*work)(int thread)) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

std::array<std::atomic<void*>, 64> candidates;
std::atomic<long> allocated = 0;
std::atomic<long> released = 0;

bool try_free(void* block) {
  Frees need;
  if (block == nullptr) return false;  // a candidate that nobody has put there yet
  if (!need.enter(fake::env, block)) return false;
  std::free(block);
  released++;
  return true;
}

void juggle_blocks(int thread) {
  for (int i = 0; i < kRounds; i++) {
    void* block = std::malloc(24);
    if (Allocates().leave(block, 0) != 0) continue;
    allocated++;
    // What lies there is everybody's candidate: it was perhaps freed by another thread meanwhile, or used again.
    void* before = candidates[static_cast<size_t>(thread * 7 + i) % candidates.size()].exchange(block);
    if (before != nullptr) try_free(before);
    try_free(candidates[static_cast<size_t>(i) % candidates.size()].load());
  }
}

void blocks_once() {
  together(juggle_blocks);
  for (auto& candidate : candidates) try_free(candidate.exchange(nullptr));
  check::that(allocated == released && allocated == long{kThreads} * kRounds);
}

// Of ranges alone: to look for a block, too, takes the longer the emptier the heap is.
bool mapped(uintptr_t address) {
  const Lock lock(books().lock);
  return books().ranges.covers(address, address + 1);
}

void map_and_unmap(int) {
  for (int i = 0; i < kRounds; i++) {
    const fake::Pages mine(2);
    Pin pin;
    check::that(pin.hold_owned(mine.start(), 1));
    pin.release();
    Transit transit;
    check::that(!transit.take(fake::env, mine.start(), mine.start() + page_size()));
    check::that(!mapped(mine.start()) && mapped(mine.start() + page_size()));
  }
}

void ranges_apart() {
  together(map_and_unmap);
  const Lock lock(books().lock);
  check::that(books().ranges.within(0, UINTPTR_MAX).empty());
}

std::atomic<int> winners = 0;
std::atomic<uintptr_t> contested = 0;

void take_contested(int) {
  Transit transit;
  const uintptr_t start = contested;
  if (transit.take(fake::env, start, start + page_size())) return;
  winners++;
  transit.keep_out();
}

void one_winner() {
  for (int i = 0; i < 50; i++) {
    const fake::Pages mine(1);
    contested = mine.start();
    winners = 0;
    together(take_contested);
    check::that(winners == 1);
  }
}

}  // namespace

void threads_tests() {
  check::fact("of eight threads that free each other's blocks, one frees each", blocks_once);
  check::fact("eight threads that map and unmap leave nothing in the books", ranges_apart);
  check::fact("of eight threads that give the same memory away, one does", one_winner);
}
