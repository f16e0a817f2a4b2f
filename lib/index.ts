/// <reference types="node" preserve="true" />
/** Where did my process's memory go, and how do I get it back? */
export type { Address } from './address.js';
export { type Check, type Diagnosis, doctor, type Health } from './doctor/index.js';
export * from './explain/index.js';
export * as mallocDebug from './malloc_debug.js';
export * from './mapping/index.js';
export * as numa from './numa/index.js';
export { UnsupportedError } from './native.js';
