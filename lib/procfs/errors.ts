/** The one place that makes the errors of `memprobe/procfs`. */
import { readFile, stat } from 'node:fs/promises';
import { constants } from 'node:os';

type ErrorCode = 'ESRCH' | 'EACCES' | 'EPERM' | 'ENOENT' | 'EOPNOTSUPP';

/** A file of /proc, and the process that it tells about. */
export interface ProcFile {
  root: string;
  /** Relative to `root`: '123/smaps', 'meminfo'. */
  name: string;
  path: string;
  pid?: number | 'self';
}

/** A line that no kernel writes. `code` is ERR_MEMPROBE_PARSE. */
export class ProcParseError extends Error {
  readonly code = 'ERR_MEMPROBE_PARSE';
  override readonly name = 'ProcParseError';
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** The whole line. */
  readonly text: string;

  constructor(file: string, line: number, text: string, expected: string) {
    const shown = JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
    super(
      `ERR_MEMPROBE_PARSE: ${file}, line ${line}: expected ${expected}, found ${shown}. ` +
        'If a kernel wrote this, please report the line together with `uname -r`.',
    );
    this.file = file;
    this.line = line;
    this.text = text;
  }
}

/** What each file needs of the kernel, for where it is missing. */
const NEEDS: Record<string, string> = {
  smaps: 'Linux built with CONFIG_PROC_PAGE_MONITOR',
  smaps_rollup: 'Linux 4.14, built with CONFIG_PROC_PAGE_MONITOR',
  numa_maps: 'Linux built with CONFIG_NUMA',
  syscall: 'Linux built with CONFIG_HAVE_ARCH_TRACEHOOK',
  memory: 'Linux 4.20 with pressure stall information: CONFIG_PSI, and psi=1 on the kernel command line',
};

/** In Node's shape: { code, errno (negative), syscall, path, message }. */
export function systemError(
  code: ErrorCode,
  why: string,
  file: ProcFile,
  cause?: unknown,
): NodeJS.ErrnoException {
  const error = new Error(`${code}: ${why}, read '${file.path}'`, { cause });
  return Object.assign(error, { code, errno: -constants.errno[code], syscall: 'read', path: file.path });
}

/** The kernel ends a file early, without an error, when the address space behind it goes away. */
export function exitedMeanwhile(file: ProcFile): NodeJS.ErrnoException {
  return systemError(
    'ESRCH',
    `process ${file.pid} exited, or called exec, while it was read: read again`,
    file,
  );
}

/** Turns what the kernel answered for `file` into an error that says why, and what to do. */
export async function explainFailure(cause: unknown, file: ProcFile): Promise<unknown> {
  const code = codeOf(cause);
  if (!(await exists(`${file.root}/self`))) return notMounted(file, cause);
  if (code === 'ENOENT' || code === 'ESRCH') return missing(file, cause);
  if (code === 'EACCES' || code === 'EPERM') return refused(code, file, cause);
  if (code === 'EOPNOTSUPP' || code === 'ENOTSUP') return unsupported('EOPNOTSUPP', file, cause);
  return cause;
}

/** The kernel's error name, however the error was made. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function notMounted(file: ProcFile, cause: unknown): Error {
  const why = `${file.root} is not a mounted procfs; \`mount -t proc proc ${file.root}\` mounts it`;
  return systemError('ENOENT', why, file, cause);
}

function unsupported(code: 'ENOENT' | 'EOPNOTSUPP', file: ProcFile, cause: unknown): Error {
  const needs = NEEDS[file.path.slice(file.path.lastIndexOf('/') + 1)] ?? 'a kernel that has it';
  return systemError(code, `this kernel does not offer ${file.name}; it needs ${needs}`, file, cause);
}

async function missing(file: ProcFile, cause: unknown): Promise<Error> {
  const { pid } = file;
  if (pid === undefined) return unsupported('ENOENT', file, cause);
  if (!(await exists(`${file.root}/${pid}`))) return isAlive(pid) ? hidden(file, cause) : gone(file, cause);
  if (codeOf(cause) === 'ENOENT') return unsupported('ENOENT', file, cause);
  const why = `process ${pid} has no memory of its own: it is a kernel thread, or a zombie that waits for its parent`;
  return systemError('ESRCH', why, file, cause);
}

function gone(file: ProcFile, cause: unknown): Error {
  return systemError(
    'ESRCH',
    `there is no process ${file.pid}: it has exited, or lives in another pid namespace`,
    file,
    cause,
  );
}

function hidden(file: ProcFile, cause: unknown): Error {
  const why =
    `process ${file.pid} exists but ${file.root} hides it (mount option hidepid): ` +
    'run as its user or as root, or in the group that the mount option gid= names';
  return systemError('EACCES', why, file, cause);
}

async function refused(code: 'EACCES' | 'EPERM', file: ProcFile, cause: unknown): Promise<Error> {
  if (file.pid === undefined)
    return systemError(code, `${file.name} may be read by root only: run as root`, file, cause);
  const owner = await ownerOf(file);
  const self = process.geteuid?.();
  const help = 'run as root, or give this program CAP_SYS_PTRACE';
  const why =
    owner === self
      ? `process ${file.pid} is of the same user but protected (not dumpable, in another user namespace, or by ` +
        `a security module such as Yama): ${help}`
      : `process ${file.pid} belongs to ${await userName(owner)}, this one runs as uid ${self}: run as that user, ${help}`;
  return systemError(code, why, file, cause);
}

/** The real user id: the directory itself belongs to root where the process is not dumpable. */
async function ownerOf(file: ProcFile): Promise<number | undefined> {
  const directory = `${file.root}/${file.pid}`;
  const status = await readFile(`${directory}/status`, 'latin1').catch(() => '');
  const uid = /^Uid:\t(\d+)/m.exec(status)?.[1];
  if (uid !== undefined) return Number(uid);
  return stat(directory).then(
    ({ uid: owner }) => owner,
    () => undefined,
  );
}

async function userName(uid: number | undefined): Promise<string> {
  if (uid === undefined) return 'another user';
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const name = users
    .split('\n')
    .find((line) => line.split(':')[2] === String(uid))
    ?.split(':')[0];
  return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** True also where only the permission to signal is missing: then the process is there. */
function isAlive(pid: number | 'self'): boolean {
  if (pid === 'self') return true;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
