// npm run test:sanitize: the addon with the address and undefined-behaviour sanitizers under the test suite, as far as it
// is about native code, and the guard's own unit tests under both, the thread sanitizer and valgrind. Fails on any report
// of any process. Arguments go to vitest: npm run test:sanitize -- test/libc
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const SANITIZE = 'address,undefined';
/** The SIGBUS test goes on where it was interrupted, so the registers must be exact there. */
const VALGRIND = [
  'valgrind',
  '-q',
  '--error-exitcode=9',
  '--leak-check=full',
  '--fair-sched=yes',
  '--vex-iropt-register-updates=allregs-at-mem-access',
  '--suppressions=test/native/valgrind.supp',
  '--soname-synonyms=somalloc=nouserintercepts', // the tests' own operator new runs out of memory when told to
];
/** Signals are the tests' own: some want to see a process end in SIGBUS. One that nobody wants fails its test. */
const SIGNALS = 'handle_segv=0:handle_sigbus=0:handle_abort=0';
/** Unless files are named the suite runs without these: it would take twice as long. */
const LEFT_OUT = [
  ['test/native/**', 'the guard’s own tests, which run by themselves here'],
  ['test/elsewhere.test.ts', 'without the addon'],
  ['test/allocator/**', 'TypeScript; the native calls under it are in test/libc'],
  ['test/{explain,compare,lab}/**', 'about glibc’s heap, which the sanitizer replaces'],
  [
    'test/{attach,cli,doctor}/**',
    'other processes; the native calls that they make are in the other directories',
  ],
];
const failed = [];

const say = (text) => console.log(`sanitize: ${text}`);
const has = (command) => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command]).status === 0;

function part(name, command, args, env = {}) {
  say(`${name} …`);
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  say(`${name}: ${status === 0 ? 'passed' : 'FAILED'}`);
  if (status !== 0) failed.push(name);
  return status === 0;
}

/** Where a command is missing and this is root, apt brings it, as the set-up does with libnuma. */
function hasOrBrings(command) {
  if (has(command)) return true;
  const apt = ['install', '-y', '--no-install-recommends', command];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  if (process.getuid?.() === 0 && has('apt-get')) {
    say(`${command} is missing: apt-get brings it`);
    const install = () => spawnSync('apt-get', apt, { env, stdio: 'ignore' }).status === 0;
    if (install()) return true;
    spawnSync('apt-get', ['update'], { env, stdio: 'ignore' });
    if (install()) return true;
  }
  say(`${command} is missing and cannot be installed here: apt-get install ${command}`);
  return false;
}

function testGuard() {
  const guard = 'scripts/guard-test.mjs';
  const node = process.execPath;
  part('guard under address,undefined', node, [guard, '--sanitize', SANITIZE], {
    ASAN_OPTIONS: 'detect_leaks=1',
  });
  part('guard under thread', node, [guard, '--sanitize', 'thread']);
  if (hasOrBrings('valgrind')) part('guard under valgrind', node, [guard, '--', ...VALGRIND]);
  else failed.push('guard under valgrind');
}

const runtime = (name) => execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();

function scope() {
  const args = process.argv.slice(2);
  if (args.some((arg) => !arg.startsWith('-'))) return args;
  for (const [files, why] of LEFT_OUT) say(`left out: ${files}, ${why}`);
  return [...LEFT_OUT.flatMap(([files]) => ['--exclude', files]), ...args];
}

/** Reports go to files: those of a test's children would be lost, and one in passing must not pass. */
function testSuite(reports) {
  const log = `log_path=${join(reports, 'report')}`;
  return part('suite under address,undefined', 'npx', ['vitest', 'run', ...scope()], {
    MEMPROBE_ADDON: resolve('build/sanitize/Release/memprobe.node'),
    MEMPROBE_SANITIZED: SANITIZE,
    LD_PRELOAD: `${runtime('libasan.so')} ${runtime('libubsan.so')}`,
    // Leaks: Node leaves much to the end of the process; test/leak.test.ts looks for ours. The order: a test may
    // preload more.
    ASAN_OPTIONS: `detect_leaks=0:verify_asan_link_order=0:allocator_may_return_null=1:${SIGNALS}:${log}`,
    UBSAN_OPTIONS: `print_stacktrace=1:${log}`,
  });
}

/** What malloc_stats() prints, too, goes to the log: the sanitizer's own figures are no report. */
function showReports(reports) {
  const found = readdirSync(reports)
    .map((file) => readFileSync(join(reports, file), 'utf8'))
    .filter((text) => /ERROR: \w+Sanitizer|runtime error:/.test(text));
  for (const text of found) console.log(text);
  say(`${found.length} sanitizer reports`);
  if (found.length > 0) failed.push('sanitizer reports');
}

function build() {
  if (!hasOrBrings('cmake')) {
    failed.push('sanitizer build');
    return false;
  }
  const args = ['compile', '--out', 'build/sanitize', `--CDSANITIZE=${SANITIZE}`];
  return part('sanitizer build', 'npx', ['cmake-js', ...args]);
}

testGuard();
if (build()) {
  const reports = mkdtempSync(join(tmpdir(), 'memprobe-sanitize-'));
  try {
    testSuite(reports);
    showReports(reports);
  } finally {
    rmSync(reports, { recursive: true });
  }
}
if (failed.length > 0) say(`FAILED: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
