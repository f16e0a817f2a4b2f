/** The guard's self-check: silent about a healthy process, and not silent about others. */
import { expect, test } from 'vitest';
import { NOTHING_HELD, run, said } from './helpers/child.js';

test('it counts what there is, and finds nothing wrong before, during and after', async () => {
  const [none, some, after] = await said(
    `const look = () => say({ ...libc.guard_counts(), problems: libc.guard_check() });
     look();
     const addr = anonymous(3 * 4096), block = libc.malloc(1000), other = libc.malloc(5 << 20), busy = anonymous(64 << 20);
     libc.mprotect(addr + 4096n, 4096, c.PROT_NONE);
     const views = [libc.view(addr, 4096), libc.view(block, 10), libc.view(other, 5)];
     const reading = promises.peek(busy, 64 << 20);
     libc.free(block);
     const held = libc.mapping_create(anonymous(4096), 4096, -1, '{}');
     look();
     libc.mapping_close(held);
     reading.then(async () => {
       libc.munmap(addr, 3 * 4096), libc.munmap(busy, 64 << 20), libc.free(other);
       views.length = 0;
       for (let i = 0; i < 200 && libc.guard_counts().stale > 0; i++) { gc(); await new Promise((next) => setTimeout(next, 10)); }
       look();
     });`,
    { args: ['--expose-gc'] },
  );
  expect(none).toEqual({ ...NOTHING_HELD, problems: [] });
  // Of the first mapping the protected page is a range of its own.
  expect(some).toEqual({
    ranges: 5,
    mapped: (64 << 20) + 4 * 4096,
    blocks: 1,
    retired: 1,
    pins: 1,
    views: 2,
    stale: 1,
    shares: 1,
    orphans: 0,
    problems: [],
  });
  expect(after).toEqual({ ...NOTHING_HELD, problems: [] });
});

test.each<[string, string]>([
  ['a range is not mapped as the books say', 'unsafe.munmap(anonymous(8192), 4096)'],
  ['a range is not mapped as the books say', 'unsafe.mprotect(anonymous(8192), 4096, c.PROT_NONE)'],
  ['a block is not mapped', 'unsafe.free(libc.malloc(64 << 20))'],
])('it finds what was done behind the guard’s back: %s', async (problem, done) => {
  const [problems] = await said(`${done}; say(libc.guard_check());`);
  expect(problems).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
});

test('it survives books that are wrong all over', async () => {
  const { code, stderr } = await run(
    `for (let i = 0; i < 1000; i++) unsafe.free(libc.malloc(i * 64)); libc.guard_check(); libc.guard_counts();`,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});
