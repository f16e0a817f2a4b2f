/** The descriptors of file mappings in worker threads: they are the mapping's alone. */
import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { file } from '../helpers/memory.js';

/** Descriptors of ours up to this number, so that it is ours too if nobody else has it. */
function openUpTo(number: number): number[] {
  const opened: number[] = [];
  do opened.push(openSync('/dev/null', 'r'));
  while ((opened.at(-1) ?? number) < number);
  return opened;
}

test('a worker’s end leaves a descriptor alone whose number its closed mapping had', async () => {
  const worker = new Worker(new URL('./descriptors.worker.mjs', import.meta.url), {
    workerData: file(1).path,
  });
  onTestFinished(async () => void (await worker.terminate()));
  const [fd]: number[] = await once(worker, 'message');
  if (fd === undefined) throw new Error('the worker said no descriptor');
  let ours: number[] = [];
  onTestFinished(() => ours.forEach((each) => closeSync(each)));
  const taken = (): number[] => {
    ours.forEach((each) => closeSync(each));
    return (ours = openUpTo(fd));
  };
  await expect.poll(taken).toContain(fd); // another thread may have a file open meanwhile
  worker.postMessage('end');
  await once(worker, 'exit');
  for (const each of ours) expect(fstatSync(each).isCharacterDevice()).toBe(true);
});
