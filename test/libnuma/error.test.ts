import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as numa from '../../lib/libnuma/index.js';
import { expectRefused, expectTypeError, thrown } from '../helpers/errors.js';
import { callNumber, compileSeccomp } from '../helpers/seccomp.js';
import { describeLibnuma, program } from './helpers.js';

describeLibnuma('libnuma’s complaints', () => {
  test('numa_error is an exception', () => {
    expectRefused('ERR_MEMPROBE_NUMA', 'numa_error', () => numa.numa_error('something of some length'));
    for (const where of ['', 'own.c'])
      expect(thrown(() => numa.numa_error(where))).toMatchObject({ code: 'ERR_MEMPROBE_NUMA' });
    expectTypeError('where', () => Reflect.apply(numa.numa_error, undefined, []));
  });

  test('numa_warn is a warning of the process, and nothing of its own on stderr', async () => {
    expect(
      await program(`
        const { stderr } = process; const wrote = []; stderr.write = (text) => { wrote.push(text); return true; };
        process.removeAllListeners('warning');
        process.on('warning', ({ name, message }) => say([name, message, wrote]));
        numa.numa_warn(1, '100%s of it');`),
    ).toEqual([['LibnumaWarning', '100%s of it', []]]);
  });

  test('numa_exit_on_error and numa_exit_on_warn never end the process; the latter makes exceptions', async () => {
    expect(
      await program(`
        say([numa.numa_exit_on_error(), numa.numa_exit_on_error(1), numa.numa_exit_on_warn(1), numa.numa_exit_on_warn()]);
        process.on('warning', () => say('warned'));
        say([outcome(() => numa.numa_set_membind([])), outcome(() => numa.numa_error('x')), outcome(() => numa.numa_warn(1, 'x')),
          outcome(() => numa.numa_parse_nodestring('x'))]);
        numa.numa_exit_on_warn(0);
        say(numa.numa_parse_nodestring('y'));`),
    ).toEqual([
      [0, 1, 1, 1],
      ['EINVAL', 'ERR_MEMPROBE_NUMA', 'ERR_MEMPROBE_NUMA', 'ERR_MEMPROBE_NUMA'],
      null,
      'warned',
    ]);
  });

  test('one call’s complaint is not the next one’s', async () => {
    expect(
      await program(
        `say(outcome(() => numa.numa_set_membind([]))); say(outcome(() => numa.numa_set_localalloc()));`,
      ),
    ).toEqual(['EINVAL', 'ok']);
  });

  test('where another library has loaded libnuma before, errno makes the exceptions', async () => {
    expect(
      await program(
        `say([outcome(() => numa.numa_set_membind([])), outcome(() => numa.numa_set_localalloc()),
          outcome(() => numa.numa_tonode_memory(anonymous(4096) + 1n, 4096, 0)),
          outcome(() => numa.numa_bind([...numa.numa_get_mems_allowed()])), outcome(() => numa.numa_free(numa.numa_alloc_onnode(4096, 0), 4096)),
          outcome(() => numa.numa_error('x'))]);`,
        { before: 'export LD_PRELOAD="$LD_PRELOAD libnuma.so.1"' },
      ),
    ).toEqual([['EINVAL', 'ok', 'EINVAL', 'ok', 'ok', 'ERR_MEMPROBE_NUMA']]);
  });

  test('a seccomp filter’s EPERM says so, a kernel without NUMA too, and both differ', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'memprobe-numa-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const seccomp = compileSeccomp(directory);
    const calls = ['mbind', 'set_mempolicy', 'get_mempolicy', 'move_pages', 'migrate_pages'].map((name) =>
      callNumber(directory, name),
    );
    const ask = (errno: number): Promise<unknown[]> =>
      program(
        `const told = (call) => { try { return call(); } catch ({ code, message }) { return code + ' ' + message; } };
         say(told(() => numa.numa_set_membind([0]))); say(told(() => numa.numa_alloc_onnode(4096, 0)));
         say(told(() => numa.numa_move_pages(0, [0n], null, 0))); say(numa.numa_available());`,
        { before: `set -- ${seccomp} ${errno} ${calls.join(',')} "$@"` },
      );
    for (const text of (await ask(1)).slice(0, 3))
      expect(text).toMatch(/^EPERM .*seccomp filter.*CAP_SYS_NICE/);
    const none = await ask(38);
    for (const text of none.slice(0, 3))
      expect(text).toMatch(/^ERR_MEMPROBE_UNSUPPORTED .*no NUMA.*CONFIG_NUMA/);
    expect(none[3]).toBe(-1);
  });
});
