#include "hook_counts.h"

#include <pthread.h>

namespace memprobe::hooks {

Counters::Shard& Counters::mine() {
  const uint64_t thread = static_cast<uint64_t>(pthread_self());
  return shards_[(thread >> 6) * 0x9E3779B97F4A7C15u >> 59];
}

Counts Counters::sum() const {
  Counts total{};
  for (const Shard& shard : shards_) {
    for (size_t i = 0; i < kClasses; i++) {
      total.allocated[i] += shard.allocated[i];
      total.allocated_bytes[i] += shard.allocated_bytes[i];
      total.freed[i] += shard.freed[i];
      total.freed_bytes[i] += shard.freed_bytes[i];
    }
  }
  return total;
}

void Counters::clear() {
  for (Shard& shard : shards_) {
    shard.ticks = 0;
    for (auto* counts : {&shard.allocated, &shard.allocated_bytes, &shard.freed, &shard.freed_bytes}) {
      for (Count& count : *counts) count = 0;
    }
  }
}

// Turn 2n: the slot is free in its n-th round; 2n + 1: it holds that round's sample.
void Ring::push(const Sample& sample) {
  uint64_t at = written_.load(std::memory_order_relaxed);
  for (;;) {
    Slot& slot = slots_[at % kSlots];
    const uint64_t round = at / kSlots;
    const uint64_t turn = slot.turn.load(std::memory_order_acquire);
    if (turn < 2 * round) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (turn > 2 * round) {
      at = written_.load(std::memory_order_relaxed);
    } else if (written_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
      slot.sample = sample;
      slot.turn.store(2 * round + 1, std::memory_order_release);
      return;
    }
  }
}

bool Ring::pop(Sample& sample) {
  Slot& slot = slots_[read_ % kSlots];
  const uint64_t round = read_ / kSlots;
  if (slot.turn.load(std::memory_order_acquire) != 2 * round + 1) return false;
  sample = slot.sample;
  slot.turn.store(2 * (round + 1), std::memory_order_release);
  read_++;
  return true;
}

void Ring::clear() {
  Sample sample;
  while (pop(sample)) continue;
  lost_ = 0;
}

}  // namespace memprobe::hooks
