// What replay.mjs replays on: `heap`; `wide` where pointers do not fit in 32 bits; `end` where the heap can't tell its own peak:
// the byte behind a block, from the heap's start.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const SIZE = 2 ** 28;
const PAGES = SIZE / 65536;

async function memprobe(alignment) {
  const { TsAllocator } = await import('../../../dist/allocator/ts_allocator.js');
  return { heap: new TsAllocator({ buffer: new ArrayBuffer(SIZE), alignment }) };
}

/** Emscripten's dlmalloc as the package walloc has it, without its wrapper, which would cost calls. It has no realloc. */
function dlmalloc() {
  const start = 4096; // below is what the module keeps for itself
  const wasm = readFileSync(createRequire(import.meta.url).resolve('walloc/lib/walloc.wasm'));
  // The module wants 256 pages (80 02 in LEB128), and allows no more: the second figure becomes 4096.
  wasm[wasm.indexOf(Buffer.from('memory\x02\x01\x80\x02\x80\x02', 'latin1')) + 11] = 0x20;
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const words = new Int32Array(memory.buffer);
  words[0] = start; // the break
  const full = () => {
    throw new Error('dlmalloc has no more memory');
  };
  const calls = {
    getTotalMemory: () => SIZE,
    enlargeMemory: full,
    abortOnCannotGrowMemory: full,
    ___setErrNo: full,
  };
  const module = new WebAssembly.Module(wasm);
  const env = { memory, DYNAMICTOP_PTR: 0, STACKTOP: 0, ...calls };
  const { _Malloc: malloc, _Free: free } = new WebAssembly.Instance(module, { env }).exports;
  const usable = (ptr) => (words[(ptr >> 2) - 1] & ~7) - 4;
  const realloc = (ptr, size) => {
    const to = malloc(size);
    words.copyWithin(to >> 2, ptr >> 2, (ptr + Math.min(size, usable(ptr)) + 3) >> 2);
    free(ptr);
    return to;
  };
  return { heap: { malloc, realloc, free }, end: (ptr) => ptr + usable(ptr) - start };
}

/** The TLSF of AssemblyScript's runtime, compiled here. */
async function assemblyScript() {
  const { default: asc } = await import('assemblyscript/asc');
  const source = `
    export function malloc(size: usize): usize { return heap.alloc(size); }
    export function realloc(ptr: usize, size: usize): usize { return heap.realloc(ptr, size); }
    export function free(ptr: usize): void { heap.free(ptr); }
    export function start(): usize { return __heap_base; }`;
  const options = { optimizeLevel: 3, noAssert: true, runtime: 'minimal', initialMemory: PAGES };
  const { binary, stderr } = await asc.compileString(source, options);
  if (binary === null) throw new Error(String(stderr));
  const { instance } = await WebAssembly.instantiate(binary, { env: { abort() {} } });
  const { memory, start, ...heap } = instance.exports;
  const words = new Int32Array(memory.buffer);
  return { heap, end: (ptr) => ptr + (words[(ptr >> 2) - 1] & ~3) - start() };
}

export const contenders = {
  nothing: () => ({
    heap: { malloc: (size) => size, realloc: (ptr, size) => size, free: () => {}, peak: 0 },
  }),
  memprobe: () => memprobe(8),
  'memprobe, 16': () => memprobe(16),
  'dlmalloc, wasm': dlmalloc,
  AssemblyScript: assemblyScript,

  async '@thi.ng/malloc'() {
    const { MemPool } = await import('@thi.ng/malloc');
    const pool = new MemPool({ buf: new ArrayBuffer(SIZE), align: 8 });
    return { heap: pool, end: (ptr, size) => ptr + size };
  },

  async 'koffi to glibc'() {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const malloc = libc.func('uintptr_t malloc(size_t size)');
    const realloc = libc.func('uintptr_t realloc(uintptr_t ptr, size_t size)');
    const free = libc.func('void free(uintptr_t ptr)');
    return { heap: { malloc, realloc, free, peak: 0 }, wide: true };
  },
};
