/** Libuv's pool, held up: what is queued there does not begin before it is let go, however slow or fast this machine is. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const THREADS = Number(process.env.UV_THREADPOOL_SIZE ?? 4);

/** A FIFO: to open it for reading waits until somebody has it open for writing. */
export function fifo(): string {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-pool-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'fifo');
  execFileSync('mkfifo', ['-m', '600', path]);
  return path;
}

/** Has all threads of the pool wait, and returns what lets them go; the end of the test does as well. */
export function holdPool(): () => Promise<void> {
  const path = fifo();
  const waiting = Array.from({ length: THREADS }, () => open(path, 'r'));
  let going: Promise<void> | undefined;
  const letGo = async (): Promise<void> => {
    const writer = openSync(path, 'r+'); // which waits for nobody
    for (const reader of await Promise.all(waiting)) await reader.close();
    closeSync(writer);
  };
  const release = (): Promise<void> => (going ??= letGo());
  onTestFinished(release);
  return release;
}
