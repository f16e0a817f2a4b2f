/** Real logs of real programs, and what glibc's own script says of them. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findMallocDebug } from '../../lib/malloc_debug.js';
import { parseMtrace, type Oddity, type Trace } from '../../lib/mtrace/index.js';

const run = promisify(execFile);

/** A directory for one test file; `remove` is for its afterAll. */
export function makeDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

export function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Why a test is skipped is said aloud. */
export function unless(missing: Record<string, boolean>): boolean {
  const names = Object.keys(missing).filter((name) => !missing[name]);
  if (names.length > 0) console.warn(`SKIPPED: ${names.join(', ')} not installed`);
  return names.length > 0;
}

export const SCRIPT = existsSync('/usr/bin/mtrace');
export const GCC = has('gcc', '--version');
export const DEBUG_LIBRARY = findMallocDebug() !== undefined;

const SHIM = `
#include <mcheck.h>
__attribute__((constructor)) static void begin(void) { mtrace(); }
`;

/** Runs a program under mtrace with nothing of ours; the answer is the log's path. */
export async function traced(
  directory: string,
  name: string,
  command: string,
  args: string[],
): Promise<string> {
  const shim = join(directory, 'shim.so');
  if (!existsSync(shim)) await compile(directory, 'shim', SHIM, '-shared', '-fPIC');
  const log = join(directory, `${name}.mt`);
  await run(command, args, {
    env: { ...process.env, MALLOC_TRACE: log, LD_PRELOAD: `libc_malloc_debug.so.0:${shim}` },
    maxBuffer: 2 ** 26,
  });
  return log;
}

/** Compiles C into `name`, or `name.so` with -shared. */
export async function compile(
  directory: string,
  name: string,
  code: string,
  ...flags: string[]
): Promise<string> {
  const source = join(directory, `${name}.c`);
  const out = join(directory, flags.includes('-shared') ? `${name}.so` : name);
  writeFileSync(source, code);
  await run('gcc', [...flags, '-o', out, source]);
  return out;
}

/** What the script says, and what a trace says, in one form. */
export interface Findings {
  /** `address size caller`, sorted. */
  leaks: string[];
  /** `call line address`, in order. */
  unknownFrees: string[];
  duplicates: string[];
}

/** The script exits with 1 where something leaked. */
export function runScript(log: string): Findings {
  const { stdout } = spawnSync('/usr/bin/mtrace', [log], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return readScript(stdout);
}

export function readScript(output: string): Findings {
  const findings: Findings = { leaks: [], unknownFrees: [], duplicates: [] };
  for (const line of output.split('\n')) {
    const leak = /^(0x\w+) +(0x\w+|0)  at (\S*)/.exec(line);
    if (leak) findings.leaks.push(leak.slice(1).map(normal).join(' '));
    const free = /^- (0x\w+) (\w+) (\d+) was never/.exec(line);
    if (free) findings.unknownFrees.push(`${free[2]} ${free[3]} ${normal(free[1])}`);
    const duplicate = /^\+ (0x\w+) (\w+) (\d+) duplicate/.exec(line);
    if (duplicate) findings.duplicates.push(`${duplicate[2]} ${duplicate[3]} ${normal(duplicate[1])}`);
  }
  findings.leaks.sort();
  return findings;
}

function normal(hexadecimal = ''): string {
  return hexadecimal === '' ? '' : `0x${BigInt(hexadecimal).toString(16)}`;
}

const CALLS = { free: 'Free', realloc: 'Realloc', malloc: 'Alloc' } as const;

/** Our own reading of the same log. */
export async function findings(log: Parameters<typeof parseMtrace>[0]): Promise<[Findings, Trace]> {
  const odd: Oddity[] = [];
  const trace = await parseMtrace(log, { onOddity: (oddity) => odd.push(oddity) });
  const told = (kind: Oddity['kind']) =>
    odd
      .filter((oddity) => oddity.kind === kind)
      .map(({ call, line, address }) => `${CALLS[call]} ${line} 0x${address.toString(16)}`);
  const leaks = [...trace.live].map(
    ({ address, size, site }) =>
      `0x${address.toString(16)} 0x${size.toString(16)} ${normal(/\[(0x\w+)\]$/.exec(site)?.[1])}`,
  );
  return [{ leaks: leaks.sort(), unknownFrees: told('unknown-free'), duplicates: told('duplicate') }, trace];
}
