/**
 * What counts as out of proportion, as a table. A category is out of proportion when it holds at least `floor` bytes
 * and at least `share` of the resident memory; of several, the biggest makes the verdict and the others add their
 * remedies. None: `healthy`. The floors lie above what an idle Node process with some workers shows.
 */
import { bytesOf, type Facts, pagesOf, partsOf, sumIsolates, trimmable } from './facts.js';
import { count, formatBytes, formatShare } from '../format.js';
import * as remedies from './remedies.js';
import { UNNAMED } from './rows.js';
import type { CategoryId, Part, Remedy, VerdictId } from './schema.js';

const MiB = 2 ** 20;

export interface Rule {
  id: Exclude<VerdictId, 'healthy'>;
  category: CategoryId;
  floor: number;
  share: number;
  /** The answer after "1.2 GiB of 3.0 GiB resident (40%) ". */
  summary(facts: Facts): string;
  evidence(facts: Facts): string[];
  remedies(facts: Facts): Remedy[];
}

export const RULES: Rule[] = [
  {
    id: 'malloc-retained',
    category: 'malloc.retained',
    floor: 24 * MiB,
    share: 0.15,
    summary: () =>
      'is free memory that glibc keeps instead of giving it back: no leak, but fragmentation or habit.',
    evidence: (facts) => [
      `${formatBytes(trimmable(facts))} of it are whole pages that malloc_trim can give back`,
      `${arenas(facts)}, beside ${formatBytes(mallocInUse(facts))} in use${facts.snapshot.v8 ? ' (Buffers included)' : ''}`,
    ],
    remedies: remedies.retained,
  },
  {
    id: 'v8-heap',
    category: 'v8.heap',
    floor: 128 * MiB,
    share: 0.5,
    summary: () => "is V8's heap: JavaScript objects that are reachable, or not collected yet.",
    evidence: (facts) => [...usedHeap(facts), ...biggest(facts, 'v8.heap')],
    remedies: (facts) => [
      ...remedies.attachFirst(facts),
      remedies.inspectHeap(facts),
      remedies.heapSnapshot(),
      ...remedies.limitHeap(facts),
    ],
  },
  {
    id: 'buffers',
    category: 'buffers',
    floor: 64 * MiB,
    share: 0.4,
    summary: () => "is Buffers, ArrayBuffers and WebAssembly memory, outside of V8's heap limit.",
    evidence: (facts) => [
      `${formatBytes(sumIsolates(facts, 'arrayBuffers'))} of backing stores, told by ${isolates(facts)}`,
      ...biggest(facts, 'buffers'),
    ],
    remedies: (facts) => [remedies.findBuffers(facts), remedies.streamBuffers()],
  },
  {
    id: 'malloc-live',
    category: 'malloc.live',
    floor: 96 * MiB,
    share: 0.4,
    summary: ({ snapshot }) =>
      snapshot.v8 && snapshot.way === 'outside'
        ? "was malloc'ed and is still in use: Buffers or native memory, which only attaching can tell apart."
        : "was malloc'ed by native code and is still in use: a native cache, or a native leak.",
    evidence: (facts) => [...blockSizes(facts), ...knownExternal(facts)],
    remedies: (facts) => [
      ...remedies.attachFirst(facts),
      remedies.leaks(facts),
      remedies.nativeProfiler(facts),
    ],
  },
  {
    id: 'stacks',
    category: 'stacks',
    floor: 64 * MiB,
    share: 0.2,
    summary: () => 'is thread stacks: many threads, or deep recursion in some.',
    evidence: (facts) => [`${count(facts.snapshot.stacks.length, 'thread')}`, ...biggest(facts, 'stacks')],
    remedies: (facts) => [remedies.fewerThreads(facts), remedies.smallerStacks(facts)],
  },
  {
    id: 'files',
    category: 'files',
    floor: 128 * MiB,
    share: 0.4,
    summary: (facts) => `is mapped files: ${mappedFiles(facts)}.`,
    evidence: (facts) => biggest(facts, 'files'),
    remedies: remedies.mappedFiles,
  },
  {
    id: 'shared',
    category: 'shared',
    floor: 64 * MiB,
    share: 0.4,
    summary: () => 'is shared memory: it stays until the last user unmaps and removes it.',
    evidence: (facts) => biggest(facts, 'shared'),
    remedies: () => [remedies.removeShared()],
  },
  {
    id: 'huge-pages',
    category: 'huge.waste',
    floor: 32 * MiB,
    share: 0.15,
    summary: () => 'is the unused part of huge pages: zeros that only a 2 MiB page made resident.',
    evidence: (facts) => biggest(facts, 'huge.waste'),
    remedies: () => [remedies.noHugePages()],
  },
  {
    id: 'unknown',
    category: 'unexplained',
    floor: 48 * MiB,
    share: 0.2,
    summary: (facts) => (isMostlyUnnamed(facts) ? UNNAMED_SUMMARY : 'could not be told.'),
    evidence: (facts) => [...facts.snapshot.notes, ...biggest(facts, 'unexplained')],
    remedies: (facts) => [...remedies.attachFirst(facts), remedies.lookAtMaps(facts)],
  },
];

