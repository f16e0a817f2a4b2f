/** mmtrace: what is done to all heaps, as an mtrace log, to the file that MALLOC_TRACE names. */
import { constants, openSync, writeSync } from 'node:fs';
import type { Address } from '../address.js';

let log: number | undefined;

const hex = (value: Address | number): string => `0x${value.toString(16)}`;

/** False where MALLOC_TRACE names no file. */
export function start(): boolean {
  const path = process.env.MALLOC_TRACE;
  if (log !== undefined) return true;
  if (path === undefined || path === '') return false;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  log = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  writeSync(log, '= Start\n');
  return true;
}

export const allocated = (ptr: Address, size: number): void => line(`+ ${hex(ptr)} ${hex(size)}`);
export const freed = (ptr: Address): void => line(`- ${hex(ptr)}`);
export const moved = (from: Address, to: Address, size: number): void =>
  line(`< ${hex(from)}\n@ mmalloc:[0x0] > ${hex(to)} ${hex(size)}`);

function line(text: string): void {
  if (log !== undefined) writeSync(log, `@ mmalloc:[0x0] ${text}\n`);
}
