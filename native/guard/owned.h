// The guard's books, process-wide and thread-safe: what this package created, who holds on to it, and the rules for
// giving it away. The rows of the tables name what they need of it through the types in needs.h.
#pragma once

#include <node_api.h>
#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "../bind/failure.h"
#include "blocks.h"
#include "holds.h"
#include "ranges.h"

namespace memprobe::guard {

// It knows its owner: a signal handler must not wait for what its own thread holds.
class Mutex {
 public:
  void lock() {
    mutex_.lock();
    owner_.store(pthread_self(), std::memory_order_relaxed);
  }
  void unlock() {
    owner_.store(0, std::memory_order_relaxed);
    mutex_.unlock();
  }
  bool mine() const { return owner_.load(std::memory_order_relaxed) == pthread_self(); }

 private:
  std::mutex mutex_;
  std::atomic<pthread_t> owner_ = 0;
};

struct Books {
  Mutex lock;
  Ranges ranges;
  Holds holds;
};
MEMPROBE_SHARED Books& books();
using Lock = std::unique_lock<Mutex>;

MEMPROBE_SHARED size_t page_size();
// `length` rounded up to whole units; what is beyond the address space stays at its top.
MEMPROBE_SHARED size_t round_up(size_t length, size_t unit);
// [address, address + length) rounded out to pages of this size; an end beyond the address space stays at its top.
blocks::Extent pages(const void* address, size_t length, size_t unit = page_size());

MEMPROBE_SHARED Failure not_owned(const char* what);
MEMPROBE_SHARED Failure busy(const char* why);

// All of it is mapped by us, or lies in one block of ours. The caller holds the lock.
MEMPROBE_SHARED bool owns(uintptr_t start, size_t length);

// Records a mapping that the kernel has just made.
MEMPROBE_SHARED void record(const Range& range);

// Memory on its way out: taken from the books before the call that gives it away, put back if that call fails (as far
// as it is there: a call that fails half-way may have unmapped some of it).
class MEMPROBE_SHARED Transit {
 public:
  Transit() = default;
  Transit(const Transit&) = delete;
  Transit& operator=(const Transit&) = delete;
  ~Transit() { put_back(); }

  // Refuses what is not wholly ours (or, with `share`, not that share's) or is in use; detaches this environment's views.
  Failure take(napi_env env, uintptr_t start, uintptr_t end, uint64_t share = 0);
  void put_back();
  // What has failed may have put some of `others` there: no more than both allow is allowed.
  void put_back(const Transit& others);
  std::vector<Range> keep_out();  // the call succeeded: what it was

 private:
  std::vector<Range> parts_;
};

// Memory that must not change hands as long as this lives. Any address may be pinned; only ours needs it.
class MEMPROBE_SHARED Pin {
 public:
  Pin() = default;
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() { release(); }

  void hold(uintptr_t start, size_t length);
  // Only what is ours: false where it is not.
  bool hold_owned(uintptr_t start, size_t length);
  // The caller has looked it up, and has the lock.
  void hold_locked(uintptr_t start, uintptr_t end);
  void release();

 private:
  std::vector<std::unique_ptr<Hold>> holds_;
};

// The view of this memory that there is already, or nullptr.
napi_value known_view(napi_env env, uintptr_t start, size_t length);
// A view of owned, accessible memory is about to be made: its place in the books, or why it can't be.
Failure begin_view(napi_env env, uintptr_t start, size_t length, std::unique_ptr<Hold>& hold);
// The buffer that was made of it, kept alive or not (Hold::kept).
void name_view(napi_env env, Hold& hold, napi_value buffer, bool keep);

}  // namespace memprobe::guard