/** Too little to prove anything. */
const WORTH_A_LINE = 0.05;

function biggest(facts: Facts, id: CategoryId): string[] {
  const bytes = bytesOf(facts, id);
  return worthALine(partsOf(facts, id), bytes)
    .slice(0, 3)
    .map((part: Part) => `${formatBytes(part.bytes)} (${formatShare(part.bytes, bytes)}) ${part.label}`);
}

/** Of what is sorted by size: the first in any case. */
function worthALine<T extends { bytes: number }>(sorted: T[], whole: number): T[] {
  return sorted.filter(({ bytes }, i) => i === 0 || bytes >= whole * WORTH_A_LINE);
}

/** Kinds of pages that differ in what can be done about them, the biggest first. */
function mappedFiles(facts: Facts): string {
  const { clean, dirty, copied } = pagesOf(facts);
  const kinds = [
    { bytes: clean, words: 'clean pages, which the kernel can drop whenever it needs memory' },
    { bytes: dirty, words: 'pages that the kernel has to write to the file before it can drop them' },
    {
      bytes: copied,
      words: 'private copies of file pages, as real as malloc: only the program can give them up',
    },
  ].sort((a, b) => b.bytes - a.bytes);
  const told = worthALine(kinds, clean + dirty + copied);
  return told.map(({ bytes, words }) => `${formatBytes(bytes)} of it are ${words}`).join('; ');
}

const UNNAMED_SUMMARY =
  'is anonymous memory that the program mapped itself (mmap), which nobody here knows by name: mappings of its own, or ' +
  "another allocator's than glibc's.";

/** Where malloc was not walked, nameless memory may be malloc's; in a Node process that nobody asked, V8's. */
function isMostlyUnnamed(facts: Facts): boolean {
  const { heap, v8, isolates } = facts.snapshot;
  if (!heap || (v8 && isolates.length === 0)) return false;
  const unnamed = partsOf(facts, 'unexplained').filter(({ label }) => label.startsWith(UNNAMED));
  return unnamed.reduce((sum, { bytes }) => sum + bytes, 0) > bytesOf(facts, 'unexplained') / 2;
}

/** Where it lies: one arena may hold nearly all. */
function arenas({ snapshot }: Facts): string {
  const kept = (snapshot.heap?.arenas ?? []).map(({ main, free, top }) => ({
    name: main ? 'the main arena' : 'one thread arena',
    bytes: free.resident + top.resident,
  }));
  const total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  const most = kept.sort((a, b) => b.bytes - a.bytes)[0];
  if (most !== undefined && most.bytes > total * 0.8)
    return `${formatBytes(most.bytes)} of it in ${most.name}`;
  return `spread over ${count(kept.length, 'arena')}`;
}

function isolates({ snapshot }: Facts): string {
  return count(snapshot.isolates.length, 'isolate');
}

function mallocInUse(facts: Facts): number {
  return bytesOf(facts, 'malloc.live') + bytesOf(facts, 'buffers');
}

function usedHeap(facts: Facts): string[] {
  const told = facts.snapshot.isolates;
  if (told.length === 0) return [];
  const limit = told.reduce((sum, isolate) => sum + isolate.limit, 0);
  return [
    `${formatBytes(sumIsolates(facts, 'used'))} used of a limit of ${formatBytes(limit)} in ${isolates(facts)}`,
  ];
}

/** Blocks in use, by size class and in mappings of their own: what holds most comes first. */
function blockSizes({ snapshot: { heap, v8 } }: Facts): string[] {
  const own = heap?.mmapped.total;
  const groups = (heap?.sizes ?? []).map(({ from, to, chunks, bytes }) => ({
    chunks,
    bytes,
    where: from === to ? `of ${from} bytes` : `of ${formatBytes(from)} to ${formatBytes(to)}`,
  }));
  if (own?.bytes) groups.push({ chunks: own.chunks, bytes: own.bytes, where: 'in mappings of their own' });
  groups.sort((a, b) => b.bytes - a.bytes);
  const total = groups.reduce((sum, { bytes }) => sum + bytes, 0);
  const beside = v8 ? ', Buffers included' : '';
  return worthALine(groups, total)
    .slice(0, 4)
    .map(
      ({ chunks, bytes, where }) =>
        `${count(chunks, 'live block')} ${where} (${formatBytes(bytes)} in all${beside})`,
    );
}

function knownExternal(facts: Facts): string[] {
  if (facts.snapshot.isolates.length === 0) return [];
  const external = sumIsolates(facts, 'external');
  return [`V8 knows of ${formatBytes(external)} external memory, Buffers included`];
}
