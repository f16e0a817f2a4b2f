/** The two programs of binutils that are of help, each started once with all questions; both may be absent. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** What debug information says of an address. */
export interface Place {
  function: string;
  /** `file:line`. */
  source: string;
}

/**
 * addr2line for one object. It is asked once, and may be started before the questions are known: it reads the debug
 * information, which takes nearly all of its time, at its first one, so that one is asked at once.
 */
export class LineFinder {
  readonly #tool: Tool;

  constructor(object: string, signal?: AbortSignal) {
    this.#tool = new Tool('addr2line', ['-f', '-e', object], signal);
    this.#tool.tell(['0x0']);
  }

  /** For each address, undefined where debug information has nothing; undefined altogether without addr2line. */
  async placesOf(addresses: readonly number[]): Promise<(Place | undefined)[] | undefined> {
    this.#tool.tell(addresses.map((address) => `0x${address.toString(16)}`));
    const answers = await this.#tool.answers(addresses.length + 1, 2);
    return answers?.slice(1).map(([name = '', line = '']) => {
      const source = line.replace(/ \(discriminator \d+\)$/, '');
      return source === '' || /:[0?]$/.test(source) ? undefined : { function: name, source };
    });
  }

  stop(): void {
    this.#tool.stop();
  }
}

/** C++ names as people write them; as they were without c++filt. */
export async function demangle(names: readonly string[], signal?: AbortSignal): Promise<string[]> {
  const mangled = [...new Set(names.filter((name) => name.startsWith('_Z')))];
  if (mangled.length === 0) return [...names];
  const filter = new Tool('c++filt', [], signal);
  filter.tell(mangled);
  const answers = await filter.answers(mangled.length, 1);
  const clear = new Map(mangled.map((name, i) => [name, answers?.[i]?.[0] ?? name]));
  return names.map((name) => clear.get(name) ?? name);
}

/** A program that answers lines with lines. */
class Tool {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  /** Undefined where the program is absent or fails. */
  readonly #output: Promise<string | undefined>;

  constructor(command: string, args: string[], signal?: AbortSignal) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], ...(signal && { signal }) });
    child.stdin.on('error', () => {});
    this.#child = child;
    this.#output = new Promise((resolve) => {
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
      child.on('error', () => resolve(undefined)).on('close', () => resolve(output));
    });
  }

  tell(lines: readonly string[]): void {
    this.#child.stdin.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** So many answers of so many lines each, when it has ended; undefined where there are not as many. */
  async answers(count: number, lines: number): Promise<string[][] | undefined> {
    this.#child.stdin.end();
    const output = await this.#output;
    const all = output?.split('\n').slice(0, -1) ?? [];
    if (output === undefined || all.length !== count * lines) return undefined;
    return Array.from({ length: count }, (_, i) => all.slice(i * lines, (i + 1) * lines));
  }

  stop(): void {
    this.#child.kill();
  }
}
