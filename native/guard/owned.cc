#include "owned.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "faults.h"
#include "shares.h"

namespace memprobe::guard {
namespace {

// When the last worker that loaded the addon ends, Node unloads it: the books would be lost while the memory stays, and
// the SIGBUS handler would point nowhere. So it stays.
[[maybe_unused]] const bool stays = [] {
  Dl_info self = {};
  return dladdr(reinterpret_cast<void*>(&books), &self) != 0 &&
         dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != nullptr;
}();

bool is_mapped(const Range& range) {
  return msync(reinterpret_cast<void*>(range.start), range.end - range.start, MS_ASYNC) == 0 || errno != ENOMEM;
}

}  // namespace

Books& books() {
  static Books instance;
  return instance;
}

size_t page_size() {
  static const auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

size_t round_up(size_t length, size_t unit) {
  return length > SIZE_MAX - (unit - 1) ? SIZE_MAX & ~(unit - 1) : (length + unit - 1) & ~(unit - 1);
}

blocks::Extent pages(const void* address, size_t length, size_t unit) {
  const uintptr_t mask = unit - 1;
  const auto start = reinterpret_cast<uintptr_t>(address);
  const uintptr_t top = ~mask;
  const uintptr_t end = length > top - std::min(start, top) ? top : (start + length + mask) & ~mask;
  return {start & ~mask, end};
}

Failure busy(const char* why) { return {.number = EBUSY, .code = {}, .message = why}; }

Failure not_owned(const char* what) { return fail("ERR_MEMPROBE_NOT_OWNED", what); }

bool owns(uintptr_t start, size_t length) {
  if (length >= UINTPTR_MAX - start) return false;
  if (books().ranges.covers(start, start + std::max<size_t>(length, 1))) return true;
  return blocks::attend(start, length).start != 0;
}

void record(const Range& range) {
  if (range.can_fault()) faults::install();
  const Lock lock(books().lock);
  books().ranges.assign(range);
}

Failure Transit::take(napi_env env, uintptr_t start, uintptr_t end, uint64_t share) {
  const Lock lock(books().lock);
  if (!books().ranges.covers(start, end)) {
    return not_owned("memprobe did not map all of this range, so it does not give it away; memprobe/unsafe would");
  }
  if (Failure obstacle = books().holds.obstacle(env, start, end)) return obstacle;
  std::vector<Range> parts = books().ranges.within(start, end);
  for (const Range& part : parts) {
    if (part.share != share) return busy("a Mapping owns this memory; its close() or resize() does it");
  }
  books().holds.detach(env, start, end);
  parts_ = std::move(parts);
  books().ranges.erase(start, end);
  return {};
}

void Transit::put_back() {
  if (parts_.empty()) return;
  const Lock lock(books().lock);
  for (const Range& part : parts_) {
    if (is_mapped(part)) books().ranges.assign(part);
  }
  parts_.clear();
}

void Transit::put_back(const Transit& others) {
  for (Range& part : parts_) {
    for (const Range& other : others.parts_) {
      part.prot &= other.prot;
      part.guarded |= other.guarded;
    }
  }
  put_back();
}

std::vector<Range> Transit::keep_out() {
  if (parts_.empty()) return {};
  const Lock lock(books().lock);
  for (const Range& part : parts_) reserve(part.start, part.end);
  return std::exchange(parts_, {});
}

void Pin::hold(uintptr_t start, size_t length) {
  const Lock lock(books().lock);
  owns(start, 0);  // the block around it, if there is one, is attended to
  const uintptr_t end = length > UINTPTR_MAX - start ? UINTPTR_MAX : start + length;
  hold_locked(start, end);
}

bool Pin::hold_owned(uintptr_t start, size_t length) {
  const Lock lock(books().lock);
  if (!owns(start, length)) return false;
  hold_locked(start, start + length);
  return true;
}

void Pin::hold_locked(uintptr_t start, uintptr_t end) {
  holds_.push_back(books().holds.add({.start = start, .end = end}));
}

void Pin::release() {
  if (holds_.empty()) return;
  Lock lock(books().lock);
  for (const auto& hold : holds_) books().holds.remove(*hold);
  holds_.clear();
  lock.unlock();
  shares::retry();
}

napi_value known_view(napi_env env, uintptr_t start, size_t length) {
  const Lock lock(books().lock);
  return books().holds.view_of(env, start, start + length);
}

Failure begin_view(napi_env env, uintptr_t start, size_t length, std::unique_ptr<Hold>& hold) {
  const Lock lock(books().lock);
  if (!owns(start, length)) {
    return not_owned("memprobe did not allocate or map all of this, so a view could outlive it; use peek to read it");
  }
  for (const Range& part : books().ranges.within(start, start + length)) {
    if (part.accessible()) continue;
    return {.number = EACCES,
            .code = {},
            .message = "not readable and writable, so a store through the view would be a SIGSEGV; use peek, or "
                       "mprotect it to PROT_READ | PROT_WRITE first"};
  }
  hold = books().holds.add(
      {.start = start, .end = start + length, .thread = std::this_thread::get_id(), .env = env});
  return {};
}

void name_view(napi_env env, Hold& hold, napi_value buffer, bool keep) {
  napi_ref view = nullptr;
  const bool named = napi_create_reference(env, buffer, keep ? 1 : 0, &view) == napi_ok;
  const Lock lock(books().lock);
  hold.view = view;
  hold.kept = named && keep;
}

}  // namespace memprobe::guard
