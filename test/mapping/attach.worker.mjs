/** Another thread: attaches to a mapping and does what it is told. */
import { parentPort, workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const { Mapping } = await import('../../lib/mapping/index.ts');
const mapping = Mapping.attach(workerData);
mapping.bytes[1] = 22;
parentPort?.postMessage([mapping.length, mapping.bytes[0]]);
parentPort?.on('message', (order) => {
  if (order === 'close') mapping.close();
  if (order === 'end') return parentPort?.close();
  parentPort?.postMessage(order);
});
