import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatList, parseList, parseSelection } from '../../lib/numa/index.js';

describe('lists', () => {
  test('are read as the kernel writes them', () => {
    expect(parseList('0-3,8\n')).toEqual([0, 1, 2, 3, 8]);
    expect(parseList('\n')).toEqual([]);
    expect(parseList('8,0-1,1')).toEqual([0, 1, 8]);
    for (const bad of ['a', '1-', '-1', '3-1', '1,,2', '1.5', '0x1', '0-99999999', '0 1'])
      expect(parseList(bad), bad).toBeUndefined();
  });

  test('any set of numbers comes back', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(2000), { minLength: 1 }), (numbers) => {
        expect(parseList(formatList(numbers))).toEqual([...numbers].sort((a, b) => a - b));
      }),
    );
    expect([formatList([]), formatList([3, 1, 2]), formatList([5])]).toEqual(['none', '1-3', '5']);
  });
});

describe('a selection', () => {
  const allowed = [0, 1, 3, 6];
  test.each([
    ['all', [0, 1, 3, 6]],
    ['0', [0]],
    ['3,0-1', [0, 1, 3]],
    ['!1', [0, 3, 6]],
    ['!0-1,6', [3]],
    ['+0-1', [0, 1]],
    ['+2-3', [3, 6]],
    ['!+2', [0, 1, 6]],
    ['+all', [0, 1, 3, 6]],
  ])('%s is %j', (text, numbers) => {
    expect(parseSelection(text, allowed, 'nodes')).toEqual({ numbers });
  });

  test.each([
    ['', /no list such as/],
    ['!', /no list such as/],
    ['x', /no list such as/],
    ['same', /no list such as/],
    ['0,', /no list such as/],
    ['-1', /no list such as/],
    ['2', /are 0-1,3,6: 2 is not among them/],
    ['0-3', /2 is not among them/],
    ['+4', /4 in number: 4 is not among them/],
    ['!all', /leaves no nodes/],
  ])('%j is a problem that says what it is', (text, problem) => {
    expect(parseSelection(text, allowed, 'nodes')).toEqual({ problem: expect.stringMatching(problem) });
  });
});
