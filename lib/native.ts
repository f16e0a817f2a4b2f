/** The only file that loads the addon. Where it can't be loaded, every native call throws and says why. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
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
}

/** Asked only after a failure: the report that tells musl from glibc takes milliseconds. */
function reasonFor(): string {
  if (process.platform !== 'linux') {
    return `memprobe's native calls are Linux's, and this is ${process.platform}; its pure-TypeScript parts work here`;
  }
  const report = process.report.getReport();
  const header: unknown = typeof report === 'object' && 'header' in report ? report.header : undefined;
  if (typeof header === 'object' && header !== null && !('glibcVersionRuntime' in header)) {
    return "memprobe's native calls need glibc, and this Node runs on another C library (musl?)";
  }
  return (
    `memprobe has no addon for ${process.platform}-${process.arch} that loads here; with make, g++ and python3, ` +
    "'npm explore memprobe -- npm run build:native' builds it"
  );
}

/** Every property is a function that throws; constants are undefined. */
function standIn(message: string, cause: unknown): Native {
  const refuse = (name: string) => () => {
    throw new UnsupportedError(`ERR_MEMPROBE_UNSUPPORTED: ${message}, ${name}`, { cause });
  };
  const reject = (name: string) => async () => refuse(name)();
  const each = (make: (name: string) => unknown): object =>
    new Proxy({}, { get: (_, name) => (typeof name === 'string' ? make(name) : undefined) });
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
    return { native: standIn(reasonFor(), cause), addonPath: undefined };
  }
}

export const { native, addonPath } = load();
