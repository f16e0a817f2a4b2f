/** What the tests of Mapping share. */
import { onTestFinished } from 'vitest';
import type { Mapping } from '../../lib/mapping/index.js';
import { thrown } from '../helpers/errors.js';
import { mappings } from '../helpers/witness.js';

/** Closed at the end of the test, if not before. */
export function owned(mapping: Mapping): Mapping {
  onTestFinished(() => mapping.close());
  return mapping;
}

export const code = (call: () => unknown): unknown => Reflect.get(thrown(call), 'code');

/** How many mappings of this file there are. */
export const mapped = (path: string): number =>
  mappings().filter((each) => each.path.startsWith(path)).length;
