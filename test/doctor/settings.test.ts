/** Limits and settings, read from files of other machines than this one. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkCgroup } from '../../lib/doctor/cgroup.js';
import { Files } from '../../lib/doctor/check.js';
import {
  checkHugePages,
  checkMapCount,
  checkMemlock,
  checkOvercommit,
  checkPtrace,
} from '../../lib/doctor/limits.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-doctor-'));
afterAll(() => rmSync(directory, { recursive: true }));

function machine(files: Record<string, string>): Files {
  const root = mkdtempSync(join(directory, 'root-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return new Files(root);
}

const MiB = 2 ** 20;
const nobody = { '/proc/self/status': 'CapEff:\t0000000000000000' };
const root = { '/proc/self/status': 'CapEff:\t000001ffffffffff' };

describe('locked memory', () => {
  const limits = { '/proc/self/limits': 'Max locked memory         8388608   8388608   bytes     ' };

  test('is limited for who has no capability', () => {
    const check = checkMemlock(machine({ ...nobody, ...limits }));
    expect(check).toMatchObject({ health: 'notice', values: { limit: 8 * MiB, exempt: false } });
    expect(check.found).toContain('8.0 MiB');
  });

  test('is not for root, and not where the limit is lifted', () => {
    expect(checkMemlock(machine({ ...root, ...limits })).health).toBe('ok');
    const lifted = { '/proc/self/limits': 'Max locked memory         unlimited  unlimited  bytes' };
    expect(checkMemlock(machine({ ...nobody, ...lifted })).values).toEqual({ limit: null, exempt: false });
  });
});

test.each([
  [65530, 100, 'ok'],
  [100, 80, 'notice'],
])('of %i mappings %i are in use: %s', (limit, used, health) => {
  const maps = Array.from({ length: used }, () => '1000-2000 r--p').join('\n');
  const check = checkMapCount(machine({ '/proc/sys/vm/max_map_count': `${limit}`, '/proc/self/maps': maps }));
  expect(check).toMatchObject({ health, values: { limit, used } });
});

test.each([
  ['always [madvise] never', 'madvise', 'ok'],
  ['[always] madvise never', 'always', 'notice'],
  ['always madvise [never]', 'never', 'notice'],
])('huge pages %s: %s', (text, mode, health) => {
  const check = checkHugePages(machine({ '/sys/kernel/mm/transparent_hugepage/enabled': text }));
  expect(check).toMatchObject({ health, values: { mode } });
});

test('a kernel without huge pages is told', () => {
  expect(checkHugePages(machine({}))).toMatchObject({ health: 'notice', values: { mode: null } });
});

test.each([
  ['0', 'ok'],
  ['1', 'ok'],
  ['2', 'notice'],
])('overcommit %s: %s', (mode, health) => {
  const check = checkOvercommit(machine({ '/proc/sys/vm/overcommit_memory': mode }));
  expect(check).toMatchObject({ health, values: { mode: Number(mode) } });
});

describe('other processes', () => {
  const scope = (value: string): Record<string, string> => ({
    '/proc/sys/kernel/yama/ptrace_scope': value,
  });

  test.each([
    ['0', nobody, 'ok'],
    ['1', nobody, 'notice'],
    ['1', root, 'ok'],
    ['2', nobody, 'refused'],
    ['2', root, 'ok'],
    ['3', root, 'refused'],
  ])('ptrace_scope %s', (value, user, health) => {
    expect(checkPtrace(machine({ ...scope(value), ...user })).health).toBe(health);
  });

  test('without Yama are readable', () => {
    expect(checkPtrace(machine(nobody)).health).toBe('ok');
  });
});

describe('cgroup', () => {
  const v2 = (path: string, max: string, current = '0'): Record<string, string> => ({
    [`/sys/fs/cgroup${path}/memory.max`]: max,
    [`/sys/fs/cgroup${path}/memory.current`]: current,
  });

  test('the smallest limit on the way to the root counts', () => {
    const files = machine({
      '/proc/self/cgroup': '0::/a/b/c',
      ...v2('/a', String(64 * MiB), String(60 * MiB)),
      ...v2('/a/b', String(512 * MiB), String(MiB)),
      ...v2('/a/b/c', 'max'),
    });
    expect(checkCgroup(files)).toMatchObject({
      health: 'notice',
      found: '60.0 MiB of 64.0 MiB (version 2)',
      values: { version: 2, limit: 64 * MiB, used: 60 * MiB },
    });
  });

  test('in a container the mount is the group itself', () => {
    const files = machine({ '/proc/self/cgroup': '0::/', ...v2('/', String(512 * MiB), String(MiB)) });
    expect(checkCgroup(files)).toMatchObject({ health: 'ok', values: { limit: 512 * MiB } });
    const shown = machine({ '/proc/self/cgroup': '0::/../../x', ...v2('/', String(512 * MiB)) });
    expect(checkCgroup(shown).values).toMatchObject({ limit: 512 * MiB });
  });

  test('version 1 beside an empty version 2', () => {
    const files = machine({
      '/proc/self/cgroup': '9:name=systemd:/\n4:memory:/app\n1:cpu,cpuacct:/\n0::/',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
      '/sys/fs/cgroup/memory/app/memory.limit_in_bytes': String(256 * MiB),
      '/sys/fs/cgroup/memory/app/memory.usage_in_bytes': String(10 * MiB),
    });
    expect(checkCgroup(files).values).toEqual({ version: 1, limit: 256 * MiB, used: 10 * MiB });
  });

  test('no limit, or no cgroups at all', () => {
    const files = machine({ '/proc/self/cgroup': '0::/a', ...v2('/a', 'max') });
    expect(checkCgroup(files)).toMatchObject({ health: 'ok', values: { version: 2, limit: null } });
    expect(checkCgroup(machine({}))).toMatchObject({ health: 'ok', values: { version: null } });
  });
});
