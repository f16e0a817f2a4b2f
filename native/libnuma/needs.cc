#include "needs.h"

#include <sys/mman.h>

namespace memprobe::numa {
namespace {

using guard::books;
using guard::not_owned;

guard::Range allocated(void* start, size_t size) {
  const auto address = reinterpret_cast<uintptr_t>(start);
  return {.start = address,
          .end = address + guard::round_up(size, guard::page_size()),
          .prot = PROT_READ | PROT_WRITE,
          .unit = guard::page_size(),
          .numa = {address, size}};
}

// Nothing where [start, start + size) is what one numa_alloc* returned, and nothing else has come in its place.
Failure not_allocated(void* start, size_t size, const char* size_name) {
  const auto address = reinterpret_cast<uintptr_t>(start);
  const guard::Lock lock(books().lock);
  const auto found = books().ranges.within(address, address + 1);
  if (found.empty() || found.front().numa.size == 0 || found.front().numa.start != address) {
    return not_owned("not memory that a numa_alloc function returned, or already freed");
  }
  const size_t wanted = found.front().numa.size;
  if (wanted != size) {
    return fail("ERR_OUT_OF_RANGE", "The value of \"" + std::string(size_name) + "\" is out of range. It must be the " +
                                        std::to_string(wanted) + " bytes that were allocated. Received " +
                                        std::to_string(size));
  }
  for (const guard::Range& part : books().ranges.within(address, address + size)) {
    if (part.numa.start != address) return not_owned("some of it is another mapping by now; munmap gives back the rest");
  }
  return {};
}

Failure take(guard::Transit& transit, napi_env env, void* start, size_t size) {
  const auto address = reinterpret_cast<uintptr_t>(start);
  return transit.take(env, address, address + guard::round_up(size, guard::page_size()));
}

}  // namespace

int Allocates::leave(const Result<void*>& result, int failed) {
  if (failed == 0) guard::record(allocated(result.value, size_));
  return 0;
}

bool Frees::enter(napi_env env, void* start, size_t size) {
  return refuse(not_allocated(start, size, "size")) && refuse(take(transit_, env, start, size));
}

bool Reallocates::enter(napi_env env, void* old, size_t old_size, size_t new_size) {
  new_size_ = new_size;
  return refuse(not_allocated(old, old_size, "oldSize")) &&
         Remaps::enter(env, old, old_size, new_size, MREMAP_MAYMOVE, std::nullopt);
}

int Reallocates::leave(const Result<void*>& result, int failed) {
  numa_ = {reinterpret_cast<uintptr_t>(result.value), new_size_};
  return Remaps::leave(result.value, failed);
}

bool Touches::enter(napi_env, void* start, size_t size) {
  const auto address = reinterpret_cast<uintptr_t>(start);
  const guard::Lock lock(books().lock);
  if (!guard::owns(address, size)) {
    return refuse(not_owned("memprobe did not allocate or map all of this, and touching what is not there ends the process"));
  }
  for (const guard::Range& part : books().ranges.within(address, address + size)) {
    if (!part.accessible()) return refuse({.number = EACCES, .message = "not readable and writable"});
  }
  pin_.hold_locked(address, address + size);
  return true;
}

}  // namespace memprobe::numa
