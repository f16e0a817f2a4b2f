import type { Category, CategoryId } from './schema.js';
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
