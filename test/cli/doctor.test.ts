/** `memprobe doctor`, as it is installed: here, under a seccomp filter, and on a Node that opens no inspector. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check, Diagnosis } from '../../lib/index.js';
import { isRoot } from '../helpers/child.js';
import { callNumber, compileSeccomp } from '../helpers/seccomp.js';
import { CLI, collectText, type Ended, memprobe } from '../helpers/command.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-doctor-'));
afterAll(() => rmSync(directory, { recursive: true }));

const doctor = (args: string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  memprobe(['doctor', ...args], { env });

const checkOf = ({ stdout }: Ended, id: string): Check | undefined => {
  const { checks }: Diagnosis = JSON.parse(stdout);
  return checks.find((check) => check.id === id);
};

describe('memprobe doctor', () => {
  test('every prerequisite is checked, with figures for programs', async () => {
    const { stdout, stderr } = await doctor(['--json']);
    expect(stderr).toBe('');
    const { version, ok, checks }: Diagnosis = JSON.parse(stdout);
    expect(version).toBe(1);
    expect(ok).toBe(checks.every(({ health }) => health === 'ok' || health === 'notice'));
    const ids =
      'node kernel glibc addon malloc_debug call.mseal call.mbind call.PROCMAP_QUERY limit.memlock limit.mappings limit.thp ' +
      'limit.overcommit limit.cgroup ptrace inspector';
    expect(checks.map(({ id }) => id)).toEqual(expect.arrayContaining(ids.split(' ')));
    for (const { health, costs, remedy } of checks) {
      if (health !== 'ok') expect([costs, remedy]).toEqual([expect.any(String), expect.any(String)]);
    }
  });

  test('is at most a screen, and --verbose tells each check', async () => {
    const brief = await doctor();
    expect(brief.stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(24);
    expect(Math.max(...brief.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect((await doctor(['--verbose'])).stdout).toContain('mseal: ');
  });

  test('the exit code is 0 where all is well, 3 where something lacks, 2 for a wrong option', async () => {
    const { code, stdout } = await doctor(['--json']);
    const { ok }: Diagnosis = JSON.parse(stdout);
    expect(code).toBe(ok ? 0 : 3);
    expect((await doctor(['--nonsense'])).code).toBe(2);
  });

  test('a user without rights sees the limit on locked memory', async (context) => {
    if (!isRoot) context.skip('only root can become someone else');
    const result = await memprobe(['doctor', '--json'], { uid: 65534 });
    const { found, values } = checkOf(result, 'limit.memlock') ?? {};
    expect([values?.exempt, found]).toEqual([false, expect.stringMatching(/RLIMIT_MEMLOCK|no limit/)]);
  });

  test('an inspector that is turned off is told with the flag', async () => {
    const hasFlag = process.allowedNodeEnvironmentFlags.has('--disable-sigusr1');
    const permission = ['--experimental-permission', '--allow-fs-read=*', '--allow-addons'];
    const args = hasFlag ? ['--disable-sigusr1'] : permission;
    const result = await collectText(process.execPath, [...args, CLI, 'doctor', '--json']);
    expect(result.code).toBe(3);
    expect(checkOf(result, 'inspector')).toMatchObject({
      health: 'refused',
      found: expect.stringContaining(args[0] ?? ''),
    });
  });
});

describe('under a seccomp filter', () => {
  let seccomp = '';
  const numbers = (names: string[]): string => names.map((name) => callNumber(directory, name)).join(',');
  beforeAll(() => void (seccomp = compileSeccomp(directory)));

  const filtered = (action: number, calls: string[], args: string[] = ['--json']): Promise<Ended> =>
    collectText(seccomp, [String(action), numbers(calls), process.execPath, CLI, 'doctor', ...args]);

  test('calls that it refuses are not taken for missing ones, and the text tells them once', async () => {
    const result = await filtered(1, ['mbind', 'set_mempolicy', 'get_mempolicy']);
    expect(result.code).toBe(3);
    for (const id of ['call.mbind', 'call.set_mempolicy', 'call.get_mempolicy']) {
      expect(checkOf(result, id)).toMatchObject({
        health: 'refused',
        found: expect.stringContaining('seccomp filter answers EPERM'),
        values: { error: 'EPERM' },
      });
    }
    expect(checkOf(result, 'call.memfd_create')?.health).toBe('ok');
    const { stdout } = await filtered(1, ['mbind', 'set_mempolicy', 'get_mempolicy'], []);
    expect(stdout).toMatch(/^refused {2}mbind, set_mempolicy, get_mempolicy/m);
    expect(stdout.match(/seccomp filter/g)?.length).toBeLessThanOrEqual(2);
  });

  test('a filter that answers ENOSYS is told from an old kernel', async () => {
    const ENOSYS = 38;
    const result = await filtered(ENOSYS, ['process_vm_readv']);
    expect(checkOf(result, 'call.process_vm_readv')).toMatchObject({ health: 'refused' });
  });

  test('a filter that kills kills no doctor', async () => {
    const result = await filtered(0, ['move_pages', 'mbind']);
    expect(result.code).toBe(3);
    expect(checkOf(result, 'call.move_pages')).toMatchObject({ values: { error: 'SIGSYS' } });
  });
});
