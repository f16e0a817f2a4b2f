/** What to do about it, in words and commands. */
import { bytesOf, type Facts, mostBuffers, pagesOf, SLIVER, trimmable } from './facts.js';
import { count, formatBytes } from '../format.js';
import type { Remedy } from './schema.js';

/** How the program is started, in the commands below. */
function program({ snapshot }: Facts): string {
  return snapshot.v8 ? 'node app.js' : './PROGRAM';
}

/** A remedy, and the bytes that it can win at best. */
interface Option {
  remedy: Remedy;
  wins: number;
}

/** Against memory that glibc keeps: what wins most comes first, and what wins next to nothing is left out. */
export function retained(facts: Facts): Remedy[] {
  const enough = SLIVER * bytesOf(facts, 'malloc.retained');
  const options = [...fewerArenas(facts), ...trimThreshold(facts), otherAllocator(facts)];
  options.sort((a, b) => b.wins - a.wins);
  // What was measured is told whatever it is; and an allocator that gives back by itself is the answer to all of it.
  const trims = facts.snapshot.trim || trimmable(facts) >= enough ? [trim(facts)] : [];
  const worth = options.filter(({ wins, remedy }) => wins >= enough || remedy.id === OTHER_ALLOCATOR);
  return [...trims, ...worth.map(({ remedy }) => remedy)];
}

function trim(facts: Facts): Remedy {
  const { trim: done } = facts.snapshot;
  if (!done) return facts.snapshot.v8 ? trimByMemprobe(facts) : trimByDebugger(facts);
  const saved = done.before - done.after;
  if (saved <= 0) return { id: TRIM, text: 'malloc_trim found nothing to give back.' };
  const text = `malloc_trim gave back ${formatBytes(saved)} in ${Math.round(done.milliseconds)} ms`;
  return {
    id: TRIM,
    text: `${text}. Call it after bursts of work: malloc_trim(0) of memprobe/libc does the same.`,
  };
}

const TRIM = 'malloc-trim';

function trimByMemprobe(facts: Facts): Remedy {
  const estimate = trimmable(facts);
  const text = `malloc_trim(0) would give back about ${formatBytes(estimate)}; --trim does it now and measures.`;
  return {
    id: TRIM,
    text,
    estimate,
    command: `memprobe explain --pid ${facts.snapshot.pid} --attach --trim`,
  };
}

/** memprobe gets into Node processes only. */
function trimByDebugger(facts: Facts): Remedy {
  const estimate = trimmable(facts);
  const text = `malloc_trim(0) would give back about ${formatBytes(estimate)}; a debugger can call it, or the program itself.`;
  const command = `gdb -p ${facts.snapshot.pid} -batch -ex 'call (int)malloc_trim(0)'`;
  return { id: TRIM, text, estimate, command };
}

/** glibc raises its threshold by itself as big blocks are freed. */
function trimThreshold(facts: Facts): Option[] {
  const tops = (facts.snapshot.heap?.arenas ?? []).reduce((sum, arena) => sum + arena.top.trimmable, 0);
  if (tops < trimmable(facts) / 4) return [];
  const text = `${formatBytes(tops)} lie at the end of the heap, where glibc gives back early if it is told to.`;
  const command = `MALLOC_TRIM_THRESHOLD_=131072 ${program(facts)}`;
  return [{ remedy: { id: 'trim-threshold', text, command }, wins: tops }];
}

const OTHER_ALLOCATOR = 'other-allocator';

/** glibc returns only the end of its heap by itself; others return free pages anywhere: that much more. */
function otherAllocator(facts: Facts): Option {
  const arenas = facts.snapshot.heap?.arenas ?? [];
  const wins = arenas.reduce((sum, { free }) => sum + free.trimmable, 0);
  const text =
    'An allocator that returns free pages by itself avoids it (Debian: apt-get install libjemalloc2).';
  const command = `LD_PRELOAD=libjemalloc.so.2 ${program(facts)}`;
  return { remedy: { id: OTHER_ALLOCATOR, text, command }, wins };
}

function fewerArenas(facts: Facts): Option[] {
  const arenas = facts.snapshot.heap?.arenas.filter((arena) => !arena.main) ?? [];
  const free = arenas.reduce((sum, arena) => sum + arena.free.resident + arena.top.resident, 0);
  if (arenas.length < 2 || free < 8 * 2 ** 20) return [];
  const text = `${formatBytes(free)} are free in ${count(arenas.length, 'thread arena')}; fewer arenas keep less.`;
  const command = `MALLOC_ARENA_MAX=2 ${program(facts)}`;
  return [{ remedy: { id: 'fewer-arenas', text, command }, wins: free }];
}

/** Node's debugger knows no other thread than the main one, and leaves the inspector open when it goes. */
const BY_DEBUGGER =
  "takeHeapSnapshot('live.heapsnapshot') in Node's debugger, which halts the main thread and sees it alone (of a worker: " +
  'worker.getHeapSnapshot() in the program). The inspector stays open on 9229 until the process ends or closes it.';

/** Of the process as it runs, and not prepared. */
export function inspectHeap({ snapshot }: Facts): Remedy {
  const text = `See what is reachable: ${BY_DEBUGGER}`;
  return { id: 'inspect-heap', text, command: `node inspect -p ${snapshot.pid}` };
}

/** No pid here: the signal kills a process that was not started with the option. */
export function heapSnapshot(): Remedy {
  const text =
    'See what grows: start it so, send it SIGUSR2 some minutes apart, compare the snapshots in DevTools. (The signal ' +
    'would kill it without the option.)';
  return { id: 'heap-snapshot', text, command: 'node --heapsnapshot-signal=SIGUSR2 app.js' };
}

