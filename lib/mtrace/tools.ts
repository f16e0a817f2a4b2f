/** The two programs of binutils that are of help, each started once with all questions; both may be absent. */
import { spawn } from 'node:child_process';

/** What debug information says of an address. */
export interface Place {
  function: string;
  /** `file:line`. */
  source: string;
}

/** For each address, undefined where debug information has nothing; undefined altogether without addr2line. */
export async function placesOf(
  object: string,
  addresses: readonly number[],
  signal?: AbortSignal,
): Promise<(Place | undefined)[] | undefined> {
  const input = addresses.map((address) => `0x${address.toString(16)}`);
  const answers = await ask('addr2line', ['-f', '-e', object], input, 2, signal);
  return answers?.map(([name = '', line = '']) => {
    const source = line.replace(/ \(discriminator \d+\)$/, '');
    return source === '' || /:[0?]$/.test(source) ? undefined : { function: name, source };
  });
}

/** C++ names as people write them; as they were without c++filt. */
export async function demangle(names: readonly string[], signal?: AbortSignal): Promise<string[]> {
  const mangled = [...new Set(names.filter((name) => name.startsWith('_Z')))];
  if (mangled.length === 0) return [...names];
  const answers = await ask('c++filt', [], mangled, 1, signal);
  const clear = new Map(mangled.map((name, i) => [name, answers?.[i]?.[0] ?? name]));
  return names.map((name) => clear.get(name) ?? name);
}

/** So many lines of answer for each line of input; undefined where the program is absent or fails. */
function ask(
  command: string,
  args: string[],
  input: readonly string[],
  lines: number,
  signal?: AbortSignal,
): Promise<string[][] | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], ...(signal && { signal }) });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', () => resolve(undefined));
    child.on('close', () => {
      const answers = output.split('\n').slice(0, -1);
      const each = input.map((_, i) => answers.slice(i * lines, (i + 1) * lines));
      resolve(answers.length === input.length * lines ? each : undefined);
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input.map((line) => `${line}\n`).join(''));
  });
}
