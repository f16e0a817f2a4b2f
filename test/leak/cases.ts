/**
 * Calls that leave everything as it was: of every call of the tables one that succeeds where there is something to set up, and
 * for all of them one that fails for its arguments. npm run test:leaks and npm run soak go round in them.
 */
import * as libc from '../../lib/libc/index.js';
import * as libnuma from '../../lib/libnuma/index.js';
import { loadLibnuma, native } from '../../lib/native.js';
import * as promises from '../../lib/promises.js';
import { objects, slow } from './objects.js';

export type Case = () => unknown;

const RW = libc.PROT_READ | libc.PROT_WRITE;
const ANON = libc.MAP_PRIVATE | libc.MAP_ANONYMOUS;
const PAGE = 4096;

const range = libc.mmap(0n, 4 * PAGE, RW, ANON, -1, 0);
const block = libc.malloc(100);
const fd = libc.memfd_create('leak', libc.MFD_CLOEXEC);
const vec = new Uint8Array(4);
const bytes = new Uint8Array(16);
const freed = (address: bigint): void => libc.free(address);

const succeeding: Readonly<Record<string, Case>> = {
  brk: () => libc.brk(libc.sbrk(0)),
  sbrk: () => libc.sbrk(0),
  mmap: () => libc.munmap(libc.mmap(0n, PAGE, RW, ANON, -1, 0), PAGE),
  mremap: () => libc.mremap(range, 4 * PAGE, 4 * PAGE, 0),
  mprotect: () => libc.mprotect(range, PAGE, RW),
  msync: () => libc.msync(range, PAGE, libc.MS_ASYNC),
  madvise: () => libc.madvise(range, PAGE, libc.MADV_DONTNEED),
  posix_madvise: () => libc.posix_madvise(range, PAGE, libc.POSIX_MADV_WILLNEED),
  mincore: () => libc.mincore(range, 4 * PAGE, vec),
  cachestat: () => libc.cachestat(fd, 0, 0),
  mlock: () => (libc.mlock(range, PAGE), libc.munlock(range, PAGE)),
  mlock2: () => (libc.mlock2(range, PAGE, 0), libc.munlock(range, PAGE)),
  malloc: () => freed(libc.realloc(libc.malloc(100), 300)),
  calloc: () => freed(libc.reallocarray(libc.calloc(3, 100), 5, 100)),
  posix_memalign: () => freed(libc.posix_memalign(64, 100)),
  aligned_alloc: () => freed(libc.aligned_alloc(64, 128)),
  memalign: () => freed(libc.memalign(64, 100)),
  valloc: () => freed(libc.valloc(1)),
  pvalloc: () => freed(libc.pvalloc(1)),
  malloc_usable_size: () => libc.malloc_usable_size(block),
  mallopt: () => libc.mallopt(-1000, 0),
  peek: () => libc.peek(range, 64),
  poke: () => libc.poke(range, bytes),
  view: () => libc.view(range, PAGE),
  viewAnew: () => (libc.view(range, PAGE), libc.mprotect(range, PAGE, RW)),
  viewOfBlock: () => {
    const ours = libc.malloc(64);
    libc.view(ours, 64);
    libc.free(ours);
  },
  alloca: () => libc.alloca(100, (view) => view.length),
  allocaThatThrows: () =>
    libc.alloca(100, () => {
      throw new Error('no');
    }),
  set_mempolicy: () => libc.set_mempolicy(libc.MPOL_DEFAULT, new Set()),
  mbind: () => libc.mbind(range, PAGE, libc.MPOL_DEFAULT, null, 0),
  get_mempolicy: () => libc.get_mempolicy(range, libc.MPOL_F_ADDR),
  move_pages: () => libc.move_pages(0, [range, 1n], null, 0),
  iteratorThatThrows: () =>
    libc.mbind(
      range,
      PAGE,
      libc.MPOL_BIND,
      (function* () {
        yield 0;
        throw new Error('no');
      })(),
      0,
    ),
  numa_alloc: () => libnuma.numa_free(libnuma.numa_alloc(PAGE), PAGE),
  numa_alloc_onnode: () => libnuma.numa_free(libnuma.numa_alloc_onnode(PAGE, 0), PAGE),
  numa_alloc_local: () => libnuma.numa_free(libnuma.numa_alloc_local(PAGE), PAGE),
  numa_bitmask_alloc: () => libnuma.numa_bitmask_free(libnuma.numa_bitmask_alloc(128)),
  numa_allocate_nodemask: () => libnuma.numa_free_nodemask(libnuma.numa_allocate_nodemask()),
  numa_node_to_cpus: () => libnuma.numa_node_to_cpus(0),
  numa_node_size: () => libnuma.numa_node_size(0),
  numa_parse_nodestring: () => libnuma.numa_parse_nodestring('0'),
  numa_parse_cpustring: () => libnuma.numa_parse_cpustring('0'),
  'promise of mmap': async () => promises.munmap(await promises.mmap(0n, PAGE, RW, ANON, -1, 0), PAGE),
  'promise of madvise': () => promises.madvise(range, PAGE, libc.MADV_DONTNEED),
  'promise of mincore': () => promises.mincore(range, 4 * PAGE, vec),
  'promise of peek': () => promises.peek(range, 64),
  'promise of poke': () => promises.poke(range, bytes),
  'promise of mprotect': () => promises.mprotect(range, PAGE, RW),
  'promise of move_pages': () => promises.move_pages(0, [range], null, 0),
};

