/** The memory limit of the control groups, version 1 and 2, that this process is in. */
import { join } from 'node:path';
import { formatBytes } from '../format.js';
import { type Check, type Files, fine } from './check.js';

/** How the two versions name the same things. */
interface Version {
  readonly mount: string;
  readonly limit: string;
  readonly usage: string;
}

const V1: Version = {
  mount: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
};
const V2: Version = { mount: '/sys/fs/cgroup', limit: 'memory.max', usage: 'memory.current' };

/** Version 1 says "no limit" with the largest number of pages. */
const NO_LIMIT = 2 ** 62;
const CROWDED = 0.9;

interface Limit {
  readonly version: 1 | 2;
  /** Bytes; undefined where there is none. */
  readonly bytes: number | undefined;
  readonly used: number | undefined;
}

/** The smallest limit from this process's group up to the root: each of them counts. */
function findLimit(files: Files): Limit | undefined {
  const lines = (files.read('/proc/self/cgroup') ?? '').split('\n');
  const old = lines.map((line) => /^\d+:(?:.*,)?memory(?:,.*)?:(.*)$/.exec(line)?.[1]).find(Boolean);
  const group = old ?? lines.map((line) => /^0::(.*)$/.exec(line)?.[1]).find(Boolean);
  if (group === undefined) return undefined;
  const [version, names]: [1 | 2, Version] = old === undefined ? [2, V2] : [1, V1];
  const limits = ancestors(group).flatMap((each): Limit[] => {
    const directory = join(names.mount, each);
    const bytes = Number(files.read(join(directory, names.limit)) ?? NaN);
    const used = Number(files.read(join(directory, names.usage)) ?? NaN);
    return bytes < NO_LIMIT ? [{ version, bytes, used: Number.isNaN(used) ? undefined : used }] : [];
  });
  const none: Limit = { version, bytes: undefined, used: undefined };
  return limits.reduce((least, each) => ((each.bytes ?? 0) < (least.bytes ?? Infinity) ? each : least), none);
}

/** `/a/b` gives `/a/b`, `/a`, `/`. In a container the mount's root may be the group itself: that is the last. */
function ancestors(group: string): string[] {
  const parts = group.split('/').filter((part) => part !== '' && part !== '..');
  return [...parts.map((_, i) => `/${parts.slice(0, parts.length - i).join('/')}`), '/'];
}

export function checkCgroup(files: Files): Check {
  const [id, title] = ['limit.cgroup', 'cgroup'];
  const limit = findLimit(files);
  const values = {
    version: limit?.version ?? null,
    limit: limit?.bytes ?? null,
    used: limit?.used ?? null,
  };
  if (limit?.bytes === undefined) return fine(id, title, 'no memory limit', values);
  const { bytes, used } = limit;
  const found = `${used === undefined ? '' : `${formatBytes(used)} of `}${formatBytes(bytes)} (version ${limit.version})`;
  if (used === undefined || used < bytes * CROWDED) return fine(id, title, found, values);
  return {
    id,
    title,
    health: 'notice',
    found,
    values,
    costs: 'near the limit the kernel takes pages back (slow), beyond it it kills a process of the group',
    remedy:
      'a larger limit (docker run --memory, MemoryMax= of systemd); memprobe explain tells what takes it',
  };
}
