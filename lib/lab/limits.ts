/** Resource limits. That on locked memory the kernel does not hold against root. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { codeOf } from '../procfs/errors.js';

const NOBODY = 65534;

/** What a lab says where it needs `unprivileged`; '' where it does not. */
export const ROOT_HAS_NO_LIMIT =
  process.geteuid?.() === 0 ? 'Root may lock without a limit, so the call was made as nobody.' : '';

/**
 * Does something without the rights of root, which go and come with the effective user id. Afterwards the process may
 * count as one that gave up rights, whose /proc files belong to root: it belongs to the end of a lab.
 */
export function unprivileged<T>(action: () => T): T {
  if (process.geteuid?.() !== 0) return action();
  const left = become(NOBODY);
  try {
    return action();
  } finally {
    if (left) become(0);
  }
}

/** In a user namespace there may be no such user; but root has no say over the limits there, either. */
function become(uid: number): boolean {
  try {
    process.seteuid?.(uid);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EINVAL') throw error;
    return false;
  }
}

/**
 * Does something while this process may have only so many bytes of addresses more than it has (RLIMIT_AS). Node can't set
 * its limits: false where the command that can, prlimit(1) of util-linux, is missing or refused.
 */
export function cramped(room: number, action: () => void): boolean {
  const soft =
    /^Max address space +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 'unlimited';
  const size = /^VmSize:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (!limitAddresses(String(Number(size) * 1024 + room))) return false;
  try {
    action();
  } finally {
    limitAddresses(soft);
  }
  return true;
}

function limitAddresses(soft: string): boolean {
  return spawnSync('prlimit', ['--pid', String(process.pid), `--as=${soft}:`]).status === 0;
}
