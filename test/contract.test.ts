/** What is promised of the packages' entrances as a whole: names, constants, shapes, and what is left without the addon. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as libc from '../lib/libc/index.js';
import * as libnuma from '../lib/libnuma/index.js';
import { native } from '../lib/native.js';
import * as promises from '../lib/promises.js';
import * as unsafe from '../lib/unsafe.js';
import { said } from './helpers/child.js';

/** Topics for the tools alone: no function of C's stands behind them. */
const TOOLS = [
  'guard',
  'maps',
  'smaps',
  'heap',
  'hook_counts',
  'malloc_debug',
  'doctor',
  'mtrace_log',
  'mapping',
  'file',
  'replay',
];
const calls = native.describe().filter(({ topic }) => !TOOLS.includes(topic));
const names = calls.map(({ name }) => name).sort();

const functionsOf = (module: object): string[] =>
  Object.entries(module)
    .filter(([, value]) => typeof value === 'function')
    .map(([name]) => name)
    .sort();

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'memprobe-contract-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('names', () => {
  test('memprobe/libc has every call of the tables, and two readers of what they return', () => {
    expect(functionsOf(libc)).toEqual([...names, 'mcheckStatus', 'parseMallocInfo'].sort());
  });

  test('memprobe/unsafe has the same, and its calls are the unguarded ones', () => {
    expect(Object.keys(unsafe).sort()).toEqual(
      [...new Set([...Object.keys(libc), ...Object.keys(libnuma)])].sort(),
    );
    for (const [name, call] of Object.entries(native.unsafe)) {
      if (names.includes(name)) expect(Reflect.get(unsafe, name), name).toBe(call);
    }
    for (const { name, guarded } of calls) {
      expect(Reflect.get(libc, name), name).toBe(Reflect.get(native.libc, name));
      expect(Reflect.get(native.libc, name) === Reflect.get(native.unsafe, name), name).toBe(false);
      expect(typeof guarded).toBe('boolean');
    }
  });

  test('memprobe/promises has those that can block', () => {
    const blocking = calls.filter(({ promise }) => promise !== undefined).map(({ name }) => name);
    expect(functionsOf(promises)).toEqual(blocking.sort());
    expect(blocking.length).toBeGreaterThan(15);
  });

  test('every function carries the name of C’s', () => {
    for (const name of names) expect(Reflect.get(Object(Reflect.get(libc, name)), 'name')).toBe(name);
  });

  test('the guard has a say in what can destroy, and in nothing else', () => {
    const destructive =
      'aligned_alloc brk calloc free madvise malloc malloc_set_state malloc_usable_size memalign mlock mlock2 mlockall mmap ' +
      'mprobe mprotect mremap mseal munmap poke posix_madvise posix_memalign process_madvise pvalloc ' +
      'realloc reallocarray sbrk valloc view';
    for (const { name, guarded } of calls) expect(guarded, name).toBe(destructive.split(' ').includes(name));
  });
});

