/**
 * glibc's allocation debugging: mtrace, mcheck and the malloc hooks act only in a process that was started with
 * `libc_malloc_debug.so.0` preloaded (since glibc 2.34). This says whether that is so here, and prepares the environment
 * of a program that is to be started so. It costs: calloc touches all its memory then, so resident memory can grow.
 */
import { accessSync, constants, existsSync, lstatSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { addonPath, native, UnsupportedError } from './native.js';

const LIBRARY = 'libc_malloc_debug.so.0';

/** What of glibc's allocation debugging acts in this process. */
export interface MallocDebugStatus {
  /** Whether mtrace and the hooks can act here. */
  readonly active: boolean;
  /** Whether mcheck is on; it can only be turned on at the very start of a process. */
  readonly mcheck: boolean;
  /** Whether mtrace is writing a log now, as far as memprobe knows. */
  readonly mtrace: boolean;
  /** Whether the hooks of `memprobe/libc` are installed now. */
  readonly hooks: boolean;
  /** Absolute path of libc_malloc_debug.so.0; undefined where there is none. */
  readonly library: string | undefined;
  /** Why it is not active, and what to do about it; undefined where it is. */
  readonly reason: string | undefined;
}

export interface MallocDebugOptions {
  /** Turns mcheck on before anything allocates; 'pedantic' checks every block at every call, which few programs bear. */
  readonly mcheck?: boolean | 'pedantic';
  /** The file that mtrace writes from the start of the program on. */
  readonly trace?: string;
  /** What to add to. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The C library that this process runs on, as its maps name it. */
function libcPath(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  return /\s(\/\S*\/libc(?:\.so\.6|-2\.\d+\.so))$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1];
}

/** Absolute path of libc_malloc_debug.so.0, beside the C library that is in use; undefined where there is none. */
export function findMallocDebug(): string | undefined {
  const libc = libcPath();
  const path = libc && join(dirname(libc), LIBRARY);
  return path !== undefined && existsSync(path) ? path : undefined;
}

function unsupported(why: string): UnsupportedError {
  return new UnsupportedError(`ERR_MEMPROBE_UNSUPPORTED: ${why}`);
}

function whyAbsent(): string {
  const libc = libcPath();
  return libc === undefined
    ? `${LIBRARY} is glibc's, and this Node runs on another C library (musl?): use an image with glibc, such as node:22-bookworm`
    : `${LIBRARY} is not beside ${libc}: it comes with glibc 2.34 and later, on Debian and Ubuntu in the package libc6, on Fedora in glibc-utils`;
}

function whyNoAddon(): string {
  return "memprobe's addon is not to be had here, which knows; any call of memprobe/libc says why";
}

const NOTHING = { active: false, mcheck: false, mtrace: false, hooks: false };

/** One of our own objects; LD_PRELOAD has no way to quote what separates its entries. */
function preloaded(name: string): string {
  if (addonPath === undefined) {
    throw unsupported(
      `${name} comes with memprobe's addon, which is not to be had here; any call of memprobe/libc says why`,
    );
  }
  const path = join(dirname(addonPath), name);
  if (!existsSync(path))
    throw unsupported(`${path} is missing: 'npm explore memprobe -- npm run build:native' builds it`);
  if (/[\s:]/.test(path))
    throw unsupported(
      `${path} cannot be preloaded, since LD_PRELOAD splits at spaces and colons: install memprobe elsewhere`,
    );
  return path;
}

/** What the program would find out only when it runs, and then runs without a log. */
function checkLog(path: string): void {
  accessSync(dirname(path), constants.W_OK);
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined || (there.isFile() && there.nlink === 1)) return;
  const message = `${path} can't take the log: only a regular file with a single name can; give another one`;
  throw Object.assign(new Error(message), { code: 'ERR_MEMPROBE_BAD_FILE' });
}

/**
 * The whole environment for a program that is to run under `libc_malloc_debug.so.0`, of any language: `env` with
 * LD_PRELOAD extended. Throws `ERR_MEMPROBE_UNSUPPORTED` where the library is missing, and a system error (ENOENT, EACCES)
 * where the trace's directory can't be written, `ERR_MEMPROBE_BAD_FILE` where the trace would be no file. What the program starts inherits
 * the checks; only the program itself is traced.
 */
export function mallocDebugEnvironment(options: MallocDebugOptions = {}): NodeJS.ProcessEnv {
  const { mcheck = false, trace, env = process.env } = options;
  if (findMallocDebug() === undefined) throw unsupported(whyAbsent());
  if (mcheck !== false && trace !== undefined) {
    throw unsupported(
      'mcheck and mtrace cannot be combined: under mcheck glibc logs other addresses for frees than for allocations',
    );
  }
  if (trace !== undefined) checkLog(resolve(trace));
  // memprobe_mtrace.so also makes an mtrace() that comes later bearable.
  const objects =
    mcheck === false
      ? [LIBRARY, preloaded('memprobe_mtrace.so')]
      : [preloaded('memprobe_mcheck.so'), LIBRARY];
  const { MEMPROBE_MTRACE: _trace, MEMPROBE_MTRACE_PID: _pid, MEMPROBE_MCHECK: _mcheck, ...inherited } = env;
  return {
    ...inherited,
    LD_PRELOAD: [...objects, ...(env.LD_PRELOAD ? [env.LD_PRELOAD] : [])].join(':'),
    ...(mcheck === 'pedantic' && { MEMPROBE_MCHECK: 'pedantic' }),
    ...(trace !== undefined && { MEMPROBE_MTRACE: resolve(trace) }),
  };
}

/** What acts in this process, and if nothing does, why and what to do about it. */
export function status(): MallocDebugStatus {
  const library = findMallocDebug();
  if (addonPath === undefined)
    return { ...NOTHING, library, reason: library === undefined ? whyAbsent() : whyNoAddon() };
  const { reason, ...acting } = native.libc.malloc_debug_state();
  const why = reason !== '' && library === undefined ? whyAbsent() : reason;
  return { active: reason === '', ...acting, library, reason: why === '' ? undefined : why };
}
