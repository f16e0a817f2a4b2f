/**
 * A hash table with open addressing in a heap: a block of slots, and a block for each entry.
 *
 *   root 'index' → | entries | slots | slot: unit of an entry, 0 if free | …        entry: | value | bytes | key, in UTF-8 |
 *
 * An entry is complete before the one store that puts it into its slot: what a crash leaves is the table before or after.
 */
import type { Heap } from '../../lib/heap/index.js';

const HEAD = 2;
const LAYOUT = 'example hash table 1';
const LONGEST = 256;

export class Index {
  static create(heap: Heap, slots: number): Index {
    const length = 2 ** Math.ceil(Math.log2(slots));
    const ptr = heap.calloc(HEAD + length, 4);
    new DataView(heap.view(ptr).buffer, ptr).setInt32(4, length, true);
    heap.roots.set('index', ptr, LAYOUT);
    return Index.attach(heap);
  }

  static attach(heap: Heap): Index {
    return new Index(heap, heap.roots.get('index', LAYOUT));
  }

  readonly #heap: Heap;
  readonly #table: number;
  #words = new Int32Array(0);
  #bytes = new Uint8Array(0);
  readonly #key = Buffer.alloc(LONGEST);

  private constructor(heap: Heap, table: number) {
    this.#heap = heap;
    this.#table = table / 4;
    this.#look();
  }

  get size(): number {
    return this.#words[this.#table] ?? 0;
  }

  get(key: string): number | undefined {
    const length = this.#key.write(key);
    const entry = this.#words[this.#slotOf(length)] ?? 0;
    return entry === 0 ? undefined : this.#words[2 * entry];
  }

  set(key: string, value: number): void {
    const length = this.#key.write(key);
    const slot = this.#slotOf(length);
    const known = this.#words[slot] ?? 0;
    if (known !== 0) {
      this.#words[2 * known] = value;
      return;
    }
    const ptr = this.#heap.malloc(8 + length);
    if (ptr === 0) throw new Error('the heap is full');
    if (ptr + 8 + length > this.#bytes.length) this.#look();
    this.#words[ptr / 4] = value;
    this.#words[ptr / 4 + 1] = length;
    this.#bytes.set(this.#key.subarray(0, length), ptr + 8);
    this.#words[slot] = ptr / 8;
    this.#words[this.#table]! += 1;
  }

  /** The heap has grown: its memory is seen through another buffer. */
  #look(): void {
    const { buffer } = this.#heap.view(4 * this.#table);
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
  }

  /** Where the key is, or belongs. */
  #slotOf(length: number): number {
    const key = this.#key;
    let hash = 0x811c9dc5;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
    const mask = this.#words[this.#table + 1]! - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#words[this.#table + HEAD + slot]!;
      if (entry === 0 || this.#has(entry, length)) return this.#table + HEAD + slot;
    }
  }

  #has(entry: number, length: number): boolean {
    if (this.#words[2 * entry + 1] !== length) return false;
    const at = 8 * entry + 8;
    for (let i = 0; i < length; i++) if (this.#bytes[at + i] !== this.#key[i]) return false;
    return true;
  }
}
