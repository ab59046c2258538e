import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/browser/**', '**/node_modules/**'],
    // Every test owns its clock, ids and ports, so files may share a process; forks keep signal and stdio tests honest.
    pool: 'forks',
    isolate: false,
    // The default leaves one for itself, which on two is half.
    maxWorkers: '100%',
    testTimeout: 20_000,
  },
})
