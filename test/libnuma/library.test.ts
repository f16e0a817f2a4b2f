/** Where libnuma, or the addon for it, is missing or lies elsewhere. */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addonPath } from '../../lib/native.js';
import { run } from '../helpers/child.js';
import { describeLibnuma, LIBNUMA } from './helpers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'memprobe-numa-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** An installed package whose addons are these files. */
function install(name: string, second: Uint8Array | undefined): string {
  const home = join(directory, name);
  const prebuilds = join(home, 'prebuilds', `${process.platform}-${process.arch}`);
  mkdirSync(prebuilds, { recursive: true });
  cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true });
  copyFileSync(join(root, 'package.json'), join(home, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
  copyFileSync(addonPath ?? '', join(prebuilds, 'memprobe.napi.glibc.node'));
  if (second !== undefined) writeFileSync(join(prebuilds, 'memprobe_numa.so'), second);
  return home;
}

/** What the program prints, as JSON. */
async function told(home: string, code: string): Promise<unknown> {
  const { stdout, stderr } = await run(code, {
    bare: true,
    args: ['--input-type=module'],
    before: `unset MEMPROBE_ADDON; cd '${home}'`,
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

const MISSING = `
  import * as numa from 'memprobe/libnuma';
  import { numa_free } from 'memprobe/unsafe';
  import { malloc, free } from 'memprobe/libc';
  import { UnsupportedError } from 'memprobe';
  const tell = (call) => { try { call(); } catch (error) { return [error instanceof UnsupportedError, error.code, error.message]; } };
  free(malloc(10));
  console.log(JSON.stringify([tell(() => numa.numa_available()), tell(() => new numa.Bitmask(3)), tell(() => numa_free(0n, 1)),
    typeof numa.numa_all_nodes_ptr]));`;

const expected = (reason: RegExp): unknown => [
  ...['numa_available', 'Bitmask', 'numa_free'].map((name) => [
    true,
    'ERR_MEMPROBE_UNSUPPORTED',
    expect.stringMatching(new RegExp(`^ERR_MEMPROBE_UNSUPPORTED: .*${reason.source}.*, ${name}$`)),
  ]),
  'undefined',
];

describe('memprobe/libnuma', () => {
  test('built without numa.h imports; every call throws and says how to get it, everything else works', async () => {
    expect(await told(install('bare', undefined), MISSING)).toEqual(
      expected(/numa\.h was missing.*libnuma-dev/),
    );
  });
});

describeLibnuma('memprobe/libnuma', () => {
  let second = Buffer.alloc(0);
  beforeAll(() => {
    second = readFileSync(LIBNUMA);
  });

  test('where libnuma is not installed imports; every call throws and says how to get it, everything else works', async () => {
    // As if no such library were there: the loader is asked for one that nobody has.
    const at = second.indexOf('libnuma.so.1\0', 'latin1');
    expect(at).toBeGreaterThan(0);
    const other = Buffer.from(second);
    other.write('libnuma.so.0', at, 'latin1');
    const home = install('without', other);
    expect(await told(home, MISSING)).toEqual(
      expected(/libnuma is not installed.*cannot open.*apt-get install libnuma1/),
    );
  });

  test('finds the first addon under the name of a prebuilt one, and shares its books', async () => {
    const home = install('prebuilt', second);
    expect(
      await told(
        home,
        `import { numa_alloc, numa_free } from 'memprobe/libnuma';
         import { view } from 'memprobe/libc';
         const start = numa_alloc(4096);
         const bytes = new Uint8Array(view(start, 4096)).fill(1);
         const length = bytes.length;
         numa_free(start, 4096);
         console.log(JSON.stringify([length, bytes.length]));`,
      ),
    ).toEqual([4096, 0]);
  });
});
