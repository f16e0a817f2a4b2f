/** C programs of the tests: second witnesses, and what can't be had otherwise. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

function compile(source: string, name: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-c-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const program = join(directory, name);
  execFileSync('cc', ['-O1', '-Wall', '-o', program, source]);
  return program;
}

/** The path of the program that this text is; it goes with the test. */
export function program(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-c-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const source = join(directory, 'program.c');
  writeFileSync(source, text);
  return compile(source, 'program');
}

/** mbind, set_mempolicy, get_mempolicy, migrate_pages, move_pages, set_mempolicy_home_node. */
const NUMA_CALLS: Record<string, readonly number[]> = {
  x64: [237, 238, 239, 256, 279, 450],
  arm64: [235, 237, 236, 238, 239, 450],
};

/** What goes before a command so that every NUMA call in it ends with this error, as a seccomp filter has it. */
export function refusing(code: 'EPERM' | 'ENOSYS'): string[] {
  const filter = compile(fileURLToPath(new URL('refuse.c', import.meta.url)), 'refuse');
  return [filter, String(constants.errno[code]), (NUMA_CALLS[process.arch] ?? []).join(',')];
}
