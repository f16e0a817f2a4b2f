/**
 * On which NUMA nodes memory lies: the policy of a thread and of a range, and moving pages. System calls, which work
 * where libnuma is missing. A kernel without NUMA says `ERR_MEMPROBE_UNSUPPORTED`; a container whose seccomp filter refuses
 * the calls says EPERM, and the message says that it was the filter.
 */
import { native } from '../native.js';

export type { NodeMask } from '../node_mask.js';

/**
 * Sets the policy for the pages of [addr, addr + length): `mode` is an MPOL_* mode, with MPOL_F_* mode flags or'ed to it;
 * `nodes` may be null where the mode takes none; `flags` are MPOL_MF_*. It goes for pages that come later; with
 * MPOL_MF_MOVE those that are there move too, with MPOL_MF_STRICT as well one that lies elsewhere and can't is EIO. Of the
 * nodes those that are absent are passed over; none left is EINVAL. Any mapped memory may be named: nothing is lost.
 * Throws EFAULT (a hole), EINVAL, EIO, ENOMEM, EPERM (MPOL_MF_MOVE_ALL without CAP_SYS_NICE). In `memprobe/promises`
 * MPOL_LOCAL and MPOL_DEFAULT with MPOL_MF_MOVE move to where the pool's thread runs. @see mbind(2)
 */
export const mbind = native.libc.mbind;

/**
 * Sets the policy of this thread, for memory without one of its own (`mbind`). Processes and Workers that it starts from
 * then on inherit it; the threads that run already, V8's and libuv's, keep theirs. MPOL_DEFAULT with null takes it back.
 * Throws EINVAL, ENOMEM. @see set_mempolicy(2)
 */
export const set_mempolicy = native.libc.set_mempolicy;

/**
 * The policy of this thread: its mode, with its mode flags, and its nodes. `flags` 0 wants `addr` NULL (or neither);
 * MPOL_F_ADDR asks for the policy at `addr`; with MPOL_F_NODE `mode` is the node of the page there, which is faulted in,
 * or without MPOL_F_ADDR the node that comes next in interleaving; MPOL_F_MEMS_ALLOWED alone asks for the nodes that the
 * cpuset allows. Throws EFAULT (nothing mapped there), EINVAL. @see get_mempolicy(2)
 */
export const get_mempolicy = native.libc.get_mempolicy;

/**
 * Moves pages of a process (0: this one) each to the node of the same index, or with `nodes` null asks where they are.
 * The result has a status for each page: its node, or a negative error number: -ENOENT (-2) for a page that is not there,
 * -EFAULT (-14) where nothing is mapped (for an untouched page too, before Linux 6.12), -EACCES (-13) for a shared page
 * without MPOL_MF_MOVE_ALL, -EBUSY (-16); -EAGAIN (-11) where the kernel gave up before it came to the page. Any address
 * may be asked about and moved: nothing is lost. `flags` are MPOL_MF_MOVE or MPOL_MF_MOVE_ALL. Throws for the call as a
 * whole: EACCES (a node outside the cpuset), EINVAL, ENODEV (a node that is absent), EPERM, ESRCH. @see move_pages(2)
 */
export const move_pages = native.libc.move_pages;

/**
 * Moves all pages of a process (0: this one) that lie on `from` to `to`, keeping the order of the nodes, and returns how
 * many stayed behind. Throws EINVAL (none of `to` is there), EPERM, ESRCH. @see migrate_pages(2)
 */
export const migrate_pages = native.libc.migrate_pages;

/**
 * The node to prefer for the pages of a range whose policy is MPOL_BIND or MPOL_PREFERRED_MANY; `flags` is 0. Throws
 * EINVAL (an absent node), ENOENT (no policy), EOPNOTSUPP (another mode). Linux 5.17. @see set_mempolicy_home_node(2)
 */
export const set_mempolicy_home_node = native.libc.set_mempolicy_home_node;

const c = native.constants;
/** As the level above has it: a range follows its thread, a thread allocates where it runs. Takes no nodes. */
export const MPOL_DEFAULT = c.MPOL_DEFAULT;
/** From this node while it has room; with no nodes as MPOL_LOCAL. */
export const MPOL_PREFERRED = c.MPOL_PREFERRED;
/** From these nodes alone. */
export const MPOL_BIND = c.MPOL_BIND;
/** From these nodes in turn, page by page. */
export const MPOL_INTERLEAVE = c.MPOL_INTERLEAVE;
/** From where the thread runs. Takes no nodes. Linux 3.8. */
export const MPOL_LOCAL = c.MPOL_LOCAL;
/** From these nodes while they have room. Linux 5.15. */
export const MPOL_PREFERRED_MANY = c.MPOL_PREFERRED_MANY;
/** From these nodes in turn, by the weights of /sys/kernel/mm/mempolicy/weighted_interleave. Linux 6.9. */
export const MPOL_WEIGHTED_INTERLEAVE = c.MPOL_WEIGHTED_INTERLEAVE;
/** Of a mode: the nodes stay as they were named when the cpuset changes. Linux 2.6.26. */
export const MPOL_F_STATIC_NODES = c.MPOL_F_STATIC_NODES;
/** Of a mode: node n is the n-th that the cpuset allows. Linux 2.6.26. */
export const MPOL_F_RELATIVE_NODES = c.MPOL_F_RELATIVE_NODES;
/** Of MPOL_BIND, and of MPOL_PREFERRED_MANY later: NUMA balancing may move pages among the nodes. Linux 5.12. */
export const MPOL_F_NUMA_BALANCING = c.MPOL_F_NUMA_BALANCING;
/** get_mempolicy: a node instead of a mode. */
export const MPOL_F_NODE = c.MPOL_F_NODE;
/** get_mempolicy: of an address. */
export const MPOL_F_ADDR = c.MPOL_F_ADDR;
/** get_mempolicy: which nodes may be used at all. Linux 2.6.24. */
export const MPOL_F_MEMS_ALLOWED = c.MPOL_F_MEMS_ALLOWED;
/** A page that lies elsewhere is EIO. */
export const MPOL_MF_STRICT = c.MPOL_MF_STRICT;
/** Pages of this process alone move. */
export const MPOL_MF_MOVE = c.MPOL_MF_MOVE;
/** Shared pages move too: CAP_SYS_NICE. */
export const MPOL_MF_MOVE_ALL = c.MPOL_MF_MOVE_ALL;
/** In the headers; the kernel refuses it. */
export const MPOL_MF_LAZY = c.MPOL_MF_LAZY;
