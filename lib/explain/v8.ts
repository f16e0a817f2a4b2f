/** Splits V8's resident heap pages by space, with the figures that every isolate gives. */
import type { Ledger } from './ledger.js';
import { V8_CHUNKS } from './places.js';
import type { Row } from './rows.js';
import type { Snapshot } from './snapshot.js';

/** A mapping that the memory map alone did not tell. */
export interface Unplaced {
  row: Row;
  bytes: number;
}

const MAPPED = "mappings with the alignment and addresses of V8's heap pages";

/**
 * Books V8's heap: `pages` resident bytes of it were told by the map, `candidates` have its alignment only. Returns
 * those that remain untold.
 */
export function settleV8(
  ledger: Ledger,
  snapshot: Snapshot,
  pages: number,
  candidates: Unplaced[],
): Unplaced[] {
  const spaces = addSpaces(snapshot);
  const told = sum(spaces.values());
  const extra = takeMissing(candidates, told - pages);
  bookSpaces(ledger, spaces, told, pages + extra.bytes);
  return extra.rest;
}

/** Code spaces lie in executable mappings, which are booked as v8.code. */
function addSpaces({ isolates }: Snapshot): Map<string, number> {
  const spaces = new Map<string, number>();
  for (const { name, physical } of isolates.flatMap((isolate) => isolate.spaces)) {
    if (name.startsWith('code_')) continue;
    // All isolates of a process share one read-only space.
    const before = spaces.get(name) ?? 0;
    spaces.set(name, name === 'read_only_space' ? Math.max(before, physical) : before + physical);
  }
  return spaces;
}

/** V8's pages where the kernel did not follow V8's wish for an address: V8 says that they exist somewhere. */
function takeMissing(candidates: Unplaced[], missing: number): { bytes: number; rest: Unplaced[] } {
  let bytes = 0;
  const rest = candidates.filter(({ bytes: size }) => {
    if (bytes + size > missing) return true;
    bytes += size;
    return false;
  });
  return { bytes, rest };
}

function bookSpaces(ledger: Ledger, spaces: Map<string, number>, told: number, resident: number): void {
  if (told === 0) {
    ledger.add('v8.heap', V8_CHUNKS, resident, MAPPED);
    return;
  }
  const scale = Math.min(1, resident / told);
  const source = `${MAPPED}, divided by v8.getHeapSpaceStatistics() of every isolate`;
  let left = resident;
  for (const [name, physical] of spaces) {
    const share = Math.min(left, Math.round(physical * scale));
    ledger.add('v8.heap', name, share, source);
    left -= share;
  }
  ledger.add('v8.heap', 'pages in no space (pooled, read-only, headers)', left, source);
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
