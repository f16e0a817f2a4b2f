import { defineConfig } from 'vitest/config';

/** The tests that boot machines: `npm run test:numa`. */
export default defineConfig({
  test: {
    include: ['test/vm/**/*.test.ts'],
    pool: 'forks',
    // Each test waits for its turn inside the machine, which has a timeout of its own.
    testTimeout: 1_500_000,
    // What is installed or downloaded is said at once, and as it is.
    disableConsoleIntercept: true,
  },
});
