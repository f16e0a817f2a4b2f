/** mlock: memory that stays in memory. */
import { MLOCK_ONFAULT, mlock, mlock2, munlock } from '../libc/mlock.js';
import { munmap } from '../libc/mmap.js';
import { type Bench, type Lab, residentIn } from './bench.js';
import { ROOT_HAS_NO_LIMIT, unprivileged } from './limits.js';
import { bytesAt, keepPagesSmall, KIB, mapAlone, pages } from './words.js';

const MEMORY = 'memory';
/** RLIMIT_MEMLOCK of the lab's process, in KiB. */
const LIMIT = 64;

export const mlockLab: Lab = {
  name: 'mlock',
  summary: 'locked memory: what it costs at once, what later, and its limit',
  tells: ['locked'],
  memlock: LIMIT,
  run(bench) {
    lock(bench, 4 * bench.page);
    onFault(bench, 4 * bench.page);
    limit(bench);
  },
};

function lock(bench: Bench, length: number): void {
  bench.section('Locked is resident');
  const address = mapAlone(length);
  keepPagesSmall(address, length);
  bench.watch(address, length, MEMORY);
  const { change } = bench.step('mlock', 'mlock(p, 4 * page), nothing of it touched yet', () =>
    mlock(address, length),
  );
  bench.say(
    `VmLck of /proc/PID/status went up by ${pages(change.locked)}, and ${pages(residentIn(change, MEMORY))} came into ` +
      'memory, untouched as they are: locking fetches everything.',
  );
  bench.step('munlock', 'munlock(p, 4 * page)', () => munlock(address, length));
  bench.say('Unlocked pages stay where they are, until somebody needs the room.');
  munmap(address, length);
  bench.shows('mlock brings every page into memory at once, and keeps it out of swap until munlock.');
}

function onFault(bench: Bench, length: number): void {
  bench.section('Locked as it comes');
  const address = mapAlone(length);
  keepPagesSmall(address, length);
  bench.watch(address, length, MEMORY);
  bench.step('onfault', 'mlock2(q, 4 * page, MLOCK_ONFAULT), on fresh pages', () =>
    mlock2(address, length, MLOCK_ONFAULT),
  );
  bench.say('All four count as locked, and none is in memory.');
  const bytes = bytesAt(address, length);
  bench.step('touch', 'q[0] = 1', () => (bytes[0] = 1));
  bench.say('One came, and is locked from now on.');
  munmap(address, length);
  bench.shows(
    'MLOCK_ONFAULT locks pages as they are touched: right for large memory that is used in few places.',
  );
}

function limit(bench: Bench): void {
  const length = LIMIT * KIB + bench.page;
  bench.section('RLIMIT_MEMLOCK');
  const address = mapAlone(length);
  const code = bench.refused('limit', `mlock(r, ${LIMIT} KiB + page)`, () =>
    unprivileged(() => mlock(address, length)),
  );
  bench.say(`RLIMIT_MEMLOCK is ${LIMIT} KiB in this process. ${ROOT_HAS_NO_LIMIT}`.trim());
  if (code === '') bench.skip('the call was allowed: this user has CAP_IPC_LOCK');
  bench.record({ limit: LIMIT * KIB, asked: length });
  munmap(address, length);
  bench.shows("Who is not root may lock little: 'ulimit -l' shows how much, in KiB.");
}
