/** The bench that an experiment is done on: it does the steps, has each one watched, and keeps the record. */
import type { Address } from '../address.js';
import { getpagesize } from '../libc/page.js';
import { codeOf } from '../procfs/errors.js';
import { LabError } from './errors.js';
import type { Observer } from './observer.js';
import type { Change, LabSection, LabStep, MapLine, Table, Telling } from './report.js';

/** One experiment. */
export interface Lab {
  name: string;
  /** One line. */
  summary: string;
  /** Figures that matter here besides maps and statm. */
  tells?: Telling[];
  /** The lab runs under this soft RLIMIT_MEMLOCK, in KiB. */
  memlock?: number;
  /** Adds to the environment of the lab's process; throws where that can't be had here. */
  environment?: (plain: NodeJS.ProcessEnv) => NodeJS.ProcessEnv;
  run(bench: Bench): void | Promise<void>;
}

interface Watched {
  start: bigint;
  end: bigint;
  label: string;
}

export interface Done<T> {
  value: T;
  change: Change;
}

/** In a quiet process two looks in a row agree; it gets some time to become quiet. */
const SETTLING = 20;

export class Bench {
  readonly sections: LabSection[] = [];
  /** Bytes in a page. */
  readonly page = getpagesize();
  /** A private directory; it is removed when the lab is over. */
  readonly directory: string;
  readonly #observer: Observer;
  #watched: Watched[] = [];

  constructor(observer: Observer, directory: string) {
    this.#observer = observer;
    this.directory = directory;
  }

  /** Looks until nothing changes by itself any more, and returns how many resident pages still came or went. */
  settle(): number {
    let drift = 0;
    for (let i = 0; i < SETTLING; i++) {
      drift = this.measure(nothing).change.rss;
      if (drift === 0 && i > 1) break;
    }
    return drift;
  }

  /** Opens the next part of the lesson. */
  section(title: string): void {
    this.sections.push({ title, steps: [], shows: '' });
  }

  /** Does something between two looks, and writes it down as a step. */
  step<T>(id: string, code: string, action: () => T): Done<T> {
    const done = this.measure(action);
    this.#write(id, code).change = done.change;
    return done;
  }

  /** The same for what takes time. */
  async wait<T>(id: string, code: string, action: () => Promise<T>): Promise<Done<T>> {
    this.#observer.before();
    const value = await action();
    const change = this.#labelled(this.#observer.after());
    this.#write(id, code).change = change;
    return { value, change };
  }

  /** Does something between two looks, without a word. */
  measure<T>(action: () => T): Done<T> {
    this.#observer.before();
    const value = action();
    return { value, change: this.#labelled(this.#observer.after()) };
  }

  /** A step that makes a mapping, or moves one: it is named in the difference, and in all later ones. */
  make(id: string, code: string, label: string, length: number, action: () => Address): Done<Address> {
    const done = this.measure(action);
    this.watch(done.value, length, label);
    return { value: done.value, change: this.adopt(id, code, done) };
  }

  /** Writes down as a step what was measured before; its mappings get the names that were given meanwhile. */
  adopt(id: string, code: string, { change }: Done<unknown>): Change {
    return (this.#write(id, code).change = this.#labelled(change));
  }

  /** Leaves mappings out of the last step's difference, and returns how many. */
  focus(wanted: (line: MapLine) => boolean): number {
    const { change } = this.#step;
    if (!change) return 0;
    const kept = change.maps.filter(wanted);
    const dropped = change.maps.length - kept.length;
    change.maps = kept;
    return dropped;
  }

  /** A step that is not looked at. */
  note(id: string, code: string): void {
    this.#write(id, code);
  }

  /** A step that ought to fail. Returns the error's code; '' where it did not. */
  refused(id: string, code: string, action: () => unknown): string {
    const step = this.#write(id, code);
    try {
      action();
      return '';
    } catch (error) {
      const errorCode = codeOf(error);
      if (errorCode === undefined || !(error instanceof Error)) throw error;
      step.error = { code: errorCode, message: error.message };
      return errorCode;
    }
  }

  /** Explains the last step. */
  say(...notes: string[]): void {
    this.#step.notes.push(...notes);
  }

  /** Keeps figures of the last step. */
  record(numbers: LabStep['numbers']): void {
    Object.assign(this.#step.numbers, numbers);
  }

  table(head: string[], rows: string[][]): void {
    const table: Table = { head, rows };
    this.#step.table = table;
  }

  /** The sentence to remember of this part. */
  shows(sentence: string): void {
    this.#section.shows = sentence;
  }

  /** This machine can't do the rest of this part. */
  skip(why: string): void {
    this.#section.skipped = why;
  }

  /** Names what lies at an address in all differences from now on. */
  watch(address: Address, length: number, label: string): void {
    const end = address + BigInt(length);
    this.#watched = this.#watched.filter((other) => other.end <= address || other.start >= end);
    this.#watched.push({ start: address, end, label });
  }

  #labelled(change: Change): Change {
    return { ...change, maps: change.maps.map((line) => this.#label(line)) };
  }

  #label(line: MapLine): MapLine {
    const [start, end] = [BigInt(`0x${line.start}`), BigInt(`0x${line.end}`)];
    const found = this.#watched.find((watched) => watched.start < end && start < watched.end);
    return found ? { ...line, label: found.label } : line;
  }

  #write(id: string, code: string): LabStep {
    const step: LabStep = { id, code, notes: [], numbers: {} };
    this.#section.steps.push(step);
    return step;
  }

  get #section(): LabSection {
    const section = this.sections.at(-1);
    if (!section) throw new LabError('a lab begins with a section');
    return section;
  }

  get #step(): LabStep {
    const step = this.#section.steps.at(-1);
    if (!step) throw new LabError('a section begins with a step');
    return step;
  }
}

function nothing(): void {}

/** By how many resident pages the mappings of this name grew. */
export function residentIn({ maps }: Change, label: string): number {
  return sumOf(maps, label, ({ sign, resident, was }) =>
    sign === '-' ? -resident : resident - (was?.resident ?? 0),
  );
}

/** By how many pages without a file the mappings of this name grew. */
export function anonymousIn({ maps }: Change, label: string): number {
  return sumOf(maps, label, ({ sign, anonymous, was }) =>
    sign === '-' ? -anonymous : anonymous - (was?.anonymous ?? 0),
  );
}

/** By how many pages of address space the mappings of this name grew. */
export function sizeIn({ maps }: Change, label: string): number {
  return sumOf(maps, label, ({ sign, pages }) => (sign === '~' ? 0 : sign === '+' ? pages : -pages));
}

function sumOf(maps: MapLine[], label: string, figure: (line: MapLine) => number): number {
  return maps
    .filter((line) => (line.label ?? line.path) === label)
    .reduce((sum, line) => sum + figure(line), 0);
}
