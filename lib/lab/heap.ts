/** Whether the heap has room to grow in this process. */
import { readMaps } from '../procfs/maps.js';
import { UnluckyError } from './errors.js';

export const BLOCKED = 'another mapping lies right above the heap (V8 maps at random)';

/** Throws UnluckyError where malloc could not raise the break by so many bytes, and would do without [heap]. */
export async function needHeapRoom(bytes: number): Promise<void> {
  const maps = await readMaps();
  const heap = maps.findIndex(({ path }) => path === '[heap]');
  const [end, next] = [maps[heap]?.end, maps[heap + 1]?.start];
  if (end === undefined || (next !== undefined && next - end < BigInt(bytes))) {
    throw new UnluckyError(`the heap can't grow: ${BLOCKED}`);
  }
}
