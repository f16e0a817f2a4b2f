#include "holds.h"

#include <algorithm>
#include <cerrno>

namespace memprobe::guard {
namespace {

Failure busy(const char* why) { return {.number = EBUSY, .code = {}, .message = why}; }

napi_value view_of(const Hold& hold) {
  napi_value view = nullptr;
  return napi_get_reference_value(hold.env, hold.view, &view) == napi_ok ? view : nullptr;
}

Failure obstacle_of(napi_env env, const Hold& hold) {
  if (hold.detached) return {};
  if (hold.env == nullptr) return busy("a call in progress uses this memory; wait for its promise");
  if (hold.env != env) return busy("another thread has a view of this memory, which only that thread can detach");
  bool moved = true;
  napi_value view = view_of(hold);
  if (view != nullptr && napi_is_detached_arraybuffer(env, view, &moved) == napi_ok && !moved) return {};
  return busy("a view of this memory was moved away (ArrayBuffer.prototype.transfer), or the garbage collector "
              "has not finished with it; drop what it was moved to and try again later");
}

}  // namespace

Hold* Holds::add(const Hold& hold) {
  longest_ = std::max(longest_, static_cast<size_t>(hold.end - hold.start));
  return &by_start_.emplace(hold.start, hold)->second;
}

void Holds::remove(const Hold* hold) {
  const auto [first, last] = by_start_.equal_range(hold->start);
  const auto found = std::find_if(first, last, [&](const auto& entry) { return &entry.second == hold; });
  if (found != last) by_start_.erase(found);
  if (by_start_.empty()) longest_ = 0;
}

template <class Visit>
void Holds::each_overlapping(uintptr_t start, uintptr_t end, Visit visit) {
  auto it = by_start_.lower_bound(start > longest_ ? start - longest_ : 0);
  for (; it != by_start_.end() && it->first < end; ++it) {
    if (it->second.end > start) visit(it->second);
  }
}

Failure Holds::obstacle(napi_env env, uintptr_t start, uintptr_t end) {
  Failure found;
  each_overlapping(start, end, [&](const Hold& hold) {
    if (!found) found = obstacle_of(env, hold);
  });
  return found;
}

void Holds::detach(napi_env env, uintptr_t start, uintptr_t end) {
  each_overlapping(start, end, [&](Hold& hold) {
    napi_value view = hold.detached ? nullptr : view_of(hold);
    if (view != nullptr && napi_detach_arraybuffer(env, view) == napi_ok) hold.detached = true;
  });
}

}  // namespace memprobe::guard
