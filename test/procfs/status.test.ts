import { describe, expect, it } from 'vitest';
import { parseStatus, readStatus } from '../../lib/procfs/status.js';
import { bytesOf, fixture } from './support.js';

describe('parseStatus', () => {
  it('gives sizes in bytes, ids and counts as numbers, and masks as text', () => {
    expect(parseStatus(fixture('linux-4.4/1/status'))).toMatchObject({
      Uid: [1000, 1001, 1002, 1003],
      Groups: [4, 24],
      VmRSS: 836 * 1024,
      HugetlbPages: 0,
      Threads: 1,
      State: 'S (sleeping)',
      SigQ: '0/15689',
      SigPnd: '0000000000000000',
      Cpus_allowed: '3',
      voluntary_ctxt_switches: 12,
    });
  });

  it('undoes the escapes in the name', () => {
    expect(parseStatus(fixture('linux-4.4/1/status')).Name).toBe('odd \\ name\n2');
  });

  it('leaves out what an older kernel, a kernel thread and a zombie do not have', () => {
    expect(parseStatus(fixture('linux-4.4/1/status'))).not.toHaveProperty('RssAnon');
    expect(parseStatus(fixture('linux-6.18/2/status'))).not.toHaveProperty('VmRSS');
    expect(parseStatus(fixture('linux-6.18/2/status'))).toMatchObject({
      Name: 'kthreadd',
      Kthread: 1,
      Groups: [],
    });
    expect(parseStatus(fixture('linux-6.18/101/status'))).toMatchObject({ State: 'Z (zombie)' });
  });

  it('keeps unknown fields: sizes as bytes, the rest as text', () => {
    const status = parseStatus(bytesOf('VmNew:\t 3 kB\nFlavour:\tsweet 1\nPid:\tmany\n'));
    expect(status).toEqual({ VmNew: 3072, Flavour: 'sweet 1', Pid: 'many' });
  });

  it('names a malformed line', () => {
    expect(() => parseStatus(bytesOf('Name:\ta\nwhat'))).toThrow(
      expect.objectContaining({ line: 2, text: 'what' }),
    );
  });
});

describe('readStatus', () => {
  it('is about this process', async () => {
    const status = await readStatus();
    expect(status).toMatchObject({
      Pid: process.pid,
      PPid: process.ppid,
      Uid: expect.arrayContaining([process.getuid?.()]),
    });
    expect(status.VmRSS).toBeGreaterThan(1 << 20);
    expect(status.VmRSS).toBeLessThanOrEqual(status.VmHWM ?? 0);
  });
});
