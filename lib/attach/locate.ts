import { setTimeout as sleep } from 'node:timers/promises';
import type { Deadline } from './deadline.js';
import { AttachError } from './errors.js';
import { type InspectorAddress, readInspectorAddress } from './options.js';
import { type Endpoint, findPath } from './session.js';
import { type ListeningSocket, loopbackAddress, ownedBy, ownerOf, readListening } from './sockets.js';
import { describeProcess, describeSilence, hasExited, requestInspector, type Target } from './target.js';

/** The target's inspector. */
export interface Located extends Endpoint {
  readonly inode: string;
  /** Whether it was open before. */
  readonly wasOpen: boolean;
}

/** How long one socket may take to answer whether it is an inspector, in milliseconds. */
const ASK = 1000;
/** After this long without a new socket, in milliseconds, an inspector that is open at an odd port is looked for. */
const PATIENCE = 500;

/**
 * Finds the target's inspector, or opens it with SIGUSR1. Only sockets that the target itself holds are ever talked
 * to, and of those that were there before first the one where its command line puts the inspector.
 */
export async function locate(target: Target, deadline: Deadline): Promise<Located> {
  const { pid } = target;
  const expected = await readInspectorAddress(pid);
  const before = await readListening(pid);
  const open = await ask(pid, likely(before, expected));
  if (open) return { ...open, wasOpen: true };
  checkReachable(target, expected);
  await checkFree(target, expected, before);
  try {
    await requestInspector(target);
  } catch (error) {
    const odd = await ask(pid, before);
    if (odd) return { ...odd, wasOpen: true };
    throw error;
  }
  return await awaitInspector(target, { expected, before }, deadline);
}

function likely(sockets: readonly ListeningSocket[], { port }: InspectorAddress): ListeningSocket[] {
  return sockets.filter((socket) => port === 0 || socket.port === port);
}

/** The first of the sockets that belongs to `pid` and is an inspector. */
async function ask(
  pid: number,
  sockets: readonly ListeningSocket[],
): Promise<Omit<Located, 'wasOpen'> | undefined> {
  for (const { address, port, inode } of await ownedBy(pid, sockets.filter(loopbackAddress))) {
    const reachable = loopbackAddress({ address });
    const path = reachable && (await findPath(reachable, port, ASK).catch(() => undefined));
    if (path) return { address: reachable, port, path, inode };
  }
  return undefined;
}

/** Only what listens on the loopback interface is opened: an inspector runs whatever code it is sent. */
function checkReachable({ pid }: Target, { host, port }: InspectorAddress): void {
  if (loopbackAddress({ address: host }) === host) return;
  throw new AttachError(
    'ADDRESS',
    `Process ${pid} was started with its inspector at ${host}:${port}, which memprobe does not open: others than this ` +
      'machine could reach it there. Start it with --inspect-port=127.0.0.1:0 instead, or look from outside with --no-attach.',
  );
}

/** Node would only print an error over there and open nothing. */
async function checkFree(
  target: Target,
  { host, port }: InspectorAddress,
  sockets: ListeningSocket[],
): Promise<void> {
  const clash = sockets.find(
    (socket) => port !== 0 && socket.port === port && overlaps(socket.address, host),
  );
  if (!clash) return;
  const owner = await ownerOf(clash);
  const who = owner === undefined ? 'a process of another user' : await describeProcess(owner);
  throw new AttachError(
    'PORT_TAKEN',
    `Process ${target.pid} would open its inspector at ${host}:${port}, but ${who} listens there already. Nothing ` +
      `was sent. Stop that one, or start the program with --inspect-port=0, or look from outside with --no-attach.`,
  );
}

function overlaps(a: string, b: string): boolean {
  const anywhere = ['0.0.0.0', '::'];
  return a === b || anywhere.includes(a) || anywhere.includes(b);
}

/** Waits until the target listens where it did not before, and an inspector answers there. */
async function awaitInspector(
  { pid }: Target,
  { expected, before }: { expected: InspectorAddress; before: ListeningSocket[] },
  deadline: Deadline,
): Promise<Located> {
  const known = new Set(before.map(({ inode }) => inode));
  const patience = performance.now() + PATIENCE;
  let lookedElsewhere = false;
  for (let pause = 5; !deadline.passed; pause = Math.min(2 * pause, 50)) {
    await sleep(pause);
    const fresh = (await readListening(pid)).filter(({ inode }) => !known.has(inode));
    const opened = await ask(pid, fresh);
    if (opened) return { ...opened, wasOpen: false };
    if (await hasExited(pid)) throw new AttachError('NO_PROCESS', `Process ${pid} has exited meanwhile.`);
    if (lookedElsewhere || performance.now() < patience) continue;
    lookedElsewhere = true;
    const odd = await ask(pid, before);
    if (odd) return { ...odd, wasOpen: true };
  }
  throw await notOpened(pid, expected);
}

/** The signal can't be taken back: whoever sent it has to know what it may still do, and how to undo that. */
async function notOpened(pid: number, { host, port }: InspectorAddress): Promise<AttachError> {
  const silence = await describeSilence(pid);
  const where = port === 0 ? `a free port of ${host}` : `${host}:${port}`;
  return new AttachError(
    'NOT_OPENED',
    `Process ${pid} was sent SIGUSR1 but has not opened its inspector: ${silence}, or its standard error says why. ` +
      `When it goes on, it may still open it on ${where}, and would leave it open. To close it then: ` +
      `node inspect -p ${pid}, and there exec('process._debugEnd()'). Look from outside with --no-attach.`,
  );
}
