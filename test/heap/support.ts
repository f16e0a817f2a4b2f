/** What the tests of heaps share. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { Heap } from '../../lib/heap/index.js';
import { thrown } from '../helpers/errors.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A path in a private directory, which goes at the end of the test. */
export function scratch(name = 'heap'): string {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-heap-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, name);
}

/** Closed at the end of the test, if not before. */
export function owned(heap: Heap): Heap {
  onTestFinished(() => heap.close());
  return heap;
}

export const code = (call: () => unknown): unknown => Reflect.get(thrown(call), 'code');

const PRELUDE = `
  import { Heap } from '${root}dist/heap/index.js';
  const path = process.argv[1];
  const code = (call) => { try { call(); return 'ok' } catch (error) { return error.code } };`;

const args = (program: string, path: string): string[] => [
  '--input-type=module',
  '-e',
  PRELUDE + program,
  path,
];

/** What another process prints, with Heap, `path` and `code` at hand. */
export function elsewhere(path: string, program: string): string {
  return execFileSync(process.execPath, args(program, path), { encoding: 'utf8' }).trim();
}

/** Another process that prints a line when it is ready, and then waits to be killed. */
export async function waiting(path: string, program: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    args(`${program}\nsetInterval(() => {}, 1000); console.log('ready');`, path),
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

export async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Changes the bytes of a file. */
export function doctored(path: string, change: (bytes: Buffer) => Buffer | void): void {
  const bytes = readFileSync(path);
  writeFileSync(path, change(bytes) ?? bytes);
}
