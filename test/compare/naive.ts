/** Streams counted the slow way. */

export interface Counted {
  calls: number;
  pairs: number;
  /** After each operation. */
  live: Float64Array;
  peakLive: number;
  slots: number;
  /** Slots that hold something at the end. */
  left: number;
  reallocatedNothing: number;
}

export function naive(ops: Int32Array): Counted {
  const held = new Map<number, number>();
  const slots = new Set<number>();
  const counted = { calls: 0, pairs: 0, peakLive: 0, reallocatedNothing: 0 };
  const live = new Float64Array(ops.length / 2);
  for (let i = 0; i < ops.length; i += 2) {
    const slot = ops[i] ?? 0;
    const size = ops[i + 1] ?? 0;
    const old = held.get(slot);
    slots.add(slot);
    if (size < 0 && old === undefined) counted.reallocatedNothing++;
    counted.calls += size < 0 ? 1 : Number(old !== undefined) + Number(size > 0);
    if (old !== undefined) counted.pairs++;
    held.delete(slot);
    if (size !== 0) held.set(slot, Math.abs(size));
    const now = (live[i / 2 - 1] ?? 0) + Math.abs(size) - (old ?? 0);
    live[i / 2] = now;
    counted.peakLive = Math.max(counted.peakLive, now);
  }
  return { ...counted, live, slots: slots.size, left: held.size };
}
