#include "holds.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "faults.h"
#include "owned.h"
#include "shares.h"

// libuv's, which node exports and node-api-headers don't declare; the numbers of its types are part of its ABI.
struct uv_handle_s;
extern "C" void uv_walk(uv_loop_s* loop, void (*visit)(uv_handle_s* handle, void* data), void* data);
extern "C" int uv_handle_get_type(const uv_handle_s* handle);

namespace memprobe::guard {
namespace {

// nullptr when it was moved away.
napi_value attached(const Hold& hold) {
  napi_value view = nullptr;
  bool moved = true;
  if (hold.view == nullptr || napi_get_reference_value(hold.env, hold.view, &view) != napi_ok) return nullptr;
  return napi_is_detached_arraybuffer(hold.env, view, &moved) == napi_ok && !moved ? view : nullptr;
}

bool is_collected(const Hold& hold) {
  napi_value view = nullptr;
  return hold.view != nullptr && napi_get_reference_value(hold.env, hold.view, &view) == napi_ok && view == nullptr;
}

bool is_here(const Hold& hold) { return hold.env != nullptr && hold.thread == std::this_thread::get_id(); }

Failure obstacle_of(const Hold& hold) {
  if (hold.stale) return {};
  if (hold.env == nullptr) return busy("a call in progress uses this memory; wait for its promise");
  if (!is_here(hold)) return busy("another thread has a view of this memory, which only that thread can detach");
  if (attached(hold) != nullptr) return {};
  if (is_collected(hold)) {
    return busy("a view of this memory was collected, which lets it go at the next turn of the event loop (unless it was "
                "moved away before); try again then, or keep views until they are detached");
  }
  return busy("a view of this memory was moved away (ArrayBuffer.prototype.transfer); drop what it was moved to, and "
              "try again when the garbage collector has taken it");
}

// The beginning of libuv's uv_loop_t, which is part of its ABI: node-api-headers bring no uv.h.
struct LoopHead {
  void* data;
  unsigned active_handles;
  void* handles[2];
  union {
    void* unused;
    unsigned count;
  } active_requests;
};

// UV_TCP: what is to be written to a socket may wait for its turn in no request of the loop's (HTTP/2).
bool is_socket(int type) { return type == 12; }

// Whether something that was begun on this thread (zlib, fs, crypto, a write) may have taken the address of a view.
bool in_flight(napi_env env) {
  uv_loop_s* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return true;
  bool found = reinterpret_cast<const LoopHead*>(loop)->active_requests.count != 0;
  const auto look = [](uv_handle_s* handle, void* result) {
    if (is_socket(uv_handle_get_type(handle))) *static_cast<bool*>(result) = true;
  };
  if (!found) uv_walk(loop, look, &found);
  return found;
}

void unkeep(Hold& hold) {
  if (std::exchange(hold.kept, false)) napi_reference_unref(hold.env, hold.view, nullptr);
}

}  // namespace

std::unique_ptr<Hold> Holds::add(const Hold& hold) {
  auto added = std::make_unique<Hold>(hold);
  longest_ = std::max(longest_, static_cast<size_t>(hold.end - hold.start));
  added->place = by_start_.emplace(hold.start, added.get());
  added->listed = true;
  return added;
}

void Holds::remove(Hold& hold) {
  if (!std::exchange(hold.listed, false)) return;
  by_start_.erase(hold.place);
  if (by_start_.empty()) longest_ = 0;
}

template <class Visit>
void Holds::each_overlapping(uintptr_t start, uintptr_t end, Visit visit) {
  auto it = by_start_.lower_bound(start > longest_ ? start - longest_ : 0);
  while (it != by_start_.end() && it->first < end) {
    Hold& hold = *(it++)->second;  // which the visit may remove
    if (hold.end > start) visit(hold);
  }
}

napi_value Holds::view_of(napi_env, uintptr_t start, uintptr_t end) {
  const auto [first, last] = by_start_.equal_range(start);
  for (auto it = first; it != last; ++it) {
    const Hold& hold = *it->second;
    if (!is_here(hold) || hold.end != end) continue;
    if (napi_value view = attached(hold)) return view;
  }
  return nullptr;
}

Failure Holds::obstacle(napi_env, uintptr_t start, uintptr_t end) {
  Failure found;
  each_overlapping(start, end, [&](const Hold& hold) {
    if (!found) found = obstacle_of(hold);
  });
  return found;
}

void Holds::detach(napi_env env, uintptr_t start, uintptr_t end) {
  each_overlapping(start, end, [&](Hold& hold) {
    napi_value buffer = is_here(hold) && !hold.stale ? attached(hold) : nullptr;
    if (buffer == nullptr || napi_detach_arraybuffer(env, buffer) != napi_ok) return;
    unkeep(hold);
    if (!in_flight(env)) return remove(hold);
    hold.stale = true;
    faults::install();
  });
}

bool Holds::used_in(uintptr_t start, uintptr_t end) {
  bool found = false;
  each_overlapping(start, end, [&](const Hold& hold) { found |= !hold.stale; });
  return found;
}

bool Holds::stale_in(uintptr_t start, uintptr_t end) {
  bool found = false;
  each_overlapping(start, end, [&](const Hold& hold) { found |= hold.stale; });
  return found;
}

void Holds::expect(uintptr_t start, uintptr_t end) {
  each_overlapping(start, end, [&](Hold& hold) {
    if (hold.stale) hold.remains.reserve(hold.remains.size() + 1);
  });
}

void Holds::leave(uintptr_t start, uintptr_t end, const std::shared_ptr<const Remains>& remains) {
  each_overlapping(start, end, [&](Hold& hold) {
    if (hold.stale) hold.remains.push_back(remains);
  });
}

void Holds::let_break_pass(uintptr_t from, uintptr_t to) {
  each_overlapping(from, to, [&](Hold& hold) {
    std::erase_if(hold.remains, [&](const auto& remains) { return remains->blocks_break(from, to); });
  });
}

HoldCounts Holds::counts() const {
  HoldCounts counts;
  each([&](const Hold& hold) { (hold.env == nullptr ? counts.pins : hold.stale ? counts.stale : counts.views)++; });
  return counts;
}

namespace {

void forget(napi_env env, std::unique_ptr<Hold> hold) {
  if (hold->view != nullptr) napi_delete_reference(env, hold->view);
  {
    const Lock lock(books().lock);
    books().holds.remove(*hold);
  }
  shares::retry();
}

}  // namespace

void end_view(napi_env env, std::unique_ptr<Hold> hold) {
  napi_value buffer = nullptr;
  const auto gone = [](napi_env finalizing, void* data, void*) {
    forget(finalizing, std::unique_ptr<Hold>(static_cast<Hold*>(data)));
  };
  unkeep(*hold);
  const bool lives = hold->view != nullptr && napi_get_reference_value(env, hold->view, &buffer) == napi_ok &&
                     buffer != nullptr;
  if (lives && napi_add_finalizer(env, buffer, hold.get(), gone, nullptr, nullptr) == napi_ok) {
    hold.release();  // `gone` has it now
    return;
  }
  forget(env, std::move(hold));
}

}  // namespace memprobe::guard
