/** Captured snapshots of real processes, in test/fixtures/explain. See the README there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Snapshot } from '../../lib/explain/index.js';
import { parseSmaps } from '../../lib/procfs/index.js';

const directory = new URL('../fixtures/explain/', import.meta.url);

export const CAPTURED = ['demo-node20', 'workers-node24', 'outside-node26', 'python3'];

export function readCaptured(name: string): Snapshot {
  const facts = JSON.parse(readFileSync(new URL(`${name}.json`, directory), 'utf8'), revive);
  return {
    ...facts,
    smaps: parseSmaps(gunzipSync(readFileSync(new URL(`${name}.smaps.gz`, directory)))),
  };
}

/** For making new ones: `text` is /proc/PID/smaps, read at the same time. */
export function writeCaptured(name: string, { smaps: _, ...facts }: Snapshot, text: string): void {
  const kept = /^(Size|Rss|Pss|Swap|Anonymous|AnonHugePages|Private_Dirty):/;
  const lines = text.split('\n').filter((line) => !/^\w+:/.test(line) || kept.test(line));
  writeFileSync(new URL(`${name}.smaps.gz`, directory), gzipSync(lines.join('\n')));
  writeFileSync(new URL(`${name}.json`, directory), `${JSON.stringify(facts, encode)}\n`);
}

function encode(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `0x${value.toString(16)}n`;
  if (value instanceof BigUint64Array) return { BigUint64Array: Array.from(value) };
  if (value instanceof Float64Array) return { Float64Array: Array.from(value) };
  return value;
}

function revive(_: string, value: unknown): unknown {
  if (typeof value === 'string' && /^0x[0-9a-f]+n$/.test(value)) return BigInt(value.slice(0, -1));
  if (typeof value !== 'object' || value === null) return value;
  if ('BigUint64Array' in value) return BigUint64Array.from(value.BigUint64Array as bigint[]);
  if ('Float64Array' in value) return Float64Array.from(value.Float64Array as number[]);
  return value;
}