describe('constants', () => {
  const constants = Object.entries(native.constants);
  let values: Record<string, number | null> = {};

  beforeAll(() => {
    const lines = constants.map(
      ([name]) =>
        // MCHECK_* and the older MPOL_* modes are enumerators, which the preprocessor does not know.
        `#if defined ${name} || ${Number(/^(MCHECK_|MPOL_(DEFAULT|PREFERRED|BIND|INTERLEAVE|LOCAL)$)/.test(name))}\n  printf("\\"${name}\\": %.0f,\\n", (double)(${name}));\n#else\n  printf("\\"${name}\\": null,\\n");\n#endif`,
    );
    const source = join(directory, 'constants.c');
    const program = join(directory, 'constants');
    writeFileSync(
      source,
      `#define _GNU_SOURCE\n#include <stdio.h>\n#include <malloc.h>\n#include <mcheck.h>\n#include <sys/mman.h>\n#include <linux/mman.h>\n` +
        `#include <linux/memfd.h>\n#include <linux/mempolicy.h>\nint main(void) {\n  puts("{");\n${lines.join('\n')}\n  puts("\\"end\\": 0}");\n}\n`,
    );
    execFileSync('cc', ['-o', program, source]);
    values = JSON.parse(execFileSync(program, { encoding: 'utf8' }));
  });

  test('have the values of the C headers', () => {
    expect(constants.length).toBeGreaterThan(90);
    const unknown = constants.filter(([name]) => values[name] === null).map(([name]) => name);
    // Newer than these headers: the addon defines them itself.
    expect(
      unknown.filter(
        (name) =>
          !/^(MADV_(COLLAPSE|DONTNEED_LOCKED|POPULATE_\w+|GUARD_\w+|SOFT_OFFLINE)|MFD_(NOEXEC_SEAL|EXEC)|MAP_DROPPABLE|MPOL_(PREFERRED_MANY|WEIGHTED_INTERLEAVE|F_NUMA_BALANCING))$/.test(
            name,
          ),
      ),
    ).toEqual([]);
    for (const [name, value] of constants) if (values[name] !== null) expect(value, name).toBe(values[name]);
  });

  test('of the headers none is missing', () => {
    const headers = [
      'malloc.h',
      'mcheck.h',
      'sys/mman.h',
      'linux/mman.h',
      'linux/memfd.h',
      'linux/mempolicy.h',
    ];
    const input = headers.map((header) => `#include <${header}>\n`).join('');
    const defined = execFileSync('cc', ['-D_GNU_SOURCE', '-E', '-dM', '-x', 'c', '-'], {
      encoding: 'utf8',
      input,
    });
    const prefixes = 'PROT|MAP|MREMAP|MS|MFD|MADV|POSIX_MADV|MCL|MLOCK|M|MCHECK|MPOL';
    const macros = [...defined.matchAll(new RegExp(`^#define ((?:${prefixes})_\\w+)`, 'gm'))].map(
      ([, name]) => name,
    );
    expect(macros.length).toBeGreaterThan(90);
    // The first is an exception here; of the others the kernel's sources alone make use.
    const kept = /^(MAP_FAILED|MPOL_(MAX|MODE_FLAGS|F_(SHARED|MOF|MORON)|MF_(VALID|INTERNAL)))$/;
    expect(macros.filter((name = '') => !(name in native.constants) && !kept.test(name))).toEqual([]);
  });

  test('are all exported by memprobe/libc, and nothing else is', () => {
    for (const [name, value] of constants) expect(Reflect.get(libc, name), name).toBe(value);
    const others = Object.entries(libc).filter(
      ([name, value]) => /number|bigint/.test(typeof value) && !(name in native.constants),
    );
    expect(others).toEqual([['NULL', 0n]]);
  });
});

describe('errors', () => {
  test('are Errors with enumerable code, errno and syscall, as Node’s own', () => {
    try {
      libc.munmap(1n, 1);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      expect(Object.keys(Object(error)).sort()).toEqual(['code', 'errno', 'syscall']);
      expect(error).toMatchObject({
        code: 'EINVAL',
        errno: -22,
        syscall: 'munmap',
        message: 'EINVAL: Invalid argument, munmap 0x1+1',
      });
    }
  });

  test('belong to the realm that called: instanceof holds in a worker', async () => {
    expect(
      await said(`new (require('node:worker_threads').Worker)(\`const { libc } = require(process.env.ADDON);
        try { libc.munmap(1n, 1) } catch (error) { require('node:worker_threads').parentPort.postMessage([error instanceof Error, error.code]) }\`,
        { eval: true }).on('message', say)`),
    ).toEqual([[true, 'EINVAL']]);
  });
});

describe('without the addon', () => {
  let bare = '';
  beforeAll(() => {
    bare = join(directory, 'bare');
    cpSync(join(root, 'dist'), join(bare, 'dist'), { recursive: true }); // the set-up has built it
    cpSync(join(root, 'package.json'), join(bare, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(bare, 'node_modules'));
  });

  const program = (text: string): unknown =>
    JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', text], {
        cwd: bare,
        encoding: 'utf8',
        env: { ...process.env, MEMPROBE_ADDON: undefined },
      }),
    );

  test('the modules load, calls throw and promises reject ERR_MEMPROBE_UNSUPPORTED with the reason', () => {
    const answers = program(`
      import * as libc from 'memprobe/libc';
      import * as promises from 'memprobe/promises';
      import * as unsafe from 'memprobe/unsafe';
      import { UnsupportedError } from 'memprobe';
      const tell = (error) => [error instanceof UnsupportedError, error.code, error.cause !== undefined, error.message];
      const thrown = (call) => { try { call(); } catch (error) { return tell(error); } };
      console.log(JSON.stringify([thrown(() => libc.getpagesize()), thrown(() => unsafe.free(0n)),
        await promises.mlock(0n, 1).catch(tell), typeof libc.MADV_COLD, libc.parseMallocInfo('<malloc version="1"></malloc>').arenas]));`);
    const told = (name: string): unknown => [
      true,
      'ERR_MEMPROBE_UNSUPPORTED',
      true,
      expect.stringMatching(new RegExp(`^ERR_MEMPROBE_UNSUPPORTED: .*(build|addon).*, ${name}$`)),
    ];
    expect(answers).toEqual([told('getpagesize'), told('free'), told('mlock'), 'undefined', []]);
  });
});
