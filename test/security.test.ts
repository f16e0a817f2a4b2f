/** What memprobe promises to those who let it into their programs; of single refusals see attach/refusals.test.ts. */
import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attach } from '../lib/attach/index.js';
import { ownedBy, readListening } from '../lib/attach/sockets.js';
import { native } from '../lib/native.js';
import { findMallocDebug } from '../lib/malloc_debug.js';
import { IDLE, ports, startNode } from './attach/helpers.js';
import { isRoot, underSanitizer } from './helpers/child.js';
import { memprobe } from './helpers/command.js';
import { runNode } from './libc/preloaded.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-security-'));
afterAll(() => rmSync(directory, { recursive: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('an inspector that attach opens', () => {
  test('listens on the loopback interface alone, and not a moment longer than it is needed', async () => {
    await using target = await startNode(IDLE);
    const attachment = await attach(target.pid);
    const open = await ownedBy(target.pid, await readListening(target.pid));
    expect(open.map(({ address }) => address)).toEqual(['127.0.0.1']);
    await attachment.close();
    expect(await ports(target.pid)).toEqual([]);
  });

  test('is not opened where the program would have it listen elsewhere', async () => {
    await using target = await startNode(IDLE, { args: ['--inspect-port=0.0.0.0:0'] });
    await expect(attach(target.pid)).rejects.toMatchObject({ code: 'ERR_MEMPROBE_ATTACH_ADDRESS' });
    expect(await ports(target.pid)).toEqual([]);
  });
});

describe("another user's process", () => {
  test('is refused with its owner and what would help, attached or from outside', async (context) => {
    if (!isRoot) context.skip('only root can become someone else');
    await using target = await startNode(IDLE);
    for (const how of ['--attach', '--no-attach']) {
      const { code, stderr } = await memprobe(['explain', '--pid', String(target.pid), how], { uid: 65534 });
      expect([how, code]).toEqual([how, 1]);
      expect(stderr).toMatch(/root|permission|EACCES/i);
    }
    expect(target.isRunning).toBe(true);
    expect(await ports(target.pid)).toEqual([]);
  });
});

test('no call reads or writes the memory of another process', () => {
  const named = native
    .describe()
    .filter(({ signature }) => /\bpid/.test(signature))
    .map(({ name }) => name);
  // Advice, and where pages lie: neither gives away a byte of what is in them.
  const contentless = ['process_madvise', 'move_pages', 'migrate_pages'];
  expect(named.filter((name) => !contentless.includes(name)).filter((name) => !TOOLS.has(name))).toEqual([]);
  for (const name of ['peek', 'poke', 'view']) {
    expect(native.describe().find((call) => call.name === name)?.signature).not.toMatch(/pid/);
  }
});

/** For the tools: figures of a process's mappings and heaps, from /proc, to those whom the kernel lets read them. */
const TOOLS = new Set(
  native
    .describe()
    .filter(({ header }) => header === undefined)
    .map(({ name }) => name),
);

describe('memprobe explain -- program', () => {
  test('talks over a socket for this user alone, in a private directory that goes away', async () => {
    const parent = mkdtempSync(join(directory, 'tmp-'));
    const program = `
      const { readdirSync, statSync } = require('node:fs');
      const mode = (path) => (statSync(path).mode & 0o777).toString(8);
      const [name] = readdirSync(process.env.TMPDIR).filter((each) => each.startsWith('memprobe-'));
      const inside = process.env.TMPDIR + '/' + name;
      console.log(mode(inside), readdirSync(inside).map((each) => mode(inside + '/' + each)).join());`;
    const env = { TMPDIR: parent };
    const { stdout } = await memprobe(['explain', '--', process.execPath, '-e', program], { env });
    expect(stdout.split('\n')[0]).toMatch(/^700 600(,600)*$/);
    expect(readdirSync(parent)).toEqual([]);
  });
});

describe('logs of allocations', () => {
  let victim = '';
  beforeAll(() => {
    victim = join(directory, 'victim');
    writeFileSync(victim, 'precious', { mode: 0o644 });
  });
  const available = !underSanitizer && findMallocDebug() !== undefined;
  const why = 'libc_malloc_debug.so.0 does not act here';

  test('of mtrace are for their owner alone, also where the file was there', async (context) => {
    if (!available) context.skip(why);
    const [fresh, old] = [join(directory, 'fresh.log'), join(directory, 'old.log')];
    writeFileSync(old, 'old', { mode: 0o666 });
    const code = `process.umask(0);
      for (const path of ${JSON.stringify([fresh, old])}) { c.mtrace(path); c.free(c.malloc(10)); c.muntrace(); }`;
    expect((await runNode(code, {})).code).toBe(0);
    expect([modeOf(fresh), modeOf(old)]).toEqual([0o600, 0o600]);
  });

  test('of mtrace never go through a symbolic or a hard link', async (context) => {
    if (!available) context.skip(why);
    const [soft, hard] = [join(directory, 'soft.log'), join(directory, 'hard.log')];
    symlinkSync(victim, soft);
    linkSync(victim, hard);
    const code = `for (const path of ${JSON.stringify([soft, hard])}) tell(failure(() => c.mtrace(path)));`;
    const { told } = await runNode(code, {});
    expect(told).toMatchObject([{ code: 'ERR_MEMPROBE_BAD_FILE' }, { code: 'ERR_MEMPROBE_BAD_FILE' }]);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    rmSync(hard);
  });

  test('of memprobe run --mtrace and leaks --output neither, and they are private', async (context) => {
    if (!available) context.skip(why);
    const link = join(directory, 'link.log');
    const hard = join(directory, 'other-name.log');
    symlinkSync(victim, link);
    linkSync(victim, hard);
    const { code, stderr } = await memprobe(['trace', '--output', hard, '--', 'perl', '-e', '1']);
    expect([code, stderr, readFileSync(victim, 'utf8')]).toEqual([
      1,
      expect.stringContaining('hard link'),
      'precious',
    ]);
    rmSync(hard);
    const leaks = await memprobe(['leaks', '--output', link, '--', 'perl', '-e', '1']);
    expect([leaks.code, leaks.stderr]).toEqual([1, expect.stringContaining('symbolic link')]);
    await memprobe(['run', '--mtrace', link, '--', 'perl', '-e', '1']);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    const log = join(directory, 'kept.log');
    expect((await memprobe(['leaks', '--output', log, '--', 'perl', '-e', '1'])).code).toBe(0);
    expect(modeOf(log)).toBe(0o600);
  });
});

test('the page of memprobe compare --html is for its owner alone, and never written through a symbolic link', async () => {
  const [log, page, link, victim] = [1, 2, 3, 4].map((name) => join(directory, `page-${name}`));
  if (!log || !page || !link || !victim) throw new Error('no names');
  writeFileSync(log, '= Start\n@ /x:[0x1] + 0x1000 0x10\n@ /x:[0x1] - 0x1000\n= End\n');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, link);
  const refused = await memprobe(['compare', log, '--html', link]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/symbolic link.*--html/)]);
  expect(readFileSync(victim, 'utf8')).toBe('precious');
  expect((await memprobe(['compare', log, '--html', page])).code).toBe(0);
  expect(modeOf(page)).toBe(0o600);
});
