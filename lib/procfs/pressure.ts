/** /proc/pressure/*: how long tasks stood still for want of memory, CPU or I/O. */
import { type RootOptions, readProcFile, systemFile } from './read.js';
import { mapLines } from './text.js';

export interface Stall {
  /** Percent of the last 10, 60 and 300 seconds. */
  avg10: number;
  avg60: number;
  avg300: number;
  /** Microseconds since boot. */
  total: number;
}

export interface Pressure {
  /** At least one task stood still. */
  some?: Stall;
  /** All tasks that were not idle stood still. */
  full?: Stall;
}

export interface PressureOptions extends RootOptions {
  /** Default 'memory'. */
  resource?: 'memory' | 'cpu' | 'io' | 'irq';
}

const LINE = /^(some|full) avg10=(\d+\.\d+) avg60=(\d+\.\d+) avg300=(\d+\.\d+) total=(\d+)$/;
const FORM = "'some avg10=… avg60=… avg300=… total=…'";

/** Throws ProcParseError. */
export function parsePressure(bytes: Uint8Array, file = 'pressure'): Pressure {
  const stalls = mapLines(bytes, file, FORM, (line): [string, Stall] | undefined => {
    const match = LINE.exec(line);
    if (match === null) return undefined;
    const [avg10 = 0, avg60 = 0, avg300 = 0, total = 0] = match.slice(2).map(Number);
    return [match[1] ?? '', { avg10, avg60, avg300, total }];
  });
  return Object.fromEntries(stalls);
}

/** Linux 4.20 with pressure stall information switched on; 'irq' since 6.1. The error says which is missing. */
export async function readPressure({
  resource = 'memory',
  ...options
}: PressureOptions = {}): Promise<Pressure> {
  const file = systemFile(`pressure/${resource}`, options);
  return parsePressure(await readProcFile(file), file.path);
}
