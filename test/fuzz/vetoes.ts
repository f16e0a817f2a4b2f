/**
 * The only calls that are not made: what they ask for is legitimate, and stops the process by itself. README, "The safety
 * promise, and its limits", names them. Everything else that asks for too much is stopped by the limits of campaign.ts.
 */
import { M_MMAP_THRESHOLD, M_TOP_PAD, MCL_CURRENT, MCL_FUTURE } from '../../lib/libc/index.js';
import type { World } from './world.js';

type Veto = (args: readonly unknown[], world: World) => boolean;

/** V8 ends the process when it can't give back a page of its own because that is locked. */
const locksForeignMemory: Veto = ([address], world) =>
  typeof address === 'bigint' &&
  !world.pieces.some((piece) => piece.address <= address && address < piece.address + BigInt(piece.length));

const VETOES: Readonly<Record<string, Veto>> = {
  // With RLIMIT_MEMLOCK in force, V8's next page can't be had.
  mlockall: ([flags]) => typeof flags === 'number' && (flags & (MCL_FUTURE | MCL_CURRENT)) !== 0,
  mlock: locksForeignMemory,
  mlock2: locksForeignMemory,
  // Every allocation a mapping of its own, until vm.max_map_count is reached; every growth by gigabytes.
  mallopt: ([param, value]) =>
    typeof value === 'number' &&
    ((param === M_MMAP_THRESHOLD && value < 65_536) || (param === M_TOP_PAD && value > 2 ** 20)),
};

/** `name`: the last part of a target's. */
export function isVetoed(name: string, args: readonly unknown[], world: World): boolean {
  return VETOES[name]?.(args, world) ?? false;
}
