// A stream of operations (lib/compare/stream.ts) on the C library's malloc, without a step back to
// JavaScript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace memprobe::replay {

// Frees what the slot holds; then a size allocates, 0 does not, a negative one reallocates instead.
struct Operation {
  int32_t slot;
  int32_t size;
};
using Operations = std::span<const Operation>;

// Page faults: without the disk, and with it.
struct Faults {
  size_t minor = 0;
  size_t major = 0;
};
// Of this thread so far.
Faults faults();

// What a walk has come to.
struct Reach {
  size_t peak = 0;    // bytes up to the highest end of a block, and of blocks outside the heap meanwhile
  size_t failed = 0;  // allocations that got nothing
  Faults faults = {};
  std::vector<double> resident = {};  // bytes of the heap in memory, at each sample
};

class Replay {
 public:
  explicit Replay(size_t slots) : blocks_(slots), outside_(slots) {}
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  ~Replay();

  // Whether there is a slot for each of them.
  bool has_slots_for(Operations operations) const;
  // As fast as it goes.
  void run(Operations operations);
  // Writes to every block, as its owner would, and looks how far the heap is used, which begins at `start`,
  // and so many times at what of it is resident.
  void walk(Operations operations, uintptr_t start, size_t samples);

  // Of all walks so far.
  const Reach& reach() const { return reach_; }
  // How full of blocks each part of the heap is, from 0 to 1.
  std::vector<double> cells(uintptr_t start, size_t cell_bytes) const;

 private:
  void step(const Operation& operation, uintptr_t start);
  void* request(size_t slot, int32_t size);
  void note(size_t slot, uintptr_t start);
  void set_outside(size_t slot, size_t bytes);
  double resident(uintptr_t start) const;

  std::vector<void*> blocks_;
  std::vector<size_t> outside_;  // bytes, of those that are not on the heap
  size_t all_outside_ = 0;
  size_t end_ = 0;  // of the highest block on the heap, from its start
  Reach reach_;
};

}  // namespace memprobe::replay
