/** The pages of a mapped file by what it takes to get them back. */
import type { Row } from './rows.js';
import type { FilePages } from './schema.js';

/** Divides `bytes` of a file mapping, those that no other rule took. smaps counts private copies as dirty, too. */
export function filePages({ anonymous, dirty }: Row, bytes: number): FilePages {
  const copied = Math.min(anonymous, bytes);
  const written = Math.min(Math.max(0, dirty - anonymous), bytes - copied);
  return { clean: bytes - copied - written, dirty: written, copied };
}

/** What the parts are called: a file's name alone stands for its clean pages. */
export function fileParts(
  name: string,
  { clean, dirty, copied }: FilePages,
): [part: string, bytes: number][] {
  return [
    [name, clean],
    [`${name} (not written back yet)`, dirty],
    [`${name} (private copies)`, copied],
  ];
}
