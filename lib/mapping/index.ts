/** Memory as an object that owns it. */
export { MappingError } from './errors.js';
export { type Advice, Mapping, type Protection, type Residency } from './mapping.js';
export type { Access, AnonymousOptions, FileOptions, MappingHandle } from './source.js';
