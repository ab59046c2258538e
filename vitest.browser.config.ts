import { defineConfig } from 'vitest/config'
import { runOptions } from './test/support/run/run-options.js'

/** The tests that need a browser: `npm test` needs none. */
export default defineConfig({
  test: {
    ...runOptions,
    include: ['test/browser/**/*.test.ts'],
    // A browser each: two of them on two processors measure one another.
    maxWorkers: 1,
  },
})
