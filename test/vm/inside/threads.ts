/** Worker threads with policies of their own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { get_mempolicy, MPOL_BIND, MPOL_DEFAULT } from '../../../lib/libc/index.js';
import type { Check } from './check.js';
import { withPolicy } from './memory.js';
import type { Policy } from './threads_worker.js';
import { memoryNodes } from './witness.js';

const COUNT = 16;
const start = (workerData: unknown): Worker =>
  new Worker(new URL('threads_worker.js', import.meta.url), { workerData });

/** All have their policy before the first allocates. */
async function together(workers: readonly Worker[]): Promise<Policy[]> {
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const answers = workers.map(async (worker): Promise<Policy> => {
    const [answer]: Policy[] = await once(worker, 'message');
    assert(answer);
    return answer;
  });
  for (const worker of workers) worker.postMessage('allocate');
  return Promise.all(answers);
}

export const threadChecks: readonly Check[] = [
  {
    name: 'each worker thread allocates by its own policy, all at once, and the main thread keeps its own',
    async run() {
      const nodes = memoryNodes();
      const answers = await together(nodes.map((node) => start({ count: COUNT, node })));
      assert.deepEqual(
        answers,
        nodes.map((node) => ({ mode: MPOL_BIND, nodes: [node], placement: { [node]: COUNT } })),
      );
      assert.deepEqual(get_mempolicy(), { mode: MPOL_DEFAULT, nodes: [] });
    },
  },
  {
    name: 'a worker thread inherits the policy of the thread that starts it',
    async run() {
      const [, node = 0] = memoryNodes();
      const worker = withPolicy(MPOL_BIND, [node], () => start({ count: COUNT }));
      const [{ mode, nodes, placement } = assert.fail()] = await together([worker]);
      assert.deepEqual(
        { mode, nodes, placement },
        { mode: MPOL_BIND, nodes: [node], placement: { [node]: COUNT } },
      );
    },
  },
];
