import type { Category, CategoryId, FilePages } from './schema.js';
import type { Snapshot } from './snapshot.js';

/** What the verdict's rules look at. */
export interface Facts {
  snapshot: Snapshot;
  categories: Category[];
  /** Resident bytes of the whole process. */
  rss: number;
}

export function bytesOf({ categories }: Facts, id: CategoryId): number {
  return categories.find((category) => category.id === id)?.bytes ?? 0;
}

export function partsOf({ categories }: Facts, id: CategoryId) {
  return categories.find((category) => category.id === id)?.parts ?? [];
}

/** Sum over all isolates. */
export function sumIsolates({ snapshot }: Facts, field: 'used' | 'arrayBuffers' | 'external'): number {
  return snapshot.isolates.reduce((sum, isolate) => sum + isolate[field], 0);
}

/** Whole resident pages inside free chunks and tops: what malloc_trim(3) can give back. */
export function trimmable({ snapshot }: Facts): number {
  const arenas = snapshot.heap?.arenas ?? [];
  return arenas.reduce((sum, arena) => sum + arena.free.trimmable + arena.top.trimmable, 0);
}

/** Of mapped files. */
export function pagesOf({ categories }: Facts): FilePages {
  const files = categories.find(({ id }) => id === 'files');
  return files?.pages ?? { clean: files?.bytes ?? 0, dirty: 0, copied: 0 };
}

/** The isolate that holds most Buffers. */
export function mostBuffers({ snapshot }: Facts) {
  return [...snapshot.isolates].sort((a, b) => b.arrayBuffers - a.arrayBuffers)[0];
}

/** Less than this share of what the verdict is about is not worth a line. */
export const SLIVER = 0.1;
