/** Which mapping is the stack of which thread: nothing in maps says so, but the stack pointers do. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, exitedMeanwhile, explainFailure, ProcParseError } from './errors.js';
import { findMapping } from './find.js';
import { type Mapping, readMaps } from './maps.js';
import { type ProcessOptions, processFile } from './read.js';
import { toLines } from './text.js';

export interface TaskStack {
  tid: number;
  /** The thread's name, at most 15 bytes. */
  comm: string;
  /** The stack pointer, where it could be had: the kernel shows it of threads that wait. */
  sp?: bigint;
  /** The mapping that the stack pointer points into. */
  mapping?: Mapping;
  /** Why there is no `sp`: the thread was running each time, or the kernel does not tell us. */
  hidden?: 'running' | 'refused';
}

/** A waiting thread's registers, or 'running'. */
export type TaskSyscall = 'running' | { sp: bigint; pc: bigint };

export interface TaskStat {
  comm: string;
  /** 'R' running, 'S' sleeping, 'Z' zombie … */
  state: string;
  /** 0n except while the thread exits or dumps core. */
  kstkesp: bigint;
}

const TRIES = 4;
const PAUSE_MS = 2;
const SYSCALL = /^-?\d+ (?:0x[0-9a-f]+ ){0,6}(0x[0-9a-f]+) (0x[0-9a-f]+)$/;
/** The name may hold spaces and brackets, so the last bracket ends it. Field 29 of the line is kstkesp. */
const STAT = /^\d+ \((.*)\) (\S)(?: -?\d+){25} (\d+)(?: -?\d+)*$/s;

/** /proc/PID/task/TID/syscall. Throws ProcParseError. */
export function parseTaskSyscall(bytes: Uint8Array, file = 'syscall'): TaskSyscall {
  const [line = ''] = toLines(bytes);
  if (line === 'running') return 'running';
  const match = SYSCALL.exec(line);
  if (match === null) throw new ProcParseError(file, 1, line, "'running' or 'number arguments… sp pc'");
  return { sp: BigInt(match[1] ?? 0), pc: BigInt(match[2] ?? 0) };
}

/** /proc/PID/task/TID/stat, as far as it is needed here. Throws ProcParseError. */
export function parseTaskStat(bytes: Uint8Array, file = 'stat'): TaskStat {
  const text = toLines(bytes).join('\n');
  const match = STAT.exec(text);
  if (match === null) throw new ProcParseError(file, 1, text, "'pid (name) state number…'");
  const [, comm = '', state = '', kstkesp = '0'] = match;
  return { comm, state, kstkesp: BigInt(kstkesp) };
}

/**
 * The stack of every thread of a process; a thread that exits meanwhile is left out. A running thread's stack pointer
 * can't be seen: it is asked a few times and then remains unknown, but the main thread's stack is always '[stack]'.
 * Rejects with ESRCH when there is no such process, with EACCES when it belongs to someone else (seeing registers
 * needs the permission to ptrace). @see proc_pid_syscall(5)
 */
export async function readTaskStacks(options: ProcessOptions = {}): Promise<TaskStack[]> {
  const directory = processFile('task', options);
  const names = await readdir(directory.path).catch(async (error: unknown) => {
    throw await explainFailure(error, directory);
  });
  const maps = new Lookup(options);
  const leader = typeof options.pid === 'number' ? options.pid : process.pid;
  const tasks = names.map((name) => readTask(`${directory.path}/${name}`, Number(name), leader, maps));
  const stacks = (await Promise.all(tasks)).filter((task) => task !== undefined);
  if (stacks.length === 0) throw exitedMeanwhile(directory);
  return stacks;
}

async function readTask(
  path: string,
  tid: number,
  leader: number,
  maps: Lookup,
): Promise<TaskStack | undefined> {
  try {
    const comm = (await readFile(`${path}/comm`, 'utf8')).replace(/\n$/, '');
    const seen = await stackPointer(path);
    if (typeof seen === 'bigint') return withMapping({ tid, comm, sp: seen }, await maps.at(seen));
    return withMapping({ tid, comm, hidden: seen }, tid === leader ? await maps.named('[stack]') : undefined);
  } catch (error) {
    if (isGone(error) && !(await stillThere(path))) return undefined;
    throw error;
  }
}

/** Asks a few times while the thread is running, then takes what stat may know: that is 0 unless it is exiting. */
async function stackPointer(path: string): Promise<bigint | 'running' | 'refused'> {
  for (let tries = 0; tries < TRIES; tries++) {
    if (tries > 0) await sleep(PAUSE_MS);
    const bytes = await readFile(`${path}/syscall`).catch(refusal);
    if (bytes === 'refused') return 'refused';
    const seen = parseTaskSyscall(bytes, `${path}/syscall`);
    if (seen !== 'running') return seen.sp;
  }
  const { kstkesp } = parseTaskStat(await readFile(`${path}/stat`), `${path}/stat`);
  return kstkesp === 0n ? 'running' : kstkesp;
}

/** No permission, or a kernel without the file; a thread that has gone is for the caller. */
function refusal(error: unknown): 'refused' {
  if (codeOf(error) === 'ESRCH') throw error;
  return 'refused';
}

function withMapping(task: TaskStack, mapping: Mapping | undefined): TaskStack {
  return mapping === undefined ? task : { ...task, mapping };
}

function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH';
}

function stillThere(path: string): Promise<boolean> {
  return readFile(`${path}/comm`).then(
    () => true,
    () => false,
  );
}

/** Mappings by address and by name; the whole list is read only when it is needed, and once. */
class Lookup {
  readonly #options: ProcessOptions;
  #all: Promise<Mapping[]> | undefined;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  async at(address: bigint): Promise<Mapping | undefined> {
    if (this.#options.root === undefined) return findMapping(address, this.#options);
    return (await this.#maps()).find(({ start, end }) => start <= address && address < end);
  }

  async named(path: string): Promise<Mapping | undefined> {
    return (await this.#maps()).find((mapping) => mapping.path === path);
  }

  #maps(): Promise<Mapping[]> {
    this.#all ??= readMaps(this.#options);
    return this.#all;
  }
}
