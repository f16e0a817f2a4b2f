/**
 * Marks around every block that show when a program has written past it. `memprobe run --malloc-debug --mcheck` turns them
 * on: they must be there before the first allocation, so in Node it is always too late to call mcheck.
 */
import { native } from '../native.js';

/**
 * What memprobe run has turned on already: it confirms that, and throws `ERR_MEMPROBE_TOO_LATE` where mcheck is off. There
 * is no abort function to give but null: it would be called inside malloc, where no JavaScript can run. memprobe's own
 * writes the block, the status and the caller to standard error, and aborts. @see mcheck(3)
 */
export const mcheck = native.libc.mcheck;

/** mcheck that checks every block at each call; `MEMPROBE_MCHECK=pedantic` or `--pedantic` at the start. @see mcheck(3) */
export const mcheck_pedantic = native.libc.mcheck_pedantic;

/**
 * Checks all blocks now and returns the bad ones, at most 1,024, instead of aborting as C does: their address, their size
 * in bytes as the header has it, and an MCHECK_* status. Each header leads to the next: of blocks with overwritten ones
 * (MCHECK_HEAD) the oldest and the newest are found, and what is older or newer than both; not what is between them. Other threads wait meanwhile. `ERR_MEMPROBE_UNSUPPORTED` where memprobe run
 * has not turned mcheck on. @see mcheck(3)
 */
export const mcheck_check_all = native.libc.mcheck_check_all;

/**
 * The state of one block, an MCHECK_* status; MCHECK_DISABLED where mcheck is off. It wants a block that memprobe
 * allocated. Under another's mcheck than memprobe run's, a bad block calls that one's abort function. @see mprobe(3)
 */
export const mprobe = native.libc.mprobe;

const c = native.constants;
/** mcheck is off. */
export const MCHECK_DISABLED = c.MCHECK_DISABLED;
/** The block is as it should be. */
export const MCHECK_OK = c.MCHECK_OK;
/** The block was freed before. */
export const MCHECK_FREE = c.MCHECK_FREE;
/** Something has written before the block. */
export const MCHECK_HEAD = c.MCHECK_HEAD;
/** Something has written past the end of the block. */
export const MCHECK_TAIL = c.MCHECK_TAIL;

const NAMES = new Map([
  [MCHECK_DISABLED, 'MCHECK_DISABLED: mcheck is off'],
  [MCHECK_OK, 'MCHECK_OK: the block is fine'],
  [MCHECK_FREE, 'MCHECK_FREE: block freed twice'],
  [MCHECK_HEAD, 'MCHECK_HEAD: memory clobbered before allocated block'],
  [MCHECK_TAIL, 'MCHECK_TAIL: memory clobbered past end of allocated block'],
]);

/** The name of a status and what it says, for messages. */
export function mcheckStatus(status: number): string {
  return NAMES.get(status) ?? `unknown mcheck status ${status}`;
}
