import { defineConfig } from 'vitest/config'
import { runOptions } from './test/support/run/run-options.js'

export default defineConfig({
  test: {
    ...runOptions,
    include: ['test/**/*.test.ts'],
    exclude: ['test/browser/**', '**/node_modules/**'],
    // Every test owns its clock, ids and ports, so files may share a process; forks keep signal and stdio tests honest.
    isolate: false,
    // The default leaves one for itself, which on two is half.
    maxWorkers: '100%',
  },
})
