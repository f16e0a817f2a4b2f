/** Another thread: maps a file and closes it, so that its descriptor's number is free again, and ends when told. */
import { parentPort, workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const { Mapping } = await import('../../lib/mapping/index.ts');
const mapping = Mapping.file(workerData, { access: 'read' });
const { fd } = mapping;
mapping.close();
parentPort?.on('message', () => parentPort?.close());
parentPort?.postMessage(fd);
