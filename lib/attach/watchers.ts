import { type FileHandle, open, readFile } from 'node:fs/promises';
import { readSymbols } from './elf.js';

/** Layout of libuv 1.x on 64-bit Linux, part of its ABI: `uv_signal_t` and its red-black tree entry. */
const SIGNAL_BYTES = 144;
const SIGNUM = 104;
const LEFT = 112;
const RIGHT = 120;

/** More watchers than any program has: a tree that seems larger is not one. */
const LIMIT = 1024;

/**
 * Whether the program watches the signal through libuv, that is, has a `process.on('SIG…')` listener. libuv keeps
 * its watchers in one tree per process, which is read from `/proc/PID/mem`. Undefined where that can't be told: a
 * stripped binary, a shared libuv, no right to read the memory.
 */
export async function watchesSignal(pid: number, signum: number): Promise<boolean | undefined> {
  try {
    const root = await treeAddress(pid);
    return root === undefined ? undefined : await treeHolds(pid, root, signum);
  } catch {
    return undefined;
  }
}

async function treeAddress(pid: number): Promise<bigint | undefined> {
  const symbols = await readSymbols(`/proc/${pid}/exe`, 'static');
  // A static variable of a function gets a suffix from some compilers.
  const address = symbols.find('uv__signal_tree') ?? symbols.find('uv__signal_tree.0');
  return address === undefined ? undefined : address + (await loadBias(pid));
}

/** What is to be added to the file's addresses: 0 unless it is position-independent. */
async function loadBias(pid: number): Promise<bigint> {
  const header = Buffer.alloc(18);
  const file = await open(`/proc/${pid}/exe`);
  await file.read(header, 0, 18, 0).finally(() => file.close());
  const ET_DYN = 3;
  if (header.readUInt16LE(16) !== ET_DYN) return 0n;
  const start = /^[0-9a-f]+/.exec(await readFile(`/proc/${pid}/maps`, 'latin1'));
  return BigInt(`0x${start?.[0] ?? '0'}`);
}

async function treeHolds(pid: number, root: bigint, signum: number): Promise<boolean | undefined> {
  const memory = await open(`/proc/${pid}/mem`);
  try {
    const pending = [(await readAt(memory, root, 8)).readBigUInt64LE()];
    for (let seen = 0; pending.length > 0 && seen < LIMIT; seen += 1) {
      const address = pending.pop();
      if (!address) continue;
      const node = await readAt(memory, address, SIGNAL_BYTES);
      if (node.readInt32LE(SIGNUM) === signum) return true;
      pending.push(node.readBigUInt64LE(LEFT), node.readBigUInt64LE(RIGHT));
    }
    return pending.length > 0 ? undefined : false;
  } finally {
    await memory.close();
  }
}

async function readAt(memory: FileHandle, address: bigint, length: number): Promise<Buffer> {
  // User addresses end below 2^53, and Node 20 takes no bigint here.
  const { buffer, bytesRead } = await memory.read(Buffer.alloc(length), 0, length, Number(address));
  if (bytesRead !== length) throw new RangeError(`short read at 0x${address.toString(16)}`);
  return buffer;
}
