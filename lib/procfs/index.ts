/// <reference types="node" preserve="true" />
/** `memprobe/procfs`: what the kernel tells about memory in /proc. Parsers take bytes and open nothing; readers read. */
export { ProcParseError } from './errors.js';
export { findMapping } from './find.js';
export { type Mapping, parseMaps, readMaps } from './maps.js';
export { type Meminfo, parseMeminfo, readMeminfo } from './meminfo.js';
export { type NumaMapping, parseNumaMaps, readNumaMaps } from './numa_maps.js';
export { type Pressure, type PressureOptions, parsePressure, readPressure, type Stall } from './pressure.js';
export type { ProcessOptions, RootOptions } from './read.js';
export { parseSmaps, readSmaps, Smaps, type SmapsColumns, type SmapsRow, type TextColumn } from './smaps.js';
export { parseSmapsRollup, readSmapsRollup } from './smaps_rollup.js';
export {
  parseTaskStat,
  parseTaskSyscall,
  readTaskStacks,
  type TaskStack,
  type TaskStat,
  type TaskSyscall,
} from './stacks.js';
export { parseStatm, readStatm, type Statm } from './statm.js';
export { parseStatus, readStatus, type Status, type StatusValue } from './status.js';
export { parseVmstat, readVmstat, type Vmstat } from './vmstat.js';
