import type { Range } from './snapshot.js';

interface Span<T> {
  start: number;
  end: number;
  item: T;
}

/** Disjoint ranges, asked in ascending order: which of them meet this mapping? Linear over all questions together. */
export class Sweep<T extends Range> {
  readonly #spans: Span<T>[];
  #next = 0;

  constructor(items: Iterable<T>) {
    this.#spans = Array.from(items, (item) => ({ start: Number(item.start), end: Number(item.end), item }));
    this.#spans.sort((a, b) => a.start - b.start);
  }

  /** Calls `found` with every range that meets [start, end) and the number of bytes that they share. */
  meet(start: number, end: number, found: (item: T, overlap: number) => void): void {
    while ((this.#spans[this.#next]?.end ?? Infinity) <= start) this.#next++;
    for (let i = this.#next; i < this.#spans.length; i++) {
      const span = this.#spans[i];
      if (span === undefined || span.start >= end) return;
      found(span.item, Math.min(end, span.end) - Math.max(start, span.start));
    }
  }
}
