/**
 * Pages that are there already, of this process (pid 0) or another. `memprobe/promises` has the same system calls off the
 * event loop, as move_pages and migrate_pages.
 */
import { numa } from './load.js';

const { libnuma } = numa;

/**
 * A status for each page: its node, or a negative errno; -EAGAIN for what the kernel did not come to. `nodes` null asks only.
 * @see numa(3), move_pages(2)
 */
export const numa_move_pages = libnuma.numa_move_pages;
/** How many pages could not be moved. @see numa(3), migrate_pages(2) */
export const numa_migrate_pages = libnuma.numa_migrate_pages;
