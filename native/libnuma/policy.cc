// numa(3): the calling thread's memory policy. libnuma keeps numa_set_bind_policy and numa_set_strict per thread too.
#include "topics.h"

namespace memprobe::numa {
namespace {

constexpr bind::Entry table[] = {
    LIBNUMA(numa_preferred, Never, ""),
    LIBNUMA_SHAPE(numa_set_preferred, Done, "node", [](NodeOrNone node) { ::numa_set_preferred(node.number); }),
    LIBNUMA(numa_get_interleave_node, Never, ""),
    LIBNUMA(numa_get_interleave_mask, Null, ""),
    LIBNUMA(numa_set_interleave_mask, Done, "nodes"),
    LIBNUMA(numa_bind, Done, "nodes"),
    LIBNUMA(numa_set_localalloc, Done, ""),
    LIBNUMA(numa_set_membind, Done, "nodes"),
    LIBNUMA(numa_get_membind, Null, ""),
    LIBNUMA(numa_set_bind_policy, Done, "strict"),
    LIBNUMA(numa_set_strict, Done, "strict"),
    LIBNUMA_SHAPE(numa_set_membind_balancing, Told, "nodes",
                  [](bitmask* nodes) { return newer<void>("numa_set_membind_balancing", kMany, nodes); })
        .since(kMany),
    LIBNUMA_SHAPE(numa_has_preferred_many, Told, "", [] { return newer<int>("numa_has_preferred_many", kMany); })
        .since(kMany),
    LIBNUMA_SHAPE(numa_set_preferred_many, Told, "nodes",
                  [](bitmask* nodes) { return newer<void>("numa_set_preferred_many", kMany, nodes); })
        .since(kMany),
    LIBNUMA_SHAPE(numa_preferred_many, Told, "", [] { return newer<bitmask*>("numa_preferred_many", kMany); })
        .since(kMany),
    LIBNUMA_SHAPE(numa_preferred_err, Told, "", [] { return newer<int>("numa_preferred_err", kLatest); })
        .since(kLatest),
    LIBNUMA_SHAPE(numa_has_home_node, Told, "", [] { return newer<int>("numa_has_home_node", kHome); }).since(kHome),
    LIBNUMA_SHAPE(numa_set_weighted_interleave_mask, Told, "nodes",
                  [](bitmask* nodes) { return newer<void>("numa_set_weighted_interleave_mask", kWeighted, nodes); })
        .since(kWeighted),
    LIBNUMA_SHAPE(numa_get_weighted_interleave_mask, Told, "",
                  [] { return newer<bitmask*>("numa_get_weighted_interleave_mask", kWeighted); })
        .since(kWeighted),
};

}  // namespace

const bind::Topic topic::policy{"policy", "numa.h", table};

}  // namespace memprobe::numa
