/** A worker thread that binds itself to a node, if told so, and says where its memory comes from. */
import { parentPort, workerData } from 'node:worker_threads';
import { get_mempolicy, MPOL_BIND, set_mempolicy } from '../../../lib/libc/index.js';
import { Pages } from './memory.js';

export interface Policy {
  readonly mode: number;
  readonly nodes: number[];
  /** Pages by node. */
  readonly placement: Record<number, number>;
}

const { count, node }: { count: number; node?: number } = workerData;
if (node !== undefined) set_mempolicy(MPOL_BIND, [node]);
parentPort?.once('message', () => {
  using memory = new Pages(count);
  const answer: Policy = { ...get_mempolicy(), placement: memory.touch().placement() };
  parentPort?.postMessage(answer);
});
parentPort?.postMessage('ready');
