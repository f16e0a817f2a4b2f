/** A process that may use some nodes only. */
import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  MPOL_BIND,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
} from '../../../lib/libc/index.js';
import type { Check } from './check.js';
import type { Confined } from './cpuset_child.js';
import { output } from './witness.js';

const CGROUP = '/sys/fs/cgroup';
const CHILD = fileURLToPath(new URL('cpuset_child.js', import.meta.url));

/** What a process finds whose cgroup has these nodes. */
function confinedTo(mems: string): Confined {
  writeFileSync(`${CGROUP}/cgroup.subtree_control`, '+cpuset');
  const group = `${CGROUP}/confined`;
  mkdirSync(group);
  try {
    writeFileSync(`${group}/cpuset.mems`, mems);
    const join = 'echo $$ >"$1/cgroup.procs" && exec "$2" "$3"';
    return JSON.parse(output('sh', '-c', join, 'sh', group, process.execPath, CHILD));
  } finally {
    rmdirSync(group);
  }
}

export const cpusetChecks: readonly Check[] = [
  {
    name: 'a cpuset of one node: memory comes from there, other nodes are EINVAL to policies and EACCES to move_pages',
    on: ['two'],
    run() {
      const found = confinedTo('1');
      assert.deepEqual(found.allowed, [1]);
      assert.equal(found.allowedByKernel, '1');
      assert.deepEqual(found.placement, { 1: found.count });
      assert.equal(found.bindingElsewhere, 'EINVAL');
      assert.equal(found.movingElsewhere, 'EACCES');
    },
  },
  {
    name: 'a cpuset of two nodes: static nodes are cut down to it, relative ones are counted in it',
    on: ['four'],
    run() {
      const found = confinedTo('1,3');
      assert.deepEqual(found.allowed, [1, 3]);
      assert.equal(found.allowedByKernel, '1,3');
      assert.deepEqual(found.static, {
        mode: MPOL_BIND | MPOL_F_STATIC_NODES,
        nodes: [0, 1],
        placement: { 1: found.count },
      });
      assert.deepEqual(found.relative, {
        mode: MPOL_INTERLEAVE | MPOL_F_RELATIVE_NODES,
        nodes: [0, 1],
        placement: { 1: found.count / 2, 3: found.count / 2 },
      });
    },
  },
];
