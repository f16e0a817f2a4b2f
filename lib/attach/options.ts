import { readFile } from 'node:fs/promises';

/** Where a Node process's inspector will listen. Port 0 means one that the kernel chooses. */
export interface InspectorAddress {
  readonly host: string;
  readonly port: number;
}

const DEFAULT: InspectorAddress = { host: '127.0.0.1', port: 9229 };

/** Options of node whose value is the next argument: a value must not be taken for the script. */
const TAKES_VALUE =
  /^(-r|-C|-e|-p|-pe|--(require|import|loader|experimental-loader|conditions|env-file|eval|print|title|input-type|inspect-port|debug-port))$/;

/**
 * The inspector's address according to a command line and NODE_OPTIONS; the last option wins, as in Node. What the
 * program has assigned to `process.debugPort`, or options in an .env file, can't be seen from outside.
 */
export function inspectorAddress(argv: readonly string[], nodeOptions: string): InspectorAddress {
  const options = [...nodeOptions.split(/\s+/).filter(Boolean), ...nodeArguments(argv)];
  let address = DEFAULT;
  for (const [i, option] of options.entries()) {
    const [, name, value] = /^(--inspect(?:-port|-brk|-wait)?|--debug-port)(?:=(.*))?$/.exec(option) ?? [];
    if (!name) continue;
    const text = value ?? (TAKES_VALUE.test(name) ? options[i + 1] : undefined);
    if (text) address = parseHostPort(text, address);
  }
  return address;
}

/** The arguments between `node` and the script. */
function nodeArguments(argv: readonly string[]): string[] {
  const end = argv.findIndex(
    (word, i) => i > 0 && !word.startsWith('-') && !TAKES_VALUE.test(argv[i - 1] ?? ''),
  );
  return argv.slice(1, end === -1 ? undefined : end);
}

/** `port`, `host`, `host:port` or `[host6]:port`. */
function parseHostPort(text: string, base: InspectorAddress): InspectorAddress {
  if (/^\d+$/.test(text)) return { ...base, port: Number(text) };
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed || plain || base.host;
  return { host: host === 'localhost' ? DEFAULT.host : host, port: port ? Number(port) : base.port };
}

/** `inspectorAddress` of a running process. */
export async function readInspectorAddress(pid: number): Promise<InspectorAddress> {
  const [argv, environment] = await Promise.all(['cmdline', 'environ'].map((name) => readList(pid, name)));
  const variable = environment?.find((entry) => entry.startsWith('NODE_OPTIONS='));
  return inspectorAddress(argv ?? [], variable?.slice('NODE_OPTIONS='.length) ?? '');
}

async function readList(pid: number, name: string): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  return text.split('\0');
}
