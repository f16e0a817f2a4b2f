/**
 * libnuma's complaints. What it passes to numa_error is the exception of the call: a system error with its errno, or
 * ERR_MEMPROBE_NUMA where there is none. What it passes to numa_warn is a process.emitWarning of the name LibnumaWarning.
 */
import { numa } from './load.js';

const { libnuma } = numa;

/** Throws what a complaint of libnuma's throws. @see numa(3) */
export const numa_error = libnuma.numa_error;
/** Warns as libnuma does; `number` is the kind of the warning, which C uses to give each only once. @see numa(3) */
export const numa_warn = libnuma.numa_warn;
/**
 * C's variable: returns it, and sets it where a value is given. In C an error ends the process if it is not 0. Here an error
 * is an exception either way. @see numa(3)
 */
export const numa_exit_on_error = libnuma.numa_exit_on_error;
/** The same for warnings: not 0 makes them exceptions (ERR_MEMPROBE_NUMA). @see numa(3) */
export const numa_exit_on_warn = libnuma.numa_exit_on_warn;