/** Only where V8 has said what it uses: too low a limit ends the program. */
export function limitHeap({ snapshot }: Facts): Remedy[] {
  if (snapshot.isolates.length === 0) return [];
  const used = Math.max(...snapshot.isolates.map((isolate) => isolate.used));
  const limit = Math.ceil((used * 2) / 2 ** 20 / 64) * 64;
  const text =
    'If the growth is only late collection, a lower limit makes V8 collect earlier; if the objects are really in ' +
    'use, it ends the program.';
  return [{ id: 'heap-limit', text, command: `node --max-old-space-size=${limit} app.js` }];
}

/** DevTools lists them in any heap snapshot; which thread's it must be depends on who holds most. */
export function findBuffers(facts: Facts): Remedy {
  const holder = mostBuffers(facts);
  if (holder && holder.threadId !== 0) {
    const text =
      `Find who holds them in ${holder.name}: its worker.getHeapSnapshot(), called in the program (Node's debugger sees ` +
      'the main thread alone); DevTools lists ArrayBuffers with their retainers (class JSArrayBufferData).';
    return { id: 'find-buffers', text };
  }
  const text = `Find who holds them (class JSArrayBufferData in DevTools): ${BY_DEBUGGER}`;
  return { id: 'find-buffers', text, command: `node inspect -p ${facts.snapshot.pid}` };
}

export function streamBuffers(): Remedy {
  const text =
    'Small slices keep big pooled Buffers alive: copy what you keep with Buffer.from(slice), stream the rest.';
  return { id: 'copy-slices', text };
}

export function attachFirst({ snapshot }: Facts): Remedy[] {
  if (snapshot.way !== 'outside' || !snapshot.v8) return [];
  const text = 'From outside, Buffers look like any malloc. Attaching tells them apart.';
  return [{ id: 'attach', text, command: `memprobe explain --pid ${snapshot.pid} --attach` }];
}

export function leaks(facts: Facts): Remedy {
  const text = 'List the blocks that are never freed, by call site: start the program under a trace (slow).';
  const atEnd = ' End it with Ctrl-C: at its own end Node frees what JavaScript still holds.';
  return {
    id: 'leaks',
    text: facts.snapshot.v8 ? text + atEnd : text,
    command: `memprobe leaks -- ${program(facts)}`,
  };
}

export function nativeProfiler(facts: Facts): Remedy {
  const text = 'See which code allocates: start the program under a heap profiler.';
  return { id: 'native-profiler', text, command: `heaptrack ${program(facts)}` };
}

export function fewerThreads({ snapshot }: Facts): Remedy {
  if (!snapshot.v8)
    return { id: 'fewer-threads', text: 'Fewer threads: the program decides how many it starts.' };
  const text = 'Fewer threads: worker_threads of the program, UV_THREADPOOL_SIZE, --v8-pool-size.';
  return { id: 'fewer-threads', text, command: 'UV_THREADPOOL_SIZE=4 node --v8-pool-size=2 app.js' };
}

export function smallerStacks({ snapshot }: Facts): Remedy {
  const text = snapshot.v8
    ? 'Smaller stacks: resourceLimits.stackSizeMb of new Worker(), ulimit -s for the pool.'
    : 'Smaller stacks: ulimit -s before the program starts, or pthread_attr_setstacksize in it.';
  return { id: 'smaller-stacks', text };
}

/** By what the pages are; nothing here loses data, whichever mapping it is done to. */
export function mappedFiles(facts: Facts): Remedy[] {
  const { clean, dirty, copied } = pagesOf(facts);
  const enough = SLIVER * bytesOf(facts, 'files');
  return [
    { remedy: dropFilePages(), wins: clean },
    { remedy: writeBack(dirty), wins: dirty },
    { remedy: giveUpCopies(facts, copied), wins: copied },
  ]
    .filter(({ wins }) => wins > 0 && wins >= enough)
    .sort((a, b) => b.wins - a.wins)
    .map(({ remedy }) => remedy);
}

/** Not MADV_DONTNEED: in a private mapping it throws away what was written, and few know which mapping theirs is. */
function dropFilePages(): Remedy {
  const text =
    'Nothing to fear: clean pages are cache. To have them dropped early, without any loss: madvise(MADV_COLD or ' +
    'MADV_PAGEOUT).';
  return { id: 'drop-file-pages', text };
}

function writeBack(bytes: number): Remedy {
  const text =
    `The kernel writes these ${formatBytes(bytes)} to their files by itself within half a minute or so, and they are ` +
    'clean then; msync(MS_SYNC) does it at once. (On tmpfs there is nowhere to write them: they stay.)';
  return { id: 'write-back', text };
}

function giveUpCopies({ snapshot }: Facts, bytes: number): Remedy {
  const text =
    `${formatBytes(bytes)} exist nowhere but in this process: only the program can give them up, by unmapping what it ` +
    'no longer needs. Where the changes belong in the file, MAP_SHARED keeps no copies.';
  const command = `memprobe maps --pid ${snapshot.pid} --sort dirty --group none`;
  return { id: 'private-copies', text, command };
}

export function removeShared(): Remedy {
  const text = 'Look for forgotten segments and files, and unlink what nobody uses.';
  return { id: 'remove-shared', text, command: 'ls -lS /dev/shm; ipcs -m' };
}

export function noHugePages(): Remedy {
  const text = 'Let programs ask for huge pages instead of handing them to everybody.';
  return { id: 'no-huge-pages', text, command: 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled' };
}

export function lookAtMaps({ snapshot }: Facts): Remedy {
  const text = 'Look at the mappings by size.';
  return { id: 'maps', text, command: `memprobe maps --pid ${snapshot.pid} --sort rss --group none` };
}
