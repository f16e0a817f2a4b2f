import { readdir, readFile, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';

/** A listening TCP socket. `address` is in the usual notation (`127.0.0.1`, `::1`), without brackets. */
export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  /** The socket's inode number, as in `/proc/PID/fd`'s `socket:[…]`. */
  readonly inode: string;
}

const LISTEN = '0A';

/**
 * The listening sockets in the text of `/proc/PID/net/tcp` or `tcp6`. The kernel prints an address as 32-bit words
 * in the machine's own byte order. Lines that do not look like a socket are passed over.
 * @see proc_pid_net(5)
 */
export function parseListening(text: string, order: 'LE' | 'BE' = endianness()): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of text.split('\n')) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    const [, hex, port] = /^([0-9A-F]{32}|[0-9A-F]{8}):([0-9A-F]{4})$/.exec(local) ?? [];
    if (!hex || !port || !inode || state !== LISTEN) continue;
    sockets.push({
      address: formatAddress(networkBytes(hex, order)),
      port: Number.parseInt(port, 16),
      inode,
    });
  }
  return sockets;
}

function networkBytes(hex: string, order: 'LE' | 'BE'): Buffer {
  const bytes = Buffer.from(hex, 'hex');
  return order === 'LE' ? bytes.swap32() : bytes;
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  // The URL parser knows how IPv6 addresses are shortened.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** The loopback address under which this host reaches the socket; undefined where it listens elsewhere only. */
export function loopbackAddress({ address }: Pick<ListeningSocket, 'address'>): string | undefined {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '::1';
  return address === '::1' || address.startsWith('127.') ? address : undefined;
}

/** Every listening TCP socket in the network namespace of `pid`, whoever owns it. */
export async function readListening(pid: number): Promise<ListeningSocket[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readTable(`/proc/${pid}/net/${name}`)));
  return tables.flatMap((text) => parseListening(text));
}

/** Without IPv6 in the kernel there is no tcp6. */
async function readTable(path: string): Promise<string> {
  return readFile(path, 'latin1').catch(unlessGone(''));
}

/** Those of `sockets` that `pid` holds open. A process that is gone holds none; missing rights are an error. */
export async function ownedBy(pid: number, sockets: readonly ListeningSocket[]): Promise<ListeningSocket[]> {
  if (sockets.length === 0) return [];
  const inodes = await socketInodes(pid);
  return sockets.filter((socket) => inodes.has(socket.inode));
}

async function socketInodes(pid: number): Promise<Set<string>> {
  const directory = `/proc/${pid}/fd`;
  const fds = await readdir(directory).catch(unlessGone([]));
  const links = await Promise.all(fds.map((fd) => readlink(`${directory}/${fd}`).catch(unlessGone(''))));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** The process that holds the socket, as far as this user may see. */
export async function ownerOf(socket: ListeningSocket): Promise<number | undefined> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const inodes = await socketInodes(Number(name)).catch(() => new Set());
    if (inodes.has(socket.inode)) return Number(name);
  }
  return undefined;
}

const GONE = new Set(['ENOENT', 'ESRCH']);

/** What a process, descriptor or table that has gone meanwhile yields. */
function unlessGone<T>(otherwise: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (GONE.has(error.code ?? '')) return otherwise;
    throw error;
  };
}
