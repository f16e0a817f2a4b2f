/**
 * Which category a mapping belongs to, told from the memory map alone: a table of rules, the first that fits wins.
 * What needs more than the map (malloc's heaps, thread stacks, owned ranges) was taken out before.
 */
import { isAnonymous, isReserved, type Row, type Rows } from './rows.js';
import type { CategoryId } from './schema.js';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** V8 hands out its heap in pieces of this size and alignment, on every version from Node 20 to 26. */
export const V8_PAGE = 256 * 1024;
/** V8 asks for its heap at random addresses of 46 bits; the kernel's own choice for mmap lies far above. */
const V8_HINTS_END = 2 ** 46;
/** A WebAssembly memory of 32-bit addresses lies in a reservation that no index can leave. */
const WASM_RESERVATION = 4 * GiB;
/** V8's dispatch table (since V8 13) is committed piecewise inside a reservation of 128 or 256 MiB. */
const TABLE_RESERVATION = 120 * MiB;

export interface Place {
  id: CategoryId;
  part: string;
  source: string;
}

export interface MapFacts {
  rows: Rows;
  /** Files that have an executable mapping: programs and libraries. */
  binaries: ReadonlySet<string>;
  v8: boolean;
}

type Rule = (row: Row, facts: MapFacts) => Place | undefined;

const RULES: Rule[] = [
  kernelPage,
  shared,
  file,
  bss,
  mainStack,
  wasm,
  code,
  codeHeader,
  dispatchTable,
  v8Chunk,
  oldStack,
];

/** The category of a mapping, or undefined where the map alone cannot tell. */
export function place(row: Row, facts: MapFacts): Place | undefined {
  for (const rule of RULES) {
    const found = rule(row, facts);
    if (found) return found;
  }
  return undefined;
}

function kernelPage({ path }: Row): Place | undefined {
  if (!/^\[(vdso|vvar\w*|vsyscall|vectors|sigpage|uprobes)\]$/.test(path)) return undefined;
  return { id: 'binary.text', part: path, source: 'mapping names in smaps' };
}

function shared(row: Row): Place | undefined {
  const { path, perms } = row;
  const named = /^(\/SYSV|\/memfd:|\/dev\/shm\/|\/dev\/zero|anon_inode:|socket:|\[anon_shmem:)/.test(path);
  if (!named && !(perms[3] === 's' && path === '')) return undefined;
  return { id: 'shared', part: path || 'anonymous shared memory', source: 'shared mappings in smaps' };
}

function file({ path, perms }: Row, { binaries }: MapFacts): Place | undefined {
  if (!path.startsWith('/')) return undefined;
  const source = 'file names in smaps';
  if (!binaries.has(path)) return { id: 'files', part: path, source };
  return { id: perms[1] === 'w' ? 'binary.data' : 'binary.text', part: path, source };
}

/** A program's zero-initialised data: anonymous, right behind its last writable mapping. */
function bss(row: Row, { rows, binaries }: MapFacts): Place | undefined {
  if (!isPlainMemory(row)) return undefined;
  const before = rows.at(row.index - 1);
  if (before?.end !== row.start || before.perms[1] !== 'w' || !binaries.has(before.path)) return undefined;
  return { id: 'binary.data', part: before.path, source: 'zero-initialised data behind a file in smaps' };
}

function mainStack({ path }: Row): Place | undefined {
  if (path !== '[stack]' && !path.startsWith('[anon:stack') && !path.includes('pthread stack'))
    return undefined;
  return { id: 'stacks', part: path === '[stack]' ? 'main thread' : path, source: 'mapping names in smaps' };
}

/** The memory that a module uses lies at the start of a reservation that covers every 32-bit index. */
function wasm(row: Row, { rows }: MapFacts): Place | undefined {
  if (!isPlainMemory(row)) return undefined;
  const after = rows.at(row.index + 1);
  if (!after || !follows(row, after) || !isReserved(after)) return undefined;
  if (after.end - after.start + (row.end - row.start) < WASM_RESERVATION) return undefined;
  return {
    id: 'buffers',
    part: 'WebAssembly memories',
    source: 'memory at the start of a reservation of 4 GiB or more',
  };
}

function code(row: Row): Place | undefined {
  if (!isAnonymous(row) || row.perms[2] !== 'x') return undefined;
  return { id: 'v8.code', part: 'executable memory', source: 'anonymous executable mappings in smaps' };
}

/** The writable first pages of a code page that is executable further on. */
function codeHeader(row: Row, { rows }: MapFacts): Place | undefined {
  if (!isPlainMemory(row) || row.start % V8_PAGE !== 0 || row.end - row.start > V8_PAGE) return undefined;
  for (let i = row.index + 1; i <= row.index + 2; i++) {
    const next = rows.at(i);
    if (!next || next.start >= row.start + V8_PAGE) return undefined;
    if (isAnonymous(next) && next.perms[2] === 'x') {
      return {
        id: 'v8.code',
        part: 'headers of code pages',
        source: 'writable starts of V8 code pages in smaps',
      };
    }
  }
  return undefined;
}

function dispatchTable(row: Row, { rows, v8 }: MapFacts): Place | undefined {
  if (!v8 || !isPlainMemory(row) || row.start % 65536 !== 0) return undefined;
  let last = row;
  for (let i = row.index + 1; i <= row.index + 8; i++) {
    const next = rows.at(i);
    if (!next || !follows(last, next) || !isAnonymous(next) || next.perms[2] === 'x') return undefined;
    if (isReserved(next) && next.end - next.start >= TABLE_RESERVATION) {
      return {
        id: 'v8.heap',
        part: 'dispatch table',
        source: "memory in the reservation of V8's dispatch table",
      };
    }
    last = next;
  }
  return undefined;
}

function v8Chunk(row: Row, { v8 }: MapFacts): Place | undefined {
  if (!v8 || !isAnonymous(row) || isReserved(row)) return undefined;
  if (row.path.startsWith('[anon:v8') || (row.start % V8_PAGE === 0 && row.start < V8_HINTS_END)) {
    return {
      id: 'v8.heap',
      part: V8_CHUNKS,
      source: "mappings with the alignment and addresses of V8's heap pages",
    };
  }
  return undefined;
}

/** The part that V8's heap pages go by until the isolates' own figures split them. */
export const V8_CHUNKS = 'heap pages';

/** A stack that glibc keeps for the next thread, or of a thread too busy to show its stack pointer. */
function oldStack(row: Row, { rows }: MapFacts): Place | undefined {
  if (!isPlainMemory(row) || row.end - row.start < MiB) return undefined;
  const guard = rows.at(row.index - 1);
  if (!guard || !follows(guard, row) || !isReserved(guard) || guard.end - guard.start > 65536)
    return undefined;
  return { id: 'stacks', part: 'kept, or of busy threads', source: 'memory behind a guard page' };
}

function isPlainMemory(row: Row): boolean {
  return isAnonymous(row) && row.perms.startsWith('rw-p');
}

function follows(a: Row, b: Row): boolean {
  return a.end === b.start;
}
