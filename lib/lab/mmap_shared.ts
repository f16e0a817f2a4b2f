/** The part of the lab on mmap about memory that others see: child processes, and files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Address } from '../address.js';
import { MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, memfd_create, mmap, munmap } from '../libc/mmap.js';
import type { Bench } from './bench.js';
import { LabError } from './errors.js';
import { bytesAt, READ_WRITE } from './words.js';

const MEMORY = 'shared memory';
const NEIGHBOUR = fileURLToPath(new URL('./neighbour.js', import.meta.url));

export async function shared(bench: Bench): Promise<void> {
  const { page } = bench;
  bench.section('Memory that a child process sees');
  const { value: plain } = bench.step(
    'anonymous',
    'p = mmap(NULL, page, ..., MAP_SHARED | MAP_ANONYMOUS, -1, 0)',
    () => mmap(0n, page, READ_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
  );
  bench.say(
    'Shared anonymous memory is a file in memory without a name: the map calls it /dev/zero. In C a child has it by ' +
      'fork(2), which Node lacks. memfd_create makes the same file with a descriptor, which a child can inherit; so ' +
      'from here on p is of that file.',
  );
  bench.step('without', 'munmap(p, page)', () => munmap(plain, page));

  const { value: memory } = bench.step(
    'memfd',
    'fd = memfd_create("shared", 0); p = mmap(..., MAP_SHARED, fd, 0)',
    () => mapMemory(page),
  );
  bench.watch(memory.address, page, MEMORY);
  const bytes = bytesAt(memory.address, page);
  bench.step('store', 'p[0] = 41', () => (bytes[0] = 41));

  const { value: child } = await bench.wait('child', 'a child maps fd, and does p[0] = p[0] + 1', () =>
    ask(memory.fd),
  );
  bench.say(
    `Process ${child.pid} found ${child.found} at ${child.address}. Here, p[0] is ${bytes[0]} now: one page, two ` +
      'processes, no copy.',
  );
  bench.record({ ...child, here: bytes[0] ?? 0 });
  munmap(memory.address, page);
  closeSync(memory.fd);
  bench.shows('MAP_SHARED memory is one and the same in all who map it; each has its own address for it.');
}

function mapMemory(length: number): { fd: number; address: Address } {
  const fd = memfd_create('shared', 0);
  ftruncateSync(fd, length);
  return { fd, address: mmap(0n, length, READ_WRITE, MAP_SHARED, fd, 0) };
}

async function ask(fd: number): Promise<{ pid: number; address: string; found: number }> {
  const child = spawn(process.execPath, [NEIGHBOUR], { stdio: ['ignore', 'pipe', 'inherit', fd] });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await once(child, 'close');
  if (child.exitCode !== 0) throw new LabError('the child process could not map the shared memory');
  return JSON.parse(text);
}

export function file(bench: Bench): void {
  const { page } = bench;
  bench.section('A file in memory, shared and private');
  const path = join(bench.directory, 'file');
  writeFileSync(path, '.'.repeat(page));
  const fd = openSync(path, 'r+');
  const [s, p] = [MAP_SHARED, MAP_PRIVATE].map((flags) => mmap(0n, page, READ_WRITE, flags, fd, 0));
  closeSync(fd);
  if (s === undefined || p === undefined) return;
  bench.watch(s, page, 'shared');
  bench.watch(p, page, 'private');
  const [shared, own] = [bytesAt(s, page), bytesAt(p, page)];
  const letters = (bytes: Uint8Array) => String.fromCharCode(...bytes.subarray(0, 3));
  const record = () => {
    const seen = {
      shared: letters(shared),
      private: letters(own),
      file: readFileSync(path, 'latin1').slice(0, 3),
    };
    bench.table(
      ['the first bytes of', ''],
      Object.entries(seen).map(([name, text]) => [name, text]),
    );
    bench.record(seen);
  };

  bench.step('shared', "s[0] = 'S', where s is mapped MAP_SHARED", () => (shared[0] = 0x53));
  bench.say('The file has it, and so has who maps it privately, but has not written yet:');
  record();
  bench.step('private', "p[1] = 'P', where p is mapped MAP_PRIVATE", () => (own[1] = 0x50));
  bench.say('Nobody else sees it:');
  record();
  bench.step('later', "s[2] = 'T'", () => (shared[2] = 0x54));
  bench.say('And since p has a copy of its own, it misses what is new:');
  record();
  munmap(s, page);
  munmap(p, page);
  bench.shows(
    'Stores into MAP_SHARED reach the file; stores into MAP_PRIVATE stay in a copy that goes with the mapping.',
  );
}
