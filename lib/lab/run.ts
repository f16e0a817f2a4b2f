/** Runs a lab in a process of its own, and watches it from here. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { getpagesize } from '../libc/page.js';
import { plainEnvironment } from '../plain_environment.js';
import type { Lab } from './bench.js';
import { diffLooks } from './diff.js';
import { LabError, UnluckyError } from './errors.js';
import { type Look, look } from './look.js';
import { AFTER, BEFORE, FAILURE, LINE, REPORT } from './observer.js';
import type { LabReport } from './report.js';

export interface RunOptions {
  signal?: AbortSignal;
  /** The program of the lab's process: lib/lab/child.js. */
  entry?: string;
  /** More options for its Node. */
  flags?: string[];
}

/**
 * A Node as quiet as can be: no code is made at run time, nothing works in the background, functions are compiled when
 * they are loaded, and the young generation of V8's heap keeps its size.
 */
const QUIET = [
  '--jitless',
  '--single-threaded',
  '--no-lazy',
  '--no-lazy-feedback-allocation',
  '--min-semi-space-size=1',
  '--max-semi-space-size=1',
];

const NO_LIMIT = 97;
const TRIES = 5;
const ENTRY = fileURLToPath(new URL('./child.js', import.meta.url));

/** Rejects with a LabError that says why where the lab cannot run here. Starts afresh where a process is not fit for it. */
export async function runLab(lab: Lab, options: RunOptions = {}): Promise<LabReport> {
  for (let tries = 1; ; tries++) {
    try {
      return await runOnce(lab, options);
    } catch (error) {
      if (!(error instanceof UnluckyError)) throw error;
      if (tries === TRIES)
        throw new LabError(`${error.message} (in ${TRIES} processes, one after the other)`);
    }
  }
}

async function runOnce(lab: Lab, options: RunOptions): Promise<LabReport> {
  const { signal } = options;
  signal?.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), 'memprobe-lab-'));
  const child = start(lab, directory, options);
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  const ended = once(child, 'close');
  ended.catch(() => {}); // awaited later
  const errors = collect(child);
  try {
    const report = await watch(child);
    await ended;
    signal?.throwIfAborted();
    if (report) return report;
    throw died(lab, child, errors());
  } finally {
    signal?.removeEventListener('abort', kill);
    kill();
    await ended.catch(() => {});
    await rm(directory, { recursive: true, force: true });
  }
}

function start(lab: Lab, directory: string, { entry = ENTRY, flags = [] }: RunOptions): ChildProcess {
  const node = [process.execPath, ...QUIET, ...flags, entry, lab.name, directory];
  const [command = '', ...args] = lab.memlock === undefined ? node : limited(lab.memlock, node);
  return spawn(command, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: lab.environment?.(plainEnvironment()) ?? plainEnvironment(),
  });
}

/** Node can't set its limits; a shell can. */
function limited(kib: number, command: string[]): string[] {
  return ['/bin/sh', '-c', `ulimit -S -l ${kib} || exit ${NO_LIMIT}; exec "$0" "$@"`, ...command];
}

function collect({ stderr }: ChildProcess): () => string {
  let text = '';
  stderr?.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  return () => text;
}

/** Answers what the lab asks, until it has said all; undefined when it ends without a report. */
async function watch({ pid, stdio }: ChildProcess): Promise<LabReport | undefined> {
  const line = stdio[LINE];
  if (pid === undefined || !(line instanceof Duplex)) return undefined;
  line.on('error', () => {}); // a lab that dies is told of by its exit
  let before: Look | undefined;
  for await (const word of createInterface({ input: line })) {
    if (word.startsWith(REPORT)) return JSON.parse(word.slice(REPORT.length));
    if (word.startsWith(FAILURE)) throw failureOf(word.slice(FAILURE.length));
    const seen = await look(pid);
    if (word === BEFORE) before = seen;
    const change = word === AFTER && before ? diffLooks(before, seen, getpagesize()) : {};
    line.write(`${JSON.stringify(change)}\n`);
  }
  return undefined;
}

function failureOf(text: string): Error {
  const { code, message, stack }: { code?: string; message: string; stack?: string } = JSON.parse(text);
  if (code === 'ERR_MEMPROBE_LAB_UNLUCKY') return new UnluckyError(message);
  if (code === 'ERR_MEMPROBE_LAB') return new LabError(message);
  return Object.assign(new Error(message), { stack, ...(code !== undefined && { code }) });
}

function died({ name, memlock }: Lab, { exitCode, signalCode }: ChildProcess, stderr: string): LabError {
  if (exitCode === NO_LIMIT) {
    return new LabError(
      `the lab ${name} locks up to ${memlock} KiB, and RLIMIT_MEMLOCK is less here: ` +
        `raise the hard limit ('ulimit -H -l' shows it), or run it as root`,
    );
  }
  const how = signalCode ? `was killed by ${signalCode}` : `ended with exit code ${exitCode}`;
  const said = stderr.trim() === '' ? '' : `; it said:\n${stderr.trim()}`;
  return new LabError(`the process of the lab ${name} ${how} before its end${said}`);
}
