/** Why attaching failed, as a word: the part of the code after `ERR_MEMPROBE_ATTACH_`. */
export type AttachFailure =
  | 'NO_PROCESS' // no such pid, or it ended meanwhile
  | 'NOT_A_PROCESS' // a thread, a kernel thread, a zombie
  | 'SELF' // the calling process
  | 'DENIED' // belongs to another user, or /proc hides it
  | 'NOT_NODE' // SIGUSR1 could kill it
  | 'DISABLED' // a Node process that does not open its inspector on SIGUSR1
  | 'OWN_HANDLER' // the program has taken SIGUSR1 for itself
  | 'STOPPED' // SIGSTOP, or a native debugger holds it
  | 'NAMESPACE' // its loopback interface is not ours
  | 'PORT_TAKEN' // another process listens where its inspector would
  | 'ADDRESS' // its inspector would not listen on the loopback interface alone
  | 'NOT_OPENED' // no inspector appeared in time
  | 'PROTOCOL' // something answered, but not like an inspector
  | 'TIMEOUT' // no answer in time
  | 'LOST' // the connection broke, or the target exits
  | 'CLOSED' // this side has closed the attachment
  | 'REMOTE' // the evaluated JavaScript threw
  | 'STILL_OPEN'; // the inspector could not be closed again

export type AttachErrorCode = `ERR_MEMPROBE_ATTACH_${AttachFailure}`;

/** What `attach()` and an `Attachment` throw. The message says what happened, why, and what to do next. */
export class AttachError extends Error {
  override readonly name = 'AttachError';
  readonly code: AttachErrorCode;

  constructor(failure: AttachFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = `ERR_MEMPROBE_ATTACH_${failure}`;
  }
}
