// numa(3): what there is. Read once, when libnuma is loaded.
#include "topics.h"

namespace memprobe {
namespace numa {

struct NodeSize {
  long size = 0;
  long free = 0;
};
struct NodeSize64 {
  long long size = 0;
  long long free = 0;
};

}  // namespace numa

template <>
struct js::Fields<numa::NodeSize> {
  static constexpr std::tuple list{FIELD(numa::NodeSize, size), FIELD(numa::NodeSize, free)};
};

template <>
struct js::Out<numa::NodeSize64> {
  static std::string ts() { return "{ size: bigint; free: bigint }"; }
  static napi_value write(napi_env env, const numa::NodeSize64& from, Arguments) {
    napi_value object = nullptr;
    napi_value size = nullptr;
    napi_value free = nullptr;
    const bool ok = napi_create_object(env, &object) == napi_ok &&
                    napi_create_bigint_int64(env, from.size, &size) == napi_ok &&
                    napi_create_bigint_int64(env, from.free, &free) == napi_ok &&
                    napi_set_named_property(env, object, "size", size) == napi_ok &&
                    napi_set_named_property(env, object, "free", free) == napi_ok;
    return ok ? object : nullptr;
  }
};

namespace numa {
namespace {

// -1 without an errno of its own: the meminfo of that node in sysfs can't be read.
template <class Size, auto Get>
Result<Size> size_of(Node node) {
  Result<Size> result;
  result.value.size = Get(node.number, &result.value.free);
  if (result.value.size == -1) result.failure = explain(errno != 0 ? errno : ENODATA);
  return result;
}

Result<Filled> cpus_of(Node node, std::optional<Target> mask) {
  Result<Filled> result = room_for_cpus(mask, 1);
  if (!result.failure && numa_node_to_cpus(node.number, mask ? mask->mask : result.value.made) == -1) {
    result.failure = explain(errno);
  }
  return result;
}

// Of a cpu that is on no node libnuma says -1 with EINVAL.
Result<int> node_of(Cpu cpu) {
  const int node = numa_node_of_cpu(cpu.number);
  if (node >= 0) return {.value = node};
  return {.failure = fail("ERR_OUT_OF_RANGE", "The value of \"cpu\" is out of range. It must be a cpu of a node. Received " +
                                                  std::to_string(cpu.number))};
}

constexpr bind::Entry table[] = {
    LIBNUMA(numa_available, Never, ""),
    LIBNUMA(numa_max_possible_node, Never, ""),
    LIBNUMA(numa_num_possible_nodes, Never, ""),
    LIBNUMA(numa_num_possible_cpus, Never, ""),
    LIBNUMA(numa_max_node, Never, ""),
    LIBNUMA(numa_num_configured_nodes, Never, ""),
    LIBNUMA(numa_num_configured_cpus, Never, ""),
    LIBNUMA(numa_num_task_cpus, Never, ""),
    LIBNUMA(numa_num_task_nodes, Never, ""),
    LIBNUMA(numa_num_thread_cpus, Never, ""),
    LIBNUMA(numa_num_thread_nodes, Never, ""),
    LIBNUMA(numa_pagesize, Never, ""),
    LIBNUMA(numa_get_mems_allowed, Null, ""),
    LIBNUMA_SHAPE(numa_node_size, Told, "node", [](Node node) { return size_of<NodeSize, ::numa_node_size>(node); }),
    LIBNUMA_SHAPE(numa_node_size64, Told, "node",
                  [](Node node) { return size_of<NodeSize64, ::numa_node_size64>(node); }),
    LIBNUMA(numa_distance, Never, "node1 node2"),  // 0: no such node
    LIBNUMA_SHAPE(numa_node_to_cpus, Told, "node mask",
                  [](Node node, std::optional<Target> mask) { return cpus_of(node, mask); }),
    LIBNUMA(numa_node_to_cpu_update, Done, ""),
    LIBNUMA_SHAPE(numa_node_of_cpu, Told, "cpu", [](Cpu cpu) { return node_of(cpu); }),
};

constexpr bind::Constant constants[] = {CONST(LIBNUMA_API_VERSION), CONST(NUMA_NUM_NODES)};

}  // namespace

const bind::Topic topic::topology{"topology", "numa.h", table, constants};

}  // namespace numa
}  // namespace memprobe
