import { join } from 'node:path'
import type { TestUserConfig } from 'vitest/config'
import { UnderWay } from './under-way.js'

/**
 * The limit of every test and hook, in milliseconds. It ends what hangs; it does not judge speed. The slowest tests start engines
 * or run properties, and take about 15 s on two idle cores. A machine that is ten times slower, or that busy, must pass as well.
 */
const LIMIT_MS = 300_000

/** Vitest's options for every run: `npm test` and `npm run test:browser`. */
export const runOptions: TestUserConfig = {
  pool: 'forks',
  globalSetup: join(import.meta.dirname, 'global-setup.ts'),
  // The workers end when the run is killed.
  execArgv: ['--import', join(import.meta.dirname, 'end-with-parent.mjs')],
  testTimeout: LIMIT_MS,
  hookTimeout: LIMIT_MS,
  teardownTimeout: LIMIT_MS,
  reporters: ['default', new UnderWay()],
  expect: { poll: { timeout: LIMIT_MS } },
}

/** For a wait of the product that gives up by the machine's time: the limit of the test ends it sooner. */
export const PATIENT = { timeoutMs: 2 * LIMIT_MS }
