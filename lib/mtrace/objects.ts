/** The objects that a log names, each found, read and given to addr2line once. */
import { stat } from 'node:fs/promises';
import { basename, delimiter, join, resolve } from 'node:path';
import { type ElfObject, readElf } from './elf.js';
import { LineFinder } from './tools.js';

export interface ObjectOptions {
  /** The program's file, where the log has only a name for it, or one that is no longer right. */
  program?: string;
  /** Stops; what is known by then is the result. */
  signal?: AbortSignal;
}

export interface OpenObject {
  path: string;
  elf: ElfObject;
  /** Only where the object has lines. */
  lines?: LineFinder;
}

/** So many addr2lines are at work for nobody yet: each takes a processor of its own. */
const AHEAD = 4;

export class Objects {
  readonly #options: ObjectOptions;
  readonly #open = new Map<string, Promise<OpenObject | string | undefined>>();
  readonly #finders = new Set<LineFinder>();
  #closed = false;

  constructor(options: ObjectOptions) {
    this.#options = options;
  }

  /** By its name in the log, which is empty where that has none. What to say where it can't be had, if anything. */
  get(name: string): Promise<OpenObject | string | undefined> {
    const known = this.#open.get(name) ?? this.#find(name);
    this.#open.set(name, known);
    return known;
  }

  /** Says that it may be asked for. */
  expect(name: string): void {
    if (this.#open.size < AHEAD) void this.get(name);
  }

  /** Ends what nobody has asked for. */
  close(): void {
    this.#closed = true;
    for (const finder of this.#finders) finder.stop();
  }

  async #find(name: string): Promise<OpenObject | string | undefined> {
    const path = await locate(name, this.#options.program);
    if (path === undefined) return name === '' ? undefined : missing(name);
    try {
      const elf = await readElf(path);
      if (!elf) return `${path} is no 64-bit ELF file: no names from there`;
      return { path, elf, ...(elf.hasLines && !this.#closed && { lines: this.#startFinder(path) }) };
    } catch (error) {
      return unreadable(path, error);
    }
  }

  #startFinder(path: string): LineFinder {
    const finder = new LineFinder(path, this.#options.signal);
    this.#finders.add(finder);
    return finder;
  }
}

export function unreadable(path: string, error: unknown): string {
  return `${path} could not be read: ${error instanceof Error ? error.message : String(error)}`;
}

/** A program that was found through PATH has no path in the log. */
async function locate(object: string, program: string | undefined): Promise<string | undefined> {
  const isProgram = object === '' || !object.includes('/');
  if (program !== undefined && (isProgram || basename(program) === basename(object))) return program;
  if (object === '') return undefined;
  const candidates = isProgram
    ? (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, object))
    : [resolve(object)];
  for (const path of candidates) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile()) return path;
  }
  return undefined;
}

function missing(object: string): string | undefined {
  if (object.startsWith('linux-vdso')) return undefined;
  return object.includes('/')
    ? `${object} is not there (any more): no names from it`
    : `${object} is not in PATH: --program says where it is`;
}
