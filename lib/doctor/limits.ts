/** Limits and settings of the machine, the container and the user that decide what the calls can do. */
import { formatBytes } from '../format.js';
import { type Check, type Files, fine } from './check.js';

const CAP_IPC_LOCK = 14;
const CAP_SYS_PTRACE = 19;

/** RLIMIT_MEMLOCK: how much may be locked. */
export function checkMemlock(files: Files): Check {
  const row = /^Max locked memory\s+(\S+)\s+(\S+)/m.exec(files.read('/proc/self/limits') ?? '');
  const limit = row?.[1] === 'unlimited' ? Infinity : Number(row?.[1]);
  const exempt = files.capable(CAP_IPC_LOCK);
  const values = { limit: Number.isFinite(limit) ? limit : null, exempt };
  const [id, title] = ['limit.memlock', 'locked memory'];
  if (exempt) return fine(id, title, 'no limit for this user (CAP_IPC_LOCK)', values);
  if (!Number.isFinite(limit)) return fine(id, title, 'no limit', values);
  return {
    id,
    title,
    health: 'notice',
    found: `at most ${formatBytes(limit)} (RLIMIT_MEMLOCK)`,
    values,
    costs: 'mlock, mlockall and MAP_LOCKED fail beyond it (ENOMEM, EAGAIN)',
    remedy: 'ulimit -l, LimitMEMLOCK= of systemd, or docker run --ulimit memlock=-1',
  };
}

/** vm.max_map_count: how many mappings a process may have, and how many this one has. */
export function checkMapCount(files: Files): Check {
  const limit = Number(files.read('/proc/sys/vm/max_map_count'));
  const used = files.read('/proc/self/maps')?.split('\n').length ?? 0;
  const values = { limit, used };
  const [id, title] = ['limit.mappings', 'mappings'];
  const found = `${used.toLocaleString('en-US')} of ${limit.toLocaleString('en-US')}`;
  if (used < limit * 0.75) return fine(id, title, found, values);
  return {
    id,
    title,
    health: 'notice',
    found: `${found} are in use (vm.max_map_count)`,
    values,
    costs: 'at the limit mmap, mprotect and malloc itself fail with ENOMEM, whatever memory is free',
    remedy: `sysctl vm.max_map_count=${limit * 4}, and look for what makes so many: memprobe maps`,
  };
}

/** Transparent huge pages. */
export function checkHugePages(files: Files): Check {
  const text = files.read('/sys/kernel/mm/transparent_hugepage/enabled');
  const mode = /\[(\w+)\]/.exec(text ?? '')?.[1];
  const values = { mode: mode ?? null };
  const [id, title] = ['limit.thp', 'transparent huge pages'];
  if (mode === 'madvise') return fine(id, title, 'on request (madvise)', values);
  const remedy = 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled';
  if (mode === 'always') {
    const costs = 'memory that is touched here and there becomes resident 2 MiB at a time';
    return { id, title, health: 'notice', found: 'always', values, costs, remedy };
  }
  return {
    id,
    title,
    health: 'notice',
    found: mode ?? 'this kernel has none',
    values,
    costs: 'MADV_HUGEPAGE has no effect: large tables pay for more TLB misses',
    remedy: mode === undefined ? 'a kernel with CONFIG_TRANSPARENT_HUGEPAGE' : remedy,
  };
}

/** vm.overcommit_memory. */
export function checkOvercommit(files: Files): Check {
  const mode = Number(files.read('/proc/sys/vm/overcommit_memory'));
  const values = { mode };
  const [id, title] = ['limit.overcommit', 'overcommit'];
  if (mode !== 2) return fine(id, title, mode === 1 ? 'always' : 'heuristic', values);
  return {
    id,
    title,
    health: 'notice',
    found: 'never (vm.overcommit_memory=2)',
    values,
    costs: 'address space that is reserved but not touched counts: large mappings fail with ENOMEM',
    remedy: 'map with MAP_NORESERVE and PROT_NONE first, or sysctl vm.overcommit_memory=0',
  };
}

/** Yama's ptrace_scope, which guards other processes' memory. */
export function checkPtrace(files: Files): Check {
  const scope = Number(files.read('/proc/sys/kernel/yama/ptrace_scope') ?? 0);
  const capable = files.capable(CAP_SYS_PTRACE);
  const values = { scope, capable };
  const [id, title] = ['ptrace', 'reading other processes'];
  if (scope === 0) return fine(id, title, "allowed for this user's own", values);
  if (capable && scope < 3) return fine(id, title, 'allowed (CAP_SYS_PTRACE)', values);
  const started = scope === 1 ? '; allowed for those that this one started' : '';
  return {
    id,
    title,
    health: scope === 1 ? 'notice' : 'refused',
    found: `kernel.yama.ptrace_scope is ${scope}${started}`,
    values,
    costs: "explain --pid without --attach can't look into malloc's heap; maps and sizes are not affected",
    remedy:
      scope === 3
        ? 'nothing until the next boot'
        : 'run as root, sysctl kernel.yama.ptrace_scope=0, or docker run --cap-add SYS_PTRACE',
  };
}
