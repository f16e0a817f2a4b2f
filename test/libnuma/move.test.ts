import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { move_pages, poke } from '../../lib/libc/index.js';
import * as numa from '../../lib/libnuma/index.js';
import { expectRangeError, expectThrows, expectTypeError, thrown } from '../helpers/errors.js';
import { anonymous, hole, page } from '../helpers/memory.js';
import { absentNode, describeLibnuma } from './helpers.js';

describeLibnuma('pages', () => {
  test('numa_move_pages says what move_pages says: a node for each, or why not', () => {
    const start = anonymous(2);
    poke(start, new Uint8Array(1));
    const pages = [start, page(start, 1), hole(1)];
    const [there, untouched = 0, nowhere = 0] = numa.numa_move_pages(0, pages, null, 0);
    expect(numa.numa_node_of_cpu(0)).toBeGreaterThanOrEqual(0);
    expect(there).toBeGreaterThanOrEqual(0);
    expect([-constants.errno.EFAULT, -constants.errno.ENOENT]).toContain(untouched);
    expect(nowhere).toBe(-constants.errno.EFAULT);
    expect([...numa.numa_move_pages(0, BigUint64Array.from(pages), null, 0)]).toEqual([
      ...move_pages(0, pages, null, 0),
    ]);
    expect([...numa.numa_move_pages(0, [start], Int32Array.of(0), 2)]).toEqual([0]);
  });

  test('a node that is not there is ENODEV', () => {
    const start = anonymous(1);
    poke(start, new Uint8Array(1));
    expectThrows('ENODEV', 'numa_move_pages', () => numa.numa_move_pages(0, [start], [absentNode()], 2));
  });

  test('numa_migrate_pages returns how many stayed behind, for masks of any size', () => {
    expect(numa.numa_migrate_pages(0, [0], [0])).toBe(0);
    const small = numa.numa_bitmask_setbit(new numa.Bitmask(1), 0);
    expect(numa.numa_migrate_pages(0, small, numa.numa_all_nodes_ptr)).toBe(0);
    expectThrows('ESRCH', 'numa_migrate_pages', () => numa.numa_migrate_pages(2 ** 31 - 1, [0], [0]));
    expectThrows('EINVAL', 'numa_migrate_pages', () => numa.numa_migrate_pages(0, [0], []));
  });

  test('bad arguments name the parameter', () => {
    expect(thrown(() => numa.numa_move_pages(0, [1n], [0, 0], 2)).message).toContain('"nodes"');
    expectTypeError('pages', () => Reflect.apply(numa.numa_move_pages, undefined, [0, 1n, null, 0]));
    expectTypeError('pages[1]', () => Reflect.apply(numa.numa_move_pages, undefined, [0, [0n, 1], null, 0]));
    expectTypeError('nodes', () => Reflect.apply(numa.numa_move_pages, undefined, [0, [0n], 0, 0]));
    expectRangeError('to', () => numa.numa_migrate_pages(0, [0], [absentNode()]));
    expectTypeError('from', () => Reflect.apply(numa.numa_migrate_pages, undefined, [0, null, [0]]));
  });
});
