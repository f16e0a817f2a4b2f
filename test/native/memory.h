// Real pages for the tests.
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>

#include "../../native/guard/owned.h"

namespace fake {

// Pages that the guard knows, unless told otherwise; unmapped at the end, whatever was done to them.
class Pages {
 public:
  explicit Pages(size_t count, bool recorded = true) : length_(count * memprobe::guard::page_size()) {
    address_ = mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (recorded) memprobe::guard::record(range());
  }
  ~Pages() {
    // First: once they are unmapped, another thread may be given the same addresses.
    forget();
    munmap(address_, length_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  void* address() const { return address_; }
  size_t length() const { return length_; }
  uintptr_t start() const { return reinterpret_cast<uintptr_t>(address_); }
  uintptr_t end() const { return start() + length_; }
  memprobe::guard::Range range() const {
    return {.start = start(),
            .end = end(),
            .prot = PROT_READ | PROT_WRITE,
            .unit = memprobe::guard::page_size()};
  }

 private:
  void forget() const {
    const memprobe::guard::Lock lock(memprobe::guard::books().lock);
    memprobe::guard::books().ranges.erase(start(), end());
  }

  void* address_ = nullptr;
  size_t length_;
};

inline bool owned(uintptr_t start, size_t length) {
  const memprobe::guard::Lock lock(memprobe::guard::books().lock);
  return memprobe::guard::owns(start, length);
}

// As long as it lives the kernel gives no more address space.
class NoRoom {
 public:
  NoRoom() {
    getrlimit(RLIMIT_AS, &before_);
    const rlimit none{.rlim_cur = memprobe::guard::page_size(), .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_AS, &none);
  }
  ~NoRoom() { setrlimit(RLIMIT_AS, &before_); }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;

 private:
  rlimit before_ = {};
};

inline bool is_mapped(uintptr_t start) {
  return msync(reinterpret_cast<void*>(start), memprobe::guard::page_size(), MS_ASYNC) == 0;
}

}  // namespace fake
