// What stays of memory that was given back while an asynchronous call may still use a stale view of it (holds.h): so
// that such a call finds nothing there, instead of a signal or somebody else's data.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memprobe::guard {

// Addresses of a mapping or above the break, reserved without memory; or a block of malloc's, not yet freed. Ends with
// the last stale view.
class Remains {
 public:
  enum class Of { Mapping, Break, Block };

  Remains(uintptr_t start, uintptr_t end, Of of) : start_(start), end_(end), of_(of) {}
  Remains(const Remains&) = delete;
  Remains& operator=(const Remains&) = delete;
  ~Remains();

  uintptr_t start() const { return start_; }
  bool block() const { return of_ == Of::Block; }
  bool blocks_break(uintptr_t from, uintptr_t to) const { return of_ == Of::Break && from < end_ && start_ < to; }

 private:
  uintptr_t start_;
  uintptr_t end_;
  Of of_;
};

// munmap; where there are stale views the memory goes and the addresses stay reserved.
int unmap(void* addr, size_t length);
// [start, end) may just have been vacated by a call that knows nothing of views; what is mapped there stays. The caller
// holds the lock.
void reserve(uintptr_t start, uintptr_t end, Remains::Of of = Remains::Of::Mapping);
// A retired block (blocks.h): its whole pages go at once, and it is freed when its stale views are gone.
void bury(void* block);

}  // namespace memprobe::guard
