import { readdir, readFile, readlink } from 'node:fs/promises';
import { constants } from 'node:os';
import { readSymbols } from './elf.js';
import { AttachError } from './errors.js';
import { watchesSignal } from './watchers.js';

/** A process that may be attached to. */
export interface Target {
  readonly pid: number;
  /** The pid by which the process knows itself: another one where it lives in a pid namespace of its own. */
  readonly pidInside: number;
}

type Status = ReadonlyMap<string, string>;

const OUTSIDE = 'Look at it from outside instead, with --no-attach.';
const { SIGINT, SIGTERM, SIGUSR1 } = constants.signals;

/** node::Start(int, char**): exported by everything that is Node inside, never by Bun or Deno. */
const NODE_SYMBOL = '_ZN4node5StartEiPPc';

/**
 * Makes sure that the process exists, is ours to talk to, runs, is Node, and has its loopback interface in common
 * with us. Sends nothing.
 */
export async function examine(pid: number): Promise<Target> {
  if (pid === process.pid) {
    throw new AttachError(
      'SELF',
      `Process ${pid} is this process itself: use explain(), which needs no attaching.`,
    );
  }
  const status = await readStatus(pid);
  if (!status) throw missing(pid);
  checkKind(pid, status);
  await checkRights(pid, status);
  checkRunning(pid, status);
  await guardAccess(pid, async () => {
    await checkNode(pid, status);
    await checkNetwork(pid);
  });
  return { pid, pidInside: Number(status.get('NSpid')?.split(/\s+/).at(-1) ?? pid) };
}

/**
 * Sends SIGUSR1, once it is sure that the signal opens the inspector of this process rather than killing it or
 * being taken for something else. Everything that can be known from outside is asked: the signal is caught; Node's
 * thread that waits for it exists; the program has no listener of its own.
 */
export async function requestInspector({ pid }: Target): Promise<void> {
  const watched = await watchesSignal(pid, SIGUSR1);
  const waits = await hasInspectorThread(pid);
  // Last, because it decides over life and death and may change.
  const status = await readStatus(pid);
  if (!status || isDead(status)) throw missing(pid);
  if (!maskHas(status.get('SigCgt'), SIGUSR1)) {
    throw new AttachError(
      'DISABLED',
      `Node process ${pid} does not open its inspector on SIGUSR1: it was started with --disable-sigusr1 or ` +
        `--permission, has removed a SIGUSR1 listener, or has only just started. The signal was not sent, it could ` +
        `kill the process. ${OUTSIDE}`,
    );
  }
  if (watched || !waits) {
    throw new AttachError(
      'OWN_HANDLER',
      `Node process ${pid} has a SIGUSR1 listener of its own, which replaces Node's: the signal would run that and ` +
        `open no inspector, so it was not sent. Start the program with --inspect=127.0.0.1:0, or look from outside ` +
        `with --no-attach.`,
    );
  }
  if (signalError(pid, 'SIGUSR1')) throw missing(pid);
}

/** What state the process is in, for errors about missing answers. */
export async function describeSilence(pid: number): Promise<string> {
  const status = await readStatus(pid);
  if (!status || isDead(status)) return 'it has exited meanwhile';
  return (
    stopped(status) ??
    'its main thread is busy or blocked: endless JavaScript, a synchronous call, native code'
  );
}

export async function hasExited(pid: number): Promise<boolean> {
  const status = await readStatus(pid);
  return !status || isDead(status);
}

/** A process in words: its pid and the beginning of its command line. */
export async function describeProcess(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const command = text.replaceAll('\0', ' ').trim();
  return command
    ? `process ${pid} (${command.length > 60 ? `${command.slice(0, 59)}…` : command})`
    : `process ${pid}`;
}

