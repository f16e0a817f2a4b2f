// Who holds on to memory of ours: views (ArrayBuffers over it) and pins (calls in progress). Its caller holds the
// guard's lock.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <map>

#include "../bind/failure.h"

namespace memprobe::guard {

struct Hold {
  uintptr_t start = 0;
  uintptr_t end = 0;
  napi_env env = nullptr;  // whose view it is; none for a pin
  napi_ref view = nullptr;  // weak; not yet set while the view is being made
  bool detached = false;    // by us: it only waits for its finalizer
};

class Holds {
 public:
  Hold* add(const Hold& hold);
  void remove(const Hold* hold);

  // Why [start, end) can't change hands now (EBUSY), or nothing.
  Failure obstacle(napi_env env, uintptr_t start, uintptr_t end);
  // Detaches this environment's views of [start, end). Only after obstacle() found none.
  void detach(napi_env env, uintptr_t start, uintptr_t end);

 private:
  template <class Visit>
  void each_overlapping(uintptr_t start, uintptr_t end, Visit visit);

  std::multimap<uintptr_t, Hold> by_start_;
  size_t longest_ = 0;  // how far below `start` an overlapping hold may begin
};

}  // namespace memprobe::guard
