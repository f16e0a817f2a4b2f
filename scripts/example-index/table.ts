/**
 * A hash table with open addressing in a heap: a block of slots, and a block for each entry. Keys are kept in UTF-16, as JavaScript
 * has them: nothing is converted to find one.
 *
 *   root 'index' → | entries | slots | slot: hash, unit of an entry or 0 | …       entry: | value | length | key |
 *
 * An entry is complete before the one store that puts it into its slot: what a crash leaves is the table before or after.
 */
import type { Heap } from '../../lib/heap/index.js';

const HEAD = 2;
const LAYOUT = 'example hash table 2';

export class Index {
  static create(heap: Heap, slots: number): Index {
    const length = 2 ** Math.ceil(Math.log2(slots));
    const ptr = heap.calloc(HEAD + 2 * length, 4);
    if (ptr === 0) throw full();
    new Int32Array(heap.view(ptr).buffer)[ptr / 4 + 1] = length;
    heap.roots.set('index', ptr, LAYOUT);
    return Index.attach(heap);
  }

  static attach(heap: Heap): Index {
    return new Index(heap, heap.roots.get('index', LAYOUT));
  }

  readonly #heap: Heap;
  /** The word where the table begins. */
  readonly #table: number;
  #words = new Int32Array(0);
  #units = new Uint16Array(0);

  private constructor(heap: Heap, table: number) {
    this.#heap = heap;
    this.#table = table / 4;
    this.#look();
  }

  get size(): number {
    return this.#words[this.#table]!;
  }

  get(key: string): number | undefined {
    const entry = this.#words[this.#slotOf(key, hashOf(key)) + 1]!;
    return entry === 0 ? undefined : this.#words[2 * entry];
  }

  set(key: string, value: number): void {
    const hash = hashOf(key);
    const slot = this.#slotOf(key, hash);
    const known = this.#words[slot + 1]!;
    if (known !== 0) {
      this.#words[2 * known] = value;
      return;
    }
    const entry = this.#write(key, value);
    this.#words[slot] = hash;
    this.#words[slot + 1] = entry;
    this.#words[this.#table]!++;
  }

  /** A new entry, that is in no slot. */
  #write(key: string, value: number): number {
    const ptr = this.#heap.malloc(8 + 2 * key.length);
    if (ptr === 0) throw full();
    if (ptr + 8 + 2 * key.length > this.#words.byteLength) this.#look();
    this.#words[ptr / 4] = value;
    this.#words[ptr / 4 + 1] = key.length;
    for (let i = 0; i < key.length; i++) this.#units[ptr / 2 + 4 + i] = key.charCodeAt(i);
    return ptr / 8;
  }

  /** The heap has grown: its memory is seen through another buffer. */
  #look(): void {
    const { buffer } = this.#heap.view(4 * this.#table);
    this.#words = new Int32Array(buffer);
    this.#units = new Uint16Array(buffer);
  }

  /** The word of the slot where the key is, or belongs. */
  #slotOf(key: string, hash: number): number {
    const words = this.#words;
    const mask = words[this.#table + 1]! - 1;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = this.#table + HEAD + 2 * i;
      const entry = words[slot + 1]!;
      if (entry === 0 || (words[slot] === hash && this.#has(entry, key))) return slot;
    }
  }

  #has(entry: number, key: string): boolean {
    if (this.#words[2 * entry + 1] !== key.length) return false;
    const units = this.#units;
    const at = 4 * entry + 4;
    for (let i = 0; i < key.length; i++) if (units[at + i] !== key.charCodeAt(i)) return false;
    return true;
  }
}

/** FNV-1a, and a last stir for the low bits. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}

const full = (): Error => new Error('the heap is full: it needs a higher limit');
