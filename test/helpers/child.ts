/** Processes of their own, for what may crash, changes the whole process, or needs another Node. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { addonPath } from '../../lib/native.js';

/** Other Node binaries, from MEMPROBE_TEST_NODES (paths, separated by colons). */
const others = (process.env.MEMPROBE_TEST_NODES ?? '').split(':').filter(Boolean);

export const NODES = [process.execPath, ...others];

export const isRoot = process.getuid?.() === 0;

/** The run of `npm run test:sanitize`, whose malloc is the sanitizer's: what looks into glibc's can't be tested then. */
export const underSanitizer = process.env.MEMPROBE_SANITIZED !== undefined;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly node?: string;
  readonly args?: readonly string[];
  readonly uid?: number;
  /** A line of shell before Node takes its place: ulimit … */
  readonly before?: string;
  /** Milliseconds, after which it is killed. */
  readonly timeout?: number;
  /** Without the prelude: the main thread does not load the addon by itself. */
  readonly bare?: boolean;
}

/** What a child's program finds: the addon's objects, and some short words. */
const PRELUDE = `
  const addon = process.env.ADDON;
  const { libc, unsafe, promises, constants: c } = require(addon);
  const anonymous = (length, prot = c.PROT_READ | c.PROT_WRITE) =>
    libc.mmap(0n, length, prot, c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1, 0);
  const outcome = (call) => { try { call(); return 'ok'; } catch (error) { return error.code; } };
  const rejection = (promise) => promise.then(() => 'ok', (error) => error.code);
  const say = (value) => require('node:fs').writeSync(1, JSON.stringify(value, (_, v) => typeof v === 'bigint' ? String(v) : v) + '\\n');
`;

function launch(
  code: string,
  { node = process.execPath, args = [], uid, before = ':', bare = false, timeout = 100_000 }: Options,
): ChildProcess {
  const command = ['-c', `${before}; exec "$@"`, 'sh', node, ...args, '-e', (bare ? '' : PRELUDE) + code];
  const env = { ...process.env, ADDON: addonPath, NODE_OPTIONS: '' };
  return spawn('sh', command, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
    cwd: '/',
    timeout,
    killSignal: 'SIGKILL',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** Runs the program to its end, whatever that is. */
export async function run(code: string, options: Options = {}): Promise<Ended> {
  const child = launch(code, options);
  if (child.stdout === null || child.stderr === null) throw new Error('the child has no pipes');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
}

/** What the program says with `say`, one value for each time. It must end well. */
export async function said(code: string, options: Options = {}): Promise<unknown[]> {
  const { stdout, stderr, ...end } = await run(code, options);
  if (end.code !== 0) throw new Error(`the child ended with ${end.code ?? end.signal}: ${stderr}${stdout}`);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line): unknown => JSON.parse(line));
}
