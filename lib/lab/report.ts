/**
 * What a lab found, as `memprobe lab NAME --json` prints it. Memory is counted in pages of `pageSize` bytes, as statm
 * counts it; addresses are hexadecimal.
 */
export const VERSION = 1;

export interface LabReport {
  version: typeof VERSION;
  lab: string;
  summary: string;
  pid: number;
  /** Bytes in a page. */
  pageSize: number;
  /** How many resident pages came or went when the process did nothing but be looked at: the accuracy of the rest. */
  drift: number;
  /** What matters here besides maps and statm. */
  tells: Telling[];
  sections: LabSection[];
}

/** Figures that some labs are about, and the others leave out of their text. */
export type Telling = 'faults' | 'locked' | 'huge';

export interface LabSection {
  title: string;
  steps: LabStep[];
  /** The sentence to remember. */
  shows: string;
  /** Why this part could not be done on this machine. */
  skipped?: string;
}

export interface LabStep {
  /** Unique in the lab. */
  id: string;
  /** What the program did. */
  code: string;
  notes: string[];
  /** Absent where the call was refused, and where there is nothing to see from outside. */
  change?: Change;
  /** The error that the step provoked. */
  error?: { code: string; message: string };
  table?: Table;
  /** Figures of the step itself: what calls returned, what was read. */
  numbers: Record<string, number | string | boolean>;
}

export interface Table {
  head: string[];
  rows: string[][];
}

/** What a step changed, seen from another process while this one waited. All in pages but the faults. */
export interface Change {
  maps: MapLine[];
  /** Of /proc/PID/statm; 0 where nothing changed. Kernels before 6.17 may lag there by some dozen pages. */
  statm: { size: number; resident: number; shared: number; data: number };
  /** Resident pages by smaps, which are exact. */
  rss: number;
  /** Of them, pages that belong to no file. */
  anonymous: number;
  /** Of them, pages that are part of a transparent huge page. */
  huge: number;
  /** VmLck. */
  locked: number;
  /** Page faults of the process, each one a visit to the kernel. */
  faults: { minor: number; major: number };
}

/** A line of the difference between two memory maps. */
export interface MapLine {
  /** A mapping that came, one that went, one that only holds something else: then `was` says what it held. */
  sign: '+' | '-' | '~';
  start: string;
  end: string;
  perms: string;
  /** The file, a name in brackets, or ''. */
  path: string;
  /** The lab's own name for what lies there. */
  label?: string;
  /** Address space, in pages. */
  pages: number;
  /** In memory, in pages. */
  resident: number;
  /** Of them, pages that belong to no file. */
  anonymous: number;
  was?: { resident: number; anonymous: number };
}
