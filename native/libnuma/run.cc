// numa(3): where the calling thread runs, or another (pid 0 is the calling thread).
#include "topics.h"

namespace memprobe::numa {
namespace {

// C's result is how many bytes the kernel wrote.
Result<Filled> affinity_of(int pid, std::optional<Target> mask) {
  Result<Filled> result = room_for_cpus(mask, 1);
  if (!result.failure && ::numa_sched_getaffinity(pid, mask ? mask->mask : result.value.made) == -1) {
    result.failure = explain(errno);
  }
  return result;
}

constexpr bind::Entry table[] = {
    LIBNUMA_SHAPE(numa_run_on_node, MinusOne, "node", [](NodeOrNone node) { return ::numa_run_on_node(node.number); }),
    LIBNUMA(numa_run_on_node_mask, MinusOne, "nodes"),
    LIBNUMA(numa_run_on_node_mask_all, MinusOne, "nodes"),
    LIBNUMA(numa_get_run_node_mask, Null, ""),
    LIBNUMA_SHAPE(numa_sched_getaffinity, Told, "pid mask",
                  [](int pid, std::optional<Target> mask) { return affinity_of(pid, mask); }),
    LIBNUMA_SHAPE(numa_sched_setaffinity, MinusOne, "pid cpus",
                  [](int pid, const Cpus& cpus) { return ::numa_sched_setaffinity(pid, cpus.get()); }),
};

}  // namespace

const bind::Topic topic::run{"run", "numa.h", table};

}  // namespace memprobe::numa
