/**
 * The blocks that are allocated at the moment, by address: an open-addressing hash table over typed arrays.
 *
 * A Map would need a bigint or a string per block to be exact beyond 2^53; this needs 28 bytes per slot, at least a
 * quarter of the slots are in use once it has grown, and nothing is left behind by what was freed.
 */

import type { Columns } from './leftover.js';

const FIRST_SLOTS = 1 << 12;

/** A slot's key lies together, for the processor's cache: the address's halves, and its site's number plus 1 or 0. */
const KEY = 3;
const HIGH = 0;
const LOW = 1;
const SITE = 2;
/** Its values lie apart: they are not needed to find it. */
const VALUE = 2;
const SIZE = 0;
const LINE = 1;

/** An address is passed as the signed 32-bit halves of its 64 bits. */
export class LiveBlocks {
  #mask = FIRST_SLOTS - 1;
  #keys = new Int32Array(FIRST_SLOTS * KEY);
  #values = new Float64Array(FIRST_SLOTS * VALUE);
  #count = 0;

  /** How many blocks there are. */
  get count(): number {
    return this.#count;
  }

  /** False, and nothing changed, where a block has that address already. */
  add(high: number, low: number, size: number, site: number, line: number): boolean {
    const slot = this.#find(high, low);
    if (this.#keys[slot * KEY + SITE] !== 0) return false;
    this.#put(slot, high, low, site + 1, size, line);
    this.#count++;
    if (this.#count * 2 > this.#mask) this.#grow();
    return true;
  }

  /** False where no block has that address. */
  remove(high: number, low: number): boolean {
    const slot = this.#find(high, low);
    if (this.#keys[slot * KEY + SITE] === 0) return false;
    this.#count--;
    this.#closeGap(slot);
    return true;
  }

  /** All of them, in no order. */
  columns(): Columns {
    const columns = {
      address: new BigUint64Array(this.#count),
      size: new Float64Array(this.#count),
      line: new Float64Array(this.#count),
      site: new Uint32Array(this.#count),
    };
    for (let slot = 0, i = 0; i < this.#count; slot++) {
      const [key, value] = [slot * KEY, slot * VALUE];
      const site = (this.#keys[key + SITE] ?? 0) - 1;
      if (site < 0) continue;
      columns.address[i] = joinAddress(this.#keys[key + HIGH] ?? 0, this.#keys[key + LOW] ?? 0);
      columns.size[i] = this.#values[value + SIZE] ?? 0;
      columns.line[i] = this.#values[value + LINE] ?? 0;
      columns.site[i++] = site;
    }
    return columns;
  }

  /** The slot of this address, or the empty one where it would go. */
  #find(high: number, low: number): number {
    const keys = this.#keys;
    const mask = this.#mask;
    let slot = mix(high, low) & mask;
    for (; keys[slot * KEY + SITE] !== 0; slot = (slot + 1) & mask) {
      if (keys[slot * KEY + LOW] === low && keys[slot * KEY + HIGH] === high) break;
    }
    return slot;
  }

  /** Moves back what was pushed past `gap` by a collision, so that no marks of deleted entries are needed. */
  #closeGap(gap: number): void {
    const keys = this.#keys;
    const mask = this.#mask;
    for (let slot = (gap + 1) & mask; keys[slot * KEY + SITE] !== 0; slot = (slot + 1) & mask) {
      const wanted = mix(keys[slot * KEY + HIGH] ?? 0, keys[slot * KEY + LOW] ?? 0) & mask;
      if (((slot - wanted) & mask) < ((slot - gap) & mask)) continue;
      this.#copy(keys, this.#values, slot, gap);
      gap = slot;
    }
    keys[gap * KEY + SITE] = 0;
  }

  #grow(): void {
    const [keys, values, slots] = [this.#keys, this.#values, this.#mask + 1];
    this.#mask = slots * 2 - 1;
    this.#keys = new Int32Array(slots * 2 * KEY);
    this.#values = new Float64Array(slots * 2 * VALUE);
    for (let slot = 0; slot < slots; slot++) {
      if (keys[slot * KEY + SITE] === 0) continue;
      const to = this.#find(keys[slot * KEY + HIGH] ?? 0, keys[slot * KEY + LOW] ?? 0);
      this.#copy(keys, values, slot, to);
    }
  }

  #copy(keys: Int32Array, values: Float64Array, from: number, to: number): void {
    const [key, value] = [from * KEY, from * VALUE];
    const site = keys[key + SITE] ?? 0;
    const [size, line] = [values[value + SIZE] ?? 0, values[value + LINE] ?? 0];
    this.#put(to, keys[key + HIGH] ?? 0, keys[key + LOW] ?? 0, site, size, line);
  }

  #put(slot: number, high: number, low: number, site: number, size: number, line: number): void {
    this.#keys[slot * KEY + HIGH] = high;
    this.#keys[slot * KEY + LOW] = low;
    this.#keys[slot * KEY + SITE] = site;
    this.#values[slot * VALUE + SIZE] = size;
    this.#values[slot * VALUE + LINE] = line;
  }
}

export function joinAddress(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/** A hash of two words. */
export function mix(high: number, low: number): number {
  const mixed = Math.imul((low >>> 4) ^ low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
