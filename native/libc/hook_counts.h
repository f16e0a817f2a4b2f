// What the hooks count and sample: preallocated, without locks, since it is written from inside malloc on any
// thread.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace memprobe::hooks {

inline constexpr size_t kClasses = 64;  // class i: usable sizes in (2^(i-1), 2^i]

inline size_t class_of(size_t bytes) {
  return bytes <= 1 ? 0 : static_cast<size_t>(std::bit_width(bytes - 1)) % kClasses;
}

struct Counts {
  std::array<uint64_t, kClasses> allocated, allocated_bytes, freed, freed_bytes;
};

// Sums over threads. A thread-local variable would be allocated by malloc on its first use: each thread has a
// shard by its address instead, shared with few others.
class Counters {
 public:
  // The number of this allocation in its shard.
  uint64_t allocated(size_t bytes) {
    Shard& shard = mine();
    const size_t size_class = class_of(bytes);
    add(shard.allocated[size_class], 1);
    add(shard.allocated_bytes[size_class], bytes);
    return shard.ticks.fetch_add(1, std::memory_order_relaxed);
  }
  void freed(size_t bytes) {
    Shard& shard = mine();
    const size_t size_class = class_of(bytes);
    add(shard.freed[size_class], 1);
    add(shard.freed_bytes[size_class], bytes);
  }
  Counts sum() const;
  void clear();

 private:
  using Count = std::atomic<uint64_t>;
  struct alignas(64) Shard {
    Count ticks;
    std::array<Count, kClasses> allocated, allocated_bytes, freed, freed_bytes;
  };
  static constexpr size_t kShards = 32;

  static void add(Count& count, uint64_t what) { count.fetch_add(what, std::memory_order_relaxed); }
  Shard& mine();

  std::array<Shard, kShards> shards_;
};

struct Sample {
  uint64_t call = 0;  // 0 malloc or calloc, 1 realloc, 2 memalign and its kin
  uint64_t bytes = 0;
  uint64_t caller = 0;
  uint64_t block = 0;
};

// A bounded queue for many writers (Vyukov's): a slot's turn says whose move it is. A full one loses what
// comes.
class Ring {
 public:
  static constexpr uint64_t kSlots = 1 << 14;

  void push(const Sample& sample);
  bool pop(Sample& sample);  // one reader at a time
  uint64_t take_lost() { return lost_.exchange(0); }
  void clear();

 private:
  struct Slot {
    std::atomic<uint64_t> turn;
    Sample sample;
  };
  std::array<Slot, kSlots> slots_;
  std::atomic<uint64_t> written_;
  std::atomic<uint64_t> lost_;
  uint64_t read_ = 0;
};

}  // namespace memprobe::hooks
