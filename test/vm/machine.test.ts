import { describe, test } from 'vitest';
import { TOPOLOGIES, type Topology } from '../../scripts/vm/topologies.js';
import { Guest } from './guest.js';
import { isOn } from './inside/check.js';
import { checks } from './inside/checks.js';

const skipped = process.env.MEMPROBE_SKIP_NUMA_MACHINE === '1';
if (skipped) console.error('numa machine: skipped, because MEMPROBE_SKIP_NUMA_MACHINE is 1');

/** With its stack inside the machine instead of the one here, which tells nothing. */
const failure = (reason = ''): Error => Object.assign(new Error(reason), { stack: reason });

const describeMachine = (topology: Topology) =>
  describe.skipIf(skipped)(topology.title, () => {
    let guest: Guest | undefined;
    const booted = (): Guest => (guest ??= new Guest(topology));

    for (const { name } of checks.filter((check) => isOn(check, topology.name))) {
      test(name, async ({ skip }) => {
        const { outcome, reason } = await booted().report(name);
        if (outcome === 'skipped') skip(reason);
        if (outcome === 'failed') throw failure(reason);
      });
    }

    test('the machine ends by itself', () => booted().ended);
  });

TOPOLOGIES.forEach(describeMachine);
