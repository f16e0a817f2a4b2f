/** numa.h's names that are no function, constant or mask of ours, and what stands for each. */
const inline = (name: string): string => `${name}: a nodemask_t is a Bitmask of NUMA_NUM_NODES bits`;
const compat = (name: string): string => `${name}: libnuma 1's form, for C source alone`;

export const STAND_INS: Readonly<Record<string, string>> = {
  bitmask: 'the class Bitmask',
  nodemask_t: 'a Bitmask of NUMA_NUM_NODES bits',
  nodemask_zero: inline('numa_bitmask_clearall'),
  nodemask_zero_compat: inline('numa_bitmask_clearall'),
  nodemask_set_compat: inline('numa_bitmask_setbit'),
  nodemask_clr_compat: inline('numa_bitmask_clearbit'),
  nodemask_isset_compat: inline('numa_bitmask_isbitset'),
  nodemask_equal: inline('numa_bitmask_equal'),
  nodemask_equal_compat: inline('numa_bitmask_equal'),
  numa_set_interleave_mask_compat: compat('numa_set_interleave_mask'),
  numa_get_interleave_mask_compat: compat('numa_get_interleave_mask'),
  numa_bind_compat: compat('numa_bind'),
  numa_set_membind_compat: compat('numa_set_membind'),
  numa_get_membind_compat: compat('numa_get_membind'),
  numa_alloc_interleaved_subset_compat: compat('numa_alloc_interleaved_subset'),
  numa_run_on_node_mask_compat: compat('numa_run_on_node_mask'),
  numa_get_run_node_mask_compat: compat('numa_get_run_node_mask'),
  numa_interleave_memory_compat: compat('numa_interleave_memory'),
  numa_tonodemask_memory_compat: compat('numa_tonodemask_memory'),
  numa_sched_getaffinity_compat: compat('numa_sched_getaffinity'),
  numa_sched_setaffinity_compat: compat('numa_sched_setaffinity'),
  numa_node_to_cpus_compat: compat('numa_node_to_cpus'),
  numa_fail_alloc_on_error: 'nothing: an allocation that does not get its policy always fails here',
};
