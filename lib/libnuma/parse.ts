/**
 * Strings to masks: `0-2,5`, `!0` (all but), `+0-1` (of those allowed), `all`; nodes also as `file:/path`, `netdev:eth0`,
 * `block:sda`, `ip:1.2.3.4` (a name is looked up, and the thread waits), `pci:0:1c.0`. What does not parse is null, and a warning (process.emitWarning) says why.
 */
import { numa } from './load.js';

const { libnuma } = numa;

/** Nodes that this process may allocate on. @see numa(3) */
export const numa_parse_nodestring = libnuma.numa_parse_nodestring;
/** Nodes of the machine. @see numa(3) */
export const numa_parse_nodestring_all = libnuma.numa_parse_nodestring_all;
/** Cpus that this process may run on. @see numa(3) */
export const numa_parse_cpustring = libnuma.numa_parse_cpustring;
/** Cpus of the machine. @see numa(3) */
export const numa_parse_cpustring_all = libnuma.numa_parse_cpustring_all;
/** A line of sysfs's cpumap: `00000000,0000000f`. The string stays as it is. @see numa(3) */
export const numa_parse_bitmap = libnuma.numa_parse_bitmap;
