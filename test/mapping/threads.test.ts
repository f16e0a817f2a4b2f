/** One mapping in several threads: it goes when the last holder lets go, however that happens. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Mapping } from '../../lib/mapping/index.js';
import { said } from '../helpers/child.js';
import { PAGE } from '../helpers/memory.js';
import { mappingAt } from '../helpers/witness.js';
import { code, mapped, owned } from './support.js';

/** Its addresses are reserved at most, until its views have been collected. */
const isGone = ({ address }: Mapping): boolean => (mappingAt(address)?.perms ?? '---p') === '---p';

interface Other {
  /** What it said when it had attached. */
  readonly said: unknown;
  tell(order: 'close' | 'end'): Promise<unknown>;
  terminate(): Promise<unknown>;
}

async function attached(mapping: Mapping): Promise<Other> {
  const worker = new Worker(new URL('./attach.worker.mjs', import.meta.url), {
    workerData: mapping.handle(),
  });
  onTestFinished(async () => void (await worker.terminate()));
  const [said]: unknown[] = await once(worker, 'message');
  return {
    said,
    tell: (order) => {
      worker.postMessage(order);
      return once(worker, order === 'end' ? 'exit' : 'message');
    },
    terminate: () => worker.terminate(),
  };
}

describe('a worker that attaches', () => {
  test('sees the same bytes, and keeps the memory when the maker has let go', async () => {
    const mapping = owned(Mapping.shared('threads', PAGE));
    mapping.bytes[0] = 11;
    const other = await attached(mapping);
    expect([other.said, mapping.bytes[1]]).toEqual([[PAGE, 11], 22]);
    mapping.close();
    expect(mapped('/memfd:threads')).toBe(1);
    await other.tell('close');
    expect(mapped('/memfd:threads')).toBe(0);
  });

  test.each(['end', 'terminate'] as const)('lets go by its %s', async (way) => {
    const mapping = owned(Mapping.shared('lets go', PAGE));
    const other = await attached(mapping);
    expect(code(() => mapping.resize(2 * PAGE))).toBe('EBUSY');
    expect(code(() => mapping.protect('read'))).toBe('EBUSY');
    await (way === 'end' ? other.tell('end') : other.terminate());
    mapping.resize(2 * PAGE);
    expect([mapping.read(1, 1)[0], mapping.length]).toEqual([22, 2 * PAGE]);
    mapping.close();
    expect(mapped('/memfd:lets go')).toBe(0);
  });

  test.each(['end', 'terminate'] as const)(
    'as the last holder takes the memory along by its %s',
    async (way) => {
      // Another thread may map something at its address as soon as it is gone: its name tells it.
      const mapping = owned(Mapping.shared('last', PAGE));
      const other = await attached(mapping);
      mapping.close();
      expect(mapped('/memfd:last')).toBe(1);
      await (way === 'end' ? other.tell('end') : other.terminate());
      expect(mapped('/memfd:last')).toBe(0);
    },
  );
});

test('a worker that is terminated while it makes mappings leaves none behind', async () => {
  const module = new URL('../../dist/mapping/index.js', import.meta.url).href;
  const [left, problems] = await said(`
    const { Worker } = require('node:worker_threads');
    const { once } = require('node:events');
    const program = \`import(${JSON.stringify(module)}).then(({ Mapping }) => {
      require('node:worker_threads').parentPort.postMessage('runs');
      for (;;) {
        const mapping = Mapping.anonymous(1 << 16, { populate: true });
        mapping.bytes[0] = 1;
        mapping.close();
      }
    });\`;
    const one = async () => {
      const worker = new Worker(program, { eval: true });
      await once(worker, 'message');
      await worker.terminate();
    };
    (async () => {
      for (let i = 0; i < 8; i++) await Promise.all([one(), one(), one(), one()]);
      const { ranges, shares } = libc.guard_counts();
      say({ ranges, shares });
      say(libc.guard_check());
    })();`);
  expect(left).toEqual({ ranges: 0, shares: 0 });
  expect(problems).toEqual([]);
});

describe('a handle', () => {
  test('works in its own thread too, any number of times', () => {
    const first = owned(Mapping.anonymous(PAGE));
    const second = owned(Mapping.attach(structuredClone(first.handle())));
    second.bytes[5] = 5;
    first.close();
    expect([second.read(5, 1)[0], second.kind, second.address]).toEqual([5, 'anonymous', first.address]);
    second.close();
    expect(isGone(first)).toBe(true);
  });

  test('that is stale or forged is ERR_MEMPROBE_STALE_HANDLE', () => {
    const mapping = Mapping.anonymous(PAGE);
    const handle = mapping.handle();
    mapping.close();
    expect(code(() => Mapping.attach(handle))).toBe('ERR_MEMPROBE_STALE_HANDLE');
    for (const id of ['', '0', 'f'.repeat(32), handle.mapping.toUpperCase()]) {
      expect(code(() => Mapping.attach({ mapping: id }))).toBe('ERR_MEMPROBE_STALE_HANDLE');
    }
  });
});
