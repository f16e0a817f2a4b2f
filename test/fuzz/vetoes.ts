/**
 * The only calls that are not made: what they ask for is legitimate, and stops the process by itself. README, "The safety
 * promise, and its limits", names them. Everything else that asks for too much is stopped by the limits of campaign.ts.
 */
import { M_MMAP_THRESHOLD, M_TOP_PAD } from '../../lib/libc/index.js';

type Veto = (args: readonly unknown[]) => boolean;

const VETOES: Readonly<Record<string, Veto>> = {
  // Every allocation a mapping of its own, until vm.max_map_count is reached; every growth by gigabytes.
  mallopt: ([param, value]) =>
    typeof value === 'number' &&
    ((param === M_MMAP_THRESHOLD && value < 65_536) || (param === M_TOP_PAD && value > 2 ** 20)),
};

/** `name`: the last part of a target's. */
export function isVetoed(name: string, args: readonly unknown[]): boolean {
  return VETOES[name]?.(args) ?? false;
}
