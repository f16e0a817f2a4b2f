/** /proc/PID/status: who a process is, and its memory by kind. */
import { type ProcessOptions, processFile, readProcFile } from './read.js';
import { mapLines, parseAmount, parseCount, splitField } from './text.js';

/**
 * Every field under its kernel name: sizes (Vm…, Rss…, HugetlbPages) in bytes, counts and ids as numbers, Uid, Gid,
 * Groups and the NS… ids as arrays of numbers, everything else (State, masks, lists) as the kernel's text. What this
 * process or kernel does not have is absent: kernel threads and zombies have no Vm… fields.
 */
export interface Status {
  Name?: string;
  State?: string;
  Tgid?: number;
  Pid?: number;
  PPid?: number;
  TracerPid?: number;
  /** Real, effective, saved and filesystem id. */
  Uid?: number[];
  Gid?: number[];
  Groups?: number[];
  VmPeak?: number;
  VmSize?: number;
  VmLck?: number;
  VmPin?: number;
  /** The most that was ever resident. */
  VmHWM?: number;
  VmRSS?: number;
  RssAnon?: number;
  RssFile?: number;
  RssShmem?: number;
  VmData?: number;
  VmStk?: number;
  VmExe?: number;
  VmLib?: number;
  VmPTE?: number;
  VmSwap?: number;
  HugetlbPages?: number;
  Threads?: number;
  [kernelName: string]: StatusValue | undefined;
}

export type StatusValue = string | number | number[];

const COUNTS = new Set([
  'Tgid',
  'Ngid',
  'Pid',
  'PPid',
  'TracerPid',
  'FDSize',
  'Kthread',
  'CoreDumping',
  'THP_enabled',
  'Threads',
  'NoNewPrivs',
  'Seccomp',
  'Seccomp_filters',
  'voluntary_ctxt_switches',
  'nonvoluntary_ctxt_switches',
]);
const LISTS = new Set(['Uid', 'Gid', 'Groups', 'NStgid', 'NSpid', 'NSpgid', 'NSsid']);

/** Throws ProcParseError. */
export function parseStatus(bytes: Uint8Array, file = 'status'): Status {
  const fields = mapLines(bytes, file, "'Name: value'", (line): [string, StatusValue] | undefined => {
    const field = splitField(line);
    return field && [field[0], fieldValue(...field)];
  });
  return Object.fromEntries(fields);
}

/** Rejects with ESRCH when there is no such process. Anyone may read it. @see proc_pid_status(5) */
export async function readStatus(options: ProcessOptions = {}): Promise<Status> {
  const file = processFile('status', options);
  return parseStatus(await readProcFile(file), file.path);
}

function fieldValue(name: string, value: string): StatusValue {
  if (name === 'Name') return unescapeName(value);
  if (COUNTS.has(name)) return parseCount(value) ?? value;
  if (LISTS.has(name)) return parseList(value) ?? value;
  return value.endsWith(' kB') ? (parseAmount(value) ?? value) : value;
}

function parseList(value: string): number[] | undefined {
  const numbers = value.split(/\s+/).filter(Boolean).map(parseCount);
  return numbers.every((number) => number !== undefined) ? numbers : undefined;
}

/** The kernel writes a newline as \n and a backslash as two. */
function unescapeName(name: string): string {
  return name.replace(/\\([\\n])/g, (_, character: string) => (character === 'n' ? '\n' : '\\'));
}
