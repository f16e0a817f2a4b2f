/** What a check finds, and what the checks read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** 'notice': it works, and something is worth knowing; 'refused': it is there, and something forbids it. */
export type Health = 'ok' | 'notice' | 'missing' | 'refused';

/** One prerequisite. */
export interface Check {
  /** Stable, for programs: 'glibc', 'call.mseal', 'limit.memlock' … */
  readonly id: string;
  /** What it is, for people. */
  readonly title: string;
  readonly health: Health;
  /** What was found, for people. */
  readonly found: string;
  /** The same for programs: sizes in bytes, null for "no limit" or "not there". */
  readonly values: Readonly<Record<string, string | number | boolean | null>>;
  /** What it costs, where it is not 'ok'. */
  readonly costs?: string;
  /** How to get it, where it is not 'ok'. */
  readonly remedy?: string;
}

/** A check that found nothing wrong. */
export function fine(id: string, title: string, found: string, values: Check['values']): Check {
  return { id, title, health: 'ok', found, values };
}

/** The files that the checks read, below a root of their own in tests. */
export class Files {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Without the white space at its end; undefined where it is not to be had. */
  read(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'utf8').trimEnd();
    } catch {
      return undefined;
    }
  }

  /** A field of /proc/self/status. */
  status(field: string): string | undefined {
    return new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(this.read('/proc/self/status') ?? '')?.[1];
  }

  /** Whether this process has the capability of that number. @see capabilities(7) */
  capable(number: number): boolean {
    const mask = BigInt(`0x${this.status('CapEff') || '0'}`);
    return ((mask >> BigInt(number)) & 1n) === 1n;
  }
}
