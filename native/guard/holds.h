// Who holds on to memory of ours: views (ArrayBuffers over it) and pins (calls in progress). Its caller holds the
// guard's lock.
// A view lives through three stages. Attached: JavaScript uses it. Stale: we have detached it because its memory went,
// while a request of this thread's event loop was in flight, or a socket open: zlib, fs, crypto or HTTP/2 may have taken
// its address before and still use it; they keep the detached buffer alive meanwhile. Gone: the garbage collector has
// taken the buffer, or nothing was in flight, so nobody has the address any more.
// The memory of a stale view is given back at once, its addresses only when the view is gone: remains.h.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "../bind/failure.h"
#include "remains.h"

namespace memprobe::guard {

struct Hold {
  uintptr_t start = 0;
  uintptr_t end = 0;
  // Whose view it is; none for a pin. Each addon has an environment of its own on a thread, and either may detach it.
  std::thread::id thread = {};
  napi_env env = nullptr;
  napi_ref view = nullptr;  // not yet set while the view is being made
  // A view of memory that nobody but the caller of munmap or free ends is kept alive until then: of one that the
  // garbage collector had taken nobody could tell whether it was moved away before (ArrayBuffer.prototype.transfer).
  bool kept = false;
  bool stale = false;
  bool listed = false;
  std::multimap<uintptr_t, Hold*>::iterator place = {};
  std::vector<std::shared_ptr<const Remains>> remains = {};
};

struct HoldCounts {
  size_t pins = 0;
  size_t views = 0;
  size_t stale = 0;
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
  // Detaches this thread's views of [start, end): they are stale from then on, or gone.
  void detach(napi_env env, uintptr_t start, uintptr_t end);

  // Calls in progress, or views that are not stale, in whichever thread.
  bool used_in(uintptr_t start, uintptr_t end);
  bool stale_in(uintptr_t start, uintptr_t end);
  // Makes room for what `leave` is about to add, which then allocates nothing.
  void expect(uintptr_t start, uintptr_t end);
  // The stale views of [start, end) keep this until they are gone.
  void leave(uintptr_t start, uintptr_t end, const std::shared_ptr<const Remains>& remains);
  // The break goes up again: the addresses that it left behind are no longer reserved.
  void let_break_pass(uintptr_t from, uintptr_t to);

  HoldCounts counts() const;
  template <class Visit>
  void each(Visit visit) const {
    for (const auto& [start, hold] : by_start_) visit(*hold);
  }

 private:
  template <class Visit>
  void each_overlapping(uintptr_t start, uintptr_t end, Visit visit);

  std::multimap<uintptr_t, Hold*> by_start_;
  size_t longest_ = 0;  // how far below `start` an overlapping hold may begin
};

// The buffer's memory is nobody's any more, for V8: waits until the buffer itself is gone, then ends the hold.
void end_view(napi_env env, std::unique_ptr<Hold> hold);

}  // namespace memprobe::guard
