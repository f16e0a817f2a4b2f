/**
 * Which parts of huge pages were never used: 4 KiB pieces that hold only zeros, the kernel's own test for an
 * underused huge page (since Linux 6.12).
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { Smaps } from '../procfs/smaps.js';
import { isAnonymous, type Row, Rows } from './rows.js';
import type { Zeros } from './snapshot.js';

const HUGE = 2 * 2 ** 20;
const PIECE = 4096;
/** More than this is not read: 512 MiB take about 0.3 s, off the event loop. */
const MOST_BYTES = 512 * 2 ** 20;

const zeroPiece = Buffer.alloc(PIECE);

/**
 * Looks at mappings in which every aligned 2 MiB block is a huge page; elsewhere nobody but root can tell which
 * block is one. Needs the right to read /proc/PID/mem (ptrace(2)); without it there is nothing to tell.
 */
export async function findZeros(pid: number, smaps: Smaps): Promise<Zeros[]> {
  const candidates = hugeMappings(new Rows(smaps));
  if (candidates.length === 0) return [];
  const memory = await open(`/proc/${pid}/mem`, 'r').catch(() => undefined);
  if (!memory) return [];
  try {
    const found: Zeros[] = [];
    for (const row of candidates) found.push({ ...rangeOf(row), bytes: await countZeros(memory, row) });
    return found;
  } catch {
    // The mapping went away half-way: what is gone wastes nothing.
    return [];
  } finally {
    await memory.close();
  }
}

function hugeMappings(rows: Rows): Row[] {
  const found: Row[] = [];
  let bytes = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows.hasHugePages(i) ? rows.at(i) : undefined;
    if (!row || !isAnonymous(row) || row.huge !== alignedBytes(row)) continue;
    bytes += row.huge;
    if (bytes > MOST_BYTES) break;
    found.push(row);
  }
  return found;
}

function firstBlock(row: Row): number {
  return Math.ceil(row.start / HUGE) * HUGE;
}

function alignedBytes(row: Row): number {
  return Math.max(0, Math.floor(row.end / HUGE) * HUGE - firstBlock(row));
}

async function countZeros(memory: FileHandle, row: Row): Promise<number> {
  const block = Buffer.allocUnsafe(HUGE);
  const first = firstBlock(row);
  let zeros = 0;
  for (let at = first; at < first + row.huge; at += HUGE) {
    const { bytesRead } = await memory.read(block, 0, HUGE, at);
    for (let i = 0; i < bytesRead; i += PIECE)
      if (zeroPiece.compare(block, i, i + PIECE) === 0) zeros += PIECE;
  }
  return zeros;
}

function rangeOf(row: Row) {
  return { start: BigInt(row.start), end: BigInt(row.end) };
}
