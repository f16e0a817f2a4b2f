import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { attach } from '../../lib/attach/index.js';
import { childrenOf, IDLE, nodes, ports, READY, startNode, stopped, traces } from './helpers.js';

const failure = (name: string, message = /./) =>
  expect.objectContaining({ code: `ERR_MEMPROBE_ATTACH_${name}`, message: expect.stringMatching(message) });

describe.each(nodes)('%s', (bin) => {
  test('a target that exits, ends or is killed meanwhile rejects what is pending, and is not held up', async () => {
    const ways: [string, number | string][] = [
      ['process.exit(3)', 3],
      ['clearInterval(timer); new Promise(() => {})', 0],
      [`process.kill(process.pid, 'SIGKILL')`, 'SIGKILL'],
    ];
    for (const [source, status] of ways) {
      await using target = await startNode(`globalThis.timer = setInterval(() => {}, 1000); ${READY}`, {
        bin,
      });
      const attachment = await attach(target.pid);
      await expect(attachment.evaluate(source)).rejects.toEqual(failure('LOST', /exit/));
      expect(await target.ended()).toBe(status);
      await attachment.close();
    }
  });

  test('a target that is stopped times out, and closes its inspector when it goes on', async () => {
    await using target = await startNode(IDLE, { bin });
    const attachment = await attach(target.pid);
    await stopped(target);
    await expect(attachment.evaluate('1', { timeout: 100 })).rejects.toEqual(
      failure('TIMEOUT', /is stopped/),
    );
    await expect(attachment.close()).rejects.toEqual(failure('STILL_OPEN', /is stopped/));
    target.child.kill('SIGCONT');
    await expect.poll(() => ports(target.pid)).toEqual([]);
    expect(target.isRunning).toBe(true);
  });

  test('a main thread that is blocked opens nothing in time', async () => {
    const source = `const { spawnSync } = require('node:child_process');
      ${READY} spawnSync('sleep', ['60']); fs.writeSync(1, 'awake');`;
    await using target = await startNode(source, { bin });
    // Before there is a child, its JavaScript still runs, and would open the inspector.
    await expect.poll(() => childrenOf(target.pid)).toHaveLength(1);
    const [sleeper = 0] = childrenOf(target.pid);
    try {
      await expect(attach(target.pid, { timeout: 700 })).rejects.toEqual(
        failure('NOT_OPENED', /busy or blocked.*may still open it on a free port of 127\.0\.0\.1/),
      );
    } finally {
      process.kill(sleeper);
    }
    await target.printed('awake');
  });

  test('a main thread in Atomics.wait answers nevertheless', async () => {
    const source = `${READY} Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;
    await using target = await startNode(source, { bin });
    await using attachment = await attach(target.pid);
    expect(await attachment.evaluate('1 + 1')).toBe(2);
  });

  test('a target that is paused in a debugger still answers', async () => {
    await using target = await startNode(`setInterval(() => { globalThis.n = 1 }, 10);${READY}`, {
      bin,
      args: ['--inspect=0'],
    });
    const url = /ws:\S+/.exec(target.stderr)?.[0] ?? '';
    const debuggerSocket = new WebSocket(url);
    await new Promise((resolve) => debuggerSocket.on('open', resolve));
    const paused = new Promise<void>((resolve) =>
      debuggerSocket.on('message', (data) => String(data).includes('Debugger.paused') && resolve()),
    );
    for (const [id, method] of ['Debugger.enable', 'Debugger.pause'].entries()) {
      debuggerSocket.send(JSON.stringify({ id, method }));
    }
    await paused;
    await using attachment = await attach(target.pid);
    expect(await attachment.evaluate('debugger; 6 * 7')).toBe(42);
    expect(await attachment.evaluate('({ six: 6 })')).toEqual({ six: 6 });
    debuggerSocket.terminate();
  });

  test('a promise that never settles times out and leaves the attachment usable', async () => {
    await using target = await startNode(IDLE, { bin });
    await using attachment = await attach(target.pid);
    await expect(attachment.evaluate('new Promise(() => {})', { timeout: 100 })).rejects.toEqual(
      failure('TIMEOUT'),
    );
    expect(await attachment.evaluate('1')).toBe(1);
  });

  test('an abort closes the inspector at whatever point it comes', async () => {
    await using target = await startNode(IDLE, { bin });
    const before = await traces(target.pid);
    for (const delay of [0, 20, 60, 80, 100, 110, 120, 130, 150, 200, 300]) {
      const controller = new AbortController();
      const reason = new Error(`after ${delay} ms`);
      const work = attach(target.pid, { signal: controller.signal }).then(async (attachment) => {
        await using _ = attachment;
        await attachment.evaluate('new Promise(() => {})');
      });
      setTimeout(() => controller.abort(reason), delay);
      await expect(work).rejects.toBe(reason);
      expect(await ports(target.pid)).toEqual([]);
    }
    await expect.poll(() => traces(target.pid)).toEqual(before);
  });

  test('a signal that was aborted before sends nothing', async () => {
    await using target = await startNode(IDLE, { bin });
    await expect(attach(target.pid, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    await sleep(50);
    expect(target.stderr).toBe('');
  });

  test('closing twice is closing once, and nothing is evaluated afterwards', async () => {
    await using target = await startNode(IDLE, { bin });
    const attachment = await attach(target.pid);
    const pending = expect(attachment.evaluate('new Promise(() => {})')).rejects.toEqual(failure('CLOSED'));
    expect(attachment.close()).toBe(attachment.close());
    await attachment.close();
    await pending;
    await expect(attachment.evaluate('1')).rejects.toEqual(failure('CLOSED'));
  });

  test('an inspector that someone else closes is a lost connection, not a failure to close', async () => {
    await using target = await startNode(IDLE, { bin });
    const first = await attach(target.pid);
    const second = await attach(target.pid);
    expect([first.wasOpen, second.wasOpen]).toEqual([false, true]);
    await first.close();
    await expect(second.evaluate('1')).rejects.toEqual(failure('LOST'));
    await second.close();
    expect(await ports(target.pid)).toEqual([]);
  });
});
