/// <reference types="node" preserve="true" />
/**
 * Logs of mtrace(3): read them in bounded memory, find what was not freed, and name the call sites.
 *
 *     const report = await symbolize(findLeaks(await readMtrace('trace.log')));
 */
export { MtraceError, type MtraceErrorCode } from './errors.js';
export { findLeaks, type LeakReport, type LeakSite, NO_CALLER } from './leaks.js';
export type { Leftover, LiveBlock, SiteTotal } from './leftover.js';
export { parseMtrace, readMtrace } from './read.js';
export { parseSite, type SitePlace } from './place.js';
export { type LeakRenderOptions, renderLeaks } from './render.js';
export type { LogSource } from './source.js';
export { symbolize, type SymbolizeOptions } from './symbolize.js';
export type { Oddity, ParseOptions, Trace } from './trace.js';
