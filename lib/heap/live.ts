/** The live map: a bit for each unit of 8 bytes, set where a block in use begins. One store a change. */

/** `ptr` is where a block in use begins. Anything may be asked. */
export function isLive(live: Int32Array, ptr: number): boolean {
  const unit = ptr / 8;
  return unit >>> 0 === unit && (live[unit >>> 5]! & (1 << unit)) !== 0;
}

export function setLive(live: Int32Array, ptr: number): void {
  const unit = ptr / 8;
  live[unit >>> 5]! |= 1 << unit;
}

export function clearLive(live: Int32Array, ptr: number): void {
  const unit = ptr / 8;
  live[unit >>> 5]! &= ~(1 << unit);
}

/** Names the units of the blocks in use below `units`, by address, and 0 at the end. */
export function walker(live: Int32Array, units: number): () => number {
  const end = Math.ceil(units / 32);
  let word = 0;
  let map = live[0]!;
  return () => {
    while (map === 0) {
      if (++word >= end) return 0;
      map = live[word]!;
    }
    const bit = 31 - Math.clz32(map & -map);
    map &= map - 1;
    return word * 32 + bit;
  };
}
