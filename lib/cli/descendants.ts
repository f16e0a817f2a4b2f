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

/** What a program starts while it runs. Looked at ten times a second: what lives shorter may stay unseen. */
export class Started {
  readonly #names = new Map<number, string>();
  #timer: NodeJS.Timeout | undefined;

  watch(pid: number): void {
    const look = async () => {
      for (const other of await descendants(pid)) {
        const name = await programName(other);
        if (name !== 'unknown') this.#names.set(other, name);
      }
    };
    let looking = false; // on a busy machine one look may take longer than that
    this.#timer = setInterval(() => {
      if (looking) return;
      looking = true;
      void look()
        .catch(() => {})
        .finally(() => (looking = false));
    }, 100).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** What to say of a report on `program`; undefined where nothing was seen. */
  note(program: string): string | undefined {
    if (this.#names.size === 0) return undefined;
    const names = [...new Set(this.#names.values())];
    const told = names.slice(0, 3).join(', ') + (names.length > 3 ? ' …' : '');
    const [were, them] = this.#names.size === 1 ? ['was', 'it'] : ['were', 'them'];
    return (
      `this is ${program} alone; it started ${count(this.#names.size, 'program')} ` +
      `(${told}) that ${were} not traced: trace ${them} directly`
    );
  }
}
