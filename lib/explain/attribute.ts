/**
 * Every resident byte to one category. Each mapping's Rss is booked once: what memprobe mapped, malloc's heaps and
 * thread stacks by their addresses, then the rules of places.ts; malloc's and V8's own figures split their totals
 * afterwards. The sum stays smaps' Rss whatever happens.
 */
import type { HeapRegion } from '../procfs/heap.js';
import { fileParts, filePages } from './file_pages.js';
import { judge } from './judge.js';
import { Ledger } from './ledger.js';
import { type MallocBooking, settleMalloc } from './malloc.js';
import { type MapFacts, type Place, place, V8_CHUNKS, V8_PAGE } from './places.js';
import { isAnonymous, type Row, Rows, UNNAMED } from './rows.js';
import { type Category, type Explanation, SCHEMA_VERSION } from './schema.js';
import type { Range, Snapshot, ThreadStack, Zeros } from './snapshot.js';
import { Sweep } from './sweep.js';
import { settleV8, type Unplaced } from './v8.js';

/** Mappings between two breaths: about a millisecond in a process that has never run this code before. */
const BATCH = 64;

/** Smaller untold mappings share one line: a program may have tens of thousands. */
const SMALL = 64 * 1024;

interface Claims {
  owned: Sweep<Range>;
  zeros: Sweep<Zeros>;
  chunks: Sweep<HeapRegion>;
  abseil: Sweep<HeapRegion>;
  heaps: Sweep<HeapRegion>;
  stacks: Sweep<ThreadStack>;
}

