/** Real processes for the tests; all of them end with the test that started them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';
import type { CategoryId, Explanation } from '../../lib/explain/index.js';

/** The Node binaries to test with: this one, and those that MEMPROBE_TEST_NODES names. */
export const NODES = [
  process.execPath,
  ...(process.env.MEMPROBE_TEST_NODES ?? '').split(':').filter(Boolean),
];

export type Started = ChildProcess & { pid: number };

/** Starts a program and waits for its first output. */
export async function start(
  command: string,
  args: string[],
  stderr: 'ignore' | 'pipe' = 'ignore',
): Promise<Started> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', stderr] });
  onTestFinished(() => stop(child));
  const output = child.stdout;
  if (output) await Promise.race([once(output, 'data'), once(child, 'exit')]);
  output?.resume();
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null)
    throw new Error(`${command} ${args.join(' ')} did not start`);
  return Object.assign(child, { pid });
}

/** The inspector's usual port is one for all; tests that run at the same time must not meet there. */
export const NODE_OPTIONS = ['--expose-gc', '--inspect-port=0'];

/** A program text for Node that says 'ready' when it is. */
export function startNode(node: string, code: string, stderr?: 'pipe'): Promise<Started> {
  return start(node, [...NODE_OPTIONS, '-e', code], stderr);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export function bytesOf({ categories }: Explanation, id: CategoryId): number {
  return categories.find((category) => category.id === id)?.bytes ?? Number.NaN;
}

export function sum(explanation: Explanation): number {
  return explanation.categories.reduce((total, { bytes }) => total + bytes, 0);
}

/** An http server that compresses, and 30 clients in the same process that never stop asking. */
export const HTTP_SERVER = `
  const http = require('http'), zlib = require('zlib');
  const server = http.createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk) => (bytes += chunk.length));
    request.on('end', () => response.end(zlib.gzipSync(JSON.stringify({ bytes, text: 'x'.repeat(20000) }))));
  });
  const agent = new http.Agent({ keepAlive: true });
  function ask() {
    const options = { port: server.address().port, method: 'POST', agent };
    http.request(options, (response) => response.resume().on('end', ask)).end(Buffer.alloc(30000, 1));
  }
  server.listen(0, '127.0.0.1', () => {
    for (let i = 0; i < 30; i++) ask();
    setTimeout(() => console.log('ready'), 1500);
  });`;

/** Eight worker threads with some heap each, one of them in an endless loop. */
export const EIGHT_WORKERS = `
  const { Worker } = require('worker_threads');
  const code = "globalThis.kept = Array.from({ length: 1e5 }, (_, i) => ({ i }));" +
    "require('worker_threads').parentPort.postMessage(1); setInterval(() => {}, 1000);";
  let ready = 0;
  for (let i = 0; i < 8; i++) {
    const worker = new Worker(i === 0 ? code + 'for (;;);' : code, { eval: true, name: 'number ' + i });
    worker.on('message', () => ++ready === 8 && console.log('ready'));
  }`;

/** Many blocks below glibc's mmap threshold, of which few stay: the heap cannot shrink. */
export const FRAGMENTED = `
  const burst = Array.from({ length: 6000 }, () => Buffer.allocUnsafeSlow(20 * 1024).fill(1));
  globalThis.kept = burst.filter((_, i) => i % 60 === 0);
  burst.length = 0;
  gc();
  setTimeout(() => { gc(); console.log('ready'); }, 300);
  setInterval(() => {}, 1000);`;