/** The fields of a process's or thread's status; undefined where there is none (or it is hidden). */
async function readStatus(pid: number, directory = `/proc/${pid}`): Promise<Status | undefined> {
  const text = await readFile(`${directory}/status`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return new Map(
    Array.from(text.matchAll(/^(\w+):[ \t]*(.*)$/gm), ([, name = '', value = '']) => [name, value]),
  );
}

function missing(pid: number): AttachError {
  if (signalError(pid) === 'ESRCH') {
    return new AttachError('NO_PROCESS', `There is no process ${pid}: it has ended, or the number is wrong.`);
  }
  return new AttachError(
    'DENIED',
    `Process ${pid} exists, but /proc hides it from this user (hidepid). Run as its user or as root.`,
  );
}

function checkKind(pid: number, status: Status): void {
  const group = Number(status.get('Tgid'));
  if (group !== pid) {
    throw new AttachError('NOT_A_PROCESS', `${pid} is a thread of process ${group}. Use ${group} instead.`);
  }
  if (isDead(status)) {
    const parent = status.get('PPid');
    throw new AttachError(
      'NOT_A_PROCESS',
      `Process ${pid} has ended and is a zombie: its parent, ${parent}, has not waited for it. It has no memory left.`,
    );
  }
  if (status.get('Kthread') === '1' || !status.has('VmSize')) {
    throw new AttachError(
      'NOT_A_PROCESS',
      `${pid} is a kernel thread (${status.get('Name')}), not a program.`,
    );
  }
}

async function checkRights(pid: number, status: Status): Promise<void> {
  if (signalError(pid) !== 'EPERM') return;
  const [uid = '?'] = status.get('Uid')?.split(/\s+/) ?? [];
  const owner = await userName(uid);
  const self = await userName(String(process.geteuid?.()));
  throw new AttachError(
    'DENIED',
    `Process ${pid} belongs to ${owner}, and ${self} may not send it SIGUSR1. ` +
      (uid === '0' ? 'Run as root.' : `Run as ${owner} or as root.`),
  );
}

/** The kernel closes /proc/PID of a process that has other credentials or more capabilities than the caller. */
async function guardAccess(pid: number, read: () => Promise<void>): Promise<void> {
  await read().catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ESRCH') throw missing(pid);
    if (cause.code !== 'EACCES' && cause.code !== 'EPERM') throw cause;
    const message =
      `Process ${pid} may not be examined (${cause.code} on /proc/${pid}): it has changed its credentials, has more ` +
      'capabilities than this process, or CAP_SYS_PTRACE is missing here. Run as root, outside the container.';
    throw new AttachError('DENIED', message, { cause });
  });
}

function checkRunning(pid: number, status: Status): void {
  const why = stopped(status);
  if (!why) return;
  throw new AttachError('STOPPED', `Process ${pid} can't answer: ${why}. Nothing was sent. ${OUTSIDE}`);
}

/** Why a process is not running, with what to do about it; undefined where it runs. */
function stopped(status: Status): string | undefined {
  const state = status.get('State')?.[0];
  if (state === 't')
    return `it is held by a native debugger, process ${status.get('TracerPid')}; detach that first`;
  return state === 'T'
    ? `it is stopped (SIGSTOP, Ctrl-Z); kill -CONT ${status.get('Pid')} lets it go on`
    : undefined;
}

async function checkNode(pid: number, status: Status): Promise<void> {
  const symbols = await readSymbols(`/proc/${pid}/exe`, 'dynamic');
  if (symbols.find(NODE_SYMBOL) !== undefined) return;
  const maps = await readFile(`/proc/${pid}/maps`, 'latin1');
  if (/\/libnode\.so[^/\n]*$/m.test(maps)) return;
  throw new AttachError(
    'NOT_NODE',
    `Process ${pid} (${status.get('Name')}, ${await readlink(`/proc/${pid}/exe`)}) is not Node. Nothing was sent: ` +
      `SIGUSR1 could kill it. ${OUTSIDE}`,
  );
}

async function checkNetwork(pid: number): Promise<void> {
  const [theirs, ours] = await Promise.all([readlink(`/proc/${pid}/ns/net`), readlink('/proc/self/ns/net')]);
  if (theirs === ours) return;
  throw new AttachError(
    'NAMESPACE',
    `Process ${pid} has a network namespace of its own (a container): its inspector's port can't be reached from ` +
      `here. Run memprobe inside the container, or: nsenter --target ${pid} --net memprobe explain --pid ${pid}`,
  );
}

/** The thread that waits for SIGUSR1 has no name before Node 24, but alone of all blocks every signal. */
async function hasInspectorThread(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const statuses = await Promise.all(threads.map((id) => readStatus(pid, `/proc/${pid}/task/${id}`)));
  return statuses.some((status) =>
    [SIGUSR1, SIGINT, SIGTERM].every((signum) => maskHas(status?.get('SigBlk'), signum)),
  );
}

function maskHas(mask: string | undefined, signum: number): boolean {
  return ((BigInt(`0x${mask ?? '0'}`) >> BigInt(signum - 1)) & 1n) === 1n;
}

function isDead(status: Status): boolean {
  return /^[ZX]/.test(status.get('State') ?? '');
}

/** What the kernel says to a signal: ESRCH, EPERM, or nothing. 0 asks without sending one. */
function signalError(pid: number, signal: 0 | 'SIGUSR1' = 0): string | undefined {
  try {
    process.kill(pid, signal);
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : undefined;
  }
}

async function userName(uid: string): Promise<string> {
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const line = users.split('\n').find((entry) => entry.split(':')[2] === uid);
  return line ? `${line.split(':')[0]} (uid ${uid})` : `uid ${uid}`;
}
