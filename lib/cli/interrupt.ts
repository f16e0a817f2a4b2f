/** Ctrl-C in the midst of something that has to be cleaned up. */
import { endLike } from './ending.js';
import { CliError, describeError } from './errors.js';

/**
 * Does work that SIGINT and SIGTERM abort. Once it has cleaned up, the command says `why` and ends by that very signal, as
 * it would have without all this: a shell sees 130, or stops its loop. Where cleaning up failed, it says that instead.
 */
export async function interruptible<T>(why: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  let received: NodeJS.Signals | undefined;
  const stop = (name: NodeJS.Signals) => {
    received ??= name;
    interrupt.abort(new CliError('ERR_MEMPROBE_INTERRUPTED', why));
  };
  const ignore = () => process.off('SIGINT', stop).off('SIGTERM', stop);
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (received === undefined) throw error;
    const said = error === interrupt.signal.reason ? why : `interrupted: ${describeError(error)}`;
    process.stderr.write(`memprobe: ${said}\n`);
    ignore();
    endLike({ code: null, signal: received });
    process.exit();
  } finally {
    ignore();
  }
}
