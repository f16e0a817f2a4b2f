// What libnuma's allocations need of the guard: they are mappings, whose size numa_free has to be told.
#pragma once

#include "../guard/needs.h"

namespace memprobe::numa {

class Allocates : public guard::Need {
 public:
  template <class... A>
  bool enter(napi_env, size_t size, const A&...) {
    size_ = size;
    return true;
  }
  int leave(const Result<void*>& result, int failed);

 private:
  size_t size_ = 0;
};

class Frees : public guard::Need {
 public:
  bool enter(napi_env env, void* start, size_t size);
  template <class R>
  int leave(const R&, int failed) {
    if (failed == 0) transit_.keep_out();
    transit_.put_back();
    return 0;
  }

 private:
  guard::Transit transit_;
};

// mremap's rules: what the pages were, they stay.
class Reallocates : public guard::Remaps {
 public:
  bool enter(napi_env env, void* old, size_t old_size, size_t new_size);
  int leave(const Result<void*>& result, int failed);

 private:
  size_t new_size_ = 0;
};

// Stores into every page: ours only, accessible, and pinned meanwhile.
class Touches : public guard::Need {
 public:
  bool enter(napi_env env, void* start, size_t size);
  template <class R>
  int leave(const R&, int) {
    pin_.release();
    return 0;
  }

 private:
  guard::Pin pin_;
};

}  // namespace memprobe::numa
