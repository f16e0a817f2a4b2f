import type { AllocatorName } from './report.js';

/** What people read. */
export const LABELS: Readonly<Record<AllocatorName, string>> = {
  typescript: 'TypeScript',
  glibc: 'glibc',
  'glibc-called': 'glibc, called from JS',
};
