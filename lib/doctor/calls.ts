/** Which system calls answer, and of those that don't: whether the kernel lacks them or something refuses them. */
import { type Check, type Health, fine } from './check.js';

/** A call that was tried: `error` is an errno's name, or the name of the signal that it ended in; '' where it works. */
export interface Answer {
  readonly call: string;
  /** The kernel that brought it: 'Linux 6.10'; '' where every supported kernel has it. */
  readonly since: string;
  readonly error: string;
}

/** What decides between "too old" and "forbidden". */
export interface Circumstances {
  /** As uname(2) tells it: '6.1.0-18-amd64'. */
  readonly release: string;
  /** Whether a seccomp filter is installed in this process. */
  readonly seccomp: boolean;
}

const NUMA = 'NUMA policies and page placement throw';

/** What is lost with a call, where that is more than the call itself. */
const COSTS: Readonly<Record<string, string>> = {
  process_vm_readv: "peek and poke throw, and explain can't tell malloc's live memory from its free memory",
  memfd_create: 'shared anonymous memory (memfd_create) throws',
  mbind: NUMA,
  set_mempolicy: NUMA,
  get_mempolicy: NUMA,
  move_pages: NUMA,
  MPOL_PREFERRED_MANY: 'this memory policy throws',
  MPOL_WEIGHTED_INTERLEAVE: 'this memory policy throws',
  PROCMAP_QUERY: 'findMapping reads the whole of /proc/PID/maps for one address, which is slower',
};

/** The capability with which Docker's and Podman's default seccomp profiles allow a call. */
const CAPABILITY: Readonly<Record<string, string>> = {
  process_vm_readv: 'SYS_PTRACE',
  process_madvise: 'SYS_PTRACE',
  mbind: 'SYS_NICE',
  set_mempolicy: 'SYS_NICE',
  get_mempolicy: 'SYS_NICE',
  set_mempolicy_home_node: 'SYS_NICE',
  MPOL_PREFERRED_MANY: 'SYS_NICE',
  MPOL_WEIGHTED_INTERLEAVE: 'SYS_NICE',
};

/** The probes are such that a kernel that has the call never answers so: something in between does. */
const FORBIDS = new Set(['EPERM', 'EACCES', 'SIGSYS', 'SIGKILL']);
/** How kernels answer to a call, an advice, a policy, an ioctl that they don't know. */
const UNKNOWN = new Set(['ENOSYS', 'EINVAL', 'ENOTTY']);

export function judgeCall(answer: Answer, where: Circumstances): Check {
  const { call, since, error } = answer;
  const id = `call.${call}`;
  const values = { error: error || null, since: since || null };
  if (error === '') return fine(id, call, 'works', values);
  return {
    id,
    title: call,
    values,
    costs: COSTS[call] ?? 'this call throws',
    ...why(answer, where),
  };
}

function why(
  answer: Answer,
  { release, seccomp }: Circumstances,
): Pick<Check, 'found' | 'remedy' | 'health'> {
  const { call, since, error } = answer;
  const unknown = UNKNOWN.has(error);
  if (unknown && isOlder(release, since)) {
    return missing(`this kernel, ${release}, is older than ${since}`, `${since} or later`);
  }
  if (seccomp && (FORBIDS.has(error) || error === 'ENOSYS')) return refusedBySeccomp(call, error);
  if (unknown) {
    return missing(`the kernel answers ${error}: it was built without`, "a distribution's standard kernel");
  }
  return {
    health: 'refused',
    found: `refused with ${error}, though no seccomp filter is installed`,
    remedy: 'look at the limits of this process and at the security modules (SELinux, AppArmor: dmesg)',
  };
}

function missing(found: string, remedy: string): { health: Health; found: string; remedy: string } {
  return { health: 'missing', found, remedy };
}

function refusedBySeccomp(call: string, error: string): { health: Health; found: string; remedy: string } {
  const answers = error.startsWith('SIG') ? `ends the process with ${error}` : `answers ${error}`;
  const capability = CAPABILITY[call];
  const profile = 'a profile that allows it (docker run --security-opt seccomp=FILE)';
  return {
    health: 'refused',
    found: `a seccomp filter ${answers}`,
    remedy: capability === undefined ? profile : `docker run --cap-add ${capability}, or ${profile}`,
  };
}

/** Whether a kernel is older than 'Linux 6.10'; never for ''. */
function isOlder(release: string, since: string): boolean {
  const [major = 0, minor = 0] = numbers(release);
  const [wantedMajor = 0, wantedMinor = 0] = numbers(since);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

function numbers(text: string): number[] {
  return /(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number) ?? [];
}
