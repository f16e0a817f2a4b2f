import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/vm/**'], // npm run test:numa
    // In the run of npm run test:sanitize, what can't be tested there is skipped aloud.
    setupFiles: process.env.MEMPROBE_SANITIZED === undefined ? [] : ['test/helpers/sanitized.ts'],
    // Native code in worker threads of the runner would share one process: a crash must fail one file, not the run.
    pool: 'forks',
    // No test says how fast something is; a loaded machine may take its time.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
