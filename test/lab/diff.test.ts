import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffMaps } from '../../lib/lab/diff.js';
import type { Mapped } from '../../lib/lab/look.js';
import type { MapLine } from '../../lib/lab/report.js';

const PAGE = 4096;

function mapped(start: number, pages: number, resident: number, anonymous = resident): Mapped {
  const hex = (page: number) => (page * PAGE).toString(16);
  const [size, path] = [pages * PAGE, ''];
  const bytes = { size, resident: resident * PAGE, anonymous: anonymous * PAGE };
  return { start: hex(start), end: hex(start + pages), perms: 'rw-p', path, ...bytes };
}

const brief = ({ sign, pages, resident, was }: MapLine) =>
  [sign, pages, resident, ...(was ? [was.resident] : [])].join(' ');

test('what came, what went, and what only holds more', () => {
  const before = [mapped(1, 2, 0), mapped(10, 4, 1), mapped(20, 1, 1)];
  const after = [mapped(1, 2, 2), mapped(20, 1, 1), mapped(30, 8, 3)];
  expect(diffMaps(before, after, PAGE).map(brief)).toEqual(['~ 2 2 0', '- 4 1', '+ 8 3']);
});

test('a mapping that grew is one that went and one that came, in this order', () => {
  expect(diffMaps([mapped(5, 1, 1)], [mapped(5, 3, 1)], PAGE).map(brief)).toEqual(['- 1 1', '+ 3 1']);
});

test('a page that was copied is seen though as much is resident', () => {
  const [line] = diffMaps([mapped(5, 4, 4, 0)], [mapped(5, 4, 4, 1)], PAGE);
  expect(line).toMatchObject({ sign: '~', anonymous: 1, was: { resident: 4, anonymous: 0 } });
});

test('addresses are compared as numbers', () => {
  const lines = diffMaps([], [mapped(0x100000, 1, 0), mapped(0x9, 1, 0)], PAGE);
  expect(lines.map(({ start }) => start)).toEqual(['9000', '100000000']);
});

/** Some pages of a small address space, each mapped or not. */
const space = fc
  .array(fc.record({ pages: fc.integer({ min: 1, max: 3 }), resident: fc.nat(3), gap: fc.nat(2) }), {
    maxLength: 12,
  })
  .map((parts) => {
    let at = 1;
    return parts.map(({ pages, resident, gap }) => {
      const mapping = mapped(at, pages, Math.min(resident, pages));
      at += pages + gap;
      return mapping;
    });
  });

test('the difference accounts for every page, and there is none between equals', () => {
  const total = (maps: Mapped[]) => maps.reduce((sum, { resident }) => sum + resident / PAGE, 0);
  fc.assert(
    fc.property(space, space, (before, after) => {
      const lines = diffMaps(before, after, PAGE);
      const change = lines.reduce(
        (sum, { sign, resident, was }) => sum + (sign === '-' ? -resident : resident - (was?.resident ?? 0)),
        0,
      );
      expect(change).toBe(total(after) - total(before));
      expect(diffMaps(after, after, PAGE)).toEqual([]);
    }),
  );
});
