import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { findMapping } from '../../lib/procfs/find.js';
import { readMaps } from '../../lib/procfs/maps.js';
import { readMeminfo } from '../../lib/procfs/meminfo.js';
import { readSmaps } from '../../lib/procfs/smaps.js';
import { readSmapsRollup } from '../../lib/procfs/smaps_rollup.js';
import { readTaskStacks } from '../../lib/procfs/stacks.js';
import { readStatm } from '../../lib/procfs/statm.js';
import { readStatus } from '../../lib/procfs/status.js';
import { ZOMBIE } from '../helpers/zombie.js';
import { spawnWithMappings, stop } from './support.js';

const directory = mkdtempSync(`${tmpdir()}/memprobe-errors-`);
afterAll(() => rmSync(directory, { recursive: true }));

const readers = { readMaps, readSmaps, readSmapsRollup, readStatm, readStatus, readTaskStacks };
const isRoot = process.getuid?.() === 0;

/** Runs a reader as nobody (on a procfs of its own, where `mount` says so) and gives back what it rejected with. */
function asNobody(call: string, mount?: string): Record<string, unknown> {
  const script = `
    const { readSmaps } = await import('./lib/procfs/smaps.js');
    const { readStatus } = await import('./lib/procfs/status.js');
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    await ${call}.then(() => console.log('{}'), ({ code, errno, syscall, message }) =>
      console.log(JSON.stringify({ code, errno, syscall, message })));`;
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
  const command =
    mount === undefined ? node : ['unshare', '--mount', 'sh', '-c', `${mount} && exec "$@"`, 'sh', ...node];
  const { stdout, stderr } = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

function canMountProc(): boolean {
  return isRoot && spawnSync('unshare', ['--mount', 'mount', '-t', 'proc', 'proc', directory]).status === 0;
}

describe.each(Object.entries(readers))('%s', (_, read) => {
  it('says ESRCH, in the shape of a system error, for a process that has gone', async () => {
    const child = await spawnWithMappings(2);
    await stop(child);
    await expect(read({ pid: child.pid })).rejects.toMatchObject({
      code: 'ESRCH',
      errno: -3,
      syscall: 'read',
      message: expect.stringContaining(`there is no process ${child.pid}`),
    });
  });

  it.each([
    ['1', TypeError, 'ERR_INVALID_ARG_TYPE'],
    [null, TypeError, 'ERR_INVALID_ARG_TYPE'],
    [0, RangeError, 'ERR_OUT_OF_RANGE'],
    [-1, RangeError, 'ERR_OUT_OF_RANGE'],
    [1.5, RangeError, 'ERR_OUT_OF_RANGE'],
    [2 ** 31, RangeError, 'ERR_OUT_OF_RANGE'],
  ])('refuses the pid %s', async (pid, kind, code) => {
    // @ts-expect-error the point is a wrong type
    const error: unknown = await read({ pid }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ code, message: expect.stringContaining('"pid"') });
  });

  it('says so when no procfs is mounted', async () => {
    await expect(read({ root: directory, pid: 1 })).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining(`mount -t proc proc ${directory}`),
    });
  });
});

describe('options that a reader does not know', () => {
  it.each(Object.entries(readers))('%s names them, instead of reading something else', async (_, read) => {
    // @ts-expect-error: no such option
    await expect(read({ PID: 1 })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('options.PID'),
    });
    // @ts-expect-error: a pid is an option
    await expect(read(1)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('an error of the kernel', () => {
  it('is explained for findMapping and for files of the whole machine, too', async () => {
    const child = await spawnWithMappings(2);
    await stop(child);
    await expect(findMapping(0n, { pid: child.pid })).rejects.toMatchObject({ code: 'ESRCH', errno: -3 });
    await expect(readMeminfo({ root: directory })).rejects.toMatchObject({ code: 'ENOENT', errno: -2 });
  });

  it.skipIf(!isRoot)('names the owner of a foreign process and what would help', () => {
    const error = asNobody(`readSmaps({ pid: ${process.pid} })`);
    expect(error).toMatchObject({ code: 'EACCES', errno: -13, syscall: 'read' });
    expect(error.message).toMatch(/belongs to root \(uid 0\), this one runs as uid 65534: .*CAP_SYS_PTRACE/);
  });

  it.skipIf(!canMountProc())('says that a process is hidden, not that it does not exist', () => {
    const call = `readStatus({ pid: ${process.pid}, root: '${directory}' })`;
    const error = asNobody(call, `mount -t proc -o hidepid=2 proc ${directory}`);
    expect(error).toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(/exists but .* hides it .*hidepid/),
    });
  });

  it('says that a zombie has no memory of its own', async () => {
    const parent = spawn('python3', ['-c', ZOMBIE], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = await once(parent.stdout, 'data');
      const pid = Number(line);
      expect((await readStatus({ pid })).State).toMatch(/^Z/);
      await expect(readSmapsRollup({ pid })).rejects.toMatchObject({
        code: 'ESRCH',
        message: expect.stringContaining('no memory of its own'),
      });
      expect((await readSmaps({ pid })).length).toBe(0);
      expect(await readMaps({ pid })).toEqual([]);
      expect(await readStatm({ pid })).toMatchObject({ size: 0, resident: 0 });
    } finally {
      await stop(parent);
    }
  });
});
