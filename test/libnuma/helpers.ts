/** What the tests of libnuma share. */
import { readFileSync } from 'node:fs';
import { test } from 'vitest';
import { loadLibnuma } from '../../lib/native.js';

const found = loadLibnuma().describe().length > 0;
if (!found)
  console.warn(
    'libnuma is not here: the tests of memprobe/libnuma are skipped (apt-get install libnuma-dev)',
  );

/** A test that needs libnuma, and skips aloud without it. */
export const here = test.runIf(found);

/** The line of /proc/self/numa_maps for the mapping that begins here, without its address. */
export function numaMaps(start: bigint): string | undefined {
  const address = start.toString(16);
  const lines = readFileSync('/proc/self/numa_maps', 'latin1').split('\n');
  return lines.find((line) => line.startsWith(`${address} `))?.slice(address.length + 1);
}
