/** Processes of their own, for what may crash, changes the whole process, or needs another Node. */
import { addonPath } from '../../lib/native.js';
import { collectText, type Ended } from './command.js';

export type { Ended };

/** Other Node binaries, from MEMPROBE_TEST_NODES (paths, separated by colons). */
const others = (process.env.MEMPROBE_TEST_NODES ?? '').split(':').filter(Boolean);

export const NODES = [process.execPath, ...others];

export const isRoot = process.getuid?.() === 0;

/** The run of `npm run test:sanitize`, whose malloc is the sanitizer's: what looks into glibc's can't be tested then. */
export const underSanitizer = process.env.MEMPROBE_SANITIZED !== undefined;

/** guard_counts() of a process in which nothing is owned any more. */
export const NOTHING_HELD = {
  ranges: 0,
  mapped: 0,
  blocks: 0,
  retired: 0,
  pins: 0,
  views: 0,
  stale: 0,
  shares: 0,
  orphans: 0,
};

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

/** Runs the program to its end, whatever that is. */
export async function run(
  code: string,
  { node = process.execPath, args = [], before = ':', bare = false, ...options }: Options = {},
): Promise<Ended> {
  const command = ['-c', `${before}; exec "$@"`, 'sh', node, ...args, '-e', (bare ? '' : PRELUDE) + code];
  const env = { ...process.env, ADDON: addonPath, NODE_OPTIONS: '' };
  return collectText('sh', command, { ...options, env, cwd: '/' });
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
