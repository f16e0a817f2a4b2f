/** Where the addon is not to be had: removed, built for another C library or machine, or never built. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../lib/index.js';
import { collectText } from './helpers/command.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'memprobe-elsewhere-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** The package as it is installed, with something in the place of its addon, or nothing. */
function installed(name: string, addon?: string | Buffer): string {
  const bare = join(directory, name);
  cpSync(join(root, 'dist'), join(bare, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(bare, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(bare, 'node_modules'));
  if (addon === undefined) return bare;
  mkdirSync(join(bare, 'build/Release'), { recursive: true });
  writeFileSync(join(bare, 'build/Release/memprobe.node'), addon);
  return bare;
}

/** A shared object that is linked with a C library which is not here, as one that was built on musl is. */
function linkedElsewhere(): string {
  const object = join(directory, 'musl.node');
  const library = join(directory, 'libc.musl-x86_64.so.1');
  const cc = (...args: string[]): void => {
    const { status, stderr } = spawnSync('cc', ['-shared', '-nostdlib', '-x', 'c', '/dev/null', ...args]);
    if (status !== 0) throw new Error(String(stderr));
  };
  cc('-Wl,-soname,libc.musl-x86_64.so.1', '-o', library);
  cc('-Wl,--no-as-needed', '-x', 'none', library, '-o', object);
  rmSync(library);
  return object;
}

const env = { ...process.env, MEMPROBE_ADDON: undefined, NODE_OPTIONS: '' };

async function tell(cwd: string, text: string, before = '', flags: string[] = []): Promise<unknown> {
  const program = `${before}
    const { libc, promises, index } = { libc: await import('memprobe/libc'), promises: await import('memprobe/promises'),
      index: await import('memprobe') };
    const thrown = (call) => { try { call(); return 'no error'; } catch (error) {
      return { code: error.code, ours: error instanceof index.UnsupportedError, message: error.message, cause: String(error.cause?.message) }; } };
    console.log(JSON.stringify(${text}));`;
  const result = await collectText(process.execPath, [...flags, '--input-type=module', '-e', program], {
    cwd,
    env,
  });
  if (result.code !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout);
}

const refusal = (why: RegExp): object =>
  expect.objectContaining({
    code: 'ERR_MEMPROBE_UNSUPPORTED',
    ours: true,
    message: expect.stringMatching(why),
  });

describe('a native call says why it is not to be had', () => {
  test('where the addon was removed', async () => {
    expect(await tell(installed('removed'), 'thrown(() => libc.getpagesize())')).toEqual(
      refusal(/no addon for linux-\w+ that loads here.*npm run build:native.*, getpagesize$/),
    );
  });

  test('where it is no shared object', async () => {
    const answer = await tell(installed('broken', 'no ELF'), 'thrown(() => libc.mlock(0n, 1))');
    expect(answer).toEqual(
      refusal(/no addon .* that loads here \(.*(too short|invalid ELF).*\); with .*, mlock$/),
    );
    expect(answer).toMatchObject({ cause: expect.stringMatching(/too short|invalid ELF/) });
  });

  test('where it was built for another C library', async () => {
    const bare = installed('musl-built');
    mkdirSync(join(bare, 'build/Release'), { recursive: true });
    cpSync(linkedElsewhere(), join(bare, 'build/Release/memprobe.node'));
    const answer = await tell(bare, 'thrown(() => libc.getpagesize())');
    expect(answer).toEqual(refusal(/no addon .* that loads here \(libc\.musl-x86_64\.so\.1: .*\); with /));
    expect(answer).toMatchObject({ cause: expect.stringContaining('libc.musl-x86_64.so.1') });
  });

  test('where Node was told to load none', async () => {
    expect(await tell(root, 'thrown(() => libc.getpagesize())', '', ['--no-addons'])).toEqual(
      refusal(/Node loads no addons here: not with --no-addons.*, getpagesize$/),
    );
  });

  test.each(['darwin', 'win32'])('on %s', async (platform) => {
    const pretend = `Object.defineProperty(process, 'platform', { value: '${platform}' });`;
    expect(await tell(installed(platform), 'thrown(() => libc.getpagesize())', pretend)).toEqual(
      refusal(new RegExp(`Linux's, and this is ${platform}`)),
    );
  });

  test('and where Node itself runs on musl', async () => {
    const pretend = `const { header, ...rest } = process.report.getReport();
      const { glibcVersionRuntime, glibcVersionCompiler, ...musl } = header;
      process.report.getReport = () => ({ ...rest, header: musl });`;
    expect(await tell(installed('musl'), 'thrown(() => libc.getpagesize())', pretend)).toEqual(
      refusal(/need glibc, and this Node runs on another C library/),
    );
  });
});

test('doctor says so, in one problem rather than one for each call', async () => {
  const bare = installed('doctor');
  const args = [join(bare, 'dist/cli/main.js'), 'doctor', '--json'];
  const { code, stdout } = await collectText(process.execPath, args, { env });
  const { ok, checks }: Diagnosis = JSON.parse(stdout);
  expect([code, ok]).toEqual([3, false]);
  const addon = checks.find(({ id }) => id === 'addon');
  expect(addon).toMatchObject({ health: 'missing', found: expect.stringContaining('build:native') });
  expect(checks.filter(({ id }) => id.startsWith('call.'))).toEqual([]);
});

/** What needs no addon, by its tests: they pass without one. */
const PURE = [
  'test/doctor/settings.test.ts',
  'test/explain/attribute.test.ts',
  'test/explain/judge.test.ts',
  'test/explain/render.test.ts',
  'test/procfs/maps.test.ts',
  'test/procfs/meminfo.test.ts',
  'test/procfs/parsers.test.ts',
  'test/procfs/pressure.test.ts',
  'test/procfs/status.test.ts',
  'test/procfs/vmstat.test.ts',
  'test/mtrace/agreement.test.ts',
  'test/mtrace/live.test.ts',
  'test/mtrace/parser.test.ts',
  'test/mtrace/symbolize.test.ts',
];

test('the pure-TypeScript parts pass their tests', { timeout: 300_000 }, async () => {
  for (const path of PURE) expect(existsSync(join(root, path)), path).toBe(true);
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...PURE];
  const { code, stdout } = await collectText(process.execPath, [...args, '--reporter=default'], {
    cwd: root,
    env: { ...env, MEMPROBE_ADDON: join(directory, 'nowhere.node') },
    timeout: 290_000,
  });
  expect(code, stdout).toBe(0);
});
