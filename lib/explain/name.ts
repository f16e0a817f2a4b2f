/** What a process is called. */
import { readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** Node 24 and 26 name their main thread, and with it the process; what they were started as tells people more. */
const NODES_THREADS = ['MainThread', 'node-MainThread'];

/** The command name as in /proc/PID/comm, of Node its program's; `unknown` where neither can be read. */
export async function programName(pid: number): Promise<string> {
  const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'unknown')).trim();
  if (!NODES_THREADS.includes(name)) return name;
  const program = await readlink(`/proc/${pid}/exe`).catch(() => name);
  return basename(program);
}
