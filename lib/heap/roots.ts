/**
 * Named roots: a list of blocks in the heap itself, from the header's ROOTS. The first of a name counts.
 *
 *   node  | unit of next | unit of what it names | bytes of name | bytes of layout | name, layout |
 */
import { HeapFileError, text } from './errors.js';
import { PENDING, ROOTS } from './header.js';

export interface Root {
  readonly name: string;
  readonly ptr: number;
  /** What the program calls the layout of what is there; '' if it didn't say. */
  readonly layout: string;
}

/** What the roots need of their heap. */
export interface RootsHome {
  /** The header and the arena in words, as they are now. Throws where the heap is closed. */
  readonly header: Int32Array;
  readonly words: Int32Array;
  /** A block for a node, PENDING until it is in the list. */
  allocate(bytes: number): number;
  free(ptr: number): void;
  /** What was stored so far is on the disk before what follows, where that is wanted. */
  settle(): void;
  /** Throws unless stores are allowed, and `ptr` is a live block. */
  admit(ptr: number): void;
  isLive(ptr: number): boolean;
}

const NEXT = 0;
const UNIT = 1;
const NAME = 2;
const LAYOUT = 3;
const TEXT = 16;
const MOST = 65_535;

/** Bytes for text in the node at `unit`. */
const roomIn = (words: Int32Array, unit: number): number => (words[2 * unit - 1]! >>> 3) * 8 - 4 - TEXT;

/** What a program may have called its root: no control characters, and UTF-8. */
const isText = (text: string): boolean => !/[\0-\x1f\ufffd]/.test(text);

export class Roots {
  readonly #home: RootsHome;
  constructor(home: RootsHome) {
    this.#home = home;
  }

  /**
   * Names a live block, in one store: a crash leaves the old root or the new one. `layout` says what is there; ERR_MEMPROBE_ROOT_TYPE
   * if the name is known with another layout (`delete` it first).
   */
  set(name: string, ptr: number, layout = ''): void {
    text('name', name, MOST);
    text('layout', layout, MOST);
    this.#home.admit(ptr);
    const node = this.#find(name);
    if (node === 0) return this.#insert(name, ptr, layout);
    this.#expect(node, name, layout);
    this.#home.settle();
    this.#home.words[node / 4 + UNIT] = ptr / 8;
    this.#home.settle();
  }

  /** 0 where there is none. With `layout`, ERR_MEMPROBE_ROOT_TYPE unless it is of that. */
  get(name: string, layout?: string): number {
    const node = this.#find(text('name', name, MOST));
    if (node === 0) return 0;
    if (layout !== undefined) this.#expect(node, name, layout);
    return 8 * this.#home.words[node / 4 + UNIT]!;
  }

  has(name: string): boolean {
    return this.#find(text('name', name, MOST)) !== 0;
  }

  /** The block itself stays. False where there is no such root. */
  delete(name: string): boolean {
    const node = this.#find(text('name', name, MOST));
    if (node === 0) return false;
    this.#home.admit(node);
    const { words, header } = this.#home;
    const next = words[node / 4 + NEXT]!;
    const before = [...this.nodes()].find((each) => 8 * words[each / 4 + NEXT]! === node);
    header[PENDING] = node / 8;
    this.#home.settle();
    if (before === undefined) header[ROOTS] = next;
    else words[before / 4 + NEXT] = next;
    this.#home.settle();
    this.#home.free(node);
    header[PENDING] = 0;
    return true;
  }

  /** All roots, the latest first. */
  list(): Root[] {
    return [...this.nodes()].map((node) => this.#read(node));
  }

  /** The blocks that hold the list. Ends at what is no live block. */
  *nodes(): Generator<number> {
    const { words, header } = this.#home;
    const seen = new Set<number>();
    for (let unit = header[ROOTS]!; unit !== 0; unit = words[2 * unit + NEXT]!) {
      if (!this.#home.isLive(8 * unit) || seen.has(unit) || !this.#fits(words, unit)) return;
      seen.add(unit);
      yield 8 * unit;
    }
  }

  /** @internal Lists the block at `ptr` again if it looks like a node that was listed. */
  adopt(ptr: number): void {
    const { words, header } = this.#home;
    const unit = ptr / 8;
    if (!this.#home.isLive(8 * words[2 * unit + UNIT]!) || !this.#fits(words, unit)) return;
    const { name, layout } = this.#read(ptr);
    const bytes = words[2 * unit + NAME]! + words[2 * unit + LAYOUT]!;
    // The allocator gives up to an eighth more than was asked for.
    if (roomIn(words, unit) > 1.25 * bytes + 24 || !isText(name + layout) || this.has(name)) return;
    words[2 * unit + NEXT] = header[ROOTS]!;
    header[ROOTS] = unit;
  }

  /** Where a chain ends that does not end well; 0: it does. */
  brokenAt(): number {
    const { words, header } = this.#home;
    let last = header[ROOTS]!;
    for (const node of this.nodes()) last = words[node / 4 + NEXT]!;
    return 8 * last;
  }

  /** What the node says of its text is within its block. */
  #fits(words: Int32Array, unit: number): boolean {
    const [name, layout] = [words[2 * unit + NAME]!, words[2 * unit + LAYOUT]!];
    return name >= 0 && layout >= 0 && name <= MOST && layout <= MOST && name + layout <= roomIn(words, unit);
  }

  #insert(name: string, ptr: number, layout: string): void {
    const [first, second] = [Buffer.from(name), Buffer.from(layout)];
    const node = this.#home.allocate(TEXT + first.length + second.length);
    const { words, header } = this.#home;
    words[node / 4 + NEXT] = header[ROOTS]!;
    words[node / 4 + UNIT] = ptr / 8;
    words[node / 4 + NAME] = first.length;
    words[node / 4 + LAYOUT] = second.length;
    this.#bytes(node + TEXT, first.length).set(first);
    this.#bytes(node + TEXT + first.length, second.length).set(second);
    this.#home.settle();
    header[ROOTS] = node / 8;
    this.#home.settle();
    header[PENDING] = 0;
  }

  #expect(node: number, name: string, layout: string): void {
    const known = this.#read(node).layout;
    if (known === layout) return;
    throw new HeapFileError(
      'ERR_MEMPROBE_ROOT_TYPE',
      `the root '${name}' is of layout '${known}', not '${layout}'; delete it to name something else so`,
    );
  }

  #find(name: string): number {
    for (const node of this.nodes()) if (this.#read(node).name === name) return node;
    return 0;
  }

  #read(node: number): Root {
    const { words } = this.#home;
    const name = words[node / 4 + NAME]!;
    const layout = words[node / 4 + LAYOUT]!;
    const textOf = (at: number, length: number): string => Buffer.from(this.#bytes(at, length)).toString();
    return {
      name: textOf(node + TEXT, name),
      ptr: 8 * words[node / 4 + UNIT]!,
      layout: textOf(node + TEXT + name, layout),
    };
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#home.words.buffer, at, length);
  }
}
