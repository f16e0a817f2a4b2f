/** The only file that loads the addons. Where one can't be loaded, its every call throws and says why. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeLibnuma } from './libnuma.generated.js';
import type { Native } from './native.generated.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));

/** A native call that is not to be had here: `code` is `ERR_MEMPROBE_UNSUPPORTED`, `cause` why the addon failed to load. */
export class UnsupportedError extends Error {
  readonly code = 'ERR_MEMPROBE_UNSUPPORTED';
  override readonly name = 'UnsupportedError';
}

interface Loaded {
  readonly native: Native;
  /** Absolute path of the .node file; undefined where there is none for this platform. */
  readonly addonPath: string | undefined;
  /** Why there is none. */
  readonly missing?: unknown;
}

/** What the loader said of an addon that is there, in brackets. */
function words({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ERR_DLOPEN_FAILED' ? ` (${message.replace(/\s*\n\s*/g, ' ')})` : '';
}

/** Asked only after a failure: the report that tells musl from glibc takes milliseconds. */
function reasonFor(cause: unknown): string {
  if (process.platform !== 'linux') {
    return `memprobe's native calls are Linux's, and this is ${process.platform}; its pure-TypeScript parts work here`;
  }
  const error: NodeJS.ErrnoException = cause instanceof Error ? cause : new Error(String(cause));
  if (error.code === 'ERR_DLOPEN_DISABLED') {
    return 'Node loads no addons here: not with --no-addons, and with --permission only beside --allow-addons';
  }
  const report = process.report.getReport();
  const header: unknown = typeof report === 'object' && 'header' in report ? report.header : undefined;
  if (typeof header === 'object' && header !== null && !('glibcVersionRuntime' in header)) {
    return "memprobe's native calls need glibc, and this Node runs on another C library (musl?)";
  }
  return (
    `memprobe has no addon for ${process.platform}-${process.arch} that loads here${words(error)}; with make, g++ and ` +
    "python3, 'npm explore memprobe -- npm run build:native' builds it"
  );
}

const each = (make: (name: string) => unknown): object =>
  new Proxy({}, { get: (_, name) => (typeof name === 'string' ? make(name) : undefined) });

/** A function that throws, for every name. */
const refusing = (message: string, cause: unknown) => (name: string) => () => {
  throw new UnsupportedError(`ERR_MEMPROBE_UNSUPPORTED: ${message}, ${name}`, { cause });
};

/** Every property is a function that throws; constants are undefined. */
function standIn(message: string, cause: unknown): Native {
  const refuse = refusing(message, cause);
  const reject = (name: string) => async () => refuse(name)();
  const calls = each(refuse);
  return Object.assign(Object.create(null), {
    libc: calls,
    unsafe: calls,
    promises: each(reject),
    constants: {},
    describe: () => [],
  });
}

function load(): Loaded {
  try {
    const locate: { path(root: string): string } = require('node-gyp-build');
    // MEMPROBE_ADDON: another build of it, such as the one with sanitizers.
    const addonPath = process.env.MEMPROBE_ADDON ?? locate.path(root);
    return { native: require(addonPath), addonPath };
  } catch (cause) {
    return { native: standIn(reasonFor(cause), cause), addonPath: undefined, missing: cause };
  }
}

const { native, addonPath, missing } = load();
export { addonPath, native };

/** The same for the second addon; a class can't be a stand-in for itself, its constructor throws. */
function standInForLibnuma(message: string, cause: unknown): NativeLibnuma {
  const refuse = refusing(message, cause);
  const calls = each(refuse);
  class Bitmask {
    constructor() {
      refuse('Bitmask')();
    }
  }
  return Object.assign(Object.create(null), {
    libnuma: calls,
    unsafe: calls,
    constants: {},
    masks: {},
    Bitmask,
    describe: () => [],
  });
}

const absent =
  'memprobe was built where numa.h was missing, so memprobe/libnuma is not there (Debian: apt-get install ' +
  "libnuma-dev, then 'npm explore memprobe -- npm run build:native')";

function reasonForLibnuma(cause: unknown): string {
  const text = String(cause instanceof Error ? cause.message : cause);
  return /libnuma\.so/.test(text)
    ? `libnuma is not installed (${text}): apt-get install libnuma1`
    : `memprobe's addon for libnuma does not load: ${text}`;
}

/**
 * The addon that is linked with libnuma, on first use. It lies beside the first, which it is linked with too, and which
 * is loaded by now.
 */
export function loadLibnuma(): NativeLibnuma {
  if (addonPath === undefined) return standInForLibnuma(reasonFor(missing), missing);
  const path = join(dirname(addonPath), 'memprobe_numa.so');
  if (!existsSync(path)) return standInForLibnuma(absent, undefined);
  const module = { exports: Object.create(null) };
  try {
    process.dlopen(module, path);
    return module.exports;
  } catch (cause) {
    return standInForLibnuma(reasonForLibnuma(cause), cause);
  }
}
