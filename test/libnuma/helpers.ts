/** What the tests of libnuma share. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe } from 'vitest';
import { addonPath, loadLibnuma } from '../../lib/native.js';
import { said, type Options } from '../helpers/child.js';

const found = loadLibnuma().describe().length > 0;
if (!found)
  console.warn(
    'libnuma is not here: the tests of memprobe/libnuma are skipped (apt-get install libnuma-dev)',
  );

/** Tests that need libnuma, and skip aloud without it. */
export const describeLibnuma = describe.runIf(found);

/** The second addon, beside the first. */
export const LIBNUMA = join(dirname(addonPath ?? ''), 'memprobe_numa.so');

/** What a program of its own says. Beside the words of helpers/child it has `numa`, `Bitmask`, `masks` and `Worker`. */
export function program(code: string, options: Options = {}): Promise<unknown[]> {
  const load = `process.env.NUMA = ${JSON.stringify(LIBNUMA)};
    const second = { exports: {} };
    process.dlopen(second, process.env.NUMA);
    const { libnuma: numa, Bitmask, masks } = second.exports;
    const { Worker } = require('node:worker_threads');`;
  return said(load + code, options);
}

/** The line of /proc/self/numa_maps for the mapping here, without its address: its neighbour below may be one with it. */
export function numaMaps(address: bigint): string | undefined {
  return readFileSync('/proc/self/numa_maps', 'latin1')
    .split('\n')
    .findLast((line) => line !== '' && BigInt(`0x${line.split(' ', 1)[0]}`) <= address)
    ?.replace(/^\S+ /, '');
}

export function nodesOnline(): number[] {
  const text = readFileSync('/sys/devices/system/node/online', 'latin1').trim();
  return text.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** A node that this machine has not. */
export const absentNode = (): number => Math.max(...nodesOnline()) + 1;
