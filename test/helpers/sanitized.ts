/** What can't be tested under the address sanitizer, and why: a set-up file of `npm run test:sanitize` alone. */
import { beforeEach } from 'vitest';

const MALLOC = "malloc is the sanitizer's: glibc's arenas and figures are empty";
const QUARANTINE = 'the sanitizer keeps what was freed';
const PRELOAD = 'libc_malloc_debug.so.0 and the sanitizer both replace malloc';
const MLOCK = 'the sanitizer makes mlock and its kin do nothing';
const ABORTS = 'what is wrong on purpose is a report';
const NO_THROW = "the sanitizer's operator new ends the process where memory is out";
const LIMITS = "the fuzzer's limits of address space leave the sanitizer's shadow no room";
const PLAIN = "memprobe compare starts Node with a plain environment, without the sanitizer's runtime";
const SHADOW = 'the memory of the sanitizer itself counts';

/** File and name of the test, and the reason. */
const CANNOT: readonly (readonly [file: RegExp, test: RegExp, why: string])[] = [
  [/libc\/(hooks|mtrace)\.test/, /with the preload/, PRELOAD],
  [/libc\/mcheck\.test/, /with the preload|from the start/, PRELOAD],
  [/security\.test/, /logs of allocations/, PRELOAD],
  [/security\.test/, /memprobe compare/, PLAIN],
  [/libc\/mallinfo\.test/, /./, MALLOC],
  [/differential\.test/, /> (aligned_alloc|memalign|malloc_usable_size .*|what only answers)$/, MALLOC],
  [/in_flight\.test/, /memory goes at once|hold nothing back|freed at once/, QUARANTINE],
  [/libnuma\/bitmask\.test/, /collected without help/, QUARANTINE],
  [/libnuma\/bitmask\.test/, /where there is no memory/, MALLOC],
  [/explain\/explain\.test/, /./, MALLOC],
  [/cli\/leaks\.test/, /a Node program/, PRELOAD],
  [/mapping\/mapping\.test/, /lock and unlock/, MLOCK],
  [/promises\.test/, /does and returns what the call does/, MALLOC],
  [/libc\/brk\.test/, /sbrk/, MALLOC],
  [/procfs\/heap\.test/, /./, MALLOC],
  [/libc\/mlock\.test/, /mlock|RLIMIT_MEMLOCK|limit/, MLOCK],
  [/promises\.test/, /rejects with what the call throws/, MLOCK],
  [/fuzz\.test/, /a death|kill no process/, LIMITS],
  [/unsafe\.test/, /a double free aborts/, ABORTS],
  [/(contract|leak)\.test/, /leaks/, SHADOW],
  [/oom\.test/, /in a cgroup/, QUARANTINE],
  [/oom\.test/, /RLIMIT_AS|promise forms/, NO_THROW],
  [/libc\/mincore\.test/, /absurd length/, SHADOW],
];

beforeEach(({ task, skip }) => {
  const name = nameOf(task);
  const found = CANNOT.find(([file, test]) => file.test(task.file.filepath) && test.test(name));
  if (found !== undefined) skip(`under the address sanitizer: ${found[2]}`);
});

interface Named {
  readonly name: string;
  readonly suite?: Named | undefined;
}

/** With the groups that it is in. */
function nameOf({ name, suite }: Named): string {
  return suite === undefined ? name : `${nameOf(suite)} > ${name}`;
}
