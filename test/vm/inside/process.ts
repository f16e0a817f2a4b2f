/** Another process, and where its memory lies. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { MPOL_BIND } from '../../../lib/libc/index.js';
import { withPolicy } from './memory.js';
import { output } from './witness.js';

/** Runs beside a process whose own memory lies on `node`. */
export async function withSleeper(node: number, use: (pid: number) => void | Promise<void>): Promise<void> {
  const start = () => spawn('sh', ['-c', 'echo ready; read x'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const child = withPolicy(MPOL_BIND, [node], start);
  try {
    await once(child.stdout, 'data');
    assert(child.pid !== undefined);
    await use(child.pid);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
}

/** A row ('Private', 'Total') of `numastat -p` for a node, in MiB. */
export function numastat(pid: number, row: string, node: number): number {
  const text = output('numastat', '-p', String(pid));
  const nodes = [...text.matchAll(/Node (\d+)/g)].map(([, number]) => Number(number));
  const values = new RegExp(`^${row} +(.*)$`, 'm').exec(text)?.[1]?.trim().split(/\s+/).map(Number);
  return values?.[nodes.indexOf(node)] ?? 0;
}