/** Ones whose failures the kernel or the guard decides, behind the reading of arguments. */
const failing: Readonly<Record<string, Case>> = {
  'munmap of what is not ours': () => libc.munmap(1n << 40n, PAGE),
  'munmap misaligned': () => libc.munmap(1n, 1),
  'mmap of no file': () => libc.mmap(0n, PAGE, RW, libc.MAP_SHARED, -1, 0),
  'mremap to nowhere': () => libc.mremap(range, 4 * PAGE, PAGE, 64),
  'mprotect with no such protection': () => libc.mprotect(range, PAGE, 1 << 20),
  'madvise with no such advice': () => libc.madvise(range, PAGE, 12_345),
  'mincore of a hole': () => libc.mincore(range, 2 ** 45),
  'free twice': () => libc.free(range),
  'malloc too large': () => libc.malloc(2 ** 52),
  'realloc too large': () => libc.realloc(block, 2 ** 52),
  'posix_memalign to no power': () => libc.posix_memalign(3, 1),
  'peek at a bad address': () => libc.peek(1n, 16),
  'poke at a bad address': () => libc.poke(1n, bytes),
  'view of a bad address': () => libc.view(1n, 1),
  'memfd_create with a long name': () => libc.memfd_create('x'.repeat(250), 0),
  'process_madvise without a process': () =>
    libc.process_madvise(
      -1,
      [
        [range, 1],
        [range, 2],
      ],
      libc.MADV_COLD,
      0,
    ),
  'mbind to no node': () => libc.mbind(range, PAGE, libc.MPOL_BIND, [900, 901], 0),
  'promise of peek at a bad address': () => promises.peek(1n, 16),
  'promise of munmap of what is not ours': () => promises.munmap(1n << 40n, PAGE),
  'promise of mlock of a hole': () => promises.mlock(1n << 40n, PAGE),
};

/** Calls without parameters succeed as they are; these not: what they do lasts, or they take milliseconds. */
const LASTING =
  /^(brk|mlockall|munlockall|mtrace|muntrace|mcheck.*|malloc_get_state|malloc_stats|probe_calls|owned_ranges|hooks_.*|guard_.*)$/;

type Table = Readonly<Record<string, unknown>>;

const isFunction = (value: unknown): value is Case => typeof value === 'function';

const functionsOf = (module: Table): [string, Case][] =>
  Object.entries(module).flatMap(([name, value]) => (isFunction(value) ? [[name, value]] : []));

function derived(of: string, module: Table): [string, Case][] {
  const parameterless = new Set(
    [...native.describe(), ...loadLibnuma().describe()]
      .filter(({ signature }) => signature.startsWith('()'))
      .map(({ name }) => name),
  );
  return functionsOf(module)
    .filter(([name]) => !LASTING.test(name) && name !== 'Bitmask')
    .map(([name, call]) => {
      const wrong: readonly unknown[] = parameterless.has(name) ? [] : [Symbol.iterator, Symbol.iterator];
      return [
        `${of}${name}${parameterless.has(name) ? '' : ' with wrong arguments'}`,
        () => Reflect.apply(call, undefined, wrong),
      ];
    });
}

export const cases: ReadonlyMap<string, Case> = new Map([
  ...derived('', libc),
  ...derived('', libnuma),
  ...derived('promise of ', promises),
  ...Object.entries(succeeding),
  ...Object.entries(failing),
  ...Object.entries(objects),
  ...Object.entries(slow),
]);

/** Of so many rounds, how many this case is to make. */
export const roundsOf = (name: string, rounds: number): number =>
  Object.hasOwn(slow, name) ? Math.ceil(rounds / 100) : rounds;

/** However it ends. */
export function once(run: Case): unknown {
  try {
    const result = run();
    return result instanceof Promise ? result.catch(() => {}) : undefined;
  } catch {
    return undefined;
  }
}
