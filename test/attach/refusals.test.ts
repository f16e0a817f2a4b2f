import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { attach } from '../../lib/attach/index.js';
import { ZOMBIE } from '../helpers/zombie.js';
import {
  childrenOf,
  IDLE,
  isRoot,
  nodes,
  READY,
  type Started,
  start,
  startNode,
  stopped,
} from './helpers.js';

const refusal = (failure: string, message: RegExp) =>
  expect.objectContaining({
    name: 'AttachError',
    code: `ERR_MEMPROBE_ATTACH_${failure}`,
    message: expect.stringMatching(message),
  });

async function refuses(pid: number, failure: string, message: RegExp): Promise<void> {
  await expect(attach(pid)).rejects.toEqual(refusal(failure, message));
}

/** A refused process has not been signalled: it lives, and a handler of its own has not run. */
async function isUnharmed(target: Started): Promise<void> {
  await sleep(50);
  expect(target.isRunning).toBe(true);
  expect(target.stdout).not.toContain('got it');
}

describe('a pid', () => {
  test('that is no number is a TypeError, one that is out of range a RangeError', async () => {
    const odd: unknown = '12';
    // @ts-expect-error a string is what a caller without types may pass
    await expect(attach(odd)).rejects.toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    for (const pid of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      await expect(attach(pid)).rejects.toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    }
  });

  test('of nobody', () => refuses(2 ** 22, 'NO_PROCESS', /no process 4194304/));

  test('of this process', () => refuses(process.pid, 'SELF', /use explain\(\)/));

  test('of a thread names the process', async () => {
    await using target = await startNode(IDLE);
    const thread = readdirSync(`/proc/${target.pid}/task`)
      .map(Number)
      .find((id) => id !== target.pid)!;
    await refuses(thread, 'NOT_A_PROCESS', new RegExp(`thread of process ${target.pid}`));
  });

  test('of a zombie', async () => {
    await using parent = start('python3', ['-c', ZOMBIE]);
    await parent.printed('\n');
    await refuses(Number(parent.stdout), 'NOT_A_PROCESS', new RegExp(`zombie: its parent, ${parent.pid}`));
  });

  const hasKernelThreads =
    existsSync('/proc/2/comm') && readFileSync('/proc/2/comm', 'utf8') === 'kthreadd\n';
  test.skipIf(!hasKernelThreads)('of a kernel thread', () =>
    refuses(2, 'NOT_A_PROCESS', /kernel thread \(kthreadd\)/),
  );
});

describe('a program that is not Node survives', () => {
  test('sleep, which SIGUSR1 would kill', async () => {
    await using target = start('sleep', ['60']);
    await expect.poll(() => readFileSync(`/proc/${target.pid}/comm`, 'utf8')).toBe('sleep\n');
    await refuses(target.pid, 'NOT_NODE', /\(sleep, .*sleep\) is not Node/);
    await isUnharmed(target);
  });

  test('a shell that catches SIGUSR1, even under the name node', async () => {
    await using target = start('bash', [
      '-c',
      'trap "echo got it" USR1; echo ready; while :; do sleep 0.1; done',
    ]);
    await target.printed('ready');
    await refuses(target.pid, 'NOT_NODE', /bash/);
    await isUnharmed(target);
  });

  const python = ['/usr/bin/python3', '/usr/local/bin/python3'].find((path) => existsSync(path));
  test.skipIf(!python)('python, with a SIGUSR1 handler', async () => {
    const source =
      'import signal, time; signal.signal(signal.SIGUSR1, lambda *_: print("got it", flush=True)); ' +
      'print("ready", flush=True); time.sleep(60)';
    await using target = start(python ?? '', ['-c', source]);
    await target.printed('ready');
    await refuses(target.pid, 'NOT_NODE', /python/);
    await isUnharmed(target);
  });
});

