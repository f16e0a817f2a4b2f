/** What the tests of procfs, and its benchmark, share. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const FIXTURES = fileURLToPath(new URL('../fixtures/proc', import.meta.url));

/** Every captured file with this name, as a path relative to FIXTURES. */
export const SMAPS_FIXTURES = [
  'linux-4.4/1/smaps',
  'linux-4.14/1/smaps',
  'linux-5.4/1/smaps',
  'linux-6.1/1/smaps',
  'linux-6.18/100/smaps',
  'linux-6.18/100/smaps_rollup',
  'linux-6.18/2/smaps',
  'linux-6.18/101/smaps',
  'linux-6.18/100/maps',
  'unknown-fields/1/smaps',
];

export function fixture(path: string): Uint8Array {
  return readFileSync(`${FIXTURES}/${path}`);
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text);
}

/** Pages that may be written and pages that may not, in turn, can't be merged into one mapping. */
const MANY_MAPPINGS = `
import ctypes, sys
count = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
base = libc.mmap(None, count * 4096, 3, 0x22, -1, 0)
ctypes.memset(base, 1, count * 4096)
for page in range(0, count, 2):
    if libc.mprotect(base + page * 4096, 4096, 0) != 0:
        sys.exit('mprotect: errno %d; see vm.max_map_count' % ctypes.get_errno())
print('ready', flush=True)
sys.stdin.read()
`;

/** A process that stands still, with a little more than `count` mappings, half of them resident pages. End it with `stop`. */
export async function spawnWithMappings(count: number): Promise<ChildProcess & { pid: number }> {
  const child = spawn('python3', ['-c', MANY_MAPPINGS, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  if (!hasPid(child)) throw new Error('python3 could not be started');
  // What it says it says on its way into its last read, for which its heap may grow once more.
  while (!/^State:\tS/m.test(readFileSync(`/proc/${child.pid}/status`, 'latin1'))) await sleep(1);
  return child;
}

/** Kills the child and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function hasPid<T extends ChildProcess>(child: T): child is T & { pid: number } {
  return child.pid !== undefined;
}
