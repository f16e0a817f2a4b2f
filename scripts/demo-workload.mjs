// A small service after a burst of work: it holds what programs hold, and glibc keeps what the burst needed.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';
// Node itself can't map a file. Without the guard the mapping counts as the program's own.
import { MAP_PRIVATE, mmap, PROT_READ, peek } from '../dist/unsafe.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Blocks below glibc's mmap threshold; some that stay lie between those that go, so that the heap cannot shrink. */
function fragment() {
  const burst = Array.from({ length: 9000 }, () => Buffer.allocUnsafeSlow(20 * KiB).fill(1));
  return burst.filter((_, index) => index % 60 === 0);
}

/** Mappings that the file system backs; reading makes them resident. */
function mapFile(bytes) {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-demo-'));
  const path = join(directory, 'table.bin');
  writeFileSync(path, Buffer.alloc(bytes, 'memprobe'));
  const fd = openSync(path);
  const address = mmap(0n, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  closeSync(fd);
  rmSync(directory, { recursive: true });
  for (let at = 0; at < bytes; at += 4 * KiB) peek(address + BigInt(at), 1);
  return address;
}

function startWorker() {
  const code = `
    const kept = Array.from({ length: 100_000 }, (_, id) => ({ id, name: 'worker ' + id }));
    setInterval(() => kept.length, 1000);
    require('node:worker_threads').parentPort.postMessage('ready');`;
  const worker = new Worker(code, { eval: true, name: 'index' });
  return new Promise((resolve) => worker.once('message', resolve));
}

const kept = {
  fragments: fragment(),
  buffers: Array.from({ length: 8 }, () => Buffer.alloc(4 * MiB, 1)),
  sessions: new Map(
    Array.from({ length: 150_000 }, (_, id) => [id, { id, user: `user ${id}`, seen: new Date(id) }]),
  ),
  file: mapFile(16 * MiB),
};
await startWorker();

// What was dropped is collected now, as it would be sooner or later.
setFlagsFromString('--expose-gc');
runInNewContext('gc')();
setTimeout(() => console.log('ready'), 500);
setInterval(() => kept.sessions.size, 1000);
