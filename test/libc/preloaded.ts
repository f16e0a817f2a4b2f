/** Runs a piece of JavaScript in a Node process of its own, with glibc's malloc debugging on. */
import { beforeEach } from 'vitest';
import { findMallocDebug, type MallocDebugOptions, mallocDebugEnvironment } from '../../lib/malloc_debug.js';
import { collectText, type Ended } from '../helpers/command.js';

export interface Outcome extends Omit<Ended, 'stdout'> {
  /** What the piece has given to `tell`, in order. */
  readonly told: unknown[];
}

const DIST = new URL('../../dist/', import.meta.url);
const url = (file: string): string => JSON.stringify(new URL(file, DIST).href);

/** `c` is memprobe/libc, `unsafe` memprobe/unsafe, `failure(fn)` the code of what fn throws; bigints are told as strings. */
const PREAMBLE = `
import * as c from ${url('libc/index.js')};
import * as unsafe from ${url('unsafe.js')};
import * as promises from ${url('promises.js')};
import { mallocDebug } from ${url('index.js')};
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
const tell = (value) => writeSync(1, JSON.stringify(value ?? null, (_, v) => (typeof v === 'bigint' ? String(v) : v)) + '\\n');
const failure = (fn) => { try { return { value: fn() }; } catch (error) { return { code: error.code, message: error.message }; } };
const allocating = () => new Worker('for (let i = 0; i < 20000; i++) Buffer.allocUnsafeSlow(100 + i % 500)', { eval: true });
`;

/** The tests around it are skipped, aloud, where glibc's debugging library is not installed. */
export function needMallocDebug(): void {
  beforeEach((context) => {
    if (findMallocDebug() === undefined) context.skip('libc_malloc_debug.so.0 is not installed');
  });
}

/** With options, under memprobe run's environment; without, as Node is. */
export async function runNode(code: string, options?: MallocDebugOptions): Promise<Outcome> {
  const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...plain } = process.env;
  const env = options === undefined ? plain : mallocDebugEnvironment({ env: plain, ...options });
  return collect(process.execPath, ['--input-type=module', '-e', PREAMBLE + code], env);
}

export async function collect(command: string, args: string[], env = process.env): Promise<Outcome> {
  const { stdout, ...ending } = await collectText(command, args, { env });
  const told = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
  return { ...ending, told };
}
