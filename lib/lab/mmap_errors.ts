/** The part of the lab on mmap about its refusals, each of them provoked. */
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_LOCKED,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
} from '../libc/mmap.js';
import type { Bench } from './bench.js';
import { codeOf } from '../procfs/errors.js';
import { cramped, ROOT_HAS_NO_LIMIT, unprivileged } from './limits.js';
import { GIB, KIB, PRIVATE_ANONYMOUS, READ_WRITE } from './words.js';

const MODES = {
  O_RDONLY: constants.O_RDONLY,
  O_WRONLY: constants.O_WRONLY,
  O_RDWR: constants.O_RDWR,
};
const PROTS = { PROT_READ, PROT_WRITE, 'PROT_READ | PROT_WRITE': READ_WRITE };
const KINDS = { MAP_SHARED, MAP_PRIVATE };

export function errors(bench: Bench): void {
  const path = join(bench.directory, 'modes');
  writeFileSync(path, '.'.repeat(bench.page));
  permissions(bench, path);
  bench.section('Everything else that mmap refuses');
  descriptors(bench, path);
  nonsense(bench);
  tooMuch(bench);
  bench.shows(
    'EBADF: no such file; EACCES: not with that file; EINVAL: the arguments are wrong; EAGAIN: too much locked; ENOMEM: ' +
      'no room.',
  );
}

/** All 18 combinations of how a file is open and how it is to be mapped. */
function permissions(bench: Bench, path: string): void {
  bench.section("A mapping can't do more than its file");
  bench.note('permissions', 'mmap(NULL, page, PROT, FLAGS, open(file, MODE), 0)');
  const rows = Object.entries(PROTS).flatMap(([protName, prot]) =>
    Object.entries(KINDS).map(([kindName, kind]) => {
      const outcomes = Object.entries(MODES).map(([modeName, mode]) => {
        const outcome = attempt(path, mode, prot, kind, bench.page);
        bench.record({ [`${modeName} ${protName} ${kindName}`]: outcome });
        return outcome;
      });
      return [`${protName}, ${kindName}`, ...outcomes];
    }),
  );
  bench.table(['', ...Object.keys(MODES)], rows);
  bench.say('A file has to be open for reading in any case: pages are read before they are written.');
  bench.shows(
    'Only MAP_SHARED with PROT_WRITE needs a file that may be written: private stores never reach it.',
  );
}

function attempt(path: string, mode: number, prot: number, flags: number, length: number): string {
  const fd = openSync(path, mode);
  try {
    munmap(mmap(0n, length, prot, flags, fd, 0), length);
    return 'ok';
  } catch (error) {
    return codeOf(error) ?? String(error);
  } finally {
    closeSync(fd);
  }
}

function descriptors(bench: Bench, path: string): void {
  const { page } = bench;
  bench.refused('EBADF', 'mmap(NULL, page, PROT_READ, MAP_PRIVATE, -1, 0)', () =>
    mmap(0n, page, PROT_READ, MAP_PRIVATE, -1, 0),
  );
  bench.say('Without MAP_ANONYMOUS there has to be a file.');
  const directory = openSync(bench.directory, 'r');
  bench.refused('ENODEV', 'mmap(NULL, page, PROT_READ, MAP_PRIVATE, open("."), 0)', () =>
    mmap(0n, page, PROT_READ, MAP_PRIVATE, directory, 0),
  );
  closeSync(directory);
  bench.say("A directory can't be mapped.");
  const fd = openSync(path, 'r');
  bench.refused('EACCES', 'mmap(NULL, page, PROT_WRITE, MAP_SHARED, open(file, O_RDONLY), 0)', () =>
    mmap(0n, page, PROT_WRITE, MAP_SHARED, fd, 0),
  );
  bench.refused('EINVAL-offset', 'mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 100)', () =>
    mmap(0n, page, PROT_READ, MAP_PRIVATE, fd, 100),
  );
  bench.say('Files are mapped from a page boundary on.');
  closeSync(fd);
}

function nonsense(bench: Bench): void {
  const { page } = bench;
  bench.refused('EINVAL-length', 'mmap(NULL, 0, ...)', () =>
    mmap(0n, 0, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0),
  );
  bench.refused('EINVAL-flags', 'mmap(NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 0)', () =>
    mmap(0n, page, PROT_READ, MAP_ANONYMOUS, -1, 0),
  );
  bench.say('Either MAP_SHARED or MAP_PRIVATE has to be said.');
  bench.refused('EINVAL-fixed', 'mmap(100, page, ..., MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)', () =>
    mmap(100n, page, READ_WRITE, PRIVATE_ANONYMOUS | MAP_FIXED, -1, 0),
  );
  bench.say('MAP_FIXED takes the address literally, and this is no page boundary.');
  const taken = mmap(0n, page, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
  bench.refused('EEXIST', 'mmap(p, page, ..., MAP_FIXED_NOREPLACE, ...), where p is mapped', () =>
    mmap(taken, page, READ_WRITE, PRIVATE_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
  );
  bench.say('MAP_FIXED would have replaced what is there, without a word.');
  munmap(taken, page);
}

function tooMuch(bench: Bench): void {
  bench.refused('ENOMEM-size', 'mmap(NULL, 1 << 52, ...)', () =>
    mmap(0n, 2 ** 52, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0),
  );
  bench.say('No address space is that large.');
  const limited = cramped(GIB, () =>
    bench.refused('ENOMEM', 'mmap(NULL, 2 GiB, ...), 1 GiB below the limit of this process', () =>
      mmap(0n, 2 * GIB, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0),
    ),
  );
  bench.say(
    limited
      ? "RLIMIT_AS ('ulimit -v') was lowered for this call. It counts addresses: nothing had to be in memory for it. A " +
          'process with too many mappings (vm.max_map_count) gets the same error, however small they are.'
      : 'The same comes of RLIMIT_AS and of too many mappings. (It is not shown, for want of the command prlimit.)',
  );
  bench.refused('EAGAIN', `mmap(NULL, ${mmapLimit} KiB + page, ..., MAP_LOCKED, -1, 0)`, () =>
    unprivileged(() =>
      mmap(0n, mmapLimit * KIB + bench.page, READ_WRITE, PRIVATE_ANONYMOUS | MAP_LOCKED, -1, 0),
    ),
  );
  bench.say(`RLIMIT_MEMLOCK is ${mmapLimit} KiB in this process. ${ROOT_HAS_NO_LIMIT}`.trim());
}

/** The limit that the lab runs under, in KiB. */
export const mmapLimit = 64;