describe.each(nodes)('%s', (bin) => {
  test('a SIGUSR1 listener of the program is not called', async () => {
    const source = `process.on('SIGTERM', () => {}); process.on('SIGUSR1', () => console.log('got it')); ${IDLE}`;
    await using target = await startNode(source, { bin });
    await refuses(target.pid, 'OWN_HANDLER', /SIGUSR1 listener of its own/);
    await isUnharmed(target);
  });

  test('listeners for other signals do no harm', async () => {
    await using target = await startNode(
      `for (const s of ['SIGINT', 'SIGUSR2', 'SIGHUP']) process.on(s, () => {}); ${IDLE}`,
      { bin },
    );
    await using attachment = await attach(target.pid);
    expect(await attachment.evaluate('1')).toBe(1);
  });

  test('a process whose SIGUSR1 listener was removed would die of the signal, and lives', async () => {
    const source = `const f = () => {}; process.on('SIGUSR1', f); process.off('SIGUSR1', f); ${IDLE}`;
    await using target = await startNode(source, { bin });
    await refuses(target.pid, 'DISABLED', /removed a SIGUSR1 listener/);
    await isUnharmed(target);
  });

  const [major = 0] = /\d+/.exec(bin === process.execPath ? process.versions.node : '') ?? [22];
  test.skipIf(Number(major) < 22)(
    '--disable-sigusr1 is respected, with a listener of the program too',
    async () => {
      const args = ['--disable-sigusr1'];
      await using plain = await startNode(IDLE, { bin, args });
      await using own = await startNode(`process.on('SIGUSR1', () => console.log('got it')); ${IDLE}`, {
        bin,
        args,
      });
      await refuses(plain.pid, 'DISABLED', /--disable-sigusr1/);
      await refuses(own.pid, 'OWN_HANDLER', /of its own/);
      await isUnharmed(plain);
      await isUnharmed(own);
    },
  );

  test('a process that waits for a debugger has not begun', async () => {
    await using target = start(bin, ['--inspect-brk=0', '-e', '0']);
    await expect.poll(() => target.stderr).toContain('ws://');
    await refuses(target.pid, 'STOPPED', /waits for a debugger/);
    expect(target.isRunning).toBe(true);
  });

  test('a stopped process is not sent anything', async () => {
    await using target = await startNode(IDLE, { bin });
    await stopped(target);
    await refuses(target.pid, 'STOPPED', new RegExp(`kill -CONT ${target.pid}`));
    target.child.kill('SIGCONT');
    await isUnharmed(target);
    expect(target.stderr).toBe('');
  });

  test('a port that another process has is not talked to, and its owner is named', async () => {
    let connections = 0;
    await using server = createServer(() => (connections += 1)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await using target = await startNode(IDLE, { bin, args: [`--inspect-port=${port}`] });
    await refuses(
      target.pid,
      'PORT_TAKEN',
      new RegExp(`127.0.0.1:${port}, but process ${process.pid} .* listens there`),
    );
    expect(connections).toBe(0);
    expect(server.listening).toBe(true);
    expect(target.stderr).toBe('');
  });

  test('an inspector that would not be on the loopback interface', async () => {
    await using target = await startNode(IDLE, { bin, args: ['--inspect-port=192.0.2.1:9229'] });
    await refuses(target.pid, 'ADDRESS', /192\.0\.2\.1:9229/);
  });
});

describe.skipIf(!isRoot)('as root', () => {
  test('another user may not attach, and is told whose process it is', async () => {
    await using target = start(process.execPath, ['-e', `const fs = require('fs'); ${IDLE}`], {
      uid: 65_534,
    });
    await target.printed('ready');
    process.seteuid?.(65_533);
    try {
      await refuses(target.pid, 'DENIED', /belongs to .*65534.*, and uid 65533 may not/);
    } finally {
      process.seteuid?.(0);
    }
    await isUnharmed(target);
  });

  test('root may attach to the process of anybody', async () => {
    const args = ['--inspect-port=0', '-e', `const fs = require('fs'); ${IDLE}`];
    await using target = start(process.execPath, args, { uid: 65_534 });
    await target.printed('ready');
    await using attachment = await attach(target.pid);
    expect(await attachment.evaluate('process.getuid()')).toBe(65_534);
  });

  test('a network namespace of its own', async (context) => {
    await using target = await unshared(['--net'], context.skip);
    await refuses(target.pid, 'NAMESPACE', new RegExp(`nsenter --target ${target.pid} --net`));
    await isUnharmed(target);
  });

  test('a pid namespace of its own is no obstacle', async (context) => {
    await using parent = await unshared(['--pid', '--fork', '--kill-child'], context.skip);
    const [pid = 0] = childrenOf(parent.pid);
    await using attachment = await attach(pid);
    expect(await attachment.evaluate('process.pid')).toBe(1);
  });
});

/** A Node process in namespaces of its own; skips the test, aloud, where the kernel refuses. */
async function unshared(flags: string[], skip: (note: string) => void): Promise<Started> {
  const source = `const fs = require('fs'); ${READY} setInterval(() => {}, 1000)`;
  const started = start('unshare', [...flags, process.execPath, '--inspect-port=0', '-e', source]);
  return started.printed('ready').catch((error) => {
    skip(`unshare ${flags.join(' ')}: ${error}`);
    throw error;
  });
}
