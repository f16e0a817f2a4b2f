// Who holds on to memory of ours: views (ArrayBuffers over it) and pins (calls in progress). Its caller holds the
// guard's lock. A view is kept alive until its memory ends: of one that the garbage collector had taken nobody could
// tell whether it was moved away before (ArrayBuffer.prototype.transfer) and its memory still in use.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>

#include "../bind/failure.h"

namespace memprobe::guard {

struct Hold {
  uintptr_t start = 0;
  uintptr_t end = 0;
  // Whose view it is; none for a pin. Each addon has an environment of its own on a thread, and either may detach it.
  std::thread::id thread = {};
  napi_env env = nullptr;
  napi_ref view = nullptr;  // not yet set while the view is being made
  bool listed = false;      // not any more once detached: it only waits for its finalizer
  std::multimap<uintptr_t, Hold*>::iterator place = {};
};

class Holds {
 public:
  // The holder keeps it until it has removed it.
  std::unique_ptr<Hold> add(const Hold& hold);
  void remove(Hold& hold);

  // This thread's view of exactly [start, end), or nullptr.
  napi_value view_of(napi_env env, uintptr_t start, uintptr_t end);
  // Why [start, end) can't change hands now (EBUSY), or nothing.
  Failure obstacle(napi_env env, uintptr_t start, uintptr_t end);
  // Detaches this thread's views of [start, end). Only after obstacle() found none.
  void detach(napi_env env, uintptr_t start, uintptr_t end);

 private:
  template <class Visit>
  void each_overlapping(uintptr_t start, uintptr_t end, Visit visit);

  std::multimap<uintptr_t, Hold*> by_start_;
  size_t longest_ = 0;  // how far below `start` an overlapping hold may begin
};

}  // namespace memprobe::guard
