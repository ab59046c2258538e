import { defineConfig } from 'vitest/config'

/** The tests that need a browser: `npm test` needs none. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    pool: 'forks',
    // A browser each: two of them on two processors measure one another.
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
