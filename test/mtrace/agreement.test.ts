/** glibc's mtrace script and this parser read the same logs: they must find the same. */
import { execFileSync } from 'node:child_process';
import { createReadStream, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import {
  DEBUG_LIBRARY,
  findings,
  GCC,
  has,
  makeDirectory,
  readScript,
  runScript,
  SCRIPT,
  traced,
  unless,
} from './support.js';

const directory = makeDirectory();
afterAll(directory.remove);
const FIXTURES = new URL('../fixtures/mtrace/', import.meta.url);

describe('what the script was seen to say of captured logs', () => {
  test.each(['sqlite3', 'perl', 'cc1-tail'])('%s', async (name) => {
    const log = await readFile(new URL(`${name}.mt.gz`, FIXTURES));
    const expected = readScript(
      gunzipSync(await readFile(new URL(`${name}.expected.gz`, FIXTURES))).toString(),
    );
    const [found, trace] = await findings(log);
    expect(expected.leaks.length + expected.unknownFrees.length).toBeGreaterThan(0);
    expect(found).toEqual(expected);
    expect(trace.malformed).toBe(0);
  });
});

const SQL = `create table t(a, b); with recursive c(i) as (select 1 union all select i + 1 from c where i < 500)
  insert into t select i, 'text ' || i from c; select count(*) from t group by a % 10;`;
const PERL = 'my %h = map { $_ => [$_] } 1 .. 2000; my @s = sort keys %h; delete $h{$_} for @s[0 .. 999];';
const C =
  'struct s { int a; }; int main(void) { struct s x = { 1 }; for (int i = 0; i < 9; i++) x.a += i; return x.a; }';

/** gcc only starts it: the compiler itself is another program. */
const CC1 = GCC ? execFileSync('gcc', ['-print-prog-name=cc1'], { encoding: 'utf8' }).trim() : 'cc1';
const SOURCE = join(directory.path, 'source.c');

const PROGRAMS: [name: string, command: string, args: string[]][] = [
  ['sqlite3', 'sqlite3', [':memory:', SQL]],
  ['perl', '/usr/bin/perl', ['-e', PERL]],
  ['cc1', CC1, ['-quiet', '-O2', SOURCE, '-o', '/dev/null']],
];
const TOOLS = { 'the mtrace script': SCRIPT, gcc: GCC, libc_malloc_debug: DEBUG_LIBRARY };

describe.skipIf(unless(TOOLS))('what the script says of logs made now', () => {
  test.each(PROGRAMS)('%s', async (name, command, args) => {
    if (unless({ [name]: has(command, '--version') })) return;
    writeFileSync(SOURCE, C);
    const log = await traced(directory.path, name, command, args);
    const [found, trace] = await findings(createReadStream(log));
    expect(trace.operations).toBeGreaterThan(1000);
    expect(found).toEqual(runScript(log));
  });
});
