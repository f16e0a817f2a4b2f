/** Attaching to a live, unprepared Node process through its inspector. */
export { type Attachment, type AttachOptions, attach, type EvaluateOptions } from './attach.js';
export { AttachError, type AttachErrorCode, type AttachFailure } from './errors.js';
