// malloc(3), posix_memalign(3), malloc_usable_size(3)
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../topics.h"

namespace memprobe {
namespace {

// A block that stale views keep in place can't grow, shrink or move: the guard frees it later.
void* copied(const void* block, size_t usable, size_t size) {
  void* fresh = size == 0 ? nullptr : ::malloc(size);
  if (fresh != nullptr) std::memcpy(fresh, block, std::min(size, usable));
  return fresh;
}

// Size 0 frees and returns NULL; NULL for another size is a failure, and ptr is as it was.
template <class Call>
Result<void*> reallocated(void* ptr, size_t size, Call call) {
  void* block = guard::blocks::retired(ptr) ? copied(ptr, malloc_usable_size(ptr), size) : call();
  if (block != nullptr || size == 0) return {.value = block};
  return {.failure = fail(ENOMEM)};
}

size_t product(size_t nmemb, size_t size) {
  size_t bytes = 0;
  return __builtin_mul_overflow(nmemb, size, &bytes) ? SIZE_MAX : bytes;
}

constexpr bind::Entry table[] = {
    FN(malloc, Null, "size").guarded<guard::Allocates>(),
    FN(calloc, Null, "nmemb size").guarded<guard::Allocates>(),
    SHAPE(realloc, Told, "ptr size",
          [](void* ptr, size_t size) { return reallocated(ptr, size, [=] { return ::realloc(ptr, size); }); })
        .guarded<guard::Reallocates>(),
    SHAPE(reallocarray, Told, "ptr nmemb size",
          [](void* ptr, size_t nmemb, size_t size) {
            return reallocated(ptr, product(nmemb, size), [=] { return ::reallocarray(ptr, nmemb, size); });
          })
        .guarded<guard::Reallocates>(),
    FN(free, Never, "ptr").guarded<guard::Frees>(),
    SHAPE(posix_memalign, Told, "alignment size",
          [](size_t alignment, size_t size) {
            Result<void*> result;
            result.failure = fail(::posix_memalign(&result.value, alignment, size));
            return result;
          })
        .guarded<guard::Allocates>(),
    FN(aligned_alloc, Null, "alignment size").guarded<guard::Allocates>(),
    FN(memalign, Null, "alignment size").guarded<guard::Allocates>(),
    FN(valloc, Null, "size").guarded<guard::Allocates>(),
    FN(pvalloc, Null, "size").guarded<guard::Allocates>(),
    FN(malloc_usable_size, Never, "ptr").guarded<guard::KnowsBlock>(),
};

}  // namespace

const bind::Topic topic::malloc{"malloc", "stdlib.h, malloc.h", table};

}  // namespace memprobe
