import { get } from 'node:http';
import { describe, expect, test } from 'vitest';
import { attach } from '../../lib/attach/index.js';
import { freePort, IDLE, nodes, ports, READY, startNode, traces } from './helpers.js';

const WORKERS = `const { Worker } = require('node:worker_threads');
  const code = "require('node:worker_threads').parentPort.postMessage(0); setInterval(() => {}, 1000)";
  let up = 0;
  for (let i = 0; i < 3; i += 1) new Worker(code, { eval: true }).on('message', () => { if (++up === 3) ${READY} });`;

describe.each(nodes)('%s', (bin) => {
  test.each(['cjs', 'mjs'] as const)(
    'a plain %s program is evaluated in and left as it was',
    async (type) => {
      await using target = await startNode(IDLE, { bin, type });
      const before = await traces(target.pid);
      for (let round = 0; round < 3; round += 1) {
        const attachment = await attach(target.pid);
        expect(attachment.pid).toBe(target.pid);
        expect(attachment.wasOpen).toBe(false);
        expect(await ports(target.pid)).toHaveLength(1);
        expect(await attachment.evaluate('process.pid')).toBe(target.pid);
        expect(await attachment.evaluate(`require('node:path').basename('/a/b')`)).toBe('b');
        await attachment.close();
        expect(await ports(target.pid)).toEqual([]);
        await expect.poll(() => traces(target.pid)).toEqual(before);
      }
      expect(target.isRunning).toBe(true);
    },
  );

  test('values of every kind arrive as they are', async () => {
    await using target = await startNode(IDLE, { bin });
    await using attachment = await attach(target.pid);
    const value = (expression: string) => attachment.evaluate(expression, { timeout: 60_000 });
    expect(await value('undefined')).toBeUndefined();
    expect(await value('null')).toBeNull();
    expect(await value('2n ** 64n')).toBe(2n ** 64n);
    expect(await value('NaN')).toBeNaN();
    expect(await value('-0')).toBe(-0);
    expect(await value('({ list: [1, "two", { three: 3 }] })')).toEqual({ list: [1, 'two', { three: 3 }] });
    expect(await value('new Promise((resolve) => setTimeout(resolve, 20, { late: true }))')).toEqual({
      late: true,
    });
    expect(await value(`'x'.repeat(20_000_000).length`)).toBe(20_000_000);
    expect(await value(`'x'.repeat(20_000_000)`)).toHaveLength(20_000_000);
  });

  test('what throws over there throws here, with its message', async () => {
    await using target = await startNode(IDLE, { bin });
    await using attachment = await attach(target.pid);
    const code = 'ERR_MEMPROBE_ATTACH_REMOTE';
    const failure = (message: RegExp) =>
      expect.objectContaining({ code, message: expect.stringMatching(message) });
    await expect(attachment.evaluate(`throw new TypeError('no such thing')`)).rejects.toEqual(
      failure(/TypeError: no such thing$/),
    );
    await expect(attachment.evaluate(`Promise.reject(new Error('later'))`)).rejects.toEqual(
      failure(/Error: later$/),
    );
    await expect(attachment.evaluate(`throw 'a string'`)).rejects.toEqual(failure(/a string$/));
    await expect(attachment.evaluate('(async () => { throw new RangeError("async") })()')).rejects.toEqual(
      failure(/async$/),
    );
    await expect(attachment.evaluate('not JavaScript')).rejects.toEqual(failure(/SyntaxError/));
    expect(target.isRunning).toBe(true);
  });

  test('statements are allowed, and what they declare stays out of the program', async () => {
    await using target = await startNode(IDLE, { bin });
    await using attachment = await attach(target.pid);
    expect(await attachment.evaluate('const a = 1; let b = 2; var c = 3; function d() {} a + b + c')).toBe(6);
    expect(await attachment.evaluate('[typeof a, typeof b, typeof c, typeof d].join()')).toMatch(
      /^(undefined,?){4}$/,
    );
  });

  test('a busy loop is interrupted, and goes on', async () => {
    await using target = await startNode(`globalThis.n = 0; ${READY} for (;;) n += 1;`, { bin });
    const before = await traces(target.pid);
    const attachment = await attach(target.pid);
    const first = Number(await attachment.evaluate('n'));
    expect(await attachment.evaluate('({ a: [n > 0] })')).toEqual({ a: [true] });
    await expect.poll(() => attachment.evaluate('n')).toBeGreaterThan(first);
    await attachment.close();
    await expect.poll(() => traces(target.pid)).toEqual(before);
  });

  test('a program with worker threads is left with them', async () => {
    await using target = await startNode(WORKERS, { bin });
    const before = await traces(target.pid);
    const attachment = await attach(target.pid);
    expect(await attachment.evaluate(`require('worker_threads').isMainThread`)).toBe(true);
    await attachment.close();
    await expect.poll(() => traces(target.pid)).toEqual(before);
  });

  test('an http server serves meanwhile and is never talked to itself', async () => {
    const source = `const urls = globalThis.urls = []; const server = require('node:http').createServer((request, response) => {
      urls.push(request.url); response.end('hello'); });
      server.listen(0, '127.0.0.1', () => { fs.writeSync(1, 'port ' + server.address().port + ' '); ${READY} });`;
    await using target = await startNode(source, {
      bin,
      args: [`--inspect-port=127.0.0.1:${await freePort()}`],
    });
    const port = Number(/port (\d+)/.exec(target.stdout)?.[1]);
    const attachment = await attach(target.pid);
    expect(await fetchStatus(port)).toBe(200);
    expect(await attachment.evaluate('urls')).toEqual(['/mine']);
    await attachment.close();
    expect(await fetchStatus(port)).toBe(200);
    expect(await ports(target.pid)).toEqual([port]);
  });

  test.each([
    ['by --inspect', '--inspect=0', ''],
    ['by inspector.open() at an odd port', '--no-warnings', `require('node:inspector').open(0);`],
  ])('an inspector that was opened %s is used and stays open', async (_, option, source) => {
    await using target = await startNode(source + IDLE, {
      bin,
      args: [`--inspect-port=${await freePort()}`, option],
    });
    const open = await ports(target.pid);
    const attachment = await attach(target.pid);
    expect(attachment.wasOpen).toBe(true);
    expect(await attachment.evaluate('1 + 1')).toBe(2);
    await attachment.close();
    expect(await ports(target.pid)).toEqual(open);
    expect(target.isRunning).toBe(true);
  });
});

function fetchStatus(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/mine', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}
