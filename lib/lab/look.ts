/** A look at a process from outside: whoever measures does not disturb the figures. */
import { readFile } from 'node:fs/promises';
import { readSmaps, type Smaps } from '../procfs/smaps.js';
import { readStatm, type Statm } from '../procfs/statm.js';
import { readStatus } from '../procfs/status.js';

export interface Mapped {
  start: string;
  end: string;
  perms: string;
  path: string;
  /** In bytes. */
  size: number;
  /** In bytes. */
  resident: number;
  /** The resident part that belongs to no file, in bytes. */
  anonymous: number;
}

/** In bytes. */
export interface Look {
  statm: Statm;
  maps: Mapped[];
  rss: number;
  anonymous: number;
  huge: number;
  locked: number;
  faults: { minor: number; major: number };
}

/** Takes some milliseconds, in which the process should wait. Rejects like readSmaps. */
export async function look(pid: number): Promise<Look> {
  const [statm, smaps, status, faults] = await Promise.all([
    readStatm({ pid }),
    readSmaps({ pid }),
    readStatus({ pid }),
    readFaults(pid),
  ]);
  return {
    statm,
    maps: mappedOf(smaps),
    rss: smaps.total('Rss'),
    anonymous: smaps.total('Anonymous'),
    huge: smaps.total('AnonHugePages'),
    locked: status.VmLck ?? 0,
    faults,
  };
}

function mappedOf(smaps: Smaps): Mapped[] {
  const [resident, anonymous] = [smaps.column('Rss'), smaps.column('Anonymous')];
  return Array.from({ length: smaps.length }, (_, i) => {
    const [start = 0n, end = 0n] = [smaps.start[i], smaps.end[i]];
    return {
      start: start.toString(16),
      end: end.toString(16),
      perms: smaps.perms(i),
      path: smaps.path(i),
      size: Number(end - start),
      resident: resident?.[i] ?? 0,
      anonymous: anonymous?.[i] ?? 0,
    };
  });
}

/** Fields 10 and 12 of /proc/PID/stat; the name in field 2 may hold anything, but no ')' follows it. */
async function readFaults(pid: number): Promise<{ minor: number; major: number }> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { minor: Number(fields[7]), major: Number(fields[9]) };
}
