/** What others say of this machine and of this process: numactl, numa_maps and /proc, read without memprobe. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** Its standard output; what it complains of goes to the machine's console. */
export const output = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

export interface Hardware {
  readonly nodes: readonly number[];
  readonly cpus: ReadonlyMap<number, readonly number[]>;
  /** In MiB, rounded down. */
  readonly size: ReadonlyMap<number, number>;
  readonly distances: readonly (readonly number[])[];
}

const numbers = (text = ''): number[] => text.split(/\s+/).filter(Boolean).map(Number);

let known: Hardware | undefined;

/** What `numactl --hardware` says; asked once, since it does not change. */
export const hardware = (): Hardware => (known ??= askHardware());

function askHardware(): Hardware {
  const text = output('numactl', '--hardware');
  const cpus = [...text.matchAll(/^node (\d+) cpus:(.*)$/gm)];
  const sizes = [...text.matchAll(/^node (\d+) size: (\d+) MB$/gm)];
  const rows = text.matchAll(/^ +\d+:(.*)$/gm);
  return {
    nodes: cpus.map(([, node]) => Number(node)),
    cpus: new Map(cpus.map(([, node, list]) => [Number(node), numbers(list)])),
    size: new Map(sizes.map(([, node, size]) => [Number(node), Number(size)])),
    distances: [...rows].map(([, row]) => numbers(row)),
  };
}

export const memoryNodes = (): number[] =>
  [...hardware().size].filter(([, size]) => size > 0).map(([node]) => node);

/** A line of `numactl --show`, as a program that inherits this thread's policy sees it. */
export function shown(field: string): string {
  return new RegExp(`^${field}: *(.*?) *$`, 'm').exec(output('numactl', '--show'))?.[1] ?? '';
}

export interface NumaMap {
  readonly policy: string;
  /** Pages by node. */
  readonly nodes: Readonly<Record<number, number>>;
  readonly pageSizeKib: number;
}

/** The line of numa_maps for the mapping that begins here. */
export function numaMap(start: bigint, pid: number | 'self' = 'self'): NumaMap {
  const text = readFileSync(`/proc/${pid}/numa_maps`, 'latin1');
  const line = new RegExp(`^0*${start.toString(16)} (.*)$`, 'm').exec(text)?.[1];
  if (line === undefined) throw new Error(`numa_maps has no mapping at ${start.toString(16)}`);
  return {
    policy: /^(?:prefer \(many\)|\S)\S*/.exec(line)?.[0] ?? '',
    nodes: pagesByNode(line),
    pageSizeKib: Number(/kernelpagesize_kB=(\d+)/.exec(line)?.[1]),
  };
}

/** Anonymous memory of a process, in pages by node. */
export function anonymousPages(pid: number): Record<number, number> {
  const sum: Record<number, number> = {};
  for (const line of readFileSync(`/proc/${pid}/numa_maps`, 'latin1').split('\n')) {
    if (!line.includes(' anon=') || line.includes(' file=')) continue;
    for (const [node, pages] of Object.entries(pagesByNode(line))) {
      sum[Number(node)] = (sum[Number(node)] ?? 0) + pages;
    }
  }
  return sum;
}

function pagesByNode(line: string): Record<number, number> {
  const found = line.matchAll(/ N(\d+)=(\d+)/g);
  return Object.fromEntries([...found].map(([, node, pages]) => [Number(node), Number(pages)]));
}

/** A field of /proc/PID/status, as it stands there. */
export function status(field: string, pid: number | 'self' = 'self'): string {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
}

export const sysfs = (path: string): string =>
  readFileSync(`/sys/devices/system/node/${path}`, 'latin1').trim();

export function kernelIsAtLeast(major: number, minor: number): boolean {
  const [first = 0, second = 0] = release().split('.').map(Number);
  return first > major || (first === major && second >= minor);
}
