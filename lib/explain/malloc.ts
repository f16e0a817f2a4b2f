/**
 * Splits the resident bytes of malloc's memory: in use, free but kept, bookkeeping, and backing stores of Buffers.
 *
 * smaps says how much is resident, the walk of the heaps says how it divides. The two are a few milliseconds apart,
 * so the walk's figures serve as proportions of smaps' figure.
 */
import type { HeapArena, HeapReport } from '../procfs/heap.js';
import type { Ledger } from './ledger.js';
import type { Isolate, Snapshot } from './snapshot.js';

/** Resident bytes that smaps shows for malloc's memory. */
export interface MallocBooking {
  arenas: number;
  chunks: number;
}

/** In use, by where it was allocated; Buffers are taken out of it. */
interface InUse {
  arenas: number;
  chunks: number;
}

const WALK = 'a walk over the chunks of every arena';

/** Books malloc's memory: every byte of `booked`. */
export function settleMalloc(ledger: Ledger, snapshot: Snapshot, booked: MallocBooking): void {
  const { heap } = snapshot;
  const arenas = heap ? splitArenas(ledger, heap, booked.arenas) : booked.arenas;
  const inUse = takeBuffers(ledger, snapshot, { arenas, chunks: booked.chunks });
  const source = heap ? WALK : 'malloc regions in smaps; free memory could not be told apart';
  const rest = heap ? bookLive(ledger, heap, inUse.arenas) : inUse.arenas;
  ledger.add('malloc.live', 'in arenas', rest, source);
  ledger.add('malloc.live', 'in mappings of their own', inUse.chunks, source);
}

/** Divides what is in use over the arenas; returns what rounding leaves. */
function bookLive(ledger: Ledger, { arenas }: HeapReport, resident: number): number {
  const walked = arenas.reduce((sum, arena) => sum + arena.live.resident, 0);
  let left = resident;
  for (const arena of walked > 0 ? arenas : []) {
    const share = Math.floor((resident * arena.live.resident) / walked);
    ledger.add('malloc.live', nameOf(arena), share, WALK);
    left -= share;
  }
  return left;
}

function nameOf({ main, address }: HeapArena): string {
  return main ? 'main arena' : `arena 0x${address.toString(16)}`;
}

/** Books what is not in use and returns the bytes that are. */
function splitArenas(ledger: Ledger, heap: HeapReport, resident: number): number {
  const walked = heap.arenas.reduce((sum, arena) => sum + residentOf(arena), 0);
  const scale = walked > 0 ? resident / walked : 0;
  let left = resident;
  const book = (...[id, part, bytes, source]: Parameters<Ledger['add']>) => {
    const share = Math.min(left, Math.round(bytes * scale));
    ledger.add(id, part, share, source);
    left -= share;
  };
  heap.arenas.forEach((arena) => {
    const name = nameOf(arena);
    book('malloc.retained', name, binnedIn(arena), WALK);
    book('malloc.retained', `${name}, top`, arena.top.resident, WALK);
    book(
      'malloc.overhead',
      name,
      arena.overhead.resident,
      `${WALK} (chunk headers, arena and cache structures)`,
    );
    book(
      'unexplained',
      `${name}: not walked`,
      arena.unwalked.resident,
      'malloc regions whose chain of chunks was broken',
    );
  });
  return left;
}

/** Free blocks in bins, fastbins and threads' caches; the unused end, the top, is apart. */
function binnedIn({ free, cached, fast }: HeapArena): number {
  return free.resident + cached.resident + fast.resident;
}

function residentOf(arena: HeapArena): number {
  const { live, top, overhead, unwalked } = arena;
  return live.resident + binnedIn(arena) + top.resident + overhead.resident + unwalked.resident;
}

/**
 * Backing stores are malloc'ed by Node, and nothing marks their chunks. Big blocks have mappings of their own, and in
 * a Node process they are nearly always backing stores: those first, then blocks in the arenas. A block may be
 * untouched in part: its resident share counts.
 */
function takeBuffers(ledger: Ledger, { isolates, heap }: Snapshot, inUse: InUse): InUse {
  const wanted = isolates.reduce((sum, isolate) => sum + isolate.arrayBuffers, 0);
  const chunkBytes = heap?.mmapped.total.bytes ?? 0;
  const liveBytes = heap?.arenas.reduce((sum, arena) => sum + arena.live.bytes, 0) ?? inUse.arenas;
  const chunks = share(inUse.chunks, wanted, chunkBytes);
  const arenas = share(inUse.arenas, wanted - chunkBytes, liveBytes);
  bookBuffers(ledger, isolates, { arenas, chunks });
  return { arenas: inUse.arenas - arenas, chunks: inUse.chunks - chunks };
}

/** By isolate where there are several: only the thread that holds them can let them go. */
function bookBuffers(ledger: Ledger, isolates: Isolate[], { arenas, chunks }: InUse): void {
  const source = "the isolates' arrayBuffers, placed in malloc's biggest blocks first";
  const holders = isolates.filter(({ arrayBuffers }) => arrayBuffers > 0);
  if (holders.length < 2) {
    ledger.add('buffers', 'backing stores in mappings of their own', chunks, source);
    ledger.add('buffers', 'backing stores in malloc arenas', arenas, source);
    return;
  }
  const total = holders.reduce((sum, isolate) => sum + isolate.arrayBuffers, 0);
  let left = arenas + chunks;
  holders.forEach(({ name, arrayBuffers }, i) => {
    const bytes = i === holders.length - 1 ? left : Math.floor(((arenas + chunks) * arrayBuffers) / total);
    ledger.add('buffers', `${name}: backing stores`, bytes, source);
    left -= bytes;
  });
}

function share(resident: number, wanted: number, available: number): number {
  if (wanted <= 0 || available <= 0) return 0;
  return Math.round(resident * Math.min(1, wanted / available));
}
