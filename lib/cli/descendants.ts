/** What a program has started in turn: `npm start` is npm, and the application is a process of its own. */
import { readdir, readFile } from 'node:fs/promises';
import { count, formatBytes } from '../format.js';
import { programName } from '../explain/name.js';
import { readStatus } from '../procfs/status.js';

interface Running {
  pid: number;
  name: string;
  resident: number;
}

/** A note that names the largest process below this one; undefined where there is none. */
export async function noteOfDescendants(pid: number): Promise<string | undefined> {
  const running = (await Promise.all((await descendants(pid)).map(describe))).filter(
    (found) => found !== undefined,
  );
  const largest = running.sort((a, b) => b.resident - a.resident)[0];
  if (largest === undefined) return undefined;
  const { pid: other, name, resident } = largest;
  return (
    `this is the started program alone; of ${count(running.length, 'program')} below it the largest is ${name}, ` +
    `${formatBytes(resident)}: memprobe explain --pid ${other}`
  );
}

async function descendants(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}

/** None where the process has ended, or the kernel keeps no such list (CONFIG_PROC_CHILDREN). */
async function childrenOf(pid: number): Promise<number[]> {
  const directory = `/proc/${pid}/task`;
  const threads = await readdir(directory).catch(() => []);
  const lists = threads.map((tid) => readFile(`${directory}/${tid}/children`, 'utf8').catch(() => ''));
  return (await Promise.all(lists)).flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}

async function describe(pid: number): Promise<Running | undefined> {
  const status = await readStatus({ pid }).catch(() => undefined);
  const resident = status?.VmRSS;
  return resident === undefined ? undefined : { pid, name: await programName(pid), resident };
}
