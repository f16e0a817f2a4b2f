// malloc(3), posix_memalign(3), malloc_usable_size(3)
#include <malloc.h>

#include <cstdlib>

#include "../topics.h"

namespace memprobe {
namespace {

// realloc(p, 0) frees and returns NULL; NULL for another size is a failure, and p is as it was.
Result<void*> reallocated(void* block, size_t bytes) {
  if (block != nullptr || bytes == 0) return {.value = block};
  return {.failure = fail(ENOMEM)};
}

constexpr bind::Entry table[] = {
    FN(malloc, Null, "size").guarded<guard::Allocates>(),
    FN(calloc, Null, "nmemb size").guarded<guard::Allocates>(),
    SHAPE(realloc, Told, "ptr size", [](void* ptr, size_t size) { return reallocated(::realloc(ptr, size), size); })
        .guarded<guard::Reallocates>(),
    SHAPE(reallocarray, Told, "ptr nmemb size",
          [](void* ptr, size_t nmemb, size_t size) {
            void* block = ::reallocarray(ptr, nmemb, size);
            return reallocated(block, nmemb == 0 || size == 0 ? 0 : 1);
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
