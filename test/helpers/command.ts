/** Runs any program to its end, and memprobe's command as it is installed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  /** Milliseconds, after which it is killed. */
  readonly timeout?: number;
  /** The signal is sent once, when the output holds these texts, in whatever order. */
  readonly kill?: readonly [signal: NodeJS.Signals, ...when: string[]] | undefined;
  readonly onStart?: (child: ChildProcess) => void;
}

export async function collectText(
  command: string,
  args: readonly string[],
  { kill, onStart, uid, timeout = 280_000, ...options }: CommandOptions = {},
): Promise<Ended> {
  const user = uid === undefined ? {} : { uid, gid: uid };
  const limit = { timeout, killSignal: 'SIGKILL' } as const;
  const child = spawn(command, args, { ...options, ...user, ...limit, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  let due = kill;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      const [signal, ...when] = due ?? [];
      if (signal === undefined || !when.every((each) => output[name].includes(each))) return;
      child.kill(signal);
      due = undefined;
    });
  }
  onStart?.(child);
  await once(child, 'close');
  return { code: child.exitCode, signal: child.signalCode, ...output };
}

/** The variables of `env` are set beside this process's; undefined takes one away. */
export function memprobe(args: readonly string[], { env, ...options }: CommandOptions = {}): Promise<Ended> {
  return collectText(process.execPath, [CLI, ...args], { ...options, env: { ...process.env, ...env } });
}
