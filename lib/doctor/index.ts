/** Checks what memprobe needs here, and says of what is missing what it costs and how to get it. */
import { release } from 'node:os';
import { addonPath, native } from '../native.js';
import { judgeCall } from './calls.js';
import { checkCgroup } from './cgroup.js';
import { type Check, Files } from './check.js';
import { checkInspector } from './inspector.js';
import { checkHugePages, checkMapCount, checkMemlock, checkOvercommit, checkPtrace } from './limits.js';
import {
  checkAddon,
  checkGlibc,
  checkKernel,
  checkLibnuma,
  checkMallocDebug,
  checkNode,
} from './platform.js';

export type { Check, Health } from './check.js';

/** What doctor() finds; the JSON of `memprobe doctor --json`. */
export interface Diagnosis {
  /** Of this format; a change that could break a reader raises it. */
  readonly version: 1;
  /** Nothing is missing and nothing is refused; there may be notices. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/**
 * Checks this process and its machine. Each newer system call is really made, in a child of its own, so that nothing
 * of it remains. Takes some milliseconds a call, off the event loop. Works without the addon and on other platforms
 * too, and says so. Never throws for what it finds.
 */
export async function doctor(): Promise<Diagnosis> {
  const platform = [checkNode(), checkKernel(), checkGlibc(), checkAddon(), checkMallocDebug()];
  const linux = process.platform === 'linux' ? await checkLinux() : [];
  const checks = [...platform, ...linux];
  return { version: 1, ok: checks.every(({ health }) => health === 'ok' || health === 'notice'), checks };
}

async function checkLinux(): Promise<Check[]> {
  const files = new Files('/');
  const libnuma = addonPath === undefined ? [] : [checkLibnuma()];
  return [
    ...libnuma,
    ...(await checkCalls(files)),
    ...checkSettings(files),
    checkPtrace(files),
    checkInspector(files),
  ];
}

/** Without the addon nobody could ask; that is one problem, not one for each call. */
async function checkCalls(files: Files): Promise<Check[]> {
  const answers = await native.promises.probe_calls().catch(() => []);
  const where = { release: release(), seccomp: files.status('Seccomp') === '2' };
  return answers.map((answer) => judgeCall(answer, where));
}

function checkSettings(files: Files): Check[] {
  return [checkMemlock, checkMapCount, checkHugePages, checkOvercommit, checkCgroup].map((check) =>
    check(files),
  );
}
