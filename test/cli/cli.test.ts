/** The command itself, as it is installed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { childrenOf } from '../attach/helpers.js';
import { start, startNode } from '../explain/processes.js';
import { CLI, type CommandOptions, memprobe as command } from '../helpers/command.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

const memprobe = (args: string[], { env, ...options }: CommandOptions = {}) =>
  command(args, { env: { TMPDIR: directory, ...env }, ...options });

function sumOf(json: string): [sum: number, rss: number] {
  const { categories, rss }: { categories: { bytes: number }[]; rss: number } = JSON.parse(json);
  return [categories.reduce((sum, { bytes }) => sum + bytes, 0), rss];
}

/** Grows when SIGUSR1 arrives: how often Node's thread that waits for it, alone of all with every signal blocked, has slept. */
function signalsTaken(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((tid) =>
    readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1'),
  );
  const waiting = threads.filter((status) => /^SigBlk:\tf{7,}/m.test(status));
  expect(waiting.length).toBeGreaterThan(0);
  const slept = waiting.map((status) => Number(/^voluntary_ctxt_switches:\t(\d+)/m.exec(status)?.[1]));
  return slept.reduce((sum, times) => sum + times);
}

describe('memprobe explain', () => {
  test('explains itself on at most a screen', async () => {
    const { code, stdout, stderr } = await memprobe(['explain']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(24);
    expect(stdout).toContain('resident');
  });

  test('prints no colours into a pipe, but does when it is told to', async () => {
    const plain = await memprobe(['explain'], { env: { FORCE_COLOR: undefined, NO_COLOR: undefined } });
    const forced = await memprobe(['explain'], { env: { FORCE_COLOR: '1', NO_COLOR: undefined } });
    const never = await memprobe(['explain'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
    expect([plain, forced, never].map(({ stdout }) => stdout.includes('\x1b['))).toEqual([
      false,
      true,
      false,
    ]);
  });

  test('without a terminal it does not attach unless told to, and says so', async () => {
    const { pid } = await startNode(process.execPath, "console.log('ready'); setInterval(() => {}, 1000);");
    const { code, stdout } = await memprobe(['explain', '--pid', String(pid)]);
    expect(code).toBe(0);
    expect(stdout).toContain('from outside, not attached');
    expect(stdout).toContain('--attach');
  });

  test('attaches, trims and reports what came back', async () => {
    const { pid } = await startNode(process.execPath, "console.log('ready'); setInterval(() => {}, 1000);");
    const { code, stdout } = await memprobe([
      'explain',
      '--pid',
      String(pid),
      '--attach',
      '--trim',
      '--json',
    ]);
    const { way, trim } = JSON.parse(stdout);
    expect([code, way]).toEqual([0, 'attached']);
    expect(trim.before).toBeGreaterThan(0);
    expect(trim.milliseconds).toBeGreaterThan(0);
    const [sum, rss] = sumOf(stdout);
    expect(sum).toBe(rss);
  });

  test('interrupted while attached, it leaves no inspector open', async () => {
    // Of a process whose main thread is busy the command waits for two seconds, attached, for its workers' answers.
    const code = "require('fs').writeSync(1, 'ready'); for (;;);";
    const target = await startNode(process.execPath, code, 'pipe');
    const args = ['explain', '--pid', String(target.pid), '--attach', '--json'];
    const child = spawn(process.execPath, [CLI, ...args], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    let said = '';
    target.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Debugger listening')) child.kill('SIGINT');
    });
    expect(await ended).toEqual([null, 'SIGINT']);
    // Were it still open, it would not be opened again.
    expect((await memprobe(args)).code).toBe(0);
    await expect.poll(() => said.match(/Debugger listening/g)).toHaveLength(2);
  });

  test('interrupted after the signal to a blocked process, it says that its inspector may still open', async () => {
    const code = "require('fs').writeSync(1, 'ready'); require('child_process').spawnSync('sleep', ['60']);";
    const { pid } = await startNode(process.execPath, code);
    await expect.poll(() => childrenOf(pid)).toHaveLength(1);
    const [sleeper = 0] = childrenOf(pid);
    onTestFinished(() => void process.kill(sleeper));
    const before = signalsTaken(pid);
    const args = ['explain', '--pid', String(pid), '--attach'];
    const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(child, 'close');
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    await expect.poll(() => signalsTaken(pid)).toBeGreaterThan(before);
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
    expect(stderr).toMatch(/^memprobe: interrupted: .*SIGUSR1.*may still open it.*node inspect -p/);
    expect(stderr).not.toContain('left as it was');
  });

  test('explains a process that is not Node, and never signals it', async () => {
    const child = await start('python3', ['-c', 'print(1, flush=True); import time; time.sleep(60)']);
    const refused = await memprobe(['explain', '--pid', String(child.pid), '--attach']);
    expect([refused.code, child.signalCode]).toEqual([1, null]);
    expect(refused.stderr).toContain('--no-attach');
    const { code, stdout } = await memprobe(['explain', '--pid', String(child.pid), '--no-attach', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).way).toBe('outside');
  });
});

describe('memprobe explain -- program', () => {
  test('explains a program at its end, and passes its exit code and its output on', async () => {
    const { code, stdout } = await memprobe([
      'explain',
      '--',
      'node',
      '-e',
      "console.log('hello'); process.exitCode = 7",
    ]);
    expect(code).toBe(7);
    expect(stdout).toContain('hello');
    expect(stdout).toContain('from inside');
  });

  test('explains before process.exit() ends it', async () => {
    const { code, stdout } = await memprobe(['explain', '--json', '--', 'node', '-e', 'process.exit(3)']);
    const [sum, rss] = sumOf(stdout);
    expect([code, sum]).toEqual([3, rss]);
  });

  test('explains after the time that it was given, and the program goes on to its own end', async () => {
    const program = `process.once('SIGTERM', () => { console.log('the end'); process.exit(); });
      console.log('ready'); setInterval(() => {}, 1000)`;
    const { code, stdout } = await memprobe(['explain', '--after', '1', '--', 'node', '-e', program], {
      kill: ['SIGTERM', 'ready', 'resident'],
    });
    expect(code).toBe(0);
    expect(stdout.indexOf('resident')).toBeGreaterThan(0);
    expect(stdout.indexOf('resident')).toBeLessThan(stdout.indexOf('the end'));
  });

  test('a program that runs the application in another process is said to, with the pid to ask for', async () => {
    const app =
      "const { ppid } = process; console.log('app', process.pid); setInterval(() => ppid === process.ppid || process.exit(), 50)";
    const { stdout } = await memprobe(
      ['explain', '--after', '1', '--', 'sh', '-c', `node -e "${app}"; true`],
      {
        kill: ['SIGTERM', 'app ', 'resident'],
      },
    );
    const [, pid = ''] = /^app (\d+)$/m.exec(stdout) ?? [];
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(new RegExp(`the largest is node, .* --pid ${pid}\\b`));
  });

  test('asks the workers of the program too', async () => {
    const program = `const { Worker } = require('worker_threads');
      const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
      worker.once('online', () => console.log('ready'));`;
    const { stdout } = await memprobe(['explain', '--after', '60', '--json', '--', 'node', '-e', program], {
      kill: ['SIGTERM', 'ready'], // it is looked at when it is told to end
    });
    expect(JSON.parse(stdout).notes).toEqual([]);
  });

  test('a signal is passed on once the program was looked at, however long that takes', async () => {
    const worker = `require('worker_threads').parentPort.postMessage(0);
      require('crypto').pbkdf2Sync('', '', 1e9, 8, 'sha512');`; // it gives no answer, for which a second is waited
    const program = `const { Worker } = require('worker_threads');
      new Worker(${JSON.stringify(worker)}, { eval: true }).once('message', () => console.log('ready'));`;
    const { signal, stdout } = await memprobe(
      ['explain', '--after', '60', '--json', '--', 'node', '-e', program],
      { kill: ['SIGTERM', 'ready'] },
    );
    expect(signal).toBe('SIGTERM');
    expect(JSON.parse(stdout)).toMatchObject({
      way: 'inside',
      notes: [expect.stringContaining('no answer')],
    });
  });

  test('on Ctrl-C explains first, then the program dies of the signal, and so does the command', async () => {
    const program = "console.log('ready'); setInterval(() => {}, 1000)";
    const { signal, stdout } = await memprobe(['explain', '--after', '60', '--', 'node', '-e', program], {
      kill: ['SIGINT', 'ready'],
    });
    expect(signal).toBe('SIGINT');
    expect(stdout).toContain('resident');
  });

  test("a program's own handler of a signal decides", async () => {
    const program = `process.on('SIGTERM', () => { console.log('handled'); process.exit(5); });
      console.log('ready'); setInterval(() => {}, 1000)`;
    const { code, stdout } = await memprobe(['explain', '--after', '60', '--', 'node', '-e', program], {
      kill: ['SIGTERM', 'ready'],
    });
    expect(code).toBe(5);
    expect(stdout).toContain('handled');
    expect(stdout).toContain('resident');
  });

  test('memprobe/register is not seen by the program', async () => {
    const program = `const seen = Object.keys(process.env).filter((name) => name.startsWith('MEMPROBE_CH'));
      console.log(JSON.stringify([seen, process.argv.length]));`;
    const { stdout } = await memprobe(['explain', '--', 'node', '-e', program]);
    expect(stdout.split('\n')[0]).toBe('[[],1]');
  });

  test('a number is taken for a forgotten --pid', async () => {
    const { code, stderr } = await memprobe(['explain', '4321', '--attach']);
    expect(code).toBe(2);
    expect(stderr).toContain('memprobe explain --pid 4321');
  });

  test('a program that cannot be started is an error', async () => {
    const { code, stderr } = await memprobe(['explain', '--', '/nowhere/program']);
    expect(code).toBe(1);
    expect(stderr).toContain('could not be started');
  });

  test('a program that is killed is not explained, and its signal is passed on', async () => {
    const { signal, stderr } = await memprobe([
      'explain',
      '--',
      'node',
      '-e',
      "process.kill(process.pid, 'SIGKILL')",
    ]);
    expect(signal).toBe('SIGKILL');
    expect(stderr).toContain('ended before');
  });

  test('nothing is left in the temporary directory', () => {
    expect(readdirSync(directory).filter((name) => /^memprobe-[^t]/.test(name))).toEqual([]);
  });
});

describe('memprobe maps', () => {
  test('groups add up to the same total', async () => {
    const { pid } = await start('python3', ['-c', 'print(1, flush=True); import time; time.sleep(60)']);
    const total = async (by: string): Promise<number> => {
      const { stdout } = await memprobe(['maps', '--pid', String(pid), '--group', by, '--json']);
      const { lines }: { lines: { rss: number }[] } = JSON.parse(stdout);
      return lines.reduce((sum, { rss }) => sum + rss, 0);
    };
    // Pages of files come and go meanwhile: the three readings are of one moment where nothing has.
    const totals = async () => new Set(await Promise.all(['file', 'kind', 'none'].map(total)));
    await expect.poll(totals).toHaveProperty('size', 1);
    expect(await total('none')).toBeGreaterThan(2 ** 20);
  });

  test('maps --group none has every address in full, however narrow the terminal', async () => {
    const { stdout } = await memprobe(['maps', '--group', 'none', '--top', '1000'], {
      env: { COLUMNS: '80' },
    });
    const rows = stdout.trimEnd().split('\n').slice(1, -1);
    expect(rows.length).toBeGreaterThan(50);
    for (const row of rows) expect(row).toMatch(/^.{49}  [0-9a-f]{6,16} [rwxps-]{4} \S/);
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(80);
  });

  test('paths are whole in a pipe, and a pid without --pid is wrong usage that says so', async () => {
    const { stdout } = await memprobe(['maps', '--json']);
    const paths: string[] = JSON.parse(stdout).lines.map(({ label }: { label: string }) => label);
    const longest = paths.sort((a, b) => b.length - a.length)[0] ?? '';
    expect(longest.length).toBeGreaterThan(28);
    expect((await memprobe(['maps'], { env: { COLUMNS: '' } })).stdout).toContain(longest);
    const { code, stderr } = await memprobe(['maps', '123']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('memprobe maps --pid 123')]);
  });

  test('where nothing is swapped out, --sort swap goes by resident size', async () => {
    const { stdout } = await memprobe(['maps', '--sort', 'swap', '--json']);
    const lines: { swap: number; rss: number }[] = JSON.parse(stdout).lines;
    const sorted = [...lines].sort((a, b) => b.swap - a.swap || b.rss - a.rss);
    expect(lines.map(({ swap, rss }) => [swap, rss])).toEqual(sorted.map(({ swap, rss }) => [swap, rss]));
  });

  test('sorts by what it is asked for, and shows only so many lines', async () => {
    const { stdout } = await memprobe(['maps', '--sort', 'size', '--group', 'none', '--top', '5', '--json']);
    const sizes = JSON.parse(stdout).lines.map(({ size }: { size: number }) => size);
    expect(sizes).toHaveLength(5);
    expect(sizes).toEqual([...sizes].sort((a: number, b: number) => b - a));
  });
});

describe('memprobe diff', () => {
  test('compares two explanations', async () => {
    const files = await Promise.all(
      ['before', 'after'].map(async (name) => {
        const file = join(directory, `${name}.json`);
        writeFileSync(file, (await memprobe(['explain', '--json'])).stdout);
        return file;
      }),
    );
    const { code, stdout } = await memprobe(['diff', ...files]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Resident memory went from .* to /);
  });

  test.each([
    ['no JSON', '<html>', 'no JSON'],
    ['another version', '{"version": 2}', 'version is 2, not 1'],
    ['a list', '[]', 'version is undefined'],
    ['null', 'null', 'no object'],
  ])('a file that holds %s is refused', async (_, text, why) => {
    const file = join(directory, 'bad.json');
    writeFileSync(file, text);
    const { code, stderr } = await memprobe(['diff', file, file]);
    expect(code).toBe(1);
    expect(stderr).toContain(why);
  });

  test('a file that is not there is an error', async () => {
    const { code, stderr } = await memprobe(['diff', '/nowhere/a.json', '/nowhere/b.json']);
    expect([code, stderr.includes('could not be read')]).toEqual([1, true]);
  });
});

describe('a wrong command line', () => {
  test.each([
    [['nonsense']],
    [['explain', '--pid', 'x']],
    [['explain', '--pid', '0']],
    [['explain', '--after', '-1', '--', 'true']],
    [['explain', '--pid', '1', '--', 'true']],
    [['explain', '--attach']],
    [['explain', '--no-attach']],
    [['explain', '--trim', '--', 'true']],
    [['explain', '--pid', '1', '--trim']],
    [['explain', '--pid', '1', '--no-attach', '--trim']],
    [['maps', '--sort', 'beauty']],
    [['diff', 'one.json']],
  ])('%j exits with 2 and says why', async (args) => {
    const { code, stderr } = await memprobe(args);
    expect(code).toBe(2);
    expect(stderr).toContain('error:');
  });

  test('a pid that does not exist exits with 1 and names it', async () => {
    const { code, stderr } = await memprobe(['explain', '--pid', '4194305']);
    expect(code).toBe(1);
    expect(stderr).toContain('4194305');
  });

  test("another user's process is refused, with what would help", async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can become someone else');
    const { code, stderr } = await memprobe(['explain', '--pid', String(process.pid)], { uid: 65534 });
    expect(code).toBe(1);
    expect(stderr).toContain('belongs to root');
  });

  test('--trim without attaching is refused, with what would help', async () => {
    const { stderr } = await memprobe(['explain', '--pid', '1', '--trim']);
    expect(stderr).toContain('--attach');
  });

  test('help is no error', async () => {
    const { code, stdout } = await memprobe(['explain', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('--attach');
  });
});
