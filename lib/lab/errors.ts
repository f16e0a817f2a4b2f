/** Why a lab did not come to its end. */

/** This machine, or this user, cannot run the lab; the message says why and what to do. */
export class LabError extends Error {
  constructor(
    message: string,
    readonly code: `ERR_MEMPROBE_${string}` = 'ERR_MEMPROBE_LAB',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** This process is not fit for the lab, but another may be. */
export class UnluckyError extends LabError {
  constructor(why: string, options?: ErrorOptions) {
    super(why, 'ERR_MEMPROBE_LAB_UNLUCKY', options);
  }
}
