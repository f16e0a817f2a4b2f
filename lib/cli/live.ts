/** `memprobe explain --pid N`: attached where that is wanted, from outside otherwise, and said which. */
import { attach } from '../attach/index.js';
import { collect, looksLikeNode } from '../explain/collect.js';
import { attributeSlowly } from '../explain/index.js';
import { attached, self } from '../explain/insider.js';
import type { Explanation } from '../explain/schema.js';
import { canAsk, confirm } from './confirm.js';
import { CliError } from './errors.js';
import type { ExplainFlags } from './flags.js';
import { interruptible } from './interrupt.js';
import type { Progress } from './screen.js';

/** Ctrl-C and errors on the way leave no inspector open. */
export async function explainLive(
  pid: number,
  flags: ExplainFlags,
  progress: Progress,
): Promise<Explanation> {
  if (pid === process.pid)
    return attributeSlowly(
      await collect(pid, {
        insider: self,
        trim: flags.trim ?? false,
        progress: progress.step,
      }),
    );
  return interruptible(`interrupted: process ${pid} was left as it was`, async (signal) => {
    const inside = await wantsAttach(pid, flags, signal);
    const explanation = inside
      ? fromInside(pid, flags, progress, signal)
      : fromOutside(pid, flags, progress, signal);
    return explanation.finally(() => progress.done());
  });
}

async function fromOutside(
  pid: number,
  { trim, attach: wanted }: ExplainFlags,
  progress: Progress,
  signal: AbortSignal,
): Promise<Explanation> {
  if (trim)
    throw new CliError('ERR_MEMPROBE_NOT_ATTACHED', '--trim has to run inside the process: add --attach');
  const snapshot = await unlessAborted(collect(pid, { progress: progress.step }), signal);
  if (wanted === undefined && snapshot.v8) {
    snapshot.notes.push(
      'looked at from outside only: --attach tells Buffers from other malloc memory, and heap spaces apart',
    );
  }
  return attributeSlowly(snapshot);
}

async function fromInside(
  pid: number,
  { trim = false }: ExplainFlags,
  progress: Progress,
  signal: AbortSignal,
): Promise<Explanation> {
  progress.step('attaching');
  const attachment = await attach(pid, { signal });
  try {
    const facts = collect(pid, {
      insider: attached(attachment),
      trim,
      progress: progress.step,
    });
    return await attributeSlowly(await unlessAborted(facts, signal));
  } finally {
    progress.step('closing the inspector');
    await attachment.close();
  }
}

async function wantsAttach(
  pid: number,
  { attach: wanted }: ExplainFlags,
  signal: AbortSignal,
): Promise<boolean> {
  if (wanted !== undefined) return wanted;
  if (!canAsk() || !(await looksLikeNode(pid))) return false;
  return confirm(
    `Attach to process ${pid}? Its inspector opens for a moment, on the loopback interface only.`,
    signal,
  );
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
