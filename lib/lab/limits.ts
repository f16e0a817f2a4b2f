/** Resource limits, which the kernel does not hold against root. */
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
