/** What an answer of the kernel, or of a filter before it, means. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { judgeCall } from '../../lib/doctor/calls.js';
import { native } from '../../lib/native.js';

const free = { release: '6.1.0-18-amd64', seccomp: false };
const filtered = { release: '6.1.0-18-amd64', seccomp: true };
const answer = (error: string, since = ''): { call: string; since: string; error: string } => ({
  call: 'mbind',
  since,
  error,
});

describe('a call that fails', () => {
  test.each([
    ['is missing where the kernel is older', answer('ENOSYS', 'Linux 6.10'), free, 'missing', 'older than'],
    ['even under a filter', answer('ENOSYS', 'Linux 6.10'), filtered, 'missing', 'older than'],
    ['an advice too', answer('EINVAL', 'Linux 6.13'), free, 'missing', 'Linux 6.13'],
    ['10 is more than 9', answer('ENOSYS', 'Linux 5.17'), { ...free, release: '5.9.1' }, 'missing', 'older'],
    ['is refused where a filter is there', answer('EPERM', 'Linux 5.1'), filtered, 'refused', 'seccomp'],
    ['with whatever number', answer('ENOSYS'), filtered, 'refused', 'ENOSYS'],
    ['or death', answer('SIGSYS'), filtered, 'refused', 'ends the process with SIGSYS'],
    ['is left out of a new kernel', answer('ENOSYS', 'Linux 5.1'), free, 'missing', 'built without'],
    ['is refused by something else', answer('EPERM'), free, 'refused', 'no seccomp filter'],
  ])('%s', (_, given, where, health, found) => {
    const check = judgeCall(given, where);
    expect(check).toMatchObject({ id: 'call.mbind', health, found: expect.stringContaining(found) });
    expect(check.costs).toContain('NUMA');
    expect(check.remedy).toBeTruthy();
  });

  test('says how a container runtime allows it', () => {
    expect(judgeCall(answer('EPERM'), filtered).remedy).toContain('--cap-add SYS_NICE');
  });
});

test('a call that works costs nothing', () => {
  expect(judgeCall(answer(''), filtered)).toEqual({
    id: 'call.mbind',
    title: 'mbind',
    health: 'ok',
    found: 'works',
    values: { error: null, since: null },
  });
});

test('asking leaves no mapping, descriptor or child behind', async () => {
  await native.promises.probe_calls();
  const before = traces();
  const answers = await native.promises.probe_calls();
  expect(answers.map(({ call }) => call)).toEqual(
    expect.arrayContaining(['mseal', 'mbind', 'PROCMAP_QUERY']),
  );
  expect(traces()).toEqual(before);
});

/** What a probe that ran in this process would leave: mseal a mapping for ever, memfd_create a descriptor. */
function traces(): [sealed: number, memfds: number, children: string] {
  const sealed = readFileSync('/proc/self/smaps', 'latin1').match(/^VmFlags:.* sl/gm)?.length ?? 0;
  const memfds = readdirSync('/proc/self/fd').filter((fd) => linkOf(fd).includes('memfd:memprobe')).length;
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1');
  return [sealed, memfds, children];
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the one that listed them
  }
}
