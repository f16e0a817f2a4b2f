import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownedBy, readListening } from '../../lib/attach/sockets.js';

/** This Node and whatever others MEMPROBE_TEST_NODES names, separated by colons. */
export const nodes = [
  process.execPath,
  ...(process.env.MEMPROBE_TEST_NODES ?? '').split(':').filter(Boolean),
];

export const isRoot = process.getuid?.() === 0;

/** A process under test, with what it has printed so far. Always killed at the end of the scope. */
export class Started implements AsyncDisposable {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (chunk) => (this.stdout += String(chunk)));
    child.stderr?.on('data', (chunk) => (this.stderr += String(chunk)));
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error(`${this.child.spawnfile} did not start`);
    return pid;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async printed(text: string): Promise<this> {
    for (const end = performance.now() + 60_000; !this.stdout.includes(text); await sleep(5)) {
      if (performance.now() > end || !this.isRunning)
        throw new Error(`no "${text}" in ${this.stdout}${this.stderr}`);
    }
    return this;
  }

  /** The exit code or signal. */
  async ended(): Promise<number | string | null> {
    if (this.isRunning) await once(this.child, 'exit');
    return this.child.signalCode ?? this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isRunning) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

export function start(
  command: string,
  args: string[],
  options: { uid?: number; env?: NodeJS.ProcessEnv } = {},
): Started {
  const env = { ...process.env, NODE_OPTIONS: '', ...options.env };
  return new Started(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options, env, cwd: '/' }));
}

export const READY = `fs.writeSync(1, 'ready\\n');`;
export const IDLE = `${READY} setInterval(() => {}, 1000);`;

interface NodeOptions {
  bin?: string;
  /** Of the script: cjs where `require` exists, mjs where it does not. */
  type?: 'cjs' | 'mjs';
  args?: string[];
  env?: NodeJS.ProcessEnv;
}

/** A Node process that runs `source`, once that has printed "ready". Its inspector would take any free port. */
export async function startNode(source: string, options: NodeOptions = {}): Promise<Started> {
  const { bin = process.execPath, type = 'cjs', args = ['--inspect-port=0'], env = {} } = options;
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-attach-'));
  const script = join(directory, `main.${type}`);
  writeFileSync(
    script,
    `${type === 'mjs' ? "import fs from 'node:fs'" : "const fs = require('node:fs')"};\n${source}`,
  );
  const started = start(bin, [...args, script], { env });
  try {
    return await started.printed('ready');
  } catch (error) {
    await started[Symbol.asyncDispose]();
    throw error;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What an attachment must leave as it was. */
export async function traces(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    threads: readdirSync(`/proc/${pid}/task`).length,
    fds: readdirSync(`/proc/${pid}/fd`).length,
    caught: /SigCgt:\s*(\S+)/.exec(status)?.[1],
    ports: await ports(pid),
  };
}

/** The ports that the process listens at. */
export async function ports(pid: number): Promise<number[]> {
  const sockets = await ownedBy(pid, await readListening(pid));
  return sockets.map(({ port }) => port);
}

/**
 * A port that nobody has, nor gets by chance meanwhile: those below 32768 the kernel gives to none who asks for any
 * (net.ipv4.ip_local_port_range).
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** The processes that the main thread has started and that have not been waited for. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

/** The kernel stops a process a moment after it was sent the signal. */
export async function stopped(target: Started): Promise<void> {
  target.child.kill('SIGSTOP');
  const state = () => readFileSync(`/proc/${target.pid}/status`, 'utf8');
  for (const end = performance.now() + 60_000; !/^State:\tT/m.test(state()); await sleep(5)) {
    if (performance.now() > end) throw new Error(`process ${target.pid} does not stop`);
  }
}
