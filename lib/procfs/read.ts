/** Reads files of /proc off the event loop. */
import { type FileHandle, open } from 'node:fs/promises';
import { exitedMeanwhile, explainFailure, type ProcFile } from './errors.js';

export interface RootOptions {
  /** Where procfs is mounted, or a directory of captured files; default '/proc'. */
  root?: string;
}

export interface ProcessOptions extends RootOptions {
  /** Default 'self'. */
  pid?: number | 'self';
}

const MAX_PID = 2 ** 31 - 1;
const CHUNK = 64 * 1024;

/** /proc/PID/`name`. A wrong pid or option is a TypeError or RangeError with Node's codes. */
export function processFile(name: string, options: ProcessOptions = {}): ProcFile {
  checkOptions(options, ['pid', 'root']);
  const { pid = 'self', root = '/proc' } = options;
  checkPid(pid);
  return { root, pid, name: `${pid}/${name}`, path: `${root}/${pid}/${name}` };
}

/** /proc/`name`. */
export function systemFile(name: string, options: RootOptions = {}): ProcFile {
  checkOptions(options, ['root']);
  const { root = '/proc' } = options;
  return { root, name, path: `${root}/${name}` };
}

/** The whole file; errors say why (see errors.ts). */
export async function readProcFile(file: ProcFile): Promise<Uint8Array> {
  try {
    const handle = await open(file.path);
    try {
      return await readToEnd(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw await explainFailure(error, file);
  }
}

/**
 * The whole of a file that the kernel makes by walking an address space (maps, smaps, numa_maps): it ends early,
 * without an error, when that address space goes away half-way. Then it has also become empty.
 */
export async function readWalkedFile(file: ProcFile): Promise<Uint8Array> {
  let vanished = false;
  let bytes: Uint8Array;
  try {
    const handle = await open(file.path);
    try {
      bytes = await readToEnd(handle);
      vanished = bytes.length > 0 && (await handle.read(Buffer.alloc(1), 0, 1, 0)).bytesRead === 0;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw await explainFailure(error, file);
  }
  if (vanished) throw exitedMeanwhile(file);
  return bytes;
}

/** /proc says that its files are empty, so they are read until nothing more comes. */
async function readToEnd(handle: FileHandle): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  for (let room = Buffer.alloc(CHUNK), used = 0; ;) {
    const { bytesRead } = await handle.read(room, used, room.length - used, null);
    used += bytesRead;
    if (bytesRead > 0 && used < room.length) continue;
    pieces.push(room.subarray(0, used));
    if (bytesRead === 0) return pieces.length === 1 ? room.subarray(0, used) : Buffer.concat(pieces);
    room = Buffer.alloc(CHUNK);
    used = 0;
  }
}

/** `readMaps(1234)` would otherwise be a look at oneself, and so would `{ PID: 1234 }`. */
function checkOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    const message = `The "options" argument must be of type object. Received ${describe(options)}`;
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const message = `The property 'options.${unknown}' is unknown; there are ${known.join(', ')}`;
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

function checkPid(pid: unknown): void {
  if (pid === 'self') return;
  if (typeof pid !== 'number') {
    const message = `The "pid" argument must be of type number or 'self'. Received ${describe(pid)}`;
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  if (!Number.isInteger(pid) || pid < 1 || pid > MAX_PID) {
    const message = `The value of "pid" is out of range. It must be an integer from 1 to ${MAX_PID}. Received ${pid}`;
    throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'object' ? 'an object' : `type ${typeof value} (${String(value)})`;
}