/** Turns the raw facts into the explanation, at once. Pure. */
export function attribute(snapshot: Snapshot): Explanation {
  const steps = attributing(snapshot);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same in small steps, so that a process that explains itself can do its work in between. */
export function* attributing(snapshot: Snapshot): Generator<undefined, Explanation> {
  const rows = new Rows(snapshot.smaps);
  const binaries = new Set<string>();
  for (let i = 0; i < rows.length; i++) {
    const binary = rows.binaryAt(i);
    if (binary) binaries.add(binary);
    if (i % (16 * BATCH) === 0) yield;
  }
  const booker = new Booker(snapshot, { rows, binaries, v8: snapshot.v8 });
  const sizes = { rss: 0, pss: 0, swap: 0 };
  for (let i = 0; i < rows.length; i++) {
    rows.addTo(sizes, i);
    const row = rows.isEmpty(i) ? undefined : rows.at(i);
    if (row) booker.book(row);
    if (i % BATCH === 0) yield;
  }
  const categories = booker.settle();
  yield;
  const { pid, name, time, way, notes, trim } = snapshot;
  const judgement = judge({ snapshot, categories, rss: sizes.rss });
  return {
    version: SCHEMA_VERSION,
    pid,
    name,
    time,
    way,
    ...sizes,
    categories,
    ...judgement,
    ...(trim && { trim }),
    notes,
  };
}

class Booker {
  readonly #snapshot: Snapshot;
  readonly #facts: MapFacts;
  readonly #ledger = new Ledger();
  readonly #claims: Claims;
  readonly #malloc: MallocBooking = { arenas: 0, chunks: 0 };
  /** May be V8's, if V8 says that it has more than the map told. */
  readonly #candidates: Unplaced[] = [];
  #v8Pages = 0;

  constructor(snapshot: Snapshot, facts: MapFacts) {
    this.#snapshot = snapshot;
    this.#facts = facts;
    this.#claims = {
      owned: new Sweep(snapshot.owned),
      zeros: new Sweep(snapshot.zeros),
      chunks: new Sweep(mmappedChunks(snapshot)),
      abseil: new Sweep(snapshot.heap?.abseil ?? []),
      heaps: new Sweep(snapshot.heap?.arenas.flatMap((arena) => arena.heaps) ?? []),
      stacks: new Sweep(snapshot.stacks),
    };
  }

  /** Takes out what is known by address, then gives the rest of the mapping to one category. */
  book(row: Row): void {
    const left = this.#takeHeap(row, this.#takeByAddress(row));
    if (left === 0 && row.swap === 0) return;
    if (this.#bookStack(row, left)) return;
    const found = place(row, this.#facts);
    if (!found) {
      this.#bookUntold(row, left);
      return;
    }
    if (row.swap > 0) this.#ledger.addSwap(found.id, row.swap);
    if (found.part === V8_CHUNKS) {
      this.#v8Pages += left;
      return;
    }
    if (found.id === 'files') {
      this.#bookFile(row, left, found);
      return;
    }
    // Relocated pages of a read-only file mapping are private memory: data, though the map says text.
    const data = found.id === 'binary.text' && !isAnonymous(row) ? Math.min(row.anonymous, left) : 0;
    this.#ledger.add('binary.data', found.part, data, found.source);
    this.#ledger.add(found.id, found.part, left - data, found.source);
  }

  #takeByAddress(row: Row): number {
    const { owned, chunks, abseil, zeros } = this.#claims;
    let left = row.rss;
    const take = (bytes: number) => {
      const taken = Math.min(bytes, left);
      left -= taken;
      return taken;
    };
    owned.meet(row.start, row.end, (_, overlap) => this.#bookOwned(row, take(overlap)));
    zeros.meet(row.start, row.end, (found) => {
      this.#ledger.add('huge.waste', row.path || 'anonymous memory', take(found.bytes), ZEROS_SOURCE);
    });
    chunks.meet(row.start, row.end, (chunk) => {
      this.#malloc.chunks += take(chunk.resident);
    });
    abseil.meet(row.start, row.end, ({ resident }) => {
      this.#ledger.add('binary.data', "Abseil's tables (the locks of V8)", take(resident), ABSEIL);
    });
    return left;
  }

  #bookFile(row: Row, bytes: number, { part, source }: Place): void {
    const pages = filePages(row, bytes);
    this.#ledger.addPages('files', pages);
    for (const [name, size] of fileParts(part, pages)) this.#ledger.add('files', name, size, source);
  }

  /** What memprobe mapped, by what it is a mapping of. */
  #bookOwned(row: Row, bytes: number): void {
    const found = place(row, this.#facts);
    const book = (part: string, size: number) => this.#ledger.add('memprobe', part, size, OWNED);
    if (found?.id === 'shared') book(row.path ? `shared memory ${row.path}` : found.part, bytes);
    else if (found?.id === 'files')
      for (const [name, size] of fileParts(found.part, filePages(row, bytes))) book(name, size);
    else book(row.path || 'anonymous memory', bytes);
  }

  /** Takes an arena's memory out and returns the rest: neighbours may share a mapping with it. */
  #takeHeap(row: Row, left: number): number {
    let covered = row.path === '[heap]' ? row.end - row.start : 0;
    let resident = 0;
    this.#claims.heaps.meet(row.start, row.end, (heap, overlap) => {
      covered += overlap;
      resident += heap.resident;
    });
    if (covered === 0) return left;
    if (row.swap > 0) this.#ledger.addSwap('malloc.live', row.swap);
    // The walk is some milliseconds younger than the map: what is all malloc's stays so.
    const bytes = covered >= row.end - row.start ? left : Math.min(left, resident);
    this.#malloc.arenas += bytes;
    return left - bytes;
  }

  #bookStack(row: Row, left: number): boolean {
    let stack: ThreadStack | undefined;
    this.#claims.stacks.meet(row.start, row.end, (found) => (stack = found));
    if (!stack || !(isAnonymous(row) || row.path.startsWith('[stack'))) return false;
    this.#ledger.add(
      'stacks',
      `${stack.name} (${stack.tid})`,
      left,
      "each thread's stack pointer in /proc/PID/task",
    );
    if (row.swap > 0) this.#ledger.addSwap('stacks', row.swap);
    return true;
  }

  #bookUntold(row: Row, bytes: number): void {
    if (row.swap > 0) this.#ledger.addSwap('unexplained', row.swap);
    if (this.#facts.v8 && row.start % V8_PAGE === 0 && row.perms === 'rw-p')
      this.#candidates.push({ row, bytes });
    else this.#ledger.add('unexplained', bytes < SMALL ? 'small mappings' : nameOf(row), bytes, UNTOLD);
  }

  /** Splits malloc's and V8's totals, once all mappings are booked. */
  settle(): Category[] {
    const ledger = this.#ledger;
    settleMalloc(ledger, this.#snapshot, this.#malloc);
    const untold = settleV8(ledger, this.#snapshot, this.#v8Pages, this.#candidates);
    for (const { row, bytes } of untold) ledger.add('unexplained', nameOf(row), bytes, UNTOLD);
    return ledger.categories();
  }
}

function* mmappedChunks({ heap }: Snapshot): Generator<HeapRegion> {
  if (!heap) return;
  const { start, end, resident } = heap.mmapped;
  for (let i = 0; i < start.length; i++) {
    yield { start: start[i] ?? 0n, end: end[i] ?? 0n, resident: resident[i] ?? 0 };
  }
}

const UNTOLD = 'mappings that no rule could tell';
const OWNED = "ranges that memprobe mapped, and its own table of malloc'ed blocks where it keeps one";
const ABSEIL = "the marks of Abseil's own allocator, which V8 brings";
const ZEROS_SOURCE = '4 KiB pieces of huge pages that hold only zeros, from /proc/PID/mem';

function nameOf({ path, perms, start, end }: Row): string {
  return `${path || UNNAMED} ${perms} ${start.toString(16)}-${end.toString(16)}`;
}
