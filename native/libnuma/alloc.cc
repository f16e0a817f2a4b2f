// numa(3): allocations, which are mappings with a policy, and policies for memory that is there.
#include <sys/mman.h>

#include "topics.h"

namespace memprobe::numa {
namespace {

// libnuma returns memory also where it could not give it the policy that was asked for, and only complains: then it
// goes back, as numa_fail_alloc_on_error does in newer ones. NULL is mmap's failure.
Result<void*> placed(void* memory, size_t size) {
  if (memory == nullptr) return {.failure = explain(errno)};
  const Failure unheard = as_failure(unheard_error());
  if (!complaints().failed() && !unheard) return {.value = memory};
  ::munmap(memory, size);
  return {.failure = unheard};  // or with libnuma's complaint
}

Result<void*> placed(const Result<void*>& result, size_t size) {
  return result.failure ? result : placed(result.value, size);
}

// mremap may move it, and the policy moves along.
Result<void*> reallocated(void* memory) {
  return memory == nullptr ? Result<void*>{.failure = explain(errno)} : Result<void*>{.value = memory};
}

// munmap, whose failure (sealed memory is EPERM) it does not return.
Result<bind::Void> freed(void* start, size_t size) {
  ::numa_free(start, size);
  return {.failure = errno == 0 ? Failure{} : explain(errno)};
}

constexpr bind::Entry table[] = {
    LIBNUMA_SHAPE(numa_alloc, Told, "size", [](size_t size) { return placed(::numa_alloc(size), size); })
        .guarded<Allocates>(),
    LIBNUMA_SHAPE(numa_alloc_onnode, Told, "size node",
                  [](size_t size, Node node) { return placed(::numa_alloc_onnode(size, node.number), size); })
        .guarded<Allocates>(),
    LIBNUMA_SHAPE(numa_alloc_local, Told, "size", [](size_t size) { return placed(::numa_alloc_local(size), size); })
        .guarded<Allocates>(),
    LIBNUMA_SHAPE(numa_alloc_interleaved, Told, "size",
                  [](size_t size) { return placed(::numa_alloc_interleaved(size), size); })
        .guarded<Allocates>(),
    LIBNUMA_SHAPE(numa_alloc_interleaved_subset, Told, "size nodes",
                  [](size_t size, bitmask* nodes) {
                    return placed(::numa_alloc_interleaved_subset(size, nodes), size);
                  })
        .guarded<Allocates>(),
    LIBNUMA_SHAPE(numa_alloc_weighted_interleaved, Told, "size",
                  [](size_t size) {
                    return placed(newer<void*>("numa_alloc_weighted_interleaved", kLatest, size), size);
                  })
        .since(kLatest)
        .guarded<Allocates>(),
    LIBNUMA_SHAPE(numa_alloc_weighted_interleaved_subset, Told, "size nodes",
                  [](size_t size, bitmask* nodes) {
                    return placed(newer<void*>("numa_alloc_weighted_interleaved_subset", kLatest, size, nodes), size);
                  })
        .since(kLatest)
        .guarded<Allocates>(),
    LIBNUMA_SHAPE(numa_realloc, Told, "oldAddr oldSize newSize",
                  [](void* old, size_t old_size, size_t new_size) {
                    return reallocated(::numa_realloc(old, old_size, new_size));
                  })
        .guarded<Reallocates>(),
    LIBNUMA_SHAPE(numa_free, Told, "start size", [](void* start, size_t size) { return freed(start, size); })
        .guarded<Frees>(),
    LIBNUMA(numa_interleave_memory, Done, "start size nodes"),
    LIBNUMA_SHAPE(numa_weighted_interleave_memory, Told, "start size nodes",
                  [](void* start, size_t size, bitmask* nodes) {
                    return newer<void>("numa_weighted_interleave_memory", kLatest, start, size, nodes);
                  })
        .since(kLatest),
    LIBNUMA_SHAPE(numa_tonode_memory, Done, "start size node",
                  [](void* start, size_t size, Node node) { ::numa_tonode_memory(start, size, node.number); }),
    LIBNUMA(numa_tonodemask_memory, Done, "start size nodes"),
    LIBNUMA(numa_setlocal_memory, Done, "start size"),
    LIBNUMA(numa_police_memory, Done, "start size").guarded<Touches>(),
    LIBNUMA_SHAPE(numa_set_mempolicy_home_node, Told, "start length homeNode flags",
                  [](void* start, size_t length, Node home, int flags) {
                    const auto result = newer<int>("numa_set_mempolicy_home_node", kHome, start,
                                                   static_cast<unsigned long>(length), home.number, flags);
                    return Result<bind::Void>{.failure = result.failure};  // its -1 comes with a complaint
                  })
        .since(kHome),
};

}  // namespace

const bind::Topic topic::alloc{"alloc", "numa.h", table};

}  // namespace memprobe::numa
